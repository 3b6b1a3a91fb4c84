"""IDX files, the split and the normalization."""

import re
import struct

import numpy as np
import pytest
from sklearn.preprocessing import StandardScaler
from tiny_data import pixels

from fmnist.preprocess import idx
from fmnist.preprocess.normalization import Normalization, normalization
from fmnist.preprocess.split import split
from fmnist.stage.command import InputError

IMAGES, LABELS = pixels(30, seed=0)


def test_images_and_labels_are_read_as_they_were_written(tmp_path):
    (tmp_path / "images").write_bytes(idx.encode(IMAGES))
    (tmp_path / "labels").write_bytes(idx.encode(LABELS))
    images = idx.read_images(tmp_path / "images")
    np.testing.assert_array_equal(images, IMAGES)
    np.testing.assert_array_equal(idx.read_labels(tmp_path / "labels", images), LABELS)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "expected IDX images (magic number 00000803), found an empty file"),
        (idx.encode(LABELS), "expected IDX images (magic number 00000803), found 00000801"),
        (b"\x1f\x8b\x08\x00", "expected IDX images (magic number 00000803), found 1f8b0800"),
        (idx.encode(IMAGES)[:9], "expected a header of 16 bytes, found 9 bytes"),
        (idx.encode(IMAGES)[:-1], "expected 23536 bytes for sizes [30, 28, 28], found 23535"),
        (idx.encode(IMAGES) + b"\0", "expected 23536 bytes for sizes [30, 28, 28], found 23537"),
        (idx.encode(IMAGES[:0]), "expected at least one of the images, found sizes [0, 28, 28]"),
        (
            b"\0\0\x08\x03" + struct.pack(">3I", *[2**32 - 1] * 3),
            f"expected {16 + (2**32 - 1) ** 3} bytes",
        ),
    ],
)
def test_a_file_that_is_not_whole_idx_images_is_refused_by_name(tmp_path, content, message):
    path = tmp_path / "images"
    path.write_bytes(content)
    with pytest.raises(InputError, match=re.escape(f"{path}: {message}")):
        idx.read_images(path)


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (LABELS[:-1], "expected a label for each of the 30 images beside it, found 29"),
        (np.full(30, 10, np.uint8), "expected labels 0 to 9, found 10"),
        (IMAGES, "expected IDX labels (magic number 00000801), found 00000803"),
    ],
)
def test_labels_that_do_not_fit_the_images_are_refused_by_name(tmp_path, labels, message):
    path = tmp_path / "labels"
    path.write_bytes(idx.encode(labels))
    with pytest.raises(InputError, match=re.escape(f"{path}: {message}")):
        idx.read_labels(path, IMAGES)


def test_test_images_of_another_size_are_refused_by_name(tmp_path):
    path = tmp_path / "images"
    path.write_bytes(idx.encode(IMAGES[:, :14]))
    with pytest.raises(
        InputError, match=r"images: expected images of \[28, 28\] pixels, found \[14"
    ):
        idx.read_images(path, like=IMAGES)


def test_a_missing_file_says_how_to_get_it(tmp_path):
    with pytest.raises(InputError, match=r"images: no such file; `dvc repro fetch` gets it"):
        idx.read_images(tmp_path / "images")


@pytest.mark.parametrize("method", ["last", "random", "stratified"])
@pytest.mark.parametrize("size", [1, 7, 29])
def test_every_image_is_in_exactly_one_split(method, size):
    train, validation = split(LABELS, method, size, seed=0)
    assert len(validation) == size
    assert sorted([*train, *validation]) == list(range(30))
    assert list(train) == sorted(train)
    assert list(validation) == sorted(validation)


def test_last_holds_out_the_final_images():
    assert list(split(LABELS, "last", 4, seed=0)[1]) == [26, 27, 28, 29]


def test_stratified_takes_of_each_class_its_share_to_within_one():
    labels = np.repeat(np.arange(4, dtype=np.uint8), [50, 30, 17, 3])
    for size in (10, 33, 50):
        _, validation = split(labels, "stratified", size, seed=1)
        shares = np.bincount(labels) * size / len(labels)
        assert (np.abs(np.bincount(labels[validation], minlength=4) - shares) < 1).all()


@pytest.mark.parametrize("method", ["random", "stratified"])
def test_the_seed_alone_decides_the_split(method):
    first, again, other = (split(LABELS, method, 10, seed)[1] for seed in (3, 3, 4))
    assert list(first) == list(again) != list(other)


def test_a_split_that_leaves_nothing_to_train_on_is_refused():
    with pytest.raises(InputError, match="validation_size: expected fewer than the 30 .*found 30"):
        split(LABELS, "last", 30, seed=0)


def test_unit_divides_every_pixel_value_by_255():
    values = np.arange(256, dtype=np.uint8)
    scaled = normalization("unit", IMAGES).apply(values)
    assert scaled.dtype == np.float32
    np.testing.assert_array_equal(scaled, (values / 255).astype(np.float32))


def test_standardize_agrees_with_scikit_learn():
    transformation = normalization("standardize", IMAGES)
    oracle = StandardScaler().fit(IMAGES.reshape(-1, 1).astype(np.float64))
    assert transformation.shift == pytest.approx(oracle.mean_[0], rel=1e-12)
    assert transformation.scale == pytest.approx(oracle.scale_[0], rel=1e-12)
    scaled = transformation.apply(IMAGES)
    assert scaled.mean(dtype=np.float64) == pytest.approx(0, abs=1e-5)
    assert scaled.std(dtype=np.float64) == pytest.approx(1, abs=1e-5)


def test_applying_a_normalization_leaves_the_pixels_alone():
    before = IMAGES.copy()
    Normalization(10.0, 2.0).apply(IMAGES)
    np.testing.assert_array_equal(IMAGES, before)


def test_images_without_contrast_cannot_be_standardized():
    with pytest.raises(InputError, match="normalize: expected unit where all training pixels are"):
        normalization("standardize", np.full((2, 3, 3), 7, np.uint8))
