"""The table of recipes is that of params.yaml and of the seeds that were run."""

import re

import pytest
from projects import REAL, ROOT
from tiny_data import recipe

from commands import recipes
from fmnist.pipeline import lock_file
from fmnist.pipeline.recipe_size import size
from fmnist.train.recipe import Recipe
from fmnist.versions import seeds

README, PAGE = (ROOT / "README.md").read_text(), (ROOT / "docs" / "recipes.md").read_text()


def test_the_size_of_a_network_of_dense_layers_is_that_of_its_matrices():
    found = size(recipe("mlp", epochs=30), images=55_000)
    assert found.multiply_adds == 784 * 300 + 300 * 100 + 100 * 10
    assert found.parameters == found.multiply_adds + 300 + 100 + 10
    assert found.operations == 6 * 266_200 * 55_000 * 30


def test_the_size_of_a_convolution_counts_its_filter_at_every_position():
    network = {"filters": [8, 4], "residual_blocks": [0, 1], "kernel_size": 3, "units": []}
    found = size(recipe("cnn", network=network), images=1)
    stages = 28 * 28 * 9 * 1 * 8 + 14 * 14 * 9 * 8 * 4
    block = 2 * 7 * 7 * 9 * 4 * 4
    assert found.multiply_adds == stages + block + 7 * 7 * 4 * 10
    normalization = 2 * (8 + 4 + 4 + 4)
    kernels = 9 * 8 + 9 * 8 * 4 + 2 * 9 * 4 * 4
    assert found.parameters == kernels + normalization + 7 * 7 * 4 * 10 + 10


def test_operations_of_published_results_are_counted_alike():
    points = {point.name: point for point in recipes.published(ROOT / recipes.PUBLISHED)}
    mlp = size(recipe("mlp", epochs=30), images=55_000)
    assert points["Géron, 784-300-100-10"].operations == mlp.operations
    assert [point.name for point in points.values() if point.is_hollow] == [
        "ResNet-20, random erasing",
        "CoolNameNet",
    ]


def printed() -> dict[str, str]:
    """Return the row of each recipe that the command prints."""
    images = recipes.IMAGES - REAL["preprocess"]["validation_size"]
    table = seeds.read(ROOT / seeds.PATH)
    rows = {}
    for name, values in REAL["recipes"].items():
        found = size(Recipe.model_validate(values), images)
        rows[name] = recipes.row_of(name, found, [row for row in table if row.recipe == name])
    return rows


@pytest.mark.parametrize("text", [README, PAGE], ids=["README.md", "docs/recipes.md"])
def test_the_tables_have_the_rows_that_the_command_prints(text):
    for row in printed().values():
        assert f"\n{row} " in text, row


def test_the_log_of_evaluations_is_the_table_of_seeds():
    logged = re.findall(r"^\| `(\w+)` \| (\d+) \| ([\d.]+) \| ([\d.]+) \|", PAGE, re.MULTILINE)
    rows = seeds.read(ROOT / seeds.PATH)
    assert logged == [
        (row.recipe, str(row.seed), f"{row.accuracy:.4f}", f"{row.flip_accuracy:.4f}")
        for row in rows
    ]
    assert {row.key for row in rows if row.recipe == "mlp"} == {
        seeds.key(lock_file.read(ROOT / "dvc.lock"))
    }
