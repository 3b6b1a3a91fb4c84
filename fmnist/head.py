"""Part a network before its first Dense layer, so that its matrix products can be left to XLA.

Outside XLA, TensorFlow gives a matrix product to oneDNN, which sums it in blocks that depend on the
size of the processor's cache: machines then differ in the last digits. In XLA they were the same on
every processor tried, up to the size that `cache_bound` checks. XLA's convolutions are several
times slower than oneDNN's, which were the same too; so only what follows them goes to XLA. What
was measured stands in ``docs/contract.md``.
"""

import keras

# Images times inputs of a layer, a thread, of which XLA makes one block whatever the cache: Eigen
# blocks the gradient of a layer's weights by what is left of an L2 cache, which is 256 KB at least,
# beside an L1 cache of 32 KB: (L2 - L1) / 16 bytes.
BLOCK = 14_336


def part(model: keras.Sequential) -> tuple[keras.Sequential, keras.Sequential]:
    """Return the layers before the first Dense layer, and the others, as two networks.

    They share their weights with ``model``, and one after the other they are the same function.
    """
    dense = [isinstance(layer, keras.layers.Dense) for layer in model.layers].index(True)
    image = keras.Input(model.input_shape[1:])
    features = keras.Sequential([image, *model.layers[:dense]])
    vector = keras.Input(features.output_shape[1:])
    return features, keras.Sequential([vector, *model.layers[dense:]])


def cache_bound(model: keras.Sequential, batch_size: int, threads: int) -> list[str]:
    """Return the Dense layers whose training may depend on the size of the processor's cache."""
    return [
        layer.name
        for layer in model.layers
        if isinstance(layer, keras.layers.Dense)
        and layer.input.shape[-1] * batch_size > BLOCK * threads
    ]
