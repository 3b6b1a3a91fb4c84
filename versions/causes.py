"""Why stages of two versions differ, by what their dvc.lock say."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from versions.lock_file import Stage, outs
from versions.nested import leaves

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
            found[name] = ["stage is gone"]
        elif reasons := _reasons(base[name], head[name], written):
            found[name] = reasons
    return found


def artifacts(base: Stages, head: Stages) -> list[Artifact]:
    """Return the outputs whose bytes differ, in the order of the stages."""
    before, after = outs(base), outs(head)
    return [Artifact(path, before.get(path), after.get(path)) for path in _differing(before, after)]


def _reasons(base: Stage, head: Stage, written: Collection[str]) -> list[str]:
    reasons = [] if base.cmd == head.cmd else [f"command: {base.cmd} → {head.cmd}"]
    before, after = ({file.path: file.md5 for file in stage.deps} for stage in (base, head))
    for path in _differing(before, after):
        kind = "data" if path in written else "code"
        state = "" if path in before and path in after else _state(path in after)
        reasons.append(f"{kind}: {path}{state}")
    for file in {**base.params, **head.params}:
        old, new = (stage.params.get(file, {}) for stage in (base, head))
        for key in _differing(old, new):
            if key not in old or key not in new:
                reasons.append(f"parameter: {key}{_state(key in new)}")
            elif key.startswith("dependency-groups."):
                reasons += _packages(old[key], new[key])
            else:
                first, second = leaves(old[key], key), leaves(new[key], key)
                reasons += [
                    f"parameter: {leaf}: {first.get(leaf, 'none')} → {second.get(leaf, 'none')}"
                    for leaf in _differing(first, second)
                ]
    return reasons


def _packages(base: list[str], head: list[str]) -> list[str]:
    """Compare two lists of pins such as ``numpy==2.4.6``."""
    old, new = (dict(pin.partition("==")[::2] for pin in pins) for pins in (base, head))
    return [
        f"package: {name} {old.get(name, 'none')} → {new.get(name, 'none')}"
        for name in _differing(old, new)
    ]


def _differing(base: Mapping[str, Any], head: Mapping[str, Any]) -> list[str]:
    return [key for key in {**base, **head} if base.get(key) != head.get(key)]


def _state(is_new: bool) -> str:
    return " (new)" if is_new else " (gone)"
