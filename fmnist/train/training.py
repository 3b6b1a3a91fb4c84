"""A recipe in training: what ``model.fit`` does, around the compiled epoch."""

import hashlib
import json
import math
from collections.abc import Iterator

import keras
import numpy as np
import tensorflow as tf

from fmnist.network import tensorflow_contract
from fmnist.dataset.images import Images
from fmnist.network.prediction import Predictor
from fmnist.network.scores import accuracy_and_loss
from fmnist.stage.command import InputError
from fmnist.train import architecture, optimizer, randomness
from fmnist.train.augmentation import augment
from fmnist.train.epoch import compile_epoch
from fmnist.train.recipe import Recipe

PREDICTION_BATCH = 1000  # images at once in validation; bounds memory

Row = dict[str, int | float | str]
Arrays = dict[str, np.ndarray]


class Training:
    """A network that a recipe trains, epoch by epoch.

    Attributes:
        model: the network with its current weights, compiled.
        history: a row for each finished epoch: ``epoch`` from 1, ``accuracy`` and ``loss`` as
            ``fit`` reports them (each batch before its own update), ``val_accuracy`` and
            ``val_loss``; rounded to 6 decimals, losses in nats and without label smoothing; and
            ``weights``, the first 16 hexadecimal digits of the SHA-256 of all weights.
    """

    def __init__(
        self,
        recipe: Recipe,
        seed: int,
        train: Images,
        validation: Images,
        state: Arrays | None = None,
    ) -> None:
        """Build a new network.

        Args:
            state: what `state` returned in the same training, which then resumes from there.
        """
        self._recipe, self._seed = recipe, seed
        self._train, self._validation = train, validation
        keras.utils.set_random_seed(seed)
        self.model = architecture.build(recipe.network, train.images.shape[1:])
        tensorflow_contract.warn_of_other_layers(self.model)
        update_rule = optimizer.build(recipe.optimizer)
        loss = "sparse_categorical_crossentropy"
        self.model.compile(update_rule, loss=loss, metrics=["accuracy"])
        self._run_epoch = compile_epoch(
            self.model, update_rule, recipe.batch_size, recipe.jit_compile, recipe.label_smoothing
        )
        self._predict = Predictor(self.model, PREDICTION_BATCH)
        steps = math.ceil(len(train.labels) / recipe.batch_size)
        self._rates = optimizer.learning_rates(recipe, steps)
        self._labels = tf.constant(train.labels.astype(np.int32))
        # Copied once where every epoch sees the same pixels.
        self._images = None if recipe.augmentation else tf.constant(train.images)
        self._variables = [*self.model.variables, *update_rule.variables]
        self.history: list[Row] = []
        if state is not None:
            self._restore(state)

    def epochs(self, until: int | None = None) -> Iterator[Row]:
        """Train up to an epoch, the recipe's last by default; yield each epoch's row of `history`.

        Raises:
            InputError: the loss is no longer a finite number.
        """
        last = self._recipe.epochs if until is None else min(until, self._recipe.epochs)
        while len(self.history) < last:
            self.history.append(self._train_epoch(len(self.history) + 1))
            yield self.history[-1]

    def scores(self) -> Row:
        """Measure the current weights: a row as in `history`, for the whole training split."""
        return {
            "epoch": len(self.history),
            **self._measure("", self._train),
            **self._measure("val_", self._validation),
        }

    def state(self) -> Arrays:
        """Return copies of all that a training carries from one epoch to the next.

        Order of images, learning rates and dropout depend on the epoch alone, so they are not part
        of it.
        """
        arrays = {f"variable_{n}": variable.numpy() for n, variable in enumerate(self._variables)}
        return arrays | {"history": np.array(json.dumps(self.history))}

    def _restore(self, state: Arrays) -> None:
        for number, variable in enumerate(self._variables):
            variable.assign(state[f"variable_{number}"])
        self.history = json.loads(str(state["history"]))

    def _train_epoch(self, epoch: int) -> Row:
        count = len(self._train.labels)
        randomness.reseed_layers(self.model, self._seed, epoch)
        images = self._images
        if images is None:
            augmented = augment(self._train.images, self._recipe.augmentation, self._seed, epoch)
            images = tf.constant(augmented)
        order = tf.constant(randomness.permutation(count, self._seed, epoch))
        loss, right = self._run_epoch(
            images, self._labels, order, tf.constant(self._rates[epoch - 1])
        )
        row = {
            "epoch": epoch,
            "accuracy": round(int(right) / count, 6),
            "loss": round(float(loss), 6),
            **self._measure("val_", self._validation),
        }
        if not all(map(math.isfinite, row.values())):
            raise InputError(
                f"training diverged in epoch {epoch}: expected a finite loss, found {row['loss']}"
                f" (validation {row['val_loss']}); lower the recipe's learning_rate"
            )
        return row | {"weights": self._hash()}

    def _hash(self) -> str:
        found = hashlib.sha256()
        for weights in self.model.get_weights():
            found.update(weights)
        return found.hexdigest()[:16]

    def _measure(self, prefix: str, split: Images) -> Row:
        accuracy, loss = accuracy_and_loss(self._predict(split.images), split.labels)
        return {f"{prefix}accuracy": accuracy, f"{prefix}loss": loss}


def first_batch(recipe: Recipe, seed: int, train: Images) -> Images:
    """Return the first batch of the first epoch, as the network sees it."""
    batch = randomness.permutation(len(train.labels), seed, epoch=1)[: recipe.batch_size]
    images = augment(train.images, recipe.augmentation, seed, epoch=1, chosen=batch)
    return Images(images, train.labels[batch])
