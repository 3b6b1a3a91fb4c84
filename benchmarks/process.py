"""Run a program in a process of its own, and measure it.

Linux counts the memory of the process that starts a program as the program's own. So `run` starts
this file as a small process, which starts the program.
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from fmnist.stage.command import InputError

ROOT = Path(__file__).parent.parent


@dataclass(frozen=True)
class Measured:
    """How a process ran.

    Attributes:
        status: its exit code.
        seconds: from its start to its end.
        user_seconds: in its own code, summed over all cores. Waiting, and what the kernel does for
            it, such as handing out memory, do not count.
        peak: its peak resident memory, bytes.
        lines: what it printed, each line with the second at which it arrived.
    """

    status: int
    seconds: float
    user_seconds: float
    peak: int
    lines: list[tuple[float, str]]


def run(
    command: Sequence[str | Path], folder: Path, environment: Mapping[str, str] | None = None
) -> Measured:
    """Run ``command`` in ``folder``, in this process's environment unless another is given.

    Raises:
        InputError: it fails; has its last lines.
    """
    program = [str(part) for part in command]
    starter = subprocess.run(
        [sys.executable, "-m", "benchmarks.process", str(folder.resolve()), *program],
        cwd=ROOT,
        # Otherwise Python buffers lines that go to a pipe, and they have no time of their own.
        env={**(os.environ if environment is None else environment), "PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    measured = Measured(**json.loads(starter.stdout))
    if measured.status:
        last = "\n".join(line for _, line in measured.lines[-10:])
        raise InputError(f"{' '.join(program)}: exit code {measured.status}:\n{last}")
    return measured


def _measure(folder: str, *command: str) -> Measured:
    start = time.perf_counter()
    with subprocess.Popen(
        command,
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    ) as process:
        lines = [(time.perf_counter() - start, line.rstrip("\n")) for line in process.stdout]
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - start
        process.returncode = os.waitstatus_to_exitcode(status)
    peak = usage.ru_maxrss * 1024
    return Measured(process.returncode, seconds, usage.ru_utime, peak, lines)


if __name__ == "__main__":
    print(json.dumps(asdict(_measure(*sys.argv[1:]))))
