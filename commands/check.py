"""Check all of params.yaml, and that dvc.yaml declares what each stage uses.

It is DVC's first stage too, so that a wrong value stops before DVC deletes what it would change.

Reads       params.yaml, dvc.yaml, source files, the names of files in metrics/ and plots/
Exit code   0, or 2 with a line for each fault
"""

from pydantic import ValidationInfo, field_validator

from fmnist.evaluate import Evaluate
from fmnist.fetch import Download, Fetch
from fmnist.pipeline import graph
from fmnist.plot import Plot
from fmnist.preprocess import Preprocess
from fmnist.stage import command, parameters, yaml_file
from fmnist.stage.command import InputError
from fmnist.stage.parameters import Schema
from fmnist.train import Train
from fmnist.train.recipe import Recipe


class Parameters(Schema):
    """The whole of params.yaml."""

    fetch: Fetch
    download: Download
    preprocess: Preprocess
    recipes: dict[str, Recipe]
    train: Train
    evaluate: Evaluate
    plot: Plot

    @field_validator("train")
    @classmethod
    def _recipe_exists(cls, train: Train, info: ValidationInfo) -> Train:
        recipes = info.data.get("recipes")  # none if one of them is invalid
        if recipes is not None and train.recipe not in recipes:
            known = ", ".join(recipes)
            raise ValueError(f"recipe to be one of {known}, found {train.recipe!r}")
        return train


TAKE_BACK = f"to undo all changes to {parameters.PATH}: git restore {parameters.PATH}"


def main() -> None:
    """Run the command."""
    values = yaml_file.load(parameters.PATH)
    faults = graph.check()
    try:
        parameters.validate(values, Parameters)
    except InputError as error:
        faults = [str(error), *faults, TAKE_BACK]
    if faults:
        raise InputError("\n".join(faults))


if __name__ == "__main__":
    command.run(main)
