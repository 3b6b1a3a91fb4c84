"""Values of nested mappings, by their dotted keys."""

import json
from typing import Any


def get(values: Any, key: str) -> Any:
    """Return the value at the dotted ``key``, None where there is none."""
    for part in key.split("."):
        values = values.get(part) if isinstance(values, dict) else None
    return values


def put(values: Any, key: str, value: Any) -> None:
    """Give the dotted ``key``, which is there, another value."""
    *parents, last = key.split(".")
    for parent in parents:
        values = values[parent]
    values[last] = value


def leaves(value: Any, prefix: str = "") -> dict[str, str]:
    """Return every value below ``value`` that is not a mapping, as text, under its dotted key."""
    if isinstance(value, dict):
        nested = (leaves(item, f"{prefix}.{key}") for key, item in value.items())
        return {key: text for mapping in nested for key, text in mapping.items()}
    return {prefix: json.dumps(value)}
