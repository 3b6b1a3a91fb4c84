"""Split the training images, and normalize all images.

Reads       data/raw/
Writes      data/prepared/
Parameters  preprocess
"""

from pathlib import Path

from fmnist.dataset import pins
from fmnist.dataset.images import Images
from fmnist.preprocess import Preprocess, idx
from fmnist.preprocess.normalization import normalization
from fmnist.preprocess.split import split
from fmnist.stage import lifecycle, parameters
from fmnist.stage.files import write_json

RAW = Path("data/raw")
PREPARED = Path("data/prepared")


def main() -> None:
    """Run the stage."""
    settings = parameters.read("preprocess", Preprocess)
    pins.check("prepare")

    images = idx.read_images(RAW / "train-images-idx3-ubyte")
    labels = idx.read_labels(RAW / "train-labels-idx1-ubyte", images)
    test_images = idx.read_images(RAW / "t10k-images-idx3-ubyte", like=images)
    test_labels = idx.read_labels(RAW / "t10k-labels-idx1-ubyte", test_images)

    train, validation = split(labels, settings.split, settings.validation_size, settings.seed)
    pixels = normalization(settings.normalize, images[train])

    Images(pixels.apply(images[train]), labels[train]).save(PREPARED / "train.npz")
    Images(pixels.apply(images[validation]), labels[validation]).save(PREPARED / "validation.npz")
    Images(pixels.apply(test_images), test_labels).save(PREPARED / "test.npz")
    write_json(PREPARED / "normalization.json", {"shift": pixels.shift, "scale": pixels.scale})


if __name__ == "__main__":
    lifecycle.run("preprocess", main)
