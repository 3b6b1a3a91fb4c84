"""The results of a job, in a module that the driver can import without TensorFlow."""

from dataclasses import dataclass, field

Row = dict[str, int | float]


@dataclass(frozen=True)
class Outcome:
    """The result of a training.

    Attributes:
        history: a row for each epoch so far; see `fmnist.train.training.Training`.
        scores: of the final weights; None before the recipe's last epoch.
        state: what the training resumes from; None if it cannot resume.
        error: why training failed, as it would anywhere with these values; None if it did not.
        seconds: how long it took.
    """

    history: list[Row] = field(default_factory=list)
    scores: Row | None = None
    state: bytes | None = None
    error: str | None = None
    seconds: float = 0.0


@dataclass(frozen=True)
class Lost:
    """A training without a result, perhaps because of its worker.

    Attributes:
        reason: Ray's explanation.
        node_lives: whether the worker's machine is still there, so that the trial may be the cause.
    """

    reason: str
    node_lives: bool
