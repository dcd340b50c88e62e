"""Seven blocks of a sample, the subsets of them that meet every pair equally often, and the extrapolation in 1 / N."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from pixelgauge.distribution.feature_stats import FeatureStats

Float64Array = npt.NDArray[np.float64]
Subset = tuple[int, ...]

BLOCKS = 7
_LINES: tuple[Subset, ...] = ((0, 1, 2), (0, 3, 4), (0, 5, 6), (1, 3, 5), (1, 4, 6), (2, 3, 6), (2, 4, 5))
"""Lines of the Fano plane: any two of seven points lie on one."""


def _without(subset: Subset) -> Subset:
    return tuple(block for block in range(BLOCKS) if block not in subset)


DESIGNS: tuple[tuple[Subset, ...], ...] = (
    (tuple(range(BLOCKS)),),
    tuple(_without((block,)) for block in range(BLOCKS)),
    tuple(map(_without, _LINES)),
    _LINES,
)
"""Subsets of 7, 6, 4 and 3 blocks. Within each list every block is in equally many subsets and every two blocks meet in
equally many, so that averages over a list keep the first-order error of the whole sample, and of the products of two
samples those of different blocks alike."""

INFLATION = BLOCKS / (BLOCKS - 1)
"""Variance of the second-order part after the extrapolation, over that of a U-statistic: products within a block, one
in seven, drop out."""

_ROWS = 3072
"""Rows that are gathered together: no copy of a block is made."""


def extrapolation_weights(nodes: Sequence[float]) -> Float64Array:
    """Weights w with sum w = 1 and sum w x^j = 0 for j = 1 to one below the number of nodes x (Lagrange, at 0)."""
    return np.array([np.prod([other / (other - node) for other in nodes if other != node]) for node in nodes])


WEIGHTS: tuple[float, ...] = tuple(extrapolation_weights([BLOCKS / len(subsets[0]) for subsets in DESIGNS]).tolist())
"""Of the averages over each list of :data:`DESIGNS`: 28.6, -36, 10.7 and -2.25. What is left of a bias
a1 / N + a2 / N^2 + ... starts with 4.8 a4 / N^4; wholes, halves, thirds and quarters would leave 24 a4 / N^4."""


def covariance_beside_outliers(stats: FeatureStats, ddof: int) -> Float64Array:
    """Return the covariance of centred features, of which only outliers leave nothing."""
    try:
        return stats.cov(ddof)
    except ValueError as error:
        raise ValueError(
            "the features hold values so far from the others that the spread of these is lost beside them: leave such "
            "samples out"
        ) from error


class BlockMoments:
    """Mean and scatter of each of seven random blocks of a sample, of which unions cost no pass over the features.

    Parameters
    ----------
    features : (N, D) numpy.ndarray
    order : (N,) numpy.ndarray of int
        A random order of the samples; blocks are its sevenths.
    """

    def __init__(self, features: npt.NDArray[np.floating], order: npt.NDArray[np.int64]) -> None:
        self._centre = features.mean(axis=0, dtype=np.float64)
        self._counts: list[int] = []
        self._means: list[Float64Array] = []
        self._scatters: list[Float64Array] = []
        for block in np.array_split(order, BLOCKS):
            rows = np.sort(block)  # in the order in which they lie
            stats = FeatureStats(features.shape[1])
            for start in range(0, rows.size, _ROWS):
                stats.update(features[rows[start : start + _ROWS]] - self._centre)
            off = stats.mean
            self._counts.append(rows.size)
            self._means.append(off)
            scatter = covariance_beside_outliers(stats, 0)
            scatter += np.outer(off, off)
            scatter *= rows.size
            self._scatters.append(scatter)

    def moments(self, subset: Subset) -> tuple[Float64Array, Float64Array]:
        """Mean and covariance (ddof 1) of the samples of some blocks."""
        count = sum(self._counts[block] for block in subset)
        off = sum((self._counts[block] / count * self._means[block] for block in subset), np.zeros_like(self._centre))
        scatter = self._scatters[subset[0]].copy()
        for block in subset[1:]:
            scatter += self._scatters[block]
        scatter -= count * np.outer(off, off)
        scatter /= count - 1
        np.fill_diagonal(scatter, np.maximum(scatter.diagonal(), 0))
        return self._centre + off, scatter


def pairs_met(subsets: Sequence[Subset]) -> dict[tuple[int, int], int]:
    """How often every two blocks meet in the subsets of a list."""
    pairs = itertools.combinations(range(BLOCKS), 2)
    return {pair: sum(set(pair) <= set(subset) for subset in subsets) for pair in pairs}
