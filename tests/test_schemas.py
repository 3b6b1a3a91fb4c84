"""The schema of params.yaml: every rule broken once, every key missing once."""

import contextlib
import copy
import math

import pytest
from projects import REAL, schema_fields
from pydantic import ValidationError
from tiny_data import ADAM, recipe

from commands.check import Parameters
from fmnist.stage import dotted, parameters
from fmnist.stage.command import InputError
from fmnist.train import architecture, optimizer

SHA = "fetch.sha256.train-images-idx3-ubyte"
MLP, CNN = "recipes.mlp", "recipes.cnn"

# Every rule of every schema once: key, a value that breaks it, the message.
RULES = [
    ("fetch", [], "expected to be a mapping, found []"),
    ("fetch.sha256", [], "expected to be a mapping, found []"),
    ("download", [], "expected to be a mapping, found []"),
    ("preprocess", None, "expected to be a mapping, found None"),
    ("train", "mlp", "expected to be a mapping, found 'mlp'"),
    ("recipes.mlp", 3, "expected to be a mapping, found 3"),
    ("evaluate", [], "expected to be a mapping, found []"),
    ("plot", 1, "expected to be a mapping, found 1"),
    (SHA, "abc", "expected to match pattern '^[0-9a-f]{64}$', found 'abc'"),
    (SHA, 5, "expected to be a valid string, found 5"),
    ("download.mirrors", [], "expected to have at least 1 item after validation, not 0, found []"),
    ("download.mirrors", "apt:x", "expected to be a valid list, found 'apt:x'"),
    ("download.mirrors", ["ftp://host/"], "mirrors.0: expected to match pattern"),
    ("download.mirrors", ["https://"], "mirrors.0: expected to match pattern"),
    ("download.mirrors", ["file:relative"], "mirrors.0: expected to match pattern"),
    ("download.mirrors", ["apt:-o"], "mirrors.0: expected to match pattern"),
    ("download.connect_timeout", 0, "expected to be greater than 0, found 0"),
    ("download.read_timeout", -1.0, "expected to be greater than 0, found -1.0"),
    ("download.retries", -1, "expected to be greater than or equal to 0, found -1"),
    ("download.size_limit", 0, "expected to be greater than 0, found 0"),
    ("preprocess.split", "first", "expected to be 'last', 'random' or 'stratified', found 'first'"),
    ("preprocess.validation_size", 0, "expected to be greater than 0, found 0"),
    ("preprocess.validation_size", 1.5, "expected to be a valid integer, found 1.5"),
    ("preprocess.validation_size", True, "expected to be a valid integer, found True"),
    ("preprocess.seed", -1, "expected to be greater than or equal to 0, found -1"),
    ("preprocess.normalize", None, "expected to be 'unit' or 'standardize', found None"),
    ("train.recipe", "MLP!", "expected to match pattern '^[a-z][a-z0-9_]*$', found 'MLP!'"),
    ("train.recipe", "vit", "expected recipe to be one of mlp, cnn, resnet, found 'vit'"),
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
    ("recipes", [], "recipes: expected to be a "),
]
# Each bound of a field: its name in a JSON schema, and as an argument of `Field`.
BOUNDS = {
    "minimum": "ge",
    "exclusiveMinimum": "gt",
    "maximum": "le",
    "exclusiveMaximum": "lt",
    "multipleOf": "multiple_of",
    "minItems": "min_length",
    "maxItems": "max_length",
    "minLength": "min_length",
    "maxLength": "max_length",
    "pattern": "pattern",
}
LARGE = {"integer": 10, "number": 1e6}  # for a field without an upper bound


def changed(key: str, value: object) -> dict:
    """Return the real parameters with one value changed."""
    values = copy.deepcopy(REAL)
    dotted.put(values, key, value)
    return values


def refusal(values: dict) -> str:
    """Check invalid parameters; return the message."""
    with pytest.raises(InputError) as error:
        parameters.validate(values, Parameters)
    return str(error.value)


def test_the_committed_values_are_valid():
    parameters.validate(REAL, Parameters)


@pytest.mark.parametrize(("key", "value", "message"), RULES, ids=[f"{r[0]}={r[1]}" for r in RULES])
def test_a_broken_rule_is_reported_in_one_line_with_its_key(key, value, message):
    refused = refusal(changed(key, value))
    lines = [line for line in refused.splitlines() if message in line]
    assert len(lines) == 1, (
        f"tests/test_schemas.py: RULES, row of {key}: expected one line with {message!r}, found:\n"
        + refused
    )
    location = lines[0].removeprefix("params.yaml: ").split(": ")[0]
    # A rule between two keys is reported at the mapping that holds both.
    assert f"{key}.".startswith(f"{location}.") or location.startswith(f"{key}.")


def broken() -> set[tuple]:
    """Return the fields that `RULES` break: their keys, alone and with each bound of a refusal."""
    names = {part for key, _ in schema_fields(Parameters) for part in key.split(".")}
    faults: list[dict] = []
    for key, value, _ in RULES:
        try:
            Parameters.model_validate(changed(key, value))
        except ValidationError as error:
            faults += error.errors()
    found: set[tuple] = set()
    for fault in faults:
        details = fault.get("ctx", {})
        parts = [part for part in fault["loc"] if part in names]  # no recipe, no tag of a union
        if "discriminator" in details:
            parts.append(details["discriminator"].strip("'"))
        key = ".".join(parts)
        found |= {(key,), *((key, *bound) for bound in details.items())}
    return found


def test_every_field_and_each_of_its_bounds_is_broken_by_a_row():
    rules: set[tuple] = set()
    for key, node in schema_fields(Parameters):
        if key == SHA or not key.startswith("fetch.sha256."):  # which all have the same rule
            bounds = {(key, BOUNDS[name], node[name]) for name in BOUNDS.keys() & node}
            rules |= bounds or {(key,)}
    missing = rules - broken()
    assert not missing, "\n".join(
        f"tests/test_schemas.py: add a row to RULES: {key}, a value that breaks"
        f" {'='.join(map(str, bound)) or 'its type'}"
        for key, *bound in sorted(missing, key=str)
    )


def values(node: dict) -> list:
    """Return what to try of a field: every choice, or the ends of its range and of its length."""
    if "anyOf" in node:
        return [value for member in node["anyOf"] for value in values(member)]
    if "enum" in node:
        return node["enum"]
    match node.get("type"):
        case "boolean":
            return [False, True]
        case "null":
            return [None]
        case "integer" | "number" as kind:
            low, high = node.get("minimum", -LARGE[kind]), node.get("maximum", LARGE[kind])
            if (bound := node.get("exclusiveMinimum")) is not None:
                low = bound + 1 if kind == "integer" else math.nextafter(bound, math.inf)
            if (bound := node.get("exclusiveMaximum")) is not None:
                high = bound - 1 if kind == "integer" else math.nextafter(bound, -math.inf)
            return [low, high]
        case "array":
            lengths = {node.get("minItems", 0), 2, node.get("maxItems", 2)}
            return [[item] * length for item in values(node["items"]) for length in lengths]
    return [node["const"]]


@pytest.mark.parametrize(
    "part",
    [
        recipe("mlp").network,
        recipe("cnn", network={"filters": [4, 8], "residual_blocks": [0, 1], "units": [9]}).network,
        recipe("mlp").optimizer,
        recipe("mlp", optimizer=ADAM).optimizer,
    ],
    ids=lambda part: type(part).__name__,
)
def test_keras_takes_what_the_schema_allows(part):
    faults = []
    for key, node in type(part).model_json_schema()["properties"].items():
        allowed = []
        for value in values(node):
            with contextlib.suppress(ValidationError):  # of a rule between two fields
                allowed.append(type(part).model_validate(part.model_dump() | {key: value}))
        assert allowed, f"tests/test_schemas.py: `values` has none that {key} may have"
        for settings in allowed:
            try:
                if hasattr(settings, "architecture"):
                    architecture.build(settings, (28, 28))
                else:
                    optimizer.build(settings)
            except (TypeError, ValueError) as error:
                faults.append(
                    f"fmnist/train/recipe.py: {type(part).__name__}: make the rule of {key}"
                    f" narrower: Keras refuses {getattr(settings, key)!r}: {error}"
                )
    assert not faults, "\n".join(faults)


@pytest.mark.parametrize("key", dotted.leaves(REAL))
def test_a_missing_key_is_named(key):
    values = copy.deepcopy(REAL)
    parent, _, last = key.rpartition(".")
    del dotted.find(values, parent)[last]
    assert f"params.yaml: {key}: missing key" in refusal(values)


@pytest.mark.parametrize(
    "key",
    [
        *("other", "fetch.other", "fetch.sha256.other", "download.other", "preprocess.other"),
        *("train.other", "evaluate.other", "plot.other", "recipes.cnn.augmentation.other"),
        *(f"recipes.mlp{part}.other" for part in ("", ".network", ".optimizer", ".schedule")),
    ],
)
def test_an_unknown_key_is_named(key):
    assert refusal(changed(key, 1)) == f"params.yaml: {key}: unknown key"


def test_all_faults_are_reported_at_once():
    values = copy.deepcopy(REAL)
    values["plot"]["dpi"] = 1
    values["recipes"]["cnn"]["epochs"] = -1
    assert [line.split(": expected")[0] for line in refusal(values).splitlines()] == [
        "params.yaml: recipes.cnn.epochs",
        "params.yaml: plot.dpi",
    ]
