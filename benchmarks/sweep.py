"""How many trials an hour a sweep makes on one core and on two, and what handing them out costs.

The same trials of the default recipe, about 20 seconds each on one thread, run in turn on one core
and on two. A rate leaves out the first trials, as many as there are workers, with which it starts.
What handing out costs is the time between two ends on one core, without what the trial itself took.
Then many tiny trials, over few images, show whether memory or time grows with their number.

Reads       HEAD, data/prepared/{train,validation}.npz
Writes      docs/bench/sweep.json, docs/bench/many_trials.json
Usage       python -m benchmarks.sweep [--rounds 3] [--trials 6] [--tiny 1000]; 0 leaves a part out
"""

import argparse
import csv
import statistics
import sys
import tempfile
import threading
from itertools import pairwise
from pathlib import Path
from typing import Any

import psutil
import yaml

from benchmarks import process, results
from fmnist import command, contract
from fmnist.command import InputError
from versions.checkout import Checkout

PREPARED = Path("data/prepared")
SPLITS = ("train", "validation")
SPACE = {
    "recipe": "mlp",
    "objective": "val_accuracy",
    "successive_halving": None,
    "parameters": {"optimizer.learning_rate": {"low": 0.003, "high": 0.03, "log": True}},
}
EPOCHS = 22  # of a trial, which make about 20 seconds
TINY_IMAGES = 200
MIB = 2**20


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.sweep")
    parser.add_argument("--rounds", type=int, default=3, help="(default: %(default)s)")
    parser.add_argument("--trials", type=int, default=6, help="of a sweep (default: %(default)s)")
    parser.add_argument("--epochs", type=int, default=EPOCHS, help="(default: %(default)s)")
    parser.add_argument("--tiny", type=int, default=1000, help="trials (default: %(default)s)")
    arguments = parser.parse_args()
    for split in SPLITS:
        if not (PREPARED / f"{split}.npz").exists():
            raise InputError(
                f"{PREPARED}/{split}.npz: no such file; `dvc repro preprocess` makes it"
            )
    contract.apply()
    if arguments.rounds:
        results.write("sweep", speed(arguments.rounds, arguments.trials, arguments.epochs))
    if arguments.tiny:
        results.write("many_trials", tiny(arguments.tiny))


def speed(rounds: int, trials: int, epochs: int) -> dict[str, Any]:
    """Return trials an hour on one core and on two, and what handing one out costs."""
    rates: dict[int, list[float]] = {1: [], 2: []}
    overheads = []
    for number in range(1, rounds + 1):
        for cores, measured in rates.items():
            seconds, ends = run(cores, trials, epochs)
            measured.append(rate(ends, cores))
            if cores == 1:
                overheads += overhead(seconds, ends)
            print(f"round {number}: {cores} cores, {measured[-1]:.0f} trials an hour", flush=True)
    found = {
        "trials_an_hour": {f"{cores} cores": results.summary(of) for cores, of in rates.items()},
        "2 cores / 1 core": results.summary(results.ratios(rates[2], rates[1])),
        "overhead_share": results.summary(overheads),
    }
    print(results.line("2 cores / 1 core", found["2 cores / 1 core"]))
    print(f"handing out a trial: {found['overhead_share']['median']:.2%} of its seconds (median)")
    return found


def run(
    cores: int, trials: int, epochs: int, images: int | None = None, sizes: list[Any] | None = None
) -> tuple[list[float], list[float]]:
    """Run a sweep in a clone of HEAD.

    Args:
        images: of a split that are used; None for all.
        sizes: is given pairs of the number of ended trials and the memory of driver and workers.

    Returns:
        the seconds of each trial, and when each ended, both in the order in which they did.
    """
    with tempfile.TemporaryDirectory(prefix="fmnist-sweep-") as name:
        folder = Checkout.clone(Path(name, "clone"), "HEAD").folder
        _take_data(folder, images)
        space = SPACE | {
            "search": {"name": "random", "trials": trials, "seed": 0},
            "fixed": {"threads": 1, "epochs": epochs},
        }
        (folder / "sweeps").mkdir(exist_ok=True)
        path = folder / "sweeps" / "measured.yaml"
        path.write_text(yaml.safe_dump(space, sort_keys=False))
        ended = threading.Event()
        table = path.with_suffix("") / "trials.csv"
        watcher = threading.Thread(target=_watch, args=(table, sizes, ended))
        watcher.start()
        try:
            found = process.run(
                [
                    *(sys.executable, "-m", "commands.sweep"),
                    *("--space", path.relative_to(folder), "--cores", str(cores)),
                ],
                folder,
            )
        finally:
            ended.set()
            watcher.join()
        with table.open(encoding="utf-8", newline="") as file:
            seconds = {line["trial"]: float(line["seconds"]) for line in csv.DictReader(file)}
        ends = {
            line.split()[1]: second for second, line in found.lines if line.startswith("trial ")
        }
        order = sorted(ends, key=ends.__getitem__)
        return [seconds[trial] for trial in order], [ends[trial] for trial in order]


def rate(ends: list[float], workers: int) -> float:
    """Return trials an hour, of those that end after as many as there are workers."""
    return 3600 * (len(ends) - workers) / (ends[-1] - ends[workers - 1])


def overhead(seconds: list[float], ends: list[float]) -> list[float]:
    """Return, for one worker, the share of a trial's seconds that passed between it and another."""
    gaps = [end - before for before, end in pairwise(ends)]
    return [(gap - own) / own for gap, own in zip(gaps, seconds[1:], strict=True)]


def tiny(count: int) -> dict[str, Any]:
    """Run many trials on two cores; return what `quarters` does."""
    sizes: list[tuple[int, float]] = []
    seconds, ends = run(2, count, 1, TINY_IMAGES, sizes)
    found = quarters(seconds, ends, sizes)
    for name, of in found.items():
        print(f"{name} of {count} tiny trials: {of}")
    return found


def quarters(
    seconds: list[float], ends: list[float], sizes: list[tuple[int, float]]
) -> dict[str, Any]:
    """Return what trials take in the first and in the last quarter of a sweep.

    A rate, because two workers may end together or in turn.

    Args:
        seconds, ends: what `run` returns.
        sizes: what it puts into its ``sizes``.
    """
    count = len(ends)
    quarter = max(2, count // 4)
    found = {}
    for name, numbers in {
        "first quarter": range(quarter),
        "last quarter": range(count - quarter, count),
    }.items():
        found[name] = {
            "trials": quarter,
            "seconds of a trial": round(statistics.fmean(seconds[n] for n in numbers), 3),
            "trials an hour": round(rate([ends[n] for n in numbers], workers=1)),
            "peak memory, MiB": round(max(size for n, size in sizes if n in numbers)),
        }
    return found


def _take_data(folder: Path, images: int | None) -> None:
    """Give a clone the prepared data, or the first images of each split."""
    import numpy as np

    (folder / PREPARED).mkdir(parents=True)
    for split in SPLITS:
        path = (PREPARED / f"{split}.npz").resolve()
        if images is None:
            (folder / PREPARED / path.name).symlink_to(path)
            continue
        with np.load(path) as arrays:
            few = {name: arrays[name][:images] for name in arrays}
        np.savez(folder / PREPARED / path.name, **few)


def _watch(table: Path, sizes: list[Any] | None, ended: threading.Event) -> None:
    """Look at the memory of this process' children once a second until ``ended``."""
    while sizes is not None and not ended.wait(1.0):
        number = table.read_text().count("\n") - 1 if table.exists() else 0
        total = 0
        for child in psutil.Process().children(recursive=True):
            try:
                total += child.memory_info().rss
            except psutil.Error:
                continue
        sizes.append((number, total / MIB))


if __name__ == "__main__":
    command.run(main)
