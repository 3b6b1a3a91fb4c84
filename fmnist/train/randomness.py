"""Every random number of a training, drawn from the seed and the epoch it belongs to.

Nothing is carried from epoch to epoch, so a resumed training draws what an uninterrupted one draws.
"""

import keras
import numpy as np


def permutation(count: int, seed: int, epoch: int) -> np.ndarray:
    """Return the order in which an epoch sees its images: int32 [count]."""
    return np.random.default_rng([seed, epoch]).permutation(count).astype(np.int32)


def reseed_layers(model: keras.Model, seed: int, epoch: int) -> None:
    """Set the state of every layer that draws random numbers, such as Dropout."""
    for number, layer in enumerate(model.layers):
        generator = getattr(layer, "seed_generator", None)
        if generator is not None:
            state = np.random.SeedSequence([seed, epoch, number]).generate_state(1)[0]
            generator.state.assign([state, 0])
