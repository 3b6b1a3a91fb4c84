"""Schema of the section ``preprocess``."""

from typing import Annotated, Literal

from pydantic import Field

from fmnist.parameters import Parameters


class Preprocess(Parameters):
    """How training images are held out for validation, and how pixels are scaled."""

    split: Literal["last", "random", "stratified"]
    validation_size: Annotated[int, Field(gt=0)]
    seed: Annotated[int, Field(ge=0)]
    normalize: Literal["unit", "standardize"]
