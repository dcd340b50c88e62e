"""Mean squared and mean absolute error, and peak signal-to-noise ratio."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from pixelgauge import _core
from pixelgauge.full_reference.arguments import DataRange, Float64Array, Score, result_of
from pixelgauge.images import canonical_pair, value_range_length


def mse(x: object, y: object, *, channel_axis: int | None = -1) -> Score:
    """Mean squared error over all pixels and channels of each pair, summed in float64.

    Parameters
    ----------
    x, y : array_like
        Images (H, W), (H, W, C) or batches (N, H, W, C) of the same shape and dtype: uint8, uint16, bfloat16, float16,
        float32 or float64; NumPy arrays or anything on the CPU that speaks DLPack or ``__array__``. PIL images, read by
        the rules of :func:`pixelgauge.images.read_image`. A list or tuple of images of one shape is a batch.
    channel_axis : int or None, default -1
        Axis of the channels, in a list that of each image; a PIL image knows its own. None: no channels, so (N, H, W)
        is a batch.

    Returns
    -------
    float or (N,) numpy.ndarray of float64
        In squared units of the pixels.

    Raises
    ------
    TypeError
        If an argument holds no pixels of a supported dtype.
    ValueError
        If shapes or dtypes differ, an image is empty, or a pixel is NaN or infinite.

    Examples
    --------
    >>> import numpy as np, pixelgauge
    >>> pixelgauge.mse(np.zeros((8, 8), np.uint8), np.full((8, 8), 3, np.uint8))
    9.0
    """
    a, b = canonical_pair(x, y, channel_axis)
    return result_of(_core.mse(a.pixels, b.pixels), a.single)


def mae(x: object, y: object, *, channel_axis: int | None = -1) -> Score:
    """Mean absolute error over all pixels and channels of each pair, summed in float64.

    Parameters
    ----------
    x, y : array_like
        As for :func:`mse`.
    channel_axis : int or None, default -1
        As for :func:`mse`.

    Returns
    -------
    float or (N,) numpy.ndarray of float64
        In units of the pixels.

    Raises
    ------
    TypeError, ValueError
        As :func:`mse`.

    Examples
    --------
    >>> import numpy as np, pixelgauge
    >>> pixelgauge.mae(np.zeros((8, 8), np.uint8), np.full((8, 8), 3, np.uint8))
    3.0
    """
    a, b = canonical_pair(x, y, channel_axis)
    return result_of(_core.mae(a.pixels, b.pixels), a.single)


_LENGTHS = (1e-150, 1e150)
"""Of a range whose square is a normal float64."""


def squarable_length(data_range: DataRange, dtype: np.dtype[Any]) -> float:
    """Length of a data range; ``ValueError`` unless its square is a normal float64."""
    length = value_range_length(data_range, dtype)
    if not _LENGTHS[0] <= length <= _LENGTHS[1]:
        raise ValueError(
            f"data_range={data_range!r} leaves float64's room, {_LENGTHS[0]:g} to {_LENGTHS[1]:g}: scale the images "
            "and data_range to a length near 1"
        )
    return length


def psnr(x: object, y: object, *, data_range: DataRange = None, channel_axis: int | None = -1) -> Score:
    """Peak signal-to-noise ratio, 10 log10(L^2 / MSE).

    Parameters
    ----------
    x, y : array_like
        As for :func:`mse`.
    data_range : float or (float, float), optional
        R means values in 0..R, a pair means (low, high); L is its length. Integer images default to their dtype's
        full range; float images must say it.
    channel_axis : int or None, default -1
        As for :func:`mse`.

    Returns
    -------
    float or (N,) numpy.ndarray of float64
        In decibels; inf for identical images. The PSNR of a set is the mean of these, not the PSNR of a pooled MSE.

    Raises
    ------
    TypeError, ValueError
        As :func:`mse`; and if float images come without `data_range`, or its length is not within 1e-150 to 1e150.

    Examples
    --------
    >>> import numpy as np, pixelgauge
    >>> x = np.zeros((8, 8), np.uint8)
    >>> round(pixelgauge.psnr(x, x + np.uint8(5)), 4)
    34.1514
    >>> pixelgauge.psnr(x, x)
    inf
    """
    a, b = canonical_pair(x, y, channel_axis)
    length = squarable_length(data_range, a.pixels.dtype)
    return result_of(decibels_of(_core.mse(a.pixels, b.pixels), length, data_range), a.single)


def decibels_of(error: Float64Array, length: float, data_range: DataRange) -> Float64Array:
    """PSNR from mean squared errors and the range's length; ``ValueError`` where it leaves float64's room."""
    with np.errstate(divide="ignore", over="ignore"):
        decibels: Float64Array = 10 * np.log10(length * length / error)
    if not all(map(math.isfinite, decibels.tolist())) and (np.isinf(decibels) & (error > 0)).any():
        raise ValueError(
            f"PSNR over- or underflows at data_range={data_range!r} and the values there are: scale the images and "
            "data_range to a length near 1"
        )
    return decibels
