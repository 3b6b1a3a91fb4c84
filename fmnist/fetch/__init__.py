"""Download the four raw files from mirrors, and check them against their SHA-256.

A change here reruns fetch.
"""

from typing import Annotated

from pydantic import Field, PositiveFloat

from fmnist.stage.parameters import Schema

Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Mirror = Annotated[
    str, Field(pattern=r"^(https?://[^\s/]+\S*|file:///\S*|apt:[a-z0-9][a-z0-9+.-]+)$")
]


class Hashes(Schema):
    """SHA-256 of the decompressed content of each file, by file name."""

    train_images: Sha256 = Field(alias="train-images-idx3-ubyte")
    train_labels: Sha256 = Field(alias="train-labels-idx1-ubyte")
    t10k_images: Sha256 = Field(alias="t10k-images-idx3-ubyte")
    t10k_labels: Sha256 = Field(alias="t10k-labels-idx1-ubyte")


class Fetch(Schema):
    """The section ``fetch``: what the raw files must be."""

    sha256: Hashes


class Download(Schema):
    """The section ``download``: where the raw files may come from.

    It cannot change their content, so no stage tracks it.
    """

    mirrors: Annotated[list[Mirror], Field(min_length=1)]
    connect_timeout: PositiveFloat
    read_timeout: PositiveFloat
    retries: Annotated[int, Field(ge=0)]
    size_limit: Annotated[int, Field(gt=0)]
