"""Cells of a table as scores and labels: numbers value for value, missing ones by their markers, classes by number.

Blocks of cells are converted in bulk where float64 holds all of them, and one by one where it would round or refuse.
"""

from __future__ import annotations

import math
import re
import sys
from collections.abc import Callable, Sequence
from typing import Any, Literal, Never

import numpy as np

from pixelgauge.files.npy import Array
from pixelgauge.files.reading import shown

Missing = Literal["error", "drop", "keep"]
"""A missing cell is an error, or leaves its row out; with `keep` a text such as None is a class, an empty one never."""
Refuse = Callable[[int, str, str], Never]
"""Raises for a row: its number, what is wrong with it, and what to do."""

MARKERS = frozenset((
    "", "#n/a", "#n/a n/a", "#na", "-1.#ind", "-1.#qnan", "-nan", "1.#ind", "1.#qnan", "+nan", "<na>", "n/a", "na",
    "null", "nan", "none",
))  # fmt: skip
"""Texts that stand for a missing value, in any case: those of pandas."""
DASH = "-"
"""Stands for a missing value among numbers, and is a class among texts, where its partner is often +."""

MOST_CLASSES = 1 << 16
"""Labels of a column that may differ: what has more is no column of labels, and would take memory by the name."""
EXACT = 2**53
"""Up to here float64 holds every integer."""
_WHOLE = re.compile(r"[+-]?[0-9]+(\.0*)?")
_FILL = "remove the row, fill it in, or leave out such rows by --missing drop"


def number(value: object) -> float | None:
    """Value of a cell, if it is a number that float64 or an integer holds; Python's 1_000 is not one."""
    if isinstance(value, int):
        return value if abs(value) <= sys.float_info.max else None
    if not isinstance(value, str | float):
        return None
    text = value.strip() if isinstance(value, str) else ""  # of all blanks, some of which `float` does not know
    try:
        found = None if "_" in text else float(text or value)
    except ValueError:
        return None
    if found is None or not isinstance(value, str):
        return found
    if math.isinf(found) and "n" not in text.lower():  # 1e999, beyond any float; "inf" is one
        return None
    whole = _WHOLE.fullmatch(text)
    if whole is None:
        return found
    try:
        exact = int(text.partition(".")[0])
    except ValueError:  # more digits than Python converts, such as zeros before a number
        return found
    # 1.0 stays a float, unless float64 would round it
    return exact if exact != found or whole[1] is None else found


def is_missing(value: object) -> bool:
    """Whether a cell stands for no value."""
    if isinstance(value, str):
        return value.strip().lower() in MARKERS
    return value is None or (isinstance(value, float) and math.isnan(value))


def numeric(values: Sequence[Any]) -> Array:
    """Integers and floats, none NaN, in a dtype that holds them exactly: of objects where no other does."""
    kinds = set(map(type, values))
    if kinds <= {bool}:
        return np.array(values, bool)
    if kinds <= {bool, int}:
        low, high = min(values), max(values)
        if low >= -(2**63) and high < 2**63:
            return np.array(values, np.int64)
        if low >= 0 and high < 2**64:
            return np.array(values, np.uint64)
    elif all(isinstance(v, float) or abs(v) <= EXACT for v in values):
        return np.array(values, np.float64)
    array = np.empty(len(values), object)
    array[:] = values
    return array


def joined(parts: Sequence[Array]) -> Array:
    """Blocks of numbers as one column, value for value."""
    if not parts:
        return np.empty(0)
    kinds = {part.dtype for part in parts}
    if len(kinds) > 1 and not all(part.dtype.kind == "f" or _small(part) for part in parts):
        return np.concatenate([part.astype(object) for part in parts])
    return np.concatenate(parts)


def _small(part: Array) -> bool:
    """Whether float64 holds each."""
    if part.dtype.kind == "b":
        return True
    return part.dtype.kind in "iu" and (part.size == 0 or (int(part.max()) <= EXACT and int(part.min()) >= -EXACT))


def _text(cell: Any) -> Any:
    return cell.decode() if isinstance(cell, bytes) else cell


class Scores:
    """A column of numbers, block by block."""

    def __init__(self, name: str, missing: Missing, refuse: Refuse) -> None:
        self._name, self._missing, self._refuse = name, missing, refuse
        self._parts: list[Array] = []

    def add(self, cells: Sequence[Any], rows: Sequence[int]) -> Array | None:
        """Convert a block: bytes in UTF-8, or values of JSON. Return where it is not missing, None if everywhere."""
        found = _in_bulk(cells)
        if found is not None:
            self._parts.append(found)
            return None
        values: list[Any] = []
        kept = np.ones(len(cells), bool)
        for at, cell in enumerate(map(_text, cells)):
            value = number(cell)
            if value is not None and value == value:
                values.append(value)
                continue
            missing = is_missing(cell) or (isinstance(cell, str) and cell.strip() == DASH)
            if not (missing and self._missing == "drop"):
                rest = _FILL if missing else "give a number, or remove the row"
                self._refuse(rows[at], f"column {self._name!r}: {_quoted(cell)} is not a score", rest)
            kept[at] = False
        self._parts.append(numeric(values))
        return None if kept.all() else kept

    def keep(self, kept: Array, missing: Array | None) -> None:
        """Leave out rows of the last block, of which `missing` has left out some already."""
        self._parts[-1] = self._parts[-1][kept if missing is None else kept[missing]]

    def values(self) -> Array:
        """All numbers."""
        return joined(self._parts)


def _in_bulk(cells: Sequence[Any]) -> Array | None:
    """Convert numbers all at once; None where one is none, or float64 might round it."""
    kinds = set(map(type, cells))
    if kinds == {bytes}:
        if b"_" in b"".join(cells):  # Python's 1_000
            return None
        try:
            return np.array(list(map(int, cells)), np.int64)
        except (ValueError, OverflowError):
            pass
    elif kinds == {int}:
        try:
            return np.array(cells, np.int64)
        except OverflowError:
            return None
    elif not kinds <= {float, int}:
        return None
    try:
        found = np.fromiter(map(float, cells), np.float64, len(cells))
    except (ValueError, OverflowError):
        return None
    # NaN compares false; whole numbers of bytes were met above, unless they stand beside others
    return found if bool((np.abs(found) < EXACT).all()) else None


def _quoted(cell: object) -> str:
    return shown(repr(cell))


class Labels:
    """A column of classes, block by block: the distinct labels, and the number of each row's."""

    def __init__(self, name: str, missing: Missing, refuse: Refuse) -> None:
        self._name, self._missing, self._refuse = name, missing, refuse
        self._known: dict[Any, int] = {}
        self._codes: dict[tuple[bool, Any], int] = {}
        self._classes: list[Any] = []
        self._first: list[int] = []
        self._parts: list[Array] = []

    def add(self, cells: Sequence[Any], rows: Sequence[int]) -> Array | None:
        """Count a block: bytes in UTF-8, or values of JSON. Return where it is not missing, None if everywhere."""
        try:
            new = set(cells).difference(self._known)
        except TypeError:  # a list or an object of JSON
            at, cell = next((at, cell) for at, cell in enumerate(cells) if isinstance(cell, list | dict))
            self._refuse_kind(cell, rows[at])
        for cell, row in zip(cells, rows, strict=True):  # in their order, so that the first bad row is named
            if not new:
                break
            if cell in new:
                new.remove(cell)
                self._known[cell] = self._code(_text(cell), row)
        codes = np.fromiter(map(self._known.__getitem__, cells), np.int32, len(cells))
        self._parts.append(codes)
        kept: Array = codes >= 0
        return None if kept.all() else kept

    def add_coded(self, distinct: Sequence[Any], rows: Sequence[int], places: Array) -> None:
        """Count a block given as its distinct labels, a row of each, and the place among them of each row's."""
        self.add(distinct, rows)
        self._parts[-1] = self._parts[-1][places]

    def known(self) -> Array | None:
        """Make all blocks one; return where it is not missing, None if everywhere."""
        self._parts = [np.concatenate(self._parts)]
        kept: Array = self._parts[0] >= 0
        return None if kept.all() else kept

    def _code(self, value: Any, row: int) -> int:
        """Return the number of a label that was not met in this spelling, -1 where it is missing."""
        if isinstance(value, str):
            value = value.strip()
        elif value is not None and not isinstance(value, int | float):
            self._refuse_kind(value, row)
        nameable = isinstance(value, str) and value != ""
        if is_missing(value) and not (nameable and self._missing == "keep"):
            if self._missing == "drop":
                return -1
            rest = f"{_FILL}, or make it a class by --missing keep" if nameable else _FILL
            self._refuse(row, f"column {self._name!r}: {_quoted(value)} is not a label", rest)
        key = (isinstance(value, str), value)
        if key in self._codes:
            return self._codes[key]
        if nameable and not (value[0].isprintable() and value[-1].isprintable()):
            self._refuse(row, f"column {self._name!r}: {_quoted(value)} begins or ends unseen", "remove that character")
        if len(self._known) >= MOST_CLASSES:
            what = f"column {self._name!r} holds more than {MOST_CLASSES} different labels"
            self._refuse(row, what, "name the column of classes by --label")
        self._classes.append(value)
        self._first.append(row)
        self._codes[key] = len(self._codes)
        return self._codes[key]

    def _refuse_kind(self, value: object, row: int) -> Never:
        self._refuse(row, f"column {self._name!r}: {_quoted(value)} is not a label", "use numbers or text")

    def keep(self, kept: Array) -> None:
        """Leave out rows of the last block."""
        self._parts[-1] = self._parts[-1][kept]

    def values(self) -> tuple[Array, list[str] | None, Array | None]:
        """Numbers, or the places of texts and these texts; and which rows are left, None if all.

        Texts that are all numbers are numbers: 1 and 1.0 are one class. Text beside numbers is refused.
        """
        codes = np.concatenate(self._parts) if self._parts else np.empty(0, np.int32)
        texts = [value for value in self._classes if isinstance(value, str)]
        if texts and len(texts) < len(self._classes):
            at = next(i for i, value in enumerate(self._classes) if not isinstance(value, str))
            self._refuse_mixed(at, f"holds text, and {self._classes[at]!r}")
        if not texts:
            return (numeric(self._classes)[codes] if self._classes else codes), None, None
        numbers = [number(text) for text in texts]
        numbers = [None if value != value else value for value in numbers]  # a class that is called NaN
        known = [value for value in numbers if value is not None]
        if not known:
            return codes, texts, None
        kept = None
        for at, value in enumerate(numbers):
            if value is not None:
                continue
            if texts[at] != DASH or self._missing == "keep":
                self._refuse_mixed(at, f"holds numbers, and {_quoted(texts[at])}")
            if self._missing == "error":
                self._refuse(self._first[at], f"column {self._name!r}: {DASH!r} is not a label", _FILL)
            kept = codes != at
            numbers[at] = known[0]  # of rows that are left out
        values = numeric(numbers)[codes]
        return (values if kept is None else values[kept]), None, kept

    def _refuse_mixed(self, at: int, what: str) -> Never:
        rest = "use one kind of labels, all of them known"
        self._refuse(self._first[at], f"column {self._name!r}, {what}", rest)
