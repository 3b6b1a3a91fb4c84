"""scikit-learn's ``MLPClassifier``."""

import numpy as np
from sklearn.neural_network import MLPClassifier

from benchmarks.contestants import contestant
from benchmarks.contestants.contestant import Classify, Task, TrainEpochs


def prepare(task: Task, images: np.ndarray, labels: np.ndarray) -> tuple[TrainEpochs, Classify]:
    """Prepare a network of Dense layers for `contestant.run`."""
    classifier = MLPClassifier(
        task.widths[1:-1],
        solver="sgd",
        alpha=0,
        batch_size=task.batch_size,
        learning_rate_init=task.learning_rate,
        momentum=0,
        random_state=task.seed,
    )
    pixels = images.reshape(len(images), -1)

    def run_epoch(epoch: int) -> None:
        classifier.partial_fit(pixels, labels, classes=range(10))

    def classify(images: np.ndarray) -> np.ndarray:
        return classifier.predict(images.reshape(len(images), -1))

    return contestant.timed(run_epoch), classify


if __name__ == "__main__":
    contestant.run(prepare, "scikit-learn", "numpy")
