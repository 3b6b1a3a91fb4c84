"""Compare the installed packages with the pins that the graph tracks."""

import tomllib
from importlib import metadata
from pathlib import Path

from fmnist.stage.command import InputError

PATH = Path("pyproject.toml")


def pinned(*groups: str, path: Path = PATH) -> list[str]:
    """Return what dependency groups of ``pyproject.toml`` pin, each ``name==version``.

    Raises:
        InputError: the file is damaged or has no such group.
    """
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8"))["dependency-groups"]
        return [pin for group in groups for pin in tables[group]]
    except (tomllib.TOMLDecodeError, KeyError) as error:
        raise InputError(f"{path}: expected dependency-groups {groups}: {error}") from None


def check(*groups: str, path: Path = PATH) -> None:
    """Refuse to work with other versions than dependency groups pin.

    Raises:
        InputError: one line for each package that is missing or has another version.
    """
    faults = []
    for group in groups:
        for pin in pinned(group, path=path):
            name, _, version = pin.partition("==")
            try:
                installed = metadata.version(name)
            except metadata.PackageNotFoundError:
                installed = "none"
            if installed != version:
                faults.append(
                    f"{path}: dependency-groups.{group}: expected {name} {version} installed,"
                    f" found {installed}; run `sh commands/install.sh` (after `make lock` if the"
                    " pin is new)"
                )
    if faults:
        raise InputError("\n".join(faults))
