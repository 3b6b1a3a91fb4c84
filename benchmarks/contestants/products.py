"""The matrix products of an epoch and nothing else, by NumPy's BLAS: no epoch can avoid them."""

import itertools

import numpy as np

from benchmarks.contestants import contestant
from benchmarks.contestants.contestant import Task, TrainEpochs


def prepare(task: Task, images: np.ndarray, labels: np.ndarray) -> tuple[TrainEpochs, None]:
    """Prepare the products of Dense layers for `contestant.run`."""
    random = np.random.default_rng(task.seed)
    shapes = list(itertools.pairwise(task.widths))

    def products(batch: int) -> list[tuple[np.ndarray, np.ndarray, np.ndarray]]:
        """Return each product of a step: its factors and an array for its result."""
        found = []
        for layer, (inputs, outputs) in enumerate(shapes):
            x, kernel = normal(batch, inputs), normal(inputs, outputs)
            found.append((x, kernel, normal(batch, outputs)))
            gradient = normal(batch, outputs)
            found.append((x.T, gradient, normal(inputs, outputs)))
            if layer:  # no step needs the gradient of the pixels
                found.append((gradient, kernel.T, normal(batch, inputs)))
        return found

    def normal(*shape: int) -> np.ndarray:
        return random.standard_normal(shape, np.float32)

    whole, rest = divmod(task.images, task.batch_size)
    steps = [(products(task.batch_size), whole), (products(rest), 1 if rest else 0)]

    def run_epoch(epoch: int) -> None:
        for factors, count in steps:
            for _ in range(count):
                for left, right, result in factors:
                    np.matmul(left, right, out=result)

    return contestant.timed(run_epoch), None


if __name__ == "__main__":
    contestant.run(prepare, "numpy")
