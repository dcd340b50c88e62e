"""What a decision makes of two classes: a bar each, cut at what is called positive."""

from __future__ import annotations

from pixelgauge.markup import Markup
from pixelgauge.report.charts.frame import TEXT, Size, picture
from pixelgauge.report.charts.svg import element, label

_SIZE = Size(320, 118, "chart chart-small")
_BAR = 20.0


def outcomes(positives: tuple[float, float], negatives: tuple[float, float], *, title: str) -> Markup:
    """Draw how many of each class are called positive and negative.

    Parameters
    ----------
    positives, negatives : (float, float)
        Of each class: those that are decided right, and those that are decided wrong.
    title : str
        The chart's accessible name.

    Returns
    -------
    Markup
        An element ``svg``: what is right is filled, what is wrong is an outline.
    """
    marks: list[Markup] = []
    told = []
    sides = (("positives", "found", "missed", positives), ("negatives", "left alone", "false alarms", negatives))
    for i, (whose, good, bad, (right, wrong)) in enumerate(sides):
        y = 4.0 + i * 60
        total = right + wrong
        share = right / total if total else 0.0
        width = _SIZE.width - 4
        marks.append(label(2, y + TEXT, f"{right:,.0f} {good}", role="chart-value"))
        marks.append(label(_SIZE.width - 2, y + TEXT, f"{wrong:,.0f} {bad}", anchor="end", role="chart-key"))
        look = "chart-outcome chart-of-"
        edge = 2 + width * share
        y += TEXT + 6
        marks.append(element("rect", x=2.0, y=y, width=width * share, height=_BAR, class_=f"{look}{2 - i} chart-right"))
        wrong_bar = element("rect", x=edge, y=y, width=width * (1 - share), height=_BAR, class_=f"{look}{2 - i}")
        marks.append(wrong_bar)
        told.append(f"Of {total:,.0f} {whose} {right:,.0f} are {good} ({share:.1%}), {wrong:,.0f} {bad}.")
    return picture(_SIZE, title, " ".join(told), *marks)
