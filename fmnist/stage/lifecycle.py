"""The life of a stage's process: it runs alone, ends with its parent, and can be interrupted."""

import fcntl
import os
import select
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from fmnist.stage import command
from fmnist.stage.command import InputError

INTERRUPTED_MESSAGE = (
    "interrupted: run the same command again to resume; finished stages and the finished epochs of"
    " a training are kept"
)
GRACE = 3.0  # seconds after an interrupt before the process is ended from outside Python
PATIENCE = 10.0  # seconds to wait for another run of the same stage that is about to end


def _parents() -> list[int]:
    """Return the processes that this one must not outlive.

    DVC runs a command in the user's shell, and some shells stay in between: then DVC is the
    parent's parent.
    """
    parents = [os.getppid()]
    try:
        name = Path(f"/proc/{parents[0]}/comm").read_text().strip()
        if "DVC_STAGE" in os.environ and name == Path(os.environ.get("SHELL") or "/bin/sh").name:
            stat = Path(f"/proc/{parents[0]}/stat").read_text()
            parents.append(int(stat.rpartition(")")[2].split()[1]))
    except OSError:  # not Linux, or a parent out of sight
        pass
    return parents


# Noted before a stage imports what it computes with, which takes seconds: a parent that ends in
# the meantime is missed by whoever asks later.
PARENTS = _parents()


def run(name: str, main: Callable[[], None]) -> None:
    """Run the stage ``name`` as `command.run` runs a command."""

    def run_alone() -> None:
        # The lock on the folder of the stage's package leaves nothing behind.
        with alone(Path("fmnist", name), f"stages.{name}"):
            main()

    watched = _watch_signals(), _watch_parents()
    threading.Thread(target=_end, args=watched, daemon=True).start()
    command.run(run_alone, INTERRUPTED_MESSAGE)


@contextmanager
def alone(folder: Path, name: str, patience: float = PATIENCE) -> Iterator[None]:
    """Keep every other run of ``name`` out while the block runs.

    The lock is on a folder, and the system lifts it however the process ends.

    Raises:
        InputError: another run held it for ``patience`` seconds.
    """
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        deadline = time.monotonic() + patience
        while not _lock(descriptor):
            if time.monotonic() > deadline:
                raise InputError(
                    f"{name}: expected no other run of it in this folder, found one; wait until it"
                    " has ended, or end it, and run this again"
                )
            time.sleep(0.05)
        yield
    finally:
        os.close(descriptor)


def _lock(folder: int) -> bool:
    try:
        fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:  # some network file systems have no locks; DVC's own remain
        pass
    return True


def _watch_signals() -> int:
    """Return a file descriptor that becomes readable after SIGINT or SIGTERM."""
    received, send = os.pipe()
    os.set_blocking(send, False)
    signal.set_wakeup_fd(send)
    return received


def _watch_parents() -> list[int]:
    """Return a file descriptor for each of `PARENTS`, readable once that process has ended.

    Ends this process if one of them is gone.
    """
    try:
        watched = [os.pidfd_open(process) for process in PARENTS]
    except ProcessLookupError:
        os._exit(command.EXIT_INTERRUPTED)
    except (AttributeError, OSError):  # not Linux, or an old kernel
        return []
    if os.getppid() != PARENTS[0]:  # another process has its number
        os._exit(command.EXIT_INTERRUPTED)
    return watched


def _end(interrupted: int, parents: list[int]) -> None:
    """End the process where Python cannot, as in an epoch of compiled code."""
    ready, _, _ = select.select([interrupted, *parents], [], [])
    if interrupted in ready:
        select.select(parents, [], [], GRACE)
        print(INTERRUPTED_MESSAGE, file=sys.stderr, flush=True)
    os._exit(command.EXIT_INTERRUPTED)
