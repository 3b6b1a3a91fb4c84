"""`make gate` refuses what is worse beyond noise, and what was committed without a rerun."""

import re
from pathlib import Path

import pytest
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


def test_a_figure_below_its_floor_is_refused(checked):
    set_gate(checked, 'level = 0.05\nfloors = { "metrics/test.json: accuracy" = 0.999 }')
    status, said = gate(checked)
    assert status == 1
    assert re.fullmatch(
        r"refused: metrics/test.json: accuracy: expected at least 0.999, found 0.\d+", said[-1]
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("level = 0.05", "error: pyproject.toml: tool.fmnist.gate.floors: missing key"),
        ("level = 2.0\nfloors = {}", "tool.fmnist.gate.level: expected to be less than 1, found 2"),
        (
            'level = 0.05\nfloors = { "metrics/test.json: f2" = 0.1 }',
            "tool.fmnist.gate.floors: metrics/test.json: f2: no such figure",
        ),
    ],
)
def test_a_wrong_setting_is_said(checked, text, message):
    set_gate(checked, text)
    status, said = gate(checked)
    assert status == 2
    assert message in said[-1]


def table(folder: Path, *accuracies: float) -> list[Row]:
    key = seeds.key(lock_file.read(folder / "dvc.lock"))
    return [
        Row("mlp", seed, accuracy, 0.3, 0.9, 0.3, key) for seed, accuracy in enumerate(accuracies)
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
