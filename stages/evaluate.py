"""Predict every test image once, and measure.

Reads       models/model.keras, data/prepared/test.npz
Writes      data/predictions.npz, metrics/test.json, plots/predictions.csv
Parameters  evaluate
"""

from pathlib import Path

from fmnist.network import tensorflow_contract
from fmnist.dataset import pins
from fmnist.dataset.classes import CLASSES
from fmnist.dataset.images import Images
from fmnist.evaluate import Evaluate
from fmnist.evaluate.loading import load
from fmnist.evaluate.metrics import measure
from fmnist.network.prediction import Predictor
from fmnist.predictions import probabilities as predictions
from fmnist.stage import lifecycle, parameters
from fmnist.stage.files import write_json, write_rows


def main() -> None:
    """Run the stage."""
    settings = parameters.read("evaluate", Evaluate)
    pins.check("prepare", "train", "evaluate")
    tensorflow_contract.apply(settings.threads)

    test = Images.load(Path("data/prepared/test.npz"))
    predict = Predictor(load(Path("models/model.keras"), test.images), settings.batch_size)

    probabilities = predict(test.images)
    metrics = measure(probabilities, test.labels)
    if settings.flip:
        flipped = (probabilities + predict(test.images[:, :, ::-1])) / 2
        metrics["flip"] = measure(flipped, test.labels)

    predictions.save(Path("data/predictions.npz"), probabilities, test.labels)
    write_json(Path("metrics/test.json"), metrics)
    write_rows(
        Path("plots/predictions.csv"),
        [
            {"actual": CLASSES[label], "predicted": CLASSES[predicted]}
            for label, predicted in zip(test.labels, probabilities.argmax(axis=1), strict=True)
        ],
    )


if __name__ == "__main__":
    lifecycle.run("evaluate", main)
