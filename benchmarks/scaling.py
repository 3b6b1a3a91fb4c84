"""How costs grow with a size. Import after ``contract.apply()``, as all that imports NumPy."""

import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from benchmarks import results
from fmnist.files import rounded

FASTER = 1.1  # exponents above it are called faster than linear; n log n stays below it here
NOISE = 0.1  # growth by less than this share of the smallest cost is no growth
UNITS = ("seconds", "user_seconds", "mib")
Costs = dict[str, dict[str, float]]  # of each stage: seconds, memory and data in MiB


@dataclass(frozen=True)
class Growth:
    """Fits to costs at several sizes.

    Attributes:
        constant: of the straight line constant + each * size.
        each: of the same line, the cost of one more.
        exponent: slope between the logarithms of size and cost, both beyond the smallest, so that a
            constant does not flatten it: 1 where costs are on a straight line. None without growth.
        last_slope: between the logarithms of the two largest sizes and their whole costs.
    """

    constant: float
    each: float
    exponent: float | None
    last_slope: float

    @property
    def is_faster_than_linear(self) -> bool:
        """Whether the cost of one more itself grows."""
        return self.exponent is not None and self.exponent > FASTER


def fit(sizes: Sequence[float], costs: Sequence[float]) -> Growth:
    """Return how costs grow with sizes, which ascend."""
    size, cost = np.array(sizes, float), np.array(costs, float)
    each, constant = np.polyfit(size, cost, 1)
    last_slope = np.log(cost[-1] / cost[-2]) / np.log(size[-1] / size[-2])
    exponent, beyond = None, np.maximum(cost[1:] - cost[0], NOISE / 10 * cost[0])
    if beyond[-1] > NOISE * cost[0]:
        # The smaller the growth, the larger the share of noise in it, and so in its logarithm.
        slope, _ = np.polyfit(np.log(size[1:] - size[0]), np.log(beyond), 1, w=beyond)
        exponent = float(slope)
    return Growth(float(constant), float(each), exponent, float(last_slope))


def describe(sizes: Sequence[float], costs: Sequence[Sequence[Costs]]) -> dict[str, Any]:
    """Return the costs of each stage, and how their medians grow.

    Args:
        costs: for each size, a measurement a round.
    """
    found: dict[str, Any] = {"sizes": list(sizes), "faster": []}
    for unit in UNITS:
        stages = [stage for stage, first in costs[0][0].items() if unit in first]
        found[unit] = {}
        for stage in stages:
            measured = [[each[stage][unit] for each in rounds] for rounds in costs]
            growth = fit(sizes, [statistics.median(values) for values in measured])
            found[unit][stage] = {
                "measured": [results.summary(values) for values in measured],
                **rounded(asdict(growth), 4),
            }
            data = [rounds[0][stage].get("data", 0) for rounds in costs]
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
    return "\n".join([*lines, f"faster than linearly: {', '.join(found['faster']) or 'none'}"])
