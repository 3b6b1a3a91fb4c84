"""Download files, and keep those whose content has the expected hash."""

import gzip
import hashlib
import io
import shutil
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

from fmnist.fetch import Download
from fmnist.fetch.mirrors import MirrorError, TransientError, open_file
from fmnist.stage.command import InputError
from fmnist.stage.files import replacing

CHUNK_SIZE = 1 << 20  # bytes
GZIP_MAGIC = b"\x1f\x8b"


def download(
    hashes: dict[str, str], settings: Download, kept: Path, say: Callable[[str], None] = print
) -> dict[str, Path]:
    """Return the path of each file in ``kept``, where its name is the SHA-256 of its content.

    A file that is already there and intact is not downloaded again. When a mirror fails, its
    reason is reported, and the next mirror is asked for the files that are still missing.

    Args:
        hashes: SHA-256 of the decompressed content of each file, by file name.
        say: receives each line of the report.

    Raises:
        InputError: no mirror provides a file; lists each mirror with its reason.
    """
    paths = {name: kept / sha256 for name, sha256 in hashes.items()}
    missing = [name for name, path in paths.items() if not _is_intact(path)]
    reasons = []
    scratch = kept / ".apt.part"  # a fixed name, so that this removes what a killed run left
    shutil.rmtree(scratch, ignore_errors=True)
    try:
        for mirror in settings.mirrors:
            for name in list(missing):
                try:
                    _download_file(mirror, name, paths[name], settings, scratch)
                except MirrorError as reason:
                    reasons.append(f"{mirror}: {name}: {reason}")
                    say(f"mirror failed: {reasons[-1]}")
                    break
                missing.remove(name)
                say(f"{name}: from {mirror}")
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    if missing:
        raise InputError(
            f"no mirror provides {', '.join(missing)}; add one to download.mirrors or"
            " FMNIST_MIRRORS, or see why these failed:\n" + "\n".join(reasons)
        )
    return paths


def _is_intact(path: Path) -> bool:
    if not path.is_file():
        return False
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest() == path.name


def _download_file(mirror: str, name: str, path: Path, settings: Download, scratch: Path) -> None:
    for retries_left in reversed(range(settings.retries + 1)):
        try:
            with open_file(mirror, name, settings, scratch) as stream, replacing(path) as file:
                sha256 = hashlib.sha256()
                for chunk in _decompressed(stream):
                    if file.tell() + len(chunk) > settings.size_limit:
                        limit = f"at most {settings.size_limit} bytes"
                        raise MirrorError(f"expected {limit}, found more")
                    sha256.update(chunk)
                    file.write(chunk)
                if (found := sha256.hexdigest()) != path.name:
                    raise MirrorError(f"expected content of SHA-256 {path.name}, found {found}")
            return
        except TransientError:
            if not retries_left:
                raise


def _decompressed(stream: io.BufferedReader) -> Iterator[bytes]:
    """Yield the content of a file in chunks, whether it is a gzip file or not."""
    try:
        is_gzip = stream.peek(len(GZIP_MAGIC)).startswith(GZIP_MAGIC)
        content = gzip.GzipFile(fileobj=stream) if is_gzip else stream
        while chunk := content.read(CHUNK_SIZE):
            yield chunk
    except EOFError:
        raise TransientError("expected a complete gzip file, found a truncated one") from None
    except (gzip.BadGzipFile, zlib.error) as error:
        raise MirrorError(f"expected a gzip file: {error}") from None
    except OSError as error:
        raise MirrorError(f"cannot be read: {error.strerror}") from None
