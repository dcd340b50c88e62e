"""Checks of arguments that are one value, and the error for a wrong one, in parts from which each front end speaks.

``TypeError`` for the kind, ``ValueError`` for the range.
"""

from __future__ import annotations

import math
import re
import reprlib
from collections.abc import Collection
from typing import Any, Self

import numpy as np


class ArgumentError(Exception):
    """An argument that cannot be what it is, as parts: the command line names its option, files advise on files.

    Raised as :class:`ArgumentTypeError` or :class:`ArgumentValueError`.

    Parameters
    ----------
    argument : str
        Name of the argument, of Python or of the C ABI.
    value : str
        What was seen, as shown in a message; empty where the problem says it.
    problem : str
        What is wrong: with a value the rest of a sentence, otherwise a whole one.
    remedy : str, optional
        What to do, for whoever calls from a program.
    kind : str, optional
        What went wrong, for front ends with a remedy of their own: ``"too_small"``, ``"not_finite"``, ...; as
        ``pg_error_kind`` of the C ABI.
    image, row, column, required : int, optional
        Where it was found in a batch or an array, and the size that would do; None if that is not known.
    """

    def __init__(
        self,
        argument: str,
        value: str,
        problem: str,
        remedy: str = "",
        *,
        kind: str = "value",
        image: int | None = None,
        row: int | None = None,
        column: int | None = None,
        required: int | None = None,
    ) -> None:
        self.argument, self.value, self.problem, self.remedy, self.kind = argument, value, problem, remedy, kind
        self.image, self.row, self.column, self.required = image, row, column, required
        super().__init__(self.told(f"{argument}={value}" if value else ""))

    def told(self, subject: str, remedy: str | None = None) -> str:
        """Message about the argument by another name, or with another remedy."""
        advice = self.remedy if remedy is None else remedy
        return f"{subject}{' ' * bool(subject)}{self.problem}{f': {advice}' if advice else ''}"

    def but(self, **parts: Any) -> Self:
        """Error like this one, with other parts in place of some."""
        kept = ("argument", "value", "problem", "remedy", "kind", "image", "row", "column", "required")
        return type(self)(**{part: getattr(self, part) for part in kept} | parts)

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuilt, (type(self), self.args, dict(vars(self)))


def _rebuilt(kind: type[ArgumentError], args: tuple[Any, ...], parts: dict[str, Any]) -> ArgumentError:
    error = kind.__new__(kind)
    error.args = args
    error.__dict__.update(parts)
    return error


class ArgumentTypeError(ArgumentError, TypeError):
    """An argument of the wrong kind."""


class ArgumentValueError(ArgumentError, ValueError):
    """An argument that has the right kind and a value that it cannot have."""


def one_of(name: str, value: object, names: Collection[str]) -> str:
    """Return an argument that is one of some names.

    Raises
    ------
    ArgumentValueError
        If it is none of them: the message lists those there are.
    """
    if not isinstance(value, str) or value not in names:
        raise ArgumentValueError(name, reprlib.repr(value), "is not known", f"use one of {', '.join(map(repr, names))}")
    return value


def whole_number(name: str, value: object, least: int, most: int | None = None) -> int:
    """Return an argument that is a whole number within bounds, of Python or NumPy.

    Raises
    ------
    ArgumentTypeError
        If it is of another kind; a float is, and so are truth values.
    ArgumentValueError
        If it is below `least` or above `most`.
    """
    bounds = f"of at least {least}" if most is None else f"from {least} to {most}"
    if isinstance(value, bool) or not isinstance(value, int | np.integer):
        raise ArgumentTypeError(name, reprlib.repr(value), f"must be a whole number {bounds}")
    if value < least or (most is not None and value > most):
        raise ArgumentValueError(name, reprlib.repr(int(value)), f"must be a whole number {bounds}")
    return int(value)


def flag(name: str, value: object) -> bool:
    """Return an argument that is True or False; ``TypeError`` for anything else: text such as "no" counts as true."""
    if not isinstance(value, bool | np.bool_):
        raise ArgumentTypeError(name, reprlib.repr(value), "must be True or False")
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
    raise ArgumentTypeError(name, repr(value), "must be a number")


_SIZE = re.compile(r"([0-9]+(?:\.[0-9]+)?)\s*(?:([KMGT])(I?B)?|B)?", re.IGNORECASE | re.ASCII)
_POWERS = {"K": 1, "M": 2, "G": 3, "T": 4}
_MOST_BYTES = 1 << 62
"""No machine has as many, and sums of two fit what counts them."""
_LONGEST_SIZE = 100
"""Characters."""


def byte_size(name: str, value: object) -> int:
    """Return an argument that is a number of bytes, at least one.

    Parameters
    ----------
    name : str
        Of the argument.
    value : int or str
        Bytes, also as text: ``"500M"`` and ``"500MiB"`` are of 1024 x 1024, ``"500MB"`` of a million, in any case.

    Raises
    ------
    TypeError, ValueError
        If it is no such size, less than one byte, or more than any machine has.
    """
    remedy = 'give bytes, or a number with K, M, G or T, such as "500M"'
    size: float
    if isinstance(value, str):
        found = _SIZE.fullmatch(value.strip())
        if found is None or len(value) > _LONGEST_SIZE:
            raise ArgumentValueError(name, reprlib.repr(value), "is no size", remedy)
        base = 1000 if found[3] in ("B", "b") else 1024
        size = float(found[1]) * base ** _POWERS.get((found[2] or "").upper(), 0)
    elif isinstance(value, bool) or not isinstance(value, int | np.integer):
        raise ArgumentTypeError(name, reprlib.repr(value), "is no size", remedy)
    else:
        size = int(value)
    if size < 1:
        raise ArgumentValueError(name, reprlib.repr(value), "is less than a byte", remedy)
    if size > _MOST_BYTES:
        raise ArgumentValueError(name, reprlib.repr(value), "is more than any machine has", remedy)
    return int(size)


def real_number(name: str, value: object) -> float:
    """Return an argument that is a real number as float; truth values are none, and what no float holds is infinite."""
    require_number(name, value)
    if isinstance(value, bool | np.bool_):
        raise ArgumentTypeError(name, repr(value), "must be a number")
    return number(value)


def positive_number(name: str, value: object) -> float:
    """Return an argument that is a finite number above 0."""
    found = real_number(name, value)
    if not 0 < found < math.inf:
        raise ArgumentValueError(name, f"{found:g}", "must be a number above 0")
    return found


def checked_level(level: object) -> float:
    """Return a confidence level, a number between 0 and 1."""
    found = real_number("level", level)
    if not 0 < found < 1:
        raise ArgumentValueError("level", reprlib.repr(level), "must lie between 0 and 1")
    return found


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
