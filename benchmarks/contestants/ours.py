"""This project's compiled epoch, under the switches of the numeric contract."""

import numpy as np

from benchmarks.contestants import contestant
from benchmarks.contestants.contestant import Predict, Task, TrainEpochs
from fmnist import contract, tensorflow_contract
from fmnist.train.parameters import Recipe


def prepare(task: Task, images: np.ndarray, labels: np.ndarray) -> tuple[TrainEpochs, Predict]:
    """Build what `contestant.run` asks for."""
    recipe = Recipe.model_validate(task.recipe)
    tensorflow_contract.apply(recipe.threads)

    import keras
    import tensorflow as tf

    from fmnist.inference import Predictor
    from fmnist.train import network, optimizer
    from fmnist.train.augmentation import augment
    from fmnist.train.epoch import compile_epoch

    keras.utils.set_random_seed(task.seed)
    model = network.build(recipe.network, images.shape[1:])
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
    contract.apply()
    contestant.run(prepare, "tensorflow", "keras")
