"""Schema of the section ``plot``."""

from typing import Annotated

from pydantic import Field

from fmnist.parameters import Parameters


class Plot(Parameters):
    """How many images are shown, and how finely."""

    dpi: Annotated[int, Field(ge=50, le=300)]
    predictions: Annotated[int, Field(ge=1, le=10)]
    mistakes: Annotated[int, Field(ge=1, le=50)]
    training_images: Annotated[int, Field(ge=1, le=100)]
