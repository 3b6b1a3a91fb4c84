"""How long each part of a job took, from what the job printed and when."""

import re
import sys
from collections.abc import Iterable

DVC = "DVC itself"
# Replaces python in the clone: DVC says when a stage begins, but not when its process has ended and
# hashing and caching of its outputs begin.
ENDED = "the process of the stage has ended"
PYTHON = f"""#!/bin/sh
"{sys.executable}" "$@"
status=$?
echo "{ENDED}"
exit $status
"""
Lines = Iterable[tuple[float, str]]  # each with the second at which it arrived


def stage_seconds(lines: Lines, total: float) -> dict[str, float]:
    """Return the seconds of each stage's process in a `dvc repro`; the rest is DVC's own."""
    marks = [(0.0, DVC)]
    for second, line in lines:
        if begun := re.fullmatch(r"Running stage '(.+)':", line):
            marks.append((second, begun[1]))
        elif line == ENDED:
            marks.append((second, DVC))
    return _between(marks, total)


def cell_seconds(lines: Lines, total: float) -> dict[str, float]:
    """Return the seconds of each cell of the notebook, by its heading."""
    headings = [(second, line[2:]) for second, line in lines if line.startswith("# ")]
    return _between([(0.0, "start and import"), *headings], total)


def _between(marks: list[tuple[float, str]], total: float) -> dict[str, float]:
    seconds: dict[str, float] = {}
    for (start, name), (end, _) in zip(marks, [*marks[1:], (total, "")], strict=True):
        seconds[name] = seconds.get(name, 0.0) + end - start
    return seconds
