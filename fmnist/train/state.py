"""All that a training carries from one epoch to the next."""

import json

import keras
import numpy as np

Row = dict[str, int | float]
Arrays = dict[str, np.ndarray]


class State:
    """A training between two epochs, which can be taken down as arrays and put back.

    Attributes:
        history: the rows of the finished epochs.

    Order of images, learning rates and dropout are drawn for each epoch anew, so they are not here.
    """

    def __init__(
        self,
        model: keras.Model,
        optimizer: keras.optimizers.Optimizer,
        stopping: keras.callbacks.EarlyStopping | None,
    ) -> None:
        self.history: list[Row] = []
        self._model = model
        self._variables = [*model.variables, *optimizer.variables]
        self._stopping = stopping

    def capture(self) -> Arrays:
        """Return the whole state; the arrays are copies."""
        arrays = {
            f"variable_{number}": variable.numpy()
            for number, variable in enumerate(self._variables)
        }
        kept: dict[str, object] = {"history": self.history}
        if self._stopping is not None:
            kept |= {name: getattr(self._stopping, name) for name in _STOPPING}
            kept["stop_training"] = self._model.stop_training
            for number, weights in enumerate(self._stopping.best_weights or []):
                arrays[f"best_{number}"] = weights
        return arrays | {"kept": np.array(json.dumps(kept))}

    def restore(self, arrays: Arrays) -> None:
        """Put back what `capture` returned, in a training of the same network and optimizer."""
        for number, variable in enumerate(self._variables):
            variable.assign(arrays[f"variable_{number}"])
        kept = json.loads(str(arrays["kept"]))
        self.history = kept["history"]
        if self._stopping is not None:
            for name in _STOPPING:
                setattr(self._stopping, name, kept[name])
            self._model.stop_training = kept["stop_training"]
            best = sum(name.startswith("best_") for name in arrays)
            if best:
                self._stopping.best_weights = [arrays[f"best_{n}"] for n in range(best)]


_STOPPING = ("wait", "stopped_epoch", "best", "best_epoch")
