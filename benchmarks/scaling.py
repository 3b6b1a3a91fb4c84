"""How time and memory grow with a size."""

import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from benchmarks import results
from fmnist.stage.files import rounded

FASTER = 1.1  # exponents above it are called faster than linear; n log n stays below it here
NOISE = 0.1  # growth by less than this share of the smallest value is no growth
UNITS = ("seconds", "user_seconds", "mib")
Usage = dict[str, dict[str, float]]  # by stage: some of UNITS, and its data in MiB


@dataclass(frozen=True)
class Growth:
    """Fits to values at several sizes.

    Attributes:
        constant: of the straight line constant + each * size.
        each: of the same line, what one more adds.
        exponent: slope between the logarithms of size and value, both beyond the smallest, so that
            a constant does not flatten it: 1 where values are on a straight line. None without
            growth.
        last_slope: between the logarithms of the two largest sizes and their whole values.
    """

    constant: float
    each: float
    exponent: float | None
    last_slope: float

    @property
    def is_faster_than_linear(self) -> bool:
        """Whether each one more adds more than the one before."""
        return self.exponent is not None and self.exponent > FASTER


def fit(sizes: Sequence[float], values: Sequence[float]) -> Growth:
    """Return how values grow with sizes, which ascend."""
    size, value = np.array(sizes, float), np.array(values, float)
    each, constant = np.polyfit(size, value, 1)
    last_slope = np.log(value[-1] / value[-2]) / np.log(size[-1] / size[-2])
    exponent, beyond = None, np.maximum(value[1:] - value[0], NOISE / 10 * value[0])
    if beyond[-1] > NOISE * value[0]:
        # The smaller the growth, the larger the share of noise in it, and so in its logarithm.
        slope, _ = np.polyfit(np.log(size[1:] - size[0]), np.log(beyond), 1, w=beyond)
        exponent = float(slope)
    return Growth(float(constant), float(each), exponent, float(last_slope))


def describe(sizes: Sequence[float], usages: Sequence[Sequence[Usage]]) -> dict[str, Any]:
    """Return what each stage used, and how the medians grow.

    Args:
        usages: for each size, one a round.
    """
    found: dict[str, Any] = {"sizes": list(sizes), "faster": []}
    for unit in UNITS:
        found[unit] = {}
        for stage in [stage for stage, first in usages[0][0].items() if unit in first]:
            measured = [[usage[stage][unit] for usage in rounds] for rounds in usages]
            growth = fit(sizes, [statistics.median(values) for values in measured])
            found[unit][stage] = {
                "measured": [results.summary(values) for values in measured],
                **rounded(asdict(growth), 4),
            }
            data = [rounds[0][stage].get("data", 0) for rounds in usages]
            if unit == "mib" and data[-1] > data[0]:
                multiple = growth.each * (sizes[-1] - sizes[0]) / (data[-1] - data[0])
                found[unit][stage]["multiple_of_data"] = round(multiple, 2)
            if growth.is_faster_than_linear:
                found["faster"].append(f"{stage}: {unit}")
    return found


def table(name: str, found: dict[str, Any]) -> str:
    """Return what `describe` found, medians and fits, as lines of text."""
    sizes = "".join(f"{size:9.3g}" for size in found["sizes"])
    lines = [f"{name:26}{sizes}   constant     each  exponent  last slope"]
    for unit in UNITS:
        for stage, of in found[unit].items():
            medians = "".join(f"{each['median']:9.2f}" for each in of["measured"])
            exponent = "none" if of["exponent"] is None else f"{of['exponent']:.2f}"
            multiple = of.get("multiple_of_data")
            lines.append(
                f"{stage + ', ' + unit:26}{medians}   {of['constant']:8.2f} {of['each']:8.2f}"
                f"  {exponent:>8}    {of['last_slope']:8.2f}"
                + ("" if multiple is None else f"  {multiple:.2f} x data")
            )
    return "\n".join([*lines, f"faster than linear: {', '.join(found['faster']) or 'none'}"])
