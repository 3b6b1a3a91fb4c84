"""The trials of a sweep on disk: ``trials.csv``, a line each, and ``history.csv``, a line an epoch.

While a sweep runs, lines are appended, so the thousandth trial takes no longer than the first. The
last line of a trial counts; a line that a crash has cut does not. Both files are put in order when
a run starts and when it ends.
"""

import csv
import io
import json
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from fmnist.stage import files
from fmnist.stage.command import InputError
from fmnist.sweeps.outcome import Row

FINISHED, STOPPED, PAUSED = "finished", "stopped", "paused"
FAILED, LOST = "failed", "lost"
SCORES = ("val_accuracy", "val_loss")
HISTORY = ("epoch", "accuracy", "loss", *SCORES)


@dataclass(frozen=True)
class Trial:
    """One combination and its result.

    Attributes:
        number: from 0, in the order of the search.
        values: of the varied parameters, by their keys.
        state: finished; stopped, because others were better; paused, until others are as far;
            failed, as it would again; lost with its workers, so that the next run tries it again.
        scores: val_accuracy and val_loss: of the saved weights if finished, otherwise of the last
            epoch; empty if failed or lost.
        history: a row for each epoch.
        seconds: of training.
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
        scores = {name: self.history[-1][name] for name in SCORES} if self.history else {}
        return replace(self, state=PAUSED, scores=scores, error="")


class Table:
    """The trials of one sweep.

    Attributes:
        trials: by their numbers.
    """

    def __init__(self, folder: Path, parameters: Iterable[str], key: str) -> None:
        """Read the files in ``folder``, if there are any.

        Args:
            parameters: the keys of what is varied.
            key: of all that decides the scores of a trial, except its values.

        Raises:
            InputError: the files are damaged, or belong to another key.
        """
        self.path = folder / "trials.csv"
        self._history = folder / "history.csv"
        self._parameters = list(parameters)
        self._key = key
        self._columns = (
            *("trial", "state", "trained_epochs", *self._parameters, *SCORES),
            *("error", "key", "seconds"),
        )
        self.trials: dict[int, Trial] = {}
        try:
            self._read()
        except (ValueError, TypeError) as error:
            raise InputError(
                f"{self.path}, {self._history.name}: expected lines that a sweep wrote, found:"
                f" {error}; repair them, or {self._move_away()}"
            ) from None
        self.put_in_order()

    def add(self, *added: Trial) -> None:
        """Add trials, or replace earlier results of theirs."""
        # Rounded as in the files, so that a report does not change once they are read again.
        trials = [replace(trial, seconds=round(trial.seconds, 2)) for trial in added]
        self.trials |= {trial.number: trial for trial in trials}
        for path, text in self._lines(trials).items():
            with path.open("a", encoding="utf-8") as file:
                file.write(text)

    def put_in_order(self) -> None:
        """Rewrite the files: each trial once, in the order of their numbers."""
        ordered = [self.trials[number] for number in sorted(self.trials)]
        headers = {self._history: ("trial", *HISTORY), self.path: self._columns}
        for path, text in self._lines(ordered).items():
            files.write_text(path, ",".join(headers[path]) + "\n" + text)

    def _lines(self, trials: Iterable[Trial]) -> dict[Path, str]:
        """Return the lines of each file; the history comes first, in case a crash cuts it."""
        text = {self._history: io.StringIO(), self.path: io.StringIO()}
        history, table = (csv.writer(file, lineterminator="\n") for file in text.values())
        for trial in trials:
            history.writerows(
                [trial.number, *(row[name] for name in HISTORY)] for row in trial.history
            )
            table.writerow(
                [
                    *(trial.number, trial.state, trial.epochs),
                    *(json.dumps(trial.values[key]) for key in self._parameters),
                    *(trial.scores.get(name, "") for name in SCORES),
                    *(trial.error, self._key, trial.seconds),
                ]
            )
        return {path: file.getvalue() for path, file in text.items()}

    def _read(self) -> None:
        history: dict[int, dict[int, Row]] = {}
        for line in self._checked_lines(self._history, ("trial", *HISTORY)):
            row = {name: float(line[name]) for name in HISTORY} | {"epoch": int(line["epoch"])}
            history.setdefault(int(line["trial"]), {})[row["epoch"]] = row
        for line in self._checked_lines(self.path, self._columns):
            if line["key"] != self._key:
                raise InputError(
                    f"{self.path}: expected trials of this space, recipe, data, code and packages"
                    f" (key {self._key}), found others ({line['key']}); {self._move_away()}"
                )
            number, epochs = int(line["trial"]), int(line["trained_epochs"])
            rows = history.get(number, {})
            if not rows.keys() >= set(range(1, epochs + 1)):
                continue  # the history was cut: the trial is trained again
            self.trials[number] = Trial(
                number,
                {key: json.loads(line[key]) for key in self._parameters},
                line["state"],
                {name: float(line[name]) for name in SCORES if line[name]},
                [rows[epoch] for epoch in range(1, epochs + 1)],
                float(line["seconds"]),
                line["error"],
            )

    def _checked_lines(self, path: Path, columns: tuple[str, ...]) -> list[dict[str, str]]:
        """Return the lines of a file; none if there is no file.

        Raises:
            InputError: it has other columns.
        """
        if not path.exists():
            return []
        found, lines = read_lines(path)
        if found != columns:
            raise InputError(
                f"{path}: expected the columns {', '.join(columns)}, found"
                f" {', '.join(found) or 'none'}; {self._move_away()}"
            )
        return lines

    def _move_away(self) -> str:
        return f"move {self.path.parent} away to start the sweep again"


def read_lines(path: Path) -> tuple[tuple[str, ...], list[dict[str, str]]]:
    """Return the columns and the lines of a file of a sweep, without a last line that is cut."""
    text = path.read_text(encoding="utf-8")
    reader = csv.DictReader(io.StringIO(text[: text.rfind("\n") + 1]))
    return tuple(reader.fieldnames or ()), list(reader)
