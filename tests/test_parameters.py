"""params.yaml: what is accepted, and the messages for everything else."""

import re
import sys

import pytest
from programs import run
from projects import REAL, ROOT, schema_fields, set_value

from fmnist.fetch import Fetch
from fmnist.stage import parameters, yaml_file
from fmnist.stage.command import InputError
from fmnist.train.recipe import Recipe


@pytest.mark.parametrize("written", ["1e-3", "1E-3", "1.0e-3", "0.001", "1.e-3", "+1e-3"])
def test_a_number_may_be_written_in_any_way(folder, written):
    (folder / "params.yaml").write_text(
        (ROOT / "params.yaml")
        .read_text()
        .replace("learning_rate: 0.01", f"learning_rate: {written}")
    )
    assert parameters.read("recipes.mlp", Recipe).optimizer.learning_rate == 0.001


def test_text_that_only_resembles_a_number_stays_text(folder):
    (folder / "params.yaml").write_text("a: [1e3x, e3, 1-3, '1e-3']")
    assert yaml_file.load(parameters.PATH)["a"] == ["1e3x", "e3", "1-3", "1e-3"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"a: [", "params.yaml: expected YAML: "),
        (b"- a", "params.yaml: expected a mapping of sections, found ['a']"),
        (b"", "params.yaml: expected a mapping of sections, found None"),
        (b"train: {}", "params.yaml: fetch: missing key; found beside it: train"),
        (b"\xff\xfe\x00", "params.yaml: expected YAML: "),
    ],
)
def test_a_file_without_parameters_is_refused(folder, content, message):
    (folder / "params.yaml").write_bytes(content)
    with pytest.raises(InputError, match=re.escape(message)):
        parameters.read("fetch", Fetch)


def test_a_missing_file_is_reported_with_what_to_do(folder):
    with pytest.raises(
        InputError, match="params.yaml: no such file; run this in the project's top"
    ):
        yaml_file.load(parameters.PATH)


def test_make_repro_runs_no_stage_when_a_section_of_no_stage_is_invalid(project):
    set_value(project, "recipes.cnn.epochs", "many")
    before = (project / "dvc.lock").read_bytes()
    (project / ".venv").symlink_to(sys.prefix)
    result = run(project, "make", "--old-file=install", "repro")
    assert result.returncode == 2
    assert "error: params.yaml: recipes.cnn.epochs: expected to be a valid integer" in result.stderr
    assert "dvc repro" not in result.stdout
    assert (project / "dvc.lock").read_bytes() == before


def test_every_value_is_described_in_a_comment():
    text = (ROOT / "params.yaml").read_text()
    above_recipes = re.search(r"((?:^#.*\n)+)recipes:", text, flags=re.MULTILINE)[1]
    faults = []
    for key in sorted({key for key, _ in schema_fields(Recipe)}):
        name = key.rpartition(".")[2]
        # The name of an optimizer or schedule is described by what it allows.
        if name != "name" and not re.search(rf"\b{name}\b", above_recipes):
            faults.append(f"recipes: {key}: describe it in the comment above recipes")
    for section in REAL.keys() - {"recipes"}:
        lines = re.search(rf"^{section}:\n((?: .*\n)+)", text, flags=re.MULTILINE)[1]
        for name in REAL[section]:
            described = rf"^  {name}:.* # |^  # .*\n  {name}:"
            if not re.search(described, lines, flags=re.MULTILINE):
                faults.append(f"{section}.{name}: describe it in a comment behind or above it")
    assert not faults, "\n".join(f"params.yaml: {fault}" for fault in faults)
