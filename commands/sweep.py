"""Train a recipe with many values, on this machine or a cluster, and say what that found.

Ended at any moment and run again, it goes on: a trial that has ended is not trained again. Of the
prepared data it reads the training and the validation split; the test images are out of reach.

Reads       sweeps/<name>.yaml, params.yaml, dvc.yaml, data/prepared/{train,validation}.npz
Writes      sweeps/<name>/: trials.csv, history.csv, report.md and pictures; .sweeps/ while it runs
Exit code   0, or 2 if it could not run
"""

import argparse
import hashlib
import json
import shutil
from importlib.util import find_spec
from pathlib import Path

from fmnist import command, contract, parameters, pins, stage
from fmnist.command import InputError
from stages.train import TRAIN, VALIDATION

STATES = Path(".sweeps")  # of paused trials, below the key of what decided them


def main() -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(prog="python -m commands.sweep")
    parser.add_argument("--space", type=Path, required=True, help="sweeps/<name>.yaml")
    where = parser.add_mutually_exclusive_group()
    where.add_argument("--address", help="of a Ray cluster (default: this machine alone)")
    where.add_argument("--cores", type=int, help="of this machine (default: all)")
    arguments = parser.parse_args()
    if arguments.cores is not None and arguments.cores < 1:
        raise InputError(f"--cores: expected 1 or more, found {arguments.cores}")
    if missing := [name for name in ("ray", "optuna") if find_spec(name) is None]:
        raise InputError(
            f"expected {' and '.join(missing)} installed, found none; `make install-sweep` does it"
        )
    contract.apply()  # before the imports that follow

    from fmnist.dataset import Images
    from tuning import report, search
    from tuning.cluster import Cluster
    from tuning.live import Live
    from tuning.run import run
    from tuning.space import Sweep
    from tuning.trials import Table

    sweep = Sweep(arguments.space, parameters.load())
    plan = search.start(sweep)
    train = Images.load(TRAIN)
    validation = Images.load(VALIDATION, like=train)
    folder = arguments.space.with_suffix("")
    decisive = key(sweep.decisive)
    states = STATES / decisive
    states.mkdir(parents=True, exist_ok=True)
    with stage.alone(states, str(arguments.space), patience=0):
        table = Table(folder, sweep.space.parameters, decisive)
        threads = sweep.base["threads"]
        with Cluster(arguments.address, arguments.cores, threads, (train, validation)) as cluster:
            for node in cluster.refused:
                print(f"left out: {node}", flush=True)
            print(f"{plan.count} trials, {cluster.size} at once", flush=True)
            live = Live(sweep.space, table, plan.count, cluster.size)
            run(sweep, plan, table, cluster, states, live)
        table.put_in_order()
        shutil.rmtree(states, ignore_errors=True)
        report.write(sweep, table, len(validation.labels), f"make sweep SPACE={arguments.space}")
    print(f"{folder / 'report.md'}: what it found")


def key(decisive: object) -> str:
    """Return a hash of all that decides the figures of a trial, but its values."""
    graph = parameters.load(Path("dvc.yaml"))["stages"]["train"]
    files = {dep: hashlib.sha256(Path(dep).read_bytes()).hexdigest() for dep in graph["deps"]}
    packages = pins.pinned("prepare", "train")
    text = json.dumps([decisive, files, packages], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


if __name__ == "__main__":
    command.run(main, "interrupted: run the same command again to go on; ended trials are kept")
