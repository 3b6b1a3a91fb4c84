"""What a sweep varies: the file ``sweeps/<name>.yaml``, checked before anything starts."""

import copy
import itertools
import math
from pathlib import Path
from typing import Annotated, Any, Literal

import pydantic
from pydantic import AfterValidator, Field, PositiveInt, model_validator

from fmnist import parameters
from fmnist.command import InputError
from fmnist.parameters import Parameters
from fmnist.train.parameters import Recipe, Seed, Train
from versions import nested

SEED = "seed"  # the one value of a sweep that is not the recipe's, but train's
Settings = dict[str, Any]


def _number(value: Any) -> int | float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError(f"a number, found {value!r}")
    return value


# Pydantic's own union of int and float says twice what is wrong.
Number = Annotated[Any, AfterValidator(_number)]


class Values(Parameters):
    """What a parameter may be: one of ``choices``, or a number from ``low`` to ``high``."""

    choices: list[Any] | None = None
    low: Number = None
    high: Number = None
    step: Number = None
    log: bool = False

    @model_validator(mode="after")
    def _one_or_the_other(self) -> "Values":
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

    def extremes(self) -> list[Any]:
        """Return every choice, or both ends."""
        return [self.low, self.high] if self.choices is None else self.choices


class Grid(Parameters):
    """Every combination once."""

    name: Literal["grid"]


class Random(Parameters):
    """``trials`` combinations, drawn independently."""

    name: Literal["random"]
    trials: PositiveInt
    seed: Seed


class TPE(Parameters):
    """``trials`` combinations, each drawn where the trials before it were good.

    ``optuna.samplers.TPESampler``: Bergstra et al. 2011,
    https://papers.nips.cc/paper/4443-algorithms-for-hyper-parameter-optimization
    """

    name: Literal["tpe"]
    trials: PositiveInt
    seed: Seed


class SuccessiveHalving(Parameters):
    """The best 1 / ``reduction_factor`` of the trials go on, that many times as long, and so on.

    Compared first after ``min_epochs``, and the last ones trained for all the recipe's epochs:
    Jamieson and Talwalkar 2016, https://arxiv.org/abs/1502.07943
    """

    min_epochs: PositiveInt
    reduction_factor: Annotated[int, Field(ge=2)]


class Space(Parameters):
    """A whole file. Keys of ``fixed`` and ``parameters`` are a recipe's, dotted, or ``seed``."""

    recipe: str
    objective: Literal["val_accuracy", "val_loss"]
    search: Annotated[Grid | Random | TPE, Field(discriminator="name")]
    successive_halving: SuccessiveHalving | None
    fixed: dict[str, Any]
    parameters: Annotated[dict[str, Values], Field(min_length=1)]

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


class Sweep:
    """A space, and the recipe that it starts from.

    Attributes:
        base: the recipe and the seed of ``params.yaml``, with what the space fixes.
    """

    def __init__(self, path: Path, values: dict[str, Any]) -> None:
        """Read ``path``; ``values`` are those of ``params.yaml``.

        Raises:
            InputError: one line a fault, naming the key, what was expected and what was found.
        """
        self.path = path
        self.space = _read(path)
        recipes = values["recipes"]
        if self.space.recipe not in recipes:
            raise InputError(
                f"{path}: recipe: expected one of {', '.join(recipes)}, found {self.space.recipe!r}"
            )
        key = f"recipes.{self.space.recipe}"
        parameters.validate(recipes[self.space.recipe], Recipe, key)
        self.base: Settings = recipes[self.space.recipe] | {SEED: values["train"][SEED]}
        self._check_keys("fixed")
        self.base = self.with_values(self.space.fixed)
        self._check({}, "fixed")
        self._check_keys("parameters")
        self._check_values()

    @property
    def decisive(self) -> Settings:
        """All that decides the figures of a trial of a number, as JSON can hold it.

        How many trials are asked for does not, unless they are compared: more can be added. Nor
        does what params.yaml says of a parameter that is varied.
        """
        space = self.space.model_dump()
        if self.space.successive_halving is None:
            space["search"].pop("trials", None)
        return {"base": self.with_values(dict.fromkeys(self.space.parameters)), "space": space}

    def with_values(self, changes: Settings) -> Settings:
        """Return the recipe with its seed, after changes that are named by dotted keys."""
        settings = copy.deepcopy(self.base)
        for key, value in changes.items():
            nested.put(settings, key, value)
        return settings

    def recipe(self, changes: Settings, section: str = "parameters") -> tuple[Recipe, int]:
        """Return the recipe of a trial, checked, and its seed.

        Args:
            section: of the space, which a fault is told to lie in.

        Raises:
            InputError: the values do not fit together.
        """
        settings = self.with_values(changes)
        seed = parameters.validate(
            {"recipe": self.space.recipe, SEED: settings.pop(SEED)}, Train, section, self.path
        ).seed
        return parameters.validate(settings, Recipe, section, self.path), seed

    def is_whole(self, key: str) -> bool:
        """Return whether a parameter takes whole numbers only, as the recipe's own value does."""
        value = nested.get(self.base, key)
        values = self.space.parameters[key]
        own = value if isinstance(value, int | float) else values.low
        return all(isinstance(number, int) for number in (own, values.low, values.high))

    def grid(self) -> list[Settings]:
        """Return every combination, the last parameter changing fastest."""
        axes = [self._points(key, values) for key, values in self.space.parameters.items()]
        return [
            dict(zip(self.space.parameters, point, strict=True))
            for point in itertools.product(*axes)
        ]

    def _points(self, key: str, values: Values) -> list[Any]:
        if values.choices is not None:
            return values.choices
        if values.step is None:
            wanted = "choices" if values.log else "choices or a step"
            raise InputError(
                f"{self.path}: parameters.{key}: expected {wanted} in a grid, found {values.low} to"
                f" {values.high}"
            )
        count = int((values.high - values.low) / values.step + 1e-9) + 1
        return [round(values.low + number * values.step, 12) for number in range(count)]

    def _check_keys(self, section: str) -> None:
        faults = []
        for key in getattr(self.space, section):
            node: Any = self.base
            for part in key.split("."):
                if not isinstance(node, dict) or part not in node:
                    beside = ", ".join(node) if isinstance(node, dict) else f"nothing ({node})"
                    faults.append(
                        f"{self.path}: {section}.{key}: unknown key of recipe {self.space.recipe};"
                        f" there is {beside}"
                    )
                    break
                node = node[part]
        if faults:
            raise InputError("\n".join(faults))

    def _check(self, changes: Settings, section: str) -> None:
        """Refuse what is wrong whatever is varied with it, which a rule between keys is not."""
        settings = self.with_values(changes)
        seed = settings.pop(SEED)
        try:
            Recipe.model_validate(settings)
            pydantic.TypeAdapter(Seed).validate_python(seed, strict=True)
        except pydantic.ValidationError as error:
            if any(fault["type"] != "value_error" for fault in error.errors()):
                self.recipe(changes, section)

    def _check_values(self) -> None:
        """Refuse a value that no combination can make right, and every wrong one of a grid."""
        for key, values in self.space.parameters.items():
            if self.is_whole(key) and isinstance(values.step, float):
                raise InputError(
                    f"{self.path}: parameters.{key}.step: expected a whole number, as low is, found"
                    f" {values.step}"
                )
            for value in values.extremes():
                self._check({key: value}, "parameters")
        if isinstance(self.space.search, Grid):
            for settings in self.grid():
                self.recipe(settings)
        halving = self.space.successive_halving
        if "threads" in self.space.parameters:
            raise InputError(
                f"{self.path}: parameters.threads: expected it in fixed, for it decides how many"
                " trials run at once, found several"
            )
        if halving is not None and "epochs" in self.space.parameters:
            raise InputError(
                f"{self.path}: parameters.epochs: expected a fixed number with"
                " successive_halving, which compares after equal epochs, found several"
            )
        if halving is not None and halving.min_epochs >= self.base["epochs"]:
            raise InputError(
                f"{self.path}: successive_halving.min_epochs: expected below epochs"
                f" ({self.base['epochs']}), found {halving.min_epochs}"
            )


def _read(path: Path) -> Space:
    values = parameters.load(path)
    try:
        return parameters.validate(values, Space, "", path)
    except InputError as error:  # the keys are the file's own, below no section
        raise InputError(str(error).replace(f"{path}: .", f"{path}: ")) from None
