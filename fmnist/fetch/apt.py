"""The Debian or Ubuntu archive as a mirror."""

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from fmnist.fetch.folder import FolderMirror
from fmnist.fetch.mirror import MirrorError

APT_SECONDS = 300  # for each of its commands
DIE_WITH_US = ("setpriv", "--pdeathsig", "KILL")  # no child of a killed stage goes on writing
DATA = Path("usr/share/datasets/fashion-mnist")  # in dataset-fashion-mnist


class AptMirror:
    """A package of the Debian or Ubuntu archive that this machine is set up for.

    Its index and the package go to ``folder``, which is made: no root is needed, and the system's
    state stays as it is.
    """

    def __init__(self, package: str, read_timeout: float, folder: Path) -> None:
        self._package = package
        self._read_timeout = read_timeout
        self._folder = folder.resolve()
        self._unpacked = FolderMirror(self._folder / DATA)

    @contextmanager
    def open(self, name: str) -> Iterator[IO[bytes]]:
        """See `Mirror`; the first call downloads the package, the others read from it."""
        if not (self._folder / DATA).exists():
            self._download()
        with self._unpacked.open(name) as file:
            yield file

    def _download(self) -> None:
        for part in ("lists/partial", "cache/archives/partial"):
            (self._folder / part).mkdir(parents=True, exist_ok=True)
        apt = [
            "apt-get",
            "--quiet",
            *("-o", f"Dir::State::Lists={self._folder}/lists"),
            *("-o", f"Dir::Cache={self._folder}/cache"),
            *("-o", f"Acquire::http::Timeout={self._read_timeout:g}"),
            *("-o", "Acquire::Languages=none"),
            *("-o", "APT::Sandbox::User="),
        ]
        _run([*apt, "update"], self._folder)
        _run([*apt, "download", self._package], self._folder)
        archives = list(self._folder.glob("*.deb"))
        if len(archives) != 1:
            raise MirrorError(f"apt-get left {len(archives)} packages, expected one")
        _run(["dpkg-deb", "-x", str(archives[0]), "."], self._folder)


def _run(command: list[str], folder: Path) -> None:
    for program in (command[0], DIE_WITH_US[0]):
        if shutil.which(program) is None:
            raise MirrorError(f"this machine has no {program}")
    try:
        subprocess.run(
            [*DIE_WITH_US, *command],
            cwd=folder,
            check=True,
            capture_output=True,
            text=True,
            timeout=APT_SECONDS,
        )
    except subprocess.TimeoutExpired:
        raise MirrorError(f"{command[0]} took more than {APT_SECONDS} s") from None
    except subprocess.CalledProcessError as error:
        lines = error.stderr.strip().splitlines() or ["no message"]
        raise MirrorError(f"{command[0]} failed: {lines[-1]}") from None
