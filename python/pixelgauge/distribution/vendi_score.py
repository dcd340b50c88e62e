"""The Vendi score: how many different samples there are, from the eigenvalues of their similarities."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from pixelgauge import _core
from pixelgauge.checks import ArgumentValueError, one_of, real_number
from pixelgauge.distribution.sample_pairs import Features
from pixelgauge.distribution.samples import as_features, unit_rows

Float64Array = npt.NDArray[np.float64]

_ROWS = 4096
"""Samples whose scalar products are summed together."""


def vendi_score(x: object, *, q: float = 1.0, kernel: str = "cosine") -> float:
    """Vendi score of order `q`: the effective number of different samples, from 1 (all alike) to N (none like another).

    Parameters
    ----------
    x : (N, D) array_like of float features, or (N, N) array_like of float similarities
        Similarities, for ``kernel="precomputed"``, are symmetric and positive semi-definite, each sample's with itself
        1.
    q : float, default 1
        Order of the entropy of the eigenvalues of K / N, 0 to infinity: 1 is Shannon's, 2 the collision entropy,
        ``math.inf`` that of the largest eigenvalue alone; 0 counts those that are not zero. The larger it is, the less
        rare samples count.
    kernel : {"cosine", "precomputed"}, default "cosine"
        The similarity of two feature vectors is the cosine of their angle, or `x` holds the similarities.

    Returns
    -------
    float

    Raises
    ------
    TypeError, ValueError
        If `x` is not of that shape, holds NaN or a feature vector of zeros, is no such matrix of similarities, or `q`
        is negative.

    Notes
    -----
    Of features the smaller of two matrices with the same eigenvalues is taken, N x N or D x D. Eigenvalues up to
    rounding, N or D times the unit of the largest, are zero: the authors' program keeps those of them that come out
    positive, which decides its number for `q` near 0, and in its function of features it takes `q` as 1.

    References
    ----------
    D. Friedman, A. B. Dieng: The Vendi score: a diversity evaluation metric for machine learning, TMLR 2023; A. P.
    Pasarkar, A. B. Dieng: Cousins of the Vendi score, AISTATS 2024 (orders); the program vendi_score.

    Examples
    --------
    >>> import numpy as np, pixelgauge
    >>> similarities = np.array([[1.0, 0.9, 0.0], [0.9, 1.0, 0.0], [0.0, 0.0, 1.0]])
    >>> round(pixelgauge.vendi_score(similarities, kernel="precomputed"), 4)
    2.1573
    """
    features = as_features(x, "x")
    order = real_number("q", q)
    if not order >= 0:
        raise ArgumentValueError("q", repr(q), "must be a number of at least 0, or infinity")
    of_features = one_of("kernel", kernel, ("cosine", "precomputed")) == "cosine"
    # what rounding makes of a zero eigenvalue is relative to the precision that the similarities were given in
    unit = float(np.finfo(np.float64 if of_features else features.dtype).eps)
    matrix = _cosines(features) if of_features else _similarities(features)
    values = np.linalg.eigvalsh(matrix)
    zero = len(values) * unit * float(values[-1])
    if values[0] < -zero:
        problem = f"x has the eigenvalue {values[0]:.3g} beside {values[-1]:.3g}: it is not positive semi-definite"
        remedy = "give similarities that are scalar products of something"
        if not of_features and (dtype := getattr(x, "dtype", None)) is not None and dtype != np.float64:
            remedy += f"; if they are, rounding to {dtype} did this: compute them in float64, or pass the features"
        raise ArgumentValueError("x", "", problem, remedy)
    shares = values[values > zero]
    found = math.exp(_entropy(shares / shares.sum(), order))
    return min(max(found, 1.0), float(len(features)))


def _cosines(x: Features) -> Float64Array:
    """Scalar products of the unit vectors, or the sum of their outer products where that is smaller."""
    n, dim = x.shape
    if n <= dim:
        rows = unit_rows(x, "x")
        products: Float64Array = _core.matmul_transposed(rows, rows)
        return products
    total = np.zeros((dim, dim))
    for start in range(0, n, _ROWS):
        columns = unit_rows(x[start : start + _ROWS], "x", start).T
        total += _core.matmul_transposed(columns, columns)
    return total


def _similarities(x: Features) -> Float64Array:
    """Check a matrix of similarities."""
    if x.shape[0] != x.shape[1]:
        raise ArgumentValueError(
            "x", "", f"x has shape {x.shape}: similarities are (N, N)", 'or give kernel="cosine" for features'
        )
    near = math.sqrt(float(np.finfo(x.dtype).eps))
    off = np.abs(np.diagonal(x) - 1)
    if off.max() > near:
        row = int(off.argmax())
        problem = f"x has {x[row, row]:.6g} at [{row}, {row}]: a sample's similarity with itself is 1"
        remedy = "divide by the roots of the diagonal, of the row and of the column"
        raise ArgumentValueError("x", "", problem, remedy, row=row, column=row)
    uneven = np.abs(x - x.T)
    if uneven.max() > near:
        row, column = (int(i) for i in np.unravel_index(uneven.argmax(), uneven.shape))
        problem = f"x has {x[row, column]:.6g} at [{row}, {column}] and {x[column, row]:.6g} at [{column}, {row}]: "
        problem += "similarities are symmetric"
        raise ArgumentValueError("x", "", problem, "average it with its transpose", row=row, column=column)
    matrix = x.astype(np.float64)
    return (matrix + matrix.T) / 2


def _entropy(shares: Float64Array, q: float) -> float:
    """Renyi's of order `q`, of shares that are above 0 and add up to 1."""
    logarithms = np.log(shares)
    if q == 1:
        return -float(shares @ logarithms)
    largest = float(logarithms.max())
    if math.isinf(q):
        return -largest
    if abs(q - 1) < 0.5:  # sum of p^q, less that of p, which near order 1 is all there is
        return math.log1p(float(shares @ np.expm1((q - 1) * logarithms))) / (1 - q)
    return (q * largest + math.log(float(np.exp(q * (logarithms - largest)).sum()))) / (1 - q)
