"""`make gate` refuses what is worse beyond noise, and what was committed without a rerun."""

import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from programs import call, commit, git
from projects import set_value
from revisions import ask, change_branch, main_branch, set_gate

from fmnist.pipeline import dvc_command, lock_file
from fmnist.stage import yaml_file
from fmnist.versions import seeds
from fmnist.versions.seeds import Row


@pytest.fixture(autouse=True)
def _dvc_in_this_process(monkeypatch):
    monkeypatch.setattr(dvc_command, "ask", ask)


@pytest.fixture
def checked(made_once, reproduced, tmp_path) -> Path:
    """The reproduced project on a branch `main`, without floors, to work in."""
    main = main_branch(made_once, reproduced)
    return Path(shutil.copytree(main, tmp_path / "checked", symlinks=True))


def gate(folder: Path, *arguments: str) -> tuple[int, list[str]]:
    """Return the exit code and the lines that are printed after the one with the base."""
    result = call(folder, "commands.gate", *arguments)
    first, *lines = (result.stdout + result.stderr).splitlines()
    assert first.startswith("Base: ")
    return result.returncode, lines


def test_what_was_reproduced_passes_without_data_and_without_seeds(checked, tmp_path):
    elsewhere = tmp_path / "elsewhere"
    git(tmp_path, "clone", "--quiet", str(checked), str(elsewhere))
    assert gate(elsewhere) == (
        0,
        ["This change: none: it cannot affect any metric", "passed"],
    )


def test_changes_that_were_committed_without_a_rerun_are_refused(checked):
    set_value(checked, "train.seed", 7)
    (checked / "fmnist/plot/canvas.py").write_text("# other\n")
    (checked / "metrics/test.json").write_text('{"accuracy": 1.0}')
    (checked / "plots/new.png").touch()
    commit(checked)
    status, printed = gate(checked)
    assert status == 1
    for reason in (
        "refused: train: params.yaml: train.seed: dvc.lock has 42, found 7; run `make repro` and",
        r"refused: plot: fmnist/plot: dvc.lock has \w{32}.dir, found other content; run `make",
        r"refused: evaluate: metrics/test.json: dvc.lock has \w{32}, found \w{32}; run `make",
        "refused: plots/new.png: no stage declares it: add it to the plots of its stage",
    ):
        assert any(re.match(reason, line) for line in printed), (reason, printed)


def test_a_figure_below_its_floor_is_refused(checked):
    set_gate(
        checked,
        'floors = { "metrics/test.json: accuracy" = 0.999, "metrics/test.json: f2" = 0.1 }',
    )
    status, printed = gate(checked)
    assert status == 1
    for line, floor, found in zip(
        printed[-2:],
        ("accuracy: expected at least 0.999", "f2: expected at least 0.1"),
        (r"0.\d+", "None"),
        strict=True,
    ):
        assert re.fullmatch(rf"refused: metrics/test.json: {floor}, found {found}", line)


def edit(folder: Path, name: str, change: Callable[[dict], object]) -> None:
    """Change a YAML file."""
    values = yaml_file.load(folder / name)
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
            lambda folder: (folder / "stages/train.py").unlink(),
            r"train: stages/train.py: dvc.lock has \w{32}, found no such file; ",
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
                folder, "dvc.yaml", lambda graph: graph["train"]["deps"].remove("fmnist/network")
            ),
            "train: dvc.yaml: fmnist/network: dvc.lock has declared, found not declared; ",
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
    ids=["a result", "code", "a chain", "frozen", "a folder", "a parameter", "a stage"],
)
def test_what_dvc_status_alone_does_not_see_is_refused(checked, change, reason, tmp_path):
    change(checked)
    commit(checked)
    elsewhere = tmp_path / "elsewhere"
    git(tmp_path, "clone", "--quiet", str(checked), str(elsewhere))  # without data
    status, printed = gate(elsewhere, "--base", "HEAD")
    assert status == 1
    assert any(re.match(f"refused: {reason}", line) for line in printed), printed


def test_other_results_of_the_same_inputs_are_refused(checked):
    git(checked, "checkout", "--quiet", "-b", "change")
    path = checked / "metrics" / "test.json"
    before = lock_file.md5(path)
    path.write_text(path.read_text().replace('"accuracy": 0.', '"accuracy": 0.9', 1))
    lock = checked / "dvc.lock"
    lock.write_text(lock.read_text().replace(before, lock_file.md5(path)))
    commit(checked)
    status, printed = gate(checked)
    assert status == 1
    assert printed[0] == "This change: not known: evaluate: the same inputs, other results"
    assert printed[1].startswith("refused: evaluate: its inputs are those of the base, its results")


def test_a_seed_that_has_another_accuracy_than_the_metrics_is_refused(checked):
    seeds.write([Row("mlp", 42, 0.99, 0.3, 0.9, 0.3, None, key_of(checked))], checked / seeds.PATH)
    status, printed = gate(checked)
    assert status == 1
    assert printed[-1].startswith("refused: metrics/seeds.csv: seed 42: expected the accuracy of ")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "error: pyproject.toml: tool.fmnist.gate.floors: missing key"),
        ("floors = {}\nlevel = 0.05", "error: pyproject.toml: tool.fmnist.gate.level: unknown key"),
        ('floors = {"a.json: b" = 1.0}', "expected to match pattern '^metrics/"),
    ],
)
def test_an_invalid_setting_fails_with_one_line(checked, text, message):
    set_gate(checked, text)
    status, printed = gate(checked)
    assert status == 2
    assert message in printed[-1]


def key_of(folder: Path) -> str:
    return seeds.key(lock_file.read(folder / "dvc.lock"))


def table(folder: Path, *accuracies: float) -> list[Row]:
    key = key_of(folder)
    return [
        Row("mlp", seed, accuracy, 0.3, 0.9, 0.3, None, key)
        for seed, accuracy in enumerate(accuracies)
    ]


def test_a_change_is_judged_by_the_spread_between_seeds_of_both_sides(
    made_once, reproduced, tmp_path
):
    change = change_branch(made_once, reproduced)
    folder = Path(shutil.copytree(change, tmp_path / "project", symlinks=True))
    path = folder / seeds.PATH
    git(folder, "checkout", "--quiet", "main")
    seeds.write(table(folder, 0.880, 0.884, 0.882), path)
    commit(folder)
    git(folder, "checkout", "--quiet", "change")
    expected = [
        "This change: not known: run `make seeds` (head without seeds)",
        "passed, effect unknown: run `make seeds` (head without seeds)",
    ]
    assert gate(folder, "--base", "main") == (0, expected)
    for accuracies, verdict, expected in (
        ((0.890, 0.894, 0.892), "better", 0),
        ((0.881, 0.885, 0.880), "not distinguishable from noise", 0),
        ((0.870, 0.874, 0.872), "worse", 1),
    ):
        seeds.write(table(folder, *accuracies), path)
        status, printed = gate(folder, "--base", "main")
        assert status == expected
        assert printed[0].startswith(f"This change: {verdict}: accuracy ")
    assert printed[1].startswith("refused: worse than the base beyond noise: accuracy -0.0100 (95 ")


def test_a_base_that_does_not_exist_fails_with_git_s_reason(checked):
    status, printed = gate(checked, "--base", "nowhere")
    assert status == 2
    assert printed[-1].startswith("error: git rev-parse --verify nowhere^{commit}: ")
