"""Numbers and names as a report writes them: digits of their metric, thousands apart, names of strangers isolated."""

from __future__ import annotations

import math
from typing import Any

from pixelgauge.files.reading import cut, shown
from pixelgauge.markup import Markup, element
from pixelgauge.metric import Metric

MOST_NAME = 72
"""Characters of a name that stand in the page; the whole is its title."""
MOST_WHOLE = 4096
"""Characters of a whole name: of one whose every character is escaped the middle is left out."""


def score(metric: Metric[Any], value: float | None) -> str:
    """Score with its metric's digits; a dash where there is none."""
    if value is None:
        return "–"
    if math.isinf(value):
        return "∞" if value > 0 else "−∞"
    return metric.written(value).replace("-", "−")


def change(metric: Metric[Any], value: float) -> str:
    """Change of a score, with its sign."""
    return score(metric, value) if value < 0 or math.isnan(value) else f"+{score(metric, value)}"


def counted(count: int, one: str, many: str = "") -> str:
    """Say how many of something there are."""
    return f"{count:,} {one if count == 1 else many or f'{one}s'}"


def name(text: str, most: int = MOST_NAME) -> Markup:
    """Name of a stranger's: one line, its direction kept to itself, the whole in its title where it is cut."""
    whole = shown(text, MOST_WHOLE)
    return element("bdi", cut(whole, most), title=whole if len(whole) > most else None)


def pair_name(names: tuple[str | None, str | None], most: int = MOST_NAME) -> Markup:
    """Name both, or the one if they are equal or one is missing."""
    first, second = in_line(names)
    return name(first, most) if second is None else Markup("{} → {}").format(name(first, most), name(second, most))


def in_line(names: tuple[str | None, str | None], most: int = MOST_WHOLE) -> tuple[str, str | None]:
    """Names as text of a line, each of at most so many characters: one where they are equal or one is missing."""
    ref, test = names
    if ref is None or test is None or ref == test:
        return shown(ref or test or "", most), None
    return shown(ref, most), shown(test, most)
