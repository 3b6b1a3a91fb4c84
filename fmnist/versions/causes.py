"""Why stages of two versions differ, from what their dvc.lock record."""

import json
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from fmnist.pipeline.lock_file import Stage, outs
from fmnist.stage.dotted import leaves

Stages = dict[str, Stage]


@dataclass(frozen=True)
class Artifact:
    """An output whose bytes differ; a hash is None where there is no such output."""

    path: str
    base: str | None
    head: str | None


def causes(base: Stages, head: Stages) -> dict[str, list[str]]:
    """Return for each stage that differs the inputs that do: command, code, data, and so on."""
    written = outs(base).keys() | outs(head).keys()
    found = {}
    for name in {**base, **head}:
        if name not in base:
            found[name] = ["new stage"]
        elif name not in head:
            found[name] = ["removed stage"]
        elif reasons := list(_reasons(base[name], head[name], written)):
            found[name] = reasons
    return found


def artifacts(base: Stages, head: Stages) -> list[Artifact]:
    """Return the outputs whose bytes differ, in the order of the stages."""
    before, after = outs(base), outs(head)
    return [Artifact(path, before.get(path), after.get(path)) for path in _differing(before, after)]


def _reasons(base: Stage, head: Stage, written: Collection[str]) -> Iterator[str]:
    if base.cmd != head.cmd:
        yield f"command: {base.cmd} → {head.cmd}"
    before, after = ({file.path: file.md5 for file in stage.deps} for stage in (base, head))
    for path in _differing(before, after):
        kind = "data" if path in written else "code"
        yield f"{kind}: {path}{_state(path, before, after)}"
    for file in {**base.params, **head.params}:
        old, new = (stage.params.get(file, {}) for stage in (base, head))
        for key in _differing(old, new):
            if state := _state(key, old, new):
                yield f"parameter: {key}{state}"
                continue
            kind = "package" if key.startswith("dependency-groups.") else "parameter"
            first, second = _values(key, old[key]), _values(key, new[key])
            for leaf in _differing(first, second):
                yield f"{kind}: {leaf}: {first.get(leaf, 'none')} → {second.get(leaf, 'none')}"


def _values(key: str, value: Any) -> dict[str, str]:
    """Return the values below a key as text; of a group of pins each package's version."""
    if key.startswith("dependency-groups."):
        return dict(pin.partition("==")[::2] for pin in value)
    return {leaf: json.dumps(item) for leaf, item in leaves(value, key).items()}


def _differing(base: Mapping[str, Any], head: Mapping[str, Any]) -> list[str]:
    return [key for key in {**base, **head} if base.get(key) != head.get(key)]


def _state(key: str, base: Collection[str], head: Collection[str]) -> str:
    if key in base and key in head:
        return ""
    return " (new)" if key in head else " (removed)"
