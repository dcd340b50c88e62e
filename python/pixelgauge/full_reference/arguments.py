"""What the metrics of pairs share: results, choices, numbers, and what an error says of axes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from pixelgauge import _core
from pixelgauge.checks import ArgumentValueError, number, one_of
from pixelgauge.images import Images

Float64Array = npt.NDArray[np.float64]
Score = float | Float64Array

DataRange = float | Sequence[float] | None

_T = TypeVar("_T")


def result_of(scores: Float64Array, single: bool) -> Score:
    """Return one score as a float, those of a batch as they are."""
    return float(scores[0]) if single else scores


def choice(kind: type[_T], argument: str, value: object) -> _T:
    """Member of an enum by its name, or a ``ValueError`` that lists them."""
    members: dict[str, _T] = kind.__members__  # type: ignore[attr-defined]
    return members[one_of(argument, value, members)]


def number_of(argument: str, value: object) -> float:
    """Read an argument as a float, or raise a ``TypeError`` that names it."""
    try:
        return number(value)
    except (TypeError, ValueError) as error:
        raise TypeError(f"{argument}={value!r} must be a number") from error


def numbers_of(argument: str, values: Sequence[float]) -> list[float]:
    """Read an argument of several numbers as floats."""
    numbers = []
    for value in values:
        try:
            numbers.append(number(value))
        except (TypeError, ValueError) as error:
            raise TypeError(f"{argument} holds {value!r}: each must be a number") from error
    return numbers


def explain_axes(error: ArgumentValueError, images: Images) -> None:
    """Raise `error` with how the axes were read, where the channels outnumber a side: they are likely elsewhere."""
    _, height, width, channels = images.pixels.shape
    if channels > min(height, width):
        seen = f"The images were read as {height} x {width} with {channels} channels"
        advice = "set channel_axis to the axis of the channels, or to None if there is none"
        if error.remedy:
            raise error.but(remedy=f"{error.remedy}. {seen}: {advice}") from error
        raise error.but(problem=f"{error.problem}. {seen}", remedy=advice) from error


def range_of(name: str, pixels: npt.NDArray[np.generic], remedy: str) -> tuple[float, float]:
    """Smallest and largest value of images, or an error that names them where one is NaN or infinite."""
    try:
        return _core.value_range(pixels)
    except ArgumentValueError as error:
        raise error.but(argument=name, problem=f"{name}: {error.problem}", remedy=remedy) from error


def require_inside(a: Images, b: Images, data_range: DataRange, preset: str) -> None:
    """Raise a ``ValueError`` if a value lies outside of the (low, high) range that a preset clips to."""
    low, high = map(number, data_range)  # type: ignore[arg-type]
    for name, images in (("x", a), ("y", b)):
        least, most = range_of(name, images.pixels, "remove or replace such values first")
        if least < low or most > high:
            raise ValueError(
                f"{name} has values in {least:g}..{most:g}, outside data_range={data_range!r}, which preset {preset!r} "
                "clips to: clip the images, or correct the range"
            )
