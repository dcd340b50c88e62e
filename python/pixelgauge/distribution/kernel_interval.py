"""An interval of the kernel distance: its U-statistic over all samples, with the complete variance of that."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from pixelgauge.checks import checked_level
from pixelgauge.distribution.polynomial_kernel import PolynomialKernel, one_point
from pixelgauge.distribution.sample_pairs import Features, feature_pair
from pixelgauge.distribution.samples import samples
from pixelgauge.distribution.score_test import Orders, ScoreTest
from pixelgauge.notebooks import in_notebooks

Float64Array = npt.NDArray[np.float64]

FEWEST = 20
"""Least samples of a set."""
_ROWS = 1024
"""Rows of a block of the kernel matrix."""
_PAIR_SAMPLES = 256
"""Samples of a set whose pairs say how far the kernel of two and the influence of both go together."""


@in_notebooks
class KernelInterval(NamedTuple):
    """A kernel distance over all samples, with its interval and standard error."""

    distance: float
    low: float
    high: float
    standard_error: float


@dataclass(frozen=True)
class _Sums:
    """What is kept of a kernel matrix."""

    rows: Float64Array
    columns: Float64Array
    squares: float
    diagonal: float = 0.0
    """Trace, which the others leave out."""


def kernel_distance_interval(
    a: object,
    b: object,
    *,
    level: float = 0.95,
    degree: int = 3,
    gamma: float | None = None,
    coef0: float = 1.0,
) -> KernelInterval:
    """Confidence interval of the kernel distance (KID) between the populations of two sets of features.

    Parameters
    ----------
    a, b : (N, D) array_like of float features
        At least 20 samples of each, drawn independently.
    level : float, default 0.95
    degree : int, default 3
    gamma : float, optional
        Default 1 / D.
    coef0 : float, default 1
        As in :func:`kernel_distance`.

    Returns
    -------
    KernelInterval
        The distance is the unbiased squared MMD over all samples. :func:`kernel_distance` estimates the same figure by
        a mean over subsets, and its standard deviation is that of one subset, not the error of the mean. Of equal
        populations the distance is negative as often as not, and so is the low end.

    Raises
    ------
    TypeError, ValueError
        As :func:`kernel_distance`; if there are fewer than 20 samples of a set, or `level` is out of range.

    Notes
    -----
    The variance is that of the U-statistic in both orders of its Hoeffding decomposition: the witness function's over
    the samples, and the mean square of the doubly centred kernel over pairs, without which it would vanish for equal
    populations. The second stays along the distances and the first follows them, by the slope that third moments of the
    samples give and at least in proportion, so the interval is of the distances that a test keeps (a score interval),
    the low end moved for the skewness of both orders. Time grows with the square of the samples, memory does not:
    blocks of 1024 x 1024 of the kernel.

    References
    ----------
    D. J. Sutherland et al.: Generative models and model criticism via optimized maximum mean discrepancy, ICLR 2017;
    G. J. Szekely, M. L. Rizzo: Partial distance correlation, Ann. Statist. 42, 2014 (centring without bias).

    Examples
    --------
    >>> import numpy as np, pixelgauge
    >>> x = np.random.default_rng(0).standard_normal((400, 8))
    >>> found = pixelgauge.kernel_distance_interval(x[:200], x[200:])
    >>> found.low < 0 < found.high
    True
    """
    x, y = feature_pair(a, b, "a", "b")
    level = checked_level(level)
    for side, name in ((x, "a"), (y, "b")):
        if len(side) < FEWEST:
            raise ValueError(f"{name} has {samples(len(side))}: an interval takes at least {FEWEST} of each set")
    kernel = PolynomialKernel(degree, gamma, coef0, x.shape[1])
    if not kernel.is_positive:
        raise ValueError(
            f"gamma={gamma!r} and coef0={coef0!r} make no positive kernel, which the test takes: give gamma above 0 "
            "and coef0 of at least 0"
        )
    with np.errstate(over="ignore", invalid="ignore"):
        # what is common to all values cancels in the distance and in its variance, and need not be summed
        common = float(kernel.values(*(z[:1].astype(np.float64) for z in (x, y)))[0, 0])
        sums = _within(x, kernel, common), _within(y, kernel, common), _across(x, y, kernel, common)
        found = _test(x, y, kernel, *sums)
    if not math.isfinite(found.estimate + found.standard_error):
        raise kernel.overflow()
    if kernel.is_lost(abs(found.estimate)):
        if one_point(x, y):
            return KernelInterval(0.0, 0.0, 0.0, 0.0)
        raise kernel.loss(f"{found.estimate:.2g}")
    low, high = found.interval(level, clipped=False)
    return KernelInterval(found.estimate, low, high, found.standard_error)


def _blocks(x: Features) -> list[slice]:
    """Blocks of rows."""
    return [slice(i, min(i + _ROWS, len(x))) for i in range(0, len(x), _ROWS)]


def _within(x: Features, kernel: PolynomialKernel, common: float) -> _Sums:
    """Sum the kernel of a set with itself, of which the upper blocks stand for the lower."""
    rows, squares, trace = np.zeros(len(x)), 0.0, 0.0
    blocks = _blocks(x)
    for i, at in enumerate(blocks):
        p = x[at].astype(np.float64)
        for to in blocks[i:]:
            values = kernel.values(p, p if to == at else x[to].astype(np.float64))
            values -= common
            if to == at:
                trace += float(np.trace(values))
                np.fill_diagonal(values, 0)
            else:
                rows[to] += values.sum(axis=0)
            rows[at] += values.sum(axis=1)
            squares += float(np.vdot(values, values)) * (1 if to == at else 2)
    return _Sums(rows, rows, squares, trace)


def _across(x: Features, y: Features, kernel: PolynomialKernel, common: float) -> _Sums:
    """Sum the kernel of two sets."""
    rows, columns, squares = np.zeros(len(x)), np.zeros(len(y)), 0.0
    for at in _blocks(x):
        p = x[at].astype(np.float64)
        for to in _blocks(y):
            values = kernel.values(p, y[to].astype(np.float64))
            values -= common
            rows[at] += values.sum(axis=1)
            columns[to] += values.sum(axis=0)
            squares += float(np.vdot(values, values))
    return _Sums(rows, columns, squares)


def _test(x: Features, y: Features, kernel: PolynomialKernel, xx: _Sums, yy: _Sums, xy: _Sums) -> ScoreTest:
    """Test of the distance, from the sums of the three kernel matrices."""
    n, m = len(x), len(y)
    of_x, of_y = xx.rows / (n - 1), yy.rows / (m - 1)
    estimate = float(of_x.mean()) + float(of_y.mean()) - 2 * float(xy.rows.sum()) / (n * m)
    # twice the witness function at each sample: the influence of that sample
    influences = [2 * (of_x - xy.rows / m), 2 * (of_y - xy.columns / n)]
    for influence in influences:
        influence -= influence.mean()
    orders = Orders(
        first=sum(float(influence.var(ddof=1)) / len(influence) for influence in influences),
        second=2 * _centred_within(xx) / n**2 + 2 * _centred_within(yy) / m**2 + 4 * _centred_across(xy) / (n * m),
        third=sum(float(np.mean(influence**3)) / len(influence) ** 2 for influence in influences),
        mixed=_mixed(x, y, kernel, *influences),
    )
    bias = sum((z.diagonal / len(z.rows) - float(z.rows.mean()) / (len(z.rows) - 1)) / len(z.rows) for z in (xx, yy))
    return ScoreTest(estimate, bias, orders, 1.0)


def _mixed(x: Features, y: Features, kernel: PolynomialKernel, of_x: Float64Array, of_y: Float64Array) -> float:
    """Half of the covariance of the second order with the square of the mean influence, from samples of both sets."""
    drawn = []
    for z, influence in ((x, of_x), (y, of_y)):
        # evenly over the set, which may lie in the order of its classes
        chosen = np.linspace(0, len(z) - 1, min(len(z), _PAIR_SAMPLES)).round().astype(int)
        drawn.append((z[chosen].astype(np.float64), influence[chosen]))
    (p, of_p), (q, of_q) = drawn
    within = [_mean_product(kernel.values(z, z), weights, weights, same=True) for z, weights in drawn]
    across = _mean_product(kernel.values(p, q), of_p, of_q, same=False)
    return within[0] / len(x) ** 2 + within[1] / len(y) ** 2 - 2 * across / (len(x) * len(y))


def _mean_product(values: Float64Array, of_rows: Float64Array, of_columns: Float64Array, *, same: bool) -> float:
    """Mean over pairs of the centred kernel times the influence of both; of one set without a sample and itself."""
    values -= values.mean(axis=0)
    values -= values.mean(axis=1)[:, np.newaxis]
    product = float(of_rows @ values @ of_columns)
    if same:
        product -= float(of_rows**2 @ values.diagonal())
    return product / (len(of_rows) * (len(of_columns) - same))


def _centred_within(of: _Sums) -> float:
    """Mean square of the doubly centred kernel of two samples of one set, without bias (Szekely and Rizzo)."""
    n = len(of.rows)
    means, total = of.rows / (n - 2), float(of.rows.sum())
    squares = of.squares - 2 * float(means @ of.rows) + total * total / ((n - 1) * (n - 2))
    return max(squares / (n * (n - 3)), 0.0)


def _centred_across(of: _Sums) -> float:
    """Mean square of the doubly centred kernel of samples of two sets."""
    n, m = len(of.rows), len(of.columns)
    total = float(of.rows.sum())
    squares = of.squares - float(of.rows @ of.rows) / m - float(of.columns @ of.columns) / n + total * total / (n * m)
    return max(squares / ((n - 1) * (m - 1)), 0.0)
