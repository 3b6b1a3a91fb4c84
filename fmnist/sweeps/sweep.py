"""A space applied to a recipe: each trial's parameters, checked before anything starts."""

import copy
import itertools
from pathlib import Path
from typing import Any

import pydantic

from fmnist.stage import dotted, parameters, yaml_file
from fmnist.stage.command import InputError
from fmnist.sweeps.space import Grid, Space
from fmnist.train import Seed
from fmnist.train.recipe import Recipe

SEED = "seed"  # the only key of a sweep that belongs to train, not to the recipe
Settings = dict[str, Any]


class SeededRecipe(Recipe):
    """All parameters of a training."""

    seed: Seed


class Sweep:
    """A space, and the recipe that its trials change.

    Attributes:
        base: the recipe and the seed of ``params.yaml``, with what the space fixes.
    """

    def __init__(self, path: Path, values: dict[str, Any]) -> None:
        """Read ``path``; ``values`` are those of ``params.yaml``.

        Raises:
            InputError: one line for each fault, with the key, what was expected and what was found.
        """
        self.path = path
        self.space = parameters.validate(yaml_file.load(path), Space, source=path)
        recipes, name = values["recipes"], self.space.recipe
        if name not in recipes:
            raise InputError(
                f"{path}: recipe: expected one of {', '.join(recipes)}, found {name!r}"
            )
        parameters.validate(recipes[name], Recipe, f"recipes.{name}")
        self.base: Settings = recipes[name] | {SEED: values["train"][SEED]}
        self._check_keys("fixed")
        self.base = self._with_values(self.space.fixed)
        self._check({}, "fixed")
        self._check_keys("parameters")
        self._check_domains()

    @property
    def decisive(self) -> Settings:
        """All parameters that decide the scores of a trial, given its number, for JSON.

        How many trials there are decides them only with successive halving: without it, more can be
        added later. What params.yaml has for a varied parameter decides nothing.
        """
        space = self.space.model_dump()
        if self.space.successive_halving is None:
            space["search"].pop("trials", None)
        return {"base": self._with_values(dict.fromkeys(self.space.parameters)), "space": space}

    def recipe(self, changes: Settings, section: str = "parameters") -> SeededRecipe:
        """Return the checked recipe of a trial.

        Args:
            changes: values by their dotted keys.
            section: of the space, which errors name.

        Raises:
            InputError: the values do not fit together.
        """
        return parameters.validate(self._with_values(changes), SeededRecipe, section, self.path)

    def is_whole(self, key: str) -> bool:
        """Return whether a parameter takes only whole numbers, as the recipe's own value does."""
        domain = self.space.parameters[key]
        value = dotted.find(self.base, key)
        own = value if isinstance(value, int | float) else domain.low
        return all(isinstance(number, int) for number in (own, domain.low, domain.high))

    def grid(self) -> list[Settings]:
        """Return every combination, the last parameter changing fastest."""
        keys = self.space.parameters
        points = itertools.product(*map(self._points, keys))
        return [dict(zip(keys, point, strict=True)) for point in points]

    def _with_values(self, changes: Settings) -> Settings:
        settings = copy.deepcopy(self.base)
        for key, value in changes.items():
            dotted.put(settings, key, value)
        return settings

    def _points(self, key: str) -> list[Any]:
        domain = self.space.parameters[key]
        if domain.choices is not None:
            return domain.choices
        if domain.step is None:
            wanted = "choices" if domain.log else "choices or a step"
            raise InputError(
                f"{self.path}: parameters.{key}: expected {wanted} in a grid, found {domain.low} to"
                f" {domain.high}"
            )
        count = int((domain.high - domain.low) / domain.step + 1e-9) + 1
        return [round(domain.low + number * domain.step, 12) for number in range(count)]

    def _check_keys(self, section: str) -> None:
        faults = []
        for key in getattr(self.space, section):
            try:
                dotted.find(self.base, key)
            except dotted.MissingKeyError as missing:
                faults.append(
                    f"{self.path}: {section}.{key}: unknown key of recipe {self.space.recipe};"
                    f" found there: {', '.join(missing.beside) or 'nothing'}"
                )
        if faults:
            raise InputError("\n".join(faults))

    def _check(self, changes: Settings, section: str) -> None:
        """Refuse values that are invalid by themselves; rules between keys depend on the others."""
        try:
            SeededRecipe.model_validate(self._with_values(changes))
        except pydantic.ValidationError as error:
            if any(fault["type"] != "value_error" for fault in error.errors()):
                self.recipe(changes, section)

    def _check_domains(self) -> None:
        """Refuse a value that is invalid in every combination, and any invalid point of a grid."""
        for key, domain in self.space.parameters.items():
            if self.is_whole(key) and isinstance(domain.step, float):
                raise InputError(
                    f"{self.path}: parameters.{key}.step: expected a whole number, as low is, found"
                    f" {domain.step}"
                )
            for value in domain.choices or (domain.low, domain.high):
                self._check({key: value}, "parameters")
        if isinstance(self.space.search, Grid):
            for settings in self.grid():
                self.recipe(settings)
        halving = self.space.successive_halving
        if "threads" in self.space.parameters:
            raise InputError(
                f"{self.path}: parameters.threads: expected it in fixed, because it decides how"
                " many trials run at once, found several values"
            )
        if halving is not None and "epochs" in self.space.parameters:
            raise InputError(
                f"{self.path}: parameters.epochs: expected a fixed number with"
                " successive_halving, which compares after equal epochs, found several values"
            )
        if halving is not None and halving.min_epochs >= self.base["epochs"]:
            raise InputError(
                f"{self.path}: successive_halving.min_epochs: expected below epochs"
                f" ({self.base['epochs']}), found {halving.min_epochs}"
            )
