"""This project's compiled epoch; with the argument ``free``, without the contract's switches.

Without that argument, the environment has to have the switches.
"""

import sys

import keras
import numpy as np
import tensorflow as tf

from fmnist.network import tensorflow_contract
from benchmarks.contestants import contestant
from benchmarks.contestants.contestant import Classify, Task, TrainEpochs
from fmnist.network.prediction import Predictor
from fmnist.stage import contract
from fmnist.train import architecture, optimizer
from fmnist.train.augmentation import augment
from fmnist.train.epoch import compile_epoch
from fmnist.train.recipe import Recipe


def prepare(task: Task, images: np.ndarray, labels: np.ndarray) -> tuple[TrainEpochs, Classify]:
    """Prepare for `contestant.run`."""
    recipe = Recipe.model_validate(task.recipe)
    tensorflow_contract.apply(recipe.threads)
    keras.utils.set_random_seed(task.seed)
    model = architecture.build(recipe.network, images.shape[1:])
    train_epoch = compile_epoch(
        model,
        optimizer.build(recipe.optimizer),
        recipe.batch_size,
        recipe.jit_compile,
        recipe.label_smoothing,
    )
    rates = optimizer.learning_rates(recipe, -(-len(labels) // recipe.batch_size))
    classes = tf.constant(labels)

    def run_epoch(epoch: int) -> None:
        pixels = tf.constant(augment(images, recipe.augmentation, task.seed, epoch))
        order = tf.constant(task.order(epoch).astype(np.int32))
        train_epoch(pixels, classes, order, tf.constant(rates[epoch - 1]))[0].numpy()

    predict = Predictor(model, batch_size=1000)
    return contestant.timed(run_epoch), lambda images: predict(images).argmax(axis=1)


if __name__ == "__main__":
    if sys.argv[1] != "free":
        contract.apply()  # fails if the process started without the switches
    contestant.run(prepare, "tensorflow", "keras")
