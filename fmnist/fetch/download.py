"""Get files by the hash of their content, from the first mirror that has them."""

import gzip
import hashlib
import shutil
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO
from urllib.parse import unquote, urlsplit

from fmnist.command import InputError
from fmnist.fetch.apt import AptMirror
from fmnist.fetch.folder import FolderMirror
from fmnist.fetch.http import HttpMirror
from fmnist.fetch.mirror import BrokenOffError, Mirror, MirrorError
from fmnist.fetch.parameters import Fetch
from fmnist.files import replacing

CHUNK = 1 << 20
GZIP_MAGIC = b"\x1f\x8b"


def download(settings: Fetch, kept: Path, say: Callable[[str], None] = print) -> dict[str, Path]:
    """Return each file's path under ``kept``, where it is named by the SHA-256 of its content.

    A file already there is checked and used. A mirror that fails is reported with its reason, and
    the next one is asked for what is still missing.

    Args:
        settings: hashes of the decompressed files, mirrors, time-outs, retries, limit of size.

    Raises:
        InputError: no mirror has the rest; one line a mirror, with its reason.
    """
    hashes = settings.sha256.model_dump(by_alias=True)
    paths = {name: kept / sha256 for name, sha256 in hashes.items()}
    missing = [name for name, path in paths.items() if not _is_intact(path)]
    reasons = []
    with _scratch(kept / ".apt.part") as folder:
        for address in settings.mirrors:
            if not missing:
                break
            source = _mirror(address, settings, folder)
            try:
                for name in list(missing):
                    _get(source, name, paths[name], settings)
                    missing.remove(name)
                    say(f"{name}: from {address}")
            except MirrorError as reason:
                reasons.append(f"{address}: {name}: {reason}")
                say(f"mirror failed: {reasons[-1]}")
    if missing:
        raise InputError(
            f"no mirror gave {', '.join(missing)}; add one to fetch.mirrors or FMNIST_MIRRORS, or"
            " see why these failed:\n" + "\n".join(reasons)
        )
    return paths


def _mirror(address: str, settings: Fetch, scratch: Path) -> Mirror:
    """Return the mirror at ``https://…``, ``http://…``, ``file://…`` or ``apt:package``."""
    scheme, _, rest = address.partition(":")
    if scheme == "apt":
        return AptMirror(rest, settings.read_timeout, scratch / rest)
    if scheme == "file":
        return FolderMirror(Path(unquote(urlsplit(address).path)))
    return HttpMirror(address, settings.connect_timeout, settings.read_timeout)


@contextmanager
def _scratch(folder: Path) -> Iterator[Path]:
    """Yield a folder that is not there yet, and remove it.

    Its name is fixed, so that a rerun removes what a killed run left.
    """
    shutil.rmtree(folder, ignore_errors=True)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _is_intact(path: Path) -> bool:
    if not path.is_file():
        return False
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest() == path.name


def _get(source: Mirror, name: str, path: Path, settings: Fetch) -> None:
    for attempts_left in range(settings.retries, -1, -1):
        try:
            with source.open(name) as stream, replacing(path) as file:
                found = _decompress(stream, file, settings.size_limit)
                if found != path.name:
                    raise MirrorError(f"expected content of SHA-256 {path.name}, found {found}")
            return
        except BrokenOffError:
            if not attempts_left:
                raise


def _decompress(stream: IO[bytes], file: IO[bytes], size_limit: int) -> str:
    """Copy ``stream`` to ``file``, through gzip if it is compressed; return the SHA-256."""
    sha256, size = hashlib.sha256(), 0
    for chunk in _chunks(stream):
        size += len(chunk)
        if size > size_limit:
            raise MirrorError(f"expected at most {size_limit} bytes, found more")
        sha256.update(chunk)
        file.write(chunk)
    return sha256.hexdigest()


def _chunks(stream: IO[bytes]) -> Iterator[bytes]:
    try:
        content = _Peeked(stream, len(GZIP_MAGIC))
        if content.start == GZIP_MAGIC:
            content = gzip.GzipFile(fileobj=content)
        while chunk := content.read(CHUNK):
            yield chunk
    except EOFError:
        raise BrokenOffError("expected a whole gzip file, found its beginning") from None
    except (gzip.BadGzipFile, zlib.error) as error:
        raise MirrorError(f"expected a gzip file: {error}") from None
    except OSError as error:
        raise MirrorError(f"cannot be read: {error.strerror}") from None


class _Peeked:
    """A stream whose first bytes have been looked at, which a connection cannot take back."""

    def __init__(self, stream: IO[bytes], size: int) -> None:
        self.start = b""
        while len(self.start) < size and (more := stream.read(size - len(self.start))):
            self.start += more
        self._unread, self._stream = self.start, stream

    def read(self, size: int = -1) -> bytes:
        unread, self._unread = self._unread, b""
        return unread or self._stream.read(size)


def place(source: Path, path: Path) -> None:
    """Copy a checked file to its name, whole or not at all."""
    with source.open("rb") as file, replacing(path) as copy:
        shutil.copyfileobj(file, copy, CHUNK)
