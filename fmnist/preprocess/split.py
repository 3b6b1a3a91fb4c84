"""Hold out part of the training images for validation."""

import numpy as np

from fmnist.stage.command import InputError


def split(
    labels: np.ndarray, method: str, validation_size: int, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return the indices of training and of validation, each in the files' order.

    Args:
        labels: uint8 [N].
        method: ``last`` takes the final images, ``random`` any, ``stratified`` of each class its
            share, where the largest remainders get the images that are left over.

    Raises:
        InputError: nothing would be left to train on.
    """
    count = len(labels)
    if validation_size >= count:
        raise InputError(
            f"params.yaml: preprocess.validation_size: expected fewer than the {count} training"
            f" images, found {validation_size}"
        )
    if method == "last":
        chosen = np.arange(count - validation_size, count)
    elif method == "random":
        chosen = np.random.default_rng(seed).permutation(count)[:validation_size]
    else:
        chosen = _stratified(labels, validation_size, np.random.default_rng(seed))
    held_out = np.zeros(count, bool)
    held_out[chosen] = True
    return np.flatnonzero(~held_out), np.flatnonzero(held_out)


def _stratified(labels: np.ndarray, size: int, random: np.random.Generator) -> np.ndarray:
    classes, counts = np.unique(labels, return_counts=True)
    whole, remainders = np.divmod(counts * size, len(labels))
    largest = np.argsort(-remainders, kind="stable")[: size - whole.sum()]
    whole[largest] += 1
    members = [random.permutation(np.flatnonzero(labels == label)) for label in classes]
    return np.concatenate([of_class[:n] for of_class, n in zip(members, whole, strict=True)])
