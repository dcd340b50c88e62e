"""A metric as data: what the engine, the command line and a fingerprint need to know of it."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

import numpy as np
import numpy.typing as npt

from pixelgauge.checks import one_of, positive_number, whole_number

Values = Mapping[str, Any]
"""Options by name, checked."""
Pixels = npt.NDArray[Any]


@dataclass(frozen=True)
class Option:
    """A setting of a metric, said once: the command line, the check and the fingerprint come from it."""

    name: str
    """As a keyword; on the command line with dashes."""
    default: Any
    help: str
    """What it says, without the default."""
    check: Callable[[str, Any], Any]
    """Given name and value: the value to use, or an :class:`~pixelgauge.checks.ArgumentError`."""
    parse: Callable[[str], Any] | None = str
    """Value from the text of a command line, ``ValueError`` if it is none; None: a switch without a value."""
    metavar: str = "NAME"
    shown_default: str = ""
    """In words, where the value does not say it."""

    @property
    def flag(self) -> str:
        """Name on the command line."""
        return f"--{self.name.replace('_', '-')}"

    def checked(self, value: Any) -> Any:
        """Return the value to use: the default for None."""
        return self.default if value is None else self.check(self.name, value)


def at_least(least: int) -> Callable[[str, Any], int]:
    """Check of an option that is a whole number."""
    return lambda name, value: whole_number(name, value, least)


def among(names: Collection[str]) -> Callable[[str, Any], str]:
    """Check of an option that is one of some names."""
    return lambda name, value: one_of(name, value, names)


DATA_RANGE = Option(
    "data_range",
    None,
    "values are in 0..R",
    positive_number,
    float,
    "R",
    "255 at 8 bits, 65535 at 16",
)
"""Of the images, which every metric that depends on it shares."""

Family = TypeVar("Family")


@dataclass(frozen=True)
class Metric(Generic[Family]):
    """A metric, declared where its functions live and listed in the engine's registry."""

    name: str
    unit: str
    higher_is_better: bool
    digits: str
    """How to print a value: a format of a float."""
    options: tuple[Option, ...]
    family: Family
    """What prepares it, together with others of the family that are asked for."""
    needs_model: bool = False
    """Whether it needs weights and onnxruntime."""
    colour: bool = False
    """Whether it is of colour images alone."""
    undefined: str = ""
    """What it means where a value is NaN, and what to do."""
    bounds: tuple[float, float] = (-math.inf, math.inf)
    """Values that no score is below, or above."""

    @property
    def variant(self) -> Option | None:
        """The option whose value may stand behind the name, ``ssim:skimage``: the first that it has to itself."""
        return next((option for option in self.options if option is not DATA_RANGE), None)

    @property
    def base(self) -> str:
        """Name without what says a variant: ``ssim`` of ``ssim:skimage``."""
        return self.name.partition(":")[0]

    @property
    def label(self) -> str:
        """Name and unit."""
        return f"{self.name} {self.unit}" if self.unit else self.name

    def written(self, value: float | None) -> str:
        """Value with its digits; a dash if there is none."""
        return "-" if value is None else format(value, self.digits)


Asked = Sequence[tuple[Metric[Any], Values]]
"""Metrics of one family, each with its options; a metric may be there several times, by names of its variants."""
Result = npt.NDArray[np.float64] | Exception
"""Values of a batch, or what made a metric refuse it."""


def attempted(calls: Mapping[str, Callable[[], float | npt.NDArray[np.float64]]]) -> dict[str, Result]:
    """Call each metric by itself: one that refuses a batch does not stop the others."""
    results: dict[str, Result] = {}
    for name, call in calls.items():
        try:
            results[name] = np.asarray(call())
        except Exception as error:
            results[name] = error
    return results


class Scorer(Protocol):
    """Metrics of one family, ready: what they need is loaded."""

    @property
    def made_with(self) -> Mapping[str, str]:
        """By metric: what decides its digits beyond its options, such as a model and its weights."""

    def together(self, x: Pixels) -> int:
        """Pairs of images like these that are best scored in one call, 1 where more are of no use.

        A pair's values must not depend on the others of the call.
        """

    def __call__(self, x: Pixels, y: Pixels) -> Mapping[str, Result]:
        """Score a batch of pairs, (N, H, W, C) each, C of 1 or 3: values by metric."""


class PairFamily(Protocol):
    """Metrics of pairs of images that share their work."""

    def prepare(self, asked: Asked) -> Scorer:
        """Load what the metrics need; an error says what is missing and how to get it."""
