"""Read a section of ``params.yaml`` into a typed schema, before any work is done."""

import re
from pathlib import Path
from typing import Any, TypeVar

import pydantic

from fmnist.stage import dotted, yaml_file
from fmnist.stage.command import InputError

PATH = Path("params.yaml")


class Schema(pydantic.BaseModel):
    """Base of every schema: no unknown key, no conversion between types, no NaN or infinity."""

    model_config = pydantic.ConfigDict(
        strict=True, extra="forbid", frozen=True, allow_inf_nan=False
    )


AnySchema = TypeVar("AnySchema", bound=Schema)


def read(key: str, schema: type[AnySchema], path: Path = PATH) -> AnySchema:
    """Return the checked section at the dotted ``key``.

    Raises:
        InputError: one line for each fault, with the key, what was expected and what was found.
    """
    try:
        section = dotted.find(yaml_file.load(path), key)
    except dotted.MissingKeyError as missing:
        beside = ", ".join(missing.beside) or "nothing"
        raise InputError(f"{path}: {missing.key}: missing key; found beside it: {beside}") from None
    return validate(section, schema, key, path)


def validate(
    section: Any, schema: type[AnySchema], key: str = "", source: Path | str = PATH
) -> AnySchema:
    """Return ``section``, found at ``key`` of ``source``, as ``schema``; raise as `read` does."""
    try:
        return schema.model_validate(section)
    except pydantic.ValidationError as error:
        lines = [f"{source}: {_describe(fault, section, key)}" for fault in error.errors()]
        raise InputError("\n".join(lines)) from None


def _describe(fault: dict[str, Any], section: Any, key: str) -> str:
    # A tagged union puts its tag into the location; a tag is no key of the file.
    keys, node = [key] if key else [], section
    for position, part in enumerate(fault["loc"]):
        last = position == len(fault["loc"]) - 1
        if isinstance(node, list) or (isinstance(node, dict) and part in node):
            node = node[part]
        elif not last or fault["type"] not in ("missing", "extra_forbidden"):
            continue
        keys.append(str(part))
    found, context = fault["input"], fault.get("ctx", {})
    match fault["type"]:
        case "missing":
            return f"{'.'.join(keys)}: missing key"
        case "extra_forbidden":
            return f"{'.'.join(keys)}: unknown key"
        case "union_tag_not_found":
            return f"{'.'.join([*keys, context['discriminator'].strip(chr(39))])}: missing key"
        case "union_tag_invalid":
            keys.append(context["discriminator"].strip("'"))
            expected, found = f"one of {context['expected_tags']}", found[keys[-1]]
        case "value_error":  # a rule between keys, which says itself what it found
            where = f"{'.'.join(keys)}: " if keys else ""
            return f"{where}expected {context['error']}"
        case "model_type" | "model_attributes_type" | "dict_type":
            expected = "to be a mapping"
        case _:
            expected = re.sub(r"^\w+ should ", "to ", fault["msg"])
    return f"{'.'.join(keys)}: expected {expected}, found {found!r}"
