"""Split the training images, and normalize all images.

Reads       data/raw/
Writes      data/prepared/
Parameters  preprocess
"""

from pathlib import Path

from fmnist import command, contract, parameters, pins
from fmnist.preprocess.parameters import Preprocess

RAW = Path("data/raw")
PREPARED = Path("data/prepared")


def main() -> None:
    """Run the stage."""
    settings = parameters.read("preprocess", Preprocess)
    pins.check("prepare")
    contract.apply()  # before the imports that follow

    from fmnist.archive import save_arrays
    from fmnist.files import write_json
    from fmnist.preprocess import idx
    from fmnist.preprocess.normalization import normalization
    from fmnist.preprocess.split import split

    images = idx.read_images(RAW / "train-images-idx3-ubyte")
    labels = idx.read_labels(RAW / "train-labels-idx1-ubyte", images)
    test_images = idx.read_images(RAW / "t10k-images-idx3-ubyte", like=images)
    test_labels = idx.read_labels(RAW / "t10k-labels-idx1-ubyte", test_images)

    train, validation = split(labels, settings.split, settings.validation_size, settings.seed)
    pixels = normalization(settings.normalize, images[train])

    save_arrays(PREPARED / "train.npz", images=pixels.apply(images[train]), labels=labels[train])
    save_arrays(
        PREPARED / "validation.npz",
        images=pixels.apply(images[validation]),
        labels=labels[validation],
    )
    save_arrays(PREPARED / "test.npz", images=pixels.apply(test_images), labels=test_labels)
    write_json(PREPARED / "normalization.json", {"shift": pixels.shift, "scale": pixels.scale})


if __name__ == "__main__":
    command.run(main)
