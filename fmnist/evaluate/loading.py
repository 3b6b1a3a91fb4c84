"""Load a saved network as plain Keras does, without running code that the file may carry."""

from pathlib import Path

import keras
import numpy as np

from fmnist.network import tensorflow_contract
from fmnist.dataset.classes import CLASSES
from fmnist.network.parts import features_and_classifier
from fmnist.stage.command import InputError


def load(path: Path, images: np.ndarray) -> keras.Model:
    """Return the network, for prediction alone.

    Args:
        images: float32 [N, height, width], which it must accept.

    Raises:
        InputError: the file is missing, damaged, needs code beyond Keras' own, or does not map such
            images to probabilities of the ten classes.
    """
    if not path.is_file():
        raise InputError(f"{path}: no such file; `dvc repro` makes it")
    try:
        model = keras.saving.load_model(path, compile=False, safe_mode=True)
    except Exception as error:  # Keras raises whatever the damage leads to
        raise InputError(
            f"{path}: expected a network that plain Keras loads in safe mode, found:"
            f" {' '.join(str(error).split())[:300]}; delete it and run `dvc repro`"
        ) from None
    wanted = (None, *images.shape[1:]), (None, len(CLASSES))
    try:
        features_and_classifier(model)
    except (AttributeError, ValueError):
        raise InputError(
            f"{path}: expected a network with one path from images to its first Dense layer, found"
            f" a {type(model).__name__} of {len(model.layers)} layers; delete it and run"
            " `dvc repro`"
        ) from None
    if (model.input_shape, model.output_shape) != wanted:
        raise InputError(
            f"{path}: expected a network from {wanted[0]} to {wanted[1]}, found one from"
            f" {model.input_shape} to {model.output_shape}; delete it and run `dvc repro`"
        )
    tensorflow_contract.warn_of_other_layers(model)
    return model
