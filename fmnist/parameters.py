"""Read a section of ``params.yaml`` into a typed schema, before any work is done."""

import re
from pathlib import Path
from typing import Any, ClassVar, TypeVar

import pydantic
import yaml

from fmnist.command import InputError

PATH = Path("params.yaml")


class Parameters(pydantic.BaseModel):
    """Base of every schema: no unknown key, no conversion between types, no NaN or infinity."""

    model_config = pydantic.ConfigDict(
        strict=True, extra="forbid", frozen=True, allow_inf_nan=False
    )


Schema = TypeVar("Schema", bound=Parameters)


class _Loader(yaml.SafeLoader):
    """YAML 1.2's plain values, as DVC reads them: PyYAML takes 1e-3 for text and 010 for eight."""

    yaml_implicit_resolvers: ClassVar = {}


for _tag, _pattern in {
    "bool": "true|True|TRUE|false|False|FALSE",
    "null": "~|null|Null|NULL|",
    "int": "[-+]?[0-9]+",
    "float": r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?"
    r"|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)",
    "merge": "<<",
}.items():
    _Loader.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", re.compile(f"^({_pattern})$"), None)
_Loader.add_constructor(
    "tag:yaml.org,2002:int", lambda loader, node: int(loader.construct_scalar(node))
)


def load(path: Path = PATH) -> dict[str, Any]:
    """Return the whole file as nested mappings.

    Raises:
        InputError: the file is missing, is not YAML, or is not a mapping.
    """
    try:
        values = yaml.load(path.read_text(encoding="utf-8"), Loader=_Loader)
    except FileNotFoundError:
        raise InputError(f"{path}: no such file; run this in the project's top folder") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: expected YAML: {' '.join(str(error).split())}") from None
    if not isinstance(values, dict):
        raise InputError(f"{path}: expected a mapping of sections, found {values!r}")
    return values


def read(key: str, schema: type[Schema], path: Path = PATH) -> Schema:
    """Return the section at the dotted ``key``, checked.

    Raises:
        InputError: one line a fault, naming the key, what was expected and what was found.
    """
    section: Any = load(path)
    walked = []
    for part in key.split("."):
        walked.append(part)
        if not isinstance(section, dict) or part not in section:
            known = ", ".join(map(str, section)) if isinstance(section, dict) else ""
            raise InputError(
                f"{path}: {'.'.join(walked)}: missing key; beside it stand: {known or 'none'}"
            )
        section = section[part]
    return validate(section, schema, key, path)


def validate(section: Any, schema: type[Schema], key: str, source: Path | str = PATH) -> Schema:
    """Return ``section``, which is ``source``'s ``key``, as ``schema``; raise as `read` does."""
    try:
        return schema.model_validate(section)
    except pydantic.ValidationError as error:
        lines = [f"{source}: {_describe(fault, section, key)}" for fault in error.errors()]
        raise InputError("\n".join(lines)) from None


def _describe(fault: dict[str, Any], section: Any, key: str) -> str:
    # A tagged union puts its tag into the location; a tag is no key of the file.
    keys, node = [key], section
    for position, part in enumerate(fault["loc"]):
        last = position == len(fault["loc"]) - 1
        if isinstance(node, list) or (isinstance(node, dict) and part in node):
            node = node[part]
        elif not last or fault["type"] not in ("missing", "extra_forbidden"):
            continue
        keys.append(str(part))
    found, context = fault["input"], fault.get("ctx", {})
    if fault["type"] == "missing":
        return f"{'.'.join(keys)}: missing key"
    if fault["type"] == "extra_forbidden":
        return f"{'.'.join(keys)}: unknown key"
    if fault["type"] in ("union_tag_invalid", "union_tag_not_found"):
        discriminator = context["discriminator"].strip("'")
        if fault["type"] == "union_tag_not_found":
            return f"{'.'.join(keys)}.{discriminator}: missing key"
        keys.append(discriminator)
        expected, found = f"one of {context['expected_tags']}", found[discriminator]
    elif fault["type"] == "value_error":  # a rule between keys says itself what it found
        return f"{'.'.join(keys)}: expected {context['error']}"
    elif fault["type"] in ("model_type", "model_attributes_type"):
        expected = "to be a mapping"
    else:
        expected = re.sub(r"^\w+ should ", "to ", fault["msg"])
    return f"{'.'.join(keys)}: expected {expected}, found {found!r}"
