"""The frame of a chart: its size, axes, grid and names, and the elements that a reader of the screen is told of.

Sizes are of the picture's own units. A chart of 440 is 328 pixels wide on a phone of 360, where text of 13.5 has 10.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from textwrap import wrap

import numpy as np
import numpy.typing as npt

from pixelgauge.markup import Markup
from pixelgauge.report.charts.scales import Scale, Values
from pixelgauge.report.charts.svg import Points, element, isolated, label

TEXT = 13.5
"""Height of the text on the smallest screen."""
_LETTER = 0.6 * TEXT
"""Room of a digit."""


@dataclass(frozen=True)
class Size:
    """Width and height of a chart, and its class."""

    width: float
    height: float
    name: str


NORMAL = Size(440, 280, "chart")
SQUARE = Size(440, 420, "chart")
SMALL = Size(320, 200, "chart chart-small")


@dataclass(frozen=True)
class Rule:
    """A line across the chart at a number, such as a limit."""

    value: float
    name: str


def text_width(text: str) -> float:
    """Room that a text takes at most, or nearly."""
    return _LETTER * len(text)


def shortened(text: str, room: float) -> str:
    """Cut a text to a width, at its end."""
    fits = max(1, int(room / _LETTER))
    return text if len(text) <= fits else f"{text[: fits - 1]}…"


def picture(size: Size, title: str, description: str, *marks: Markup) -> Markup:
    """Make the whole picture.

    Parameters
    ----------
    size : Size
    title : str
        Its accessible name.
    description : str
        What it shows, in numbers.
    *marks : Markup
    """
    return element(
        "svg",
        element("title", isolated(title)),
        element("desc", isolated(description, 1000)),
        *marks,
        class_=size.name,
        role="img",
        viewBox=f"0 0 {size.width:g} {size.height:g}",
        xmlns="http://www.w3.org/2000/svg",
    )


def empty_picture(size: Size, title: str, reason: str) -> Markup:
    """Make a picture of nothing, which says why there is nothing to draw."""
    said = f"There is nothing to draw: {reason}."
    lines = wrap(said, max(1, int((size.width - 20) / _LETTER)))
    first = size.height / 2 - (len(lines) - 1) * (TEXT + 5) / 2
    marks = [
        label(size.width / 2, first + i * (TEXT + 5), line, anchor="middle", role="chart-name")
        for i, line in enumerate(lines)
    ]
    return picture(size, title, said, *marks)


@dataclass(frozen=True)
class Key:
    """What stands for a name above the chart: a mark, drawn around a place, and the name."""

    name: str
    mark: Markup
    """Around (0, 0), at most 22 wide and 12 high."""
    note: str = ""
    """After the name."""


class Frame:
    """Axes around a field of points.

    Parameters
    ----------
    size : Size
    x, y : Scale
    x_title, y_title : str
        Names of the axes; the vertical one stands above its axis, to be read without turning the head.
    keys : sequence of Key
        What stands for what, above the chart.
    rules : sequence of Rule
        Lines at numbers of the horizontal axis; their names stand above the field.
    """

    def __init__(
        self,
        size: Size,
        x: Scale,
        y: Scale,
        *,
        x_title: str,
        y_title: str,
        keys: Sequence[Key] = (),
        rules: Sequence[Rule] = (),
    ) -> None:
        self.size, self.x, self.y = size, x, y
        self._x_title, self._y_title = (shortened(title, size.width - 20) for title in (x_title, y_title))
        self._keys = [(left, row, key) for left, row, key in _laid_out(keys, size.width)]
        rows = 1 + max((row for _, row, _ in self._keys), default=-1)
        self.left = 10 + max((text_width(text) for _, text in y.ticks), default=0)
        self.right = size.width - 14
        self._rules = self._placed([Rule(rule.value, shortened(rule.name, size.width / 2)) for rule in rules])
        self._names = (TEXT + 3) * (1 + max((row for *_, row in self._rules), default=-1))
        self.top = 17 + (TEXT + 7) * (rows + bool(y_title)) + self._names
        self.bottom = size.height - 10 - TEXT - (TEXT + 7 if x_title else 0)

    def across(self, values: npt.ArrayLike) -> Values:
        """Places of numbers along the horizontal axis."""
        return np.asarray(self.left + self.x.place(values) * (self.right - self.left))

    def up(self, values: npt.ArrayLike) -> Values:
        """Places of numbers along the vertical axis."""
        return np.asarray(self.bottom - self.y.place(values) * (self.bottom - self.top))

    def points(self, x: npt.ArrayLike, y: npt.ArrayLike) -> Points:
        """Places of points, (N, 2)."""
        return np.stack([self.across(x), self.up(y)], axis=1)

    def axes(self) -> list[Markup]:
        """Grid, axes, numbers and names."""
        marks = []
        for value, text in self.y.ticks:
            y = float(self.up([value])[0])
            marks.append(element("path", d=f"M{self.left:.2f} {y:.2f}H{self.right:.2f}", class_="chart-grid"))
            marks.append(label(self.left - 6, y + 0.35 * TEXT, text, anchor="end", role="chart-tick"))
        marks.append(element("path", d=f"M{self.left:.2f} {self.bottom:.2f}H{self.right:.2f}", class_="chart-axis"))
        for value, text in self._fitting_ticks():
            x = float(self.across([value])[0])
            marks.append(element("path", d=f"M{x:.2f} {self.bottom:.2f}v4", class_="chart-axis"))
            half = text_width(text) / 2
            inside = min(max(x, half + 2), self.size.width - half - 2)
            marks.append(label(inside, self.bottom + 5 + TEXT, text, anchor="middle", role="chart-tick"))
        if self._x_title:
            marks.append(label(self.right, self.size.height - 7, self._x_title, anchor="end", role="chart-name"))
        if self._y_title:
            marks.append(label(2, self.top - self._names - 14, self._y_title, role="chart-name"))
        for left, row, key in self._keys:
            y = 14 + row * (TEXT + 7)
            marks.append(element("g", key.mark, transform=f"translate({left + 13:.2f} {y:.2f})"))
            room = self.size.width - left - 32 - text_width(key.note)
            name = Markup("{} ").format(isolated(shortened(key.name, room))) + element("tspan", key.note)
            marks.append(label(left + 30, y + 0.35 * TEXT, name, role="chart-key"))
        return marks

    def rules(self) -> list[Markup]:
        """Lines across the field, each with its name above it."""
        marks = []
        for rule, x, anchor, row in self._rules:
            y = self.top - 5 - row * (TEXT + 3)
            beside = 5 if anchor == "start" else -5
            marks.append(element("path", d=f"M{x:.2f} {self.bottom:.2f}V{y - TEXT + 3:.2f}", class_="chart-rule"))
            marks.append(label(x + beside, y, rule.name, anchor=anchor, role="chart-rule-name"))
        return marks

    def _placed(self, rules: Sequence[Rule]) -> list[tuple[Rule, float, str, int]]:
        """Place of each line, the end that its name is anchored by, and the row of that, where names do not meet."""
        found: list[tuple[Rule, float, str, int]] = []
        spans: list[tuple[float, float, int]] = []

        def is_free(x: float, left: float, right: float, row: int) -> bool:
            names = all(row != its or end + 8 <= left or right + 8 <= start for start, end, its in spans)
            own_line = all(row < its or not start < x < end for start, end, its in spans)
            lines = all(row > its or not left < other < right for _, other, _, its in found)
            return names and own_line and lines

        for rule in sorted((rule for rule in rules if self.x.holds(rule.value)), key=lambda rule: -rule.value):
            x, room = float(self.across([rule.value])[0]), text_width(rule.name) + 5
            anchor = "start" if x + room <= self.size.width else "end"
            left, right = (x, x + room) if anchor == "start" else (x - room, x)
            above = 1 + max((row for *_, row in spans), default=-1)
            row = next((row for row in range(above) if is_free(x, left, right, row)), above)
            spans.append((left, right, row))
            found.append((rule, x, anchor, row))
        return found

    def _fitting_ticks(self) -> list[tuple[float, str]]:
        """Numbers along the horizontal axis, as many as have room beside each other."""
        ticks = list(self.x.ticks)
        while len(ticks) > 2:
            places = self.across([value for value, _ in ticks])
            room = [(text_width(one) + text_width(other)) / 2 + 8 for (_, one), (_, other) in pairwise(ticks)]
            if (np.diff(places) >= room).all():
                break
            ticks = ticks[::2]
        return ticks


def _laid_out(keys: Sequence[Key], width: float) -> list[tuple[float, int, Key]]:
    """Left end and row of each key, rows filled from the left."""
    found, left, row = [], 0.0, 0
    for key in keys:
        room = min(46 + text_width(key.name + key.note), width)
        if left > 0 and left + room > width:
            left, row = 0.0, row + 1
        found.append((left, row, key))
        left += room
    return found
