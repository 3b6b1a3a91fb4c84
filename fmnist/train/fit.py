"""Train a recipe: what ``model.fit`` does, around the compiled epoch."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import keras
import numpy as np
import tensorflow as tf

from fmnist.command import InputError
from fmnist.dataset import Images
from fmnist.inference import Predictor
from fmnist.scores import accuracy_and_loss
from fmnist.train import network, optimizer, randomness
from fmnist.train.augmentation import augment
from fmnist.train.epoch import compile_epoch
from fmnist.train.parameters import EarlyStopping, Recipe
from fmnist.train.state import Arrays, Row, State

PREDICTION_BATCH = 1000  # images at once where nothing is learned; bounds memory


@dataclass(frozen=True)
class Fitted:
    """A trained network.

    Attributes:
        model: carries the weights of ``epoch``, compiled.
        history: a row per epoch: ``epoch`` from 1, ``accuracy`` and ``loss`` as ``fit`` reports
            them (each batch before its own update), ``val_accuracy`` and ``val_loss``; 6 decimals.
            Losses are without label smoothing.
        scores: the same keys for the weights of ``model``, the training split measured anew.
    """

    model: keras.Model
    history: list[Row]
    scores: Row


def fit(
    recipe: Recipe,
    seed: int,
    train: Images,
    validation: Images,
    report: Callable[[Row], None] = lambda row: None,
    keep: Callable[[Arrays], None] = lambda state: None,
    resume: Arrays | None = None,
) -> Fitted:
    """Train a new network with ``recipe``.

    Args:
        report: is given each epoch's row of the history.
        keep: is given the state after each epoch.
        resume: a state of the same training, which then goes on from there, to the same result.

    Raises:
        InputError: the loss is no longer a finite number.
    """
    keras.utils.set_random_seed(seed)
    model = network.build(recipe.network, train.images.shape[1:])
    update_rule = optimizer.build(recipe.optimizer)
    model.compile(update_rule, loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    run_epoch = compile_epoch(
        model, update_rule, recipe.batch_size, recipe.jit_compile, recipe.label_smoothing
    )
    predict = Predictor(model, PREDICTION_BATCH)
    stopping = _early_stopping(recipe.early_stopping, model)

    count = len(train.labels)
    rates = optimizer.learning_rates(recipe, math.ceil(count / recipe.batch_size))
    images, labels = tf.constant(train.images), tf.constant(train.labels.astype(np.int32))
    state = State(model, update_rule, stopping)
    if resume is not None:
        state.restore(resume)
    for epoch in range(len(state.history) + 1, recipe.epochs + 1):
        if model.stop_training:
            break
        randomness.reseed_layers(model, seed, epoch)
        if recipe.augmentation is not None:
            images = tf.constant(augment(train.images, recipe.augmentation, seed, epoch))
        order = tf.constant(randomness.permutation(count, seed, epoch))
        loss, right = run_epoch(images, labels, order, tf.constant(rates[epoch - 1]))
        row = {
            "epoch": epoch,
            "accuracy": round(int(right) / count, 6),
            "loss": round(float(loss), 6),
        } | _scores("val_", predict, validation)
        _refuse_divergence(row)
        state.history.append(row)
        if stopping is not None:
            stopping.on_epoch_end(epoch, row)
        keep(state.capture())
        report(row)
    saved = len(state.history)
    if stopping is not None and stopping.restore_best_weights:
        stopping.on_train_end()
        saved = stopping.best_epoch

    scores = {
        "epoch": saved,
        **_scores("", predict, train),
        **_scores("val_", predict, validation),
    }
    return Fitted(model, state.history, scores)


def first_batch(recipe: Recipe, seed: int, train: Images) -> Images:
    """Return the first batch of the first epoch, as the network sees it."""
    batch = randomness.permutation(len(train.labels), seed, epoch=1)[: recipe.batch_size]
    images = augment(train.images, recipe.augmentation, seed, epoch=1)
    return Images(images[batch], train.labels[batch])


def _scores(prefix: str, predict: Predictor, split: Images) -> Row:
    accuracy, loss = accuracy_and_loss(predict(split.images), split.labels)
    return {f"{prefix}accuracy": accuracy, f"{prefix}loss": loss}


def _early_stopping(
    settings: EarlyStopping | None, model: keras.Model
) -> keras.callbacks.EarlyStopping | None:
    if settings is None:
        return None
    mode = "max" if settings.monitor == "val_accuracy" else "min"
    callback = keras.callbacks.EarlyStopping(mode=mode, **settings.model_dump())
    model.stop_training = False
    callback.set_model(model)
    callback.on_train_begin()
    return callback


def _refuse_divergence(row: Row) -> None:
    if not all(map(math.isfinite, row.values())):
        raise InputError(
            f"training diverged in epoch {row['epoch']}: expected a finite loss, found"
            f" {row['loss']} (validation {row['val_loss']}); lower the recipe's learning_rate"
        )
