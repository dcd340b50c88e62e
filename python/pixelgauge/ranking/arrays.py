"""Anything that holds numbers or text as a NumPy array, value for value: no integer is rounded on the way.

What cannot be read exactly is refused by its kind, with what to write instead.
"""

from __future__ import annotations

import math
import numbers
from collections.abc import Iterator, Mapping, Sequence, Set
from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy as np

from pixelgauge.images import Array, as_array

EXACT_INTEGERS = 2**53
"""Up to here float64 holds every integer."""


def to_array(x: object, name: str) -> Array:
    """Array of anything that is one or converts, lists included, in native byte order.

    Numbers that no common dtype of NumPy holds exactly come back as an array of objects: integers of more than 64 bits,
    integers beyond 2^53 beside floats.

    Raises
    ------
    TypeError
        If `x` is of a kind that is not read.
    ValueError
        If it is a single value, empty, ragged, or has masked or missing values.
    """
    array = _read(x, name)
    if array.ndim == 0:
        raise ValueError(f"{name} must be an array, not the single value {array[()]!r}")
    if array.size == 0:
        raise ValueError(f"{name} is empty (shape {array.shape}): at least one sample is needed")
    if not array.dtype.isnative and array.dtype.kind in "fiucU":
        array = array.astype(array.dtype.newbyteorder("="))
    return array


def _read(x: Any, name: str) -> Array:
    if isinstance(x, np.ma.MaskedArray):
        if np.ma.is_masked(x):
            raise ValueError(
                f"{name} holds {int(np.ma.getmaskarray(x).sum())} masked values: leave those samples out of every "
                "argument, such as by x[~mask]"
            )
        return np.asarray(x.data)
    if isinstance(x, list | tuple | range):
        return _of_sequence(x, name)
    if np.isscalar(x):
        return np.asarray(x)
    if isinstance(x, Iterator | Set | Mapping):
        raise TypeError(f"{name} is a {type(x).__name__}, whose values have no places: pass a list or an array")
    if hasattr(x, "getbands"):
        raise TypeError(
            f"{name} is a picture, whose palette or colours are no scores: pass numpy.asarray of a gray one"
        )
    if hasattr(x, "null_count") and hasattr(x, "to_numpy") and not callable(x.null_count):
        return _of_arrow(x, name)
    if hasattr(x, "columns"):
        # a table: as one array it would be float64 where one column is
        by_place = hasattr(x, "iloc")
        parts = [x.iloc[:, k] for k in range(x.shape[1])] if by_place else x.columns
        columns = [to_array(x[part] if isinstance(part, str) else part, name) for part in parts]
        return exact_join([column(values, name)[:, np.newaxis] for values in columns], name, axis=1)
    try:
        # a subclass may index and multiply in its own way
        return np.asarray(as_array(x, name))
    except (RuntimeError, BufferError) as error:
        raise TypeError(
            f"{name} ({type(x).__module__}.{type(x).__qualname__}) cannot be read: {error}. Detach it and copy it to "
            "the CPU first, or pass a NumPy array"
        ) from error


def _of_arrow(x: Any, name: str) -> Array:
    """Array of an array (in chunks or not) of Arrow."""
    if x.null_count:
        raise ValueError(f"{name} holds {x.null_count} missing values: leave those samples out of every argument")
    array: Array = x.to_numpy() if hasattr(x, "chunks") else x.to_numpy(zero_copy_only=False)
    return array


def _of_sequence(x: Sequence[Any], name: str) -> Array:
    """Array of values, one by one or nested; an array of objects where NumPy would change values."""
    if any(issubclass(kind, np.ma.MaskedArray) or hasattr(kind, "getbands") for kind in set(map(type, x))):
        x = [_read(v, name) for v in x]
    try:
        array = np.asarray(x)
    except (TypeError, ValueError, RuntimeError, OverflowError) as error:
        raise ValueError(f"{name} is not a regular array of values: {error}") from error
    rounds = array.dtype.kind == "f" and array.size > 0 and bool((np.abs(array) >= EXACT_INTEGERS).any())
    if not rounds and array.dtype.kind not in "US":
        return array
    # NumPy makes 2^53 + 1 beside 0.5 a float, and None or NaN beside text a text
    objects = np.array(x, dtype=object)
    kept: Any = {"U": str, "S": bytes}.get(array.dtype.kind, float | np.floating)
    if objects.shape != array.shape or all(issubclass(kind, kept) for kind in set(map(type, objects.flat))):
        return array
    return objects


def column(array: Array, name: str) -> Array:
    """1-D view of a vector or of a single column."""
    if array.ndim == 1:
        return array
    if array.ndim == 2 and array.shape[1] == 1:
        return array[:, 0]
    raise ValueError(f"{name} should be a 1d array, got an array of shape {array.shape} instead")


def beyond_float64(array: Array) -> bool:
    """Whether the array holds integers that float64 may round."""
    if array.dtype.kind not in "iu" or array.dtype.itemsize < 8 or array.size == 0:
        return False
    return int(array.max()) > EXACT_INTEGERS or int(array.min()) < -EXACT_INTEGERS


def exact_join(arrays: Sequence[Array], name: str, axis: int = 0) -> Array:
    """Join arrays of numbers in a dtype that holds the values of all of them, objects if there is no other."""
    if any(a.dtype.kind not in "biufO" and a.dtype.name != "bfloat16" for a in arrays):
        kinds = ", ".join(sorted({str(a.dtype) for a in arrays}))
        if len({a.dtype.kind for a in arrays}) > 1:
            raise TypeError(f"{name} mixes {kinds}: use one kind of values")
        return np.concatenate(arrays, axis=axis)
    common = np.result_type(*arrays)
    if common.kind == "f" and any(map(beyond_float64, arrays)):
        common = np.dtype(object)
    return np.concatenate([a.astype(common, copy=False) for a in arrays], axis=axis)


def exact_numbers(array: Array, name: str) -> Array:
    """Array of objects in the first of int64, uint64 and float64 that holds all its numbers exactly, else as it is.

    Raises
    ------
    TypeError
        If it holds anything but real numbers.
    ValueError
        If one is NaN or missing.
    """
    for kind in set(map(type, array.flat)):
        if not _is_real(kind):
            at, value = next((i, v) for i, v in enumerate(array.flat) if type(v) is kind)
            missing = value is None or kind.__name__ in ("NAType", "NaTType")
            raise (ValueError if missing else TypeError)(
                f"{name} holds {value!r} at place {at}: "
                + ("leave that sample out of every argument" if missing else "use numbers")
            )
    values: list[Any] = [v.item() if isinstance(v, np.generic) else v for v in array.flat]
    if any(v.is_nan() if isinstance(v, Decimal) else v != v for v in values):
        raise ValueError(f"{name} holds NaN, which has no rank: remove or impute those samples first")
    if all(isinstance(v, int) for v in values):
        low, high = min(values), max(values)
        if low >= -(2**63) and high < 2**63:
            return np.array(values, np.int64).reshape(array.shape)
        if low >= 0 and high < 2**64:
            return np.array(values, np.uint64).reshape(array.shape)
    elif all(map(_is_float64, values)):
        return np.array(list(map(float, values))).reshape(array.shape)
    elif any(isinstance(v, Decimal) for v in values) and any(isinstance(v, Fraction) for v in values):
        raise TypeError(f"{name} mixes Decimal and Fraction, which Python does not compare: use one of them")
    exact = np.empty(len(values), object)
    exact[:] = values
    return exact.reshape(array.shape)


def _is_real(kind: type) -> bool:
    if issubclass(kind, np.floating):
        return np.dtype(kind).itemsize <= 8
    return issubclass(kind, numbers.Real | Decimal | np.bool_)


def _is_float64(value: Any) -> bool:
    try:
        return bool(float(value) == value)
    except OverflowError:
        return False


def exact_fraction(value: Any) -> Fraction | float:
    """Exact value of a real number; infinities and NaN stay floats."""
    if np.ma.is_masked(value):
        raise TypeError(f"{value!r} is a masked value, which is no number")
    if isinstance(value, np.integer | np.bool_):
        return Fraction(int(value))
    if isinstance(value, int | Fraction):
        return Fraction(value)
    if hasattr(value, "as_integer_ratio"):
        try:
            return Fraction(*value.as_integer_ratio())
        except (OverflowError, ValueError):  # infinite, NaN
            return float(value)
    number = float(value)
    return Fraction(number) if math.isfinite(number) else number


def at_least(values: Array, threshold: Any) -> Array:
    """Where a value is at or above a threshold, decided without rounding either."""
    exact = exact_fraction(threshold)
    if isinstance(exact, float):  # infinite
        whole = np.full(values.shape, exact < 0)
        return whole if values.dtype.kind in "biu" else np.asarray(values >= exact, bool)
    if values.dtype.kind in "biu":
        least = math.ceil(exact)
        info = np.iinfo(np.uint8 if values.dtype.kind == "b" else values.dtype)
        if not info.min <= least <= info.max:
            return np.full(values.shape, least < info.min)
        return np.asarray(values >= least, bool)
    if values.dtype.kind == "O":
        return np.array([exact_fraction(v) >= exact for v in values.flat], bool).reshape(values.shape)
    # the smallest float64 that is not below it; a comparison in a narrower dtype would round once more
    try:
        bound = float(exact)
    except OverflowError:
        bound = math.inf if exact > 0 else -math.inf
    if math.isfinite(bound) and Fraction(bound) < exact:
        bound = math.nextafter(bound, math.inf)
    if bound == -math.inf:  # below every finite number, but not below -inf
        return np.asarray(values > -math.inf, bool)
    if bound == math.inf:
        return np.asarray(values == math.inf, bool)
    return np.asarray(values >= np.float64(bound), bool)


def equals(labels: Array, value: Any) -> Array:
    """Where a label is the value: a number is compared as it is, not as the labels' dtype would round it."""
    if labels.dtype.kind in "US":
        like = isinstance(value, str if labels.dtype.kind == "U" else bytes)
        return np.asarray(labels == value, bool) if like else np.zeros(labels.shape, bool)
    if not isinstance(value, numbers.Real | Decimal | np.bool_):
        return np.zeros(labels.shape, bool)
    exact = exact_fraction(value)
    if isinstance(exact, float) or (labels.dtype.kind in "biu" and exact.denominator != 1):
        return np.zeros(labels.shape, bool)
    if labels.dtype.kind in "biu":
        whole = labels.view(np.uint8) if labels.dtype.kind == "b" else labels
        info = np.iinfo(whole.dtype)
        return np.asarray(whole == int(exact), bool) if info.min <= exact <= info.max else np.zeros(labels.shape, bool)
    if not _is_float64(exact):
        return np.zeros(labels.shape, bool)
    return np.asarray(labels.astype(np.float64, copy=False) == float(exact), bool)
