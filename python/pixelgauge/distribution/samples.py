"""Samples of features: arrays (N, D) of finite floats, and what is said of them."""

from __future__ import annotations

import math
import os
from typing import Any

import numpy as np
import numpy.typing as npt

from pixelgauge.checks import ArgumentValueError
from pixelgauge.distribution.moments import number_array

_ROWS = 64
"""Rows of a matrix that are looked at together."""
LEAST_FEATURE, MOST_FEATURE = 1e-70, 1e70
"""Within these the fourth powers of features, of which eigenvalues of products of covariances are sums, stay normal
float64 numbers, with room for the sums."""


def samples(count: int | None) -> str:
    """Say how many samples there are."""
    return f"{count} sample{'s' * (count != 1)}"


def as_features(
    x: object, name: str, dim: int | None = None, *, finite: bool = True, squared: bool = True
) -> npt.NDArray[Any]:
    """View (N, D) features as float32 or float64.

    Parameters
    ----------
    x : array_like
        (N, D), or (D,) for one sample when `dim` says D; float16 and bfloat16 are widened to float32. Nested lists of
        floats are read too.
    name : str
        The argument's name, for messages.
    dim : int, optional
        The D that is expected.
    finite : bool, default True
        Look for NaN and infinity; False where the core looks itself.
    squared : bool, default True
        Refuse values whose squares, and those of the squares, leave float64's room.

    Returns
    -------
    numpy.ndarray
        A view where the dtype allows.

    Raises
    ------
    TypeError
        If `x` is no array of floats.
    ValueError
        If it has another shape, is empty, holds NaN or infinity, or its largest magnitude is neither 0 nor within 1e-70
        to 1e70.
    """
    if isinstance(x, str | os.PathLike):
        raise TypeError(
            f"{name}={os.fspath(x)!r} is a path: read statistics by FeatureStats.load, features by numpy.load, or give "
            "it to fid, which takes files"
        )
    array = number_array(x, name)
    if array.dtype.name == "bfloat16":
        array = array.astype(np.float32)
    if array.dtype.kind != "f" or array.dtype.itemsize > 8:
        raise TypeError(f"{name} has dtype {array.dtype}: features must be float16, float32 or float64")
    if array.dtype == np.float16 or not array.dtype.isnative:
        array = array.astype(np.float64 if array.dtype.itemsize == 8 else np.float32)
    if array.ndim == 1 and dim is not None:
        array = array[np.newaxis]
    if array.ndim != 2:
        raise ValueError(f"{name} has shape {array.shape}: features are (N, D), one row a sample")
    if array.size == 0:
        raise ValueError(f"{name} is empty: its shape is {array.shape}")
    if dim is not None and array.shape[1] != dim:
        raise ValueError(f"{name} has {array.shape[1]} features a sample, but {dim} are expected")
    if any(stride % array.itemsize for stride in array.strides):
        array = np.ascontiguousarray(array)
    scale = magnitude(array) if array.dtype == np.float64 else None  # float32 never leaves the room of squares
    if squared and scale is not None and math.isfinite(scale) and (scale > MOST_FEATURE or 0 < scale < LEAST_FEATURE):
        raise ValueError(
            f"{name} holds values up to {scale:.3g}, whose squares leave float64's room: scale the features to a "
            f"largest magnitude within {LEAST_FEATURE:g} to {MOST_FEATURE:g}"
        )
    if finite and (scale is None or not math.isfinite(scale)):
        with np.errstate(invalid="ignore"):
            columns = np.isfinite(array.sum(axis=0, dtype=np.float64))
        if not columns.all():
            column = int(np.argmin(columns))
            row = int(np.argmin(np.isfinite(array[:, column])))  # or 0, where only the sum is beyond float64
            raise ArgumentValueError(
                name,
                "",
                f"{name} holds NaN or infinity, first in column {column}, row {row}",
                "remove or repair it",
                row=row,
                column=column,
            )
    return array


def unit_rows(x: npt.NDArray[Any], name: str, first: int = 0) -> npt.NDArray[np.float64]:
    """Feature vectors divided by their lengths, in float64.

    Parameters
    ----------
    x : numpy.ndarray
        (N, D).
    name : str
        The argument's name, for messages.
    first : int, default 0
        Row of the argument that the first of `x` is.

    Returns
    -------
    numpy.ndarray

    Raises
    ------
    ValueError
        If one is zero.
    """
    found = x.astype(np.float64)
    # by the largest element first: lengths of the smallest vectors would be 0
    for start in range(0, len(found), _ROWS):
        rows = found[start : start + _ROWS]
        largest = np.abs(rows).max(axis=1, keepdims=True)
        if not largest.all():
            row = first + start + int(np.argmin(largest))
            raise ArgumentValueError(
                name, "", f"{name} has zeros alone in row {row}: no direction", "remove that sample", row=row
            )
        rows /= largest
        rows /= np.sqrt(np.vecdot(rows, rows))[:, np.newaxis]
    return found


def magnitude(array: npt.NDArray[Any]) -> float:
    """Largest absolute value, NaN if there is one; by blocks that stay in the cache."""
    largest = 0.0
    for start in range(0, len(array), _ROWS):
        rows = array[start : start + _ROWS]
        largest = float(np.max([largest, rows.max(), -rows.min()]))
    return largest
