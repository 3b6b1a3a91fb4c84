"""Keras' own ``fit``, in one call; the program's argument has more for ``compile``, as JSON."""

import json
import sys
import time

import keras
import numpy as np

from benchmarks.contestants import contestant
from benchmarks.contestants.contestant import Classify, Task, TrainEpochs


def prepare(task: Task, images: np.ndarray, labels: np.ndarray) -> tuple[TrainEpochs, Classify]:
    """Prepare a network of Dense layers for `contestant.run`."""
    keras.utils.set_random_seed(task.seed)
    hidden = [keras.layers.Dense(width, activation="relu") for width in task.widths[1:-1]]
    model = keras.Sequential(
        [
            keras.Input(images.shape[1:]),
            keras.layers.Flatten(),
            *hidden,
            keras.layers.Dense(task.widths[-1], activation="softmax"),
        ]
    )
    model.compile(
        optimizer=keras.optimizers.SGD(task.learning_rate),
        loss="sparse_categorical_crossentropy",
        metrics=["accuracy"],
        **json.loads(sys.argv[1]),
    )

    def train_epochs(epochs: int) -> list[float]:
        starts, ends = [], []

        def start(epoch: int, logs: object) -> None:
            contestant.wait_for_turn()
            starts.append(time.perf_counter())

        clock = keras.callbacks.LambdaCallback(
            on_epoch_begin=start,
            on_epoch_end=lambda epoch, logs: ends.append(time.perf_counter()),
        )
        model.fit(
            images,
            labels,
            batch_size=task.batch_size,
            epochs=epochs,
            verbose=0,
            callbacks=[clock],
        )
        return [end - begin for begin, end in zip(starts, ends, strict=True)]

    return train_epochs, lambda images: model.predict(images, verbose=0).argmax(axis=1)


if __name__ == "__main__":
    contestant.run(prepare, "tensorflow", "keras")
