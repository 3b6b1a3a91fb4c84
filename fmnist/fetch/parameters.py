"""Schema of the section ``fetch``."""

from typing import Annotated, Literal

from pydantic import Field, PositiveFloat, StringConstraints

from fmnist.parameters import Parameters

RAW_FILES = (
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
)

Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
Mirror = Annotated[
    str, StringConstraints(pattern=r"^(https?://[^\s/]+\S*|file:///\S*|apt:[a-z0-9][a-z0-9+.-]+)$")
]


class Fetch(Parameters):
    """What the raw files must be, and where they may come from."""

    sha256: dict[Literal[RAW_FILES], Sha256] = Field(
        min_length=len(RAW_FILES), max_length=len(RAW_FILES)
    )
    mirrors: Annotated[list[Mirror], Field(min_length=1)]
    connect_timeout: PositiveFloat
    read_timeout: PositiveFloat
    retries: Annotated[int, Field(ge=0)]
    size_limit: Annotated[int, Field(gt=0)]
