"""What of a checkout is not as its dvc.lock recorded it.

`dvc status` finds what differs of the files that are there, as far as dvc.yaml declares them. So
two things are looked at besides: whether a stage ran on what the one before it wrote, where that is
not there, and whether dvc.yaml still declares all that was recorded.
"""

import itertools
import re
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fmnist import parameters
from versions import dvc_command, lock_file, nested
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
    graph = parameters.load(folder / "dvc.yaml")["stages"]
    cached = {path for stage in graph.values() for path in _paths(stage.get("outs", []))}
    found = _broken_chain(recorded) + _undeclared(graph, recorded)
    for name, changes in dvc_command.ask(folder, "status", environment=environment).items():
        if name.endswith(".dvc"):  # a file of data that is tracked by itself
            continue
        stage = recorded.get(name, Stage(cmd="none"))
        for change in changes:
            if change == "changed command":
                found.append(Drift(name, "cmd", stage.cmd, str(graph[name]["cmd"])))
            elif isinstance(change, dict):
                for path, state in (item for kind in change.values() for item in kind.items()):
                    if not (state in ABSENT and path in cached):
                        found += _changed(folder, name, stage, path, state)
    return found


def _broken_chain(recorded: dict[str, Stage]) -> list[Drift]:
    written = lock_file.outs(recorded)
    return [
        Drift(name, f"{file.path} as input", file.md5, written[file.path])
        for name, stage in recorded.items()
        for file in stage.deps
        if written.get(file.path, file.md5) != file.md5
    ]


def _undeclared(graph: dict[str, Any], recorded: dict[str, Stage]) -> list[Drift]:
    found = []
    for name, stage in recorded.items():
        if name not in graph:
            found.append(Drift(name, "dvc.yaml", "the stage", "none"))
            continue
        if graph[name].get("frozen"):
            found.append(Drift(name, "dvc.yaml: frozen", "false", "true"))
        files = {
            path
            for kind in ("deps", "outs", "metrics", "plots")
            for path in _paths(graph[name].get(kind, []))
        }
        keys = _tracked(graph[name].get("params", []), stage.params.get("params.yaml", {}))
        found += [
            Drift(name, f"dvc.yaml: {what}", "declared", "not declared")
            for what, declared in (
                *((file.path, files) for file in [*stage.deps, *stage.outs]),
                *((key, keys) for tracked in stage.params.values() for key in tracked),
            )
            if what not in declared
        ]
    return found


def _paths(entries: list[str | dict[str, Any]]) -> list[str]:
    """Return the paths of a list in dvc.yaml, where a path may have options below it."""
    return [path for entry in entries for path in ([entry] if isinstance(entry, str) else entry)]


def _tracked(params: list[str | dict[str, list[str]]], values: dict[str, Any]) -> set[str]:
    """Return the keys of a stage's ``params``, ``${…}`` in them replaced by its value."""
    lists = [
        [entry] if isinstance(entry, str) else itertools.chain(*entry.values()) for entry in params
    ]
    return {
        re.sub(r"\$\{(.+?)\}", lambda found: str(nested.get(values, found[1])), key)
        for key in itertools.chain(*lists)
    }


def _changed(
    folder: Path, name: str, stage: Stage, path: str, state: str | dict[str, str]
) -> list[Drift]:
    if isinstance(state, dict):  # a file of parameters, and the state of each key
        values = _load(folder / path)
        pairs = (
            (
                key,
                nested.leaves(stage.params.get(path, {}).get(key)),
                nested.leaves(nested.get(values, key)),
            )
            for key in state
        )
        return [
            Drift(name, f"{path}: {key}{leaf}", before.get(leaf, "none"), after.get(leaf, "none"))
            for key, before, after in pairs
            for leaf in {**before, **after}
            if before.get(leaf) != after.get(leaf)
        ]
    md5s = {file.path: file.md5 for file in [*stage.deps, *stage.outs]}
    found = lock_file.md5(folder / path) or "no such file"
    return [Drift(name, path, md5s.get(path, "none"), found)]


def _load(path: Path) -> dict[str, Any]:
    if path.suffix == ".toml":
        return tomllib.loads(path.read_text(encoding="utf-8"))
    return parameters.load(path)
