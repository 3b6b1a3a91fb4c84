"""Time an epoch of the default recipe against what a user would pick instead, and the limits.

All make the same updates to the same network: 55,000 images, batches of 32, each image once, in
memory. The limits are the matrix products of that epoch alone, and the processor's peak.

Reads       params.yaml, data/prepared/, .peers/
Writes      docs/bench/epoch.json, docs/bench/epoch.png
Exit code   0, 1 if a contestant did not learn the same, 2 if this cannot run
"""

import argparse
import itertools
from pathlib import Path

from benchmarks import results, rounds
from benchmarks.contestant_process import Contestant
from benchmarks.contestants.contestant import Task
from benchmarks.rounds import FREE, OURS, PEAK, THREADS, THREADS_AVX2
from fmnist.stage import command, contract, parameters, yaml_file

EPOCHS, IMAGES, PREPARED = 4, 55_000, Path("data/prepared")
FIT = "Keras fit"
AVX2, ANY = "products alone, AVX2", "products alone, any instruction"
CONTESTANTS = {
    OURS: Contestant("ours", ("contract",), environment=contract.SWITCHES),
    FREE: Contestant("ours", ("free",)),
    FIT: Contestant("keras_fit", ("{}",)),
    "Keras fit, tuned": Contestant("keras_fit", ('{"steps_per_execution": 100}',)),
    "PyTorch": Contestant("pytorch", ("eager",), peer="pytorch"),
    "PyTorch, compiled": Contestant("pytorch", ("compile",), peer="pytorch"),
    "JAX, jitted scan": Contestant("jax_scan", peer="jax"),
    "NumPy by hand": Contestant("numpy_by_hand", environment=THREADS),
    "scikit-learn": Contestant("scikit_learn", environment=THREADS),
    AVX2: Contestant("products", environment=THREADS_AVX2),
    ANY: Contestant("products", environment=THREADS),
    PEAK: Contestant("peak", environment=THREADS_AVX2),
}


def main() -> int:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.epoch")
    parser.add_argument("--rounds", type=int, default=5, help="(default: %(default)s)")
    count = parser.parse_args().rounds
    recipe = yaml_file.load(parameters.PATH)["recipes"]["mlp"] | {"epochs": EPOCHS}
    task = Task(recipe, str(PREPARED), IMAGES, seed=0)
    records = rounds.race(CONTESTANTS, task, count)

    gflop = operations(task) / 1e9
    speed = rounds.limit_by_peak(records, gflop)
    title = (
        f"An epoch of the default recipe, {task.images:,} images in batches of {task.batch_size}"
    )
    found = rounds.report("epoch", title, records, OURS)
    results.write("epoch", found | {"gflop": round(gflop, 2), "peak_gflops": round(speed, 1)})
    return int(bool(found["unlike"]))


def operations(task: Task) -> int:
    """Return the floating-point operations of the matrix products of an epoch.

    A layer has three; the first one two, because no step needs the gradient of the pixels.
    """
    widths = list(itertools.pairwise(task.widths))
    products = 3 * sum(inputs * outputs for inputs, outputs in widths) - widths[0][0] * widths[0][1]
    return 2 * products * task.images


if __name__ == "__main__":
    command.run(main)
