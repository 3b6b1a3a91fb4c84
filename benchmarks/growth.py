"""How time and memory of each stage grow with images, and with the width of the network.

Images are this checkout's, repeated; widths are the default recipe's, multiplied. For each size all
stages run in a clone of HEAD, each in a process of its own without DVC, with few epochs. An epoch
is the last one, with its validation and checkpoint, from line to line of what the stage prints.

A straight line is fitted to the values, whose constant is what starting takes, and an exponent to
what each size takes beyond the smallest (`benchmarks.scaling`). Peak memory is given as that
constant, next to what importing TensorFlow takes, and a multiple of the stage's data. Seconds on
the clock also depend on how fast the machine hands out memory and writes files; seconds in a
stage's own code do not.

Reads       HEAD, data/raw/
Writes      docs/bench/growth.json, docs/bench/growth.png
Usage       python -m benchmarks.growth [--rounds 3]
"""

import argparse
import sys
import tempfile
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from benchmarks import charts, process, raw_files, results, scaling
from benchmarks.scaling import Usage
from fmnist.dataset.classes import CLASSES
from fmnist.plot.canvas import BLUE, ORANGE
from fmnist.stage import command, parameters, yaml_file
from fmnist.versions.checkout import Checkout

EPOCHS = 2
IMAGES, WIDTHS = (1, 2, 4, 10), (0.5, 1, 2, 4, 8)
STAGES = {  # each with the data that it reads or writes
    "fetch": ("raw/*",),
    "preprocess": ("prepared/*.npz",),
    "train": ("prepared/train.npz", "prepared/validation.npz"),
    "evaluate": ("prepared/test.npz",),
    "plot": ("prepared/test.npz",),
}
ONE_EPOCH = "an epoch"
BY_IMAGES, BY_WIDTH = "images, multiples", "parameters, millions"
AXES = {BY_IMAGES: "Images, multiples of Fashion-MNIST", BY_WIDTH: "Parameters, millions"}
DRAWN = {"seconds": "Seconds", "mib": "Peak memory, MiB"}
MIB = 2**20


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.growth")
    parser.add_argument("--rounds", type=int, default=3, help="(default: %(default)s)")
    count = parser.parse_args().rounds
    raw_files.read()  # fails at once if they are missing
    by_images = [(images, 1) for images in IMAGES]
    by_width = [(1, width) for width in WIDTHS]
    usages: dict[tuple[int, float], list[Usage]] = {}
    tensorflow = []
    for number in range(1, count + 1):
        alone = process.run([sys.executable, "-c", "import tensorflow"], Path())
        tensorflow.append(alone.peak / MIB)
        for size in dict.fromkeys(by_images + by_width):
            usages.setdefault(size, []).append(run_size(*size))
            print(f"round {number}/{count}: images x{size[0]}, widths x{size[1]}", flush=True)

    parameter_counts = [weights(width) / 1e6 for width in WIDTHS]
    found = {
        "rounds": count,
        "epochs": EPOCHS,
        "tensorflow_mib": results.summary(tensorflow),
        BY_IMAGES: scaling.describe(IMAGES, [usages[size] for size in by_images]),
        BY_WIDTH: scaling.describe(parameter_counts, [usages[size] for size in by_width]),
    }
    print(results.line("importing TensorFlow, peak memory", found["tensorflow_mib"], "MiB"))
    for section in AXES:
        print(f"\n{scaling.table(section, found[section])}")
    results.write("growth", found)
    charts.save(draw(found), "growth")


def run_size(images: int, width: float) -> Usage:
    """Run all stages once; return what each used."""
    with tempfile.TemporaryDirectory(prefix="fmnist-growth-") as name:
        checkout, mirror = Checkout.create(Path(name, "clone"), "HEAD"), Path(name, "mirror")
        mirror.mkdir()
        raw_files.repeat(mirror, images)
        checkout.fetch_from(mirror)
        committed = yaml_file.load(checkout.folder / parameters.PATH)
        checkout.set(
            {
                "preprocess.validation_size": committed["preprocess"]["validation_size"] * images,
                "train.recipe": "mlp",
                "recipes.mlp.network.units": units(width),
                "recipes.mlp.epochs": EPOCHS,
            }
        )
        usage = {}
        for stage, patterns in STAGES.items():
            run = process.run(
                [sys.executable, "-m", f"stages.{stage}"], checkout.folder, checkout.environment
            )
            data = [path for of in patterns for path in (checkout.folder / "data").glob(of)]
            usage[stage] = {
                "seconds": run.seconds,
                "user_seconds": run.user_seconds,
                "mib": run.peak / MIB,
                "data": sum(path.stat().st_size for path in data) / MIB,
            }
            if stage == "train":
                usage[ONE_EPOCH] = {"seconds": last_epoch(run.lines)}
        return usage


def last_epoch(lines: Sequence[tuple[float, str]]) -> float:
    """Return the seconds between the lines of the last two epochs."""
    before, last = [second for second, line in lines if line.startswith("epoch ")][-2:]
    return last - before


def units(width: float) -> list[int]:
    """Return the default recipe's widths, multiplied."""
    recipe = yaml_file.load(parameters.PATH)["recipes"]["mlp"]
    return [round(width * of) for of in recipe["network"]["units"]]


def weights(width: float) -> int:
    """Return how many parameters the default recipe's network has with these widths."""
    layers = [28 * 28, *units(width), len(CLASSES)]
    return sum((before + 1) * after for before, after in pairwise(layers))


def draw(found: dict[str, Any]) -> Figure:
    """Draw medians of seconds and of memory against images and against parameters."""
    panels = {
        (AXES[section], DRAWN[unit]): {
            stage: (found[section]["sizes"], [each["median"] for each in of["measured"]])
            for stage, of in found[section][unit].items()
        }
        for section in AXES
        for unit in DRAWN
    }
    alone = found["tensorflow_mib"]["median"]
    for section in AXES:
        sizes = found[section]["sizes"]
        panels[AXES[section], DRAWN["mib"]]["TensorFlow"] = (sizes, [alone] * len(sizes))
    return charts.curves(
        panels,
        {"train": BLUE, ONE_EPOCH: BLUE, "preprocess": ORANGE},
        f"Cost of each stage, with {EPOCHS} epochs (medians of {found['rounds']} rounds)",
    )


if __name__ == "__main__":
    command.run(main)
