"""Files of arrays."""

import hashlib
import pickle
import re
from pathlib import Path

import numpy as np
import pytest
from tiny_data import Sprung

from fmnist.dataset import arrays
from fmnist.stage.command import InputError

GOLDEN = "e31519609d7d087fcda83668f78359b1f7e70c0d5db6beb4e99717e378810c48"


def test_the_bytes_of_an_npz_file_are_the_known_ones(tmp_path):
    arrays.save(tmp_path / "z.npz", a=np.arange(6, dtype=np.float32).reshape(2, 3))
    assert hashlib.sha256((tmp_path / "z.npz").read_bytes()).hexdigest() == GOLDEN


def test_arrays_come_back_as_they_were_saved(tmp_path):
    images = np.random.default_rng(0).random((5, 4, 3), dtype=np.float32)
    labels = np.arange(5, dtype=np.uint8)
    arrays.save(tmp_path / "z.npz", images=images[:, ::-1], labels=labels)
    with np.load(tmp_path / "z.npz", allow_pickle=False) as loaded:
        np.testing.assert_array_equal(loaded["images"], images[:, ::-1])
        np.testing.assert_array_equal(loaded["labels"], labels)


@pytest.mark.parametrize(
    ("saved", "message"),
    [
        ({"a": np.zeros((3, 2))}, "a: expected float32 [3, 2], found float64 [3, 2]"),
        ({"a": np.zeros(3, np.float32)}, "a: expected float32 ['N', 2], found float32 [3]"),
        ({"a": np.zeros((3, 1), np.float32)}, "a: expected float32 [3, 2], found float32 [3, 1]"),
        ({"b": np.zeros((3, 2), np.float32)}, "holding a, b, found: 'a is not a file"),
        (
            {"a": np.zeros((3, 2), np.float32), "b": np.zeros(4, np.uint8)},
            "b: expected uint8 [3], found uint8 [4]",
        ),
    ],
)
def test_arrays_of_another_name_type_or_shape_are_refused(tmp_path, saved, message):
    path = tmp_path / "z.npz"
    arrays.save(path, **{"b": np.zeros(3, np.uint8)} | saved)
    if "b" in saved and "a" not in saved:
        arrays.save(path, **saved)
    with pytest.raises(InputError, match=re.escape(f"{path}: ") + ".*" + re.escape(message)):
        arrays.load(path, a=("float32", ("N", 2)), b=("uint8", ("N",)))


def test_objects_in_an_npz_file_are_refused_and_not_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    np.savez("z.npz", images=np.array([Sprung()], dtype=object))
    with pytest.raises(InputError, match="z.npz: expected an .npz file without pickles"):
        arrays.load(Path("z.npz"), images=("float32", ("N",)))
    assert not Path("sprung").exists()
    Path("z.npz").write_bytes(pickle.dumps(Sprung()))
    with pytest.raises(InputError, match="z.npz: expected an .npz file without pickles"):
        arrays.load(Path("z.npz"), images=("float32", ("N",)))
    assert not Path("sprung").exists()


def test_a_truncated_or_missing_file_is_refused(tmp_path):
    path = tmp_path / "z.npz"
    arrays.save(path, a=np.zeros(1000, np.float32))
    path.write_bytes(path.read_bytes()[:2000])
    with pytest.raises(InputError, match="z.npz: expected an .npz file"):
        arrays.load(path, a=("float32", ("N",)))
    path.unlink()
    with pytest.raises(InputError, match="z.npz: no such file; `dvc repro` makes it"):
        arrays.load(path, a=("float32", ("N",)))
