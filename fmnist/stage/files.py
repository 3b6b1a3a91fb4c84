"""Read and write small files; a file is written whole or not at all."""

import csv
import io
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from fmnist.stage.command import InputError


@contextmanager
def replacing(path: Path) -> Iterator[IO[bytes]]:
    """Yield a temporary binary file that replaces ``path`` when the block succeeds.

    Its name is fixed, so that a rerun overwrites what a killed run left.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.part")
    try:
        with temporary.open("wb") as file:
            yield file
        temporary.replace(path)
    except BaseException as error:
        temporary.unlink(missing_ok=True)
        if isinstance(error, OSError) and error.filename in (None, str(temporary)):
            error.filename = str(path)  # a full disk names no file
        raise


def write_text(path: Path, text: str) -> None:
    """Write ``text`` as UTF-8, with its own line ends."""
    with replacing(path) as file:
        file.write(text.encode("utf-8"))


def read_json(path: Path) -> dict[str, Any]:
    """Return a mapping that `write_json` wrote.

    Raises:
        InputError: the file is missing or is not JSON; names the file.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputError(f"{path}: no such file; `dvc repro` makes it") from None
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: expected JSON: {error}; delete it and run `dvc repro`") from None


def write_json(path: Path, value: dict[str, Any]) -> None:
    """Write nested mappings as indented JSON, in their own order."""
    write_text(path, json.dumps(value, indent=2, allow_nan=False) + "\n")


def rounded(value: Any, digits: int = 6) -> Any:
    """Round every float in nested mappings to ``digits`` decimals."""
    if isinstance(value, dict):
        return {key: rounded(item, digits) for key, item in value.items()}
    return round(value, digits) if isinstance(value, float) else value


def write_rows(path: Path, rows: list[dict[str, Any]]) -> None:
    """Write at least one row of equal keys as CSV with a header."""
    text = io.StringIO()
    writer = csv.DictWriter(text, rows[0], lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    write_text(path, text.getvalue())
