"""Repair what a killed DVC can leave: a half-written dvc.lock, stale locks, temporary files.

DVC removes the locks of a process that is gone, except where another process has its number by now
or where the list of locks is half-written. While DVC runs in this folder, this does nothing.

Reads       dvc.lock, .dvc/tmp/rwlock, the names of files in .dvc/cache and in the visible folders
Writes      dvc.lock as committed, if it is half-written; DVC's run-cache has what ran since
Exit code   0, or 2 if dvc.lock has a merge conflict, or Git cannot show the committed one
"""

import itertools
import json
import re
from pathlib import Path

import psutil

from fmnist.pipeline import git_command, lock_file
from fmnist.pipeline.dvc_command import PUSH_LIST
from fmnist.pipeline.git_command import git
from fmnist.stage import command, files
from fmnist.stage.command import InputError

RWLOCK = Path(".dvc/tmp/rwlock")  # DVC's list of the paths that its processes read and write
BROKEN = Path(".dvc/tmp/dvc.lock.broken")
CACHE = Path(".dvc/cache")
TAKE_ONE_SIDE = "git checkout --ours dvc.lock metrics plots"
TEMPORARY = re.compile(r".*\.[\w-]{22}\.tmp")  # as dvc_objects.fs.utils.tmp_fname makes them


def main() -> None:
    """Run the command."""
    if not _dvc_runs_here():
        repair_lock_file()
        repair_rwlock()
        remove_temporary_files()


def repair_lock_file() -> None:
    """Replace a half-written dvc.lock by the committed one, or by none; keep a copy."""
    path = lock_file.PATH
    if not path.exists():
        return
    text = path.read_text(encoding="utf-8", errors="replace")
    if "\n<<<<<<< " in f"\n{text}":
        raise InputError(
            f"{path}: expected no merge conflict, found one; take either side, because `make repro`"
            f" computes the results of the merge:\n{TAKE_ONE_SIDE}\nmake repro"
        )
    try:
        lock_file.read()
    except InputError as reason:
        try:
            committed = _committed(path)
        except InputError as error:
            raise InputError(f"{reason}; the committed one cannot replace it: {error}") from None
        BROKEN.parent.mkdir(parents=True, exist_ok=True)
        path.replace(BROKEN)
        if committed is not None:
            with files.replacing(path) as file:
                file.write(committed)
        done = "removed" if committed is None else "replaced by the committed one"
        _report(
            f"{reason}; {done}. DVC's run-cache has what ran since, and {BROKEN} is a copy of the"
            " broken file"
        )


def repair_rwlock() -> None:
    """Remove DVC's list of locked paths if none of its processes is alive."""
    if not RWLOCK.exists():
        return
    try:
        locks = json.loads(RWLOCK.read_text(encoding="utf-8"))
        writers, readers = locks.get("write", {}).values(), locks.get("read", {}).values()
        holders = [*writers, *itertools.chain.from_iterable(readers)]
        stale = bool(holders) and not any(map(_is_alive, holders))
        reason = "names no process of DVC that is alive"
    except (ValueError, AttributeError, TypeError, KeyError):
        stale, reason = True, "is half-written"
    if stale:
        RWLOCK.unlink()
        _report(f"{RWLOCK} {reason}; removed")


def remove_temporary_files() -> None:
    """Remove what DVC writes under other names first, and what `commands.push` writes."""
    for path in sorted([*CACHE.rglob("*.tmp"), *Path().glob("[!.]*/**/*.tmp")]):
        if TEMPORARY.fullmatch(path.name):
            path.unlink()
            _report(f"{path} is a temporary file of DVC; removed")
    if PUSH_LIST.exists():
        PUSH_LIST.unlink()
        _report(f"{PUSH_LIST} is left by a killed push; removed")


def _committed(path: Path) -> bytes | None:
    """Return the committed content of a file; None if there is no commit that has it.

    Raises:
        InputError: Git cannot tell.
    """
    try:
        git("rev-parse", "--git-dir")
    except InputError as error:
        if "not a git repository" in str(error):
            return None
        raise
    try:
        git("rev-parse", "--verify", "HEAD")
    except InputError:  # no commit yet
        return None
    if not git("ls-tree", "--name-only", "HEAD", f"./{path}"):
        return None
    return git_command.read("show", f"HEAD:./{path}")


def _report(what: str) -> None:
    print(f"repaired: {what}")


def _is_alive(holder: dict[str, int | str]) -> bool:
    """Return whether the holder of a lock is alive, and not another process with its number."""
    try:
        return holder["cmd"] in " ".join(psutil.Process(holder["pid"]).cmdline())
    except psutil.NoSuchProcess:
        return False
    except psutil.AccessDenied:  # another user's: unknown
        return True


def _dvc_runs_here() -> bool:
    """Return whether any DVC runs in this folder."""
    return any(
        process.info["cwd"] == str(Path.cwd())
        and any(Path(part).stem == "dvc" for part in process.info["cmdline"] or [])
        for process in psutil.process_iter(["cmdline", "cwd"])
    )


if __name__ == "__main__":
    command.run(main)
