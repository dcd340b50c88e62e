"""Scales: where a number lies along an axis, from 0 to 1, and which numbers are written there."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
import numpy.typing as npt

from pixelgauge.report.charts.ticks import round_numbers, written

Values = npt.NDArray[np.float64]

_RATES = (0.5, 0.1, 0.01, 0.9, 0.99, 0.001, 0.999, 0.05, 0.95, 0.0001, 0.9999, 0.2, 0.8, 0.02, 0.98, 0.005, 0.995)
"""Rates that are written along an axis of normal quantiles, those that matter most first."""

_MOST = 1e300
"""Numbers beyond it are not drawn: sums and spans of those within stay floats."""


def drawable(values: npt.ArrayLike) -> npt.NDArray[np.bool_]:
    """Which numbers can be drawn: neither NaN nor infinite, nor beyond 1e300."""
    return np.asarray(np.abs(np.asarray(values, np.float64)) <= _MOST)


def undrawable(values: npt.ArrayLike) -> str:
    """Say how many numbers cannot be drawn, and why; empty if all can be."""
    given = np.ravel(np.asarray(values, np.float64))
    kinds = (
        ("infinite", np.isinf(given)),
        ("beyond ±1e300", np.isfinite(given) & ~drawable(given)),
        ("not a number", np.isnan(given)),
    )
    found = [f"{int(is_it.sum()):,} {kind}" for kind, is_it in kinds if is_it.any()]
    return " and ".join([", ".join(found[:-1]), found[-1]] if len(found) > 1 else found)


def _even(values: Values) -> Values:
    return values


@dataclass(frozen=True)
class Scale:
    """A way along an axis."""

    low: float
    high: float
    ticks: tuple[tuple[float, str], ...]
    """Numbers, and how they are written."""
    warp: Callable[[Values], Values] = _even
    """What is even along the axis."""

    def place(self, values: npt.ArrayLike) -> Values:
        """Places along the axis; what lies beyond an end is put there."""
        given = np.clip(np.asarray(values, np.float64), self.low, self.high)
        low, high = self.warp(np.array([self.low, self.high]))
        found: Values = (self.warp(given) - low) / (high - low)
        return found

    def at(self, value: float) -> float:
        """Place of one number."""
        return float(self.place([value])[0])

    def holds(self, value: float) -> bool:
        """Whether a number lies between the ends."""
        return self.low <= value <= self.high


def widened(low: float, high: float) -> tuple[float, float]:
    """Two ends that differ."""
    if low < high:
        return low, high
    around = abs(low) * 0.05 or 0.5
    return low - around, high + around


def linear(low: float, high: float, *, most: int = 6) -> Scale:
    """Even scale between two drawable ends."""
    low, high = widened(low, high)
    numbers = round_numbers(low, high, most)
    return Scale(low, high, tuple(zip(numbers, written(numbers), strict=True)))


def counts(most: int) -> Scale:
    """Scale of whole numbers from 0 to above the greatest."""
    top = max(1.0, most * 1.04)
    numbers = [number for number in round_numbers(0, top, 4) if number == int(number)]
    return Scale(0.0, top, tuple(zip(numbers, written(numbers), strict=True)))


def spanning(values: npt.ArrayLike, *, most: int = 6, room: float = 0.03) -> Scale:
    """Even scale of drawable numbers, with some room at its ends."""
    given = np.asarray(values, np.float64)
    low, high = (float(given.min()), float(given.max())) if given.size else (0.0, 1.0)
    extra = (high - low) * room
    return linear(low - extra, high + extra, most=most)


def probit(low: float, high: float) -> Scale:
    """Scale of normal quantiles between two rates within (0, 1), as error trade-offs are drawn."""
    ends = _quantiles(np.array([low, high]))
    numbers: list[float] = []
    for rate in (rate for rate in _RATES if low <= rate <= high):
        places = (_quantiles(np.array([rate, *numbers])) - ends[0]) / (ends[1] - ends[0])
        if (np.abs(places[1:] - places[0]) > 0.11).all():
            numbers.append(rate)
    numbers.sort()
    return Scale(low, high, tuple((rate, _percent(rate)) for rate in numbers), _quantiles)


def percent(low: float, high: float, *, most: int = 5) -> Scale:
    """Even scale of shares that are written as percentages."""
    numbers = round_numbers(low, high, most)
    texts: Sequence[str] = written([100 * value for value in numbers])
    return Scale(low, high, tuple((value, f"{text}%") for value, text in zip(numbers, texts, strict=True)))


def _quantiles(rates: Values) -> Values:
    normal = NormalDist()
    return np.array([normal.inv_cdf(min(max(rate, 1e-300), 1 - 2**-53)) for rate in np.ravel(rates).tolist()])


def _percent(rate: float) -> str:
    return f"{100 * rate:.6g}%"
