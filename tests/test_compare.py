"""`make compare` says what a change did, and whether it is real."""

import json
import re
import shutil
from pathlib import Path

import pandas as pd
import pytest
from conftest import commit, dvc, git, make_small, run, set_value

from fmnist.pipeline import lock_file
from fmnist.versions import seeds
from fmnist.versions.seeds import Row


@pytest.fixture(scope="session")
def branched(reproduced, tmp_path_factory) -> Path:
    """The reproduced project on `main`, and a branch `change` that learns faster."""
    folder = tmp_path_factory.mktemp("branched") / "project"
    shutil.copytree(reproduced, folder, symlinks=True)
    git(folder, "checkout", "--quiet", "-b", "main")
    commit(folder)
    git(folder, "checkout", "--quiet", "-b", "change")
    set_value(folder, "recipes.mlp.optimizer.learning_rate", 0.3)
    dvc(folder, "repro")
    commit(folder)
    return folder


@pytest.fixture
def checkout(branched, tmp_path) -> Path:
    """A copy of `branched` to work in."""
    return Path(shutil.copytree(branched, tmp_path / "checkout", symlinks=True))


def compare(folder: Path, *arguments: str) -> tuple[str, str]:
    """Compare, which must succeed; return what is said, and the report."""
    result = run(folder, "python", "-m", "commands.compare", *arguments)
    assert result.returncode == 0, result.stderr
    return result.stdout, (folder / "comparison" / "report.md").read_text()


def refusal(folder: Path, *arguments: str) -> str:
    result = run(folder, "python", "-m", "commands.compare", *arguments)
    assert result.returncode == 2
    return result.stderr


def section(report: str, title: str) -> list[list[str]]:
    """Return the cells of a section's table."""
    text = report.partition(f"## {title}\n")[2].partition("\n## ")[0]
    lines = [line for line in text.splitlines() if line.startswith("| ")]
    return [line.strip("| ").replace("`", "").split(" | ") for line in lines[2:]]


def test_a_change_is_told_with_its_causes_its_figures_and_its_pictures(checkout):
    said, report = compare(checkout, "--base", "main")
    assert section(report, "Parameters changed") == [
        ["recipes.mlp.optimizer.learning_rate", "0.01", "0.3"]
    ]
    causes = section(report, "Stages that are different, and why")
    assert causes[:2] == [
        ["train", "parameter: recipes.mlp.optimizer.learning_rate: 0.01 → 0.3"],
        ["evaluate", "data: models/model.keras"],
    ]
    assert {stage for stage, _ in causes} == {"train", "evaluate", "plot"}
    changed = [row[0] for row in section(report, "Artifacts changed")]
    assert "models/model.keras" in changed
    assert "data/prepared/test.npz" not in changed

    figures = {row[0]: row[1:] for row in section(report, "Metrics")}
    base = json.loads(run(checkout, "git", "show", "main:metrics/test.json").stdout)
    head = json.loads((checkout / "metrics" / "test.json").read_text())
    assert figures["test: loss"][:3] == [
        f"{base['loss']:.4f}",
        f"{head['loss']:.4f}",
        f"{head['loss'] - base['loss']:+.4f}",
    ]
    assert len(section(report, "Classes")) == 10
    assert {path.name for path in (checkout / "comparison").iterdir()} == {
        "report.md",
        "learning_curves.png",
        "confusion_change.png",
        "only_base_right.png",
        "only_head_right.png",
    }
    assert report.count("](only_head_right.png)") == 1
    assert "These two models: accuracy" in said
    assert "This change: not known: run `make seeds` (base and head without seeds)." in said
    assert said.endswith("More in comparison/report.md\n")


def test_models_are_counted_image_by_image(checkout):
    _, report = compare(checkout, "--base", "main")
    head = pd.read_csv(checkout / "plots" / "predictions.csv")
    git(checkout, "checkout", "--quiet", "main", "--", "plots/predictions.csv")
    base = pd.read_csv(checkout / "plots" / "predictions.csv")
    only_base, only_head = 0, 0
    for actual, before, after in zip(
        head["actual"], base["predicted"], head["predicted"], strict=True
    ):
        only_base += before == actual != after
        only_head += after == actual != before
    assert only_base + only_head > 0
    assert (
        f"Of the same {len(head)} test images {only_base} are right only in base,"
        f" {only_head} only in head" in report
    )


def test_a_clone_without_data_compares_with_where_it_left_main(branched, tmp_path):
    folder = tmp_path / "clone"
    git(tmp_path, "clone", "--quiet", str(branched), str(folder))  # on `change`, main at the origin
    said, report = compare(folder)
    assert "no gallery of images" in said
    assert "run `dvc pull` or `dvc repro`" in said
    assert "only_head_right" not in report
    assert section(report, "Parameters changed") == [
        ["recipes.mlp.optimizer.learning_rate", "0.01", "0.3"]
    ]
    status = run(folder, "git", "status", "--porcelain")
    assert status.stdout == ""


def test_tensorflow_is_not_loaded(checkout):
    result = run(checkout, "python", "-X", "importtime", "-m", "commands.compare", "--base", "main")
    loaded = set(re.findall(r"\| +([\w.]+)$", result.stderr, flags=re.MULTILINE))
    assert "pandas" in loaded
    assert not {"tensorflow", "keras"} & loaded


def test_no_change_is_called_none(checkout):
    said, report = compare(checkout, "--base", "HEAD")
    assert "This change: none: it cannot reach any figure." in said
    assert "McNemar's exact test: p 1)" in said
    assert section(report, "Artifacts changed") == []


def test_another_seed_is_called_chance(checkout):
    set_value(checkout, "train.seed", 43)
    dvc(checkout, "repro")
    said, _ = compare(checkout, "--base", "HEAD")
    assert "none: nothing but the seed differs, and what that changes is chance." in said
    assert "and changes not committed" in said


def test_a_change_is_judged_by_the_seeds_of_both_sides(checkout):
    for branch, mean in (("main", 0.88), ("change", 0.92)):
        git(checkout, "checkout", "--quiet", branch)
        key = seeds.key(lock_file.read(checkout / "dvc.lock"))
        rows = [Row("mlp", n, mean + n / 1000, 0.3, 0.9, 0.3, None, key) for n in range(3)]
        seeds.write(rows, checkout / seeds.PATH)
        commit(checkout)
    said, _ = compare(checkout, "--base", "main")
    assert "This change: better: accuracy +0.0400 (95 % interval +0.0377 to +0.0423;" in said
    assert "base 0.8810 ± 0.0010 (mean ± sd of 3 seeds), head 0.9210 ± 0.0010" in said


def test_a_parameter_changed_without_a_rerun_is_noted(checkout):
    set_value(checkout, "recipes.mlp.batch_size", 8)
    said, _ = compare(checkout, "--base", "main")
    assert "This change: not known: head is not what was run: `dvc repro`." in said
    assert "Note: train: `params.yaml: recipes.mlp.batch_size` is not what dvc.lock" in said


def test_a_version_that_lost_its_predictions_is_compared_by_what_is_left(checkout):
    (checkout / "plots" / "predictions.csv").unlink()
    (checkout / "plots" / "history.csv").unlink()
    said, report = compare(checkout, "--base", "main")
    assert "These two models: not known: plots/predictions.csv is missing" in said
    assert "no learning curves: plots/history.csv is missing" in said
    assert "## Metrics" in report
    assert "## Classes" not in report


def test_versions_with_other_test_images_are_not_compared_image_by_image(
    checkout, mirror, tmp_path
):
    other = Path(shutil.copytree(mirror, tmp_path / "mirror"))
    for kind, skip in (("images", 16), ("labels", 8)):  # the test images in another order
        path = other / f"t10k-{kind}-idx{3 if kind == 'images' else 1}-ubyte"
        content = path.read_bytes()
        size = (len(content) - skip) // 20
        path.write_bytes(content[:skip] + content[skip + size :] + content[skip : skip + size])
    make_small(checkout, other)
    dvc(checkout, "repro")
    said, report = compare(checkout, "--base", "main")
    assert "These two models: not known: base and head have other test images." in said
    assert "This change: not known: base and head have other test images." in said
    assert "data: data/raw/t10k-images-idx3-ubyte" in report


def test_a_revision_without_a_pipeline_is_refused_and_the_report_says_so(checkout):
    compare(checkout, "--base", "main")
    git(checkout, "rm", "--quiet", "--cached", "dvc.lock")
    git(checkout, "commit", "--quiet", "--message", "without")
    git(checkout, "reset", "--quiet", "--mixed", "HEAD")
    commit = run(checkout, "git", "rev-parse", "HEAD").stdout[:7]
    said = (
        f"HEAD ({commit}): expected a pipeline that was run, found no dvc.lock; compare with a"
        " revision that has one\n"
    )
    assert refusal(checkout, "--base", "HEAD") == f"error: {said}"
    (left,) = (checkout / "comparison").iterdir()
    assert left.read_text() == f"# Not compared\n\n{said}"


@pytest.mark.parametrize(
    ("path", "content", "reason"),
    [
        ("plots/predictions.csv", "actual,predicted\n", "plots/predictions.csv: expected rows of"),
        ("plots/predictions.csv", "actual,predicted\nBag,\n", "plots/predictions.csv: expected r"),
        ("plots/predictions.csv", 'a\n"', "plots/predictions.csv: expected a table: "),
        ("plots/history.csv", "epoch,loss\n1,0.5\n", "learning curves: plots/history.csv: exp"),
        ("metrics/seeds.csv", "recipe\nmlp\n", "warning: damaged ("),
    ],
)
def test_a_damaged_table_of_the_base_is_said_and_left_out(checkout, path, content, reason):
    git(checkout, "checkout", "--quiet", "-b", "damaged")
    before = lock_file.md5(checkout / path)
    (checkout / path).write_text(content)
    lock = checkout / "dvc.lock"
    if before is not None:
        lock.write_text(lock.read_text().replace(before, lock_file.md5(checkout / path)))
    commit(checkout)
    git(checkout, "checkout", "--quiet", "change")
    result = run(checkout, "python", "-m", "commands.compare", "--base", "damaged")
    assert result.returncode == 0, result.stderr
    assert reason in result.stdout + result.stderr
    assert "## Metrics" in (checkout / "comparison" / "report.md").read_text()


def test_a_metric_that_one_side_lacks_is_shown_as_none(checkout):
    (checkout / "metrics" / "test.json").unlink()
    _, report = compare(checkout, "--base", "main")
    row = next(row for row in section(report, "Metrics") if row[0] == "test: loss")
    assert row[2:4] == ["none", "none"]


def test_a_revision_that_is_not_there_is_refused(checkout):
    assert "error: git rev-parse --verify nowhere^{commit}: " in refusal(
        checkout, "--base", "nowhere"
    )
    git(checkout, "branch", "--quiet", "--move", "main", "trunk")
    assert refusal(checkout) == (
        "error: expected a branch main, here or at origin, found none; set BASE=<revision>\n"
    )
