"""``[tool.fmnist.gate]`` of pyproject.toml: when a change is refused."""

import tomllib
from typing import Annotated

from pydantic import Field

from fmnist import parameters, pins
from fmnist.parameters import Parameters


class Gate(Parameters):
    """Limits of a change; a floor's key is ``<file>: <dotted key>``."""

    level: Annotated[float, Field(gt=0, lt=1)]
    floors: dict[Annotated[str, Field(pattern=r"^metrics/\w+\.json: \S+$")], float]


def settings() -> Gate:
    """Return the section.

    Raises:
        InputError: a value is missing or wrong; says which.
    """
    tool = tomllib.loads(pins.PATH.read_text(encoding="utf-8")).get("tool", {})
    section = tool.get("fmnist", {}).get("gate", {})
    return parameters.validate(section, Gate, "tool.fmnist.gate", source=pins.PATH)
