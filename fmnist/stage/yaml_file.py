"""Read YAML 1.2, as DVC does: ``1e-3`` is a number and ``010`` is ten."""

from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from fmnist.stage.command import InputError


def load(path: Path) -> dict[str, Any]:
    """Return a file's nested mappings.

    Raises:
        InputError: the file is missing, is not YAML, or does not hold a mapping.
    """
    try:
        values = YAML(typ="safe", pure=True).load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputError(f"{path}: no such file; run this in the project's top folder") from None
    except (YAMLError, UnicodeDecodeError, ValueError) as error:
        raise InputError(f"{path}: expected YAML: {' '.join(str(error).split())}") from None
    if not isinstance(values, dict):
        raise InputError(f"{path}: expected a mapping of sections, found {values!r}")
    return values
