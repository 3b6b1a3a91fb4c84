"""Draw what a person looks at, and print the first predictions.

Reads       plots/history.csv, metrics/train.json, metrics/test.json, data/predictions.npz,
            data/prepared/test.npz, data/first_batch.npz
Writes      plots/*.png
Parameters  plot
"""

from pathlib import Path

from fmnist import contract, parameters, pins, stage
from fmnist.plot.parameters import Plot

PLOTS = Path("plots")


def main() -> None:
    """Run the stage."""
    settings = parameters.read("plot", Plot)
    pins.check("prepare", "plot")
    contract.apply()  # before the imports that follow

    import pandas as pd

    from fmnist import predictions
    from fmnist.calibration import calibration
    from fmnist.dataset import Images
    from fmnist.files import read_json
    from fmnist.plot import canvas, classes, curves, images
    from fmnist.plot.reliability import reliability
    from fmnist.plot.table import table

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
        "confusion_matrix": classes.confusion_matrix(labels, probabilities.argmax(axis=1)),
        "recall": classes.recall(metrics, labels),
        "reliability": reliability(calibration(probabilities, labels)),
        "predictions": images.predictions(first, probabilities[: settings.predictions]),
        "mistakes": images.mistakes(test, probabilities, settings.mistakes),
        "training_images": images.training_images(batch, settings.training_images),
    }
    for name, figure in figures.items():
        canvas.save(figure, PLOTS / f"{name}.png", settings.dpi)
    print(table(first.labels, probabilities[: settings.predictions]))


if __name__ == "__main__":
    stage.run("plot", main)
