"""The progress of a sweep: a table redrawn on a terminal, or a line for each trial in a log."""

import shutil
import sys

from fmnist.sweeps.ranking import best
from fmnist.sweeps.space import Space
from fmnist.sweeps.trials import PAUSED, Table, Trial

SHOWN = 5  # of the best trials


class Live:
    """Prints to standard output."""

    def __init__(self, space: Space, table: Table, count: int, workers: int) -> None:
        self._space, self._table, self._count, self._workers = space, table, count, workers
        self._printed = dict(table.trials)
        self._height = 0

    def __call__(self, running: list[int]) -> None:
        """Show what has changed; ``running`` are the numbers of the trials in training."""
        if sys.stdout.isatty():
            self._redraw(running)
            return
        for number, trial in sorted(self._table.trials.items()):
            if self._printed.get(number) is not trial:
                self._printed[number] = trial
                print(f"{_line(trial)}  {self._left()}", flush=True)

    def _redraw(self, running: list[int]) -> None:
        lines = [_line(trial) for trial in best(self._table.trials.values(), self._space)[:SHOWN]]
        lines += [f"running: {', '.join(map(str, running)) or 'none'}  {self._left()}"]
        # A longer line would wrap, and the next table would not cover this one.
        lines = [line[: shutil.get_terminal_size().columns - 1] for line in lines]
        above = f"\x1b[{self._height}F\x1b[J" if self._height else ""
        print(above + "\n".join(lines), flush=True)
        self._height = len(lines)

    def _left(self) -> str:
        ended = [
            trial
            for trial in self._table.trials.values()
            if trial.state != PAUSED and trial.number < self._count
        ]
        text = f"{len(ended)} of {self._count} ended"
        if bad := sum(not trial.scores for trial in ended):
            text += f", {bad} without scores"
        if not ended or len(ended) == self._count:
            return text
        each = sum(trial.seconds for trial in ended) / len(ended)
        return f"{text}, about {each * (self._count - len(ended)) / self._workers:.0f} s left"


def _line(trial: Trial) -> str:
    values = "  ".join(
        f"{key} {value:.4g}" if isinstance(value, float) else f"{key} {value}"
        for key, value in trial.values.items()
    )
    figures = "  ".join(f"{name} {figure:.4f}" for name, figure in trial.scores.items())
    return (
        f"trial {trial.number:<4} {trial.state:<8} {figures or trial.error}  {trial.epochs} epochs"
        f"  {trial.seconds:.0f} s  {values}"
    )
