"""What came of a training; apart from what trains, so that whoever reads it loads no TensorFlow."""

from dataclasses import dataclass

Row = dict[str, int | float]


@dataclass(frozen=True)
class Outcome:
    """What came of a training.

    Attributes:
        history: a row for each epoch so far; see `fmnist.train.fit.Fitted`.
        scores: of the saved weights; None before the recipe's last epoch.
        state: an ``.npz`` file to go on from; None when there is nothing to go on with.
        error: why training failed, which it would with these values anywhere; None if it did not.
        seconds: that it took.
    """

    history: list[Row]
    scores: Row | None
    state: bytes | None
    error: str | None
    seconds: float


@dataclass(frozen=True)
class Lost:
    """A training of which nothing came, for a reason that may lie with its worker.

    Attributes:
        reason: what Ray says of it.
        node_lives: whether the worker's machine does, so that the trial may be the cause.
    """

    reason: str
    node_lives: bool
