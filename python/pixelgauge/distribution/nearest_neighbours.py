"""Precision and recall, density and coverage: what lies within the nearest neighbours of features."""

from __future__ import annotations

import math
from typing import NamedTuple

from pixelgauge import _core
from pixelgauge.checks import whole_number
from pixelgauge.distribution.sample_pairs import as_the_core_reads, feature_pair
from pixelgauge.distribution.samples import samples
from pixelgauge.notebooks import in_notebooks


@in_notebooks
class PrecisionRecall(NamedTuple):
    """Improved precision and recall, each from 0 to 1."""

    precision: float
    recall: float


@in_notebooks
class DensityCoverage(NamedTuple):
    """Density (0 and up, 1 expected for equal distributions) and coverage (0 to 1)."""

    density: float
    coverage: float


@in_notebooks
class NeighbourMetrics(NamedTuple):
    """What :class:`PrecisionRecall` and :class:`DensityCoverage` hold."""

    precision: float
    recall: float
    density: float
    coverage: float


def precision_recall(real: object, fake: object, *, k: int = 3) -> PrecisionRecall:
    """Improved precision and recall: the share of one set that lies within the k-nearest-neighbour balls of the other.

    Parameters
    ----------
    real, fake : (N, D) array_like of float features
    k : int, default 3
        A ball reaches to the k-th nearest neighbour in its own set, itself not counted; its surface belongs to it.

    Returns
    -------
    PrecisionRecall

    Raises
    ------
    TypeError, ValueError
        If the features do not fit together or hold NaN, or a set has no more than `k` samples.

    References
    ----------
    T. Kynkäänniemi, T. Karras, S. Laine, J. Lehtinen, T. Aila: Improved precision and recall metric for assessing
    generative models, NeurIPS 2019.

    Examples
    --------
    >>> import numpy as np, pixelgauge
    >>> x = np.random.default_rng(0).standard_normal((100, 4))
    >>> pixelgauge.precision_recall(x, x + 100)
    PrecisionRecall(precision=0.0, recall=0.0)
    """
    whole_number("k", k, 1)
    found = _neighbours(real, fake, precision_k=k)
    return PrecisionRecall(found.precision, found.recall)


def density_coverage(real: object, fake: object, *, k: int = 5) -> DensityCoverage:
    """Density and coverage: how many real balls hold a generated sample, and how many balls hold any.

    Parameters
    ----------
    real, fake : (N, D) array_like of float features
    k : int, default 5
        A real ball reaches to the k-th nearest real neighbour, itself not counted; its surface does not belong to it.

    Returns
    -------
    DensityCoverage

    Raises
    ------
    TypeError, ValueError
        If the features do not fit together or hold NaN, or `real` has no more than `k` samples.

    References
    ----------
    M. F. Naeem, S. J. Oh, Y. Uh, Y. Choi, J. Yoo: Reliable fidelity and diversity metrics for generative models, ICML
    2020; the package prdc.

    Examples
    --------
    >>> import numpy as np, pixelgauge
    >>> x = np.random.default_rng(0).standard_normal((100, 4))
    >>> pixelgauge.density_coverage(x, x[:1] + np.zeros((7, 1)), k=5).coverage < 0.2
    True
    """
    whole_number("k", k, 1)
    found = _neighbours(real, fake, density_k=k)
    return DensityCoverage(found.density, found.coverage)


def neighbour_metrics(real: object, fake: object, *, precision_k: int = 3, density_k: int = 5) -> NeighbourMetrics:
    """Precision, recall, density and coverage in one pass over the distances, which is most of their cost.

    Parameters
    ----------
    real, fake : (N, D) array_like of float features
    precision_k : int, default 3
        k of :func:`precision_recall`.
    density_k : int, default 5
        k of :func:`density_coverage`.

    Returns
    -------
    NeighbourMetrics
        The numbers of the two functions, to the last bit.

    Raises
    ------
    TypeError, ValueError
        As they do.

    Notes
    -----
    Distances are compared in float64. A product in float32 decides most comparisons with a bound on its error, and what
    lies within the bound is computed again, so no count depends on the precision of the product. Memory beside the
    features: about 100 MB at D = 2048 and 500 bytes a sample.

    References
    ----------
    T. Kynkäänniemi et al., NeurIPS 2019; M. F. Naeem et al., ICML 2020.

    Examples
    --------
    >>> import numpy as np, pixelgauge
    >>> x = np.random.default_rng(0).standard_normal((2, 100, 4))
    >>> found = pixelgauge.neighbour_metrics(x[0], x[1])
    >>> (found.precision, found.recall) == pixelgauge.precision_recall(x[0], x[1])
    True
    """
    whole_number("precision_k", precision_k, 1)
    whole_number("density_k", density_k, 1)
    return _neighbours(real, fake, precision_k=precision_k, density_k=density_k)


def _neighbours(
    real: object, fake: object, *, precision_k: int | None = None, density_k: int | None = None
) -> NeighbourMetrics:
    """Count neighbours for the metrics whose k is given; the others are NaN."""
    x, y = feature_pair(real, fake, "real", "fake")
    for name, z, needed in (("real", x, max(precision_k or 0, density_k or 0)), ("fake", y, precision_k or 0)):
        if len(z) <= needed:
            raise ValueError(f"{name} has {samples(len(z))}: k={needed} needs at least {needed + 1}")
    inside, covered, pairs, balls = _core.count_neighbours(*as_the_core_reads(x, y), precision_k or 0, density_k or 0)
    return NeighbourMetrics(
        precision=inside / len(y) if precision_k else math.nan,
        recall=covered / len(x) if precision_k else math.nan,
        density=pairs / (density_k * len(y)) if density_k else math.nan,
        coverage=balls / len(x) if density_k else math.nan,
    )
