"""Smaller and larger raw files hold the items that they should."""

import sys

import numpy as np
import pytest

from commands import emulate
from fmnist.stage.command import InputError
from fmnist.preprocess import idx as idx_files
from benchmarks import raw_files


def test_a_repeated_file_holds_the_items_as_often_and_in_order(tmp_path, mirror):
    source = mirror / "t10k-images-idx3-ubyte"
    assert raw_files.repeat(source, tmp_path / "more", 3) == 60
    once = idx_files.read_images(source)
    np.testing.assert_array_equal(idx_files.read_images(tmp_path / "more"), [*once, *once, *once])


@pytest.mark.parametrize(("count", "kept"), [(7, 7), (20, 20), (99, 20)])
def test_a_shorter_file_holds_the_first_items_or_all(tmp_path, mirror, count, kept):
    source = mirror / "t10k-images-idx3-ubyte"
    raw_files.first(source, tmp_path / "less", count)
    images = idx_files.read_images(source)
    np.testing.assert_array_equal(idx_files.read_images(tmp_path / "less"), images[:kept])


def test_emulate_without_raw_files_says_how_to_get_them(measured_project, monkeypatch):
    (measured_project / raw_files.RAW / "t10k-labels-idx1-ubyte").unlink()
    monkeypatch.setattr(sys, "argv", ["emulate"])
    with pytest.raises(InputError, match="t10k-labels-idx1-ubyte: no such file; `dvc repro fetch`"):
        emulate.main()
