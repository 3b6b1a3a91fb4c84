"""Train one trial as the stage ``train`` does. Import after ``tensorflow_contract.apply()``."""

import io
import json
import time
import zipfile
from typing import Any

import keras
import numpy as np

from fmnist.command import InputError
from fmnist.dataset import Images
from fmnist.train.fit import fit
from fmnist.train.parameters import Recipe
from fmnist.train.state import Arrays
from tuning.outcome import Outcome, Row


class _Pause(BaseException):
    """The epoch is reached up to which to train."""


def train(
    settings: dict[str, Any],
    seed: int,
    until: int,
    train_split: Images,
    validation_split: Images,
    state: bytes | None = None,
) -> Outcome:
    """Train the recipe ``settings`` up to an epoch, from ``state`` on if there is a whole one."""
    recipe = Recipe.model_validate(settings)
    start = time.monotonic()
    kept: Arrays = {}
    history: list[Row] = []

    def report(row: Row) -> None:
        if until <= row["epoch"] < recipe.epochs:
            raise _Pause

    def keep(arrays: Arrays) -> None:
        kept.update(arrays)
        history[:] = json.loads(str(arrays["kept"]))["history"]

    def outcome(
        scores: Row | None = None, state: bytes | None = None, error: str | None = None
    ) -> Outcome:
        return Outcome(history, scores, state, error, time.monotonic() - start)

    try:
        unfinished = None if state is None else _arrays(state)
        fitted = fit(recipe, seed, train_split, validation_split, report, keep, unfinished)
    except _Pause:
        content = io.BytesIO()
        np.savez(content, **kept)
        return outcome(state=content.getvalue())
    except InputError as error:
        return outcome(error=str(error))
    finally:
        keras.utils.clear_session()
    history[:] = fitted.history  # early stopping may leave nothing to train
    return outcome(scores=fitted.scores)


def _arrays(state: bytes) -> Arrays | None:
    """Return what a paused trial goes on from; None if a power cut has damaged it."""
    try:
        with np.load(io.BytesIO(state), allow_pickle=False) as file:
            return dict(file)
    except (OSError, EOFError, ValueError, zipfile.BadZipFile):
        return None
