"""Every random number of training, drawn from the seed and the epoch it belongs to.

Nothing is carried from epoch to epoch, so a resumed run draws what an uninterrupted one draws.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

import keras
import numpy as np
import tensorflow as tf


def permutation(count: int, seed: int, epoch: int) -> np.ndarray:
    """Return the order in which an epoch sees its images: int32 [count]."""
    return np.random.default_rng([seed, epoch]).permutation(count).astype(np.int32)


def reseed_layers(model: keras.Model, seed: int, epoch: int) -> None:
    """Set the state of every layer that draws numbers itself, such as Dropout."""
    for number, layer in enumerate(model.layers):
        generator = getattr(layer, "seed_generator", None)
        if generator is not None:
            state = np.random.SeedSequence([seed, epoch, number]).generate_state(1)[0]
            generator.state.assign([state, 0])


@contextmanager
def threefry() -> Iterator[None]:
    """Let the Dropout layers that are called meanwhile draw by ThreeFry, in XLA.

    Salmon et al. 2011, https://doi.org/10.1145/2063384.2063405. XLA makes a loop over vectors of
    it; what it makes of TensorFlow's choice is over a hundred times slower.
    """
    dropout = tf.nn.experimental.stateless_dropout
    tf.nn.experimental.stateless_dropout = tf.function(
        partial(dropout, rng_alg="threefry"), autograph=False, jit_compile=True
    )
    try:
        yield
    finally:
        tf.nn.experimental.stateless_dropout = dropout
