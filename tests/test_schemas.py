"""The schemas of params.yaml: every rule broken once, every key missing once."""

import copy
import re
import typing
from pathlib import Path

import pydantic
import pytest
import yaml
from conftest import RECIPES, ROOT, leaves, walk

from commands import check
from fmnist.stage import parameters
from fmnist.stage.command import InputError
from fmnist.stage.parameters import Parameters
from fmnist.train.recipe import Recipe

REAL = parameters.load(ROOT / "params.yaml")
SHA = "fetch.sha256.train-images-idx3-ubyte"
MLP, CNN = "recipes.mlp", "recipes.cnn"
# What no recipe has now.
ADAM = {"name": "adam", "learning_rate": 0.001, "beta_1": 0.9, "beta_2": 0.999, "epsilon": 1e-7}
STOPPING = {
    "monitor": "val_accuracy",
    "min_delta": 0.0,
    "patience": 8,
    "restore_best_weights": True,
}

# Every rule of every schema once: key, a value that breaks it, what is said.
RULES = [
    ("fetch", [], "expected to be a mapping, found []"),
    ("fetch.sha256", [], "expected to be a mapping, found []"),
    ("preprocess", None, "expected to be a mapping, found None"),
    ("train", "mlp", "expected to be a mapping, found 'mlp'"),
    ("recipes.mlp", 3, "expected to be a mapping, found 3"),
    ("evaluate", [], "expected to be a mapping, found []"),
    ("plot", 1, "expected to be a mapping, found 1"),
    (SHA, "abc", "expected to match pattern '^[0-9a-f]{64}$', found 'abc'"),
    (SHA, 5, "expected to be a valid string, found 5"),
    ("fetch.mirrors", [], "expected to have at least 1 item after validation, not 0, found []"),
    ("fetch.mirrors", "apt:x", "expected to be a valid list, found 'apt:x'"),
    ("fetch.mirrors", ["ftp://host/"], "mirrors.0: expected to match pattern"),
    ("fetch.mirrors", ["https://"], "mirrors.0: expected to match pattern"),
    ("fetch.mirrors", ["file:relative"], "mirrors.0: expected to match pattern"),
    ("fetch.mirrors", ["apt:-o"], "mirrors.0: expected to match pattern"),
    ("fetch.connect_timeout", 0, "expected to be greater than 0, found 0"),
    ("fetch.read_timeout", -1.0, "expected to be greater than 0, found -1.0"),
    ("fetch.retries", -1, "expected to be greater than or equal to 0, found -1"),
    ("fetch.size_limit", 0, "expected to be greater than 0, found 0"),
    ("preprocess.split", "first", "expected to be 'last', 'random' or 'stratified', found 'first'"),
    ("preprocess.validation_size", 0, "expected to be greater than 0, found 0"),
    ("preprocess.validation_size", 1.5, "expected to be a valid integer, found 1.5"),
    ("preprocess.validation_size", True, "expected to be a valid integer, found True"),
    ("preprocess.seed", -1, "expected to be greater than or equal to 0, found -1"),
    ("preprocess.normalize", None, "expected to be 'unit' or 'standardize', found None"),
    ("train.recipe", "MLP!", "expected to match pattern '^[a-z][a-z0-9_]*$', found 'MLP!'"),
    ("train.recipe", "vit", "expected one of mlp, cnn, resnet, found 'vit'"),
    ("train.seed", -1, "expected to be greater than or equal to 0, found -1"),
    ("train.seed", 2**32, "expected to be less than 4294967296, found 4294967296"),
    (f"{MLP}.network", None, "expected to be a mapping, found None"),
    (f"{MLP}.network.architecture", "vit", "expected one of 'mlp', 'cnn', found 'vit'"),
    (f"{MLP}.network.units", [0], "units.0: expected to be greater than 0, found 0"),
    (f"{MLP}.network.units", 300, "expected to be a valid list, found 300"),
    (f"{MLP}.network.activation", "softmax", "expected to be 'relu', 'elu', 'selu', 'gelu', "),
    (f"{MLP}.network.dropout", 1.0, "expected to be less than 1, found 1.0"),
    (f"{MLP}.network.dropout", -0.1, "expected to be greater than or equal to 0, found -0.1"),
    (f"{CNN}.network.filters", [], "expected to have at least 1 item after validation, not 0"),
    (f"{CNN}.network.filters", [8] * 5, "expected to have at most 4 items after validation, not 5"),
    (f"{CNN}.network.filters", [-8], "filters.0: expected to be greater than 0, found -8"),
    (
        f"{CNN}.network.residual_blocks",
        [1],
        "expected as many residual_blocks as filters (3), found [1]",
    ),
    (
        f"{CNN}.network.residual_blocks",
        [0, 0, -1],
        "residual_blocks.2: expected to be greater than or equal to 0, found -1",
    ),
    (f"{CNN}.network.kernel_size", 0, "expected to be greater than or equal to 1, found 0"),
    (f"{CNN}.network.kernel_size", 8, "expected to be less than or equal to 7, found 8"),
    (f"{CNN}.network.units", [1.5], "units.0: expected to be a valid integer, found 1.5"),
    (f"{CNN}.network.activation", 1, "expected to be 'relu', 'elu', 'selu', 'gelu', "),
    (f"{CNN}.network.dropout", "0.2", "expected to be a valid number, found '0.2'"),
    (f"{MLP}.optimizer.name", "lion", "expected one of 'sgd', 'adam', found 'lion'"),
    (f"{MLP}.optimizer.learning_rate", 0, "expected to be greater than 0, found 0"),
    (f"{MLP}.optimizer.learning_rate", float("inf"), "expected to be a finite number, found inf"),
    (f"{MLP}.optimizer.learning_rate", float("nan"), "expected to be a finite number, found nan"),
    (f"{MLP}.optimizer.momentum", -0.1, "expected to be greater than or equal to 0, found -0.1"),
    (f"{MLP}.optimizer.momentum", 1, "expected to be less than 1, found 1"),
    (f"{MLP}.optimizer.nesterov", 1, "expected to be a valid boolean, found 1"),
    (
        f"{MLP}.optimizer.nesterov",
        True,
        "expected momentum above 0 where nesterov is true, found 0.0",
    ),
    (f"{MLP}.optimizer.weight_decay", 0.0, "expected to be greater than 0, found 0.0"),
    (f"{MLP}.optimizer.weight_decay", "0", "expected to be a valid number, found '0'"),
    (f"{MLP}.optimizer", ADAM | {"learning_rate": -1}, "expected to be greater than 0, found -1"),
    (f"{MLP}.optimizer", ADAM | {"beta_1": -0.1}, "beta_1: expected to be greater than or equal"),
    (f"{MLP}.optimizer", ADAM | {"beta_1": 1.0}, "beta_1: expected to be less than 1, found 1.0"),
    (f"{MLP}.optimizer", ADAM | {"beta_2": -1.0}, "beta_2: expected to be greater than or equal"),
    (f"{MLP}.optimizer", ADAM | {"beta_2": 1.0}, "beta_2: expected to be less than 1, found 1.0"),
    (f"{MLP}.optimizer", ADAM | {"epsilon": 0.0}, "epsilon: expected to be greater than 0, found"),
    (f"{MLP}.schedule.name", "step", "expected one of 'constant', 'cosine_decay', found 'step'"),
    (f"{CNN}.schedule.warmup_epochs", -1, "expected to be greater than or equal to 0, found -1"),
    (
        f"{CNN}.schedule.warmup_epochs",
        1000,
        "expected schedule.warmup_epochs below epochs (",
    ),
    (f"{CNN}.schedule.alpha", 1.1, "expected to be less than or equal to 1, found 1.1"),
    (f"{CNN}.schedule.alpha", -0.1, "expected to be greater than or equal to 0, found -0.1"),
    (f"{MLP}.batch_size", 0, "expected to be greater than 0, found 0"),
    (f"{MLP}.epochs", "30", "expected to be a valid integer, found '30'"),
    (f"{MLP}.epochs", 0, "expected to be greater than 0, found 0"),
    (f"{MLP}.label_smoothing", -0.1, "expected to be greater than or equal to 0, found -0.1"),
    (f"{MLP}.label_smoothing", 1.0, "expected to be less than 1, found 1.0"),
    (f"{MLP}.augmentation", "flip", "expected to be a mapping, found 'flip'"),
    (f"{CNN}.augmentation.flip", 1, "expected to be a valid boolean, found 1"),
    (f"{CNN}.augmentation.shift", -1, "expected to be greater than or equal to 0, found -1"),
    (f"{CNN}.augmentation.shift", 5, "expected to be less than or equal to 4, found 5"),
    (f"{CNN}.augmentation.erase", -1, "expected to be greater than or equal to 0, found -1"),
    (f"{CNN}.augmentation.erase", 15, "expected to be less than or equal to 14, found 15"),
    (
        f"{MLP}.early_stopping",
        STOPPING | {"monitor": "loss"},
        "monitor: expected to be 'val_loss' or 'val_accuracy', found 'loss'",
    ),
    (f"{MLP}.early_stopping", STOPPING | {"min_delta": -1}, "min_delta: expected to be greater"),
    (f"{MLP}.early_stopping", STOPPING | {"patience": 0}, "patience: expected to be greater than"),
    (
        f"{MLP}.early_stopping",
        STOPPING | {"restore_best_weights": "no"},
        "restore_best_weights: expected to be a valid boolean, found 'no'",
    ),
    (f"{MLP}.early_stopping", STOPPING | {"other": 1}, "early_stopping.other: unknown key"),
    (f"{MLP}.early_stopping", 3, "expected to be a mapping, found 3"),
    (f"{MLP}.threads", 0, "expected to be greater than 0, found 0"),
    (f"{MLP}.threads", 65, "expected to be less than or equal to 64, found 65"),
    (f"{MLP}.jit_compile", "auto", "expected to be a valid boolean, found 'auto'"),
    (f"{CNN}.jit_compile", True, "expected jit_compile false where the network pools, because"),
    ("evaluate.batch_size", 0, "expected to be greater than 0, found 0"),
    ("evaluate.threads", 0, "expected to be greater than 0, found 0"),
    ("evaluate.threads", 65, "expected to be less than or equal to 64, found 65"),
    ("evaluate.flip", "yes", "expected to be a valid boolean, found 'yes'"),
    ("plot.dpi", 49, "expected to be greater than or equal to 50, found 49"),
    ("plot.dpi", 301, "expected to be less than or equal to 300, found 301"),
    ("plot.predictions", 0, "expected to be greater than or equal to 1, found 0"),
    ("plot.predictions", 11, "expected to be less than or equal to 10, found 11"),
    ("plot.mistakes", 0, "expected to be greater than or equal to 1, found 0"),
    ("plot.mistakes", 51, "expected to be less than or equal to 50, found 51"),
    ("plot.training_images", 0, "expected to be greater than or equal to 1, found 0"),
    ("plot.training_images", 101, "expected to be less than or equal to 100, found 101"),
    ("recipes", [], "expected a mapping, found []"),
]


def changed(key: str, value: object) -> dict:
    """Return the real parameters with one value changed."""
    values = copy.deepcopy(REAL)
    section, last = walk(values, key)
    section[last] = value
    return values


def refusal_of(values: dict) -> str:
    """Check a params.yaml of these values, which is wrong; return what is said."""
    Path("params.yaml").write_text(yaml.safe_dump(values, sort_keys=False))
    with pytest.raises(InputError) as error:
        check.main()
    return str(error.value)


@pytest.mark.parametrize(("key", "value", "message"), RULES, ids=[f"{r[0]}={r[1]}" for r in RULES])
def test_a_broken_rule_is_said_in_one_line_with_its_key(folder, key, value, message):
    lines = [line for line in refusal_of(changed(key, value)).splitlines() if message in line]
    assert len(lines) == 1
    location = lines[0].removeprefix("params.yaml: ").split(": ")[0]
    # A rule between two keys is said of the mapping that holds both.
    assert f"{key}.".startswith(f"{location}.") or location.startswith(f"{key}.")


def test_every_leaf_has_a_rule_that_was_broken():
    tried = {key for key, *_ in RULES}
    shas = {key for key in leaves(REAL) if key.startswith("fetch.sha256.")}
    # cnn repeats mlp's values where it uses the same schema, and mlp cnn's.
    bare = {re.sub(r"^recipes\.\w+\.", "", key) for key in tried}
    for key in leaves(REAL).keys() - shas:
        assert key in tried or re.sub(r"^recipes\.\w+\.", "", key) in bare, key


FAULTS = {
    "Gt": "greater_than",
    "Ge": "greater_than_equal",
    "Lt": "less_than",
    "Le": "less_than_equal",
    "MinLen": "too_short",
    "MaxLen": "too_long",
    "StringConstraints": "string_pattern_mismatch",
    "_PydanticGeneralMetadata": "string_pattern_mismatch",
}


def bounds(schema: type[Parameters]) -> set[tuple[str, str]]:
    """Return a field and the kind of fault for each bound of a schema and of those within it."""
    found = set()
    for name, field in schema.model_fields.items():
        found |= {(field.alias or name, FAULTS[type(bound).__name__]) for bound in field.metadata}
        for inner in (field.annotation, *typing.get_args(field.annotation)):
            if isinstance(inner, type) and issubclass(inner, Parameters):
                found |= bounds(inner)
    return found


def test_every_bound_of_every_schema_was_broken():
    tried = set()
    for key, value, _ in RULES:
        values = changed(key, value)
        parts = [(values[name], schema) for name, schema in check.SECTIONS.items()]
        parts += [(values["recipes"][name], Recipe) for name in RECIPES if key != "recipes"]
        for part, schema in parts:
            try:
                schema.model_validate(part)
            except pydantic.ValidationError as error:
                tried |= {
                    (part, fault["type"]) for fault in error.errors() for part in fault["loc"]
                }
    every = set().union(*(bounds(schema) for schema in (*check.SECTIONS.values(), Recipe)))
    assert len(every) > 30
    same = {name for name, _ in every if "ubyte" in name and name not in SHA}
    assert {(name, kind) for name, kind in every if name not in same} <= tried


@pytest.mark.parametrize("key", leaves(REAL))
def test_a_missing_key_is_named(folder, key):
    values = copy.deepcopy(REAL)
    section, last = walk(values, key)
    del section[last]
    assert f"params.yaml: {key}: missing key" in refusal_of(values)


@pytest.mark.parametrize(
    "key",
    [
        "other",
        "fetch.other",
        "fetch.sha256.other",
        "preprocess.other",
        "train.other",
        "evaluate.other",
        "plot.other",
    ]
    + [f"recipes.mlp{part}.other" for part in ("", ".network", ".optimizer", ".schedule")]
    + ["recipes.cnn.augmentation.other"],
)
def test_an_unknown_key_is_named(folder, key):
    assert refusal_of(changed(key, 1)) == f"params.yaml: {key}: unknown key"


def test_all_faults_are_said_at_once(folder):
    values = copy.deepcopy(REAL)
    values["plot"]["dpi"] = 1
    values["recipes"]["cnn"]["epochs"] = -1
    assert [line.split(": expected")[0] for line in refusal_of(values).splitlines()] == [
        "params.yaml: plot.dpi",
        "params.yaml: recipes.cnn.epochs",
    ]
