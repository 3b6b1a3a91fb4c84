"""Run a program in a process of its own, and measure it."""

import os
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from fmnist.command import InputError


@dataclass(frozen=True)
class Measured:
    """How a process ran.

    Attributes:
        seconds: from its start to its end.
        user_seconds: of all cores, in its own code. What it waits for, and what the kernel does for
            it, such as handing out memory, is not among them.
        peak: the most resident memory that it had, bytes. Linux counts that of the process that
            starts it as its own, up to there, so a benchmark of memory has to stay small itself.
        lines: what it printed, each line with the seconds at which it came.
    """

    seconds: float
    user_seconds: float
    peak: int
    lines: list[tuple[float, str]]


def run(
    command: Sequence[str | Path], folder: Path, environment: Mapping[str, str] | None = None
) -> Measured:
    """Run ``command`` in ``folder``, in this process's environment unless another is given.

    Raises:
        InputError: it fails; says its last lines.
    """
    start = time.perf_counter()
    with subprocess.Popen(
        command,
        cwd=folder,
        # Else Python keeps lines that go to a pipe back, and they have no time of their own.
        env={**(os.environ if environment is None else environment), "PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    ) as process:
        lines = [(time.perf_counter() - start, line.rstrip("\n")) for line in process.stdout]
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - start
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        last = "\n".join(line for _, line in lines[-10:])
        raise InputError(f"{' '.join(map(str, command))} ended with {process.returncode}:\n{last}")
    return Measured(seconds, usage.ru_utime, usage.ru_maxrss * 1024, lines)
