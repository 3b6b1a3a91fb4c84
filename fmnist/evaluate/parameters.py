"""Schema of the section ``evaluate``."""

from typing import Annotated

from pydantic import Field

from fmnist.parameters import Parameters


class Evaluate(Parameters):
    """How the test images pass through the network."""

    batch_size: Annotated[int, Field(gt=0)]
    threads: Annotated[int, Field(gt=0, le=64)]
    flip: bool
