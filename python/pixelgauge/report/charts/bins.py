"""Bins of a histogram: Freedman and Diaconis's width, made round, between a least and a most number of bins."""

from __future__ import annotations

import math

import numpy as np

from pixelgauge.report.charts.scales import Values, widened
from pixelgauge.report.charts.ticks import round_step

LEAST_BINS, MOST_BINS = 8, 60


def round_bins(values: Values, *, least: int = LEAST_BINS, most: int = MOST_BINS, around_zero: bool = False) -> Values:
    """Rising edges of bins that hold all of some drawable numbers.

    Parameters
    ----------
    values : (N,) numpy.ndarray of float64
    least, most : int
        Bins there may be between the least and the greatest number, nearly.
    around_zero : bool
        Whether 0 is the middle of a bin, as it must be of changes: neither side has those that did not change.

    Returns
    -------
    (B + 1,) numpy.ndarray of float64
        Multiples of 1, 2 or 5 times a power of ten, or the middles between those; a number that equals an edge belongs
        above it.

    References
    ----------
    Freedman, Diaconis: On the histogram as a density estimator, Zeitschrift für Wahrscheinlichkeitstheorie und
    verwandte Gebiete 57, 1981.
    """
    low, high = float(values.min()), float(values.max())
    if high - low < most and (values == np.floor(values)).all() and max(abs(low), abs(high)) < 2**50:
        return np.arange(low - 0.5, high + 1)  # a bin around each of few whole numbers
    low, high = widened(low, high)
    lower, upper = np.percentile(values, [25, 75])
    width = 2 * (upper - lower) / len(values) ** (1 / 3)
    wanted = (high - low) / width if width > (high - low) / most else most if width > 0 else math.sqrt(len(values))
    step = round_step(high - low, int(min(max(wanted, least), most)))
    if step == 0 or max(abs(low), abs(high)) / step > 2**50:
        return np.array([low, high])
    shift = 0.5 if around_zero else 0.0
    first = math.floor(low / step + shift)
    count = math.floor(high / step + shift) - first + 1
    return np.asarray((first - shift + np.arange(count + 1)) * step)
