"""Time an epoch of each convolutional recipe against the same network in PyTorch.

All make the same updates to the same network, over a fifth of the training images, every image
once, in memory. PyTorch is spared the augmentation, whose share of our time is measured.

Reads       params.yaml, data/prepared/, .peers/
Writes      docs/bench/<recipe>.json, docs/bench/<recipe>.png
Exit code   0, 1 if a contestant did not learn the same, 2 if it could not run
"""

import argparse
import statistics
import time
from typing import Any

from benchmarks import recipes, results, rounds
from benchmarks.contestants import peak
from benchmarks.contestants.contestant import Task
from benchmarks.epoch import OURS, PEAK, PREPARED, THREADS
from benchmarks.rounds import Contestant
from fmnist import command, contract, parameters
from fmnist.train.parameters import CNN, Recipe

EPOCHS = 4
CONTESTANTS = {
    OURS: Contestant("ours", environment=contract.SWITCHES),
    "PyTorch": Contestant("pytorch_convolutions", ("contiguous",), peer="pytorch"),
    "PyTorch, channels last": Contestant(
        "pytorch_convolutions", ("channels_last",), peer="pytorch"
    ),
    PEAK: Contestant("peak", environment=THREADS | {"OPENBLAS_CORETYPE": "Haswell"}),
}


def main() -> int:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.convolutions")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--images", type=int, default=11_000)
    arguments = parser.parse_args()
    contract.apply()
    contract.apply_to_tensorflow(threads=1)
    unlike = []
    for name, values in parameters.load()["recipes"].items():
        recipe = Recipe.model_validate(values | {"epochs": EPOCHS})
        if isinstance(recipe.network, CNN):
            task = Task(values | {"epochs": EPOCHS}, str(PREPARED), arguments.images, seed=0)
            unlike += _compare(name, recipe, task, arguments.rounds)
    for contestant in unlike:
        print(f"error: {contestant} did not learn the same")
    return int(bool(unlike))


def _compare(name: str, recipe: Recipe, task: Task, count: int) -> list[str]:
    """Write the results of a recipe; return who did not learn the same."""
    print(f"\n{name}", flush=True)
    records = rounds.race(CONTESTANTS, task, count)
    speed = statistics.median(peak.gflops(records.pop(PEAK).seconds))
    gflop = recipes.cost(recipe, task.images).operations / recipe.epochs / 1e9
    unlike = rounds.unlike(records, OURS)
    found: dict[str, Any] = {
        "task": f"an epoch of {name}, batch {task.batch_size}, {task.images} images",
        "gflop": round(gflop, 1),
        "peak_gflops": round(speed, 1),
        "contestants": results.table(records, OURS),
        "sustained_gflops": {
            contestant: round(gflop / statistics.median(record.seconds), 1)
            for contestant, record in records.items()
        },
        "augmentation_share": round(
            _augmentation(recipe, task) / statistics.median(records[OURS].seconds), 4
        ),
        "learnt_otherwise": unlike,
    }
    print(f"GFLOP/s sustained: {found['sustained_gflops']}, peak {speed:.0f}")
    print(f"augmentation: {found['augmentation_share']:.1%} of this project's epoch")
    results.write(name, found)
    title = f"An epoch of {name} over {task.images:,} images"
    results.draw(name, title, records, OURS, limit=("the processor's peak", gflop / speed))
    return [f"{name}: {contestant}" for contestant in unlike]


def _augmentation(recipe: Recipe, task: Task) -> float:
    """Return the seconds that the images of an epoch take to be changed; median of five."""
    from fmnist.train.augmentation import augment

    images, _ = task.load("train", task.images)
    seconds = []
    for epoch in range(5):
        start = time.perf_counter()
        augment(images, recipe.augmentation, task.seed, epoch)
        seconds.append(time.perf_counter() - start)
    return statistics.median(seconds)


if __name__ == "__main__":
    command.run(main)
