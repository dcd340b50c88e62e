"""Results as small tables in a notebook: the figures of the text, digit by digit, and nothing that is loaded or run."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any, TypeVar

import numpy as np

from pixelgauge.markup import Markup, element, escape, name, table

MOST_LINES = 20
"""Rows of a table, and entries of a mapping: what is left out is counted."""
_MOST_VALUES = 6
"""Of a vector, half from either end."""

Result = TypeVar("Result", bound=type)


def in_notebooks(kind: Result) -> Result:
    """Let a dataclass or named tuple be shown as a table of its fields.

    Examples
    --------
    >>> from typing import NamedTuple
    >>> @in_notebooks
    ... class Share(NamedTuple):
    ...     of: str
    ...     value: float
    >>> Share("<b>", 0.1)._repr_html_()
    '<table><caption>Share</caption><tbody><tr><th scope="row">of</th><td><bdi>&lt;b&gt;</bdi></td></tr><tr><th ...
    """
    kind._repr_html_ = lambda self: str(facts(kind.__name__, dict(_fields(self))))  # type: ignore[attr-defined]
    return kind


def facts(caption: object, values: Mapping[str, object]) -> Markup:
    """Table of values by name."""
    return table([], [(key, figure(value)) for key, value in values.items()], caption)


def figure(value: object) -> Markup:
    """One value as text would show it: all digits of a number, a long vector by its ends, a record in a line."""
    if isinstance(value, Markup):
        return value
    if isinstance(value, np.ndarray):
        whole = value.ndim <= 1
        shown = np.array2string(value, threshold=_MOST_VALUES, edgeitems=_MOST_VALUES // 2) if whole else ""
        return escape(shown or f"{value.shape} {value.dtype}")
    if isinstance(value, Mapping):
        return _joined(((name(key), figure(of)) for key, of in value.items()), len(value))
    if _is_record(value):
        return _joined((escape(key), figure(of)) for key, of in _fields(value))
    return escape(value) if value is None or isinstance(value, int | float | np.number) else name(value)


def more(rows: int, what: str = "more") -> Markup:
    """Say how many rows a table leaves out; nothing where it leaves none out."""
    left = rows - MOST_LINES
    return element("p", f"… and {left} {what}") if left > 0 else Markup()


def _joined(parts: Iterator[tuple[Markup, Markup]], count: int = 0) -> Markup:
    left = count - MOST_LINES
    said = [Markup("{} {}").format(key, of) for key, of in islice(parts, MOST_LINES if left > 0 else None)]
    return Markup(", ").join([*said, *([f"… and {left} more"] if left > 0 else [])])


def _is_record(value: Any) -> bool:
    return hasattr(value, "_fields") or (dataclasses.is_dataclass(value) and not isinstance(value, type))


def _fields(record: Any) -> Iterator[tuple[str, object]]:
    names = getattr(record, "_fields", None) or [field.name for field in dataclasses.fields(record) if field.repr]
    return ((key, getattr(record, key)) for key in names)
