"""A network split before its first Dense layer."""

import keras
import numpy as np
import pytest
from tiny_data import recipe

from fmnist.network.parts import features_and_classifier
from fmnist.train import architecture

MATRIX_PRODUCTS, CONVOLUTIONS = keras.layers.Dense, keras.layers.Conv2D


@pytest.mark.parametrize("name", ["mlp", "cnn"])
def test_the_parts_are_the_whole_with_convolutions_before_matrix_products(name, tmp_path):
    built = architecture.build(recipe(name).network, (28, 28))
    built.save(tmp_path / "model.keras")
    for model in (built, keras.saving.load_model(tmp_path / "model.keras")):
        features, classifier = features_and_classifier(model)
        assert not any(isinstance(layer, MATRIX_PRODUCTS) for layer in features.layers)
        assert not any(isinstance(layer, CONVOLUTIONS) for layer in classifier.layers)
        images = np.random.default_rng(0).random((4, 28, 28), dtype=np.float32)
        in_parts = classifier(features(images)).numpy()
        np.testing.assert_allclose(in_parts, model(images).numpy(), atol=1e-6)


def test_a_path_around_the_first_matrix_product_is_refused():
    image = keras.Input((4,))
    hidden = MATRIX_PRODUCTS(4)(keras.layers.ReLU()(image))
    around = keras.layers.Add()([hidden, image])
    with pytest.raises(ValueError, match="not connected"):
        features_and_classifier(keras.Model(image, MATRIX_PRODUCTS(10)(around)))
    with pytest.raises(ValueError, match="no Dense layer"):
        features_and_classifier(keras.Model(image, keras.layers.ReLU()(image)))


@pytest.mark.parametrize("name", ["mlp", "cnn"])
def test_the_parts_share_their_weights_with_the_whole(name):
    model = architecture.build(recipe(name).network, (28, 28))
    shared = [weight for part in features_and_classifier(model) for weight in part.weights]
    assert {id(weight) for weight in shared} == {id(weight) for weight in model.weights}
