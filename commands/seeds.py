"""Run a recipe under several seeds, to measure what chance alone changes.

Each is an ordinary run of the committed pipeline, in a folder of its own that uses this one's DVC
cache, so that nothing is trained twice; as many run at once as there are cores for the recipe's
threads.
Each row is written when its run ends, and stays while its key is current: a table can be made in
parts.

Reads       HEAD, DVC's cache
Writes      metrics/seeds.csv
Exit code   0, or 2 if a run failed
"""

import argparse
import os
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from fmnist.stage import command, parameters, yaml_file
from fmnist.stage.command import InputError
from fmnist.stage.files import read_json
from fmnist.versions import seeds
from fmnist.versions.checkout import Checkout


def main() -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(prog="python -m commands.seeds")
    parser.add_argument("--count", type=int, default=5, help="of seeds (default: %(default)s)")
    parser.add_argument("--first", type=int, help="seed (default: train.seed)")
    parser.add_argument("--recipe", help="default: the chosen one")
    arguments = parser.parse_args()
    if arguments.count < 1:
        raise InputError(f"--count: expected 1 or more, found {arguments.count}")
    if arguments.first is not None and arguments.first < 0:
        raise InputError(f"--first: expected 0 or more, found {arguments.first}")

    with tempfile.TemporaryDirectory(
        prefix="fmnist-seeds-", ignore_cleanup_errors=True
    ) as temporary:
        committed = Checkout.create(Path(temporary, "committed"), "HEAD")
        values = yaml_file.load(committed.folder / parameters.PATH)
        recipe = arguments.recipe or values["train"]["recipe"]
        if recipe not in values["recipes"]:
            known = ", ".join(values["recipes"])
            raise InputError(f"--recipe: expected one of {known}, found {recipe!r}")
        first = values["train"]["seed"] if arguments.first is None else arguments.first

        def run(seed: int) -> seeds.Row:
            return _run(Path(temporary, str(seed)), committed.commit, recipe, seed)

        at_once = max(1, (os.cpu_count() or 1) // values["recipes"][recipe]["threads"])
        with ThreadPoolExecutor(max_workers=at_once) as pool:
            for row in pool.map(run, range(first, first + arguments.count)):
                seeds.write(seeds.added(seeds.read(), row))

    rows = [row for row in seeds.read() if row.recipe == recipe]
    for name in ("accuracy", "flip_accuracy", "val_accuracy"):
        figures = [getattr(row, name) for row in rows]
        if None not in figures:
            print(f"{recipe}: {name} {seeds.spread(figures)}")


def _run(folder: Path, commit: str, recipe: str, seed: int) -> seeds.Row:
    checkout = Checkout.create(folder, commit)
    checkout.share_cache()
    checkout.set({"train.recipe": recipe, "train.seed": seed})
    if not checkout.dvc("repro", "--quiet", "evaluate"):
        raise InputError(f"{recipe} with seed {seed}: dvc repro failed; see its messages above")
    metrics = checkout.folder / "metrics"
    train, test = read_json(metrics / "train.json"), read_json(metrics / "test.json")
    row = seeds.Row(
        recipe,
        seed,
        test["accuracy"],
        test["loss"],
        train["val_accuracy"],
        train["val_loss"],
        test.get("flip", {}).get("accuracy"),
        seeds.key(checkout.stages()),
    )
    print(f"{recipe} with seed {seed}: accuracy {row.accuracy:.4f}", file=sys.stderr, flush=True)
    return row


if __name__ == "__main__":
    command.run(main)
