"""The compiled epoch, against Keras' own ``fit``."""

import math
from collections.abc import Callable
from operator import attrgetter

import keras
import numpy as np
import pytest
import tensorflow as tf
from projects import schema_fields
from tensorflow.python.eager import context
from tiny_data import ADAM, TRAIN, VALIDATION, recipe

from fmnist.network.prediction import Predictor
from fmnist.stage import dotted
from fmnist.train import architecture, optimizer, randomness
from fmnist.train.epoch import compile_epoch
from fmnist.train.recipe import Recipe
from fmnist.train.training import Training


class OneEpoch(keras.utils.PyDataset):
    """The batches that an epoch of `fit` sees, in their order."""

    def __init__(self, order: np.ndarray, batch_size: int) -> None:
        super().__init__()
        self.order, self.batch_size = order, batch_size

    def __len__(self) -> int:
        return math.ceil(len(self.order) / self.batch_size)

    def __getitem__(self, number: int) -> tuple[np.ndarray, np.ndarray]:
        batch = self.order[number * self.batch_size : (number + 1) * self.batch_size]
        return TRAIN.images[batch], one_hot(TRAIN.labels[batch])


def one_hot(labels: np.ndarray) -> np.ndarray:
    return keras.utils.to_categorical(labels, 10)


def fit_with_keras(recipe: Recipe, seed: int) -> list[tuple[list[np.ndarray], dict[str, float]]]:
    """Train by ``model.fit``, with the learning rates of Keras' own schedule.

    Returns the weights and the row of the history after each epoch.
    """
    keras.utils.set_random_seed(seed)
    model = architecture.build(recipe.network, (28, 28))
    steps = math.ceil(len(TRAIN.labels) / recipe.batch_size)
    settings = recipe.optimizer.model_dump(exclude={"name"})
    if recipe.schedule.name == "cosine_decay":
        warmup = round(recipe.schedule.warmup_epochs * steps)
        settings["learning_rate"] = keras.optimizers.schedules.CosineDecay(
            initial_learning_rate=0.0,
            decay_steps=recipe.epochs * steps - warmup,
            alpha=recipe.schedule.alpha,
            warmup_target=recipe.optimizer.learning_rate,
            warmup_steps=warmup,
        )
    rule = {"sgd": keras.optimizers.SGD, "adam": keras.optimizers.Adam}[recipe.optimizer.name]
    loss = keras.losses.CategoricalCrossentropy(label_smoothing=recipe.label_smoothing)
    figures = ["accuracy", "categorical_crossentropy"]
    model.compile(rule(**settings), loss, metrics=figures, run_eagerly=True)
    epochs = []
    for epoch in range(1, recipe.epochs + 1):
        batches = OneEpoch(randomness.permutation(70, seed, epoch), recipe.batch_size)
        randomness.reseed_layers(model, seed, epoch)
        fitted = model.fit(
            batches,
            shuffle=False,
            validation_data=(VALIDATION.images, one_hot(VALIDATION.labels)),
            verbose=0,
        )
        row = {name: values[0] for name, values in fitted.history.items()}
        for prefix in ("", "val_"):  # metrics are without smoothing
            row[f"{prefix}loss"] = row.pop(f"{prefix}categorical_crossentropy")
        epochs.append((model.get_weights(), row))
    return epochs


def check_like_keras_fit(chosen: Recipe) -> Training:
    """Check the weights and the history after every epoch."""
    training = Training(chosen, 7, TRAIN, VALIDATION)
    expected = fit_with_keras(chosen, 7)
    for row, (weights, figures) in zip(training.epochs(), expected, strict=True):
        for mine, theirs in zip(training.model.get_weights(), weights, strict=True):
            np.testing.assert_allclose(mine, theirs, rtol=1e-4, atol=2e-5)
        assert {key: row[key] for key in figures} == pytest.approx(figures, abs=2e-5)
    return training


SHORT = {"batch_size": 100}  # one batch, which is short
COSINE = {"schedule": {"name": "cosine_decay", "warmup_epochs": 0.5, "alpha": 0.1}}
# Normalization over a short batch magnifies rounding, the more so the faster weights change.
CNN = {
    "network": {"filters": [4, 8], "residual_blocks": [0, 1]},
    "optimizer": {"learning_rate": 1e-4},
}


WAYS = [
    ("mlp", {}),
    ("mlp", SHORT),
    ("mlp", COSINE),
    ("mlp", {"jit_compile": False, **COSINE}),
    ("cnn", CNN | COSINE),
]
UPDATES = [
    {"optimizer": {"momentum": 0.9}},
    {"optimizer": {"momentum": 0.9, "nesterov": True, "weight_decay": 0.5}},
    {"label_smoothing": 0.3},
    {"network": {"dropout": 0.3}},
    {"optimizer": ADAM},
]


def test_every_key_of_a_recipe_is_on_in_a_case():
    cases = [getattr(way, "values", way) for way in WAYS]  # the values of a `pytest.param`
    cases += [("mlp", case if isinstance(case, dict) else case.values[0]) for case in UPDATES]
    on = {
        key
        for name, changes in cases
        for key, value in dotted.leaves(recipe(name, **changes).model_dump()).items()
        if value
    }
    keys = {key for key, _ in schema_fields(Recipe) if not key.startswith("augmentation")}
    assert keys <= on, (
        "tests/test_epoch.py: add a case to UPDATES, or for a cnn to WAYS, that turns on"
        f" {', '.join(sorted(keys - on))}"
    )


@pytest.mark.parametrize(("name", "changes"), WAYS, ids=str)
def test_weights_and_history_agree_with_keras_fit_after_every_epoch(name, changes):
    check_like_keras_fit(recipe(name, **changes))


@pytest.fixture(scope="module")
def plain() -> list[dict[str, float]]:
    training = Training(recipe("mlp"), 7, TRAIN, VALIDATION)
    return list(training.epochs())


@pytest.mark.parametrize("changes", UPDATES, ids=lambda changes: str(next(iter(changes.values()))))
def test_what_changes_an_update_agrees_with_keras_fit(changes, plain):
    assert check_like_keras_fit(recipe("mlp", **changes)).history != plain


def epoch_graph(name: str) -> tf.Graph:
    """Return the graph of an epoch outside XLA."""
    chosen = recipe(name, jit_compile=False)
    model = architecture.build(chosen.network, (28, 28))
    run_epoch = compile_epoch(model, optimizer.build(chosen.optimizer), 16, jit_compile=False)
    return run_epoch.get_concrete_function(
        tf.constant(TRAIN.images),
        tf.constant(TRAIN.labels.astype(np.int32)),
        tf.range(70),
        tf.zeros(5),
    ).graph


def executed(call: Callable[[], object]) -> tuple[set[str], set[str]]:
    """Return the kinds of operations that a call executes, in graphs that TensorFlow has rewritten.

    Returns:
        those outside XLA, and those that XLA compiles.
    """
    context.enable_run_metadata()
    try:
        call()
        found = context.export_run_metadata()
    finally:
        context.disable_run_metadata()
    outside, inside = set(), set()
    for graphs in found.function_graphs:
        graph = graphs.post_optimization_graph
        outside |= {node.op for node in graph.node}
        for function in attrgetter("library.function")(graph):
            kinds = inside if function.attr["_XlaMustCompile"].b else outside
            kinds |= {node.op for node in function.node_def}
    return outside, inside


def an_epoch() -> object:
    return list(Training(recipe("cnn", epochs=1), 0, TRAIN, VALIDATION).epochs())


def a_prediction() -> object:
    model = architecture.build(recipe("cnn").network, (28, 28))
    return Predictor(model, 16)(TRAIN.images)


def test_the_epoch_is_one_call_into_tensorflow():
    # A loop in Python would be traced into one graph per batch; a loop in the graph has one While.
    operations = epoch_graph("mlp").get_operations()
    assert sum("While" in operation.type for operation in operations) == 1


@pytest.mark.parametrize("call", [an_epoch, a_prediction])
def test_matrix_products_are_left_to_xla_and_no_reciprocal_square_root_to_the_processor(call):
    outside, inside = executed(call)
    assert any("Conv2D" in kind for kind in outside)
    assert not any("MatMul" in kind for kind in outside)
    assert "MatMul" in inside
    # Processors estimate a reciprocal square root each in their own way.
    kinds = outside | inside
    assert "Sqrt" in kinds
    assert not any("Rsqrt" in kind for kind in kinds)
