"""Show the progress of a training: a line per epoch on a terminal, about ten lines in a log."""

import sys
import time


class Progress:
    """Print each epoch's metrics, the seconds it took and the seconds left."""

    def __init__(self, epochs: int) -> None:
        self._epochs = epochs
        self._every = 1 if sys.stdout.isatty() else max(1, epochs // 10)
        self._start = self._last = time.monotonic()
        self._reported = 0

    def __call__(self, row: dict[str, int | float]) -> None:
        """Report ``row``, a row of the history."""
        self._reported += 1
        now = time.monotonic()
        seconds, self._last = now - self._last, now
        epoch = int(row["epoch"])
        if epoch % self._every and epoch not in (1, self._epochs):
            return
        left = (now - self._start) / self._reported * (self._epochs - epoch)
        print(
            f"epoch {epoch}/{self._epochs}  {seconds:.1f} s  accuracy {row['accuracy']:.4f}"
            f"  loss {row['loss']:.4f}  val_accuracy {row['val_accuracy']:.4f}"
            f"  val_loss {row['val_loss']:.4f}  {left:.0f} s left",
            flush=True,
        )
