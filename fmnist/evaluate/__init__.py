"""Load the trained network and measure it on the test images.

A change here reruns evaluate.
"""

from typing import Annotated

from pydantic import Field

from fmnist.stage.parameters import Schema


class Evaluate(Schema):
    """The section ``evaluate``: how the test images pass through the network."""

    batch_size: Annotated[int, Field(gt=0)]
    threads: Annotated[int, Field(gt=0, le=64)]
    flip: bool
