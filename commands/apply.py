"""Write a trial of a sweep into params.yaml, whose comments stay, and choose its recipe.

Reads       sweeps/<name>.yaml, sweeps/<name>/trials.csv
Writes      params.yaml
Exit code   0, or 2 if there is no such trial
"""

import argparse
import json
import sys
from pathlib import Path

from fmnist.pipeline import parameters_file
from fmnist.stage import command, parameters, yaml_file
from fmnist.stage.command import InputError
from fmnist.sweeps import trials
from fmnist.sweeps.sweep import SEED, Sweep
from fmnist.train.decisive import training_key


def main() -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(prog="python -m commands.apply")
    parser.add_argument("--space", type=Path, required=True, help="sweeps/<name>.yaml")
    parser.add_argument("--trial", type=int, required=True, help="its number")
    arguments = parser.parse_args()
    sweep = Sweep(arguments.space, yaml_file.load(parameters.PATH))
    table = arguments.space.with_suffix("") / "trials.csv"
    trial = _line(table, arguments.trial)
    varied = sweep.space.parameters.keys()
    if missing := sorted(varied - trial.keys()):
        raise InputError(
            f"{table}: expected columns for all parameters of {arguments.space}, found none for"
            f" {', '.join(missing)}; `make sweep` writes them"
        )
    values = sweep.space.fixed | {name: json.loads(trial[name]) for name in varied}
    sweep.recipe(values)
    if trial["key"] != _key(sweep):
        print(
            f"warning: {table} may be of another space, recipe, data, code or packages than this"
            " checkout; training may give other metrics",
            file=sys.stderr,
        )
    recipe = sweep.space.recipe
    parameters_file.change(
        {
            f"train.{SEED}" if name == SEED else f"recipes.{recipe}.{name}": value
            for name, value in values.items()
        }
        | {"train.recipe": recipe}
    )
    print(f"{parameters.PATH} has trial {arguments.trial}, {trial['state']}; `dvc repro` trains it")


def _line(table: Path, trial: int) -> dict[str, str]:
    """Return the line of a trial; the last one if the sweep has not finished."""
    if not table.exists():
        raise InputError(f"{table}: no such file; `make sweep` writes it")
    _, lines = trials.read_lines(table)
    found = {line["trial"]: line for line in lines}
    if str(trial) not in found:
        raise InputError(
            f"--trial: expected one of the {len(found)} trials of {table}, found {trial}"
        )
    return found[str(trial)]


def _key(sweep: Sweep) -> str | None:
    """Return the key that trials of this checkout have; None without data."""
    try:
        return training_key(sweep.decisive)
    except FileNotFoundError:
        return None


if __name__ == "__main__":
    command.run(main)
