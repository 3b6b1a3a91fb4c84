"""Put right what a killed DVC can leave: a half-written dvc.lock, stale locks, temporary files.

DVC itself removes the locks of a process that is gone. It does not where another process has got
its number since, nor where the list of locks was half-written. While DVC runs here nothing is done.

Reads       dvc.lock, .dvc/tmp/rwlock, the names of files in .dvc/cache and in the visible folders
Writes      dvc.lock as it is committed, if it is half-written; DVC's run-cache has what ran since
Exit code   0, or 2 if a person has to decide
"""

import itertools
import json
import re
import subprocess
from pathlib import Path

import psutil

from commands import push
from fmnist import command, files
from fmnist.command import InputError
from versions import lock_file

RWLOCK = Path(".dvc/tmp/rwlock")  # DVC's list of the paths that its processes read and write
BROKEN = Path(".dvc/tmp/dvc.lock.broken")
CACHE = Path(".dvc/cache")
TEMPORARY = re.compile(r".*\.[\w-]{22}\.tmp")  # as dvc_objects.fs.utils.tmp_fname makes them


def main() -> None:
    """Run the command."""
    if not _dvc_runs_here():
        mend_lock_file()
        mend_rwlock()
        remove_temporary_files()
        if push.RUNS.exists():
            push.RUNS.unlink()
            print(f"mended: {push.RUNS} is of a push that was killed; removed")


def mend_lock_file() -> None:
    """Replace a half-written dvc.lock by the committed one, or by none; keep it aside."""
    path = lock_file.PATH
    if not path.exists():
        return
    text = path.read_text(encoding="utf-8", errors="replace")
    if "\n<<<<<<< " in f"\n{text}":
        raise InputError(
            f"{path}: expected no merge conflict, found one; take either side (`git checkout"
            f" --ours {path}`) and run this again"
        )
    try:
        lock_file.read()
    except InputError as reason:
        BROKEN.parent.mkdir(parents=True, exist_ok=True)
        path.replace(BROKEN)
        committed = subprocess.run(["git", "show", f"HEAD:./{path}"], capture_output=True)
        if committed.returncode == 0:
            with files.replacing(path) as file:
                file.write(committed.stdout)
        done = "removed" if committed.returncode else "put back as committed"
        print(
            f"mended: {reason}; {done}, and DVC's run-cache has what ran since ({BROKEN} keeps it)"
        )


def mend_rwlock() -> None:
    """Remove DVC's list of locked paths if no process that it names is alive."""
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
        print(f"mended: {RWLOCK} {reason}; removed")


def remove_temporary_files() -> None:
    """Remove the files that DVC writes before they get their names, beside outputs and caches."""
    for path in sorted([*CACHE.rglob("*.tmp"), *Path().glob("[!.]*/**/*.tmp")]):
        if TEMPORARY.fullmatch(path.name):
            path.unlink()
            print(f"mended: {path} is a temporary file of DVC; removed")


def _is_alive(holder: dict[str, int | str]) -> bool:
    """Tell whether the holder of a lock is alive, and no other process has got its number."""
    try:
        return holder["cmd"] in " ".join(psutil.Process(holder["pid"]).cmdline())
    except psutil.NoSuchProcess:
        return False
    except psutil.AccessDenied:  # another user's: who knows
        return True


def _dvc_runs_here() -> bool:
    """Tell whether any DVC runs in this folder."""
    return any(
        process.info["cwd"] == str(Path.cwd())
        and any(Path(part).name == "dvc" for part in process.info["cmdline"] or [])
        for process in psutil.process_iter(["cmdline", "cwd"])
    )


if __name__ == "__main__":
    command.run(main)
