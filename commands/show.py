"""Print the metrics: `make repro` ends with them.

Reads       metrics/train.json, metrics/test.json, plots/predictions.csv
"""

from pathlib import Path

from fmnist.stage import command
from fmnist.stage.files import read_json


def main() -> None:
    """Run the command."""
    train, test = (read_json(Path(f"metrics/{name}.json")) for name in ("train", "test"))
    images = len(Path("plots/predictions.csv").read_text(encoding="utf-8").splitlines()) - 1
    print(
        f"\nValidation accuracy {train['val_accuracy']:.4f}, loss {train['val_loss']:.4f}"
        f" (weights of epoch {train['epoch']})"
        f"\nTest accuracy {test['accuracy']:.4f} +- {test['accuracy_standard_error']:.4f},"
        f" loss {test['loss']:.4f} +- {test['loss_standard_error']:.4f}"
        f" ({test['correct']:,} of {images:,} images right; +- one standard error)"
    )


if __name__ == "__main__":
    command.run(main)
