"""The table of seeds."""

import math
from dataclasses import replace

import pytest
import yaml
from programs import call, commit, dvc
from projects import set_value
from revisions import main_branch

from fmnist.pipeline import lock_file
from fmnist.stage import yaml_file
from fmnist.stage.command import InputError
from fmnist.versions import seeds
from fmnist.versions.seeds import Row

ROWS = [
    Row("mlp", 42, 0.88, 0.33, 0.89, 0.31, 0.885, "0123456789abcdef"),
    Row("mlp", 7, 0.875, 0.34, 0.89, 0.3, 0.88, "0123456789abcdef"),
    Row("cnn", 42, 0.91, 0.25, 0.92, 0.24, None, "fedcba9876543210"),
]
HEADER = "recipe,seed,accuracy,loss,val_accuracy,val_loss,flip_accuracy,key\n"


def test_the_table_is_read_as_it_was_written_and_sorted(tmp_path):
    path = tmp_path / "seeds.csv"
    assert seeds.read(path) == []
    seeds.write(ROWS, path)
    assert seeds.read(path) == [ROWS[2], ROWS[1], ROWS[0]]
    assert path.read_text().startswith(HEADER)


def test_a_new_row_replaces_that_of_its_seed_and_those_of_other_keys():
    again = replace(ROWS[0], accuracy=0.9)
    assert seeds.added(ROWS, again) == [ROWS[1], ROWS[2], again]
    newer = replace(ROWS[0], key="f" * 16)
    assert seeds.added(ROWS, newer) == [ROWS[2], newer]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("recipe,seed\nmlp,1\n", "line 2: .* found: 'accuracy'"),
        (f"{HEADER}mlp,a,1,1,1,1,,k\n", "line 2: .* found: invalid literal for int.*'a'"),
        (f"{HEADER}mlp,1,nan,1,1,1,,k\n", "line 2: .* found: accuracies nan, 1.0"),
        (f"{HEADER}mlp,1,1,1,1,1,,k\nmlp,1,1,1,1,1,,k\n", "line 3: .* found: seed 1 twice"),
        (f"{HEADER}mlp,1,1,1,1,1,,k", "line 2: .* found: the last line cut"),
    ],
)
def test_a_damaged_table_is_refused(tmp_path, text, found):
    (tmp_path / "seeds.csv").write_text(text)
    with pytest.raises(InputError, match=f"seeds.csv: {found}"):
        seeds.read(tmp_path / "seeds.csv")


def test_a_spread_is_the_mean_and_the_sample_standard_deviation():
    found = seeds.spread([1.0, 2.0, 6.0])
    assert (found.count, found.mean) == (3, 3.0)
    assert found.deviation == pytest.approx(math.sqrt((4 + 1 + 9) / 2))
    assert str(seeds.spread([0.88, 0.89])) == "0.8850 ± 0.0071 (mean ± sd of 2 seeds)"
    assert str(seeds.spread([0.88])) == "0.8800 (one seed)"


def values(stages: dict, stage: str, section: str) -> dict:
    return stages[stage]["params"]["params.yaml"][section]


def dep(stages: dict, path: str) -> dict:
    return next(dep for dep in stages["train"]["deps"] if dep["path"] == path)


CHANGES = {
    "the seed": lambda stages: values(stages, "train", "train").update(seed=1),
    "a plot": lambda stages: values(stages, "plot", "plot").update(dpi=1),
    "the evaluation": lambda stages: values(stages, "evaluate", "evaluate").update(flip=False),
    "the recipe": lambda stages: values(stages, "train", "recipes.mlp").update(epochs=1),
    "code": lambda stages: dep(stages, "stages/train.py").update(md5="0" * 32),
    "a folder of code": lambda stages: dep(stages, "fmnist/train").update(md5=f"{'0' * 32}.dir"),
    "data": lambda stages: stages["preprocess"]["deps"][0].update(md5="0" * 32),
    "packages": lambda stages: stages["train"]["params"].pop("pyproject.toml"),
}


def test_the_key_is_of_all_that_decides_the_figures_but_the_seed(reproduced, tmp_path):
    path = tmp_path / "dvc.lock"
    before = seeds.key(lock_file.read(reproduced / "dvc.lock"))
    for change, apply in CHANGES.items():
        lock = yaml_file.load(reproduced / "dvc.lock")
        apply(lock["stages"])
        path.write_text(yaml.safe_dump(lock, sort_keys=False))
        same = seeds.key(lock_file.read(path)) == before
        assert same is (change in ("the seed", "a plot")), change


@pytest.mark.slow
def test_seeds_are_ordinary_runs_and_none_is_trained_twice_in_a_folder_of_any_name(project):
    project = project.rename(project.with_name('C# ü "x" it\'s'))
    commit(project)
    seeds.write([ROWS[2]], project / seeds.PATH)
    for arguments in (["--count", "1"], ["--count", "1", "--first", "43"]):
        result = call(project, "commands.seeds", *arguments)
        assert result.returncode == 0, result.stderr
    other, first, second = seeds.read(project / seeds.PATH)
    assert other == ROWS[2]
    assert [(row.recipe, row.seed) for row in (first, second)] == [("mlp", 42), ("mlp", 43)]
    assert first.key == second.key == seeds.key(lock_file.read(project / "dvc.lock"))
    assert f"mlp: accuracy {seeds.spread([first.accuracy, second.accuracy])}" in result.stdout
    for row in (first, second):  # as a user would run it, from what is in the cache by now
        set_value(project, "train.seed", row.seed)
        assert "Running stage" not in dvc(project, "repro", "evaluate")
        test = (project / "metrics" / "test.json").read_text()
        assert f'"accuracy": {row.accuracy},' in test


def test_invalid_arguments_fail_before_anything_runs(made_once, reproduced):
    project = main_branch(made_once, reproduced)
    for arguments, message in (
        (["--count", "0"], "error: --count: expected 1 or more, found 0"),
        (["--first", "-1"], "error: --first: expected 0 or more, found -1"),
        (["--recipe", "vgg"], "error: --recipe: expected one of mlp, cnn, resnet, found 'vgg'"),
    ):
        result = call(project, "commands.seeds", *arguments)
        assert result.returncode == 2
        assert message in result.stderr
