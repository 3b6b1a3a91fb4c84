"""JAX: an epoch as one jitted scan over its batches."""

import jax
import numpy as np
from jax import numpy as jnp

from benchmarks.contestants import contestant
from benchmarks.contestants.contestant import Classify, Task, TrainEpochs

Weights = list[tuple[jax.Array, jax.Array]]


def prepare(task: Task, images: np.ndarray, labels: np.ndarray) -> tuple[TrainEpochs, Classify]:
    """Prepare a network of Dense layers for `contestant.run`."""
    initial = jax.nn.initializers.glorot_uniform()  # Keras' initial weights
    keys = jax.random.split(jax.random.key(task.seed), len(task.widths))
    weights: Weights = [
        (initial(key, (inputs, outputs)), jnp.zeros(outputs))
        for key, inputs, outputs in zip(keys, task.widths, task.widths[1:], strict=False)
    ]
    pixels, classes = jnp.asarray(images.reshape(len(images), -1)), jnp.asarray(labels)

    def logits(weights: Weights, x: jax.Array) -> jax.Array:
        *hidden, (kernel, bias) = weights
        for hidden_kernel, hidden_bias in hidden:
            x = jax.nn.relu(x @ hidden_kernel + hidden_bias)
        return x @ kernel + bias

    def loss(weights: Weights, x: jax.Array, classes: jax.Array) -> jax.Array:
        scores = jax.nn.log_softmax(logits(weights, x))
        return -jnp.mean(jnp.take_along_axis(scores, classes[:, None], axis=1))

    def step(weights: Weights, batch: jax.Array) -> tuple[Weights, jax.Array]:
        value, gradients = jax.value_and_grad(loss)(weights, pixels[batch], classes[batch])
        updated = jax.tree.map(lambda w, g: w - task.learning_rate * g, weights, gradients)
        return updated, value

    @jax.jit
    def train_epoch(weights: Weights, order: jax.Array) -> tuple[Weights, jax.Array]:
        whole = len(order) // task.batch_size * task.batch_size
        weights, losses = jax.lax.scan(step, weights, order[:whole].reshape(-1, task.batch_size))
        if whole < len(order):
            weights, _ = step(weights, order[whole:])
        return weights, losses.mean()

    def run_epoch(epoch: int) -> None:
        nonlocal weights
        order = jnp.asarray(task.order(epoch).astype(np.int32))
        weights, _ = jax.block_until_ready(train_epoch(weights, order))

    def classify(images: np.ndarray) -> np.ndarray:
        return np.asarray(logits(weights, images.reshape(len(images), -1)).argmax(axis=1))

    return contestant.timed(run_epoch), classify


if __name__ == "__main__":
    contestant.run(prepare, "jax", "jaxlib")
