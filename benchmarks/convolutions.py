"""Time an epoch of each convolutional recipe against the same network in PyTorch.

All make the same updates to the same network, over a fifth of the training images, each image once,
in memory. None augments them; how long augmentation would take is measured separately.

Reads       params.yaml, data/prepared/, .peers/
Writes      docs/bench/<recipe>.json, docs/bench/<recipe>.png
Exit code   0, 1 if a contestant did not learn the same, 2 if this cannot run
"""

import argparse
import dataclasses
import statistics

from fmnist.network import tensorflow_contract
from benchmarks import results, rounds
from benchmarks.contestant_process import Contestant
from benchmarks.contestants.contestant import Task
from benchmarks.epoch import PREPARED
from benchmarks.rounds import FREE, OURS, PEAK, THREADS_AVX2
from fmnist.pipeline.recipe_size import size
from fmnist.stage import command, contract, parameters, yaml_file
from fmnist.train.recipe import CNN, Recipe

EPOCHS, IMAGES = 4, 11_000
AVX2 = {"ONEDNN_MAX_CPU_ISA": "AVX2", "ATEN_CPU_CAPABILITY": "avx2"}
CONTESTANTS = {
    OURS: Contestant("ours", ("contract",), environment=contract.SWITCHES),
    FREE: Contestant("ours", ("free",)),
    "PyTorch": Contestant("pytorch_convolutions", ("contiguous",), peer="pytorch"),
    "PyTorch, channels last": Contestant(
        "pytorch_convolutions", ("channels_last",), peer="pytorch"
    ),
    "PyTorch, channels last, AVX2": Contestant(
        "pytorch_convolutions", ("channels_last",), peer="pytorch", environment=AVX2
    ),
    PEAK: Contestant("peak", environment=THREADS_AVX2),
}
AUGMENTATION = Contestant("augmentation", environment=contract.SWITCHES)


def main() -> int:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.convolutions")
    parser.add_argument("--rounds", type=int, default=3, help="(default: %(default)s)")
    count = parser.parse_args().rounds
    tensorflow_contract.apply(threads=1)  # starts TensorFlow without its messages
    is_alike = True
    for name, values in yaml_file.load(parameters.PATH)["recipes"].items():
        recipe = Recipe.model_validate(values)
        if isinstance(recipe.network, CNN):
            task = Task(values | {"epochs": EPOCHS}, str(PREPARED), IMAGES, seed=0)
            is_alike &= _compare(name, recipe, task, count)
    return int(not is_alike)


def _compare(name: str, recipe: Recipe, task: Task, count: int) -> bool:
    """Write the results of a recipe; return whether all learned the same."""
    plain = dataclasses.replace(task, recipe=task.recipe | {"augmentation": None})
    records = rounds.race(CONTESTANTS, plain, count)
    augmentation = statistics.median(AUGMENTATION.run(task)["seconds"])
    share = augmentation / statistics.median(records[OURS].seconds)
    gflop = size(recipe, task.images).operations / recipe.epochs / 1e9
    sustained = {
        contestant: round(gflop / statistics.median(record.seconds), 1)
        for contestant, record in records.items()
        if contestant != PEAK
    }
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


if __name__ == "__main__":
    command.run(main)
