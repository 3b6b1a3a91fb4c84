"""Change training images at random, so that no epoch sees the same pixels twice.

All is drawn from the seed, the epoch and an image's position in the training split: neither the
order of batches nor an interruption changes what an image looks like.
"""

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from fmnist.train.parameters import Augmentation


def augment(
    images: np.ndarray, augmentation: Augmentation | None, seed: int, epoch: int
) -> np.ndarray:
    """Return the images of an epoch, in the same order: float32 [N, height, width].

    Args:
        images: float32 [N, height, width]; their lowest pixel is taken for the background.
    """
    if augmentation is None:
        return images
    # A child of the seed that draws the order of images, so that the two are independent.
    random = np.random.default_rng(np.random.SeedSequence([seed, epoch], spawn_key=(0,)))
    background = images.min()
    if augmentation.flip:
        images = _flip(images, random)
    if augmentation.shift:
        images = _shift(images, augmentation.shift, background, random)
    if augmentation.erase:
        images = _erase(images, augmentation.erase, background, random)
    return images


def _flip(images: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Mirror every image with a probability of one half."""
    mirrored = random.random(len(images)) < 0.5
    return np.where(mirrored[:, None, None], images[:, :, ::-1], images)


def _shift(
    images: np.ndarray, most: int, background: np.float32, random: np.random.Generator
) -> np.ndarray:
    """Move every image by up to ``most`` pixels along each axis (He et al. 2015, section 4.2).

    https://arxiv.org/abs/1512.03385
    """
    count, height, width = images.shape
    padded = np.pad(images, ((0, 0), (most, most), (most, most)), constant_values=background)
    windows = sliding_window_view(padded, (height, width), axis=(1, 2))
    top, left = random.integers(0, 2 * most, (2, count), endpoint=True)
    return windows[np.arange(count), top, left]


def _erase(
    images: np.ndarray, size: int, background: np.float32, random: np.random.Generator
) -> np.ndarray:
    """Erase a square of ``size`` pixels, which may lie partly outside (DeVries and Taylor 2017).

    https://arxiv.org/abs/1708.04552
    """
    count, height, width = images.shape

    def covered(length: int) -> np.ndarray:  # bool [count, length]
        centre = random.integers(0, length, (count, 1))
        distance = np.arange(length) - (centre - size // 2)
        return (distance >= 0) & (distance < size)

    inside = covered(height)[:, :, None] & covered(width)[:, None, :]
    return np.where(inside, background, images)
