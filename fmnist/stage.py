"""What a stage is beyond a command: it runs alone, ends with its parent, and can be interrupted."""

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

from fmnist import command
from fmnist.command import InputError

INTERRUPTED = (
    "interrupted: run the same command again to go on; finished stages are kept, and so are the"
    " finished epochs of a training"
)
GRACE = 3.0  # seconds from an interrupt to the end, where Python cannot answer it before
PATIENCE = 10.0  # seconds for another run of the same stage that is about to end


def run(name: str, main: Callable[[], None]) -> None:
    """Run the stage ``name`` as `command.run` runs a command."""

    def run_alone() -> None:
        # The lock on the folder of the stage's package leaves nothing behind.
        with alone(Path("fmnist", name), f"stages.{name}"):
            main()

    watched = _watch_signals(), _watch_parents()
    threading.Thread(target=_end, args=watched, daemon=True).start()
    command.run(run_alone, INTERRUPTED)


@contextmanager
def alone(folder: Path, name: str, patience: float = PATIENCE) -> Iterator[None]:
    """Keep every other run of ``name`` out, as long as the block lasts.

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
    except OSError:  # a network's file system may know no locks; DVC's own are left
        pass
    return True


def _watch_signals() -> int:
    """Return a file descriptor that is readable after SIGINT or SIGTERM."""
    received, send = os.pipe()
    os.set_blocking(send, False)
    signal.set_wakeup_fd(send)
    return received


def _watch_parents() -> list[int]:
    """Return a file descriptor for each process that this one must not outlive.

    It is readable once the process has ended. DVC runs a command in the user's shell, and some
    shells stay in between: then DVC is the parent's parent. A parent that ends while Python starts
    is not seen; `alone` then keeps the next run out until this one has ended.
    """
    try:
        parents = [os.getppid()]
        name = Path(f"/proc/{parents[0]}/comm").read_text().strip()
        if "DVC_STAGE" in os.environ and name == Path(os.environ.get("SHELL") or "/bin/sh").name:
            stat = Path(f"/proc/{parents[0]}/stat").read_text()
            parents.append(int(stat.rpartition(")")[2].split()[1]))
        return [os.pidfd_open(process) for process in parents]
    except (AttributeError, OSError):  # not Linux, an old kernel, or a parent out of sight
        return []


def _end(interrupted: int, parents: list[int]) -> None:
    """End the process where Python has no turn to do so, as in an epoch of compiled code."""
    ready, _, _ = select.select([interrupted, *parents], [], [])
    if interrupted in ready:
        select.select(parents, [], [], GRACE)
        print(INTERRUPTED, file=sys.stderr, flush=True)
    os._exit(command.INTERRUPTED)
