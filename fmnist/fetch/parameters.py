"""Schema of the section ``fetch``."""

from typing import Annotated

from pydantic import Field, PositiveFloat, StringConstraints

from fmnist.parameters import Parameters

Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
Mirror = Annotated[
    str, StringConstraints(pattern=r"^(https?://[^\s/]+\S*|file:///\S*|apt:[a-z0-9][a-z0-9+.-]+)$")
]


class Hashes(Parameters):
    """SHA-256 of the decompressed files; a key of params.yaml is a file's name."""

    train_images: Sha256 = Field(alias="train-images-idx3-ubyte")
    train_labels: Sha256 = Field(alias="train-labels-idx1-ubyte")
    t10k_images: Sha256 = Field(alias="t10k-images-idx3-ubyte")
    t10k_labels: Sha256 = Field(alias="t10k-labels-idx1-ubyte")


class Fetch(Parameters):
    """What the raw files must be, and where they may come from."""

    sha256: Hashes
    mirrors: Annotated[list[Mirror], Field(min_length=1)]
    connect_timeout: PositiveFloat
    read_timeout: PositiveFloat
    retries: Annotated[int, Field(ge=0)]
    size_limit: Annotated[int, Field(gt=0)]
