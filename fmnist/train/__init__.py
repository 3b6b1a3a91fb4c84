"""Train a recipe: network, optimizer, schedule, augmentation and the compiled epoch.

A change here reruns train.
"""

from typing import Annotated

from pydantic import Field

from fmnist.stage.parameters import Schema

Seed = Annotated[int, Field(ge=0, lt=2**32)]


class Train(Schema):
    """The section ``train``: which recipe, and the seed of everything random in it."""

    recipe: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]
    seed: Seed
