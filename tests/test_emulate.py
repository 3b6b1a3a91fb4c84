"""`make emulate`: its options, and its comparisons of this machine with others."""

import re
import sys
from pathlib import Path

import numpy as np
import pytest
from programs import commit, run
from projects import ROOT

from commands import emulate
from fmnist.preprocess import idx
from fmnist.stage.command import InputError


@pytest.mark.parametrize(("count", "kept"), [(14, (14, 7)), (40, (40, 20)), (99, (60, 20))])
def test_raw_files_hold_the_first_items_or_all(measured_project, tmp_path, count, kept):
    emulate.write_first(count, tmp_path)
    for part, items in zip(("train", "t10k"), kept, strict=True):
        (images, labels), (first, first_labels) = (
            _read(folder, part) for folder in (emulate.RAW, tmp_path)
        )
        np.testing.assert_array_equal(first, images[:items])
        np.testing.assert_array_equal(first_labels, labels[:items])


def _read(folder: Path, part: str) -> tuple[np.ndarray, np.ndarray]:
    images = idx.read_images(folder / f"{part}-images-idx3-ubyte")
    return images, idx.read_labels(folder / f"{part}-labels-idx1-ubyte", images)


def test_without_raw_files_it_fails_with_how_to_get_them(measured_project, monkeypatch):
    (emulate.RAW / "t10k-labels-idx1-ubyte").unlink()
    monkeypatch.setattr(sys, "argv", ["emulate"])
    with pytest.raises(InputError, match="t10k-labels-idx1-ubyte: no such file; `dvc repro fetch`"):
        emulate.main()


def test_an_unknown_machine_is_refused(measured_project, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["emulate", "--machine", "a toaster"])
    with pytest.raises(InputError, match="--machine: expected one of one core, another user, emu"):
        emulate.main()


@pytest.mark.slow
def test_other_machines_write_the_same_bytes(project):
    commit(project)
    # One recipe, with convolutions and matrix products, because an emulated process takes minutes.
    result = run(project, "python", "-m", "commands.emulate", "--recipe", "cnn", "--images", "500")
    assert result.returncode == 0, result.stdout + result.stderr
    left_out = re.findall("^left out: (.+?): (.+)$", result.stdout, flags=re.MULTILINE)
    for machine in {"one core", "another user", "emulated Haswell"} - set(dict(left_out)):
        assert f"cnn on {machine}: 23 artifacts identical\n" in result.stdout
    if left_out:
        pytest.skip(f"the others wrote the same, but {left_out} are left out")


@pytest.mark.slow
@pytest.mark.parametrize(("recipe", "images"), [("mlp", 300), ("cnn", 60)])
def test_an_arm_processor_writes_the_same_bytes(project, recipe, images):
    if reason := emulate.impossible(emulate.arm_python("cortex-a76")):
        pytest.skip(reason)
    (project / ".arm").symlink_to(ROOT / ".arm")
    commit(project)
    machine = "emulated Cortex-A76"
    command = ("python", "-m", "commands.emulate", "--recipe", recipe, "--machine", machine)
    result = run(project, *command, "--images", str(images))
    assert result.returncode == 0, result.stdout + result.stderr
    assert f"{recipe} on {machine}: 23 artifacts identical\n" in result.stdout
