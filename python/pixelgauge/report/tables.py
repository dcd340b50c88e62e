"""Tables and lists of figures as a page lays them out: what is wider than a screen scrolls by itself."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from pixelgauge.markup import Markup, element, table


def scrolled(heads: Sequence[object], rows: Iterable[Sequence[object]], class_: str = "scroll") -> Markup:
    """Table that scrolls by itself where the page is narrow, by keys too; see :func:`pixelgauge.markup.table`."""
    return element("div", table(heads, rows), class_=class_, tabindex=0, role="group", aria_label="Table")


def figure_list(figures: Iterable[tuple[str, str, str]]) -> Markup:
    """Lay out large figures: of each what it is, the figure, and a class or nothing."""
    listed = (
        element("div", element("dt", what), element("dd", said), class_=look or None) for what, said, look in figures
    )
    return element("dl", *listed, class_="figures")
