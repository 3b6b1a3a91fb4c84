"""Time the whole job: `dvc repro` from scratch, against the same steps in a notebook.

Ours runs in a clean clone of HEAD with an empty cache, without the results that Git has: with them,
DVC would skip the stages check and plot. Both find the raw files on this machine. The notebook
(`benchmarks.notebook`) is one process, checks no file and keeps only its network and two pictures.
Each round begins with bare starts of the programs, which also bring the packages into memory for
what follows.

Reads       HEAD, data/raw/
Writes      docs/bench/whole_job.json, docs/bench/whole_job.png
Usage       python -m benchmarks.whole_job [--rounds 3]
"""

import argparse
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

from benchmarks import charts, process, raw_files, results
from benchmarks.timeline import DVC, PYTHON, cell_seconds, stage_seconds
from fmnist.stage import command
from fmnist.stage.command import InputError
from fmnist.stage.files import read_json
from fmnist.versions.checkout import Checkout

NOTEBOOK = Path(__file__).with_name("notebook.py")
STAGES = ("check", "fetch", "preprocess", "train", "evaluate", "plot")
LIGHT = ("fetch", "preprocess", "plot")
REPRO = [sys.executable, "-m", "dvc", "repro"]  # the program `dvc` would choose the Python itself
OURS, AGAIN, OTHER = "dvc repro", "dvc repro, nothing to do", "notebook"
STARTS = {
    "python, nothing to do": [sys.executable, "-c", ""],
    "python, import tensorflow": [sys.executable, "-c", "import tensorflow"],
    "dvc --version": [sys.executable, "-m", "dvc", "--version"],
}
Round = dict[str, dict[str, float]]


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.whole_job")
    parser.add_argument("--rounds", type=int, default=3, help="(default: %(default)s)")
    count = parser.parse_args().rounds
    raw_files.read()  # fails at once if they are missing
    rounds = []
    for number in range(1, count + 1):
        rounds.append(run_round())
        seconds = rounds[-1]["seconds"]
        print(
            f"round {number}/{count}: {OURS} {seconds[OURS]:.1f} s, {OTHER} {seconds[OTHER]:.1f} s",
            flush=True,
        )
    found = summarize(rounds)
    print(table(found))
    results.write("whole_job", found)
    title = (
        "From raw files to pictures: the notebook takes"
        f" {found[f'{OTHER} / {OURS}']['median']:.1f} times as long\n"
        f"(medians of {count} rounds; lines: least and most)"
    )
    charts.save(charts.bars(_groups(found), title, "Seconds"), "whole_job")


def run_round() -> Round:
    """Run everything once; return total seconds, those of parts, and test accuracies."""
    with tempfile.TemporaryDirectory(prefix="fmnist-whole-job-") as name:
        folder = Path(name)
        seconds = {name: process.run(start, folder).seconds for name, start in STARTS.items()}
        checkout = Checkout.create(folder / "clone", "HEAD")
        for results_in_git in ("metrics", "plots"):
            shutil.rmtree(checkout.folder / results_in_git, ignore_errors=True)
        (checkout.folder / "dvc.lock").unlink(missing_ok=True)
        python = folder / "programs" / "python"
        python.parent.mkdir()
        python.write_text(PYTHON)
        python.chmod(0o755)
        environment = checkout.environment | {
            "PATH": f"{python.parent}:{checkout.environment['PATH']}",
            "FMNIST_MIRRORS": raw_files.RAW.resolve().as_uri(),
        }
        ours = process.run(REPRO, checkout.folder, environment)
        stages = stage_seconds(ours.lines, ours.seconds)
        if left_out := set(STAGES) - set(stages):
            raise InputError(f"dvc repro: expected it to run all stages, it skipped {left_out}")
        again = process.run(REPRO, checkout.folder, environment)

        (folder / "notebook" / "data").mkdir(parents=True)
        (folder / "notebook" / raw_files.RAW).symlink_to(raw_files.RAW.resolve())
        other = process.run([sys.executable, NOTEBOOK], folder / "notebook")
        accuracy = next(line for _, line in other.lines if line.startswith("test accuracy "))
        return {
            "seconds": seconds | {AGAIN: again.seconds, OURS: ours.seconds, OTHER: other.seconds},
            "stages": stages,
            "cells": cell_seconds(other.lines, other.seconds),
            "test_accuracy": {
                OURS: read_json(checkout.folder / "metrics" / "test.json")["accuracy"],
                OTHER: float(accuracy.split()[-1]),
            },
        }


def summarize(rounds: list[Round]) -> dict[str, Any]:
    """Return medians and extremes of all rounds, and of ratios within each round."""
    ours, other = ([each["seconds"][name] for each in rounds] for name in (OURS, OTHER))
    stages = [each["stages"] for each in rounds]
    light = [sum(each[name] for name in LIGHT) for each in stages]
    parts = {
        part: {name: results.summary([each[part][name] for each in rounds]) for name in first}
        for part, first in rounds[0].items()
    }
    return parts | {
        "shares": {
            name: results.summary(results.ratios([each[name] for each in stages], ours))
            for name in (*STAGES, DVC)
        },
        f"{OTHER} / {OURS}": results.summary(results.ratios(other, ours)),
        f"({' + '.join(LIGHT)}) / train": results.summary(
            results.ratios(light, [each["train"] for each in stages])
        ),
    }


def table(found: dict[str, Any]) -> str:
    """Return the summaries as lines of text."""
    rows = [row for group in _groups(found) for row in group]
    compared = [(name, of) for name, of in found.items() if "median" in of]
    shares = ", ".join(f"{name} {of['median']:.0%}" for name, of in found["shares"].items())
    return "\n".join(
        [
            *(results.line(name, of, "s") for name, of in rows),
            *(results.line(name, of) for name, of in compared),
            f"shares of {OURS}: {shares}",
        ]
    )


def _groups(found: dict[str, Any]) -> list[list[tuple[str, dict[str, float]]]]:
    """Return the rows of table and chart, from top to bottom; parts are indented."""
    seconds, stages = found["seconds"], found["stages"]
    return [
        [(OTHER, seconds[OTHER]), *((f"  {name}", of) for name, of in found["cells"].items())],
        [(OURS, seconds[OURS]), *((f"  {name}", stages[name]) for name in (*STAGES, DVC))],
        [(name, seconds[name]) for name in (AGAIN, *STARTS)],
    ]


if __name__ == "__main__":
    command.run(main)
