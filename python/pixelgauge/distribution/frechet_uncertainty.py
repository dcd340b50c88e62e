"""How far a Fréchet distance can be trusted: bootstrap intervals, and extrapolation to infinitely many samples."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from pixelgauge import _core
from pixelgauge.checks import ArgumentValueError, whole_number
from pixelgauge.distribution.frechet import centred, frechet_distance
from pixelgauge.distribution.samples import as_features

Float64Array = npt.NDArray[np.float64]


class FrechetInterval(NamedTuple):
    """A Fréchet distance with its bootstrap interval and standard error."""

    distance: float
    low: float
    high: float
    standard_error: float


class FrechetInfinity(NamedTuple):
    """A Fréchet distance extrapolated to infinitely many samples, and its slope against 1 / N."""

    distance: float
    slope: float


def frechet_interval(
    a: object, b: object, *, level: float = 0.95, resamples: int = 200, seed: int = 0
) -> FrechetInterval:
    """Bootstrap interval of the Fréchet distance of two sets of features.

    Parameters
    ----------
    a, b : (N, D) array_like of float features
        Cost and memory grow with N^3 and N^2, not with D: a few thousand samples at most.
    level : float, default 0.95
    resamples : int, default 200
        How often both sets are drawn anew, with replacement.
    seed : int, default 0

    Returns
    -------
    FrechetInterval

    Raises
    ------
    TypeError, ValueError
        If the features do not fit together or hold NaN, there are fewer than three samples, or `level` is out of range.

    Notes
    -----
    One Gram matrix of the centred features serves all resamples: with counts w and v of the drawn samples the trace
    term is the nuclear norm of diag(w)^1/2 (I - 1 w^T / n) X Y^T (I - v 1^T / m) diag(v)^1/2, over the samples that
    were drawn. The interval is the pivotal one, 2 d - quantiles: the distance is biased upwards by finite samples, a
    resample is biased once more, and the pivotal interval takes that out, so it may lie below the distance. Ends below
    0 are moved to 0.

    References
    ----------
    B. Efron, R. J. Tibshirani: An introduction to the bootstrap, 1993, chapter 13.

    Examples
    --------
    >>> import numpy as np, pixelgauge
    >>> x = np.random.default_rng(0).standard_normal((2, 60, 3))
    >>> found = pixelgauge.frechet_interval(x[0], x[1] + 1, resamples=50)
    >>> found.low < 3 < found.high
    True
    """
    x, y = as_features(a, "a"), as_features(b, "b")
    if x.shape[1] != y.shape[1]:
        raise ValueError(f"a has {x.shape[1]} features a sample and b {y.shape[1]}: they do not compare")
    if min(len(x), len(y)) < 3:
        raise ValueError(f"a and b hold {len(x)} and {len(y)} samples: a bootstrap needs at least three of each")
    if not 0 < level < 1:
        raise ArgumentValueError("level", repr(level), "must lie between 0 and 1")
    whole_number("resamples", resamples, 2)
    distance = frechet_distance(x, y)
    mean_x, dx = centred(x)
    mean_y, dy = centred(y)
    gap = mean_x - mean_y
    cross = _core.matmul_transposed(dx, dy)
    norm_x, norm_y = (np.einsum("ij,ij->i", z, z) for z in (dx, dy))
    n, m = len(x), len(y)
    random = np.random.default_rng(seed)
    values = np.empty(resamples)
    for i in range(resamples):
        while True:  # all draws the same sample: no covariance; drawn again
            w = np.bincount(random.integers(0, n, n), minlength=n)
            v = np.bincount(random.integers(0, m, m), minlength=m)
            rows, columns = np.flatnonzero(w), np.flatnonzero(v)
            if min(rows.size, columns.size) > 1:
                break
        p, q = w[rows] / n, v[columns] / m
        move_x, move_y = p @ dx[rows], q @ dy[columns]
        inner = cross[np.ix_(rows, columns)]
        inner = inner - p @ inner
        inner -= (inner @ q)[:, np.newaxis]
        inner *= np.sqrt(np.outer(w[rows] / (n - 1), v[columns] / (m - 1)))
        shift = gap + move_x - move_y
        trace_x = (w @ norm_x - n * (move_x @ move_x)) / (n - 1)
        trace_y = (v @ norm_y - m * (move_y @ move_y)) / (m - 1)
        values[i] = float(shift @ shift + trace_x + trace_y - 2 * _core.nuclear_norm(inner)[0])
    tail = (1 - level) / 2
    low, high = np.quantile(values, [tail, 1 - tail])
    low, high = (max(0.0, float(2 * distance - end)) for end in (high, low))  # no distance is below 0
    return FrechetInterval(distance, low, high, float(values.std(ddof=1)))


def frechet_infinity(
    reference: object, features: object, *, smallest: int | None = None, points: int = 15, seed: int = 0
) -> FrechetInfinity:
    """Fréchet distance extrapolated to infinitely many generated samples (FID infinity).

    Parameters
    ----------
    reference : FeatureStats, (mean, covariance) or (N, D) array_like of features
        Taken as it is.
    features : (N, D) array_like of float features
        Of the generated samples.
    smallest : int, optional
        The smallest subset; default a tenth of the samples, and at least 2. The paper takes 5000 of 50,000.
    points : int, default 15
        Subset sizes, evenly spaced from `smallest` to all samples, each a fresh random subset.
    seed : int, default 0

    Returns
    -------
    FrechetInfinity

    Raises
    ------
    TypeError, ValueError
        As :func:`frechet_distance`; and if `smallest` or `points` leave no line to fit, or the line ends below 0, and
        not by noise: by more than four standard errors, or with subsets of fewer than 2 D samples.

    Notes
    -----
    The bias of the distance falls as 1 / N when N is well above D, and a line in 1 / N is fitted. Subsets smaller than
    D bend the curve: choose `smallest` above D where there are enough samples.

    References
    ----------
    M. J. Chong, D. Forsyth: Effectively unbiased FID and Inception score and where to find them, CVPR 2020.

    Examples
    --------
    >>> import numpy as np, pixelgauge
    >>> x = np.random.default_rng(0).standard_normal((2000, 4))
    >>> found = pixelgauge.frechet_infinity((np.zeros(4), np.eye(4)), x)
    >>> abs(found.distance) < 0.02
    True
    """
    x = as_features(features, "features")
    n = len(x)
    least = max(2, n // 10) if smallest is None else smallest
    whole_number("points", points, 2)
    if smallest is not None:
        whole_number("smallest", smallest, 2)
    if not 2 <= least < n:
        raise ValueError(f"smallest={smallest!r} must be from 2 to one below the {n} samples there are")
    random = np.random.default_rng(seed)
    sizes = np.linspace(least, n, points).round().astype(int)
    values = [frechet_distance(reference, x[random.permutation(n)[:size]]) for size in sizes]
    slope, intercept = np.polyfit(1 / sizes, values, 1)
    if not math.isfinite(intercept):
        raise ValueError("the extrapolation has no finite value: take a larger range of subset sizes")
    if intercept < 0:
        # No distance is negative. Noise of the fit may leave less than 0 where the distance is 0; otherwise the line
        # does not fit: among subsets of few samples the bias is no straight line.
        spread = 1 / sizes - (1 / sizes).mean()
        residuals = np.asarray(values) - intercept - slope / sizes
        variance = float(residuals @ residuals) / max(1, points - 2)
        error = math.sqrt(variance * (1 / points + float((1 / sizes).mean()) ** 2 / float(spread @ spread)))
        if sizes[0] < 2 * x.shape[1] or intercept < -4 * error:
            raise ValueError(
                f"the line through the distances meets {intercept:.3g}, and no distance is negative: subsets of "
                f"{sizes[0]} to {n} samples are too small for {x.shape[1]} features; give smallest= well above that, "
                "and more samples"
            )
    return FrechetInfinity(max(0.0, float(intercept)), float(slope))
