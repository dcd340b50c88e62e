"""Charts in a page: a figure each with its heading and what is to be known of it, side by side where there is room."""

from __future__ import annotations

from pixelgauge.markup import Markup, element


def figure(chart: Markup, heading: object, note: object = "") -> Markup:
    """Put a chart below its heading.

    Parameters
    ----------
    chart : Markup
    heading : str or Markup
    note : str or Markup, optional
        A sentence below the heading.
    """
    said = element("p", note) if note else ""
    caption = element("figcaption", element("strong", heading), said)
    return element("figure", caption, chart, class_="chart-figure")


def side_by_side(*figures: Markup, small: bool = False) -> Markup:
    """Put figures beside each other, as many as have room; small multiples of one kind closer together."""
    return element("div", *figures, class_="charts charts-small" if small else "charts")
