"""Split a network before its first Dense layer, so that XLA computes its matrix products.

Outside XLA, TensorFlow gives a matrix product to oneDNN, which sums it in blocks that depend on the
size of the processor's cache, so that machines differ in the last digits. In XLA the order is fixed
(`fmnist.network.product`). XLA's convolutions are several times slower than oneDNN's, which were
the same on every x86-64 processor tried, so only what follows them goes to XLA.
"""

import keras


def features_and_classifier(model: keras.Model) -> tuple[keras.Model, keras.Model]:
    """Return what comes before the first Dense layer, and the rest, as two networks.

    They share their weights with ``model``, and one after the other they are the same function.

    Raises:
        ValueError: there is no Dense layer, or a path around the first one.
    """
    kinds = [isinstance(layer, keras.layers.Dense) for layer in model.layers]
    if True not in kinds:
        raise ValueError("no Dense layer")
    first = kinds.index(True)
    if isinstance(model, keras.Sequential):  # Keras builds it again with each layer that is added,
        image = keras.Input(model.input_shape[1:])  # so a layer's input can be of an earlier graph
        features = keras.Sequential([image, *model.layers[:first]])
        vector = keras.Input(features.output_shape[1:])
        return features, keras.Sequential([vector, *model.layers[first:]])
    (image,), vector, (probabilities,) = model.inputs, model.layers[first].input, model.outputs
    return keras.Model(image, vector), keras.Model(vector, probabilities)
