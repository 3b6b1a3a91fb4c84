"""The schema of ``sweeps/<name>.yaml``: what a sweep varies, and how it searches."""

import math
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, PositiveInt, model_validator

from fmnist.stage.parameters import Schema
from fmnist.train import Seed


def _number(value: Any) -> int | float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError(f"a number, found {value!r}")
    return value


# Pydantic's own union of int and float reports the same error twice.
Number = Annotated[Any, AfterValidator(_number)]


class Domain(Schema):
    """The values of a parameter: one of ``choices``, or a number from ``low`` to ``high``."""

    choices: list[Any] | None = None
    low: Number = None
    high: Number = None
    step: Number = None
    log: bool = False

    @model_validator(mode="after")
    def _choices_or_range(self) -> "Domain":
        bounds = (self.low, self.high)
        if (self.choices is None) == (bounds == (None, None)):
            raise ValueError("either choices, or low and high")
        if self.choices is not None:
            if not self.choices:
                raise ValueError("at least one choice, found []")
            if self.step is not None or self.log:
                raise ValueError("step and log with low and high only, found them with choices")
            return self
        if None in bounds:
            raise ValueError(f"low and high, found low {self.low} and high {self.high}")
        if self.low >= self.high:
            raise ValueError(f"low below high, found {self.low} and {self.high}: an empty range")
        if self.step is not None and self.step <= 0:
            raise ValueError(f"a step above 0, found {self.step}")
        if self.log and (self.step is not None or self.low <= 0):
            raise ValueError(f"low above 0 and no step where log is true, found low {self.low}")
        return self


class Grid(Schema):
    """Every combination once."""

    name: Literal["grid"]


class Random(Schema):
    """``trials`` combinations, drawn independently."""

    name: Literal["random"]
    trials: PositiveInt
    seed: Seed


class TPE(Schema):
    """``trials`` combinations, each drawn from where earlier trials did well.

    ``optuna.samplers.TPESampler``: Bergstra et al. 2011,
    https://papers.nips.cc/paper/4443-algorithms-for-hyper-parameter-optimization
    """

    name: Literal["tpe"]
    trials: PositiveInt
    seed: Seed


class SuccessiveHalving(Schema):
    """Train the best 1 / ``reduction_factor`` of the trials that many times as long, repeatedly.

    Trials are first compared after ``min_epochs``; the last ones are trained for all epochs of the
    recipe: Jamieson and Talwalkar 2016, https://arxiv.org/abs/1502.07943
    """

    min_epochs: PositiveInt
    reduction_factor: Annotated[int, Field(ge=2)]


class Space(Schema):
    """A whole file. Keys of ``fixed`` and ``parameters`` are a recipe's, dotted, or ``seed``."""

    recipe: str
    objective: Literal["val_accuracy", "val_loss"]
    search: Annotated[Grid | Random | TPE, Field(discriminator="name")]
    successive_halving: SuccessiveHalving | None
    fixed: dict[str, Any]
    parameters: Annotated[dict[str, Domain], Field(min_length=1)]

    @model_validator(mode="after")
    def _fixed_or_varied(self) -> "Space":
        if both := sorted(self.fixed.keys() & self.parameters.keys()):
            raise ValueError(f"a key in fixed or in parameters, found {', '.join(both)} in both")
        return self

    @model_validator(mode="after")
    def _halving_knows_its_trials(self) -> "Space":
        if self.successive_halving is not None and isinstance(self.search, TPE):
            raise ValueError(
                "successive_halving null with tpe, which draws a trial only when others have"
                " ended, found a mapping"
            )
        return self

    def to_minimize(self, scores: dict[str, float]) -> float:
        """Return the objective, negated if higher is better."""
        score = scores[self.objective]
        return -score if self.objective == "val_accuracy" else score
