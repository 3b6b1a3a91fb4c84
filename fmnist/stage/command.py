"""What every stage and command shares: its exit code, and errors of one line.

Exit codes: 0 fine, 1 a negative verdict, 2 bad input or could not run, 130 interrupted.
"""

import os
import signal
import sys
import traceback
import warnings
from collections.abc import Callable

EXIT_INTERRUPTED = 130  # what a shell reports after SIGINT


class InputError(Exception):
    """An error the user can fix; says which file or key, expected, found, and what to do next."""


def run(main: Callable[[], int | None], interrupted: str = "interrupted") -> None:
    """Run ``main`` and end the process with its exit code.

    Args:
        interrupted: what to print after SIGINT or SIGTERM.
    """
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    warnings.formatwarning = lambda message, *details: f"warning: {message}\n"
    try:
        status = main()
    except InputError as error:
        for line in str(error).splitlines():
            print(f"error: {line}", file=sys.stderr)
        status = 2
    except KeyboardInterrupt:
        print(interrupted, file=sys.stderr)
        status = EXIT_INTERRUPTED
    except Exception as error:
        if isinstance(error, OSError) and error.filename is not None:
            reason = error.strerror or error
            print(f"error: {os.fspath(error.filename)}: {reason}", file=sys.stderr)
        else:
            traceback.print_exc()
        status = 2  # 1 is a verdict
    sys.exit(status or 0)
