"""README and the other documents say what is the case."""

import hashlib
import json
import re
import subprocess

import pytest
import yaml
from conftest import GRAPH, ROOT, STAGES, dvc, make_targets, run

from versions import lock_file, seeds

README = (ROOT / "README.md").read_text()


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


def test_the_drawn_graph_is_that_of_dvc(reproduced):
    drawn = re.search(r"```mermaid\n(.+?)```", README, flags=re.DOTALL)[1]
    ours = set(re.findall(r"(\w+) --> (\w+)", drawn))
    dag = dvc(reproduced, "dag", "--mermaid")
    names = dict(re.findall(r'(node\d+)\["(\w+)"\]', dag))
    assert ours == {(names[a], names[b]) for a, b in re.findall(r"(node\d+)-->(node\d+)", dag)}


def test_the_figures_are_those_of_the_committed_metrics():
    test = json.loads((ROOT / "metrics" / "test.json").read_text())
    train = json.loads((ROOT / "metrics" / "train.json").read_text())
    assert 0.875 <= test["accuracy"] <= 0.892  # around the published reference of the default
    said = " ".join(README.split())
    assert f"seed, 42, has {test['accuracy']:.4f}, with a standard error of" in said
    assert f"standard error of {test['accuracy_standard_error']:.4f} from" in said
    assert f"test images, and validation accuracy {train['val_accuracy']:.4f}." in said


def test_the_spread_is_that_of_the_committed_seeds_of_the_committed_pipeline():
    key = seeds.key(lock_file.read(ROOT / "dvc.lock"))
    rows = [row for row in seeds.read(ROOT / seeds.PATH) if row.recipe == "mlp"]
    assert [row.seed for row in rows] == [42, 43, 44, 45, 46]
    assert {row.key for row in rows} == {key}, "stale: `make seeds`"
    test, validation = (
        seeds.spread([getattr(row, name) for row in rows]) for name in ("accuracy", "val_accuracy")
    )
    assert 0.880 <= test.mean <= 0.889  # around the published reference
    said = " ".join(README.replace("**", "").split())
    assert f"Test accuracy {test}".removesuffix(")") in said
    assert f"validation accuracy {validation.mean:.4f} ± {validation.deviation:.4f}" in said


def test_the_network_is_loaded_and_predicts_as_readme_shows(reproduced):
    shown = re.search(r"```python\n(.+?)```", README, flags=re.DOTALL)[1]
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
    test = json.loads((ROOT / "metrics" / "test.json").read_text())
    for name in test:
        assert f"`{name}" in README, name


@pytest.mark.parametrize(
    "document",
    [
        *("README.md", "CONTRIBUTING.md", "data/README.md"),
        *("docs/pull-requests.md", "docs/benchmarks.md", "docs/recipes.md"),
    ],
)
def test_every_linked_file_exists(document):
    path = ROOT / document
    links = re.findall(r"\]\((?!http)([^)#]+)\)", path.read_text())
    for link in links:
        assert (path.parent / link).exists(), link


@pytest.mark.parametrize("document", ["README.md", "CONTRIBUTING.md", "docs/pull-requests.md"])
def test_every_make_target_exists(document):
    shown = re.findall(
        r"(?:^|`|\" )make ([a-z-]+)", (ROOT / document).read_text(), flags=re.MULTILINE
    )
    assert {"test"} <= set(shown) <= make_targets()


def test_the_committed_lock_file_is_that_of_the_committed_code():
    listed = subprocess.run(
        ["git", "ls-files", "--error-unmatch", "dvc.lock"], cwd=ROOT, capture_output=True
    )
    assert listed.returncode == 0
    lock = yaml.safe_load((ROOT / "dvc.lock").read_text())["stages"]
    values = yaml.safe_load((ROOT / "params.yaml").read_text())
    for stage in STAGES:
        assert {dep["path"] for dep in lock[stage]["deps"]} == set(GRAPH[stage]["deps"]), stage
        for key, recorded in lock[stage]["params"]["params.yaml"].items():
            value = values
            for part in key.split("."):
                value = value[part]
            assert recorded == value, f"{key} changed after {stage}: `make repro`"
        for dep in lock[stage]["deps"]:
            if dep["path"].endswith(".py"):
                found = hashlib.md5((ROOT / dep["path"]).read_bytes()).hexdigest()
                assert found == dep["md5"], f"{dep['path']} changed after {stage}: `make repro`"
        for out in lock[stage]["outs"]:
            if out["path"].startswith(("metrics/", "plots/")):
                found = hashlib.md5((ROOT / out["path"]).read_bytes()).hexdigest()
                assert found == out["md5"], f"{out['path']} is not what {stage} wrote"
