"""The documents are true: numbers, tables, links and commands."""

import hashlib
import json
import os
import re
import subprocess
import sys

import numpy as np
import pytest
from dvc.repo import Repo
from programs import run
from projects import GRAPH, REAL, ROOT, STAGES, make_targets

from fmnist.dataset.classes import CLASSES
from fmnist.evaluate.metrics import measure
from fmnist.pipeline import graph, lock_file
from fmnist.stage import dotted, yaml_file
from fmnist.versions import seeds

README = (ROOT / "README.md").read_text()
PAGES = [
    *("README.md", "CONTRIBUTING.md", "data/README.md"),
    *sorted(f"docs/{path.name}" for path in (ROOT / "docs").glob("*.md")),
]
OUTPUTS = {path for stage in GRAPH.values() for path in graph.outputs(stage)}


def test_the_table_of_stages_is_that_of_dvc_yaml():
    rows = re.findall(r"^\| (\w+) \| (.+) \| (.+) \|$", README, flags=re.MULTILINE)
    table = {name: (text, parameters) for name, text, parameters in rows if name in STAGES}
    assert tuple(table) == STAGES
    for name, (text, parameters) in table.items():
        assert text == GRAPH[name]["desc"]
        tracked = [key for key in GRAPH[name]["params"] if isinstance(key, str)]
        assert re.findall(r"`(.+?)`", parameters) == [
            key.replace("${train.recipe}", "<train.recipe>") for key in tracked
        ]


def test_the_drawn_graph_is_that_of_dvc():
    drawn = re.search(r"```mermaid\n(.+?)```", README, flags=re.DOTALL)[1]
    ours = set(re.findall(r"(\w+) --> (\w+)", drawn))
    command = [sys.executable, "-m", "dvc", "dag", "--mermaid"]  # no fork server in make check
    dag = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    names = dict(re.findall(r'(node\d+)\["(\w+)"\]', dag))
    assert ours == {(names[a], names[b]) for a, b in re.findall(r"(node\d+)-->(node\d+)", dag)}


def test_the_figures_are_those_of_the_committed_metrics():
    test = json.loads((ROOT / "metrics" / "test.json").read_text())
    train = json.loads((ROOT / "metrics" / "train.json").read_text())
    assert 0.875 <= test["accuracy"] <= 0.892  # around the published reference of the default
    said = " ".join(README.split())
    assert f"seed 42 has test accuracy {test['accuracy']:.4f} and validation" in said
    assert f"error of that test accuracy is {test['accuracy_standard_error']:.4f};" in said
    assert f"and validation accuracy {train['val_accuracy']:.4f}." in said


def test_the_spread_is_that_of_the_committed_seeds_of_the_committed_pipeline():
    key = seeds.key(lock_file.read(ROOT / "dvc.lock"))
    rows = [row for row in seeds.read(ROOT / seeds.PATH) if row.recipe == "mlp"]
    assert [row.seed for row in rows] == [42, 43, 44, 45, 46]
    assert {row.key for row in rows} == {key}, "stale: `make seeds`"
    assert "of the best of the five seeds: seed 42 has" in " ".join(README.split())
    assert max(rows, key=lambda row: row.accuracy).seed == 42
    test, validation = (
        seeds.spread([getattr(row, name) for row in rows]) for name in ("accuracy", "val_accuracy")
    )
    assert 0.880 <= test.mean <= 0.889  # around the published reference
    said = " ".join(README.replace("**", "").split())
    assert f"Test accuracy {test}".removesuffix(")") in said
    assert f"validation accuracy {validation.mean:.4f} ± {validation.deviation:.4f}" in said


def test_the_reproduced_network_loads_and_predicts_as_shown(reproduced):
    page = (ROOT / "data" / "README.md").read_text()
    shown = re.search(r"```python\n(.+?)```", page, flags=re.DOTALL)[1]
    program = f"""
from pathlib import Path
import numpy
from fmnist.preprocess import idx
images = idx.read_images(Path("data/raw/t10k-images-idx3-ubyte"))
{shown}
expected = numpy.load("data/predictions.npz")["probabilities"]
numpy.testing.assert_allclose(probabilities, expected, atol=1e-5)
"""
    result = run(reproduced, "python", "-c", program)
    assert result.returncode == 0, result.stderr


def test_every_metric_is_defined():
    page = (ROOT / "docs" / "metrics.md").read_text()
    table = page.partition("| metric |")[2].partition("\n\n")[0]
    first_cells = re.findall(r"^\| (.+?) \|", table, flags=re.MULTILINE)
    defined = set(re.findall(r"`(.+?)`", " ".join(first_cells)))
    figures = measure(np.eye(10, dtype=np.float32), np.arange(10, dtype=np.uint8))
    measured = {
        ".".join("<name>" if part in CLASSES else part for part in key.split("."))
        for key in dotted.leaves(figures)
    } | {"flip.…"}
    faults = [f"add a row for `{key}`" for key in sorted(measured - defined)]
    faults += [f"remove `{key}`, which is not measured" for key in sorted(defined - measured)]
    assert not faults, "\n".join(f"docs/metrics.md: {fault}" for fault in faults)


@pytest.mark.parametrize("page", PAGES)
def test_every_linked_file_and_section_exists(page):
    path = ROOT / page
    for link, section in re.findall(r"\]\((?!http)([^)#]*)#?([^)]*)\)", path.read_text()):
        linked = path.parent / link if link else path
        output = os.path.relpath(linked, ROOT)
        advice = "run `make repro`, which makes it" if output in OUTPUTS else "correct the link"
        assert linked.exists(), f"{page} links to {output}, which does not exist: {advice}"
        if section:
            headings = re.findall(r"^#+ (.+)$", linked.read_text(), flags=re.MULTILINE)
            anchors = [re.sub(r"[^\w -]", "", heading.lower()) for heading in headings]
            assert section in [anchor.replace(" ", "-") for anchor in anchors], section


def test_the_index_names_every_page():
    index = (ROOT / "docs" / "README.md").read_text()
    for path in (ROOT / "docs").glob("*.md"):
        assert path.name == "README.md" or f"({path.name})" in index, path.name


@pytest.mark.parametrize("page", PAGES)
def test_every_make_target_exists(page):
    text = (ROOT / page).read_text()
    shown = re.findall(r"(?:^|`|\" )make ([a-z-]+)", text, flags=re.MULTILINE)
    assert set(shown) <= make_targets()
    if page in ("README.md", "CONTRIBUTING.md", "docs/pull-requests.md"):
        assert "test" in shown


def test_the_committed_lock_file_is_that_of_the_committed_code():
    listed = subprocess.run(
        ["git", "ls-files", "--error-unmatch", "dvc.lock"], cwd=ROOT, capture_output=True
    )
    assert listed.returncode == 0
    lock = yaml_file.load(ROOT / "dvc.lock")["stages"]
    for stage in STAGES:
        assert {dep["path"] for dep in lock[stage]["deps"]} == set(GRAPH[stage]["deps"]), stage
        for key, recorded in lock[stage]["params"]["params.yaml"].items():
            assert recorded == dotted.get(REAL, key), f"{key} changed after {stage}: `make repro`"
        for out in lock[stage]["outs"]:
            if out["path"].startswith(("metrics/", "plots/")):
                found = hashlib.md5((ROOT / out["path"]).read_bytes()).hexdigest()
                assert found == out["md5"], f"{out['path']} is not what {stage} wrote"
    with Repo(ROOT) as repo:
        code = [
            (dep, stage.name)
            for stage in repo.index.stages
            for dep in stage.deps
            if dep.def_path.startswith(("fmnist/", "stages/"))
        ]
        assert len(code) > 2 * len(STAGES)
        for dep, stage in code:
            assert dep.status() == {}, f"{dep.def_path} changed after {stage}: `make repro`"
