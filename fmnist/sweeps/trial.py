"""Train one trial as the stage ``train`` does. Import it after ``tensorflow_contract.apply()``."""

import time

import keras

from fmnist.dataset.images import Images
from fmnist.stage.command import InputError
from fmnist.sweeps.outcome import Outcome
from fmnist.sweeps.sweep import SeededRecipe
from fmnist.train import checkpoint
from fmnist.train.training import Training


def train(
    recipe: SeededRecipe, until: int, train: Images, validation: Images, state: bytes | None = None
) -> Outcome:
    """Train up to an epoch; resume from an earlier outcome's ``state`` unless it is damaged."""
    start = time.monotonic()
    resumed = None if state is None else checkpoint.decode(state)
    training = Training(recipe, recipe.seed, train, validation, resumed)
    scores = paused = error = None
    try:
        for _ in training.epochs(until):
            pass
        if len(training.history) < recipe.epochs:
            paused = checkpoint.encode(training.state())
        else:
            scores = training.scores()
    except InputError as diverged:
        error = str(diverged)
    finally:
        keras.utils.clear_session()
    return Outcome(training.history, scores, paused, error, time.monotonic() - start)
