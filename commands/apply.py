"""Put a trial of a sweep into params.yaml, whose comments stay, and choose its recipe.

Reads       sweeps/<name>.yaml, sweeps/<name>/trials.csv
Writes      params.yaml
Exit code   0, or 2 if there is no such trial
"""

import argparse
import csv
import io
import json
import sys
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedSeq

from commands.sweep import key
from fmnist import command, files, parameters
from fmnist.command import InputError
from tuning.space import SEED, Sweep
from versions import nested


def main() -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(prog="python -m commands.apply")
    parser.add_argument("--space", type=Path, required=True, help="sweeps/<name>.yaml")
    parser.add_argument("--trial", type=int, required=True, help="its number")
    arguments = parser.parse_args()
    sweep = Sweep(arguments.space, parameters.load())
    table = arguments.space.with_suffix("") / "trials.csv"
    trial = _line(table, arguments.trial)
    if missing := sorted(sweep.space.parameters.keys() - trial.keys()):
        raise InputError(
            f"{table}: expected columns for all parameters of {arguments.space}, found none for"
            f" {', '.join(missing)}; `make sweep` writes them"
        )
    varied = {name: json.loads(trial[name]) for name in sweep.space.parameters}
    values = sweep.space.fixed | varied
    sweep.recipe(values)
    if trial["key"] != _key(sweep):
        print(
            f"warning: {table} may be of another space, recipe, data, code or packages than are"
            " here: figures may differ from its own",
            file=sys.stderr,
        )
    recipe = sweep.space.recipe
    write(
        {
            f"train.{SEED}" if name == SEED else f"recipes.{recipe}.{name}": value
            for name, value in values.items()
        }
        | {"train.recipe": recipe}
    )
    print(f"{parameters.PATH}: trial {arguments.trial}, {trial['state']}; `dvc repro` trains it")


def _line(table: Path, trial: int) -> dict[str, str]:
    """Return the line of a trial; the last one, if the sweep is not at its end."""
    if not table.exists():
        raise InputError(f"{table}: no such file; `make sweep` writes it")
    text = table.read_text(encoding="utf-8")
    whole_lines = text[: text.rfind("\n") + 1]
    found = {line["trial"]: line for line in csv.DictReader(io.StringIO(whole_lines))}
    if str(trial) not in found:
        raise InputError(
            f"--trial: expected one of the {len(found)} trials of {table}, found {trial}"
        )
    return found[str(trial)]


def _key(sweep: Sweep) -> str | None:
    """Return the key of trials of what is here; None without data."""
    try:
        return key(sweep.decisive)
    except FileNotFoundError:
        return None


def write(changes: dict[str, Any], path: Path = parameters.PATH) -> None:
    """Give parameters, named by their dotted keys, other values; leave all else as it stands."""
    yaml = YAML()
    yaml.preserve_quotes = True
    yaml.width = 1000
    yaml.indent(mapping=2, sequence=4, offset=2)
    yaml.representer.add_representer(
        type(None), lambda to, _: to.represent_scalar("tag:yaml.org,2002:null", "null")
    )  # where ruamel would write nothing
    everything = yaml.load(path.read_text(encoding="utf-8"))
    for name, value in changes.items():
        if nested.get(everything, name) != value:
            nested.put(everything, name, _in_brackets(value))
    text = io.StringIO()
    yaml.dump(everything, text)
    files.write_text(path, text.getvalue())


def _in_brackets(value: Any) -> Any:
    """Return a list as one that is written in a line, as params.yaml has them."""
    if isinstance(value, list):
        value = CommentedSeq(value)
        value.fa.set_flow_style()
    return value


if __name__ == "__main__":
    command.run(main)
