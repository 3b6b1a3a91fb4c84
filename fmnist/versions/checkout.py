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

from fmnist.pipeline import dvc_command, git_command, graph, lock_file, parameters_file
from fmnist.pipeline.git_command import git
from fmnist.pipeline.lock_file import Stage
from fmnist.stage import parameters, yaml_file
from fmnist.stage.command import InputError


@dataclass
class Checkout:
    """A repository of its own with one commit checked out.

    Attributes:
        folder: the project's top folder in it.
        commit: hash of the commit.
        environment: for programs that run in it.
    """

    folder: Path
    commit: str
    environment: dict[str, str] = field(repr=False)

    @classmethod
    def create(cls, folder: Path, revision: str) -> "Checkout":
        """Check a revision of the current folder's repository out into ``folder``, a new one.

        Objects are shared, not copied. The user's repository itself reads them, so that it fetches
        what a partial clone lacks.

        Raises:
            InputError: there is no repository here, it has no such revision, or files are missing.
        """
        commit = git("rev-parse", "--verify", f"{revision}^{{commit}}")
        prefix = git("rev-parse", "--show-prefix")
        objects = Path(git("rev-parse", "--git-path", "objects")).resolve()
        kind = git("rev-parse", "--show-object-format")
        git("init", "--quiet", "--template=", f"--object-format={kind}", str(folder))
        repository = folder / ".git"
        (repository / "objects/info").mkdir(exist_ok=True)
        (repository / "objects/info/alternates").write_bytes(os.fsencode(objects) + b"\n")
        (repository / "HEAD").write_text(f"{commit}\n", encoding="utf-8")
        index = {"GIT_INDEX_FILE": str(repository / "index")}
        whole = ("-c", "core.sparseCheckout=false", "--work-tree", str(folder))
        git(*whole, "read-tree", "--reset", "-u", commit, variables=index)
        if missing := git(*whole, "ls-files", "--deleted", variables=index).splitlines():
            raise InputError(f"{revision}: cannot check out {len(missing)} files: {missing[0]}, …")

        project = folder / prefix
        if not (project / ".dvc").is_dir():
            raise InputError(f"{revision}: expected a DVC project, found no .dvc folder in it")
        (project / ".dvc" / "config.local").write_text("[cache]\n    dir = cache\n")
        variables = {
            name: value
            for name, value in git_command.environment().items()
            if not name.startswith("DVC_")
        }
        environment = dvc_command.environment(variables) | {
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
        """Use the cache of the current folder, and its run-cache.

        By a link, which can have any path; DVC's settings cannot.
        """
        (self.folder / ".dvc" / "cache").symlink_to(dvc_command.cache())

    def run_stages(self, *python: str) -> list[str]:
        """Run all stages without DVC; return the paths of their outputs.

        Args:
            python: command that starts Python, before a stage's arguments.

        Raises:
            InputError: one fails; has its last lines.
        """
        paths = []
        for name, stage in yaml_file.load(self.folder / "dvc.yaml")["stages"].items():
            if not graph.outputs(stage):
                continue
            _, *arguments = stage["cmd"].split()
            result = subprocess.run(
                [*python, *arguments],
                cwd=self.folder,
                env=self.environment,
                capture_output=True,
                text=True,
            )
            if result.returncode:
                raise InputError(f"{name} failed in {self.folder}: {result.stderr.strip()[-1000:]}")
            paths += graph.outputs(stage)
        return paths

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
        cache = self.folder / ".dvc" / "cache-here"
        if not cache.is_symlink():
            local = Path(".dvc", "config.local")
            if local.exists():
                shutil.copy(local, self.folder / local)
                self._set_up("config", "cache.dir", ".dvc/cache")
            cache.symlink_to(dvc_command.cache())
            self._set_up("remote", "add", "cache-here", ".dvc/cache-here")
        return self.dvc("pull", "--quiet", "--remote", "cache-here", *paths) or self.dvc(
            "pull", "--quiet", *paths
        )

    def _set_up(self, command: str, *arguments: str) -> None:
        if not self.dvc(command, *arguments, "--quiet", "--local"):
            raise InputError(f"dvc {command} {' '.join(arguments)}: it fails; see above")
