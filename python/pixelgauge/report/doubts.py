"""Figures that may be refused, and what is to be said of them: doubts beside a figure, the refusal in its place."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

Result = TypeVar("Result")


@dataclass(frozen=True)
class Found(Generic[Result]):
    """What was computed, or None; and what was warned of, or why there is nothing."""

    value: Result | None
    said: str = ""


def found(compute: Callable[[], Result]) -> Found[Result]:
    """Compute something that may be refused."""
    with warnings.catch_warnings(record=True) as doubts:
        warnings.simplefilter("always")
        try:
            value = compute()
        except ValueError as error:
            return Found(None, str(error))
    return Found(value, "; ".join(dict.fromkeys(str(doubt.message) for doubt in doubts)))
