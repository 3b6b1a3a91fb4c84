"""A committed revision in a folder of its own, apart from the user's files, cache and settings."""

import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from fmnist import parameters
from fmnist.command import InputError
from versions import lock_file, nested
from versions.lock_file import Stage


@dataclass
class Checkout:
    """A clone of one commit.

    Attributes:
        folder: the project's top folder in it.
        commit: hash of the commit.
        environment: for programs that run in it.
    """

    folder: Path
    commit: str
    environment: dict[str, str] = field(repr=False)

    @classmethod
    def clone(cls, folder: Path, revision: str) -> "Checkout":
        """Clone the repository of the current folder into ``folder``, which is made.

        Raises:
            InputError: no repository is here, or it has no such revision.
        """
        commit = git("rev-parse", "--verify", f"{revision}^{{commit}}")
        top, prefix = git("rev-parse", "--show-toplevel"), git("rev-parse", "--show-prefix")
        git("clone", "--quiet", "--shared", "--no-checkout", top, str(folder))
        git("-C", str(folder), "checkout", "--quiet", "--detach", commit)
        project = folder / prefix
        if not (project / ".dvc").is_dir():
            raise InputError(f"{revision}: expected a DVC project, found no .dvc folder in it")
        (project / ".dvc" / "config.local").write_text("[cache]\n    dir = cache\n")
        environment = _without("DVC_", "GIT_") | {
            f"DVC_{name}": f"{folder}.dvc"
            for name in ("GLOBAL_CONFIG_DIR", "SYSTEM_CONFIG_DIR", "SITE_CACHE_DIR")
        }
        environment["PATH"] = f"{Path(sys.executable).parent}:{environment['PATH']}"
        return cls(project, commit, environment)

    def run(self, *command: str) -> bool:
        """Run a program, whose output goes to standard error; return whether it succeeded."""
        result = subprocess.run(
            command, cwd=self.folder, env=self.environment, stdout=sys.stderr, check=False
        )
        return result.returncode == 0

    def set(self, values: Mapping[str, Any]) -> None:
        """Give parameters, named by their dotted keys, other values."""
        path = self.folder / parameters.PATH
        everything = parameters.load(path)
        for key, value in values.items():
            nested.put(everything, key, value)
        path.write_text(yaml.safe_dump(everything, sort_keys=False), encoding="utf-8")

    def fetch_from(self, folder: Path) -> None:
        """Let the stage fetch take the files of ``folder``, whatever they hold."""
        values: dict[str, Any] = {"fetch.mirrors": [folder.resolve().as_uri()]}
        for path in folder.iterdir():
            with path.open("rb") as file:
                digest = hashlib.file_digest(file, "sha256").hexdigest()
            values[f"fetch.sha256.{path.name}"] = digest
        self.set(values)

    def share_cache(self) -> None:
        """Use the cache of the current folder, and its run-cache, as its own."""
        self.run("dvc", "config", "--quiet", "--local", "cache.dir", str(self._cache_here()))

    def stages(self) -> dict[str, Stage]:
        """Return what its dvc.lock says; see `lock_file.read`."""
        path = self.folder / lock_file.PATH
        if not path.exists():
            raise InputError(f"{self.commit}: expected a {lock_file.PATH}, found none")
        return lock_file.read(path)

    def install(self) -> None:
        """Give it an environment of its own, if it locks other packages than this one.

        Raises:
            InputError: they cannot be installed.
        """
        installed = Path(sys.prefix, "requirements.lock")
        wanted = self.folder / "requirements.lock"
        if installed.exists() and installed.read_bytes() != wanted.read_bytes():
            print("The commit locks other packages: it gets an environment of its own", flush=True)
            if not self.run("sh", "commands/install.sh"):
                raise InputError(f"{self.commit}: its requirements.lock cannot be installed")
            programs = self.folder / ".venv" / "bin"
            self.environment["PATH"] = f"{programs}:{self.environment['PATH']}"

    def pull(self, *paths: str) -> bool:
        """Get recorded files from the cache of the current folder, else from the default remote.

        For that the current folder's local settings are taken over; secrets stand there.
        """
        local = Path(".dvc", "config.local")
        if local.exists():
            shutil.copy(local, self.folder / local)
            self.run("dvc", "config", "--quiet", "--local", "cache.dir", "cache")
        cache = str(self._cache_here())
        self.run("dvc", "remote", "add", "--quiet", "--local", "--force", "cache-here", cache)
        return self.run("dvc", "pull", "--quiet", "--remote", "cache-here", *paths) or self.run(
            "dvc", "pull", "--quiet", *paths
        )

    def _cache_here(self) -> Path:
        here = subprocess.run(
            ["dvc", "cache", "dir"],
            env=os.environ | {"PATH": self.environment["PATH"]},
            capture_output=True,
            text=True,
        )
        return Path(here.stdout.strip() or ".dvc/cache").resolve()


def git(*arguments: str) -> str:
    """Return what Git prints.

    Raises:
        InputError: it fails; says its reason.
    """
    result = subprocess.run(
        ["git", *arguments], env=_without("GIT_"), capture_output=True, text=True, check=False
    )
    if result.returncode:
        reason = " ".join(result.stderr.split()).removeprefix("fatal: ")
        raise InputError(f"git {' '.join(arguments)}: {reason}")
    return result.stdout.strip()


def where_main_was_left() -> str:
    """Return the commit, shortened, where the current branch left the main one.

    Raises:
        InputError: there is no main branch, neither here nor at the origin.
    """
    git("rev-parse", "HEAD")
    for branch in ("main", "origin/main"):
        try:
            return git("rev-parse", "--short", git("merge-base", branch, "HEAD"))
        except InputError:
            continue
    raise InputError("expected a branch main, here or at origin, found none; set BASE=<revision>")


def _without(*prefixes: str) -> dict[str, str]:
    """Return this process's environment; in a hook Git's own variables name another repository."""
    return {name: value for name, value in os.environ.items() if not name.startswith(prefixes)}
