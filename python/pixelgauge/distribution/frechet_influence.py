"""How a Fréchet distance moves with its samples, to first and second order: what its variance is made of."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pixelgauge import _core

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


@dataclass(frozen=True)
class Spread:
    """Variances that make up that of a distance between sets of n and m samples."""

    first: tuple[float, float]
    """Of the influence of one sample of each set; 0 for a set that is fixed. That of samples drawn anew from the
    estimate, so it holds the noise of the estimated map, twice the second order, besides the first."""
    second: tuple[float, float, float]
    """Mean square of the second-order influence of two samples: of the first set, of the second, of one each."""

    def first_order(self, n: int, m: int) -> float:
        """Variance of the mean influence."""
        return self.first[0] / n + self.first[1] / m

    def second_order(self, n: int, m: int) -> float:
        """Variance of the second-order part of an estimate without the products of samples with themselves."""
        of_first, of_second, of_both = self.second
        return 2 * of_first / n**2 + 2 * of_second / m**2 + 4 * of_both / (n * m)


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
        """Variances over the samples of both sets; a set that is fixed, None, has none."""
        first, second, drawn = [0.0, 0.0], [0.0, 0.0], []
        for side, features in enumerate((x, y)):
            if features is not None:
                drawn.append(self._sample(side, features, random))
                first[side] = self._first(side, features)
                second[side] = self._second(drawn[-1], drawn[-1], same=True)
        across = self._second(*sorted(drawn, key=lambda of: len(of[0])), same=False) if len(drawn) == 2 else 0.0
        return Spread((first[0], first[1]), (second[0], second[1], across))

    def _first(self, side: int, x: Features) -> float:
        """Variance of the influence of a sample, in chunks."""
        rows = max(1, _ELEMENTS // x.shape[1])
        values = np.concatenate(
            [self._influence(side, *self._coordinates(side, x[i : i + rows])) for i in range(0, len(x), rows)]
        )
        return float(values.var(ddof=1))

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
