"""The Fréchet distance extrapolated along a line in 1 / N to infinitely many samples, with the error of that."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from pixelgauge.checks import ArgumentValueError, whole_number
from pixelgauge.distribution.block_design import BLOCKS, DESIGNS, BlockMoments, covariance_beside_outliers
from pixelgauge.distribution.feature_stats import FeatureStats
from pixelgauge.distribution.frechet import frechet_distance, given_moments
from pixelgauge.distribution.frechet_influence import Influence, Moments
from pixelgauge.distribution.samples import as_features, samples
from pixelgauge.notebooks import in_notebooks

Float64Array = npt.NDArray[np.float64]
Features = npt.NDArray[np.floating]

SAMPLES_A_FEATURE = 10
"""Least samples a feature of the smallest subset, where none is given."""


@in_notebooks
class FrechetInfinity(NamedTuple):
    """A Fréchet distance extrapolated to infinitely many samples, its slope against 1 / N, and its standard error."""

    distance: float
    slope: float
    standard_error: float
    """Of the samples, and of the line where the distances show that it bends."""


def frechet_infinity(
    reference: object, features: object, *, smallest: int | None = None, points: int = 15, seed: int = 0
) -> FrechetInfinity:
    """Fréchet distance extrapolated to infinitely many generated samples (FID infinity).

    Parameters
    ----------
    reference : FeatureStats, (mean, covariance) or (N, D) array_like of features
        Taken as it is: the bias that its own samples bring stays in the result, and so does their error.
    features : (N, D) array_like of float features
        Of the generated samples: at least 20 D, unless `smallest` is given.
    smallest : int, optional
        The smallest subset, larger than D; default a tenth of the samples, and at least 10 D. The paper takes 5000 of
        50,000.
    points : int, default 15
        Subset sizes, evenly spaced from `smallest` to all samples, each a fresh random subset.
    seed : int, default 0

    Returns
    -------
    FrechetInfinity
        The distance is never below 0.

    Raises
    ------
    TypeError, ValueError
        As :func:`frechet_distance`; if there are fewer than 20 D samples and no `smallest`, and then how many it takes;
        if `smallest` or `points` leave no line to fit, or the line ends below 0 by more than four standard errors.

    Notes
    -----
    The bias of the distance falls as 1 / N when N is well above D, and a line in 1 / N is fitted. Subsets of few
    samples a feature bend the curve. :func:`frechet_interval` extrapolates to third order in both sets.

    The standard error is of what the line makes of the samples, not of its residuals: the subsets share samples, and
    scatter less about their line than it does about the truth. It is computed from the influence of each sample on the
    distance, weighted with how often and in which subsets it was drawn, and from that of pairs. To it is added, as a
    bias would be, what the term in 1 / N^2 moves the end of the line by; that term comes from the distances of 21
    further subsets of 6/7 to 3/7 of the samples, which meet each other alike.

    References
    ----------
    M. J. Chong, D. Forsyth: Effectively unbiased FID and Inception score and where to find them, CVPR 2020.

    Examples
    --------
    >>> import numpy as np, pixelgauge
    >>> x = np.random.default_rng(0).standard_normal((2000, 4))
    >>> found = pixelgauge.frechet_infinity((np.zeros(4), np.eye(4)), x)
    >>> found.distance < 4 * found.standard_error < 0.02
    True
    """
    x = as_features(features, "features")
    whole_number("points", points, 2)
    whole_number("seed", seed, 0)
    if len(x) < BLOCKS:
        raise ValueError(f"features holds {samples(len(x))}: the error of the line takes at least {BLOCKS}")
    least = _smallest(smallest, *x.shape)
    given_moments(reference, "reference")  # by its own name, before it is one of two
    distance = frechet_distance(reference, x)
    moments = _moments(reference)
    random = np.random.default_rng(seed)
    sizes = np.linspace(least, len(x), points).round().astype(int)
    subsets = [random.permutation(len(x))[:size] for size in sizes]
    values = np.array([*(frechet_distance(reference, x[subset]) for subset in subsets[:-1]), distance])
    # the end of a line, or of a parabola, is a weighted sum of the distances
    line, slope = np.linalg.pinv(np.vander(1 / sizes, 2, increasing=True))
    spread = _Spread(moments, x, subsets, random)
    intercept, variance = float(line @ values), spread.variance(line)
    variance += (_curvature(moments, x, random) * float(line @ (len(x) / sizes) ** 2)) ** 2
    error = math.sqrt(variance)
    if intercept < -4 * error:
        raise ValueError(
            f"the line through the distances meets {intercept:.3g}, and no distance is negative: subsets of {least} to "
            f"{samples(len(x))} are too small for {x.shape[1]} features; give smallest= well above that, and more "
            "samples"
        )
    return FrechetInfinity(max(0.0, intercept), float(slope @ values), error)


def _smallest(given: int | None, n: int, dim: int) -> int:
    """Size of the smallest subset."""
    if given is not None:
        whole_number("smallest", given, 2)
        if not dim < given < n:
            raise ArgumentValueError(
                "smallest",
                str(given),
                f"must be above the {dim} features, where the bias falls as 1 / N, and below the {n} samples there are",
            )
        return int(given)
    needed = 2 * SAMPLES_A_FEATURE * dim
    if n < needed:
        raise ArgumentValueError(
            "features",
            "",
            f"features holds {samples(n)} of {dim} features: a line through subsets of at least "
            f"{SAMPLES_A_FEATURE} samples a feature takes {needed} samples",
            "give more samples, or smallest= for smaller subsets",
            kind="too_small",
            required=needed,
        )
    return max(n // 10, SAMPLES_A_FEATURE * dim)


def _curvature(fixed: Moments, x: Features, random: np.random.Generator) -> float:
    """Coefficient of (N / size)^2 of the distance."""
    blocks = BlockMoments(x, random.permutation(len(x)))
    averages = [np.mean([frechet_distance(blocks.moments(subset), fixed) for subset in subsets]) for subsets in DESIGNS]
    nodes = [BLOCKS / len(subsets[0]) for subsets in DESIGNS]
    return float(np.polyfit(nodes, averages, 2)[0])


class _Spread:
    """Variance of weighted sums of the distances of subsets from a reference."""

    def __init__(
        self, fixed: Moments, x: Features, subsets: list[npt.NDArray[np.int64]], random: np.random.Generator
    ) -> None:
        stats = FeatureStats(x.shape[1], shift=x.mean(axis=0, dtype=np.float64)).update(x)
        moments = stats.mean, covariance_beside_outliers(stats, 1)
        found = Influence(moments, fixed).spread(x, None, random)
        self._second = found.second[0]
        # the influence of a sample drawn anew holds the noise of the map, twice the second order
        self._first = max(0.0, found.first[0] - 4 * self._second / len(x))
        drawn = np.zeros((len(subsets), len(x)))
        for row, subset in zip(drawn, subsets, strict=True):
            row[subset] = 1
        self._shared = drawn @ drawn.T
        self._sizes = drawn.sum(axis=1)

    def variance(self, weights: Float64Array) -> float:
        """Variance of the first and second order; products of samples with themselves are bias, and vary less."""
        of_one, of_two = weights / self._sizes, weights / self._sizes**2
        first = float(of_one @ self._shared @ of_one)
        second = float(of_two @ (self._shared * (self._shared - 1)) @ of_two)
        return self._first * first + 2 * self._second * second


def _moments(reference: object) -> Moments:
    given = given_moments(reference, "reference")
    if given is not None:
        return given
    features = as_features(reference, "reference")
    stats = FeatureStats(features.shape[1], shift=features.mean(axis=0, dtype=np.float64)).update(features)
    return stats.mean, stats.cov()
