"""What every contestant of a race shares: its task, its turns, its clock, and its report.

A contestant trains the network of a recipe in a process of its own; where packages do not fit
together, in an environment of its own, too. So this file needs NumPy alone.
"""

import json
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib import metadata
from typing import Any

import numpy as np

READY = "ready"
TrainEpochs = Callable[[int], list[float]]
Classify = Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True)
class Task:
    """What to train, on what.

    Attributes:
        recipe: as in ``params.yaml``.
        data: folder of ``train.npz`` and ``validation.npz``, in the format of ``data/prepared``.
        images: an epoch sees the first so many training images.
        seed: of initial weights and of the order of images.
    """

    recipe: dict[str, Any]
    data: str
    images: int
    seed: int

    @property
    def batch_size(self) -> int:
        """Images whose gradients are averaged for an update."""
        return self.recipe["batch_size"]

    @property
    def widths(self) -> list[int]:
        """Width of each Dense layer, from the pixels to the ten classes."""
        return [28 * 28, *self.recipe["network"]["units"], 10]

    @property
    def learning_rate(self) -> float:
        """Rate of the optimizer; the schedule's peak."""
        return self.recipe["optimizer"]["learning_rate"]

    def order(self, epoch: int) -> np.ndarray:
        """Return the order in which an epoch sees its images: int64 [N]."""
        return np.random.default_rng([self.seed, epoch]).permutation(self.images)

    def load(self, split: str, count: int | None = None) -> tuple[np.ndarray, np.ndarray]:
        """Return a split's first images float32 [N, height, width] and labels int32 [N]."""
        with np.load(f"{self.data}/{split}.npz") as arrays:
            return arrays["images"][:count], arrays["labels"][:count].astype(np.int32)


def run(
    prepare: Callable[[Task, np.ndarray, np.ndarray], tuple[TrainEpochs, Classify | None]],
    *packages: str,
) -> None:
    """Do the task on the command line; print seconds, accuracy and versions of ``packages``.

    The schedule of the recipe spans its epochs. The first is left out: it compiles.

    Args:
        prepare: builds the network, and puts the training images where they are used from. Returns
            a function that trains for a number of epochs, each image once in each, and returns the
            seconds of each, without the wait for its turn; and one that returns the classes [N] of
            images [N, height, width], or None if nothing is learned.
    """
    task = Task(**json.loads(sys.argv[-1]))
    train_epochs, classify = prepare(task, *task.load("train", task.images))
    report: dict[str, Any] = {"seconds": train_epochs(task.recipe["epochs"])[1:]}
    if classify is not None:
        images, labels = task.load("validation")
        report["val_accuracy"] = float((classify(images) == labels).mean())
    report["packages"] = {name: metadata.version(name) for name in packages}
    print(json.dumps(report))


def wait_for_turn() -> None:
    """Print `READY` and wait for a line on the standard input: so contestants alternate."""
    print(READY, flush=True)
    sys.stdin.readline()


def timed(run_epoch: Callable[[int], object]) -> TrainEpochs:
    """Return a function that runs epochs 1, 2, ... and returns the seconds of each.

    Args:
        run_epoch: returns when the epoch is done.
    """

    def train_epochs(epochs: int) -> list[float]:
        seconds = []
        for epoch in range(1, epochs + 1):
            wait_for_turn()
            start = time.perf_counter()
            run_epoch(epoch)
            seconds.append(time.perf_counter() - start)
        return seconds

    return train_epochs
