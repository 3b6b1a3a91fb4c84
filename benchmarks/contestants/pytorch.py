"""PyTorch as its users write it, with the images in memory: eager, or ``torch.compile``."""

import sys

import numpy as np
import torch
from torch import nn

from benchmarks.contestants import contestant
from benchmarks.contestants.contestant import Classify, Task, TrainEpochs


def prepare(task: Task, images: np.ndarray, labels: np.ndarray) -> tuple[TrainEpochs, Classify]:
    """Prepare a network of Dense layers for `contestant.run`."""
    torch.manual_seed(task.seed)
    torch.set_num_threads(task.recipe["threads"])
    layers: list[nn.Module] = [nn.Flatten()]
    for inputs, outputs in zip(task.widths, task.widths[1:], strict=False):
        dense = nn.Linear(inputs, outputs)
        nn.init.xavier_uniform_(dense.weight)  # Keras' initial weights
        nn.init.zeros_(dense.bias)
        layers += [dense, nn.ReLU()]
    model = nn.Sequential(*layers[:-1])
    loss_of = nn.CrossEntropyLoss()
    update_rule = torch.optim.SGD(model.parameters(), lr=task.learning_rate)
    pixels, classes = torch.from_numpy(images), torch.from_numpy(labels.astype(np.int64))

    def forward(batch: torch.Tensor) -> torch.Tensor:
        return loss_of(model(pixels[batch]), classes[batch])

    if sys.argv[1] == "compile":
        forward = torch.compile(forward)

    def run_epoch(epoch: int) -> None:
        for batch in torch.from_numpy(task.order(epoch)).split(task.batch_size):
            update_rule.zero_grad()
            forward(batch).backward()
            update_rule.step()

    def classify(images: np.ndarray) -> np.ndarray:
        with torch.no_grad():
            return model(torch.from_numpy(images)).argmax(dim=1).numpy()

    return contestant.timed(run_epoch), classify


if __name__ == "__main__":
    contestant.run(prepare, "torch")
