"""Values of nested mappings, addressed by dotted keys such as ``recipes.mlp.epochs``."""

from typing import Any


class MissingKeyError(Exception):
    """A dotted key leads nowhere.

    Attributes:
        key: the part of it that is missing, from the start.
        beside: the keys that are there instead; empty if its parent is not a mapping.
    """

    def __init__(self, key: str, beside: list[str]) -> None:
        super().__init__(key)
        self.key, self.beside = key, beside


def find(values: Any, key: str) -> Any:
    """Return the value at ``key``.

    Raises:
        MissingKeyError: there is none.
    """
    walked: list[str] = []
    for part in key.split("."):
        walked.append(part)
        if not isinstance(values, dict) or part not in values:
            beside = [str(name) for name in values] if isinstance(values, dict) else []
            raise MissingKeyError(".".join(walked), beside)
        values = values[part]
    return values


def get(values: Any, key: str) -> Any:
    """Return the value at ``key``, or None if there is none."""
    try:
        return find(values, key)
    except MissingKeyError:
        return None


def put(values: Any, key: str, value: Any) -> None:
    """Replace the value at ``key``, whose parent must exist."""
    parent, _, last = key.rpartition(".")
    (find(values, parent) if parent else values)[last] = value


def leaves(value: Any, key: str = "") -> dict[str, Any]:
    """Return every value below ``value`` that is not a mapping, by its dotted key below ``key``."""
    if not isinstance(value, dict):
        return {key: value}
    found: dict[str, Any] = {}
    for name, item in value.items():
        found |= leaves(item, f"{key}.{name}" if key else str(name))
    return found
