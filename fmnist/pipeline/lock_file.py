"""What dvc.lock records of each stage: its command, inputs, parameters and outputs."""

import hashlib
from pathlib import Path
from typing import Annotated, Any, Literal

import pydantic
from pydantic import Field, StringConstraints

from fmnist.stage import yaml_file
from fmnist.stage.command import InputError

PATH = Path("dvc.lock")


class _Entry(pydantic.BaseModel):
    """Base of what DVC writes; it may add keys."""

    model_config = pydantic.ConfigDict(strict=True, frozen=True)


class File(_Entry):
    """A file or folder, with the MD5 of its content; a folder's MD5 ends in ``.dir``."""

    path: str
    md5: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{32}(\.dir)?$")]


class Stage(_Entry):
    """The last run of a stage; ``params`` maps a file to the values that were read from it."""

    cmd: str
    deps: list[File] = Field(default_factory=list)
    params: dict[str, dict[str, Any]] = Field(default_factory=dict)
    outs: list[File] = Field(default_factory=list)


class _LockFile(_Entry):
    schema_version: Literal["2.0"] = Field(alias="schema")
    stages: dict[str, Stage]


def read(path: Path = PATH) -> dict[str, Stage]:
    """Return the stages that have results, in the file's order.

    Raises:
        InputError: the file is not what DVC writes, or only its beginning; says where.
    """
    values = yaml_file.load(path)
    if not path.read_bytes().endswith(b"\n"):
        raise InputError(f"{path}: expected whole lines, found the last one cut")
    try:
        stages = _LockFile.model_validate(values).stages
    except pydantic.ValidationError as error:
        fault = error.errors()[0]
        raise InputError(f"{path}: {'.'.join(map(str, fault['loc']))}: {fault['msg']}") from None
    return {name: stage for name, stage in stages.items() if stage.outs}


def md5(path: Path) -> str | None:
    """Return the hash of a file as dvc.lock has it; None if there is no such file."""
    return hashlib.md5(path.read_bytes()).hexdigest() if path.is_file() else None


def outs(stages: dict[str, Stage]) -> dict[str, str]:
    """Return the hash of every output by its path."""
    return {file.path: file.md5 for stage in stages.values() for file in stage.outs}
