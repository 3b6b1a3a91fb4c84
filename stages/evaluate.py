"""Predict every test image once, and measure.

Reads       models/model.keras, data/prepared/test.npz
Writes      data/predictions.npz, metrics/test.json, plots/predictions.csv
Parameters  evaluate
"""

from pathlib import Path

from fmnist import contract, parameters, pins, stage, tensorflow_contract
from fmnist.classes import CLASSES
from fmnist.evaluate.parameters import Evaluate


def main() -> None:
    """Run the stage."""
    settings = parameters.read("evaluate", Evaluate)
    pins.check("prepare", "train", "evaluate")
    contract.apply()  # before the imports that follow
    tensorflow_contract.apply(settings.threads)

    from fmnist import predictions
    from fmnist.dataset import Images
    from fmnist.evaluate.loading import load
    from fmnist.evaluate.metrics import measure
    from fmnist.files import write_json, write_rows
    from fmnist.inference import Predictor

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
    stage.run("evaluate", main)
