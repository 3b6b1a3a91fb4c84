"""`make compare` reports what a change did, and whether it is more than noise."""

import hashlib
import json
import re
import shutil
from pathlib import Path

import pandas as pd
import pytest
from programs import call, commit, git, run
from projects import set_value
from revisions import ask, change_branch

from fmnist.pipeline import dvc_command, lock_file
from fmnist.plot import canvas
from fmnist.versions import seeds
from fmnist.versions.seeds import Row


@pytest.fixture
def checkout(made_once, reproduced, tmp_path, monkeypatch) -> Path:
    """The reproduced project on a branch `change`, to work in; DVC runs in this process."""
    monkeypatch.setattr(dvc_command, "ask", ask)
    monkeypatch.setattr(canvas, "save", lambda *_: None)  # takes most of the time
    branch = change_branch(made_once, reproduced)
    return Path(shutil.copytree(branch, tmp_path / "checkout", symlinks=True))


@pytest.fixture
def clone(checkout, tmp_path) -> Path:
    """A clone of `checkout`, without data; it has `main` at the origin alone."""
    git(tmp_path, "clone", "--quiet", str(checkout), str(tmp_path / "clone"))
    return tmp_path / "clone"


def compare(folder: Path, *arguments: str) -> tuple[str, str]:
    """Compare, which must succeed; return what is printed, and the report."""
    result = call(folder, "commands.compare", *arguments)
    assert result.returncode == 0, result.stderr
    assert result.stdout.startswith("Base: ")
    return result.stdout + result.stderr, (folder / "comparison" / "report.md").read_text()


def refusal(folder: Path, *arguments: str) -> str:
    result = call(folder, "commands.compare", *arguments)
    assert result.returncode == 2
    return result.stderr


def section(report: str, title: str) -> list[list[str]]:
    """Return the cells of a section's table."""
    text = report.partition(f"## {title}\n")[2].partition("\n## ")[0]
    lines = [line for line in text.splitlines() if line.startswith("| ")]
    return [line.strip("| ").replace("`", "").split(" | ") for line in lines[2:]]


def test_a_change_is_reported_with_causes_figures_and_plots_without_tensorflow(checkout):
    # In a process of its own: what a user runs.
    command = "python", "-X", "importtime", "-m", "commands.compare", "--base", "main"
    result = run(checkout, *command)
    loaded = set(re.findall(r"\| +([\w.]+)$", result.stderr, flags=re.MULTILINE))
    assert "pandas" in loaded
    assert not {"tensorflow", "keras"} & loaded

    report = (checkout / "comparison" / "report.md").read_text()
    assert section(report, "Parameters changed") == [
        ["recipes.mlp.optimizer.learning_rate", "0.01", "0.3"]
    ]
    causes = section(report, "Stages that differ, and why")
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
    assert section(report, "Classes")[-1][0] == "Ankle boot"
    assert {path.name for path in (checkout / "comparison").iterdir()} == {
        "report.md",
        "learning_curves.png",
        "confusion_change.png",
        "only_base_right.png",
        "only_head_right.png",
    }
    assert report.count("](only_head_right.png)") == 1
    assert "These two models: accuracy" in result.stdout
    expected = "This change: not known: run `make seeds` (base and head without seeds)."
    assert expected in result.stdout
    assert result.stdout.endswith("More in comparison/report.md\n")

    after = pd.read_csv(checkout / "plots" / "predictions.csv")
    git(checkout, "checkout", "--quiet", "main", "--", "plots/predictions.csv")
    before = pd.read_csv(checkout / "plots" / "predictions.csv")
    only_base, only_head = 0, 0
    for actual, base, head in zip(
        after["actual"], before["predicted"], after["predicted"], strict=True
    ):
        only_base += base == actual != head
        only_head += head == actual != base
    assert only_base + only_head > 0
    assert (
        f"Of the same {len(after)} test images base alone gets {only_base} right and head alone"
        f" {only_head}," in report
    )


def test_a_clone_without_data_compares_with_where_it_left_main(clone):
    printed, report = compare(clone)
    assert "no gallery of images" in printed
    assert "run `dvc pull` or `dvc repro`" in printed
    assert "only_head_right" not in report
    assert section(report, "Parameters changed") == [
        ["recipes.mlp.optimizer.learning_rate", "0.01", "0.3"]
    ]
    status = run(clone, "git", "status", "--porcelain")
    assert status.stdout == ""


def test_no_change_is_called_none_and_another_seed_chance(checkout):
    printed, report = compare(checkout, "--base", "HEAD")
    assert "This change: none: it cannot affect any metric." in printed
    assert "McNemar's exact test: p 1)" in printed
    assert section(report, "Artifacts changed") == []

    set_value(checkout, "train.seed", 43)
    lock = checkout / "dvc.lock"
    lock.write_text(lock.read_text().replace("seed: 42\n", "seed: 43\n"))
    printed, _ = compare(checkout, "--base", "HEAD")
    assert "none: only the seed differs, and its effect is chance." in printed
    assert "and uncommitted changes" in printed


def test_a_change_is_judged_by_the_seeds_of_both_sides(checkout):
    for branch, mean in (("main", 0.88), ("change", 0.92)):
        git(checkout, "checkout", "--quiet", branch)
        key = seeds.key(lock_file.read(checkout / "dvc.lock"))
        rows = [Row("mlp", n, mean + n / 1000, 0.3, 0.9, 0.3, None, key) for n in range(3)]
        seeds.write(rows, checkout / seeds.PATH)
        commit(checkout)
    printed, _ = compare(checkout, "--base", "main")
    assert "This change: better: accuracy +0.0400 (95 % interval +0.0377 to +0.0423;" in printed
    assert "base 0.8810 ± 0.0010 (mean ± sd of 3 seeds), head 0.9210 ± 0.0010" in printed


def test_a_parameter_changed_without_a_rerun_is_noted(checkout):
    set_value(checkout, "recipes.mlp.batch_size", 8)
    printed, _ = compare(checkout, "--base", "main")
    assert "This change: not known: head is not what was run: `dvc repro`." in printed
    assert "Note: train: `params.yaml: recipes.mlp.batch_size` is not what dvc.lock" in printed


def test_a_version_that_lost_its_results_is_compared_by_what_is_left(checkout):
    for name in ("plots/predictions.csv", "plots/history.csv", "metrics/test.json"):
        (checkout / name).unlink()
    printed, report = compare(checkout, "--base", "main")
    assert "These two models: not known: plots/predictions.csv is missing" in printed
    assert "no learning curves: plots/history.csv is missing" in printed
    assert "## Classes" not in report
    row = next(row for row in section(report, "Metrics") if row[0] == "test: loss")
    assert row[2:4] == ["none", "none"]


def test_versions_with_other_test_images_are_not_compared_image_by_image(clone, mirror):
    lock, parameters = clone / "dvc.lock", clone / "params.yaml"
    for name in ("t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"):
        content = (mirror / name).read_bytes()
        sha256, md5 = hashlib.sha256(content).hexdigest(), hashlib.md5(content).hexdigest()
        for path, recorded in ((lock, md5), (lock, sha256), (parameters, sha256)):
            assert recorded in path.read_text()
            path.write_text(path.read_text().replace(recorded, recorded[::-1]))
    printed, report = compare(clone)
    assert "These two models: not known: base and head have other test images." in printed
    assert "This change: not known: base and head have other test images." in printed
    assert "data: data/raw/t10k-images-idx3-ubyte" in report


def test_a_revision_without_a_pipeline_is_refused_and_the_report_says_so(checkout):
    compare(checkout, "--base", "main")
    git(checkout, "rm", "--quiet", "--cached", "dvc.lock")
    git(checkout, "commit", "--quiet", "--message", "without")
    git(checkout, "reset", "--quiet", "--mixed", "HEAD")
    commit = run(checkout, "git", "rev-parse", "HEAD").stdout[:7]
    message = (
        f"HEAD ({commit}): expected a pipeline that was run, found no dvc.lock; compare with a"
        " revision that has one\n"
    )
    assert refusal(checkout, "--base", "HEAD") == f"error: {message}"
    (left,) = (checkout / "comparison").iterdir()
    assert left.read_text() == f"# Not compared\n\n{message}"


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("actual,predicted\n", "plots/predictions.csv: expected rows of"),
        ("actual,predicted\nBag,\n", "plots/predictions.csv: expected rows of"),
        ('a\n"', "plots/predictions.csv: expected a table: "),
    ],
)
def test_damaged_tables_of_the_base_are_named_and_left_out(checkout, content, reason):
    git(checkout, "checkout", "--quiet", "-b", "damaged")
    lock = checkout / "dvc.lock"
    for name, text in (
        ("plots/predictions.csv", content),
        ("plots/history.csv", "epoch,loss\n1,0.5\n"),
        ("metrics/seeds.csv", "recipe\nmlp\n"),
    ):
        before = lock_file.md5(checkout / name)
        (checkout / name).write_text(text)
        if before is not None:
            lock.write_text(lock.read_text().replace(before, lock_file.md5(checkout / name)))
    commit(checkout)
    git(checkout, "checkout", "--quiet", "change")
    printed, report = compare(checkout, "--base", "damaged")
    assert reason in printed
    assert re.search(r"warning: damaged \(\w+\): metrics/seeds.csv: line 2: expected", printed)
    assert "learning curves: plots/history.csv: expected rows of" in printed
    assert "## Metrics" in report


def test_a_revision_that_does_not_exist_is_refused(checkout):
    assert "error: git rev-parse --verify nowhere^{commit}: " in refusal(
        checkout, "--base", "nowhere"
    )
    git(checkout, "branch", "--quiet", "--move", "main", "trunk")
    assert refusal(checkout) == (
        "error: expected a branch main or master, here or at a remote, found none;"
        " set BASE=<revision>\n"
    )
