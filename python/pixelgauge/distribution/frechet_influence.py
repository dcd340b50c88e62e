"""How a Fréchet distance moves with its samples, to first and second order, and how its variance moves with it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pixelgauge import _core
from pixelgauge.distribution.score_test import Orders

Float64Array = npt.NDArray[np.float64]
Moments = tuple[Float64Array, Float64Array]
Features = npt.NDArray[np.floating]

_EPS = 2.0**-52
_LOST = 1e-14
"""Of the largest eigenvalue of a Gram matrix: what is below is rounding, and adds nothing to a variance."""
_PAIR_SAMPLES, _PAIRS = 4096, 16384
"""Samples of a set, and pairs of them, from which the mean square of the second order is taken."""
_ELEMENTS = 2**18
"""Numbers of an intermediate array, so that some lie in the cache."""
_ROWS = 1024
"""Samples whose products are summed at once."""


@dataclass(frozen=True)
class Spread:
    """Moments that make up those of a distance between sets of n and m samples."""

    first: tuple[float, float]
    """Of the influence of one sample of each set; 0 for a set that is fixed. That of samples drawn anew from the
    estimate, so it holds the noise of the estimated map, twice the second order, besides the first."""
    second: tuple[float, float, float]
    """Mean square of the second-order influence of two samples: of the first set, of the second, of one each."""
    third: tuple[float, float]
    """Third central moment of the influence of one sample of each set."""
    mixed: tuple[float, float, float]
    """Mean product of the second-order influence of two samples and the influence of each, as `second` has them."""

    def of_sizes(self, n: int, m: int) -> Orders:
        """Moments of the mean influence of n and m samples, and of the second order of all pairs of two of them."""
        (squares_x, squares_y, squares), (mixed_x, mixed_y, mixed) = self.second, self.mixed
        return Orders(
            first=self.first[0] / n + self.first[1] / m,
            second=2 * squares_x / n**2 + 2 * squares_y / m**2 + 4 * squares / (n * m),
            third=self.third[0] / n**2 + self.third[1] / m**2,
            mixed=mixed_x / n**2 + mixed_y / m**2 - 2 * mixed / (n * m),
        )


@dataclass(frozen=True)
class _Weighted:
    """Mean products of samples of one set with their influence."""

    influence: Float64Array
    """Of each sample, about its mean."""
    linear: Float64Array
    """With the samples about their mean."""
    square: Float64Array
    """With the squares of whitened samples."""


class Influence:
    """First and second order of the distance of two Gaussians in samples of either.

    With C1 = F1 F1^T, C2 = F2 F2^T and the singular value decomposition U S V^T of F1^T F2, whitened coordinates are
    q = U^T F1^+ (x - m1), and V^T F2^+ (y - m2) on the other side. The map from one Gaussian to the other is S between
    them, so the influence of x is 2 (m1 - m2).(x - m1) + |x - m1|^2 - q^T S q less its mean. To second order the
    distance moves by |d1 - d2|^2 + 1/2 sum K_ij (E1 - E2)_ij^2, K_ij = s_i s_j / (s_i + s_j), where d and E are the
    errors of the means and of the covariances in whitened coordinates.

    Parameters
    ----------
    first, second : (mean, covariance)
        Singular covariances are whitened within their range.
    """

    def __init__(self, first: Moments, second: Moments) -> None:
        self._means = first[0], second[0]
        (factor1, inverse1), (factor2, inverse2) = (_whitening(cov) for _, cov in (first, second))
        self._singular = np.zeros(0)
        self._maps: list[Float64Array] = []
        if factor1.size and factor2.size:
            cross = _core.matmul_transposed(np.ascontiguousarray(factor1.T), np.ascontiguousarray(factor2.T))
            values, left = np.linalg.eigh(_core.matmul_transposed(cross, cross))
            kept = values > max(_LOST * values[-1], 0)
            self._singular, left = np.sqrt(values[kept]), np.ascontiguousarray(left[:, kept].T)
            if left.size:
                right = _core.matmul_transposed(left, np.ascontiguousarray(cross.T)) / self._singular[:, np.newaxis]
                self._maps = [_core.matmul_transposed(left, inverse1), _core.matmul_transposed(right, inverse2)]
        roots = self._singular
        self._curvature = roots[:, np.newaxis] * (roots / (roots[:, np.newaxis] + roots))

    def spread(self, x: Features | None, y: Features | None, random: np.random.Generator) -> Spread:
        """Moments over the samples of both sets; those of a set that is fixed, None, are 0."""
        first, second, third, mixed = [0.0, 0.0], [0.0, 0.0], [0.0, 0.0], [0.0, 0.0]
        drawn, weighted = [], []
        for side, features in enumerate((x, y)):
            if features is not None:
                values = self._values(side, features)
                first[side] = float(values.var(ddof=1))
                third[side] = float(np.mean((values - values.mean()) ** 3))
                drawn.append(self._sample(side, features, random))
                second[side] = self._second(drawn[-1], drawn[-1], same=True)
                weighted.append(self._weighted(side, *drawn[-1]))
                mixed[side] = self._mixed_within(weighted[-1], *drawn[-1])
        across, both = 0.0, 0.0
        if len(drawn) == 2:
            across = self._second(*sorted(drawn, key=lambda of: len(of[0])), same=False)
            both = self._mixed(*weighted)
        return Spread(
            (first[0], first[1]), (second[0], second[1], across), (third[0], third[1]), (mixed[0], mixed[1], both)
        )

    def _values(self, side: int, x: Features) -> Float64Array:
        """Influence of every sample, in chunks."""
        rows = max(1, _ELEMENTS // x.shape[1])
        return np.concatenate(
            [self._influence(side, *self._coordinates(side, x[i : i + rows])) for i in range(0, len(x), rows)]
        )

    def _influence(self, side: int, off: Float64Array, q: Float64Array) -> Float64Array:
        gap = self._means[side] - self._means[1 - side]
        moved: Float64Array = 2 * (off @ gap) + np.einsum("ij,ij->i", off, off) - (q * q) @ self._singular
        return moved

    def _coordinates(self, side: int, x: Features) -> tuple[Float64Array, Float64Array]:
        """Return samples about their mean, and whitened."""
        off = x - self._means[side]
        return off, _core.matmul_transposed(off, self._maps[side]) if self._maps else np.zeros((len(x), 0))

    def _sample(self, side: int, x: Features, random: np.random.Generator) -> tuple[Float64Array, Float64Array]:
        chosen = random.permutation(len(x))[:_PAIR_SAMPLES]
        return self._coordinates(side, x[chosen])

    def _second(
        self, a: tuple[Float64Array, Float64Array], b: tuple[Float64Array, Float64Array], *, same: bool
    ) -> float:
        """Mean square of the second order over pairs, every sample of `a` in as many."""
        n, m = len(a[0]), len(b[0])
        shifts = range(int(same), int(same) + min(m - int(same), max(4, _PAIRS // n)))
        i = np.tile(np.arange(n), len(shifts))
        j = np.concatenate([(np.arange(n) + shift) % m for shift in shifts])
        step = max(1, _ELEMENTS // max(1, a[0].shape[1]))
        squares = 0.0
        for k in range(0, i.size, step):
            values = self._pairs(*(part[i[k : k + step]] for part in a), *(part[j[k : k + step]] for part in b))
            squares += float(values @ values)
        return squares / i.size

    def _weighted(self, side: int, off: Float64Array, q: Float64Array) -> _Weighted:
        influence = self._influence(side, off, q)
        influence -= influence.mean()
        square = np.zeros((q.shape[1], q.shape[1]))
        for i in range(0, len(q) if q.size else 0, _ROWS):
            columns = np.ascontiguousarray(q[i : i + _ROWS].T)
            square += _core.matmul_transposed(columns * influence[i : i + _ROWS], columns)
        return _Weighted(influence, influence @ off / len(off), square / len(q))

    def _mixed(self, a: _Weighted, b: _Weighted) -> float:
        """Mean of the second order over all pairs, weighted with the influence of both samples."""
        return float(a.linear @ b.linear + 0.5 * np.vdot(self._curvature, a.square * b.square))

    def _mixed_within(self, of: _Weighted, off: Float64Array, q: Float64Array) -> float:
        """Return the same of pairs of two samples of one set."""
        n, rows, itself = len(off), max(1, _ELEMENTS // max(1, off.shape[1])), 0.0
        for at in (slice(i, i + rows) for i in range(0, n, rows)):
            itself += float(of.influence[at] ** 2 @ self._pairs(off[at], q[at], off[at], q[at]))
        return (n * n * self._mixed(of, of) - itself) / (n * (n - 1))

    def _pairs(self, off: Float64Array, q: Float64Array, other: Float64Array, r: Float64Array) -> Float64Array:
        """Second-order influence of pairs of samples."""
        found: Float64Array = np.einsum("ij,ij->i", off, other)
        if q.size:
            product, weights = q * r, np.diag(self._curvature)
            found += 0.5 * np.einsum("ij,ij->i", _core.matmul_transposed(product, self._curvature), product)
            found -= 0.5 * ((q * q + r * r) @ weights - weights.sum())
        return found


def _whitening(cov: Float64Array) -> tuple[Float64Array, Float64Array]:
    """Factor F (D, r) of a covariance F F^T, and the transpose of its pseudo-inverse, both in the range."""
    values, vectors = np.linalg.eigh(cov)
    kept = values > max(len(values) * _EPS * values[-1], 0)
    roots, vectors = np.sqrt(values[kept]), vectors[:, kept]
    return vectors * roots, vectors / roots
