"""Train the chosen recipe; the test set is out of reach.

Reads       data/prepared/train.npz, data/prepared/validation.npz
Writes      models/model.keras, data/first_batch.npz, metrics/train.json, plots/history.csv
Keeps       .checkpoints/ while it runs; a killed training goes on from there
Parameters  train, recipes.<train.recipe>
"""

import hashlib
from pathlib import Path

from fmnist import contract, parameters, pins, stage, tensorflow_contract
from fmnist.train.parameters import Recipe, Train

TRAIN, VALIDATION = Path("data/prepared/train.npz"), Path("data/prepared/validation.npz")


def main() -> None:
    """Run the stage."""
    settings = parameters.read("train", Train)
    recipe = parameters.read(f"recipes.{settings.recipe}", Recipe)
    packages = pins.check("prepare", "train")
    contract.apply()  # before the imports that follow
    tensorflow_contract.apply(recipe.threads)

    from fmnist.dataset import Images
    from fmnist.files import write_json, write_rows
    from fmnist.train.checkpoint import Checkpoint
    from fmnist.train.fit import first_batch, fit
    from fmnist.train.progress import Progress
    from fmnist.train.saving import save

    train = Images.load(TRAIN)
    validation = Images.load(VALIDATION, like=train)
    data = [hashlib.sha256(path.read_bytes()).hexdigest() for path in (TRAIN, VALIDATION)]
    checkpoint = Checkpoint(
        Path(".checkpoints"), [settings.seed, recipe.model_dump(), packages, data]
    )
    unfinished = checkpoint.load()
    if unfinished is not None:
        print("An unfinished training of just this is here: it goes on")

    progress = Progress(recipe.epochs)
    fitted = fit(recipe, settings.seed, train, validation, progress, checkpoint.save, unfinished)

    print(
        f"{len(fitted.history)} of at most {recipe.epochs} epochs; weights of epoch"
        f" {fitted.scores['epoch']} saved"
    )
    save(fitted.model, Path("models/model.keras"))
    first_batch(recipe, settings.seed, train).save(Path("data/first_batch.npz"))
    write_json(Path("metrics/train.json"), fitted.scores)
    write_rows(Path("plots/history.csv"), fitted.history)
    checkpoint.remove()


if __name__ == "__main__":
    stage.run("train", main)
