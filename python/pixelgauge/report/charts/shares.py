"""Parts of a whole as bars below each other, each with its name and its share."""

from __future__ import annotations

from collections.abc import Mapping

from pixelgauge.markup import Markup
from pixelgauge.report.charts.frame import TEXT, Size, picture, shortened, text_width
from pixelgauge.report.charts.svg import element, label
from pixelgauge.report.charts.ticks import figure

_WIDTH, _ROW, _BAR = 440.0, 48.0, 14.0


def share_bars(parts: Mapping[str, float], *, title: str) -> Markup:
    """Draw parts that add up to a whole.

    Parameters
    ----------
    parts : mapping of str to float
        None below 0.
    title : str
        The chart's accessible name.

    Returns
    -------
    Markup
        An element ``svg``.
    """
    total = sum(parts.values()) or 1.0
    marks, told = [], []
    for i, (name, value) in enumerate(parts.items()):
        y = 6 + i * _ROW
        written = f"{figure(value, '.5g')}, {value / total:.0%}"
        marks.append(label(2.0, y + TEXT, shortened(name, _WIDTH - text_width(written) - 20), role="chart-key"))
        marks.append(label(_WIDTH - 2, y + TEXT, written, anchor="end", role="chart-value"))
        y += TEXT + 6
        width = _WIDTH - 4
        marks.append(element("rect", x=2.0, y=y, width=width, height=_BAR, class_="chart-outcome chart-of-1"))
        filled = max(0.0, width * value / total)
        marks.append(
            element("rect", x=2.0, y=y, width=filled, height=_BAR, class_="chart-outcome chart-of-1 chart-right")
        )
        told.append(f"{name} {written}")
    return picture(Size(_WIDTH, 6 + _ROW * len(parts), "chart"), title, "; ".join(told), *marks)
