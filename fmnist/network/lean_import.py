"""Load a large library in less than half the time."""

import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def lean_import(*unused: str) -> Iterator[None]:
    """Import, in the block, without garbage collection and without packages of these names.

    A library that uses them only if they are installed finds them missing. After the block they can
    be imported.
    """
    absent = [name for name in unused if name not in sys.modules]
    sys.modules.update(dict.fromkeys(absent))  # an import of None raises ImportError
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()  # what a library loads stays until the end
        gc.enable()
        for name in absent:
            del sys.modules[name]
