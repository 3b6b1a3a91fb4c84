"""What of a checkout is not as its dvc.lock recorded it.

`dvc status` compares the files that are there, as far as dvc.yaml declares them. Two more checks:
whether each stage ran on what the one before it wrote, where those files are absent, and whether
dvc.yaml still declares all that was recorded.
"""

import itertools
import json
import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fmnist.pipeline import dvc_command, lock_file
from fmnist.pipeline.graph import outputs, paths
from fmnist.pipeline.lock_file import Stage
from fmnist.stage import dotted, yaml_file

ABSENT = ("deleted", "not in cache")  # of data that were neither pulled nor built: no drift


@dataclass(frozen=True)
class Drift:
    """A file, a parameter or the command of a stage, as recorded and as found."""

    stage: str
    what: str
    recorded: str
    found: str


def drift(
    folder: Path, recorded: dict[str, Stage], environment: Mapping[str, str] | None = None
) -> list[Drift]:
    """Compare the files of ``folder`` with ``recorded``, its dvc.lock.

    Raises:
        InputError: DVC cannot read the project; gives DVC's reason.
    """
    graph = yaml_file.load(folder / "dvc.yaml")["stages"]
    cached = {path for stage in graph.values() for path in paths(stage.get("outs", []))}
    found = [*_broken_chain(recorded), *_undeclared(graph, recorded)]
    for name, changes in dvc_command.ask(folder, "status", variables=environment).items():
        if not outputs(graph.get(name, {})):  # the check, or data that are tracked by themselves
            continue
        stage = recorded.get(name, Stage(cmd="none"))
        for change in changes:
            if change == "changed command":
                found.append(Drift(name, "cmd", stage.cmd, str(graph[name]["cmd"])))
            elif isinstance(change, dict):
                for path, state in (item for kind in change.values() for item in kind.items()):
                    if isinstance(state, dict):
                        found += _changed_parameters(folder, name, stage, path, state)
                    elif not (state in ABSENT and path in cached):
                        found.append(_changed_file(folder, name, stage, path))
    return found


def _broken_chain(recorded: dict[str, Stage]) -> Iterator[Drift]:
    written = lock_file.outs(recorded)
    for name, stage in recorded.items():
        for file in stage.deps:
            if written.get(file.path, file.md5) != file.md5:
                yield Drift(name, f"{file.path} as input", file.md5, written[file.path])


def _undeclared(graph: dict[str, Any], recorded: dict[str, Stage]) -> Iterator[Drift]:
    for name, stage in recorded.items():
        if name not in graph:
            yield Drift(name, "dvc.yaml", "the stage", "none")
            continue
        if graph[name].get("frozen"):
            yield Drift(name, "dvc.yaml: frozen", "false", "true")
        declared = {
            *paths(graph[name].get("deps", [])),
            *outputs(graph[name]),
            *_tracked(graph[name].get("params", []), stage.params.get("params.yaml", {})),
        }
        used = [file.path for file in (*stage.deps, *stage.outs)]
        for what in [*used, *itertools.chain(*stage.params.values())]:
            if what not in declared:
                yield Drift(name, f"dvc.yaml: {what}", "declared", "not declared")


def _tracked(params: list[str | dict[str, list[str]]], values: dict[str, Any]) -> Iterator[str]:
    """Yield the keys of a stage's ``params``, ``${…}`` in them replaced by its value."""
    for entry in params:
        for key in [entry] if isinstance(entry, str) else itertools.chain(*entry.values()):
            yield re.sub(r"\$\{(.+?)\}", lambda found: str(dotted.get(values, found[1])), key)


def _changed_parameters(
    folder: Path, name: str, stage: Stage, path: str, keys: dict[str, str]
) -> Iterator[Drift]:
    """Compare each value below keys of a file of parameters."""
    values = _load(folder / path)
    for key in keys:
        before = _leaves(stage.params.get(path, {}), key)
        after = _leaves({key: dotted.get(values, key)}, key)
        for leaf in {**before, **after}:
            if before.get(leaf) != after.get(leaf):
                pair = before.get(leaf, "none"), after.get(leaf, "none")
                yield Drift(name, f"{path}: {leaf}", *pair)


def _leaves(tracked: dict[str, Any], key: str) -> dict[str, str]:
    """Return the values below one of the tracked keys as text, by their dotted keys."""
    value = tracked.get(key)
    return {leaf: json.dumps(item) for leaf, item in dotted.leaves(value, key).items()}


def _changed_file(folder: Path, name: str, stage: Stage, path: str) -> Drift:
    recorded = {file.path: file.md5 for file in (*stage.deps, *stage.outs)}.get(path, "none")
    if (folder / path).is_dir():
        return Drift(name, path, recorded, "other content")
    return Drift(name, path, recorded, lock_file.md5(folder / path) or "no such file")


def _load(path: Path) -> dict[str, Any]:
    if path.suffix == ".toml":
        return tomllib.loads(path.read_text(encoding="utf-8"))
    return yaml_file.load(path)
