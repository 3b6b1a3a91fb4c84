"""Results of a benchmark: a JSON file in ``docs/bench``, and its summaries."""

import os
import platform
import statistics
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

from fmnist.stage import contract
from fmnist.stage.files import write_json

FOLDER = Path("docs/bench")


def write(name: str, results: dict[str, Any]) -> None:
    """Write ``docs/bench/<name>.json``: where and when it was measured, then the results."""
    write_json(FOLDER / f"{name}.json", {"measured": circumstances(), **results})


def circumstances() -> dict[str, str | int]:
    """Return the machine, the versions of what everything here runs on, and the date."""
    cpuinfo = contract.cpuinfo()
    flags = cpuinfo.get("flags", "").split()
    return {
        "date": datetime.now(UTC).date().isoformat(),
        "processor": cpuinfo.get("model name", platform.processor() or "unknown"),
        "family": f"{cpuinfo.get('cpu family', '?')}, model {cpuinfo.get('model', '?')}",
        "avx512": "avx512f" in flags,
        "cores": os.cpu_count() or 1,
        "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30),
        "python": platform.python_version(),
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
        f"{name:38}{of['median']:8.2f} {unit:2} (min {of['min']:.2f}, max {of['max']:.2f},"
        f" n = {of['n']})"
    )


def ratios(others: list[float], ours: list[float]) -> list[float]:
    """Return ``others`` as multiples of ``ours``, round by round."""
    return [other / our for other, our in zip(others, ours, strict=True)]
