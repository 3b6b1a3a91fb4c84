"""This project's files, and small copies of it that tests may change."""

import hashlib
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import yaml
from programs import git

from fmnist.stage import dotted, yaml_file
from fmnist.stage.parameters import Schema

ROOT = Path(__file__).parent.parent
STAGES = ("fetch", "preprocess", "train", "evaluate", "plot")
GRAPH = yaml_file.load(ROOT / "dvc.yaml")["stages"]
REAL = yaml_file.load(ROOT / "params.yaml")
RECIPES = REAL["recipes"]


def make_targets() -> set[str]:
    """Return what can be made; a pattern as each target that a lock gives it."""
    targets = set(re.findall(r"^([a-z%-]+):", (ROOT / "Makefile").read_text(), flags=re.MULTILINE))
    for lock in (ROOT / "requirements").glob("*.lock"):
        targets |= {target.replace("%", lock.stem) for target in targets}
    return targets


def pin_groups(stage: str) -> set[str]:
    """Return the groups of pins in pyproject.toml that a stage tracks."""
    found = [
        entry["pyproject.toml"] for entry in GRAPH[stage]["params"] if not isinstance(entry, str)
    ]
    return {key.removeprefix("dependency-groups.") for keys in found for key in keys}


def schema_fields(schema: type[Schema]) -> Iterator[tuple[str, dict]]:
    """Yield the dotted key and the JSON schema of each field that is no mapping.

    The items of a list and the members of a union follow, with the same key. Keys leave out the
    names of recipes: ``recipes.network.dropout``.
    """
    top = schema.model_json_schema()
    waiting = [("", top)]
    while waiting:
        key, node = waiting.pop()
        if "$ref" in node:
            node = top["$defs"][node["$ref"].rpartition("/")[2]]
        if node.get("type") not in (None, "object"):
            yield key, node
        for name, field in node.get("properties", {}).items():
            waiting.append((f"{key}.{name}" if key else name, field))
        inner = [node.get("items"), node.get("additionalProperties")]
        inner += [*node.get("anyOf", []), *node.get("oneOf", [])]
        waiting += [(key, other) for other in inner if isinstance(other, dict)]


def set_value(folder: Path, key: str, value: object) -> None:
    """Set the dotted ``key`` in a project's params.yaml."""
    path = folder / "params.yaml"
    values = yaml.load(path.read_text(), yaml.CSafeLoader)  # ten times as fast as `yaml_file.load`
    dotted.put(values, key, value)
    path.write_text(yaml.safe_dump(values, sort_keys=False))


def copy_project(folder: Path) -> Path:
    """Copy the files of the project that are, or would be, in Git; no data, no results."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    for name in listed.stdout.splitlines():
        if name == "dvc.lock" or name.startswith(("metrics/", "plots/", "tests/", "docs/")):
            continue
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, folder / name)
    git(folder, "init", "--quiet")
    return folder


def make_small(folder: Path, mirror: Path) -> Path:
    """Point a copy of the project at the small data, and shorten its trainings."""
    path = folder / "params.yaml"
    values = yaml_file.load(path)
    for raw in mirror.iterdir():
        values["fetch"]["sha256"][raw.name] = hashlib.sha256(raw.read_bytes()).hexdigest()
    values["download"]["mirrors"] = [mirror.as_uri()]
    values["preprocess"]["validation_size"] = 13
    for recipe in values["recipes"].values():
        recipe["epochs"] = 3
    values["plot"] |= {"mistakes": 3, "training_images": 5}
    path.write_text(yaml.safe_dump(values, sort_keys=False))
    return folder


def files_below(folder: Path, *left_out: str) -> set[str]:
    """Return the paths of all files in ``folder`` but those below a name in ``left_out``."""
    paths = (path.relative_to(folder) for path in folder.rglob("*") if path.is_file())
    return {path.as_posix() for path in paths if not set(left_out) & set(path.parts)}
