"""What dvc.lock says: for each stage its command, inputs, parameters and outputs."""

from typing import Annotated, Any, Literal

import pydantic
import yaml
from pydantic import Field, StringConstraints

from fmnist.command import InputError

NAME = "dvc.lock"


class _Entry(pydantic.BaseModel):
    """Base of what DVC writes; it may add keys."""

    model_config = pydantic.ConfigDict(strict=True, frozen=True)


class File(_Entry):
    """A file with the MD5 of its content."""

    path: str
    md5: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{32}$")]


class Stage(_Entry):
    """A stage as it ran last; ``params`` maps a file to the values that were read from it."""

    cmd: str
    deps: list[File] = Field(default_factory=list)
    params: dict[str, dict[str, Any]] = Field(default_factory=dict)
    outs: list[File] = Field(default_factory=list)


class _LockFile(_Entry):
    schema_version: Literal["2.0"] = Field(alias="schema")
    stages: dict[str, Stage]


def parse(text: str) -> dict[str, Stage]:
    """Return the stages, in the file's order.

    Raises:
        InputError: the text is not what DVC writes, or only its beginning; says where.
    """
    if text and not text.endswith("\n"):
        raise InputError(f"{NAME}: expected a line to end, found the end of the file")
    try:
        return _LockFile.model_validate(yaml.safe_load(text)).stages
    except yaml.YAMLError as error:
        raise InputError(f"{NAME}: expected YAML: {' '.join(str(error).split())}") from None
    except pydantic.ValidationError as error:
        fault = error.errors()[0]
        where = ".".join(map(str, fault["loc"]))
        raise InputError(f"{NAME}: {where or 'file'}: {fault['msg']}") from None
