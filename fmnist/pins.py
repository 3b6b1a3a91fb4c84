"""Compare the installed packages with the pins that the graph tracks."""

import tomllib
from importlib import metadata
from pathlib import Path

from fmnist.command import InputError

PATH = Path("pyproject.toml")


def check(*groups: str, path: Path = PATH) -> None:
    """Refuse to work with other versions than the dependency groups of ``pyproject.toml`` pin.

    Args:
        groups: names under ``[dependency-groups]``, each a list of ``name==version``.

    Raises:
        InputError: one line for each package that is missing or has another version.
    """
    pins = tomllib.loads(path.read_text(encoding="utf-8"))["dependency-groups"]
    faults = []
    for group in groups:
        for pin in pins[group]:
            name, version = pin.split("==")
            try:
                installed = metadata.version(name)
            except metadata.PackageNotFoundError:
                installed = "none"
            if installed != version:
                faults.append(
                    f"{path}: dependency-groups.{group}: expected {name} {version} installed,"
                    f" found {installed}; `make install` installs what the lock says"
                )
    if faults:
        raise InputError("\n".join(faults))
