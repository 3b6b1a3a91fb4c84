"""A network in two parts."""

import keras
import numpy as np
import pytest
from conftest import RECIPES, TRAIN, VALIDATION, recipe

from fmnist import head
from fmnist.train import network
from fmnist.train.fit import fit
from fmnist.train.parameters import Recipe

MATRIX_PRODUCTS, CONVOLUTIONS = keras.layers.Dense, keras.layers.Conv2D


@pytest.mark.parametrize("name", ["mlp", "cnn"])
def test_the_parts_are_the_whole_with_convolutions_before_matrix_products(name):
    model = network.build(recipe(name).network, (28, 28))
    features, classifier = head.part(model)
    assert not any(isinstance(layer, MATRIX_PRODUCTS) for layer in features.layers)
    assert not any(isinstance(layer, CONVOLUTIONS) for layer in classifier.layers)
    images = np.random.default_rng(0).random((4, 28, 28), dtype=np.float32)
    in_parts = classifier(features(images)).numpy()
    np.testing.assert_allclose(in_parts, model(images).numpy(), atol=1e-6)


@pytest.mark.parametrize("name", ["mlp", "cnn"])
def test_the_parts_share_their_weights_with_the_whole(name):
    model = network.build(recipe(name).network, (28, 28))
    shared = [weight for part in head.part(model) for weight in part.weights]
    assert {id(weight) for weight in shared} == {id(weight) for weight in model.weights}


def test_layers_that_depend_on_the_cache_are_named_in_training():
    small = recipe("mlp", batch_size=32, threads=2, epochs=1)
    assert not head.cache_bound(network.build(small.network, (28, 28)), 32, threads=2)
    large = small.model_copy(update={"batch_size": 64})
    with pytest.warns(UserWarning, match="inputs of hidden_1 x batch_size: expected at most 14336"):
        fit(large, 0, TRAIN, VALIDATION)


@pytest.mark.parametrize("name", ["mlp", "cnn"])
def test_no_recipe_as_it_is_committed_depends_on_the_cache(name):
    chosen = Recipe.model_validate(RECIPES[name])
    model = network.build(chosen.network, (28, 28))
    assert head.cache_bound(model, chosen.batch_size, chosen.threads) == []
