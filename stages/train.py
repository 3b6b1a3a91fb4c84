"""Train the chosen recipe. The test set is out of reach.

Reads       data/prepared/train.npz, data/prepared/validation.npz
Writes      models/model.keras, data/first_batch.npz, metrics/train.json, plots/history.csv
Keeps       .checkpoints/ while it runs, from which an interrupted training resumes
Parameters  train, recipes.<train.recipe>
"""

from pathlib import Path

from fmnist.network import tensorflow_contract
from fmnist.dataset import pins
from fmnist.dataset.images import Images
from fmnist.stage import lifecycle, parameters
from fmnist.stage.files import write_json, write_rows
from fmnist.train import Train
from fmnist.train.checkpoint import Checkpoint
from fmnist.train.decisive import PINS, training_key
from fmnist.train.progress import Progress
from fmnist.train.recipe import Recipe
from fmnist.train.saving import save
from fmnist.train.training import Training, first_batch


def main() -> None:
    """Run the stage."""
    settings = parameters.read("train", Train)
    recipe = parameters.read(f"recipes.{settings.recipe}", Recipe)
    pins.check(*PINS)
    tensorflow_contract.apply(recipe.threads)

    train = Images.load(Path("data/prepared/train.npz"))
    validation = Images.load(Path("data/prepared/validation.npz"), like=train)
    key = training_key([settings.seed, recipe.model_dump()])
    checkpoint = Checkpoint(Path(".checkpoints"), key)
    state = checkpoint.load()
    if state is not None:
        print("Resuming unfinished training")

    training = Training(recipe, settings.seed, train, validation, state)
    progress = Progress(recipe.epochs)
    for row in training.epochs():
        checkpoint.save(training.state())
        progress(row)

    save(training.model, Path("models/model.keras"))
    first_batch(recipe, settings.seed, train).save(Path("data/first_batch.npz"))
    write_json(Path("metrics/train.json"), training.scores())
    write_rows(Path("plots/history.csv"), training.history)
    checkpoint.remove()


if __name__ == "__main__":
    lifecycle.run("train", main)
