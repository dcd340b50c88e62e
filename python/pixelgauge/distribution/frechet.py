"""Fréchet distance between Gaussians, by routes that stay right for singular covariances, each with a bound."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Literal, overload

import numpy as np
import numpy.typing as npt

from pixelgauge import _core
from pixelgauge.checks import ArgumentValueError, flag, one_of
from pixelgauge.distribution.feature_sets import require_made_alike
from pixelgauge.distribution.feature_stats import LOST, FeatureStats, lost_moments
from pixelgauge.distribution.moments import checked_moments, number_array
from pixelgauge.distribution.samples import as_features, samples
from pixelgauge.notebooks import in_notebooks

Float64Array = npt.NDArray[np.float64]
Method = Literal["auto", "newton-schulz", "eigh", "svd"]

_EIGH_FROM, _SVD_TO = 300, 64

METHODS = ("auto", "newton-schulz", "eigh", "svd")
_EPS = 2.0**-53
_LOST = 128 * _EPS
"""Eigenvalues of a Gram matrix below this share of the largest are rounding, or too much of it."""


@in_notebooks
@dataclass(frozen=True)
class FrechetInfo:
    """How a Fréchet distance was computed."""

    method: str
    """``"newton-schulz"``, ``"eigh"`` or ``"svd"``."""
    space: str
    """``"features"`` (the distance of samples no more than D, in their Gram space), ``"covariance"`` or ``"mixed"``."""
    rank: tuple[int, int]
    """Numerical rank of each covariance; one less than the samples where features were used as they are."""
    iterations: int
    """Steps of the polar iteration; 0 for the other methods."""
    bound: float
    """Largest possible error of the distance: from the certificate for newton-schulz, from the rounding of the method
    for the others, for what pivoted Cholesky left out of singular covariances, and for what the sums of a
    :class:`FeatureStats`, or of more features than D, have rounded."""
    mean_term: float
    """Squared distance of the means."""
    trace_term: float
    """Trace of C1 + C2 - 2 (C1 C2)^(1/2)."""
    seconds: float
    """Time taken."""


@dataclass(frozen=True)
class _Nuclear:
    value: float
    bound: float
    iterations: int
    method: str


@dataclass(frozen=True)
class _Side:
    """One Gaussian: mean, a factor F with covariance F^T F, the trace, and what the factor leaves out."""

    mean: Float64Array
    factor: Float64Array
    trace: float
    remainder: float
    rank: int
    from_samples: bool
    pivots: Float64Array | None = None
    """Diagonal of the factor where it is triangular: its logarithms add up to those of the singular values."""
    rounding: tuple[float, float] = (0.0, 0.0)
    """What sums have rounded: Frobenius norm of the covariance's error, norm of the mean's."""
    features: npt.NDArray[Any] | None = None
    cov: Float64Array | None = None
    """Covariance that was factored."""


def sqrtm_psd(a: object) -> Float64Array:
    """Square root of a symmetric positive semi-definite matrix, symmetric and never complex.

    Parameters
    ----------
    a : (D, D) array_like of float
        Symmetric to rounding; singular is fine.

    Returns
    -------
    (D, D) numpy.ndarray of float64

    Raises
    ------
    ValueError
        If `a` is not square, finite, symmetric and positive semi-definite to rounding.

    Notes
    -----
    The polar factor U of a pivoted Cholesky factor L gives (L L^T)^(1/2) = L U^T (Higham: Computing the polar
    decomposition, SIAM J. Sci. Stat. Comput. 7(4), 1986). Against a coupled iteration on `a` itself, L has half the
    range of exponents, so singular directions cost no digits elsewhere. The square of the result equals `a` to some
    1e-15 of its norm, to 1e-11 at worst where the variances reach down to rounding without a gap; the root of a
    direction whose variance is below D 1e-16 of the largest is 0.

    Examples
    --------
    >>> import numpy as np, pixelgauge
    >>> root = pixelgauge.sqrtm_psd(np.diag([4.0, 9.0, 0.0]))
    >>> bool(np.allclose(root, np.diag([2.0, 3.0, 0.0])))
    True
    """
    return _core.sqrtm_psd(_covariance(a, "a"))


def trace_sqrt_product(sigma1: object, sigma2: object, *, method: Method = "auto") -> float:
    """Trace of (C1 C2)^(1/2) for two covariances: the nuclear norm of L1^T L2 with C = L L^T.

    Parameters
    ----------
    sigma1, sigma2 : (D, D) array_like of float
        Symmetric positive semi-definite, singular or not.
    method : {"auto", "newton-schulz", "eigh", "svd"}, default "auto"
        How the singular values of L1^T L2 are summed; see :func:`frechet_distance`.

    Returns
    -------
    float

    Raises
    ------
    ValueError
        If the matrices are not square, finite, symmetric, positive semi-definite and of one size, or `method` is
        unknown.

    Examples
    --------
    >>> import numpy as np, pixelgauge
    >>> pixelgauge.trace_sqrt_product(np.diag([1.0, 4.0]), np.diag([9.0, 16.0]))
    11.0
    """
    one_of("method", method, METHODS)
    a, b = _covariance(sigma1, "sigma1"), _covariance(sigma2, "sigma2")
    if a.shape != b.shape:
        raise ValueError(f"sigma1 and sigma2 differ in size: {a.shape} and {b.shape}")
    zero = np.zeros(a.shape[0])
    return _nuclear_norm(
        _from_moments(zero, a, "sigma1"), _from_moments(zero, b, "sigma2"), method, lambda value: 1e-10 * value
    ).value


@overload
def frechet_distance(a: object, b: object, *, method: Method = ..., return_info: Literal[False] = ...) -> float: ...
@overload
def frechet_distance(
    a: object, b: object, *, method: Method = ..., return_info: Literal[True]
) -> tuple[float, FrechetInfo]: ...
def frechet_distance(
    a: object, b: object, *, method: Method = "auto", return_info: bool = False
) -> float | tuple[float, FrechetInfo]:
    """Fréchet (2-Wasserstein, squared) distance between the Gaussians of two sets of features.

    Parameters
    ----------
    a, b : FeatureStats, (mean, covariance), or (N, D) array_like of features
        Covariances have ddof 1. Features give the more accurate result when they are fewer than D: their covariance is
        singular, and only the features know exactly where.
    method : {"auto", "newton-schulz", "eigh", "svd"}, default "auto"
        How the trace of the square root is found, always from factors C = L L^T as the nuclear norm of L1^T L2.
        ``"newton-schulz"``: a polar iteration in the core, without LAPACK, with a certified interval. ``"svd"``:
        singular values by LAPACK, the most accurate and the slowest. ``"eigh"``: eigenvalues of the Gram matrix by
        LAPACK, which loses half the digits of singular values below 1e-7 of the largest. ``"auto"``: the fastest of
        them whose bound is below 1e-10 of the distance or 2e-11 of the traces, and SVD where none is; the pivots of
        the factors say beforehand when eigenvalues will not do.
    return_info : bool, default False
        Also return a :class:`FrechetInfo`.

    Returns
    -------
    distance : float
        Never complex, never NaN, never negative; nothing is added to the covariances. Identical features, or moments,
        are at distance 0 exactly; where rounding would leave less than 0 for others, 0 is nearer to the truth.
    info : FrechetInfo
        Only with `return_info`.

    Raises
    ------
    TypeError, ValueError
        If there are fewer than two samples, the dimensions or presets differ, something is NaN, or a covariance is not
        symmetric and positive semi-definite; if features so far from zero against their spread went into a
        :class:`FeatureStats` without a `shift` that rounding may have moved more than 1e-6 of the distance and the
        traces.

    References
    ----------
    M. Heusel, H. Ramsauer, T. Unterthiner, B. Nessler, S. Hochreiter: GANs trained by a two time-scale update rule
    converge to a local Nash equilibrium, NeurIPS 2017.

    Examples
    --------
    >>> import numpy as np, pixelgauge
    >>> pixelgauge.frechet_distance((np.zeros(8), np.eye(8)), (np.ones(8), np.eye(8)))
    8.0
    """
    one_of("method", method, METHODS)
    return_info = flag("return_info", return_info)
    start = time.perf_counter()
    if isinstance(a, FeatureStats) and isinstance(b, FeatureStats):
        a._require_same(b, "compare")
    require_made_alike(a, b, "a", "b")
    first, second = _side(a, "a"), _side(b, "b")
    if first.mean.size != second.mean.size:
        raise ValueError(f"a has {first.mean.size} features a sample and b {second.mean.size}: they do not compare")
    difference = first.mean - second.mean
    mean_term = float(difference @ difference)
    most = mean_term + first.trace + second.trace
    same = _are_same(first, second)
    if same:
        if not return_info:
            return 0.0
        mean_term = 0.0
    for side, name in ((first, "a"), (second, "b")):
        # of the distance and the traces
        if not same and side.rounding[0] > LOST * most:
            raise (lost_moments if side.features is None else _lost_features)(name, side.rounding[0], most)
    norm = _nuclear_norm(first, second, method, lambda value: 0.5e-10 * (most - 2 * value))
    trace_term = 0.0 if same else max(0.0, math.fsum((first.trace, second.trace, -2 * norm.value)))
    if not return_info:
        return mean_term + trace_term
    off = first.rounding[1] + second.rounding[1]
    bound = 2 * math.sqrt(mean_term) * off + off * off + _rounding_of_traces(first, second)
    if not same:
        bound += 2 * norm.bound + mean_term * (mean_term and first.mean.size + 8) * _EPS
    info = FrechetInfo(
        method=norm.method,
        space=("covariance", "mixed", "features")[first.from_samples + second.from_samples],
        rank=(first.rank, second.rank),
        iterations=norm.iterations,
        bound=bound,
        mean_term=mean_term,
        trace_term=trace_term,
        seconds=time.perf_counter() - start,
    )
    return mean_term + trace_term, info


def _lost_features(name: str, rounding: float, of: float) -> ValueError:
    return ValueError(
        f"{name}: the features lie so far from zero against their spread that sums have lost it: rounding may have "
        f"moved {rounding:.2g} of {of:.2g}. Subtract one vector near their mean from the features of both"
    )


def _are_same(a: _Side, b: _Side) -> bool:
    """Whether both are the same features, or moments, so that the distance is 0 whatever rounding says."""
    x, y = a.features, b.features
    if x is not None and y is not None:
        # the first rows decide most cases without a pass over all
        return x.shape == y.shape and np.array_equal(x[0], y[0]) and np.array_equal(x, y)
    if a.cov is None or b.cov is None:
        return False
    return np.array_equal(a.mean, b.mean) and a.cov[0, 0] == b.cov[0, 0] and np.array_equal(a.cov, b.cov)


def _rounding_of_traces(a: _Side, b: _Side) -> float:
    """How far Tr (C1 + C2 - 2 (C1 C2)^(1/2)) may be from its value for the covariances before they were rounded."""
    total = a.rounding[0] + b.rounding[0]
    for side, other in ((a, b), (b, a)):
        error = side.rounding[0]
        if error == 0:
            continue
        # Powers and Stormer: the roots of two matrices differ by ||E||_*^(1/2) at most in the Frobenius norm
        size = side.mean.size
        moved = math.sqrt((math.sqrt(size) * error + side.remainder) * (other.trace + other.rounding[0]))
        if side.rank == size and side.factor.shape == (size, size):
            inverse = np.linalg.inv(side.factor)
            least = float(np.vdot(inverse, inverse))  # at least the norm of C^-1
            if 2 * error * least < 1:
                # The derivative is half the optimal map, the geometric mean of C^-1 and the other covariance, whose
                # Frobenius norm is at most Tr(C^-1 C2)^(1/2); within the error C is at least half of itself.
                across = _core.matmul_transposed(other.factor, np.ascontiguousarray(inverse.T))
                squared = float(np.vdot(across, across)) + least * other.rounding[0]
                moved = min(moved, math.sqrt(0.5 * squared) * error)
        total += 2 * moved
    return total


def _covariance(a: object, name: str) -> Float64Array:
    array = number_array(a, name)
    if array.ndim != 2 or array.shape[0] != array.shape[1] or array.size == 0:
        raise ValueError(f"{name} has shape {array.shape}: a covariance is a square matrix")
    if array.dtype.kind not in "fiu":
        raise TypeError(f"{name} has dtype {array.dtype}: a covariance is real")
    return checked_moments(np.zeros(array.shape[0]), array, name)[1]


def _from_moments(mean: Float64Array, cov: Float64Array, name: str) -> _Side:
    try:
        factor, rank, remainder = _core.pivoted_cholesky(np.ascontiguousarray(cov))
    except ArgumentValueError as error:
        raise error.but(argument=name, problem=f"the covariance of {name}: {error.problem}") from error
    pivots = np.diag(factor) if rank == mean.size and _is_lower(factor) else None
    return _Side(mean, factor[:, : max(rank, 1)].T, math.fsum(np.diag(cov)), remainder, rank, False, pivots, cov=cov)


def _is_lower(factor: Float64Array) -> bool:
    """Whether the rows were not exchanged; by blocks, without a copy of the triangle."""
    step = 64
    return not any(
        factor[i : i + step, i + step :].any() or np.triu(factor[i : i + step, i : i + step], 1).any()
        for i in range(0, len(factor), step)
    )


def centred(x: npt.NDArray[Any]) -> tuple[Float64Array, Float64Array]:
    """Mean (D,) and centred features (N, D) in float64; a second pass takes out what rounding left in the mean."""
    mean = x.mean(axis=0, dtype=np.float64)
    difference = x - mean
    rest = difference.mean(axis=0)
    difference -= rest
    return mean + rest, difference


def _contrasts(x: Float64Array) -> Float64Array:
    """Rotate n rows that add to zero into n - 1 rows (Helmert's): the null direction goes, the covariance stays."""
    counts = np.arange(1.0, len(x))[:, np.newaxis]
    contrasts: Float64Array = np.cumsum(x[:-1], axis=0)
    contrasts -= counts * x[1:]
    contrasts /= np.sqrt(counts * (counts + 1))
    return contrasts


def _side(x: object, name: str) -> _Side:
    if isinstance(x, FeatureStats):
        if x.count is not None and x.count < 2:
            raise ValueError(f"{name} holds {samples(x.count)}: a covariance needs at least two")
        return _from_stats(x, name)
    given = given_moments(x, name)
    if given is not None:
        return _from_moments(*given, name)
    if isinstance(x, list) and len(x) == 2 and _depth(x[0]) != _depth(x[1]):
        raise TypeError(f"{name} is a list of a mean and a covariance: give them as a tuple, (mean, covariance)")
    features = as_features(x, name)
    n, dim = features.shape
    if n < 2:
        raise ValueError(f"{name} holds 1 sample: a covariance needs at least two")
    if n <= dim:
        mean, difference = centred(features)
        difference /= math.sqrt(n - 1)
        trace = math.fsum((difference * difference).sum(axis=1))
        off = 8 * _EPS * (math.sqrt(float(mean @ mean)) + math.sqrt(max(trace, 0)))
        contrasts = _contrasts(difference)
        return _Side(mean, contrasts, trace, 0.0, n - 1, from_samples=True, rounding=(0.0, off), features=features)
    # one more pass over the features puts the shift on their mean, so that the covariance loses nothing to it
    mean = features.mean(axis=0, dtype=np.float64)
    stats = FeatureStats(dim, shift=mean).update(features)
    return replace(_from_stats(stats, name), features=features)


def given_moments(x: object, name: str) -> tuple[Float64Array, Float64Array] | None:
    """Mean and covariance of a side that was given by them; None for features."""
    if isinstance(x, FeatureStats):
        return x.mean, x.cov()
    if not isinstance(x, tuple):
        return None
    if len(x) != 2:
        raise ValueError(f"{name} is a tuple of {len(x)}: moments are (mean, covariance)")
    return checked_moments(x[0], x[1], name)


def _depth(x: object) -> int:
    """How many axes lists or an array have, by their first members."""
    if isinstance(x, list | tuple):
        return 1 + (_depth(x[0]) if x else 0)
    return int(getattr(x, "ndim", 0))


def _from_stats(stats: FeatureStats, name: str) -> _Side:
    rounding = stats.rounding()
    mean, cov = stats.mean, stats._covariance()  # what is lost of it counts against both sides
    trace = math.fsum(np.diag(cov))
    if 0 <= trace <= rounding[0]:  # constant features, or lost ones: what is left is rounding, and no covariance
        nothing = _from_moments(mean, np.zeros_like(cov), name)
        return replace(nothing, rounding=(2 * rounding[0], rounding[1]), cov=cov)
    try:
        return replace(_from_moments(mean, cov, name), rounding=rounding)
    except ValueError:
        # rounding alone may leave eigenvalues below 0 where samples are few: 0 is nearer to the truth
        values, vectors = np.linalg.eigh(cov)
        if values[0] < -rounding[0]:
            raise
    values = np.maximum(values, 0)
    kept = values > mean.size * _EPS * values[-1]
    factor = np.sqrt(values[kept])[:, np.newaxis] * vectors[:, kept].T
    left_out, off = math.fsum(values[~kept]), (2 * rounding[0], rounding[1])
    return _Side(mean, factor, math.fsum(values), left_out, int(kept.sum()), False, rounding=off, cov=cov)


def _nuclear_norm(a: _Side, b: _Side, method: Method, tolerance: Callable[[float], float]) -> _Nuclear:
    """Nuclear norm of the factors' product; "auto" accepts a bound of `tolerance(value)`, or of 1e-11 of the traces."""
    m = _core.matmul_transposed(a.factor, b.factor)
    # ||E^(1/2) F2||_* <= ||E^(1/2)||_F ||F2||_F for the remainder E of a covariance
    left_out = math.sqrt(a.remainder * b.trace) + math.sqrt(b.remainder * a.trace)
    rounding = 8 * _EPS * math.sqrt(max(a.trace, 0) * max(b.trace, 0))
    pivots = None if a.pivots is None or b.pivots is None else a.pivots * b.pivots
    if method == "auto":
        floor = 1e-11 * (a.trace + b.trace)
        found = _by_auto(m, pivots, lambda nuclear: nuclear.bound <= max(floor, tolerance(nuclear.value)))
    else:
        found = _ROUTES[method](m, pivots)
    return _Nuclear(found.value, found.bound + left_out + rounding, found.iterations, found.method)


def _by_newton_schulz(m: Float64Array, pivots: Float64Array | None) -> _Nuclear:
    lower, upper, halley, quintic = _core.nuclear_norm(m)
    # What the iteration left unconverged moves the lower end to first order and the upper end to second. Null
    # directions do the reverse, and show as a wide interval.
    value = upper if upper - lower <= 1e-10 * upper else lower
    return _Nuclear(value, upper - lower, halley + quintic, "newton-schulz")


def _by_svd(m: Float64Array, pivots: Float64Array | None) -> _Nuclear:
    values = np.linalg.svd(m, compute_uv=False)
    total = math.fsum(values)
    return _Nuclear(total, 4 * _EPS * float(values[0]) * values.size, 0, "svd")


def _by_eigh(m: Float64Array, pivots: Float64Array | None) -> _Nuclear:
    small = m if m.shape[0] <= m.shape[1] else m.T
    values = np.linalg.eigvalsh(_core.matmul_transposed(small, small))
    values = np.maximum(values, 0)
    if values[-1] == 0:
        return _Nuclear(0.0, 0.0, 0, "eigh")
    roots = np.sqrt(values)
    # An eigenvalue is off by a few eps of the largest. Roots of those that are lost in that add up, the rest is off to
    # first order and at random.
    off = 8 * _EPS * float(values[-1])
    lost = values < _LOST * values[-1]
    bound = math.sqrt(off) * 4 * int(lost.sum())
    if pivots is not None and int(lost.sum()) == 1:
        # The determinant, which the pivots know, less the others leaves the one that is lost.
        unsure = 4 * off * math.sqrt(float((0.25 / values[1:] ** 2).sum())) + 4 * _EPS * values.size
        roots[0] = math.exp(math.fsum(np.log(pivots)) - 0.5 * math.fsum(np.log(values[1:])))
        bound = float(roots[0]) * math.expm1(unsure)
    bound += 4 * off * math.sqrt(float((0.25 / values[~lost]).sum()))
    return _Nuclear(math.fsum(roots), bound, 0, "eigh")


def _by_auto(m: Float64Array, pivots: Float64Array | None, accepts: Callable[[_Nuclear], bool]) -> _Nuclear:
    # On two AVX-512 cores at 2048 LAPACK's eigenvalues took 4 products and a round of the polar iteration 10; singular
    # values are slower than both. Small matrices cost nothing by any of them. Eigenvalues are not tried where the
    # pivots already show that several would be lost: of the pivots fewer are small than of the singular values.
    size = min(m.shape)
    hopeless = pivots is not None and int((pivots < math.sqrt(_LOST) * pivots.max()).sum()) > 1
    routes = [_by_eigh] if size >= _EIGH_FROM and not hopeless else []
    if size > _SVD_TO:
        routes.append(_by_newton_schulz)
    for route in routes:
        found = route(m, pivots)
        if accepts(found):
            return found
    return _by_svd(m, pivots)


_ROUTES = {"newton-schulz": _by_newton_schulz, "eigh": _by_eigh, "svd": _by_svd}
