"""Train one trial as the stage ``train`` does. Import after ``contract.apply_to_tensorflow()``."""

import io
import json
import time
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
    """Train the recipe ``settings`` up to an epoch, from ``state`` on if there is one."""
    recipe = Recipe.model_validate(settings)
    start = time.monotonic()
    kept: Arrays = {}
    history: list[Row] = []

    def report(row: Row) -> None:
        if row["epoch"] == until < recipe.epochs:
            raise _Pause

    def keep(arrays: Arrays) -> None:
        kept.update(arrays)
        history[:] = json.loads(str(arrays["kept"]))["history"]

    def outcome(
        scores: Row | None = None, state: bytes | None = None, error: str | None = None
    ) -> Outcome:
        return Outcome(history, scores, state, error, time.monotonic() - start)

    try:
        fitted = fit(
            recipe, seed, train_split, validation_split, report, keep, state and _arrays(state)
        )
    except _Pause:
        content = io.BytesIO()
        np.savez(content, **kept)
        return outcome(state=content.getvalue())
    except InputError as error:
        return outcome(error=str(error))
    finally:
        keras.utils.clear_session()
    return outcome(scores=fitted.scores)


def _arrays(state: bytes) -> Arrays:
    with np.load(io.BytesIO(state), allow_pickle=False) as file:
        return dict(file)
