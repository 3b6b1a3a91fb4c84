"""What each recipe costs, and its accuracy against training FLOPs among published results.

A training is reckoned at 6 floating-point operations for each multiply-add of a prediction, 2
forward and 4 backward; normalization, activation, pooling and updates are left out, on all sides.

Reads       params.yaml, metrics/seeds.csv, docs/recipes/published.csv
Writes      docs/recipes/accuracy.png
Usage       python -m benchmarks.recipes
"""

import csv
import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from fmnist import command, contract, parameters, tensorflow_contract
from fmnist.train.parameters import Recipe
from versions import seeds

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PUBLISHED = Path("docs/recipes/published.csv")
PICTURE = Path("docs/recipes/accuracy.png")
IMAGES, SHAPE = 60_000, (28, 28)  # of the training files


@dataclass(frozen=True)
class Cost:
    """What a recipe costs.

    Attributes:
        parameters: numbers that are trained.
        multiply_adds: of convolutions and Dense layers, for one image's prediction.
        operations: floating-point, of the whole training.
    """

    parameters: int
    multiply_adds: int
    operations: int


@dataclass(frozen=True)
class Point:
    """A result; it is hollow where the epoch was chosen on the test images."""

    name: str
    accuracy: float
    deviation: float
    operations: int
    is_hollow: bool


def main() -> None:
    """Print a row for each recipe, and draw those that have seeds among published results."""
    contract.apply()  # before the imports that follow
    tensorflow_contract.apply(threads=1)

    from fmnist.plot import canvas

    values, table = parameters.load(), seeds.read()
    images = IMAGES - values["preprocess"]["validation_size"]
    print("| recipe | test accuracy | with flips | seeds | parameters | multiply-adds | TFLOP |")
    print("|---|---|---|---|---|---|---|")
    points = published(PUBLISHED)
    for name in values["recipes"]:
        found = cost(parameters.read(f"recipes.{name}", Recipe), images)
        rows = [row for row in table if row.recipe == name]
        print(row_of(name, found, rows))
        if rows:
            accuracy = seeds.spread([row.accuracy for row in rows])
            deviation = accuracy.deviation or 0.0
            points.append(Point(f"`{name}`", accuracy.mean, deviation, found.operations, False))
    canvas.apply_style()
    canvas.save(draw(points), PICTURE, dpi=100)


def row_of(name: str, found: Cost, rows: list[seeds.Row]) -> str:
    """Return a row of Markdown: a recipe, what its seeds reach, and what it costs."""
    flipped = [row.flip_accuracy for row in rows if row.flip_accuracy is not None]
    return (
        f"| `{name}` | {_mean([row.accuracy for row in rows])} | {_mean(flipped)} | {len(rows)} |"
        f" {found.parameters:,} | {found.multiply_adds / 1e6:.2f} million |"
        f" {found.operations / 1e12:,.1f} |"
    )


def cost(recipe: Recipe, images: int) -> Cost:
    """Count the cost of a recipe that sees ``images`` images an epoch."""
    import keras

    from fmnist.train import network

    model = network.build(recipe.network, SHAPE)
    multiply_adds = sum(
        math.prod(layer.kernel.shape) * math.prod(layer.output.shape[1:-1])
        for layer in model.layers
        if isinstance(layer, keras.layers.Conv2D | keras.layers.Dense)
    )
    trained = sum(math.prod(variable.shape) for variable in model.trainable_variables)
    return Cost(trained, multiply_adds, 6 * multiply_adds * images * recipe.epochs)


def published(path: Path) -> list[Point]:
    """Return results that say enough to be placed."""
    with path.open(encoding="utf-8", newline="") as file:
        return [
            Point(
                row["name"],
                float(row["accuracy"]),
                0.0,
                6 * int(row["multiply_adds"]) * int(row["images"]) * int(row["epochs"]),
                row["note"].startswith("best epoch on the test images"),
            )
            for row in csv.DictReader(file)
        ]


def draw(points: list[Point]) -> "Figure":
    """Draw accuracy against operations; this project's recipes are the names in backticks."""
    from matplotlib.figure import Figure

    from fmnist.plot.canvas import BLUE, GREY

    figure = Figure(figsize=(10, 5.4))
    axes = figure.subplots()
    for point in points:
        is_ours = point.name.startswith("`")
        colour = BLUE if is_ours else GREY
        axes.errorbar(
            point.operations,
            point.accuracy,
            yerr=point.deviation or None,
            fmt="o",
            color=colour,
            mfc="white" if point.is_hollow else colour,
            ms=8 if is_ours else 6,
        )
        axes.annotate(
            point.name.strip("`"),
            (point.operations, point.accuracy),
            xytext=(-9, -5) if is_ours else (0, 9),
            textcoords="offset points",
            ha="right" if is_ours else "center",
            color="black" if is_ours else "dimgray",
            fontsize=12 if is_ours else 9,
            fontweight="bold" if is_ours else "normal",
        )
    axes.set_xscale("log")
    axes.margins(x=0.12, y=0.1)
    axes.set(
        title="Test accuracy against the cost of training\n(blue: this project, mean ± sd of seeds;"
        " hollow: epoch chosen on the test images)",
        xlabel="Floating-point operations of the training",
        ylabel="Test accuracy",
    )
    return figure


def _mean(figures: list[float]) -> str:
    return str(seeds.spread(figures)).partition(" (")[0] if figures else "not run"


if __name__ == "__main__":
    command.run(main)
