"""Results of a benchmark: a JSON file in ``docs/bench``, and its summaries."""

import statistics
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

from fmnist.pipeline import machine
from fmnist.stage.files import write_json

FOLDER = Path("docs/bench")


def write(name: str, results: dict[str, Any]) -> None:
    """Write ``docs/bench/<name>.json``: where and when it was measured, then the results."""
    write_json(FOLDER / f"{name}.json", {"measured": circumstances(), **results})


def circumstances() -> dict[str, str | int]:
    """Return the date, the machine, and the versions of Python and the main packages."""
    facts = machine.facts()
    return {
        "date": datetime.now(UTC).date().isoformat(),
        "processor": facts["processor"],
        "family": facts["family"],
        "avx512": "avx512f" in str(facts["instruction sets"]).split(),
        "cores": facts["cores"],
        "memory_gib": facts["memory GiB"],
        "python": facts["Python"],
        **{name: metadata.version(name) for name in ("tensorflow", "keras", "numpy", "dvc")},
    }


def summary(values: list[float]) -> dict[str, float | int]:
    """Return the median, the extremes and the number of values."""
    return {
        "median": round(statistics.median(values), 4),
        "min": round(min(values), 4),
        "max": round(max(values), 4),
        "n": len(values),
    }


def line(name: str, of: dict[str, float | int], unit: str = "") -> str:
    """Return a summary as a line of a table."""
    return (
        f"{name:46}{of['median']:8.2f} {unit:2} (min {of['min']:.2f}, max {of['max']:.2f},"
        f" n = {of['n']})"
    )


def ratios(others: list[float], ours: list[float]) -> list[float]:
    """Return ``others`` as multiples of ``ours``, pair by pair."""
    return [other / our for other, our in zip(others, ours, strict=True)]
