"""Augmented images, against what can be done to each by hand."""

import itertools

import numpy as np
import pytest

from fmnist.train.augmentation import augment
from fmnist.train.recipe import Augmentation

# Pixels from 1 to 2, but for one: the lowest, 0, is the background.
IMAGES = np.random.default_rng(0).uniform(1, 2, (200, 12, 10)).astype(np.float32)
IMAGES[0, 0, 0] = 0
EVERYTHING = {"flip": True, "shift": 2, "erase": 4}


def augmented(seed: int = 3, epoch: int = 1, images: np.ndarray = IMAGES, **settings) -> np.ndarray:
    chosen = {"flip": False, "shift": 0, "erase": 0} | settings
    return augment(images, Augmentation.model_validate(chosen), seed, epoch)


def shifted(image: np.ndarray, down: int, right: int) -> np.ndarray:
    """Return the image moved, pixel by pixel."""
    moved = np.zeros_like(image)
    for (row, column), pixel in np.ndenumerate(image):
        if 0 <= row + down < image.shape[0] and 0 <= column + right < image.shape[1]:
            moved[row + down, column + right] = pixel
    return moved


def test_nothing_is_changed_without_augmentation():
    np.testing.assert_array_equal(augment(IMAGES, None, 3, 1), IMAGES)
    np.testing.assert_array_equal(augmented(), IMAGES)


@pytest.mark.parametrize(
    "settings", [{"flip": True}, {"shift": 1}, {"erase": 3}, EVERYTHING], ids=str
)
def test_images_keep_shape_and_type_and_are_drawn_from_seed_and_epoch_alone(settings):
    original = IMAGES.copy()
    found = augmented(**settings)
    assert (found.shape, found.dtype) == (IMAGES.shape, IMAGES.dtype)
    np.testing.assert_array_equal(augmented(**settings), found)
    np.testing.assert_array_equal(IMAGES, original)
    for other in (augmented(seed=4, **settings), augmented(epoch=2, **settings)):
        assert not np.array_equal(other, found)


def test_about_half_of_the_images_are_mirrored():
    found = augmented(flip=True)
    mirrored = [np.array_equal(f, image[:, ::-1]) for f, image in zip(found, IMAGES, strict=True)]
    same = [np.array_equal(f, image) for f, image in zip(found, IMAGES, strict=True)]
    assert all(a != b for a, b in zip(mirrored, same, strict=True))
    assert 70 < sum(mirrored) < 130  # four standard deviations


def test_images_are_shifted_by_every_distance():
    moves = list(itertools.product(range(-2, 3), repeat=2))
    found = [
        [move for move in moves if np.array_equal(shifted(image, *move), f)]
        for f, image in zip(augmented(shift=2), IMAGES, strict=True)
    ]
    assert all(len(fitting) == 1 for fitting in found)
    assert {fitting[0] for fitting in found} == set(moves)


def test_a_square_anywhere_is_erased():
    size, sizes, covered = 4, set(), np.zeros(IMAGES.shape[1:], bool)
    for found, image in list(zip(augmented(erase=size), IMAGES, strict=True))[1:]:
        changed = found != image
        rows, columns = np.flatnonzero(changed.any(axis=1)), np.flatnonzero(changed.any(axis=0))
        assert np.array_equal(rows, np.arange(rows[0], rows[-1] + 1))
        assert np.array_equal(columns, np.arange(columns[0], columns[-1] + 1))
        assert (found[changed] == 0).all()
        assert changed[np.ix_(rows, columns)].all()
        sizes.add((len(rows), len(columns)))
        covered |= changed
    assert max(sizes) == (size, size)
    assert min(height for height, _ in sizes) == size // 2  # the others lie partly outside
    assert covered.all()


def test_the_background_is_the_lowest_pixel_whatever_the_normalization():
    np.testing.assert_allclose(
        augmented(images=IMAGES * 2 - 1, **EVERYTHING), augmented(**EVERYTHING) * 2 - 1, rtol=1e-6
    )
