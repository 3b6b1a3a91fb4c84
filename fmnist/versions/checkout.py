"""A committed revision in a folder of its own, apart from the user's files, cache and settings."""

import hashlib
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fmnist.pipeline import dvc_command, lock_file, parameters_file
from fmnist.pipeline.lock_file import Stage
from fmnist.stage import parameters
from fmnist.stage.command import InputError
from fmnist.versions.git import git, without


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
        """Clone the repository of the current folder into ``folder``, which is created.

        Raises:
            InputError: there is no repository here, or it has no such revision.
        """
        commit = git("rev-parse", "--verify", f"{revision}^{{commit}}")
        top, prefix = git("rev-parse", "--show-toplevel"), git("rev-parse", "--show-prefix")
        git("clone", "--quiet", "--shared", "--no-checkout", top, str(folder))
        git("-C", str(folder), "checkout", "--quiet", "--detach", commit)
        project = folder / prefix
        if not (project / ".dvc").is_dir():
            raise InputError(f"{revision}: expected a DVC project, found no .dvc folder in it")
        (project / ".dvc" / "config.local").write_text("[cache]\n    dir = cache\n")
        environment = dvc_command.environment(without("DVC_", "GIT_")) | {
            f"DVC_{name}": f"{folder}.dvc"
            for name in ("GLOBAL_CONFIG_DIR", "SYSTEM_CONFIG_DIR", "SITE_CACHE_DIR")
        }
        return cls(project, commit, environment)

    def dvc(self, *arguments: str) -> bool:
        """Run DVC, whose output goes to standard error; return whether it succeeded."""
        result = dvc_command.run(
            *arguments, folder=self.folder, variables=self.environment, stdout=sys.stderr
        )
        return result.returncode == 0

    def set(self, values: Mapping[str, Any]) -> None:
        """Replace parameters, named by their dotted keys."""
        parameters_file.change(values, self.folder / parameters.PATH)

    def fetch_from(self, folder: Path) -> None:
        """Let the stage fetch take the files of ``folder``, whatever they hold."""
        values: dict[str, Any] = {"download.mirrors": [folder.resolve().as_uri()]}
        for path in folder.iterdir():
            with path.open("rb") as file:
                digest = hashlib.file_digest(file, "sha256").hexdigest()
            values[f"fetch.sha256.{path.name}"] = digest
        self.set(values)

    def share_cache(self) -> None:
        """Use the cache of the current folder, and its run-cache."""
        self.dvc("config", "--quiet", "--local", "cache.dir", str(dvc_command.cache()))

    def stages(self) -> dict[str, Stage]:
        """Return the content of its dvc.lock; see `lock_file.read`."""
        path = self.folder / lock_file.PATH
        if not path.exists():
            raise InputError(f"{self.commit}: expected a {lock_file.PATH}, found none")
        return lock_file.read(path)

    def install(self) -> None:
        """Create an environment for it, if it locks other packages than this one has.

        Raises:
            InputError: they cannot be installed.
        """
        installed, wanted = Path(sys.prefix, "main.lock"), self.folder / "requirements/main.lock"
        if not wanted.exists():
            wanted = self.folder / "requirements.lock"  # as in earlier revisions
        if installed.exists() and installed.read_bytes() != wanted.read_bytes():
            print("The commit locks other packages: installing them for it alone", flush=True)
            result = subprocess.run(
                ["sh", "commands/install.sh"],
                cwd=self.folder,
                env=self.environment,
                stdout=sys.stderr,
                check=False,
            )
            if result.returncode:
                raise InputError(f"{self.commit}: the packages that it locks cannot be installed")
            programs = self.folder / ".venv" / "bin"
            self.environment["PATH"] = f"{programs}:{self.environment['PATH']}"

    def pull(self, *paths: str) -> bool:
        """Get recorded files from the cache of the current folder, else from the default remote.

        The current folder's local settings are copied for that: they hold the remote's secrets.
        """
        local = Path(".dvc", "config.local")
        if local.exists():
            shutil.copy(local, self.folder / local)
            self.dvc("config", "--quiet", "--local", "cache.dir", "cache")
        cache = str(dvc_command.cache())
        self.dvc("remote", "add", "--quiet", "--local", "--force", "cache-here", cache)
        return self.dvc("pull", "--quiet", "--remote", "cache-here", *paths) or self.dvc(
            "pull", "--quiet", *paths
        )
