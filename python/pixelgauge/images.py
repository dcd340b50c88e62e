"""Arrays and files to canonical arrays: dtype, range, channels, colour."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]

KERNEL_DTYPES = ("uint8", "uint16", "float32", "float64")


def as_array(x: object, name: str) -> Array:
    """View anything on the CPU that speaks DLPack or ``__array__`` as a NumPy array, without a copy where possible.

    Parameters
    ----------
    x : array_like
        NumPy array, or an array of another library (JAX, PyTorch, TensorFlow, CuPy on the CPU, Pillow).
    name : str
        The argument's name, for messages.

    Returns
    -------
    numpy.ndarray

    Raises
    ------
    TypeError
        If `x` is not an array, is masked, or is not reachable from the CPU.
    """
    if isinstance(x, np.ma.MaskedArray):
        raise TypeError(f"{name} is a masked array, whose mask would be ignored: fill it, or crop to the valid part")
    if isinstance(x, np.ndarray):
        return x
    if hasattr(x, "__dlpack__"):
        try:
            return np.from_dlpack(x)
        except (BufferError, RuntimeError, TypeError, ValueError) as error:
            raise TypeError(
                f"{name} ({type(x).__module__}.{type(x).__qualname__}) cannot be read from the CPU: {error}. "
                "Detach it and copy it to the CPU first"
            ) from error
    if hasattr(x, "__array__") or hasattr(x, "__array_interface__"):
        return np.asarray(x)
    raise TypeError(f"{name} is a {type(x).__name__}: pass a NumPy array or one that speaks DLPack or __array__")


def canonical_images(x: object, name: str, channel_axis: int | None) -> tuple[Array, bool]:
    """View images as a (N, H, W, C) array of a dtype that the kernels take.

    Parameters
    ----------
    x : array_like
        (H, W), (H, W, C) or (N, H, W, C), or with the channels at `channel_axis`; with ``channel_axis=None``
        (H, W) or (N, H, W). uint8, uint16, float16, float32 or float64.
    name : str
        The argument's name, for messages.
    channel_axis : int or None
        Axis of the channels; None if there is none.

    Returns
    -------
    images : numpy.ndarray
        (N, H, W, C), a view unless the dtype had to be converted (float16, foreign byte order).
    single : bool
        Whether `x` was one image rather than a batch.

    Raises
    ------
    TypeError
        For a dtype that has no unambiguous range (bool, signed and wide integers, complex, objects).
    ValueError
        For a wrong number of axes, an empty array or an axis out of range.
    """
    array = as_array(x, name)
    if array.dtype == np.float16:
        array = array.astype(np.float32)
    elif array.dtype.name not in KERNEL_DTYPES:
        raise TypeError(f"{name} has dtype {array.dtype}: use uint8, uint16, float16, float32 or float64")
    elif not array.dtype.isnative:
        array = array.astype(array.dtype.newbyteorder("="))
    if array.size == 0:
        raise ValueError(f"{name} is empty: its shape is {array.shape}")
    if channel_axis is None:
        if array.ndim not in (2, 3):
            raise ValueError(f"{name} has shape {array.shape}: with channel_axis=None use (H, W) or (N, H, W)")
        return array.reshape((1, *array.shape, 1)) if array.ndim == 2 else array[..., np.newaxis], array.ndim == 2
    if isinstance(channel_axis, bool) or not isinstance(channel_axis, int | np.integer):
        raise TypeError(f"channel_axis={channel_axis!r} must be an integer or None")
    if array.ndim == 2:
        return array[np.newaxis, ..., np.newaxis], True
    if array.ndim not in (3, 4):
        raise ValueError(f"{name} has shape {array.shape}: use (H, W), (H, W, C) or (N, H, W, C), or set channel_axis")
    if not -array.ndim <= channel_axis < array.ndim:
        raise ValueError(f"channel_axis={channel_axis} is out of range for {name} with shape {array.shape}")
    moved = np.moveaxis(array, int(channel_axis), -1)
    return (moved[np.newaxis], True) if array.ndim == 3 else (moved, False)


def canonical_pair(x: object, y: object, channel_axis: int | None) -> tuple[Array, Array, bool]:
    """View two batches of images of the same shape and dtype as (N, H, W, C) arrays."""
    a, single = canonical_images(x, "x", channel_axis)
    b, single_y = canonical_images(y, "y", channel_axis)
    if a.shape != b.shape or single != single_y:
        shapes = " and ".join(str(as_array(images, name).shape) for images, name in ((x, "x"), (y, "y")))
        raise ValueError(f"x and y differ in shape: {shapes}; resize or crop one of them")
    if a.dtype != b.dtype:
        raise ValueError(f"x and y differ in dtype: {a.dtype} and {b.dtype}; convert one of them")
    return a, b, single


def value_range_length(data_range: float | Sequence[float] | None, dtype: np.dtype[Any]) -> float:
    """Length L of the data range.

    Parameters
    ----------
    data_range : float, (float, float) or None
        R means 0..R, a pair means (low, high). None means the dtype's full range, for integers only.
    dtype : numpy.dtype
        Of the images.

    Raises
    ------
    ValueError
        If float images come without a range, or the range is empty, not finite or the wrong way round.
    """
    if data_range is None:
        if dtype.kind != "u":
            raise ValueError(
                f"data_range is needed for {dtype} images: pass 1.0 for values in 0..1, 255 for 0..255, "
                "or (low, high) such as (-1, 1)"
            )
        return float(np.iinfo(dtype).max)
    try:
        low, high = (0.0, float(data_range)) if np.ndim(data_range) == 0 else map(float, data_range)  # type: ignore[arg-type]
    except (TypeError, ValueError) as error:
        raise ValueError(f"data_range={data_range!r} must be a number or a pair (low, high)") from error
    if not (math.isfinite(low) and math.isfinite(high) and low < high):
        raise ValueError(f"data_range={data_range!r} must be positive and finite, or a pair with low < high")
    return high - low
