"""A contestant in a process of its own, which trains an epoch when it is its turn.

It has the environment of a user: variables of the families that decide numbers are removed, except
its own.
"""

import dataclasses
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TextIO

from benchmarks.contestants.contestant import READY, Task
from fmnist.stage import contract
from fmnist.stage.command import InputError

PEERS = Path(".peers")


@dataclass(frozen=True)
class Contestant:
    """A program of ``benchmarks.contestants``.

    Attributes:
        module: its name.
        arguments: of the program, before the task.
        peer: it runs in this peer's environment; None for this one.
        environment: its own variables.
    """

    module: str
    arguments: tuple[str, ...] = ()
    peer: str | None = None
    environment: Mapping[str, str] = field(default_factory=dict)

    def run(self, task: Task) -> dict[str, Any]:
        """Return what the contestant reports when it runs alone; see `contestant.run`.

        Raises:
            InputError: it is not installed, or fails; has the reason.
        """
        with started(self, task) as run:
            for _ in range(task.recipe["epochs"]):
                run.take_turn()
            return run.report()

    def variables(self) -> dict[str, str]:
        """Return the environment variables of its process."""
        users = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(contract.FAMILIES)
        }
        return users | self.environment


class Run:
    """The process of a contestant, which waits for its turn."""

    def __init__(self, name: str, process: subprocess.Popen, errors: TextIO) -> None:
        """Wait until it has prepared; raises as `take_turn`."""
        self._name, self._process, self._errors = name, process, errors
        self._last_line = ""
        self._wait()

    def take_turn(self) -> None:
        """Let it train for an epoch.

        Raises:
            InputError: it failed; has the reason.
        """
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        self._wait()

    def report(self) -> dict[str, Any]:
        """Return its report, after the last epoch."""
        return json.loads(self._last_line)

    def _wait(self) -> None:
        """Wait until it is ready for the next epoch or has ended."""
        for line in self._process.stdout:
            self._last_line = line.strip()
            if self._last_line == READY:
                return
        if code := self._process.wait():
            self._errors.seek(0)
            reason = (self._errors.read().strip().splitlines() or [f"exit code {code}"])[-1]
            raise InputError(f"{self._name} failed: {reason}")


@contextmanager
def started(contestant: Contestant, task: Task) -> Iterator[Run]:
    """Start a contestant; it ends with the block.

    Raises:
        InputError: it is not installed, or fails; has the reason.
    """
    peer = contestant.peer
    python = PEERS / peer / "bin" / "python" if peer else Path(sys.executable)
    if not python.exists():
        raise InputError(f"{peer} is not installed; `make peers` does it")
    with (
        tempfile.TemporaryFile("w+") as errors,
        subprocess.Popen(
            [
                *(str(python), "-m", f"benchmarks.contestants.{contestant.module}"),
                *(*contestant.arguments, json.dumps(dataclasses.asdict(task))),
            ],
            env=contestant.variables(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        ) as process,
    ):
        try:
            yield Run(contestant.module, process, errors)
        finally:
            process.kill()
