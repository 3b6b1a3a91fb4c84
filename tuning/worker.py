"""A process of the cluster that trains trials, one after another.

Ray sends this class to every node as it is written here, so that nothing of the project has to be
there: it brings the code of the run with it. It loads nothing that computes before the numeric
contract is applied, so all imports are late.
"""

from typing import Any


class Worker:
    """Trains with a fixed number of threads.

    Args:
        code: a tar file of the run's snapshot: ``fmnist``, ``tuning`` and ``pyproject.toml``.
        threads: those of every recipe that it is given; None if it is to train nothing.
    """

    def __init__(self, code: bytes, threads: int | None) -> None:
        import io
        import os
        import sys
        import tarfile
        import tempfile

        self._folder = tempfile.TemporaryDirectory(prefix="fmnist-sweep-")
        with tarfile.open(fileobj=io.BytesIO(code)) as tar:
            tar.extractall(self._folder.name, filter="data")
        os.chdir(self._folder.name)
        sys.path.insert(0, self._folder.name)
        if threads is not None:
            from fmnist import contract, tensorflow_contract

            contract.apply()
            tensorflow_contract.apply(threads)

    def refusal(self) -> str | None:
        """Return why trials of this node would not be those of the stage; None if they would."""
        from fmnist import contract, pins
        from fmnist.command import InputError

        try:
            pins.check("prepare", "train")
        except InputError as error:
            return "; ".join(str(error).splitlines())
        return "; ".join(contract.unmet()) or None

    def ready(self) -> None:
        """Return as soon as it could train."""

    def train(self, *arguments: Any) -> Any:
        """Return what `tuning.trial.train` does."""
        from tuning import trial

        return trial.train(*arguments)
