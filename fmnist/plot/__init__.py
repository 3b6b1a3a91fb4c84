"""Draw the figures that people look at.

A change here reruns plot.
"""

from typing import Annotated

from pydantic import Field

from fmnist.stage.parameters import Schema


class Plot(Schema):
    """The section ``plot``: how many images are shown, and at which resolution."""

    dpi: Annotated[int, Field(ge=50, le=300)]
    predictions: Annotated[int, Field(ge=1, le=10)]
    mistakes: Annotated[int, Field(ge=1, le=50)]
    training_images: Annotated[int, Field(ge=1, le=100)]
