"""Figures of two sets for a page: each with its interval, or with why it has none, and what an interval takes."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from pixelgauge.distribution.feature_sets import MAIN
from pixelgauge.distribution.feature_stats import FeatureStats
from pixelgauge.distribution.frechet_interval import frechet_interval
from pixelgauge.distribution.kernel_interval import kernel_distance_interval
from pixelgauge.distribution.neighbour_intervals import density_coverage_interval, precision_recall_interval
from pixelgauge.engine.distances import DENSITY_K, PRECISION_K, Features
from pixelgauge.report.doubts import found

_MOST_WORK = 2e10
"""Pairs of samples times features beyond which no interval over all pairs is computed for a page."""


@dataclass(frozen=True)
class SetFigure:
    """A figure of two sets."""

    name: str
    value: float
    low: float | None = None
    high: float | None = None
    said: str = ""
    """Why there is no interval, or what is to be known of it."""
    better: str = "lower is better"


@dataclass(frozen=True)
class _Interval:
    """What gives intervals of a metric's figures: by their names, (value, low, high)."""

    compute: Callable[[Any, Any, int], Mapping[str, tuple[float, float]]]
    over_pairs: bool
    said: str
    """What the interval is of."""


def _of_frechet(a: Any, b: Any, seed: int) -> Mapping[str, tuple[float, float]]:
    interval = frechet_interval(a, b, seed=seed)
    return {"fid": (interval.low, interval.high)}


def _of_kernel(a: Any, b: Any, seed: int) -> Mapping[str, tuple[float, float]]:
    interval = kernel_distance_interval(a, b)
    return {"kid": (interval.low, interval.high)}


def _of_neighbours(a: Any, b: Any, seed: int) -> Mapping[str, tuple[float, float]]:
    figures = {
        **precision_recall_interval(a, b, k=PRECISION_K)._asdict(),
        **density_coverage_interval(a, b, k=DENSITY_K)._asdict(),
    }
    return {name: (figure.low, figure.high) for name, figure in figures.items()}


_INTERVALS: dict[str, _Interval] = {
    "fid": _Interval(
        _of_frechet,
        False,
        "of the distance of the populations, without the bias that the figure of the samples has: the figure may lie "
        "above it",
    ),
    "kid": _Interval(_of_kernel, True, "of the distance of the populations"),
    "precision": _Interval(_of_neighbours, True, "for other samples of one set, given the balls of the other"),
}
_NEIGHBOUR_FIGURES = ("precision", "recall", "density", "coverage")
_NAMES = {"fid": "FID", "kid": "KID", "is": "Inception score", "sfid": "sFID"}
_HIGHER = {*_NEIGHBOUR_FIGURES, "is"}


def set_figures(values: Mapping[str, float], of_a: Features, of_b: Features, seed: int) -> list[SetFigure]:
    """Give each figure its interval where there is one.

    Parameters
    ----------
    values : mapping of str to float
        As a measurement of two sets has them.
    of_a, of_b : mapping of str to features or statistics
        What was collected of each side.
    seed : int
    """
    figures: list[SetFigure] = []
    intervals: dict[str, tuple[dict[str, tuple[float, float]], str]] = {}
    for name, value in values.items():
        if name.endswith("_std"):
            continue
        better = "higher is better" if name in _HIGHER else "lower is better"
        group = "precision" if name in _NEIGHBOUR_FIGURES else name
        if group in _INTERVALS:
            if group not in intervals:
                intervals[group] = _interval(_INTERVALS[group], of_a.get(MAIN), of_b.get(MAIN), seed)
            ends, said = intervals[group]
            low, high = ends.get(name, (None, None))
            figures.append(SetFigure(_NAMES.get(name, name), value, low, high, said, better))
        else:
            spread = values.get(f"{name}_std", math.nan)
            said = "" if math.isnan(spread) else f"no interval: {spread:.4g} is the deviation over its splits"
            figures.append(SetFigure(_NAMES.get(name, name), value, None, None, said or "no interval is known", better))
    return figures


def _interval(interval: _Interval, a: Any, b: Any, seed: int) -> tuple[dict[str, tuple[float, float]], str]:
    """Compute the ends by name, and what is to be said."""
    if a is None or b is None:
        return {}, "no interval: it takes the samples of this output"
    if interval.over_pairs and len(a) * len(b) * a.shape[1] > _MOST_WORK:
        return {}, (
            f"no interval here: over all pairs of {len(a):,} and {len(b):,} samples it takes long; the function of the "
            "Python interface gives it"
        )
    fixed = [letter for letter, side in (("A", a), ("B", b)) if isinstance(side, FeatureStats)]
    if len(fixed) == 2:
        return {}, "no interval: A and B hold statistics alone, and it takes the features of one side's samples"
    given = found(lambda: interval.compute(a, b, seed))
    doubt = f"{given.said} (a is A, the real side, and b is B)" if given.said else ""
    if given.value is None:
        return {}, f"no interval: {doubt}"
    said = f"95% interval {_of_fixed(fixed[0]) if fixed else interval.said}"
    return dict(given.value), "; ".join(one for one in (said, doubt) if one)


def _of_fixed(letter: str) -> str:
    """Say what an interval is of where a side is statistics, a fixed reference."""
    other = "B" if letter == "A" else "A"
    return (
        f"of the distance of {other}'s population from the very statistics of {letter}, taken as fixed: the bias that "
        f"{letter}'s own samples bring is in it, that of {other}'s samples is not, and the figure may lie above it"
    )
