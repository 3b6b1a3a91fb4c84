"""Compare the installed packages with the pins that the graph tracks."""

import tomllib
from importlib import metadata
from pathlib import Path

from fmnist.command import InputError

PATH = Path("pyproject.toml")


def check(*groups: str, path: Path = PATH) -> list[str]:
    """Refuse to work with other versions than the dependency groups of ``pyproject.toml`` pin.

    Args:
        groups: names under ``[dependency-groups]``, each a list of ``name==version``.

    Returns:
        The pins of these groups, ``name==version``.

    Raises:
        InputError: one line for each package that is missing or has another version.
    """
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8"))["dependency-groups"]
        pins = {group: [pin.split("==") for pin in tables[group]] for group in groups}
    except (tomllib.TOMLDecodeError, KeyError) as error:
        raise InputError(f"{path}: expected dependency-groups {groups}: {error}") from None
    faults = []
    for group in groups:
        for name, version in pins[group]:
            try:
                installed = metadata.version(name)
            except metadata.PackageNotFoundError:
                installed = "none"
            if installed != version:
                faults.append(
                    f"{path}: dependency-groups.{group}: expected {name} {version} installed,"
                    f" found {installed}; `sh commands/install.sh` mends it (after `make lock`, if"
                    " the pin is new)"
                )
    if faults:
        raise InputError("\n".join(faults))
    return [f"{name}=={version}" for group in groups for name, version in pins[group]]
