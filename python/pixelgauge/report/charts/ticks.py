"""Round numbers along an axis, 1, 2 or 5 times a power of ten, and the digits that tell them apart."""

from __future__ import annotations

import math
from collections.abc import Sequence

_FEW_DIGITS = range(1, 17)
_PLAIN = (1e-4, 1e7)
"""Magnitudes that are written without an exponent."""


def round_step(span: float, most: int) -> float:
    """Return the least step of 1, 2 or 5 times a power of ten that cuts a span into at most so many parts."""
    least = span / most
    if not 0 < least < math.inf:
        return 0.0
    exponent = math.floor(math.log10(least))
    for mantissa in (1, 2, 5, 10, 20):
        step = mantissa * 10.0**exponent if exponent > -300 else float(f"{mantissa}e{exponent}")
        if step >= least * (1 - 1e-9):
            return step
    return 0.0


def round_numbers(low: float, high: float, most: int = 6) -> list[float]:
    """Round numbers from low to high, ends included; the ends themselves where floats lie no closer."""
    step = round_step(high - low, most)
    if step < 1e-300 or max(abs(low), abs(high)) / step > 2**52:
        return [low, high] if low < high else [low]
    first, last = math.floor(low / step), math.ceil(high / step)
    # a division, where the step is below one, gives the float that the decimal names
    by, of = (step, 1.0) if step >= 1 or step < 1e-15 else (1.0, float(f"{1 / step:.0f}"))
    room = 1e-9 * (high - low)
    return [value for i in range(first, last + 1) if low - room <= (value := i * by / of) <= high + room]


def written(values: Sequence[float]) -> list[str]:
    """Write numbers that stand along one axis: alike, and with as many digits as tell them apart."""
    finite = [abs(value) for value in values if value != 0 and math.isfinite(value)]
    if not finite:
        return [_signed(f"{value:g}") for value in values]
    if _PLAIN[0] <= max(finite) < _PLAIN[1]:
        for decimals in range(17):
            texts = [f"{value:,.{decimals}f}" for value in values]
            if all(_equal(text, value, values) for text, value in zip(texts, values, strict=True)):
                return [_signed(text) for text in texts]
    for digits in _FEW_DIGITS:
        texts = [f"{value:.{digits}g}" for value in values]
        if all(_equal(text, value, values) for text, value in zip(texts, values, strict=True)):
            break
    return [_signed(text.replace("e+0", "e").replace("e-0", "e-").replace("e+", "e")) for text in texts]


def _equal(text: str, value: float, values: Sequence[float]) -> bool:
    """Whether a text is the number, but for a thousandth of what the numbers are apart."""
    room = max(values) / 1000 - min(values) / 1000 or abs(value) * 1e-9
    return abs(float(text.replace(",", "")) - value) <= room / max(1, len(values) - 1)


def _signed(text: str) -> str:
    return text.replace("-", "−", 1) if text.startswith("-") else text


def figure(value: float, digits: str = ".4g") -> str:
    """Write one number for reading, with a format of Python's."""
    if math.isnan(value):
        return "not a number"
    if math.isinf(value):
        return "∞" if value > 0 else "−∞"
    return _signed(format(value, digits))
