"""Put a trial of a sweep into params.yaml, whose comments stay, and choose its recipe.

Reads       sweeps/<name>.yaml, sweeps/<name>/trials.csv
Writes      params.yaml
Exit code   0, or 2 if there is no such trial
"""

import argparse
import csv
import io
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedSeq

from fmnist import command, files, parameters
from fmnist.command import InputError
from versions import nested


def main() -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(prog="python -m commands.apply")
    parser.add_argument("--space", type=Path, required=True, help="sweeps/<name>.yaml")
    parser.add_argument("--trial", type=int, required=True, help="its number")
    arguments = parser.parse_args()
    from tuning.space import SEED, Sweep

    sweep = Sweep(arguments.space, parameters.load())
    table = arguments.space.with_suffix("") / "trials.csv"
    values = sweep.space.fixed | _values(table, sweep.space.parameters, arguments.trial)
    sweep.recipe(values)
    changes = {
        f"train.{SEED}" if key == SEED else f"recipes.{sweep.space.recipe}.{key}": value
        for key, value in values.items()
    }
    write(changes | {"train.recipe": sweep.space.recipe})
    print(f"{parameters.PATH}: trial {arguments.trial}; `dvc repro` trains it")


def _values(table: Path, names: Iterable[str], trial: int) -> dict[str, Any]:
    """Return the values of a trial, by their keys."""
    if not table.exists():
        raise InputError(f"{table}: no such file; `make sweep` writes it")
    lines = list(csv.DictReader(io.StringIO(table.read_text(encoding="utf-8"))))
    for line in lines:
        if line["trial"] == str(trial):
            return {name: json.loads(line[name]) for name in names}
    raise InputError(f"--trial: expected one of the {len(lines)} trials of {table}, found {trial}")


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
    for key, value in changes.items():
        if nested.get(everything, key) != value:
            nested.put(everything, key, _in_brackets(value))
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
