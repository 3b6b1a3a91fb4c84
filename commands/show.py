"""Show the result: the metrics, and the predictions of the first test images.

Reads       params.yaml, metrics/train.json, metrics/test.json, data/predictions.npz
"""

from pathlib import Path

from fmnist import command, contract, parameters
from fmnist.plot.parameters import Plot


def main() -> None:
    """Run the command."""
    settings = parameters.read("plot", Plot)
    contract.apply()  # before the imports that follow

    from fmnist import predictions
    from fmnist.files import read_json
    from fmnist.plot.table import table

    train, test = (read_json(Path(f"metrics/{name}.json")) for name in ("train", "test"))
    probabilities, labels = predictions.load(Path("data/predictions.npz"))
    print(
        f"\nValidation accuracy {train['val_accuracy']:.4f}, loss {train['val_loss']:.4f}"
        f" (weights of epoch {train['epoch']})"
        f"\nTest accuracy {test['accuracy']:.4f} +- {test['accuracy_standard_error']:.4f},"
        f" loss {test['loss']:.4f} +- {test['loss_standard_error']:.4f}"
        f" ({test['correct']:,} of {len(labels):,} images right; +- one standard error)\n"
    )
    shown = slice(settings.predictions)
    print(table(labels[shown], probabilities[shown]))


if __name__ == "__main__":
    command.run(main)
