"""Check the whole of params.yaml, whichever stages would run.

Reads       params.yaml
Exit code   0, or 2 with a line for each fault
"""

from fmnist import command, parameters
from fmnist.command import InputError
from fmnist.evaluate.parameters import Evaluate
from fmnist.fetch.parameters import Fetch
from fmnist.plot.parameters import Plot
from fmnist.preprocess.parameters import Preprocess
from fmnist.train.parameters import Recipe, Train

SECTIONS = {
    "fetch": Fetch,
    "preprocess": Preprocess,
    "train": Train,
    "evaluate": Evaluate,
    "plot": Plot,
}


def main() -> None:
    """Run the command."""
    values = parameters.load()
    recipes = values.get("recipes")
    faults = [
        f"{parameters.PATH}: {key}: unknown key"
        for key in values
        if key not in {*SECTIONS, "recipes"}
    ]
    if not isinstance(recipes, dict):
        faults.append(f"{parameters.PATH}: recipes: expected a mapping, found {recipes!r}")
        recipes = {}
    schemas = SECTIONS | {f"recipes.{name}": Recipe for name in recipes}
    read = {}
    for key, schema in schemas.items():
        try:
            read[key] = parameters.read(key, schema)
        except InputError as error:
            faults.append(str(error))
    if "train" in read and (chosen := read["train"].recipe) not in recipes:
        faults.append(
            f"{parameters.PATH}: train.recipe: expected one of {', '.join(map(str, recipes))},"
            f" found {chosen!r}"
        )
    if faults:
        raise InputError("\n".join(faults))


if __name__ == "__main__":
    command.run(main)
