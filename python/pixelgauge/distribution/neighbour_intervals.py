"""Intervals of precision, recall, density and coverage, given the set whose neighbourhoods are counted in."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from pixelgauge import _core
from pixelgauge.checks import checked_level
from pixelgauge.distribution.nearest_neighbours import density_coverage, precision_recall
from pixelgauge.distribution.sample_pairs import Features, feature_pair
from pixelgauge.notebooks import in_notebooks
from pixelgauge.proportions import normal_quantile, proportion_interval

Float64Array = npt.NDArray[np.float64]

_ELEMENTS = 2**22
"""Distances of a block of rows."""


@in_notebooks
class NeighbourInterval(NamedTuple):
    """A figure with the ends of its interval."""

    value: float
    low: float
    high: float


@in_notebooks
class PrecisionRecallInterval(NamedTuple):
    """Precision and recall, each with its interval."""

    precision: NeighbourInterval
    recall: NeighbourInterval


@in_notebooks
class DensityCoverageInterval(NamedTuple):
    """Density and coverage, each with its interval."""

    density: NeighbourInterval
    coverage: NeighbourInterval


def precision_recall_interval(
    real: object, fake: object, *, k: int = 3, level: float = 0.95
) -> PrecisionRecallInterval:
    """Exact intervals of improved precision and recall, each given the set that its balls are of.

    Parameters
    ----------
    real, fake : (N, D) array_like of float features
        The samples of each drawn independently.
    k : int, default 3
    level : float, default 0.95

    Returns
    -------
    PrecisionRecallInterval
        Of precision: the probability that a generated sample lies in the balls of these real samples. Of recall: that a
        real sample lies in the balls of these generated ones. Both depend on the number of samples that the balls are
        of, and on which they are; of that the interval says nothing.

    Raises
    ------
    TypeError, ValueError
        As :func:`precision_recall`; if `level` is out of range.

    Notes
    -----
    Given the balls, samples of the other set fall into them independently: the count is binomial, and the interval of
    Clopper and Pearson covers at least at `level`. No interval of the expected figure over new sets on both sides is
    given: none covered. Blocks of the sets vary by another law than the whole, and resamples hold each sample several
    times, which are then each other's neighbours.

    References
    ----------
    C. J. Clopper, E. S. Pearson: The use of confidence or fiducial limits illustrated in the case of the binomial,
    Biometrika 26, 1934.

    Examples
    --------
    >>> import numpy as np, pixelgauge
    >>> x = np.random.default_rng(0).standard_normal((2, 100, 4))
    >>> precision, recall = pixelgauge.precision_recall_interval(x[0], x[1])
    >>> precision.low < precision.value < precision.high
    True
    """
    level = checked_level(level)
    x, y = feature_pair(real, fake, "real", "fake")
    found = precision_recall(x, y, k=k)
    precision, recall = (
        NeighbourInterval(*proportion_interval(round(share * count), count, level=level, method="clopper-pearson"))
        for share, count in ((found.precision, len(y)), (found.recall, len(x)))
    )
    return PrecisionRecallInterval(precision, recall)


def density_coverage_interval(
    real: object, fake: object, *, k: int = 5, level: float = 0.95
) -> DensityCoverageInterval:
    """Intervals of density and coverage, given the real set.

    Parameters
    ----------
    real, fake : (N, D) array_like of float features
        The generated samples drawn independently.
    k : int, default 5
    level : float, default 0.95

    Returns
    -------
    DensityCoverageInterval
        Of what both are expected to be for other generated sets of this size, beside these real samples.

    Raises
    ------
    TypeError, ValueError
        As :func:`density_coverage`; if `level` is out of range, or no generated sample lies in any ball, so that
        nothing tells how many balls one would lie in.

    Notes
    -----
    Density is a mean over generated samples; its variance is taken to be in proportion to it. Of coverage the variance
    is the jackknife's: a generated sample counts for the balls that it alone lies in. By Efron and Stein's inequality
    that is not too small on average; it was 1 to 3 times the true one, the interval up to 1.7 times as wide as need be.
    Both intervals hold the one that a share has, so that none is empty where all balls are met, or hardly any.

    References
    ----------
    B. Efron, C. Stein: The jackknife estimate of variance, Ann. Statist. 9, 1981.

    Examples
    --------
    >>> import numpy as np, pixelgauge
    >>> x = np.random.default_rng(0).standard_normal((2, 100, 4))
    >>> density, coverage = pixelgauge.density_coverage_interval(x[0], x[1])
    >>> 0 < coverage.low < coverage.value <= coverage.high
    True
    """
    level = checked_level(level)
    x, y = feature_pair(real, fake, "real", "fake")
    found = density_coverage(x, y, k=k)
    counts, alone = _balls(x, y, k)
    if not counts.any():
        raise ValueError(
            "no generated sample lies in the ball of a real one: density is 0, and nothing tells how far from it; "
            "precision_recall_interval says how rare they may be"
        )
    z, m = normal_quantile(level), len(y)
    # the variance of a count grows with its mean, so the distances from ends to the mean do: a score interval
    half = z * z * float((counts / k).var(ddof=min(1, m - 1))) / (2 * m * found.density)
    reach = math.sqrt(half * half + 2 * half * found.density)
    hits = int((counts > 0).sum())
    share = found.density * m / hits
    ends = [share * end for end in proportion_interval(hits, m, level=level, method="clopper-pearson")[1:]]
    density = NeighbourInterval(
        found.density, max(0.0, min(found.density + half - reach, ends[0])), max(found.density + half + reach, ends[1])
    )
    spread = z * math.sqrt((m - 1) * float((alone / len(x)).var()))
    ends = list(proportion_interval(round(found.coverage * len(x)), len(x), level=level, method="clopper-pearson")[1:])
    coverage = NeighbourInterval(
        found.coverage,
        max(0.0, min(found.coverage - spread, ends[0])),
        min(1.0, max(found.coverage + spread, ends[1])),
    )
    return DensityCoverageInterval(density, coverage)


def _balls(real: Features, fake: Features, k: int) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Of each generated sample: how many real balls it lies in, and in how many of them alone."""
    x, y = real.astype(np.float64), fake.astype(np.float64)
    centre = x.mean(axis=0)
    x -= centre
    y -= centre
    counts, alone = (np.zeros(len(y), np.int64) for _ in range(2))
    rows = max(1, _ELEMENTS // max(len(x), len(y)))
    for start in range(0, len(x), rows):
        block = x[start : start + rows]
        radii = np.partition(_squared(block, x), k, axis=1)[:, k]  # the nearest is the sample itself
        inside = _squared(block, y) < radii[:, np.newaxis]
        counts += inside.sum(axis=0)
        alone += inside[inside.sum(axis=1) == 1].sum(axis=0)
    return counts, alone


def _squared(a: Float64Array, b: Float64Array) -> Float64Array:
    """Squared distances; their rounding moves a variance by nothing that counts."""
    lengths = (np.einsum("ij,ij->i", z, z) for z in (a, b))
    found: Float64Array = next(lengths)[:, np.newaxis] - 2 * _core.matmul_transposed(a, b)
    found += next(lengths)
    return found
