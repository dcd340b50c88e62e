"""Checks of arguments that are one value: ``TypeError`` for the kind, ``ValueError`` for the range."""

from __future__ import annotations

import math
import reprlib

import numpy as np


def whole_number(name: str, value: object, least: int, most: int | None = None) -> int:
    """Return an argument that is a whole number within bounds, of Python or NumPy.

    Raises
    ------
    TypeError
        If it is of another kind; a float is, and so are truth values.
    ValueError
        If it is below `least` or above `most`.
    """
    bounds = f"of at least {least}" if most is None else f"from {least} to {most}"
    if isinstance(value, bool) or not isinstance(value, int | np.integer):
        raise TypeError(f"{name}={reprlib.repr(value)} must be a whole number {bounds}")
    if value < least or (most is not None and value > most):
        raise ValueError(f"{name}={reprlib.repr(int(value))} must be a whole number {bounds}")
    return int(value)


def flag(name: str, value: object) -> bool:
    """Return an argument that is True or False; ``TypeError`` for anything else: text such as "no" counts as true."""
    if not isinstance(value, bool | np.bool_):
        raise TypeError(f"{name}={reprlib.repr(value)} must be True or False")
    return bool(value)


def require_number(name: str, value: object) -> None:
    """Raise a ``TypeError`` unless an argument is a real number; text that reads like one is none, nor a masked one."""
    try:
        # a masked value would be read as the 0 that lies below it
        if not isinstance(value, str | bytes | bytearray) and not np.ma.is_masked(value):
            float(value)  # type: ignore[arg-type]
            return
    except OverflowError:  # an integer beyond any float is a number
        return
    except (TypeError, ValueError):
        pass
    raise TypeError(f"{name}={value!r} must be a number")


def number(value: object) -> float:
    """Read a number as float; ``TypeError`` also for what ``float`` reads as one: text, truth values, times.

    Parameters
    ----------
    value : float_like
        Number of Python, or of a library, such as an array without axes.
    """
    if type(value) is float:
        return value
    if isinstance(value, np.ndarray):
        value = value[()]
    dtype = getattr(value, "dtype", None)
    text_or_truth = isinstance(value, str | bytes | bytearray | memoryview | bool)
    if text_or_truth or getattr(dtype, "kind", "") in tuple("bcmMSU") or "bool" in str(dtype):
        raise TypeError(f"{value!r} is no number")
    try:
        return float(value)  # type: ignore[arg-type]
    except OverflowError:  # an integer
        return math.inf if value > 0 else -math.inf  # type: ignore[operator]
