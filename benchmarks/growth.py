"""How seconds and memory of each stage grow with images, and with the width of the network.

Images are this checkout's, repeated; widths are the default recipe's, multiplied. For each size all
stages run in a clone of HEAD, each in a process of its own without DVC, with few epochs. An epoch
is the last one, with its validation and checkpoint, from line to line of what the stage prints.

A straight line is fitted to the costs, whose constant is what starting costs, and an exponent to
what each size costs beyond the smallest (`benchmarks.scaling`). Peak memory is told as that
constant, beside what importing TensorFlow takes, and a multiple of the data that a stage is given.
Seconds in a stage's own code stand beside those from its start to its end, which depend on how fast
the machine hands out memory and writes files, too.

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
from typing import TYPE_CHECKING, Any

from benchmarks import process, results
from fmnist import command, contract, parameters
from fmnist.classes import CLASSES
from versions import raw_files
from versions.checkout import Checkout

if TYPE_CHECKING:
    from matplotlib.figure import Figure

EPOCHS = 2
IMAGES, WIDTHS = (1, 2, 4, 10), (0.5, 1, 2, 4, 8)
STAGES = {  # and the data that each is given, or makes
    "fetch": ("raw/*",),
    "preprocess": ("prepared/*.npz",),
    "train": ("prepared/train.npz", "prepared/validation.npz"),
    "evaluate": ("prepared/test.npz",),
    "plot": ("prepared/test.npz",),
}
EPOCH = "an epoch"
BY_IMAGES, BY_WIDTH = "images, multiples", "parameters, millions"
AXES = {BY_IMAGES: "Images, multiples of Fashion-MNIST", BY_WIDTH: "Parameters, millions"}
DRAWN = {"seconds": "Seconds", "mib": "Peak memory, MiB"}
MIB = 2**20
Costs = dict[str, dict[str, float]]  # of each stage: both seconds, peak memory and data in MiB


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.growth")
    parser.add_argument("--rounds", type=int, default=3, help="(default: %(default)s)")
    count = parser.parse_args().rounds
    raw_files.files()
    by_images = [(images, 1) for images in IMAGES]
    by_width = [(1, width) for width in WIDTHS]
    costs: dict[tuple[int, float], list[Costs]] = {}
    tensorflow = []
    for number in range(1, count + 1):
        alone = process.run([sys.executable, "-c", "import tensorflow"], Path())
        tensorflow.append(alone.peak / MIB)
        for size in dict.fromkeys(by_images + by_width):
            costs.setdefault(size, []).append(run_size(*size))
            print(f"round {number}/{count}: images x{size[0]}, widths x{size[1]}", flush=True)

    contract.apply()
    # NumPy and Matplotlib come after all processes, which would count this one's memory as theirs.
    from benchmarks import pictures, scaling

    parameter_counts = [weights(width) / 1e6 for width in WIDTHS]
    found = {
        "rounds": count,
        "epochs": EPOCHS,
        "tensorflow_mib": results.summary(tensorflow),
        BY_IMAGES: scaling.describe(IMAGES, [costs[size] for size in by_images]),
        BY_WIDTH: scaling.describe(parameter_counts, [costs[size] for size in by_width]),
    }
    print(results.line("importing TensorFlow, peak memory", found["tensorflow_mib"], "MiB"))
    for section in AXES:
        print(f"\n{scaling.table(section, found[section])}")
    results.write("growth", found)
    pictures.save(draw(found), results.FOLDER / "growth.png")


def run_size(images: int, width: float) -> Costs:
    """Run all stages once; return seconds, memory and data of each, the latter two in MiB."""
    with tempfile.TemporaryDirectory(prefix="fmnist-growth-") as name:
        checkout, mirror = Checkout.clone(Path(name, "clone"), "HEAD"), Path(name, "mirror")
        mirror.mkdir()
        for path in raw_files.files():
            raw_files.repeat(path, mirror / path.name, images)
        checkout.fetch_from(mirror)
        committed = parameters.load(checkout.folder / parameters.PATH)
        checkout.set(
            {
                "preprocess.validation_size": committed["preprocess"]["validation_size"] * images,
                "train.recipe": "mlp",
                "recipes.mlp.network.units": units(width),
                "recipes.mlp.epochs": EPOCHS,
            }
        )
        costs = {}
        for stage, patterns in STAGES.items():
            run = process.run(
                [sys.executable, "-m", f"stages.{stage}"], checkout.folder, checkout.environment
            )
            data = [path for of in patterns for path in (checkout.folder / "data").glob(of)]
            size = sum(path.stat().st_size for path in data)
            costs[stage] = {
                "seconds": run.seconds,
                "user_seconds": run.user_seconds,
                "mib": run.peak / MIB,
                "data": size / MIB,
            }
            if stage == "train":
                costs[EPOCH] = {"seconds": last_epoch(run.lines)}
        return costs


def last_epoch(lines: Sequence[tuple[float, str]]) -> float:
    """Return the seconds between the lines of the last two epochs."""
    before, last = [second for second, line in lines if line.startswith("epoch ")][-2:]
    return last - before


def units(width: float) -> list[int]:
    """Return the default recipe's widths, multiplied."""
    return [round(width * of) for of in parameters.load()["recipes"]["mlp"]["network"]["units"]]


def weights(width: float) -> int:
    """Return how many parameters the default recipe's network has with these widths."""
    layers = [28 * 28, *units(width), len(CLASSES)]
    return sum((before + 1) * after for before, after in pairwise(layers))


def draw(found: dict[str, Any]) -> "Figure":
    """Draw medians of seconds and of memory against images and against parameters."""
    from benchmarks import pictures
    from fmnist.plot.canvas import BLUE, ORANGE

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
    return pictures.curves(
        panels,
        {"train": BLUE, EPOCH: BLUE, "preprocess": ORANGE},
        f"Cost of each stage, with {EPOCHS} epochs (medians of {found['rounds']} rounds)",
    )


if __name__ == "__main__":
    command.run(main)
