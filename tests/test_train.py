"""Training: what it learns, what decides it, and what it saves."""

import json
import math
import re
import zipfile

import keras
import numpy as np
import pytest
from projects import RECIPES
from tiny_data import TRAIN, VALIDATION, recipe

from fmnist.stage.command import InputError
from fmnist.train import architecture, optimizer, randomness
from fmnist.train.epoch import compile_epoch
from fmnist.train.progress import Progress
from fmnist.train.recipe import Recipe
from fmnist.train.saving import save
from fmnist.train.training import Training, first_batch


def trained(chosen: Recipe, seed: int = 0) -> Training:
    """Return a training at its end."""
    training = Training(chosen, seed, TRAIN, VALIDATION)
    list(training.epochs())
    return training


def test_training_learns():
    learned = trained(recipe("mlp", epochs=20, optimizer={"learning_rate": 0.1}))
    assert learned.scores()["val_accuracy"] > 0.9


def test_every_epoch_sees_every_image_once_in_an_order_of_its_own():
    orders = [randomness.permutation(100, seed, epoch) for seed in (0, 1) for epoch in (1, 2)]
    assert all(sorted(order) == list(range(100)) for order in orders)
    assert len({tuple(order) for order in orders}) == 4


@pytest.fixture(scope="module")
def networks() -> list[Training]:
    """Trainings of a cnn with dropout: two with the seed 0 and one with the seed 1."""
    network = {"filters": [4], "residual_blocks": [1], "units": [8], "dropout": 0.3}
    chosen = recipe("cnn", network=network, epochs=2)
    return [trained(chosen, seed) for seed in (0, 0, 1)]


def test_the_seed_decides_all_and_is_not_dropped_when_zero(networks):
    digests = [
        b"".join(weights.tobytes() for weights in training.model.get_weights())
        for training in networks
    ]
    assert digests[0] == digests[1] != digests[2]


def test_dropout_draws_again_each_epoch():
    model = architecture.build(recipe("mlp", network={"dropout": 0.5}).network, (28, 28))
    states = []
    for seed, epoch in ((0, 1), (0, 2), (1, 1), (0, 1)):
        randomness.reseed_layers(model, seed, epoch)
        states.append(
            tuple(
                int(layer.seed_generator.state[0])
                for layer in model.layers
                if "dropout" in layer.name
            )
        )
    assert states[0] == states[3]
    assert len(set(states)) == 3
    assert all(len(set(state)) == 2 for state in states)


def test_figures_are_those_of_the_current_weights():
    training = trained(recipe("mlp"))
    scores = training.scores()
    assert scores["epoch"] == 3
    assert scores["val_loss"] == training.history[-1]["val_loss"]
    for prefix, split in (("", TRAIN), ("val_", VALIDATION)):
        loss, accuracy = training.model.evaluate(split.images, split.labels, verbose=0)
        assert scores[f"{prefix}accuracy"] == pytest.approx(accuracy, abs=1e-6)
        assert scores[f"{prefix}loss"] == pytest.approx(loss, abs=1e-5)


def test_a_training_stops_where_it_is_told_to_and_continues_from_there():
    training = Training(recipe("mlp"), 0, TRAIN, VALIDATION)
    assert [row["epoch"] for row in training.epochs(until=1)] == [1]
    assert [row["epoch"] for row in training.epochs(until=99)] == [2, 3]
    assert list(training.epochs()) == []


def test_a_diverging_training_fails_with_an_error():
    with pytest.raises(InputError, match=r"training diverged in epoch \d+: expected a finite loss"):
        trained(recipe("mlp", optimizer={"learning_rate": 1e30}))


def test_the_first_batch_is_the_one_that_training_sees():
    batch = first_batch(recipe("mlp"), 5, TRAIN)
    expected = randomness.permutation(70, 5, 1)[:16]
    np.testing.assert_array_equal(batch.images, TRAIN.images[expected])
    np.testing.assert_array_equal(batch.labels, TRAIN.labels[expected])


def test_the_first_batch_is_augmented_as_the_network_sees_it(monkeypatch):
    chosen = recipe("mlp", epochs=1, augmentation={"flip": True, "shift": 2, "erase": 8})
    seen = []

    def spy(*arguments):
        run_epoch = compile_epoch(*arguments)

        def run(images, labels, order, rates):
            batch = order.numpy()[:16]
            seen.append((images.numpy()[batch], labels.numpy()[batch]))
            return run_epoch(images, labels, order, rates)

        return run

    monkeypatch.setattr("fmnist.train.training.compile_epoch", spy)
    trained(chosen, seed=5)
    batch = first_batch(chosen, 5, TRAIN)
    np.testing.assert_array_equal(batch.images, seen[0][0])
    np.testing.assert_array_equal(batch.labels, seen[0][1])
    assert not np.array_equal(batch.images, first_batch(recipe("mlp"), 5, TRAIN).images)


def test_learning_rates_agree_with_keras_cosine_decay():
    chosen = recipe(
        "cnn",
        epochs=4,
        schedule={"warmup_epochs": 1.5, "alpha": 0.2},
        optimizer={"learning_rate": 0.3},
    )
    found = optimizer.learning_rates(chosen, steps_per_epoch=10)
    assert found.shape == (4, 10)
    oracle = keras.optimizers.schedules.CosineDecay(
        0.0, decay_steps=25, alpha=0.2, warmup_target=0.3, warmup_steps=15
    )
    expected = [float(oracle(step)) for step in range(40)]
    np.testing.assert_allclose(found.ravel(), expected, atol=1e-6)


def test_a_batch_size_keeps_the_meaning_of_a_schedule():
    chosen = recipe("cnn", epochs=4, schedule={"warmup_epochs": 1.0})
    few, many = optimizer.learning_rates(chosen, 10), optimizer.learning_rates(chosen, 20)
    np.testing.assert_allclose(few, many[:, ::2], atol=1e-9)


def test_the_default_network_is_the_original_one():
    model = architecture.build(Recipe.model_validate(RECIPES["mlp"]).network, (28, 28))
    assert [layer.__class__.__name__ for layer in model.layers] == ["Flatten"] + ["Dense"] * 3
    assert [weights.shape for weights in model.get_weights()] == [
        (784, 300),
        (300,),
        (300, 100),
        (100,),
        (100, 10),
        (10,),
    ]
    assert model.count_params() == 266_610


def test_stages_halve_and_residual_blocks_add():
    changes = {"filters": [4, 8], "residual_blocks": [1, 0], "units": [5]}
    model = architecture.build(recipe("cnn", network=changes).network, (28, 28))
    images = np.random.default_rng(0).random((3, 28, 28), dtype=np.float32)
    outputs = {
        name: keras.Model(model.inputs[0], model.get_layer(name).output)(images).numpy()
        for name in (
            "stage_1_activation",
            "stage_1_block_1_2_activation",
            "stage_1_block_1_sum",
            "stage_2_activation",
        )
    }
    first, branch, total, second = outputs.values()
    assert first.shape == (3, 14, 14, 4)
    assert second.shape == (3, 7, 7, 8)
    np.testing.assert_allclose(total, first + branch, rtol=1e-6)
    convolutions = 9 * (1 * 4 + 2 * 4 * 4 + 4 * 8)
    normalizations = 4 * (3 * 4 + 8)
    assert model.count_params() == convolutions + normalizations + (7 * 7 * 8 + 1) * 5 + 6 * 10


def test_a_saved_network_loads_with_plain_keras_and_can_be_trained_further(networks, tmp_path):
    save(networks[0].model, tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras", safe_mode=True)
    for mine, expected in zip(loaded.get_weights(), networks[0].model.get_weights(), strict=True):
        np.testing.assert_array_equal(mine, expected)
    assert int(loaded.optimizer.iterations) == 2 * math.ceil(70 / 16)
    loaded.fit(TRAIN.images, TRAIN.labels, verbose=0)


def test_equal_networks_are_saved_as_equal_bytes_without_a_date_or_an_address(networks, tmp_path):
    for name, training in zip("ab", networks, strict=False):
        save(training.model, tmp_path / name)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    with zipfile.ZipFile(tmp_path / "a") as file:
        assert json.loads(file.read("metadata.json")) == {
            "keras_version": keras.__version__,
            "date_saved": "1980-01-01@00:00:00",
        }
        ids = re.findall(rb'"shared_object_id": (\d+)', file.read("config.json"))
        assert ids
        assert all(int(found) < 100 for found in ids)
        assert all(info.date_time[0] == 1980 for info in file.infolist())


def test_progress_is_about_ten_lines_in_a_log(capsys):
    progress = Progress(epochs=30)
    for epoch in range(1, 31):
        progress({"epoch": epoch, "accuracy": 0.5, "loss": 1.0, "val_accuracy": 0.5, "val_loss": 1})
    lines = capsys.readouterr().out.splitlines()
    assert 8 <= len(lines) <= 12
    assert re.match(r"epoch 1/30  \d+\.\d s  accuracy 0\.5000  loss 1\.0000 .* s left$", lines[0])
    assert lines[-1].startswith("epoch 30/30")
