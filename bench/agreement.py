"""Whether two results are the same: their numbers as arrays, and by how much those differ."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np


def arrays_of(result: Any) -> list[np.ndarray]:
    """Numbers of a result as float64 arrays: scalars, arrays, and tuples or lists of them; other results have none."""
    if result is None:
        return []
    if isinstance(result, tuple | list) and not all(isinstance(item, float | int) for item in result):
        return [array for item in result for array in arrays_of(item)]
    try:
        return [np.asarray(result, np.float64)]
    except (TypeError, ValueError):
        return []


def excess_of(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """|x - y| / max(1, |x|), 0 where both are the same infinity or both no number, and infinite where only one is."""
    same = (x == y) | (np.isnan(x) & np.isnan(y))
    with np.errstate(invalid="ignore"):
        excess = np.where(same, 0.0, np.abs(x - y) / np.maximum(1.0, np.abs(x)))
    return np.where(np.isnan(excess), np.inf, excess)


def largest_difference(a: Sequence[np.ndarray], b: Sequence[np.ndarray]) -> float:
    """Greatest excess of the entries of arrays of equal shapes."""
    return max((float(excess_of(x, y).max()) for x, y in zip(a, b, strict=True) if x.size), default=0.0)


def difference(a: Sequence[np.ndarray], b: Sequence[np.ndarray], tolerance: float) -> str:
    """Say where results differ by more than tolerance * max(1, |a|), or nothing."""
    if [x.shape for x in a] != [y.shape for y in b]:
        return f"shapes {[x.shape for x in a]} and {[y.shape for y in b]}"
    worst = ""
    largest = 0.0
    for x, y in zip(a, b, strict=True):
        excess = excess_of(x, y)
        if excess.size and excess.max() > max(tolerance, largest):
            largest = float(excess.max())
            at = np.unravel_index(int(excess.argmax()), excess.shape)
            worst = f"{float(x[at])!r} and {float(y[at])!r}, tolerance {tolerance:g}"
    return worst
