"""Turn the raw files into normalized training, validation and test images.

A change here reruns preprocess.
"""

from typing import Annotated, Literal

from pydantic import Field

from fmnist.stage.parameters import Schema


class Preprocess(Schema):
    """The section ``preprocess``: which images are held out, and how pixels are scaled."""

    split: Literal["last", "random", "stratified"]
    validation_size: Annotated[int, Field(gt=0)]
    seed: Annotated[int, Field(ge=0)]
    normalize: Literal["unit", "standardize"]
