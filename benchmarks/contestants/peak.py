"""The processor's peak: a large product of matrices, by NumPy's BLAS."""

import numpy as np

from benchmarks.contestants import contestant
from benchmarks.contestants.contestant import Task, TrainEpochs

SIZE = 2048


def gflops(seconds: list[float]) -> list[float]:
    """Return 1e9 floating-point operations a second, of products that took so long."""
    return [2 * SIZE**3 / each / 1e9 for each in seconds]


def prepare(task: Task, images: np.ndarray, labels: np.ndarray) -> tuple[TrainEpochs, None]:
    """Prepare for `contestant.run`; an "epoch" is one product."""
    random = np.random.default_rng(task.seed)
    left, right, result = random.standard_normal((3, SIZE, SIZE), np.float32)
    return contestant.timed(lambda epoch: np.matmul(left, right, out=result)), None


if __name__ == "__main__":
    contestant.run(prepare, "numpy")
