"""Put right what a killed DVC can leave: a half-written dvc.lock, and locks that nobody holds.

Reads       dvc.lock, .dvc/tmp/rwlock
Writes      dvc.lock as it is committed, if it is half-written; DVC's run-cache has what ran since
Exit code   0, or 2 if a person has to decide
"""

import itertools
import json
import subprocess
from pathlib import Path

import psutil

from fmnist import command
from fmnist.command import InputError
from versions import lock_file

LOCK_FILE = lock_file.PATH
RWLOCK = Path(".dvc/tmp/rwlock")  # DVC's list of the paths that its processes read and write


def main() -> None:
    """Run the command."""
    mend_lock_file()
    mend_rwlock()


def mend_lock_file() -> None:
    """Replace a half-written dvc.lock by the committed one, or by none."""
    if not LOCK_FILE.exists():
        return
    text = LOCK_FILE.read_text(encoding="utf-8", errors="replace")
    if "\n<<<<<<< " in f"\n{text}":
        raise InputError(
            f"{LOCK_FILE}: expected no merge conflict, found one; take either side (`git checkout"
            f" --ours {LOCK_FILE}`) and run this again"
        )
    try:
        lock_file.read()
    except InputError as reason:
        committed = subprocess.run(["git", "show", f"HEAD:./{LOCK_FILE}"], capture_output=True)
        if committed.returncode == 0:
            LOCK_FILE.write_bytes(committed.stdout)
            done = "put back as committed"
        else:
            LOCK_FILE.unlink()
            done = "removed"
        print(f"mended: {reason}; {done}, and DVC's run-cache has what ran since")


def mend_rwlock() -> None:
    """Remove DVC's list of locked paths if no process that it names, or could name, is alive."""
    if not RWLOCK.exists():
        return
    try:
        locks = json.loads(RWLOCK.read_text(encoding="utf-8"))
        writers, readers = locks.get("write", {}).values(), locks.get("read", {}).values()
        holders = [*writers, *itertools.chain.from_iterable(readers)]
        stale = bool(holders) and not any(map(_is_running, holders))
        reason = "names no process of DVC that is alive"
    except (ValueError, AttributeError, TypeError):
        stale = not _runs_here()
        reason = "is half-written"
    if stale:
        RWLOCK.unlink()
        print(f"mended: {RWLOCK} {reason}; removed")


def _is_running(holder: dict[str, int | str]) -> bool:
    """Tell whether the holder of a lock is alive, and no other process has got its number."""
    try:
        return holder["cmd"] in " ".join(psutil.Process(holder["pid"]).cmdline())
    except psutil.Error:
        return False


def _runs_here() -> bool:
    """Tell whether any DVC runs in this folder."""
    found = psutil.process_iter(["cmdline", "cwd"])
    return any(
        process.info["cwd"] == str(Path.cwd())
        and any(Path(part).name == "dvc" for part in process.info["cmdline"] or [])
        for process in found
    )


if __name__ == "__main__":
    command.run(main)
