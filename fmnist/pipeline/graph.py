"""Whether dvc.yaml is exact: it declares what each stage uses and nothing else.

DVC trusts dvc.yaml. A stage that imports a file outside its dependencies would not rerun when that
file changes; a file in its dependencies that it does not import would rerun it for nothing. This
reads source files, dvc.yaml and params.yaml, and runs none of them.
"""

import ast
import re
from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

from fmnist.stage import parameters, yaml_file

UNTRACKED = {"download"}  # sections of params.yaml that cannot change a result
TABLES = {"metrics/seeds.csv"}  # results of commands, not of stages

Module = tuple[str, ...]  # the parts of its dotted name


def check(folder: Path = Path()) -> list[str]:
    """Return a line for each fault: what is missing, and where to add it."""
    stages = yaml_file.load(folder / "dvc.yaml")["stages"]
    written = TABLES.union(*map(outputs, stages.values()))
    faults: list[str] = []
    for name, stage in stages.items():
        if outputs(stage):  # else no result depends on its code
            faults += _code_faults(folder, name, stage, written)
    faults += _section_faults(folder, stages)
    for kind in ("metrics", "plots"):
        faults += [
            f"{path}: no stage declares it: add it to the {kind} of its stage in dvc.yaml"
            for path in sorted(_files(folder, kind) - written)
        ]
    return faults


def outputs(stage: dict[str, Any]) -> list[str]:
    """Return the paths that a stage of dvc.yaml writes."""
    return [path for kind in ("outs", "metrics", "plots") for path in paths(stage.get(kind, []))]


def paths(entries: list[str | dict[str, Any]]) -> list[str]:
    """Return the paths of a list in dvc.yaml, where a path may have options below it."""
    return [path for entry in entries for path in ([entry] if isinstance(entry, str) else entry)]


def import_closure(program: Path, root: Path) -> set[str]:
    """Return the files below ``root`` that a program imports at any depth, itself included."""
    return set(_importers(program.relative_to(root).with_suffix("").parts, root))


def _code_faults(
    folder: Path, name: str, stage: dict[str, Any], written: set[str]
) -> Iterator[str]:
    """Compare the code that a stage declares with the code that it imports."""
    if not (program := re.search(r"-m (\S+)", str(stage["cmd"]))):
        return
    module = tuple(program[1].split("."))
    if not folder.joinpath(*module).with_suffix(".py").is_file():
        yield f"dvc.yaml: the cmd of {name} runs {program[1]}, which does not exist"
        return
    imported = _importers(module, folder)
    deps = [path for path in paths(stage.get("deps", [])) if path not in written]
    declared = set().union(
        *({path} if path.endswith(".py") else _files(folder, path) for path in deps)
    )
    missing: dict[Path, str] = {}  # one file of each folder
    for file in sorted(imported.keys() - declared, key=lambda file: _implied(file, imported)):
        missing.setdefault(Path(file).parent, file)
    for parent, file in sorted(missing.items()):
        yield (
            f"{imported[file]} imports {file}: add {parent} to the deps of {name} in"
            f" dvc.yaml, or move the file to a folder that {name} has"
        )
    for file in sorted(declared - imported.keys()):
        yield (
            f"{file}: in a dependency of {name} but {name} does not import it: import it, or move"
            " it"
        )


def _implied(file: str, imported: dict[str, str]) -> tuple[bool, bool, str]:
    """Return a sort key: last come files that are imported because another in their folder is."""
    path = Path(file)
    return Path(imported[file]).parent == path.parent, path.name == "__init__.py", file


def _section_faults(folder: Path, stages: dict[str, Any]) -> Iterator[str]:
    """Compare the sections of params.yaml with those that stages track."""
    tracked = {
        key.partition(".${")[0]: name
        for name, stage in stages.items()
        for key in stage.get("params", [])
        if isinstance(key, str)
    }
    sections = yaml_file.load(folder / parameters.PATH).keys() - UNTRACKED
    for section in sorted(sections - tracked.keys()):
        yield (
            f"{parameters.PATH}: {section}: no stage tracks it: add it to the params of the stage"
            " that reads it in dvc.yaml"
        )
    for section in sorted(tracked.keys() - sections):
        yield (
            f"{parameters.PATH}: {section}: missing section: add it, or remove it from the params"
            f" of {tracked[section]} in dvc.yaml"
        )


def _files(folder: Path, below: str) -> set[str]:
    """Return the files in a folder that no pattern of .dvcignore for any folder leaves out."""
    ignored = [
        line.rstrip("/")
        for line in (folder / ".dvcignore").read_text(encoding="utf-8").splitlines()
        if line and not line.startswith(("#", "/"))
    ]
    found = (path.relative_to(folder) for path in (folder / below).rglob("*") if path.is_file())
    return {
        path.as_posix()
        for path in found
        if not any(fnmatch(part, pattern) for part in path.parts for pattern in ignored)
    }


def _importers(module: Module, root: Path) -> dict[str, str]:
    """Return each file that importing a module runs, and a file that imports it."""
    found: dict[str, str] = {}
    waiting = [(file, file) for file in _files_of(module, root)]
    while waiting:
        file, importer = waiting.pop()
        if file not in found:
            found[file] = importer
            waiting += [
                (other, file)
                for imported in _imports(file, root)
                for other in _files_of(imported, root)
            ]
    return found


def _files_of(module: Module, root: Path) -> Iterator[str]:
    """Yield the files below ``root`` that importing a module runs: its packages' and its own."""
    for length in range(1, len(module) + 1):
        name = "/".join(module[:length])
        yield from (
            file for file in (f"{name}/__init__.py", f"{name}.py") if (root / file).is_file()
        )


def _imports(file: str, root: Path) -> Iterator[Module]:
    """Yield what a file's import statements name; in ``from a import b``, b may be a module."""
    packages = Path(file).parent.parts
    for node in ast.walk(ast.parse((root / file).read_text(encoding="utf-8"), file)):
        if isinstance(node, ast.Import):
            yield from (tuple(alias.name.split(".")) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = packages[: len(packages) + 1 - node.level] if node.level else ()
            module = (*above, *(node.module.split(".") if node.module else ()))
            yield from ((*module, alias.name) for alias in node.names)
