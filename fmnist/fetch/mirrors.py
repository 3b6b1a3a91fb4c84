"""Places that hold the raw files, each opened as a stream of bytes, compressed or not."""

import subprocess
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, Protocol
from urllib.parse import unquote, urlsplit

import requests
import tqdm
import urllib3

from fmnist.fetch.parameters import Fetch

APT_SECONDS = 300  # for apt's index and the package together
APT_FOLDER = Path("usr/share/datasets/fashion-mnist")  # in dataset-fashion-mnist


class MirrorError(Exception):
    """A mirror did not give a file; the message is the reason."""


class BrokenOffError(MirrorError):
    """A connection had been made, so that another try may help."""


class Mirror(Protocol):
    """Opens ``<name>.gz`` or ``<name>``, whichever it holds."""

    def open(self, name: str) -> Any:
        """Return a context manager that yields a readable binary file; raise `MirrorError`."""


@contextmanager
def mirror(address: str, settings: Fetch) -> Iterator[Mirror]:
    """Yield the mirror at ``https://…``, ``http://…``, ``file://…`` or ``apt:package``."""
    scheme, _, rest = address.partition(":")
    if scheme == "apt":
        with tempfile.TemporaryDirectory(prefix="fmnist-apt-") as folder:
            yield AptMirror(rest, settings.read_timeout, Path(folder))
    elif scheme == "file":
        yield FolderMirror(Path(unquote(urlsplit(address).path)))
    else:
        yield HttpMirror(address, settings.connect_timeout, settings.read_timeout)


class FolderMirror:
    """A folder of this machine."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @contextmanager
    def open(self, name: str) -> Iterator[IO[bytes]]:
        """See `Mirror`."""
        for path in (self._folder / f"{name}.gz", self._folder / name):
            if path.is_file():
                with path.open("rb") as file:
                    yield file
                return
        raise MirrorError(f"holds neither {name}.gz nor {name}")


class HttpMirror:
    """A folder on a web server."""

    def __init__(self, address: str, connect_timeout: float, read_timeout: float) -> None:
        self._address = address.rstrip("/")
        self._connect_timeout = connect_timeout
        self._read_timeout = read_timeout

    @contextmanager
    def open(self, name: str) -> Iterator[IO[bytes]]:
        """See `Mirror`."""
        for file_name in (f"{name}.gz", name):
            response = self._get(f"{self._address}/{file_name}")
            if response.status_code == 404:
                response.close()
                continue
            with response:
                if not response.ok:
                    kind = BrokenOffError if response.status_code >= 500 else MirrorError
                    raise kind(f"HTTP status {response.status_code} {response.reason}")
                size = int(response.headers.get("Content-Length", 0)) or None
                with tqdm.tqdm.wrapattr(
                    response.raw, "read", total=size, desc=file_name, disable=None, leave=False
                ) as raw:
                    try:
                        yield raw
                    except urllib3.exceptions.HTTPError as error:
                        raise BrokenOffError(f"broken off: {error}") from None
            return
        raise MirrorError(f"holds neither {name}.gz nor {name} (HTTP status 404)")

    def _get(self, address: str) -> requests.Response:
        # requests bounds each address of a host by itself, and the look-up of the name not at all;
        # a machine without internet must not wait for them one by one.
        answer: list[requests.Response | Exception] = []

        def get() -> None:
            try:
                answer.append(
                    requests.get(
                        address,
                        stream=True,
                        timeout=(self._connect_timeout, self._read_timeout),
                        headers={"Accept-Encoding": "identity"},
                    )
                )
            except requests.RequestException as error:
                answer.append(error)

        thread = threading.Thread(target=get, daemon=True)
        thread.start()
        thread.join(self._connect_timeout)
        if not answer:
            raise MirrorError(f"no answer within {self._connect_timeout:g} s")
        if isinstance(answer[0], requests.Response):
            return answer[0]
        raise _reason(answer[0])


def _reason(error: Exception) -> MirrorError:
    text = str(error)
    if isinstance(error, requests.ConnectTimeout):
        return MirrorError("no connection in time")
    if "NameResolutionError" in text:
        return MirrorError("its name cannot be resolved")
    if "NewConnectionError" in text:
        return MirrorError("no connection")
    if isinstance(error, requests.ConnectionError | requests.ReadTimeout):
        return BrokenOffError(f"broken off: {text}")
    return MirrorError(text)


class AptMirror:
    """A package of the Debian or Ubuntu archive that this machine is set up for.

    Its index and the package go to a folder of their own: no root is needed, and the system's
    state stays as it is.
    """

    def __init__(self, package: str, read_timeout: float, folder: Path) -> None:
        self._package = package
        self._read_timeout = read_timeout
        self._folder = folder
        self._unpacked = FolderMirror(folder / APT_FOLDER)

    @contextmanager
    def open(self, name: str) -> Iterator[IO[bytes]]:
        """See `Mirror`; the first call downloads the package, the others read from it."""
        if not (self._folder / APT_FOLDER).exists():
            self._download()
        with self._unpacked.open(name) as file:
            yield file

    def _download(self) -> None:
        for part in ("lists/partial", "cache/archives/partial"):
            (self._folder / part).mkdir(parents=True)
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
    try:
        subprocess.run(
            command, cwd=folder, check=True, capture_output=True, text=True, timeout=APT_SECONDS
        )
    except FileNotFoundError:
        raise MirrorError(f"this machine has no {command[0]}") from None
    except subprocess.TimeoutExpired:
        raise MirrorError(f"{command[0]} took more than {APT_SECONDS} s") from None
    except subprocess.CalledProcessError as error:
        lines = error.stderr.strip().splitlines() or ["no message"]
        raise MirrorError(f"{command[0]} failed: {lines[-1]}") from None
