"""A mean and a covariance, given as arrays: real, finite, of shapes that fit, symmetric."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from pixelgauge.images import as_array

Float64Array = npt.NDArray[np.float64]

_ROWS = 64
"""Rows of a matrix that are looked at together."""


def real_array(x: object, name: str) -> Float64Array:
    """Array of real numbers as float64: a complex one would lose its imaginary part, a date its unit."""
    array = as_array(x, name)
    if array.dtype.kind not in "fiu" or array.dtype.itemsize > 8:
        raise TypeError(f"{name} has dtype {array.dtype}: use float64, real numbers")
    return np.ascontiguousarray(array, dtype=np.float64)


def checked_moments(mean: object, cov: object, name: str) -> tuple[Float64Array, Float64Array]:
    """View a mean (D,) and a covariance (D, D) as float64, or raise a ``ValueError`` that says what is wrong."""
    mu, sigma = real_array(mean, f"the mean of {name}"), real_array(cov, f"the covariance of {name}")
    mu = np.atleast_1d(mu)
    sigma = np.atleast_2d(sigma)
    if mu.ndim != 1 or mu.size == 0 or sigma.shape != (mu.size, mu.size):
        raise ValueError(
            f"{name} has a mean of shape {mu.shape} and a covariance of shape {sigma.shape}: use (D,) and (D, D)"
        )
    scale = asymmetry = 0.0
    for start in range(0, mu.size, _ROWS):  # blocks that stay in the cache: the whole would be written out three times
        rows = sigma[start : start + _ROWS, : start + _ROWS]
        columns = sigma[: start + _ROWS, start : start + _ROWS].T
        # Python's max would drop NaN
        scale = float(np.max([scale, rows.max(), -rows.min(), columns.max(), -columns.min()]))
        if not math.isfinite(scale):
            break
        asymmetry = max(asymmetry, float(np.abs(rows - columns).max()))
    if not (math.isfinite(scale) and np.isfinite(mu).all()):
        raise ValueError(f"{name} holds NaN or infinity in its mean or covariance: compute the statistics again")
    # numpy.cov and torch differ between the halves by some roundings of float32 at worst
    if asymmetry > 1e-5 * scale:
        raise ValueError(
            f"{name} has a covariance that is not symmetric (by {asymmetry:.3g}, and its largest element is "
            f"{scale:.3g}): the file is damaged or holds something else"
        )
    if asymmetry:
        sigma = (sigma + sigma.T) / 2
    return mu, sigma
