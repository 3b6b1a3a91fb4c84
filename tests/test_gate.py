"""`make gate` refuses what is worse beyond noise, and what was committed without a rerun."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from conftest import commit, dvc, git, run, set_value

from versions import lock_file, seeds
from versions.seeds import Row


def set_gate(folder: Path, text: str) -> None:
    path = folder / "pyproject.toml"
    head, _, tail = path.read_text().partition("[tool.fmnist.gate]\n")
    _, section, rest = tail.partition("[tool.ruff]")
    path.write_text(f"{head}[tool.fmnist.gate]\n{text}\n{section}{rest}")


@pytest.fixture
def checked(project) -> Path:
    """The reproduced project on a branch `main`, without floors."""
    set_gate(project, "level = 0.05\nfloors = {}")
    git(project, "checkout", "--quiet", "-b", "main")
    commit(project)
    return project


def gate(folder: Path, *arguments: str) -> tuple[int, list[str]]:
    """Return the exit code and the lines that are said."""
    result = run(folder, "python", "-m", "commands.gate", *arguments)
    return result.returncode, (result.stdout + result.stderr).splitlines()


def test_what_was_reproduced_passes_without_data_and_without_seeds(checked, tmp_path):
    elsewhere = tmp_path / "elsewhere"
    git(tmp_path, "clone", "--quiet", str(checked), str(elsewhere))
    assert gate(elsewhere) == (
        0,
        ["This change: none: it cannot reach any figure"],
    )


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (
            lambda folder: set_value(folder, "train.seed", 7),
            "refused: train: params.yaml: train.seed: dvc.lock has 42, found 7; `make repro`",
        ),
        (
            lambda folder: (folder / "fmnist/plot/canvas.py").write_text("# other\n"),
            r"refused: plot: fmnist/plot/canvas.py: dvc.lock has \w{32}, found \w{32}; ",
        ),
        (
            lambda folder: (folder / "metrics/test.json").write_text('{"accuracy": 1.0}'),
            r"refused: evaluate: metrics/test.json: dvc.lock has \w{32}, found \w{32}; ",
        ),
    ],
    ids=["a parameter", "code", "a metric"],
)
def test_a_change_that_was_committed_without_a_rerun_is_refused(checked, change, reason):
    change(checked)
    commit(checked)
    status, said = gate(checked)
    assert status == 1
    assert any(re.match(reason, line) for line in said), said


@pytest.mark.parametrize(
    ("floor", "found"),
    [("accuracy = 0.999", r"0.\d+"), ("f2 = 0.1", "None")],
    ids=["low", "missing"],
)
def test_a_figure_below_its_floor_is_refused(checked, floor, found):
    key, _, value = floor.partition(" = ")
    set_gate(checked, f'level = 0.05\nfloors = {{ "metrics/test.json: {key}" = {value} }}')
    status, said = gate(checked)
    assert status == 1
    assert re.fullmatch(
        rf"refused: metrics/test.json: {key}: expected at least {value}, found {found}", said[-1]
    )


def edit(folder: Path, name: str, change: Callable[[dict], object]) -> None:
    """Change a YAML file."""
    values = yaml.safe_load((folder / name).read_text())
    change(values["stages"])
    (folder / name).write_text(yaml.safe_dump(values, sort_keys=False))


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (
            lambda folder: (folder / "plots/predictions.csv").unlink(),
            r"evaluate: plots/predictions.csv: dvc.lock has \w{32}, found no such file; ",
        ),
        (
            lambda folder: (folder / "fmnist/train/optimizer.py").unlink(),
            r"train: fmnist/train/optimizer.py: dvc.lock has \w{32}, found no such file; ",
        ),
        (
            lambda folder: edit(
                folder, "dvc.lock", lambda lock: lock["train"]["outs"][2].update(md5="ab" * 16)
            ),
            r"evaluate: models/model.keras as input: dvc.lock has \w{32}, found (ab){16}; ",
        ),
        (
            lambda folder: edit(
                folder, "dvc.yaml", lambda graph: graph["train"].update(frozen=True)
            ),
            "train: dvc.yaml: frozen: dvc.lock has false, found true; ",
        ),
        (
            lambda folder: edit(
                folder, "dvc.yaml", lambda graph: graph["train"]["deps"].remove("fmnist/head.py")
            ),
            "train: dvc.yaml: fmnist/head.py: dvc.lock has declared, found not declared; ",
        ),
        (
            lambda folder: edit(folder, "dvc.yaml", lambda graph: graph["train"]["params"].pop(1)),
            "train: dvc.yaml: recipes.mlp: dvc.lock has declared, found not declared; ",
        ),
        (
            lambda folder: edit(folder, "dvc.yaml", lambda graph: graph.pop("plot")),
            "plot: dvc.yaml: dvc.lock has the stage, found none; ",
        ),
    ],
    ids=["a result", "code", "a chain", "frozen", "a file", "a parameter", "a stage"],
)
def test_what_dvc_status_alone_does_not_see_is_refused(checked, change, reason, tmp_path):
    change(checked)
    commit(checked)
    elsewhere = tmp_path / "elsewhere"
    git(tmp_path, "clone", "--quiet", str(checked), str(elsewhere))  # without data
    status, said = gate(elsewhere, "--base", "HEAD")
    assert status == 1
    assert any(re.match(f"refused: {reason}", line) for line in said), said


def test_other_results_of_the_same_inputs_are_refused(checked):
    git(checked, "checkout", "--quiet", "-b", "change")
    path = checked / "metrics" / "test.json"
    before = lock_file.md5(path)
    path.write_text(path.read_text().replace('"accuracy": 0.', '"accuracy": 0.9', 1))
    lock = checked / "dvc.lock"
    lock.write_text(lock.read_text().replace(before, lock_file.md5(path)))
    commit(checked)
    status, said = gate(checked)
    assert status == 1
    assert said[0] == "This change: not known: evaluate: the same inputs, other results"
    assert said[1].startswith("refused: evaluate: its inputs are those of the base, its results")


def test_a_seed_that_has_another_accuracy_than_the_metrics_is_refused(checked):
    seeds.write([Row("mlp", 42, 0.99, 0.3, 0.9, 0.3, None, key_of(checked))], checked / seeds.PATH)
    status, said = gate(checked)
    assert status == 1
    assert said[-1].startswith("refused: metrics/seeds.csv: seed 42: expected the accuracy of ")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("level = 0.05", "error: pyproject.toml: tool.fmnist.gate.floors: missing key"),
        ("level = 2.0\nfloors = {}", "tool.fmnist.gate.level: expected to be less than 1, found 2"),
    ],
)
def test_a_wrong_setting_is_said(checked, text, message):
    set_gate(checked, text)
    status, said = gate(checked)
    assert status == 2
    assert message in said[-1]


def key_of(folder: Path) -> str:
    return seeds.key(lock_file.read(folder / "dvc.lock"))


def table(folder: Path, *accuracies: float) -> list[Row]:
    key = key_of(folder)
    return [
        Row("mlp", seed, accuracy, 0.3, 0.9, 0.3, None, key)
        for seed, accuracy in enumerate(accuracies)
    ]


def test_a_change_is_judged_by_the_spread_between_seeds_of_both_sides(checked):
    path = checked / "metrics" / "seeds.csv"
    seeds.write(table(checked, 0.880, 0.884, 0.882), path)
    commit(checked)
    git(checked, "checkout", "--quiet", "-b", "change")
    set_value(checked, "recipes.mlp.epochs", 2)
    dvc(checked, "repro")
    assert gate(checked)[1] == ["This change: not known: run `make seeds` (head without seeds)"]
    for accuracies, verdict, expected in (
        ((0.890, 0.894, 0.892), "better", 0),
        ((0.881, 0.885, 0.880), "not distinguishable from noise", 0),
        ((0.870, 0.874, 0.872), "worse", 1),
    ):
        seeds.write(table(checked, *accuracies), path)
        status, said = gate(checked)
        assert status == expected
        assert said[0].startswith(f"This change: {verdict}: accuracy ")
    assert said[1].startswith("refused: worse than the base beyond noise: accuracy -0.0100 (95 % ")


def test_a_base_that_is_not_there_is_said(checked):
    status, said = gate(checked, "--base", "nowhere")
    assert status == 2
    assert said[-1].startswith("error: git rev-parse --verify nowhere^{commit}: ")
