"""What of a checkout is no longer as its dvc.lock recorded it, as `dvc status` finds it."""

import hashlib
import json
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fmnist import parameters
from versions import dvc_command
from versions.lock_file import Stage

ABSENT = ("deleted", "not in cache")  # of data that were neither pulled nor built: no drift


@dataclass(frozen=True)
class Drift:
    """A file, a parameter or the command of a stage, as recorded and as found."""

    stage: str
    what: str
    recorded: str
    found: str


def drift(
    folder: Path, recorded: dict[str, Stage], environment: dict[str, str] | None = None
) -> list[Drift]:
    """Compare the files of ``folder`` with ``recorded``, its dvc.lock.

    Raises:
        InputError: DVC cannot read the project; says DVC's reason.
    """
    found = []
    graph = parameters.load(folder / "dvc.yaml")["stages"]
    for name, changes in dvc_command.ask(folder, "status", environment=environment).items():
        if name not in graph:  # a file of data that is tracked by itself
            continue
        stage = recorded.get(name, Stage(cmd="none"))
        for change in changes:
            if change == "changed command":
                found.append(Drift(name, "cmd", stage.cmd, str(graph[name]["cmd"])))
            elif isinstance(change, dict):
                for path, state in (item for kind in change.values() for item in kind.items()):
                    found += _changed(folder, name, stage, path, state)
    return found


def _changed(
    folder: Path, name: str, stage: Stage, path: str, state: str | dict[str, str]
) -> list[Drift]:
    if isinstance(state, dict):  # a file of parameters, and the state of each key
        values = _load(folder / path)
        pairs = (
            (key, leaves(stage.params.get(path, {}).get(key)), leaves(_get(values, key)))
            for key in state
        )
        return [
            Drift(name, f"{path}: {key}{leaf}", before.get(leaf, "none"), after.get(leaf, "none"))
            for key, before, after in pairs
            for leaf in {**before, **after}
            if before.get(leaf) != after.get(leaf)
        ]
    if state in ABSENT:
        return []
    md5s = {file.path: file.md5 for file in [*stage.deps, *stage.outs]}
    found = hashlib.md5((folder / path).read_bytes()).hexdigest()
    return [Drift(name, path, md5s.get(path, "none"), found)]


def _load(path: Path) -> dict[str, Any]:
    if path.suffix == ".toml":
        return tomllib.loads(path.read_text(encoding="utf-8"))
    return parameters.load(path)


def _get(values: Any, key: str) -> Any:
    for part in key.split("."):
        values = values.get(part) if isinstance(values, dict) else None
    return values


def leaves(value: Any, prefix: str = "") -> dict[str, str]:
    """Return every value below ``value`` that is not a mapping, as text, under its dotted key."""
    if isinstance(value, dict):
        nested = (leaves(item, f"{prefix}.{key}") for key, item in value.items())
        return {key: text for mapping in nested for key, text in mapping.items()}
    return {prefix: json.dumps(value)}
