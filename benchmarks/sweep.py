"""How many trials an hour a sweep runs on one core and on two, and the overhead of each trial.

The same trials of the default recipe, about 20 seconds each on one thread, run in turn on one core
and on two. A rate leaves out the first trials, as many as there are workers, with which it starts.
The overhead is the time between two ends on one core, less the seconds of the trial itself. Then
many tiny trials, on few images, show whether memory or time grows with their number.

Reads       HEAD, data/prepared/{train,validation}.npz
Writes      docs/bench/sweep.json, docs/bench/many_trials.json
Usage       python -m benchmarks.sweep [--rounds 3] [--tiny 1000]; 0 leaves a part out
"""

import argparse
import csv
import os
import statistics
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import psutil
import yaml

from benchmarks import process, results
from fmnist.dataset.images import Images
from fmnist.stage import command
from fmnist.versions.checkout import Checkout

PREPARED = Path("data/prepared")
SPLITS = ("train", "validation")
SPACE = {
    "recipe": "mlp",
    "objective": "val_accuracy",
    "successive_halving": None,
    "parameters": {"optimizer.learning_rate": {"low": 0.003, "high": 0.03, "log": True}},
}
TRIALS, EPOCHS = 6, 22  # of a sweep; of a trial, about 20 seconds
TINY_IMAGES = 200
MIB = 2**20


@dataclass(frozen=True)
class Trials:
    """How the trials of a sweep ran, in the order in which they ended.

    Attributes:
        seconds: of each trial.
        ends: when each ended, in seconds from the start of the sweep.
        memory: once a second, the number of ended trials and the MiB of driver and workers.
    """

    seconds: list[float]
    ends: list[float]
    memory: list[tuple[int, float]]


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.sweep")
    parser.add_argument("--rounds", type=int, default=3, help="(default: %(default)s)")
    parser.add_argument("--tiny", type=int, default=1000, help="trials (default: %(default)s)")
    arguments = parser.parse_args()
    if arguments.rounds:
        results.write("sweep", speed(arguments.rounds))
    if arguments.tiny:
        results.write("many_trials", tiny(arguments.tiny))


def speed(rounds: int) -> dict[str, Any]:
    """Return trials an hour on one core and on two, and the overhead of a trial."""
    rates: dict[int, list[float]] = {1: [], 2: []}
    overheads = []
    for number in range(1, rounds + 1):
        for cores, measured in rates.items():
            trials = run(cores, TRIALS, EPOCHS)
            measured.append(rate(trials.ends, cores))
            if cores == 1:
                overheads += overhead(trials)
            print(f"round {number}: {cores} cores, {measured[-1]:.0f} trials an hour", flush=True)
    found = {
        "trials_an_hour": {f"{cores} cores": results.summary(of) for cores, of in rates.items()},
        "2 cores / 1 core": results.summary(results.ratios(rates[2], rates[1])),
        "overhead_share": results.summary(overheads),
    }
    print(results.line("2 cores / 1 core", found["2 cores / 1 core"]))
    print(f"overhead of a trial: {found['overhead_share']['median']:.2%} of its seconds (median)")
    return found


def run(cores: int, trials: int, epochs: int, images: int | None = None) -> Trials:
    """Run a sweep in a clone of HEAD.

    Args:
        images: how many of each split are used; None for all.

    Raises:
        InputError: there are no prepared images, or the sweep fails.
    """
    with tempfile.TemporaryDirectory(prefix="fmnist-sweep-") as name:
        folder = Checkout.create(Path(name, "clone"), "HEAD").folder
        for split in SPLITS:
            of_split = Images.load(PREPARED / f"{split}.npz")
            few = Images(of_split.images[:images], of_split.labels[:images])
            few.save(folder / PREPARED / f"{split}.npz")
        space = SPACE | {
            "search": {"name": "random", "trials": trials, "seed": 0},
            "fixed": {"threads": 1, "epochs": epochs},
        }
        path = Path("sweeps/measured.yaml")
        (folder / path).write_text(yaml.safe_dump(space, sort_keys=False))
        table = folder / path.with_suffix("") / "trials.csv"
        with _watched(table) as memory:
            found = process.run(
                [
                    *(sys.executable, "-m", "commands.sweep"),
                    *("--space", path, "--cores", str(cores)),
                ],
                folder,
            )
        with table.open(encoding="utf-8", newline="") as file:
            seconds = {line["trial"]: float(line["seconds"]) for line in csv.DictReader(file)}
        ends = {
            line.split()[1]: second for second, line in found.lines if line.startswith("trial ")
        }
        order = sorted(ends, key=ends.__getitem__)
        return Trials([seconds[trial] for trial in order], [ends[of] for of in order], memory)


def rate(ends: list[float], workers: int) -> float:
    """Return trials an hour, of those that end after as many as there are workers."""
    return 3600 * (len(ends) - workers) / (ends[-1] - ends[workers - 1])


def overhead(trials: Trials) -> list[float]:
    """Return, for one worker, the time between two trials as a share of a trial's seconds."""
    gaps = [end - before for before, end in pairwise(trials.ends)]
    return [(gap - own) / own for gap, own in zip(gaps, trials.seconds[1:], strict=True)]


def tiny(count: int) -> dict[str, Any]:
    """Run many trials on two cores; return what `quarters` does."""
    found = quarters(run(2, count, 1, TINY_IMAGES))
    for name, of in found.items():
        print(f"{name} of {count} tiny trials: {of}")
    return found


def quarters(trials: Trials) -> dict[str, Any]:
    """Return time and memory of the trials in the first and in the last quarter of a sweep.

    A rate, because two workers may end together or in turn.
    """
    count = len(trials.ends)
    quarter = max(2, count // 4)
    found = {}
    for name, numbers in {
        "first quarter": range(quarter),
        "last quarter": range(count - quarter, count),
    }.items():
        found[name] = {
            "trials": quarter,
            "seconds of a trial": round(statistics.fmean(trials.seconds[n] for n in numbers), 3),
            "trials an hour": round(rate([trials.ends[n] for n in numbers], workers=1)),
            "peak memory, MiB": round(max(mib for n, mib in trials.memory if n in numbers)),
        }
    return found


@contextmanager
def _watched(table: Path) -> Iterator[list[tuple[int, float]]]:
    """Yield what becomes `Trials.memory`, of the program that this process measures."""
    memory: list[tuple[int, float]] = []
    ended = threading.Event()

    def watch() -> None:
        while not ended.wait(1.0):
            number = table.read_text().count("\n") - 1 if table.exists() else 0
            memory.append((number, _resident() / MIB))

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield memory
    finally:
        ended.set()
        watcher.join()


def _resident() -> int:
    """Return the bytes in memory of the measured program's processes."""
    total = 0
    for child in psutil.Process().children(recursive=True):
        with suppress(psutil.Error):
            if child.ppid() != os.getpid():  # what this process starts is not the program itself
                total += child.memory_info().rss
    return total


if __name__ == "__main__":
    command.run(main)
