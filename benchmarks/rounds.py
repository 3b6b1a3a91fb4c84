"""Run contestants in turn, epoch by epoch, so that a noisy machine affects all alike.

Each runs in a process of its own, in the environment of a user: variables of the families that
decide numbers are removed, except a contestant's own. All processes of a round exist at the same
time, and wait while it is another's turn.
"""

import dataclasses
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TextIO

from benchmarks import charts, results
from benchmarks.contestants import peak
from benchmarks.contestants.contestant import READY, Task
from fmnist.stage import contract
from fmnist.stage.command import InputError

OURS, FREE, PEAK = "this project", "this project, without the contract's switches", "peak"
THREADS = {"OPENBLAS_NUM_THREADS": "2"}
THREADS_AVX2 = THREADS | {"OPENBLAS_CORETYPE": "Haswell"}
PEERS = Path(".peers")
ALIKE = 4.0  # standard errors within which contestants have learned the same


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


@dataclass
class Record:
    """What a contestant did in all rounds.

    Attributes:
        seconds: of each epoch but a round's first.
        val_accuracy: of each round; empty if it does not learn.
        packages: their versions.
    """

    seconds: list[float] = field(default_factory=list)
    val_accuracy: list[float] = field(default_factory=list)
    packages: dict[str, str] = field(default_factory=dict)


def race(contestants: Mapping[str, Contestant], task: Task, rounds: int) -> dict[str, Record]:
    """Return the record of each contestant; a peer that cannot run is left out with a message.

    Round ``n`` has the seed ``task.seed + n``, the same for all.

    Raises:
        InputError: a contestant that needs no peer's environment cannot run.
    """
    records = {name: Record() for name in contestants}
    for number in range(rounds):
        seeded = dataclasses.replace(task, seed=task.seed + number)
        with ExitStack() as stack:
            runs = {}
            for name in list(records):
                with _left_out_if_a_peer(contestants, name, records):
                    runs[name] = stack.enter_context(started(contestants[name], seeded))
            for _ in range(task.recipe["epochs"]):
                for name in list(records):
                    with _left_out_if_a_peer(contestants, name, records):
                        runs[name].take_turn()
            for name, record in records.items():
                report = runs[name].report()
                record.seconds += report["seconds"]
                if "val_accuracy" in report:
                    record.val_accuracy.append(report["val_accuracy"])
                record.packages = report["packages"]
                median = statistics.median(report["seconds"])
                print(f"round {number + 1}/{rounds}: {name}: {median:.3f} s", flush=True)
    return records


@contextmanager
def _left_out_if_a_peer(
    contestants: Mapping[str, Contestant], name: str, records: dict[str, Record]
) -> Iterator[None]:
    try:
        yield
    except InputError as error:
        if contestants[name].peer is None:
            raise
        print(f"left out: {name}: {error}", flush=True)
        del records[name]


def limit_by_peak(records: dict[str, Record], gflop: float) -> float:
    """Replace the record of `PEAK` by the time of ``gflop`` at that speed; return its GFLOP/s."""
    record = records.pop(PEAK)
    speed = statistics.median(peak.gflops(record.seconds))
    seconds = [gflop / speed] * len(record.seconds)
    records[f"at the peak of {speed:.0f} GFLOP/s"] = Record(seconds)
    return speed


def unlike(records: Mapping[str, Record], ours: str) -> list[str]:
    """Return the contestants whose accuracy differs from ``ours`` by more than the noise of seeds.

    Such a contestant did less work, or other work. Noise is pooled over the contestants.
    """
    learned = {name: record.val_accuracy for name, record in records.items() if record.val_accuracy}
    rounds = len(learned[ours])
    if rounds < 2:
        return []
    deviation = statistics.mean(statistics.variance(values) for values in learned.values()) ** 0.5
    within = ALIKE * deviation * (2 / rounds) ** 0.5
    mean = statistics.mean(learned[ours])
    return [name for name in learned if abs(statistics.mean(learned[name]) - mean) > within]


def report(name: str, task: str, records: Mapping[str, Record], ours: str) -> dict[str, Any]:
    """Print a table, draw ``docs/bench/<name>.png``, and return the results for `results.write`.

    Args:
        task: what all did, for a title.
        records: of all contestants; those that do not learn are limits.
    """
    found: dict[str, Any] = {"task": task, "contestants": {}, "unlike": unlike(records, ours)}
    others, own, limits = [], [], []
    print(f"\n{task}")
    for contestant, record in records.items():
        seconds = results.summary(record.seconds)
        times = results.summary(results.ratios(record.seconds, records[ours].seconds))
        entry = {"seconds": seconds, "times_ours": times, "packages": record.packages}
        accuracy = ""
        if record.val_accuracy:
            entry["val_accuracy"] = results.summary(record.val_accuracy)
            accuracy = f", validation accuracy {entry['val_accuracy']['median']:.4f}"
        found["contestants"][contestant] = entry
        print(results.line(contestant, seconds, "s") + f" {times['median']:.2f} x ours{accuracy}")
        if contestant == ours:
            own.append((contestant, seconds))
        else:
            group = others if record.val_accuracy else limits
            group.append((f"{contestant}: {times['median']:.1f} x", seconds))
    for contestant in found["unlike"]:
        print(f"error: {contestant} did not learn what {ours} did")

    title = f"{task}\n(medians of {len(records[ours].seconds)} epochs; lines: least and most)"
    charts.save(charts.bars([others, own, limits], title, "Seconds"), name)
    return found
