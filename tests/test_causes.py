"""Why stages differ, from what two dvc.lock record."""

from fmnist.pipeline.lock_file import File, Stage
from fmnist.versions.causes import Artifact, artifacts, causes

CODE, DATA = File(path="train.py", md5="a" * 32), File(path="train.npz", md5="b" * 32)
OTHER = "c" * 32
PREPARE = Stage(cmd="prepare", outs=[DATA])
TRAIN = Stage(
    cmd="train",
    deps=[CODE, DATA],
    params={
        "params.yaml": {"recipe": {"units": [300], "rate": 0.1}},
        "pyproject.toml": {"dependency-groups.train": ["keras==3.15.1", "h5py==3.14.0"]},
    },
)
BASE = {"prepare": PREPARE, "train": TRAIN}


def reasons(**changes: object) -> list[str]:
    """Return why training with such changes differs."""
    return causes(BASE, {"prepare": PREPARE, "train": TRAIN.model_copy(update=changes)})["train"]


def test_equal_versions_differ_in_nothing():
    assert causes(BASE, dict(BASE)) == {}
    assert artifacts(BASE, dict(BASE)) == []


def test_code_is_distinguished_from_data_that_a_stage_wrote():
    changed = [file.model_copy(update={"md5": OTHER}) for file in (CODE, DATA)]
    assert reasons(deps=changed) == ["code: train.py", "data: train.npz"]


def test_files_that_were_added_and_removed_are_named():
    assert reasons(deps=[DATA, File(path="loss.py", md5=OTHER)]) == [
        "code: train.py (removed)",
        "code: loss.py (new)",
    ]


def test_each_parameter_that_changed_is_named_with_its_values():
    values = TRAIN.params | {"params.yaml": {"recipe": {"units": [300, 100], "rate": 0.1}}}
    assert reasons(params=values) == ["parameter: recipe.units: [300] → [300, 100]"]
    values = TRAIN.params | {"params.yaml": {"other": {"rate": 0.1}}}
    assert reasons(params=values) == ["parameter: recipe (removed)", "parameter: other (new)"]


def test_a_package_is_named_with_its_versions():
    pins = {"dependency-groups.train": ["keras==3.16.0", "ml-dtypes==0.5"]}
    assert reasons(params=TRAIN.params | {"pyproject.toml": pins}) == [
        "package: keras: 3.15.1 → 3.16.0",
        "package: h5py: 3.14.0 → none",
        "package: ml-dtypes: none → 0.5",
    ]


def test_another_command_is_shown():
    assert reasons(cmd="train --fast") == ["command: train → train --fast"]


def test_stages_that_were_added_and_removed_are_named():
    assert causes(BASE, {"prepare": PREPARE, "plot": TRAIN}) == {
        "train": ["removed stage"],
        "plot": ["new stage"],
    }


def test_artifacts_are_those_whose_bytes_differ():
    head = {"prepare": Stage(cmd="prepare", outs=[File(path="test.npz", md5=OTHER)])}
    assert artifacts(BASE, head) == [
        Artifact("train.npz", "b" * 32, None),
        Artifact("test.npz", None, OTHER),
    ]
