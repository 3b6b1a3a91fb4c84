"""Time an epoch of the default recipe against Keras' own ``fit``.

Both make the same updates to the same network: 55,000 images, batches of 32, every image once. Each
round runs both, each in a process of its own, so that a noisy machine hurts both alike; ours under
the numeric contract's switches, ``fit`` with Keras' and TensorFlow's defaults.

Reads       params.yaml, data/prepared/train.npz
Usage       python -m benchmarks.epoch
"""

import itertools
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from fmnist import command, contract, parameters
from fmnist.train.parameters import Recipe

EPOCHS = 3  # timed in each process, after one that is not
PREPARED = Path("data/prepared/train.npz")


def main() -> None:
    """Run the benchmark, or one of its parts."""
    if sys.argv[1:] == ["ours"]:
        print(json.dumps(time_ours()))
    elif sys.argv[1:] == ["fit"]:
        print(json.dumps(time_fit()))
    else:
        compare(rounds=7)


def compare(rounds: int) -> None:
    """Print the seconds of an epoch, and the ratio in each round."""
    seconds: dict[str, list[float]] = {"ours": [], "fit": []}
    for number in range(1, rounds + 1):
        for name, measured in seconds.items():
            measured.append(statistics.median(_run(name)))
        print(
            f"round {number}/{rounds}: ours {seconds['ours'][-1]:.3f} s,"
            f" fit {seconds['fit'][-1]:.3f} s",
            flush=True,
        )
    ratios = [fit / ours for ours, fit in zip(seconds["ours"], seconds["fit"], strict=True)]
    for name, values in (*seconds.items(), ("fit / ours", ratios)):
        print(
            f"{name:11}median {statistics.median(values):.3f}"
            f"  (min {min(values):.3f}, max {max(values):.3f}, n = {rounds})"
        )


def _run(name: str) -> list[float]:
    result = subprocess.run(
        [sys.executable, "-m", "benchmarks.epoch", name], stdout=subprocess.PIPE, text=True
    )
    if result.returncode:
        raise command.InputError(f"benchmarks.epoch {name} ended with {result.returncode}")
    return json.loads(result.stdout.splitlines()[-1])


def time_ours() -> list[float]:
    """Return the seconds of epochs of the compiled loop."""
    recipe = parameters.read("recipes.mlp", Recipe)
    contract.apply()
    contract.apply_to_tensorflow(recipe.threads)

    import numpy as np
    import tensorflow as tf

    from fmnist.dataset import Images
    from fmnist.train import network, optimizer, randomness
    from fmnist.train.epoch import compile_epoch

    train = Images.load(PREPARED)
    count = len(train.labels)
    model = network.build(recipe.network, train.images.shape[1:])
    run_epoch = compile_epoch(
        model, optimizer.build(recipe.optimizer), recipe.batch_size, recipe.jit_compile
    )
    images, labels = tf.constant(train.images), tf.constant(train.labels.astype(np.int32))
    rates = tf.constant(optimizer.learning_rates(recipe, -(-count // recipe.batch_size))[0])

    def epoch(number: int) -> None:
        order = tf.constant(randomness.permutation(count, 0, number))
        run_epoch(images, labels, order, rates)[0].numpy()

    return _seconds(epoch)


def time_fit() -> list[float]:
    """Return the seconds of epochs of ``model.fit`` as a user writes it."""
    recipe = parameters.read("recipes.mlp", Recipe)

    import keras

    from fmnist.dataset import Images
    from fmnist.train import network

    train = Images.load(PREPARED)
    model = network.build(recipe.network, train.images.shape[1:])
    model.compile(optimizer="sgd", loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    clock: list[float] = []
    times = keras.callbacks.LambdaCallback(
        on_epoch_begin=lambda epoch, logs: clock.append(time.perf_counter()),
        on_train_end=lambda logs: clock.append(time.perf_counter()),
    )
    model.fit(
        train.images,
        train.labels,
        batch_size=recipe.batch_size,
        epochs=EPOCHS + 1,
        verbose=0,
        callbacks=[times],
    )
    return [end - start for start, end in itertools.pairwise(clock)][1:]


def _seconds(epoch: Callable[[int], object]) -> list[float]:
    measured = []
    for number in range(EPOCHS + 1):
        start = time.perf_counter()
        epoch(number)
        measured.append(time.perf_counter() - start)
    return measured[1:]


if __name__ == "__main__":
    command.run(main)
