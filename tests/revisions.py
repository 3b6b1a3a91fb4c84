"""Committed revisions of the reproduced project to compare, and DVC's answers without its process.

Their tests run commands in this process; DVC's own start would take most of their time.
"""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from dvc.repo import Repo
from programs import commit, dvc, dvc_status, git
from projects import set_value


def set_gate(folder: Path, text: str) -> None:
    """Replace the section of the gate in a project's pyproject.toml."""
    path = folder / "pyproject.toml"
    head, _, tail = path.read_text().partition("[tool.fmnist.gate]\n")
    _, section, rest = tail.partition("[tool.ruff]")
    path.write_text(f"{head}[tool.fmnist.gate]\n{text}\n{section}{rest}")


def main_branch(made_once: Callable[..., Path], reproduced: Path) -> Path:
    """Return the reproduced project on a branch `main`, without floors. Do not change it."""

    def fill(folder: Path) -> None:
        shutil.copytree(reproduced, folder, symlinks=True, dirs_exist_ok=True)
        set_gate(folder, "floors = {}")
        git(folder, "checkout", "--quiet", "-b", "main")
        commit(folder)

    return made_once("main_branch", fill)


def change_branch(made_once: Callable[..., Path], reproduced: Path) -> Path:
    """Return `main_branch` with a branch `change` that learns faster. Do not change it."""
    main = main_branch(made_once, reproduced)

    def fill(folder: Path) -> None:
        shutil.copytree(main, folder, symlinks=True, dirs_exist_ok=True)
        git(folder, "checkout", "--quiet", "-b", "change")
        set_value(folder, "recipes.mlp.optimizer.learning_rate", 0.3)
        dvc(folder, "repro")
        commit(folder)

    return made_once("change_branch", fill)


def ask(folder: Path, *arguments: str, variables: object = None) -> Any:
    """Answer as `fmnist.pipeline.dvc_command.ask`."""
    if arguments == ("status",):
        return dvc_status(folder)
    kind, _, *options, revision = arguments
    with Repo(folder) as repo:
        return getattr(repo, kind).diff(a_rev=revision, all="--all" in options).get("diff", {})
