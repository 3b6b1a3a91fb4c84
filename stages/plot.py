"""Draw what people look at, and print the first predictions.

Reads       plots/history.csv, metrics/train.json, metrics/test.json, data/predictions.npz,
            data/prepared/test.npz, data/first_batch.npz
Writes      plots/*.png
Parameters  plot
"""

from pathlib import Path

import pandas as pd

from fmnist.dataset import pins
from fmnist.dataset.images import Images
from fmnist.plot import Plot, canvas, curves, galleries, per_class
from fmnist.plot.reliability import reliability
from fmnist.plot.table import table
from fmnist.predictions import probabilities as predictions
from fmnist.predictions.calibration import calibration
from fmnist.stage import lifecycle, parameters
from fmnist.stage.files import read_json

PLOTS = Path("plots")


def main() -> None:
    """Run the stage."""
    settings = parameters.read("plot", Plot)
    pins.check("prepare", "plot")

    history = pd.read_csv(PLOTS / "history.csv")
    saved_epoch = read_json(Path("metrics/train.json"))["epoch"]
    metrics = read_json(Path("metrics/test.json"))
    probabilities, labels = predictions.load(Path("data/predictions.npz"))
    test = Images.load(Path("data/prepared/test.npz"))
    batch = Images.load(Path("data/first_batch.npz"))
    first = Images(test.images[: settings.predictions], labels[: settings.predictions])

    canvas.apply_style()
    figures = {
        "accuracy": curves.curve(history, "accuracy", saved_epoch),
        "loss": curves.curve(history, "loss", saved_epoch),
        "confusion_matrix": per_class.confusion_matrix(labels, probabilities.argmax(axis=1)),
        "recall": per_class.recall(metrics, labels),
        "reliability": reliability(calibration(probabilities, labels)),
        "predictions": galleries.predictions(first, probabilities[: settings.predictions]),
        "mistakes": galleries.mistakes(test, probabilities, settings.mistakes),
        "training_images": galleries.training_images(batch, settings.training_images),
    }
    for name, figure in figures.items():
        canvas.save(figure, PLOTS / f"{name}.png", settings.dpi)
    print(table(first.labels, probabilities[: settings.predictions]))


if __name__ == "__main__":
    lifecycle.run("plot", main)
