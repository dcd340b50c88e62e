"""Metrics of sets of features beyond two moments: kernel distance, Inception score, precision and recall, coverage."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from pixelgauge import _core
from pixelgauge.checks import require_number, whole_number
from pixelgauge.distribution.feature_stats import as_features, samples

Float64Array = npt.NDArray[np.float64]
Features = npt.NDArray[Any]
_EPS = 2.0**-53


class MeanStd(NamedTuple):
    """Mean and standard deviation (ddof 0) over subsets or splits."""

    mean: float
    std: float


class PrecisionRecall(NamedTuple):
    """Improved precision and recall, each from 0 to 1."""

    precision: float
    recall: float


class DensityCoverage(NamedTuple):
    """Density (0 and up, 1 expected for equal distributions) and coverage (0 to 1)."""

    density: float
    coverage: float


class NeighbourMetrics(NamedTuple):
    """What :class:`PrecisionRecall` and :class:`DensityCoverage` hold."""

    precision: float
    recall: float
    density: float
    coverage: float


def kernel_distance(
    a: object,
    b: object,
    *,
    degree: int = 3,
    gamma: float | None = None,
    coef0: float = 1.0,
    subsets: int = 100,
    subset_size: int = 1000,
    seed: int = 0,
) -> MeanStd:
    """Kernel distance (KID): unbiased squared MMD with the polynomial kernel (gamma x.y + coef0)^degree.

    Parameters
    ----------
    a, b : (N, D) array_like of float features
    degree : int, default 3
    gamma : float, optional
        Default 1 / D.
    coef0 : float, default 1
    subsets : int, default 100
        How many pairs of random subsets are compared.
    subset_size : int, default 1000
        Samples of each subset, drawn without replacement; may not exceed the samples there are.
    seed : int, default 0
        Of NumPy's ``RandomState``, drawn from as torch-fidelity does (whose default seed is 2020).

    Returns
    -------
    MeanStd
        Over the subsets. Slightly negative means are right for equal distributions.

    Raises
    ------
    TypeError, ValueError
        If the features do not fit together or hold NaN, or `subset_size` exceeds the samples; if they lie so far from
        zero against their spread that no subset keeps one digit of the distance.

    References
    ----------
    M. Binkowski, D. J. Sutherland, M. Arbel, A. Gretton: Demystifying MMD GANs, ICLR 2018; torch-fidelity 0.4.

    Examples
    --------
    >>> import numpy as np, pixelgauge
    >>> x = np.random.default_rng(0).standard_normal((200, 8))
    >>> pixelgauge.kernel_distance(x[:100], x[100:] + 1, subsets=10, subset_size=50).mean > 1
    True
    """
    x, y = _pair(a, b, "a", "b")
    for name, value, least in (("degree", degree, 1), ("subsets", subsets, 1), ("subset_size", subset_size, 2)):
        whole_number(name, value, least)
    if subset_size > min(len(x), len(y)):
        raise ValueError(
            f"subset_size={subset_size} exceeds the samples there are ({len(x)} and {len(y)}): give a smaller one"
        )
    for name, number in (("gamma", 0 if gamma is None else gamma), ("coef0", coef0)):
        require_number(name, number)
    scale = 1 / x.shape[1] if gamma is None else float(gamma)
    if not (math.isfinite(scale) and math.isfinite(coef0)):
        raise ValueError(f"gamma={gamma!r} and coef0={coef0!r} must be finite")
    random = np.random.RandomState(seed)
    m = subset_size

    longest = 0.0  # square of the longest feature vector met

    def kernel_sum(p: Features, q: Features, leave_diagonal_out: bool) -> float:
        nonlocal longest
        base = _core.product(p, q)
        if leave_diagonal_out:
            longest = max(longest, float(np.diagonal(base).max()))
        base *= scale
        base += coef0
        kernel = base.copy()
        for _ in range(degree - 1):
            kernel *= base
        total = float(kernel.sum())
        return total - float(np.trace(kernel)) if leave_diagonal_out else total

    values = np.empty(subsets)
    with np.errstate(over="ignore", invalid="ignore"):
        for i in range(subsets):
            p = x[random.choice(len(x), m, replace=False)].astype(np.float64)
            q = y[random.choice(len(y), m, replace=False)].astype(np.float64)
            within = kernel_sum(p, p, True) + kernel_sum(q, q, True)
            values[i] = within / (m * (m - 1)) - 2 * kernel_sum(p, q, False) / (m * m)
            if not math.isfinite(values[i]):
                break
        found = MeanStd(float(values[: i + 1].mean()), float(values[: i + 1].std()))
    if not all(map(math.isfinite, found)):
        raise ValueError(
            f"the kernel of degree={degree} of these features overflows float64: scale the features down, or give a "
            "smaller gamma or degree"
        )
    # By Cauchy no kernel value is larger. Against extended precision a subset's estimate was off by up to six units of
    # that, at degree 3 and 8 to 512 features, and over a hundred subsets one is off by more.
    with np.errstate(over="ignore"):
        rounding = 8 * (degree + 1) * _EPS * float(np.float64(abs(scale) * longest + abs(coef0)) ** degree)
    if 0 < rounding < math.inf and np.abs(values).max() <= rounding:
        if (x == y[0]).all() and (y == y[0]).all():  # one image over and over: at distance 0, and this is rounding
            return MeanStd(0.0, 0.0)
        raise ValueError(
            "a and b lie so far from zero against their spread, or are so small beside coef0, that the kernel distance "
            f"has lost every digit: it is {np.abs(values).max():.2g} at most in any subset, and rounding may move "
            f"it by {rounding:.2g}. The kernel is one about zero: subtract one vector near their mean from both, or "
            "scale both by their spread"
        )
    return found


def inception_score(logits: object, *, splits: int = 10, seed: int | None = None) -> MeanStd:
    """Inception score: exp of the mean divergence of a sample's class probabilities from those of its split.

    Parameters
    ----------
    logits : (N, C) array_like of float
        Scores before the softmax: Inception's ``"logits_unbiased"`` for the published number.
    splits : int, default 10
    seed : int, optional
        Shuffle the samples by NumPy's ``RandomState`` first, as torch-fidelity does (its default is 2020); None keeps
        their order.

    Returns
    -------
    MeanStd
        Over the splits; from 1 to C.

    Raises
    ------
    TypeError, ValueError
        If the logits are not finite floats (N, C), or there are fewer samples than splits.

    References
    ----------
    T. Salimans, I. Goodfellow, W. Zaremba, V. Cheung, A. Radford, X. Chen: Improved techniques for training GANs,
    NeurIPS 2016; torch-fidelity 0.4.

    Examples
    --------
    >>> import numpy as np, pixelgauge
    >>> round(pixelgauge.inception_score(50 * np.tile(np.eye(4), (5, 1)), splits=2).mean, 6)
    3.920263
    """
    x = as_features(logits, "logits", squared=False)
    whole_number("splits", splits, 1)
    n = len(x)
    if n < splits:
        raise ValueError(f"splits={splits} exceeds the {samples(n)} given")
    if seed is not None:
        x = x[np.random.RandomState(seed).permutation(n)]
    scores = np.empty(splits)
    for i in range(splits):
        part = x[i * n // splits : (i + 1) * n // splits].astype(np.float64)
        part -= part.max(axis=1, keepdims=True)
        log_p = part - np.log(np.exp(part).sum(axis=1, keepdims=True))
        p = np.exp(log_p)
        marginal = p.mean(axis=0)
        # classes that no sample of the split has count nothing: 0 log 0 = 0
        entropy = float((marginal[marginal > 0] * np.log(marginal[marginal > 0])).sum())
        divergence = float((p * log_p).sum()) / len(p) - entropy
        # a divergence is from 0 to log C; rounding must not leave that
        scores[i] = min(math.exp(max(0.0, divergence)), float(p.shape[1]))
    return MeanStd(float(scores.mean()), float(scores.std()))


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


def _pair(a: object, b: object, name_a: str, name_b: str) -> tuple[Features, Features]:
    x, y = as_features(a, name_a), as_features(b, name_b)
    if x.shape[1] != y.shape[1]:
        raise ValueError(f"{name_a} has {x.shape[1]} features a sample and {name_b} {y.shape[1]}: they do not compare")
    return x, y


def _neighbours(
    real: object, fake: object, *, precision_k: int | None = None, density_k: int | None = None
) -> NeighbourMetrics:
    """Count neighbours for the metrics whose k is given; the others are NaN."""
    x, y = _pair(real, fake, "real", "fake")
    for name, z, needed in (("real", x, max(precision_k or 0, density_k or 0)), ("fake", y, precision_k or 0)):
        if len(z) <= needed:
            raise ValueError(f"{name} has {samples(len(z))}: k={needed} needs at least {needed + 1}")
    if x.dtype != y.dtype:
        x, y = x.astype(np.float64), y.astype(np.float64)
    # the core reads rows in place where their elements are neighbours
    x, y = (z if z.strides[1] == z.itemsize else np.ascontiguousarray(z) for z in (x, y))
    inside, covered, pairs, balls = _core.count_neighbours(x, y, precision_k or 0, density_k or 0)
    return NeighbourMetrics(
        precision=inside / len(y) if precision_k else math.nan,
        recall=covered / len(x) if precision_k else math.nan,
        density=pairs / (density_k * len(y)) if density_k else math.nan,
        coverage=balls / len(x) if density_k else math.nan,
    )
