"""The code that runs on the nodes of a cluster.

Ray sends this module by value, so a node needs nothing of the project: the code to run comes with
each call. That is why functions import the project's modules only once they have unpacked it.
"""

import contextlib
import io
import sys
import tarfile
import tempfile
from collections.abc import Iterator
from typing import Any


class Worker:
    """A process that trains trials, one after another, with a fixed number of threads."""

    def __init__(self, code: bytes, threads: int) -> None:
        with _importable(code):
            from fmnist.stage import contract

            contract.apply()

            from fmnist.network import tensorflow_contract

            tensorflow_contract.apply(threads)

            from fmnist.sweeps import trial

            self._train = trial.train

    def ready(self) -> None:
        """Return as soon as the process can train."""

    def train(self, *arguments: Any) -> Any:
        """Return what `fmnist.sweeps.trial.train` returns."""
        return self._train(*arguments)


def refusal(code: bytes) -> str | None:
    """Return why trials on this node could differ from the stage's; None if they cannot."""
    with _importable(code):
        from fmnist.dataset import pins
        from fmnist.stage import contract
        from fmnist.stage.command import InputError
        from fmnist.train.decisive import PINS

        try:
            pins.check(*PINS)
        except InputError as error:
            return "; ".join(str(error).splitlines())
        return "; ".join(contract.unmet()) or None


@contextlib.contextmanager
def _importable(code: bytes) -> Iterator[None]:
    """Unpack a tar file, and make its modules importable and its folder the current one.

    Only for the block, which imports all that is used later: a worker that is killed afterwards
    leaves no files behind.
    """
    with tempfile.TemporaryDirectory(prefix="fmnist-sweep-") as folder, contextlib.chdir(folder):
        with tarfile.open(fileobj=io.BytesIO(code)) as tar:
            tar.extractall(filter="data")
        sys.path.insert(0, folder)
        yield
        sys.path.remove(folder)
