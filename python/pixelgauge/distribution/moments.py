"""A mean and a covariance, given as arrays: real, finite, of shapes that fit, symmetric."""

from __future__ import annotations

import math
import numbers

import numpy as np
import numpy.typing as npt

from pixelgauge.images import Array, as_array

Float64Array = npt.NDArray[np.float64]

_ROWS = 64
"""Rows of a matrix that are looked at together."""


def number_array(x: object, name: str) -> Array:
    """Array of numbers from anything that holds them: an array of any library, or lists and tuples, nested or not.

    Raises
    ------
    TypeError
        If `x`, or a member of a list, is neither a real number nor an array.
    ValueError
        If lists are ragged.
    """
    if not isinstance(x, list | tuple):
        return as_array(x, name)
    members = [_member(v, f"{name}[{i}]") for i, v in enumerate(x)]
    shapes = sorted({v.shape if isinstance(v, np.ndarray) else () for v in members})
    if len(shapes) > 1:
        raise ValueError(
            f"{name} is a {type(x).__name__} of parts of shapes {shapes[0]} and {shapes[-1]}: use one shape"
        )
    return np.asarray(members) if members else np.empty(0)


def _member(v: object, name: str) -> object:
    """Return a number or an array that a list may hold; numpy.asarray would drop masks and read True as 1."""
    if isinstance(v, numbers.Real | np.number) and not isinstance(v, bool):
        return v
    if isinstance(v, bool | np.bool_ | numbers.Number | str | bytes) or v is None:
        raise TypeError(f"{name}={v!r} is no real number")
    return number_array(v, name)


def real_array(x: object, name: str) -> Float64Array:
    """Array of real numbers as float64: a complex one would lose its imaginary part, a date its unit."""
    array = number_array(x, name)
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
    # rounding of float32 may leave as little, which counts as 0, and no more
    if (least := float(sigma.diagonal().min())) < -1e-5 * scale:
        raise ValueError(
            f"{name} has a covariance that is not positive semi-definite, with a variance of {least:.3g}: the file is "
            "damaged or holds something else"
        )
    if asymmetry:
        sigma = sigma / 2 + sigma.T / 2  # whose sum might leave float64
    if least < 0:
        sigma = sigma.copy()
        np.fill_diagonal(sigma, np.maximum(sigma.diagonal(), 0))
    return mu, sigma
