"""A wrong value that DVC sets stops before DVC deletes anything."""

from pathlib import Path

import pytest
from programs import commit, forking, git, run

from fmnist.stage import yaml_file


def contents(folder: Path) -> dict[str, bytes]:
    """Return what every file of results and data holds."""
    found = [
        path
        for below in ("data", "metrics", "models", "plots")
        for path in (folder / below).rglob("*")
    ]
    files = [*found, folder / "dvc.lock"]
    return {str(path): path.read_bytes() for path in files if path.is_file()}


@pytest.mark.parametrize(
    ("value", "error"),
    [
        ("train.recipe=vit", "train: expected recipe to be one of mlp, cnn, resnet, found 'vit'"),
        (
            "recipes.mlp.optimizer.learning_rate=-1",
            "recipes.mlp.optimizer.learning_rate: expected to be greater than 0, found -1",
        ),
    ],
)
def test_a_wrong_value_of_an_experiment_loses_nothing_and_says_how_to_undo_it(
    value, error, project
):
    commit(project)
    before = contents(project)
    result = run(project, "dvc", "exp", "run", "-S", value, **forking())
    printed = result.stdout + result.stderr
    assert result.returncode != 0
    assert f"error: params.yaml: {error}\n" in printed
    undo = "git restore params.yaml"
    assert f"error: to undo all changes to params.yaml: {undo}\n" in printed
    assert contents(project) == before
    assert git(project, "status", "--porcelain") == "M params.yaml"
    git(project, *undo.split()[1:])
    assert git(project, "status", "--porcelain") == ""


def test_a_wrong_value_in_the_file_stops_dvc_too(project):
    commit(project)
    path = project / "params.yaml"
    values = yaml_file.load(path)
    path.write_text(path.read_text().replace("dpi: 100", "dpi: 1"))
    assert yaml_file.load(path) != values
    before = contents(project)
    result = run(project, "dvc", "repro", **forking())
    assert result.returncode != 0
    assert "error: params.yaml: plot.dpi: expected" in result.stdout + result.stderr
    assert contents(project) == before
