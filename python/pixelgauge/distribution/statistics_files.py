"""Fields of a statistics file, each of the kind and shape that it must have, or a ``ValueError`` that names it."""

from __future__ import annotations

import math
import sys
from typing import BinaryIO

import numpy as np
import numpy.typing as npt

from pixelgauge.files.archive import read_arrays
from pixelgauge.files.pickles import read_arrays_pickle
from pixelgauge.files.reading import FileError
from pixelgauge.images import Array

Float64Array = npt.NDArray[np.float64]

MOST_SAMPLES = 2**53
"""Of one state: float64 still tells their sums from the next."""
_LARGEST = 1e160
"""Beyond sums of squares of 2^53 features of at most 1e70."""


def fields_of(file: BinaryIO, name: str) -> dict[str, Array]:
    """Arrays of a statistics file by name."""
    try:
        return read_arrays(file, name)
    except FileError as error:
        raise FileError(name, f"is not a readable .npz statistics file: it {error.reason}", error.remedy) from error


def pickled_moments(path: str) -> dict[str, Array]:
    """Arrays ``mu`` and ``sigma`` of a pickle that is a dict of them or, as EDM2's, of such dicts with one "fid".

    Raises
    ------
    FileError
        If it is damaged, asks for anything but arrays, or holds neither.
    OSError
        If it cannot be opened.
    """
    found = read_arrays_pickle(path)
    inner = found.get("fid")
    held = inner if isinstance(inner, dict) else found
    moments = {what: held.get(what) for what in ("mu", "sigma")}
    if not all(isinstance(value, np.ndarray) for value in moments.values()):
        names = ", ".join(map(str, found)) or "nothing"
        raise FileError(path, f"is a pickle that holds {names}", "statistics are a dict of arrays mu and sigma")
    return {what: np.asarray(value) for what, value in moments.items()}


def text(fields: dict[str, Array], what: str) -> str | None:
    """Text of a field, None where there is none."""
    if what not in fields:
        return None
    if fields[what].dtype.kind != "U" or fields[what].ndim:
        raise ValueError(f"its {what} is {fields[what].shape} of {fields[what].dtype}, and should be one text")
    return str(fields[what])


def whole(fields: dict[str, Array], what: str, least: int) -> int:
    """Whole number of a field, which must be there."""
    if what not in fields:
        raise ValueError(f"it has no {what}")
    if fields[what].dtype.kind not in "iu" or fields[what].ndim:
        raise ValueError(f"its {what} is {fields[what].shape} of {fields[what].dtype}, and should be one integer")
    value = int(fields[what])
    if not least <= value <= MOST_SAMPLES:
        raise ValueError(f"its {what} is {value}, and should be from {least} to 2^53")
    return value


def numbers(fields: dict[str, Array], what: str, shape: tuple[int, ...]) -> Float64Array:
    """Finite float64 of the shape that is expected; nothing is cast, and nothing allocated before."""
    array = fields[what]
    if array.dtype.newbyteorder("=") != np.float64 or array.shape != shape:
        raise ValueError(f"its {what} is {array.shape} of {array.dtype}, and should be {shape} of float64")
    largest = float(np.abs(array).max(initial=0))
    # moments alone are added to nothing: what was given and is finite may come back
    if not largest <= (_LARGEST if "count" in fields else sys.float_info.max):
        raise ValueError(
            f"its {what} is not finite" if not math.isfinite(largest) else f"its {what} holds {largest:.3g}"
        )
    return np.ascontiguousarray(array, np.float64)
