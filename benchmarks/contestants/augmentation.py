"""This project's augmentation of an epoch's images, and nothing else.

The environment has to have the switches of the numeric contract.
"""

import numpy as np

from benchmarks.contestants import contestant
from benchmarks.contestants.contestant import Task, TrainEpochs
from fmnist.train.augmentation import augment
from fmnist.train.recipe import Recipe


def prepare(task: Task, images: np.ndarray, labels: np.ndarray) -> tuple[TrainEpochs, None]:
    """Prepare for `contestant.run`; an "epoch" augments its images."""
    augmentation = Recipe.model_validate(task.recipe).augmentation
    return contestant.timed(lambda epoch: augment(images, augmentation, task.seed, epoch)), None


if __name__ == "__main__":
    contestant.run(prepare, "numpy")
