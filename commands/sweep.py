"""Train a recipe with many values, on this machine or a cluster, and report the findings.

Rerun an interrupted sweep and it resumes: no finished trial is trained again. Of the prepared data
it reads the training and the validation split; the test images are out of reach.

Reads       sweeps/<name>.yaml, params.yaml, data/prepared/{train,validation}.npz
Writes      sweeps/<name>/: trials.csv, history.csv, report.md and pictures; .sweeps/ while it runs
Exit code   0, or 2 if it could not run
"""

import argparse
import shutil
from importlib.util import find_spec
from pathlib import Path

from fmnist.dataset.images import Images
from fmnist.stage import command, lifecycle, parameters, yaml_file
from fmnist.stage.command import InputError
from fmnist.sweeps.sweep import Sweep
from fmnist.sweeps.trials import Table
from fmnist.train.decisive import training_key

TRAIN, VALIDATION = Path("data/prepared/train.npz"), Path("data/prepared/validation.npz")
STATES = Path(".sweeps")  # of paused trials, in a folder for each key


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
            f"expected {' and '.join(missing)} installed, found none; run `make install-sweep`"
        )
    # These import Ray and Optuna, which are optional.
    from fmnist.sweeps import report, search
    from fmnist.sweeps.cluster import Cluster
    from fmnist.sweeps.live import Live
    from fmnist.sweeps.run import run

    sweep = Sweep(arguments.space, yaml_file.load(parameters.PATH))
    plan = search.start(sweep)
    train = Images.load(TRAIN)
    validation = Images.load(VALIDATION, like=train)
    folder = arguments.space.with_suffix("")
    key = training_key(sweep.decisive)
    states = STATES / key
    states.mkdir(parents=True, exist_ok=True)
    with lifecycle.alone(states, str(arguments.space), patience=0):
        table = Table(folder, sweep.space.parameters, key)
        threads = sweep.base["threads"]
        with Cluster(arguments.address, arguments.cores, threads, (train, validation)) as cluster:
            for node in cluster.refused:
                print(f"left out: {node}", flush=True)
            print(f"{plan.count} trials, {cluster.size} at once", flush=True)
            live = Live(sweep.space, table, plan.count, cluster.size)
            run(sweep, plan, table, cluster, states, live)
        table.put_in_order()
        shutil.rmtree(states, ignore_errors=True)
        report.write(sweep, table, len(validation.labels))
    print(f"The findings are in {folder / 'report.md'}")


if __name__ == "__main__":
    command.run(main, "interrupted: run the same command again to resume; finished trials are kept")
