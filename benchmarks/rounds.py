"""Run contestants in turn, epoch by epoch, so that a noisy machine affects all alike.

All processes of a round exist at the same time, and wait while it is another's turn.
"""

import dataclasses
import statistics
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any

from benchmarks import charts, results
from benchmarks.contestant_process import Contestant, started
from benchmarks.contestants import peak
from benchmarks.contestants.contestant import Task
from fmnist.stage.command import InputError

OURS, FREE, PEAK = "this project", "this project, without the contract's switches", "peak"
THREADS = {"OPENBLAS_NUM_THREADS": "2"}
THREADS_AVX2 = THREADS | {"OPENBLAS_CORETYPE": "Haswell"}
ALIKE = 4.0  # standard errors within which contestants have learned the same


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
    slowest_first = [sorted(g, key=lambda bar: -bar[1]["median"]) for g in (others, own, limits)]
    charts.save(charts.bars(slowest_first, title, "Seconds"), name)
    return found
