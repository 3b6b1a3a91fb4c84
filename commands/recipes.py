"""Print the table of recipes, and draw accuracy against training FLOPs among published results.

Reads       params.yaml, metrics/seeds.csv, docs/recipes/published.csv
Writes      docs/recipes/accuracy.png
Exit code   0, or 2 if a file is damaged
"""

import csv
from dataclasses import dataclass
from pathlib import Path

from matplotlib.figure import Figure

from fmnist.network import tensorflow_contract
from fmnist.pipeline.recipe_size import Size, size
from fmnist.plot import canvas
from fmnist.plot.canvas import BLUE, GREY
from fmnist.stage import command, parameters, yaml_file
from fmnist.train.recipe import Recipe
from fmnist.versions import seeds

PUBLISHED = Path("docs/recipes/published.csv")
PLOT = Path("docs/recipes/accuracy.png")
IMAGES = 60_000  # in the training files


@dataclass(frozen=True)
class Point:
    """A result; it is hollow where the epoch was chosen on the test images."""

    name: str
    accuracy: float
    deviation: float
    operations: int
    is_hollow: bool


def main() -> None:
    """Run the command."""
    tensorflow_contract.apply(threads=1)
    values, table = yaml_file.load(parameters.PATH), seeds.read()
    images = IMAGES - values["preprocess"]["validation_size"]
    print("| recipe | test accuracy | with flips | seeds | parameters | multiply-adds | TFLOP |")
    print("|---|---|---|---|---|---|---|")
    points = published(PUBLISHED)
    for name in values["recipes"]:
        found = size(parameters.read(f"recipes.{name}", Recipe), images)
        rows = [row for row in table if row.recipe == name]
        print(row_of(name, found, rows))
        if rows:
            accuracy = seeds.spread([row.accuracy for row in rows])
            deviation = accuracy.deviation or 0.0
            points.append(Point(f"`{name}`", accuracy.mean, deviation, found.operations, False))
    canvas.apply_style()
    canvas.save(draw(points), PLOT, dpi=100)


def row_of(name: str, found: Size, rows: list[seeds.Row]) -> str:
    """Return a row of Markdown: a recipe, the accuracy of its seeds, and its size."""
    flipped = [row.flip_accuracy for row in rows if row.flip_accuracy is not None]
    return (
        f"| `{name}` | {_mean([row.accuracy for row in rows])} | {_mean(flipped)} | {len(rows)} |"
        f" {found.parameters:,} | {found.multiply_adds / 1e6:.2f} million |"
        f" {found.operations / 1e12:,.1f} |"
    )


def published(path: Path) -> list[Point]:
    """Return the published results, whose operations are counted as `size` does."""
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


def draw(points: list[Point]) -> Figure:
    """Draw accuracy against operations; this project's recipes are the names in backticks."""
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
