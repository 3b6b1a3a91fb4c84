"""Part a network before its first Dense layer, so that its matrix products can be left to XLA.

Outside XLA, TensorFlow gives a matrix product to oneDNN, which sums it in blocks that depend on the
size of the processor's cache: machines then differ in the last digits. In XLA it is Eigen that
blocks, by the sizes that `fmnist.eigen` sets. XLA's convolutions are several times slower than
oneDNN's, which were the same on every processor tried; so only what follows them goes to XLA.
"""

import keras


def part(model: keras.Sequential) -> tuple[keras.Sequential, keras.Sequential]:
    """Return the layers before the first Dense layer, and the others, as two networks.

    They share their weights with ``model``, and one after the other they are the same function.
    """
    dense = [isinstance(layer, keras.layers.Dense) for layer in model.layers].index(True)
    image = keras.Input(model.input_shape[1:])
    features = keras.Sequential([image, *model.layers[:dense]])
    vector = keras.Input(features.output_shape[1:])
    return features, keras.Sequential([vector, *model.layers[dense:]])
