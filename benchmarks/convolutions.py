"""Time an epoch of each convolutional recipe against the same network in PyTorch.

All make the same updates to the same network, over a fifth of the training images, each image once,
in memory. None augments them; how long augmentation would take is measured separately.

Reads       params.yaml, data/prepared/, .peers/
Writes      docs/bench/<recipe>.json, docs/bench/<recipe>.png
Exit code   0, 1 if a contestant did not learn the same, 2 if this cannot run
"""

# First: importing commands applies the numeric contract, which has to precede NumPy.
from commands import recipes  # isort: skip

import argparse
import statistics
import time

from benchmarks import results, rounds
from benchmarks.contestants.contestant import Task
from benchmarks.epoch import PREPARED
from benchmarks.rounds import OURS, PEAK, THREADS_AVX2, Contestant
from fmnist.stage import command, contract, parameters, yaml_file
from fmnist.train.augmentation import augment
from fmnist.train.recipe import CNN, Recipe

EPOCHS, IMAGES = 4, 11_000
AVX2 = {"ONEDNN_MAX_CPU_ISA": "AVX2", "ATEN_CPU_CAPABILITY": "avx2"}  # as in the contract
CONTESTANTS = {
    OURS: Contestant("ours", environment=contract.SWITCHES),
    "PyTorch": Contestant("pytorch_convolutions", ("contiguous",), peer="pytorch"),
    "PyTorch, channels last": Contestant(
        "pytorch_convolutions", ("channels_last",), peer="pytorch"
    ),
    "PyTorch, channels last, AVX2": Contestant(
        "pytorch_convolutions", ("channels_last",), peer="pytorch", environment=AVX2
    ),
    PEAK: Contestant("peak", environment=THREADS_AVX2),
}


def main() -> int:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.convolutions")
    parser.add_argument("--rounds", type=int, default=3, help="(default: %(default)s)")
    count = parser.parse_args().rounds
    is_alike = True
    for name, values in yaml_file.load(parameters.PATH)["recipes"].items():
        recipe = Recipe.model_validate(values | {"epochs": EPOCHS})
        if isinstance(recipe.network, CNN):
            plain = values | {"epochs": EPOCHS, "augmentation": None}
            is_alike &= _compare(name, recipe, Task(plain, str(PREPARED), IMAGES, seed=0), count)
    return int(not is_alike)


def _compare(name: str, recipe: Recipe, task: Task, count: int) -> bool:
    """Write the results of a recipe; return whether all learned the same."""
    records = rounds.race(CONTESTANTS, task, count)
    gflop = recipes.cost(recipe, task.images).operations / recipe.epochs / 1e9
    sustained = {
        contestant: round(gflop / statistics.median(record.seconds), 1)
        for contestant, record in records.items()
        if contestant != PEAK
    }
    share = _augmentation(recipe, task) / statistics.median(records[OURS].seconds)
    speed = rounds.limit_by_peak(records, gflop)
    title = f"An epoch of {name} over {task.images:,} images in batches of {task.batch_size}"
    found = rounds.report(name, title, records, OURS)
    print(f"GFLOP/s sustained: {sustained}")
    print(f"augmentation: {share:.1%} of this project's epoch")
    results.write(
        name,
        found
        | {
            "gflop": round(gflop, 1),
            "peak_gflops": round(speed, 1),
            "sustained_gflops": sustained,
            "augmentation_share": round(share, 4),
        },
    )
    return not found["unlike"]


def _augmentation(recipe: Recipe, task: Task) -> float:
    """Return the seconds that augmenting the images of an epoch takes; median of five."""
    images, _ = task.load("train", task.images)
    seconds = []
    for epoch in range(5):
        start = time.perf_counter()
        augment(images, recipe.augmentation, task.seed, epoch)
        seconds.append(time.perf_counter() - start)
    return statistics.median(seconds)


if __name__ == "__main__":
    command.run(main)
