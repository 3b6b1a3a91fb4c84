"""Train the chosen recipe; the test set is out of reach.

Reads       data/prepared/train.npz, data/prepared/validation.npz
Writes      models/model.keras, data/first_batch.npz, metrics/train.json, plots/history.csv
Parameters  train, recipes.<train.recipe>
"""

from pathlib import Path

from fmnist import command, contract, parameters, pins
from fmnist.train.parameters import Recipe, Train

PREPARED = Path("data/prepared")


def main() -> None:
    """Run the stage."""
    settings = parameters.read("train", Train)
    recipe = parameters.read(f"recipes.{settings.recipe}", Recipe)
    pins.check("prepare", "train")
    contract.apply()  # before the imports that follow
    contract.apply_to_tensorflow(recipe.threads)

    from fmnist.dataset import Images
    from fmnist.files import write_json, write_rows
    from fmnist.train.fit import first_batch, fit
    from fmnist.train.progress import Progress
    from fmnist.train.saving import save

    train = Images.load(PREPARED / "train.npz")
    validation = Images.load(PREPARED / "validation.npz", like=train)

    fitted = fit(recipe, settings.seed, train, validation, Progress(recipe.epochs))

    print(
        f"{len(fitted.history)} of at most {recipe.epochs} epochs; weights of epoch"
        f" {fitted.scores['epoch']} saved"
    )
    save(fitted.model, Path("models/model.keras"))
    first_batch(recipe, settings.seed, train).save(Path("data/first_batch.npz"))
    write_json(Path("metrics/train.json"), fitted.scores)
    write_rows(Path("plots/history.csv"), fitted.history)


if __name__ == "__main__":
    command.run(main)
