"""Results of a benchmark: a JSON file and a picture under ``docs/bench``, and their summaries."""

import os
import platform
import statistics
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fmnist import contract
from fmnist.files import write_json

if TYPE_CHECKING:
    from benchmarks.rounds import Record

FOLDER = Path("docs/bench")


def write(name: str, results: dict[str, Any]) -> None:
    """Write ``docs/bench/<name>.json``: the results, after where and when they were measured."""
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
    """Return the median, the extremes and the number of measured values."""
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
    """Return how many times ours the others took, round by round."""
    return [other / our for other, our in zip(others, ours, strict=True)]


def table(records: "dict[str, Record]", ours: str) -> dict[str, Any]:
    """Print and return each contestant's seconds, and how many times ours they are."""
    found = {}
    print(f"\n{'':32}{'median s':>10}{'min':>8}{'max':>8}{'times ours':>12}{'val_accuracy':>20}")
    for name, record in records.items():
        seconds = summary(record.seconds)
        ratio = summary(ratios(record.seconds, records[ours].seconds))
        found[name] = {"seconds": seconds, "times_ours": ratio, "packages": record.packages}
        print(
            f"{name:32}{seconds['median']:10.3f}{seconds['min']:8.3f}{seconds['max']:8.3f}"
            f"{ratio['median']:12.2f}",
            end="",
        )
        if record.val_accuracy:
            accuracy = statistics.mean(record.val_accuracy)
            deviation = statistics.stdev(record.val_accuracy) if len(record.val_accuracy) > 1 else 0
            found[name]["val_accuracy"] = {"mean": round(accuracy, 4), "sd": round(deviation, 4)}
            print(f"{accuracy:13.4f} ± {deviation:.4f}", end="")
        print()
    return found


def draw(
    name: str, title: str, records: "dict[str, Record]", ours: str, limit: tuple[str, float]
) -> None:
    """Draw ``docs/bench/<name>.png``: a bar a contestant, and a line for a named limit, seconds."""
    from fmnist.plot import canvas

    canvas.apply_style()
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 1.2 + 0.42 * len(records)))
    axes = figure.subplots()
    for place, (contestant, record) in enumerate(records.items()):
        seconds = summary(record.seconds)
        middle = seconds["median"]
        spread = [[middle - seconds["min"]], [seconds["max"] - middle]]
        colour = canvas.BLUE if contestant == ours else canvas.GREY
        axes.barh(place, middle, xerr=spread, color=colour, ecolor="dimgray", height=0.65)
        times = statistics.median(ratios(record.seconds, records[ours].seconds))
        label = f"{middle:.2f} s" + ("" if contestant == ours else f",  {times:.1f}x")
        axes.annotate(
            label, (seconds["max"], place), xytext=(6, 0), textcoords="offset points", va="center"
        )
    label, seconds = limit
    axes.axvline(seconds, color=canvas.ORANGE, label=f"{label}: {seconds:.2f} s")
    axes.set_yticks(range(len(records)), records)
    axes.invert_yaxis()
    axes.grid(axis="y", visible=False)
    axes.margins(x=0.14)
    axes.set(title=title, xlabel="Seconds: median, and the extremes of the rounds")
    axes.legend(loc="lower right")
    canvas.save(figure, FOLDER / f"{name}.png", dpi=100)
