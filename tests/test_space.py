"""The file of a sweep: what it may contain, and a one-line error for what it may not."""

from pathlib import Path

import pytest
import yaml
from projects import RECIPES

from fmnist.stage.command import InputError
from fmnist.sweeps.sweep import Sweep

VALUES = {"recipes": RECIPES, "train": {"recipe": "mlp", "seed": 42}}
GOOD = {
    "recipe": "mlp",
    "objective": "val_accuracy",
    "search": {"name": "grid"},
    "successive_halving": None,
    "fixed": {"epochs": 4},
    "parameters": {
        "optimizer.learning_rate": {"choices": [0.01, 0.1]},
        "network.units": {"choices": [[30], []]},
        "seed": {"choices": [1, 2]},
    },
}
RANDOM = {"name": "random", "trials": 3, "seed": 0}


def sweep(folder: Path, **changes: object) -> Sweep:
    """Return `GOOD` with other values of its keys."""
    path = folder / "space.yaml"
    path.write_text(yaml.safe_dump(GOOD | changes, sort_keys=False))
    return Sweep(path, VALUES)


def varied(**values: object) -> dict:
    """Return a change to a space that varies one parameter at random."""
    return {"search": RANDOM, "parameters": {"optimizer.learning_rate": values}}


def test_a_grid_is_every_combination_the_last_parameter_fastest(tmp_path):
    grid = sweep(tmp_path).grid()
    assert len(grid) == 8
    assert [point["seed"] for point in grid[:4]] == [1, 2, 1, 2]
    assert [point["network.units"] for point in grid[:4]] == [[30], [30], [], []]


def test_a_step_makes_points_of_a_range(tmp_path):
    found = sweep(tmp_path, parameters={"batch_size": {"low": 16, "high": 64, "step": 24}}).grid()
    assert [point["batch_size"] for point in found] == [16, 40, 64]


def test_a_step_that_is_no_binary_fraction_stays_within_the_range(tmp_path):
    rates = {"optimizer.learning_rate": {"low": 0.1, "high": 0.3, "step": 0.1}}
    found = sweep(tmp_path, parameters=rates).grid()
    assert [point["optimizer.learning_rate"] for point in found] == [0.1, 0.2, 0.3]


def test_a_parameter_can_be_varied_that_exists_only_through_fixed(tmp_path):
    changes = {
        "fixed": {"augmentation": {"flip": True, "shift": 0, "erase": 0}},
        "parameters": {"augmentation.shift": {"choices": [0, 2]}},
    }
    recipe = sweep(tmp_path, **changes).recipe({"augmentation.shift": 2})
    assert recipe.augmentation.shift == 2


def test_the_value_of_a_varied_parameter_in_params_yaml_decides_nothing(tmp_path):
    before = sweep(tmp_path)
    optimizer = RECIPES["mlp"]["optimizer"] | {"learning_rate": 0.5}
    applied = RECIPES["mlp"] | {"optimizer": optimizer, "epochs": 4}
    after = Sweep(before.path, {"recipes": {"mlp": applied}, "train": {"seed": 2}})
    assert after.decisive == before.decisive
    other = Sweep(before.path, VALUES | {"recipes": {"mlp": applied | {"batch_size": 7}}})
    assert other.decisive != before.decisive


def test_an_error_in_params_yaml_names_that_file(tmp_path):
    path = sweep(tmp_path).path
    recipes = {"mlp": RECIPES["mlp"] | {"batch_size": 0}}
    with pytest.raises(InputError, match="^params.yaml: recipes.mlp.batch_size: expected to be"):
        Sweep(path, VALUES | {"recipes": recipes})


def test_a_trial_is_the_recipe_with_fixed_and_varied_values(tmp_path):
    recipe = sweep(tmp_path).recipe({"network.units": [7], "seed": 5})
    assert (recipe.epochs, recipe.network.units, recipe.seed) == (4, [7], 5)
    assert recipe.batch_size == RECIPES["mlp"]["batch_size"]
    assert RECIPES["mlp"]["epochs"] == 30


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"objective": "accuracy"},
            "objective: expected to be 'val_accuracy' or 'val_loss', found 'acc",
        ),
        ({"objective": "flip.accuracy"}, "objective: expected to be 'val_accuracy' or 'val_loss'"),
        ({"extra": 1}, "extra: unknown key"),
        ({"recipe": "vgg"}, "recipe: expected one of mlp, cnn, resnet, found 'vgg'"),
        ({"search": {"name": "best"}}, "search.name: expected one of 'grid', 'random', 'tpe'"),
        (
            {"search": RANDOM | {"trials": 0}},
            "search.trials: expected to be greater than 0, found 0",
        ),
        ({"parameters": {}}, "parameters: expected .*at least 1 item"),
        ({"fixed": {"seed": 1}}, "expected a key in fixed or in parameters, found seed in both"),
        ({"fixed": {"width": 1}}, "fixed.width: unknown key of recipe mlp; found there: network, "),
        (
            {"parameters": {"augmentation.shift": {"choices": [1]}}},
            "parameters.augmentation.shift: unknown key of recipe mlp; found there: nothing",
        ),
        (varied(low=0.1, high=0.1), "expected low below high, found 0.1 and 0.1: an empty range"),
        (varied(choices=[]), "expected at least one choice"),
        (varied(low=0.1), "expected low and high, found low 0.1 and high None"),
        (varied(low=0.1, high=1, choices=[1]), "expected either choices, or low and high"),
        (varied(low=0, high=1, log=True), "expected low above 0 and no step where log is true"),
        (varied(low="16", high=64), "learning_rate.low: expected a number, found '16'"),
        (varied(low=[1], high=64), r"learning_rate.low: expected a number, found \[1\]"),
        (varied(low=1, high=2, step=0), "learning_rate: expected a step above 0, found 0"),
        (
            varied(choices=[0.1, "fast"]),
            "parameters.optimizer.learning_rate: expected .*number, found 'fast'",
        ),
        (
            varied(low=-1, high=1),
            "parameters.optimizer.learning_rate: expected to be greater than 0, found -1",
        ),
        ({"fixed": {"epochs": 0}}, "fixed.epochs: expected to be greater than 0, found 0"),
        (
            {"search": RANDOM | {"seed": 2**32}},
            "search.seed: expected to be less than 4294967296, found 4294967296",
        ),
        (
            {"search": RANDOM, "parameters": {"batch_size": {"low": 16, "high": 64, "step": 0.5}}},
            "parameters.batch_size.step: expected a whole number, as low is, found 0.5",
        ),
        (
            {"parameters": {"optimizer.learning_rate": {"low": 0.1, "high": 1, "log": True}}},
            "learning_rate: expected choices in a grid, found 0.1 to 1",
        ),
        ({"parameters": {"seed": {"choices": [-1]}}}, "seed: expected .*, found -1"),
        (
            {"parameters": {"batch_size": {"low": 1, "high": 9}}},
            "expected choices or a step in a grid",
        ),
        (
            {"parameters": {"threads": {"choices": [1, 2]}}},
            "parameters.threads: expected it in fixed",
        ),
        (
            {"successive_halving": {"min_epochs": 4, "reduction_factor": 2}},
            "successive_halving.min_epochs: expected below epochs \\(4\\), found 4",
        ),
        (
            {
                "successive_halving": {"min_epochs": 1, "reduction_factor": 2},
                "fixed": {},
                "parameters": {"epochs": {"choices": [3, 4]}},
            },
            "parameters.epochs: expected a fixed number with successive_halving",
        ),
        (
            {
                "successive_halving": {"min_epochs": 1, "reduction_factor": 2},
                "search": RANDOM | {"name": "tpe"},
            },
            "expected successive_halving null with tpe",
        ),
    ],
)
def test_an_invalid_space_fails_with_one_line_that_names_the_key(tmp_path, changes, message):
    with pytest.raises(InputError, match=message) as error:
        sweep(tmp_path, **changes)
    assert len(str(error.value).splitlines()) == 1
    assert str(error.value).startswith(f"{tmp_path}/space.yaml: ")
    assert "yaml: ." not in str(error.value)


def test_every_combination_of_a_grid_is_checked(tmp_path):
    changes = {
        "recipe": "cnn",
        "fixed": {},
        "parameters": {
            "network.filters": {"choices": [[8], [8, 8]]},
            "network.residual_blocks": {"choices": [[0]]},
        },
    }
    with pytest.raises(InputError, match="as many residual_blocks as filters"):
        sweep(tmp_path, **changes)
    sweep(tmp_path, **changes, search=RANDOM)  # each value is valid with some other
