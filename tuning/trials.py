"""The trials of a sweep on disk: ``trials.csv``, a line each, and ``history.csv``, a line an epoch.

While a sweep runs, lines are appended as trials come to a halt, so that one costs the same however
many there were before. The last line of a trial counts, and none that a crash has cut. At the start
and at the end both files are put in order.
"""

import csv
import io
import json
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from fmnist import files
from fmnist.command import InputError
from tuning.outcome import Row

FINISHED, STOPPED, PAUSED = "finished", "stopped", "paused"
FAILED, LOST = "failed", "lost"
FIGURES = ("val_accuracy", "val_loss")
HISTORY = ("epoch", "accuracy", "loss", *FIGURES)


@dataclass(frozen=True)
class Trial:
    """One combination, and what came of it.

    Attributes:
        number: from 0, in the order of the search.
        values: of the parameters that are varied, by their keys.
        state: finished; stopped, as others were better; paused, until others are as far; failed,
            which it would again; lost with its workers, so that another run tries it again.
        scores: val_accuracy and val_loss: of the saved weights when finished, otherwise of the last
            epoch; empty when failed or lost.
        history: a row for each epoch.
        seconds: that it was trained for.
        error: why it failed or was lost.
    """

    number: int
    values: dict[str, Any]
    state: str
    scores: Row
    history: list[Row]
    seconds: float
    error: str = ""

    @property
    def epochs(self) -> int:
        """How many epochs it was trained for."""
        return len(self.history)

    def paused(self) -> "Trial":
        """Return the trial as it was when it was last paused."""
        scores = {name: self.history[-1][name] for name in FIGURES} if self.history else {}
        return replace(self, state=PAUSED, scores=scores, error="")


class Table:
    """The trials of one sweep.

    Attributes:
        trials: by their numbers.
    """

    def __init__(self, folder: Path, parameters: Iterable[str], key: str) -> None:
        """Read what ``folder`` has.

        Args:
            parameters: the keys of what is varied.
            key: a hash of all that decides the figures of a trial, but its values.

        Raises:
            InputError: the files are damaged, or something else decided them.
        """
        self.path = folder / "trials.csv"
        self._history = folder / "history.csv"
        self._parameters = list(parameters)
        self._key = key
        self._columns = (
            "trial",
            "state",
            "trained_epochs",
            *self._parameters,
            *FIGURES,
            "error",
            "key",
            "seconds",
        )
        self.trials: dict[int, Trial] = {}
        try:
            self._read()
        except (ValueError, TypeError) as error:
            raise InputError(
                f"{self.path}, {self._history.name}: expected lines that a sweep wrote, found:"
                f" {error}; mend them, or move {folder} away, and the sweep begins anew"
            ) from None
        self.put_in_order()

    def add(self, *added: Trial) -> None:
        """Put trials in, or in the place of what they were before."""
        # As the files have them, so that a report is the same after they are read again.
        trials = [replace(trial, seconds=round(trial.seconds, 2)) for trial in added]
        self.trials |= {trial.number: trial for trial in trials}
        for path, text in self._lines(trials).items():
            with path.open("a", encoding="utf-8") as file:
                file.write(text)

    def put_in_order(self) -> None:
        """Write the files anew, each trial once, in the order of their numbers."""
        ordered = [self.trials[number] for number in sorted(self.trials)]
        headers = {self._history: ("trial", *HISTORY), self.path: self._columns}
        for path, text in self._lines(ordered).items():
            files.write_text(path, ",".join(headers[path]) + "\n" + text)

    def _lines(self, trials: Iterable[Trial]) -> dict[Path, str]:
        """Return what the trials are in each file; the history comes first, should it be cut."""
        text = {self._history: io.StringIO(), self.path: io.StringIO()}
        history, table = (csv.writer(of, lineterminator="\n") for of in text.values())
        for trial in trials:
            history.writerows(
                [trial.number, *(row[name] for name in HISTORY)] for row in trial.history
            )
            table.writerow(
                [
                    *(trial.number, trial.state, trial.epochs),
                    *(json.dumps(trial.values[key]) for key in self._parameters),
                    *(trial.scores.get(name, "") for name in FIGURES),
                    *(trial.error, self._key, trial.seconds),
                ]
            )
        return {path: of.getvalue() for path, of in text.items()}

    def _read(self) -> None:
        history: dict[int, dict[int, Row]] = {}
        for line in _whole_lines(self._history, ("trial", *HISTORY)):
            row = {name: float(line[name]) for name in HISTORY} | {"epoch": int(line["epoch"])}
            history.setdefault(int(line["trial"]), {})[row["epoch"]] = row
        for line in _whole_lines(self.path, self._columns):
            if line["key"] != self._key:
                raise InputError(
                    f"{self.path}: expected trials of this space, recipe, data, code and packages"
                    f" (key {self._key}), found others ({line['key']}); move {self.path.parent}"
                    " away, and the sweep begins anew"
                )
            number, epochs = int(line["trial"]), int(line["trained_epochs"])
            rows = history.get(number, {})
            if not rows.keys() >= set(range(1, epochs + 1)):
                continue  # of another run's history: trained anew
            self.trials[number] = Trial(
                number,
                {key: json.loads(line[key]) for key in self._parameters},
                line["state"],
                {name: float(line[name]) for name in FIGURES if line[name]},
                [rows[epoch] for epoch in range(1, epochs + 1)],
                float(line["seconds"]),
                line["error"],
            )


def _whole_lines(path: Path, columns: tuple[str, ...]) -> list[dict[str, str]]:
    """Return the lines of a file that a `Table` wrote; none if it is not there.

    Raises:
        InputError: it has other columns.
    """
    if not path.exists():
        return []
    text = path.read_text(encoding="utf-8")
    reader = csv.DictReader(io.StringIO(text[: text.rfind("\n") + 1]))
    if tuple(reader.fieldnames or ()) != columns:
        raise InputError(
            f"{path}: expected the columns {', '.join(columns)}, found"
            f" {', '.join(reader.fieldnames or ()) or 'none'}; move {path.parent} away, and the"
            " sweep begins anew"
        )
    return list(reader)
