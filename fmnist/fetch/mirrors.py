"""Mirrors: folders of this machine, folders on web servers, and Debian packages."""

import io
import shutil
import subprocess
import threading
import time
from concurrent.futures import Future
from pathlib import Path
from urllib.parse import unquote, urlsplit

import requests
import tqdm
from urllib3.exceptions import HTTPError, NewConnectionError

from fmnist.fetch import Download

BUFFER_SIZE = 1 << 20  # bytes that must arrive within the read time-out
APT_TIMEOUT = 300  # seconds, for each of its commands
SETPRIV = ("setpriv", "--pdeathsig", "KILL")  # so that a command is killed with the stage
DATA = Path("usr/share/datasets/fashion-mnist")  # in the package dataset-fashion-mnist


class MirrorError(Exception):
    """A mirror did not provide a file; the message is the reason."""


class TransientError(MirrorError):
    """A server was reached but failed, so a retry may help."""


def open_file(mirror: str, name: str, settings: Download, scratch: Path) -> io.BufferedReader:
    """Open ``<name>.gz`` or ``<name>``, whichever the mirror has.

    Args:
        mirror: ``https://…``, ``http://…``, ``file:///…`` or ``apt:<package>``.
        scratch: folder for packages, each of which is downloaded once.

    Raises:
        MirrorError: the mirror cannot be reached, has neither file, or fails. Reading raises it
            too, for example if a server is too slow.
    """
    folder = mirror.rstrip("/")
    if mirror.startswith("apt:"):
        package = mirror.removeprefix("apt:")
        folder = _unpack(package, (scratch / package).resolve(), settings).as_uri()
    for url in (f"{folder}/{name}.gz", f"{folder}/{name}"):
        try:
            if url.startswith("file:"):
                return Path(unquote(urlsplit(url).path)).open("rb")
            return _open_http(url, settings)
        except FileNotFoundError:
            continue
        except OSError as error:
            raise MirrorError(f"{error.filename}: {error.strerror}") from None
    raise MirrorError(f"holds neither {name}.gz nor {name}")


def _open_http(url: str, settings: Download) -> io.BufferedReader:
    response = _get(url, settings)
    if response.ok:
        return io.BufferedReader(_Body(response, settings.read_timeout), BUFFER_SIZE)
    response.close()
    if response.status_code == 404:
        raise FileNotFoundError(url)
    kind = TransientError if response.status_code >= 500 else MirrorError
    raise kind(f"HTTP status {response.status_code} {response.reason}")


def _get(url: str, settings: Download) -> requests.Response:
    # requests applies its time-out to each address of a host in turn, and not to the name lookup.
    # The thread limits the total, so that a machine without internet soon tries the next mirror.
    future: Future[requests.Response] = Future()

    def request() -> None:
        timeout = (settings.connect_timeout, settings.read_timeout)
        headers = {"Accept-Encoding": "identity"}
        try:
            future.set_result(requests.get(url, stream=True, timeout=timeout, headers=headers))
        except Exception as error:
            future.set_exception(error)

    threading.Thread(target=request, daemon=True).start()
    try:
        return future.result(settings.connect_timeout)
    except (TimeoutError, requests.ConnectTimeout):
        raise MirrorError(f"no answer within {settings.connect_timeout:g} s") from None
    except requests.ConnectionError as error:
        cause = getattr(error.args[0], "reason", error)
        kind = MirrorError if isinstance(cause, NewConnectionError) else TransientError
        raise kind(f"connection failed: {cause}") from None
    except Exception as error:  # requests lets some errors of urllib3 through
        raise MirrorError(str(error)) from None


class _Body(io.RawIOBase):
    """The body of a response, which has to fill each buffer within a time-out.

    The time-out of a socket restarts at every byte, so it does not stop a very slow server.
    """

    def __init__(self, response: requests.Response, timeout: float) -> None:
        self._response, self._timeout = response, timeout
        name, size = Path(urlsplit(response.url).path).name, response.raw.length_remaining
        self._progress = tqdm.tqdm(
            desc=name, total=size, unit="B", unit_scale=True, disable=None, leave=False
        )

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:
        start, size = time.monotonic(), 0
        while size < len(buffer):
            if time.monotonic() - start > self._timeout:
                expected = f"{len(buffer)} bytes within {self._timeout:g} s"
                raise MirrorError(f"too slow: expected {expected}, found {size}")
            try:
                data = self._response.raw.read1(len(buffer) - size)
            except HTTPError as error:
                raise TransientError(f"connection failed: {error}") from None
            if not data:
                break
            buffer[size : size + len(data)] = data
            size += len(data)
            self._progress.update(len(data))
        return size

    def close(self) -> None:
        self._progress.close()
        self._response.close()
        super().close()


def _unpack(package: str, folder: Path, settings: Download) -> Path:
    """Download a package to ``folder``, unless it is there; return the folder with its data.

    apt keeps its index in ``folder`` too, so it needs no root and leaves the system unchanged.
    """
    if (folder / DATA).exists():
        return folder / DATA
    (folder / "lists/partial").mkdir(parents=True, exist_ok=True)
    (folder / "cache/archives/partial").mkdir(parents=True, exist_ok=True)
    options = {
        "Dir::State::Lists": folder / "lists",
        "Dir::Cache": folder / "cache",
        "Acquire::http::Timeout": f"{settings.read_timeout:g}",
        "Acquire::Languages": "none",
        "APT::Sandbox::User": "",
    }
    apt_get = ["apt-get", "--quiet", *(f"--option={key}={value}" for key, value in options.items())]
    _run([*apt_get, "update"], folder)
    _run([*apt_get, "download", package], folder)
    for archive in folder.glob("*.deb"):
        _run(["dpkg-deb", "--extract", archive.name, "."], folder)
    return folder / DATA


def _run(command: list[str], folder: Path) -> None:
    for program in (command[0], SETPRIV[0]):
        if shutil.which(program) is None:
            raise MirrorError(f"this machine has no {program}")
    try:
        result = subprocess.run(
            [*SETPRIV, *command], cwd=folder, capture_output=True, text=True, timeout=APT_TIMEOUT
        )
    except subprocess.TimeoutExpired:
        raise MirrorError(f"{command[0]} took more than {APT_TIMEOUT} s") from None
    if result.returncode != 0:
        lines = result.stderr.strip().splitlines() or ["no message"]
        raise MirrorError(f"{command[0]} failed: {lines[-1]}")
