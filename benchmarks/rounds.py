"""Run contestants in turn, round after round, so that a noisy machine affects all alike.

Each runs in a process of its own, in the environment of a user: variables of the families that
decide numbers are removed, except a contestant's own.
"""

import dataclasses
import json
import os
import statistics
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks import charts, results
from benchmarks.contestants import peak
from benchmarks.contestants.contestant import Task
from fmnist.stage import contract
from fmnist.stage.command import InputError

OURS, PEAK = "this project", "peak"
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
        """Return what the contestant reports; see `contestant.run`.

        Raises:
            InputError: it is not installed, or fails; has the reason.
        """
        python = PEERS / self.peer / "bin" / "python" if self.peer else Path(sys.executable)
        if not python.exists():
            raise InputError(f"{self.peer} is not installed; `make peers` does it")
        result = subprocess.run(
            [
                *(str(python), "-m", f"benchmarks.contestants.{self.module}"),
                *(*self.arguments, json.dumps(dataclasses.asdict(task))),
            ],
            env=self.variables(),
            capture_output=True,
            text=True,
        )
        if result.returncode:
            reason = (result.stderr.strip().splitlines() or [f"exit code {result.returncode}"])[-1]
            raise InputError(f"{self.module} failed: {reason}")
        return json.loads(result.stdout.splitlines()[-1])

    def variables(self) -> dict[str, str]:
        """Return the environment variables of its process."""
        users = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(contract.FAMILIES)
        }
        return users | self.environment


@dataclass
class Record:
    """What a contestant did in all rounds.

    Attributes:
        seconds: of an epoch, the median of each round.
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
        for name in list(records):
            try:
                report = contestants[name].run(dataclasses.replace(task, seed=task.seed + number))
            except InputError as error:
                if contestants[name].peer is None:
                    raise
                print(f"left out: {name}: {error}", flush=True)
                del records[name]
                continue
            record = records[name]
            record.seconds.append(statistics.median(report["seconds"]))
            if "val_accuracy" in report:
                record.val_accuracy.append(report["val_accuracy"])
            record.packages = report["packages"]
            print(f"round {number + 1}/{rounds}: {name}: {record.seconds[-1]:.3f} s", flush=True)
    return records


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

    title = f"{task}\n(medians of {len(records[ours].seconds)} rounds; lines: least and most)"
    charts.save(charts.bars([others, own, limits], title, "Seconds"), name)
    return found
