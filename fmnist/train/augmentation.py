"""Change training images at random, so that no two epochs see the same pixels.

Everything is drawn from the seed, the epoch and an image's position in the training split: neither
the order of batches nor an interruption changes what an image looks like.
"""

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from fmnist.train.recipe import Augmentation


def augment(
    images: np.ndarray,
    augmentation: Augmentation | None,
    seed: int,
    epoch: int,
    chosen: np.ndarray | slice = slice(None),
) -> np.ndarray:
    """Return the images of an epoch, in the same order: float32 [N, height, width].

    Args:
        images: float32 [N, height, width]; their lowest pixel counts as background.
        chosen: indices of the images to return, instead of all.
    """
    if augmentation is None:
        return images[chosen]
    # A child of the seed that draws the order of images, so that the two are independent.
    random = np.random.default_rng(np.random.SeedSequence([seed, epoch], spawn_key=(0,)))
    # Drawn for all images, whichever are chosen.
    count, height, width = images.shape
    size = augmentation.erase
    background = images.min()
    changed = images[chosen]
    if augmentation.flip:
        mirrored = random.random(count) < 0.5
        changed = np.where(mirrored[chosen, None, None], changed[:, :, ::-1], changed)
    if most := augmentation.shift:
        top, left = random.integers(0, 2 * most, (2, count), endpoint=True)
        changed = _shift(changed, most, top[chosen], left[chosen], background)
    if size:
        row, column = (random.integers(0, length, count) for length in (height, width))
        changed = _erase(changed, size, row[chosen], column[chosen], background)
    return changed


def _shift(
    images: np.ndarray, most: int, top: np.ndarray, left: np.ndarray, background: np.float32
) -> np.ndarray:
    """Move each image by up to ``most`` pixels along each axis (He et al. 2015, section 4.2).

    https://arxiv.org/abs/1512.03385
    """
    count, height, width = images.shape
    padded = np.pad(images, ((0, 0), (most, most), (most, most)), constant_values=background)
    windows = sliding_window_view(padded, (height, width), axis=(1, 2))
    return windows[np.arange(count), top, left]


def _erase(
    images: np.ndarray, size: int, row: np.ndarray, column: np.ndarray, background: np.float32
) -> np.ndarray:
    """Erase a square around a centre, partly outside at the edges (DeVries and Taylor 2017).

    https://arxiv.org/abs/1708.04552
    """

    def covered(length: int, centre: np.ndarray) -> np.ndarray:  # bool [count, length]
        distance = np.arange(length) - (centre[:, None] - size // 2)
        return (distance >= 0) & (distance < size)

    _, height, width = images.shape
    inside = covered(height, row)[:, :, None] & covered(width, column)[:, None, :]
    return np.where(inside, background, images)
