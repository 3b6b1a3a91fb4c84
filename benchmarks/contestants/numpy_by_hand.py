"""NumPy alone: forward, backward and update written out."""

import numpy as np

from benchmarks.contestants import contestant
from benchmarks.contestants.contestant import Classify, Task, TrainEpochs


def prepare(task: Task, images: np.ndarray, labels: np.ndarray) -> tuple[TrainEpochs, Classify]:
    """Prepare a network of Dense layers for `contestant.run`."""
    random = np.random.default_rng(task.seed)
    kernels, biases = [], []
    for inputs, outputs in zip(task.widths, task.widths[1:], strict=False):
        limit = np.sqrt(6 / (inputs + outputs))  # Keras' initial weights
        kernels.append(random.uniform(-limit, limit, (inputs, outputs)).astype(np.float32))
        biases.append(np.zeros(outputs, np.float32))
    pixels, rate = images.reshape(len(images), -1), np.float32(task.learning_rate)

    def forward(x: np.ndarray) -> list[np.ndarray]:
        outputs = [x]
        for kernel, bias in zip(kernels, biases, strict=True):
            if len(outputs) > 1:
                np.maximum(outputs[-1], 0, out=outputs[-1])
            outputs.append(outputs[-1] @ kernel)
            outputs[-1] += bias
        return outputs

    def update(x: np.ndarray, classes: np.ndarray) -> None:
        *inputs, logits = forward(x)
        gradient = np.exp(logits - logits.max(axis=1, keepdims=True))
        gradient /= gradient.sum(axis=1, keepdims=True)
        gradient[np.arange(len(classes)), classes] -= 1
        gradient *= rate / len(classes)
        for layer in reversed(range(len(kernels))):
            x = inputs[layer]
            passed_on = gradient @ kernels[layer].T if layer else None
            kernels[layer] -= x.T @ gradient
            biases[layer] -= gradient.sum(axis=0)
            if layer:
                gradient = passed_on * (x > 0)

    def run_epoch(epoch: int) -> None:
        order = task.order(epoch)
        for start in range(0, len(order), task.batch_size):
            batch = order[start : start + task.batch_size]
            update(pixels[batch], labels[batch])

    def classify(images: np.ndarray) -> np.ndarray:
        return forward(images.reshape(len(images), -1))[-1].argmax(axis=1)

    return contestant.timed(run_epoch), classify


if __name__ == "__main__":
    contestant.run(prepare, "numpy")
