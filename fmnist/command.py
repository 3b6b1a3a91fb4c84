"""What every stage and command shares: its exit code, and errors of one line.

Exit codes: 0 fine, 1 a negative verdict, 2 bad input or could not run, 130 interrupted.
"""

import os
import sys
import warnings
from collections.abc import Callable

INTERRUPTED = (
    "interrupted: run the same command again to go on; finished stages are kept, and so are the"
    " finished epochs of a training"
)
INTERRUPTED_STATUS = 130  # what a shell calls the end by SIGINT


class InputError(Exception):
    """A person can mend it: says which file or key, what was expected and found, what next."""


def run(main: Callable[[], int | None]) -> None:
    """Run ``main`` and end the process with its exit code; an `InputError` ends it with 2."""
    warnings.formatwarning = lambda message, *details: f"warning: {message}\n"
    try:
        status = main()
    except InputError as error:
        for line in str(error).splitlines():
            print(f"error: {line}", file=sys.stderr)
        status = 2
    except OSError as error:
        if error.filename is None and error.errno is None:
            raise
        where = f"{os.fspath(error.filename)}: " if error.filename is not None else ""
        print(f"error: {where}{error.strerror}", file=sys.stderr)
        status = 2
    except KeyboardInterrupt:
        print(INTERRUPTED, file=sys.stderr)
        status = INTERRUPTED_STATUS
    sys.exit(status or 0)
