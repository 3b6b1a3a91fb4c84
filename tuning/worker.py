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
        import contextlib
        import io
        import sys
        import tarfile
        import tempfile

        # All is loaded at once, so that no file is left of a worker that is killed later.
        with (
            tempfile.TemporaryDirectory(prefix="fmnist-sweep-") as folder,
            contextlib.chdir(folder),
        ):
            with tarfile.open(fileobj=io.BytesIO(code)) as tar:
                tar.extractall(filter="data")
            sys.path.insert(0, folder)
            if threads is None:
                self._refusal = _refusal()
            else:
                from fmnist import contract, tensorflow_contract

                contract.apply()
                tensorflow_contract.apply(threads)
                from tuning import trial

                self._train = trial.train
            sys.path.remove(folder)

    def refusal(self) -> str | None:
        """Return why trials of this node would not be those of the stage; None if they would.

        It is for a worker without threads to say.
        """
        return self._refusal

    def ready(self) -> None:
        """Return as soon as it could train."""

    def train(self, *arguments: Any) -> Any:
        """Return what `tuning.trial.train` does."""
        return self._train(*arguments)


def _refusal() -> str | None:
    from fmnist import contract, pins
    from fmnist.command import InputError

    try:
        pins.check("prepare", "train")
    except InputError as error:
        return "; ".join(str(error).splitlines())
    return "; ".join(contract.unmet()) or None
