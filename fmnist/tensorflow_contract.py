"""The numeric contract of TensorFlow; see `fmnist.contract`, whose switches come before it."""

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from fmnist import contract, eigen
from fmnist.command import InputError

LIBRARIES = ("libtensorflow_cc.so.2", "libtensorflow_framework.so.2")  # hold Eigen's code


def apply(threads: int) -> None:
    """Import TensorFlow with deterministic operators and a fixed number of threads.

    Args:
        threads: within an operator (shards of its work); operators run one after another.
    """
    with _quiet():
        import tensorflow as tf
        from keras import config

        from fmnist import batch_normalization

        if not contract.unmet():
            folder = Path(tf.sysconfig.get_lib())
            try:
                eigen.set_cache_sizes([folder / name for name in LIBRARIES])
            except LookupError as error:
                raise InputError(
                    f"TensorFlow: expected the build that requirements.lock names, found another:"
                    f" {error}; `sh commands/install.sh` mends it"
                ) from None
        batch_normalization.install()
        tf.config.experimental.enable_op_determinism()
        tf.config.threading.set_intra_op_parallelism_threads(threads)
        tf.config.threading.set_inter_op_parallelism_threads(1)
        tf.constant(0)  # starts the runtime, which logs the processor's features
    config.disable_interactive_logging()


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep back what C++ prints to standard error while it loads, unless loading fails."""
    sys.stderr.flush()
    saved = os.dup(2)
    with tempfile.TemporaryFile() as held:
        os.dup2(held.fileno(), 2)
        try:
            yield
        except BaseException:
            held.seek(0)
            os.write(saved, held.read())
            raise
        finally:
            os.dup2(saved, 2)
            os.close(saved)
