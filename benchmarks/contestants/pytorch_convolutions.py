"""A convolutional recipe in eager PyTorch, with the images in memory and unaugmented."""

import math
import sys

import numpy as np
import torch
from torch import nn

from benchmarks.contestants import contestant
from benchmarks.contestants.contestant import Classify, Task, TrainEpochs


class ResidualBlock(nn.Module):
    """Add two convolutions of its input to it."""

    def __init__(self, channels: int, kernel_size: int) -> None:
        super().__init__()
        self.convolutions = nn.Sequential(
            *convolution(channels, channels, kernel_size),
            *convolution(channels, channels, kernel_size),
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return a tensor [B, channels, h, w] of the same shape."""
        return x + self.convolutions(x)


def convolution(inputs: int, outputs: int, kernel_size: int, pool: bool = False) -> list[nn.Module]:
    """Return the layers of `fmnist.train.architecture`, with Keras' initial weights and epsilon."""
    layer = nn.Conv2d(inputs, outputs, kernel_size, padding="same", bias=False)
    nn.init.xavier_uniform_(layer.weight)
    return [
        layer,
        *([nn.MaxPool2d(2)] if pool else []),
        nn.BatchNorm2d(outputs, eps=1e-3, momentum=0.01),
        nn.ReLU(),
    ]


def build(task: Task) -> nn.Module:
    """Return the network of the recipe."""
    network, layers, channels, side = task.recipe["network"], [], 1, 28
    for filters, blocks in zip(network["filters"], network["residual_blocks"], strict=True):
        layers += convolution(channels, filters, network["kernel_size"], pool=True)
        layers += [ResidualBlock(filters, network["kernel_size"]) for _ in range(blocks)]
        channels, side = filters, side // 2
    dense = nn.Linear(channels * side * side, 10)
    nn.init.xavier_uniform_(dense.weight)
    nn.init.zeros_(dense.bias)
    return nn.Sequential(*layers, nn.Flatten(), dense)


def prepare(task: Task, images: np.ndarray, labels: np.ndarray) -> tuple[TrainEpochs, Classify]:
    """Prepare for `contestant.run`."""
    torch.manual_seed(task.seed)
    torch.set_num_threads(task.recipe["threads"])
    optimizer = task.recipe["optimizer"]
    layout = torch.channels_last if sys.argv[1] == "channels_last" else torch.contiguous_format
    model = build(task).to(memory_format=layout)
    loss_of = nn.CrossEntropyLoss(label_smoothing=task.recipe["label_smoothing"])
    weights = list(model.parameters())
    update_rule = torch.optim.SGD(
        weights,
        lr=task.learning_rate,
        momentum=optimizer["momentum"],
        nesterov=optimizer["nesterov"],
    )

    def network_input(images: np.ndarray) -> torch.Tensor:
        return torch.from_numpy(images[:, None]).to(memory_format=layout)

    pixels, classes = network_input(images), torch.from_numpy(labels.astype(np.int64))
    steps_per_epoch = math.ceil(len(labels) / task.batch_size)
    steps = steps_per_epoch * task.recipe["epochs"]
    warmup = task.recipe["schedule"]["warmup_epochs"] * steps_per_epoch

    def rate(step: int) -> float:
        progress = (step - warmup) / (steps - warmup)
        share = step / warmup if step < warmup else 0.5 * (1 + math.cos(math.pi * progress))
        return task.learning_rate * share

    def run_epoch(epoch: int) -> None:
        model.train()
        order = torch.from_numpy(task.order(epoch)).split(task.batch_size)
        for step, batch in enumerate(order, start=(epoch - 1) * steps_per_epoch):
            update_rule.param_groups[0]["lr"] = rate(step)
            update_rule.zero_grad()
            loss_of(model(pixels[batch]), classes[batch]).backward()
            with torch.no_grad():  # Keras' weight decay is apart from the gradient
                torch._foreach_mul_(weights, 1 - optimizer["weight_decay"] * rate(step))
            update_rule.step()

    def classify(images: np.ndarray) -> np.ndarray:
        model.eval()
        with torch.no_grad():
            return model(network_input(images)).argmax(dim=1).numpy()

    return contestant.timed(run_epoch), classify


if __name__ == "__main__":
    contestant.run(prepare, "torch")
