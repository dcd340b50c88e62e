"""HTML out of strangers' text: what is not :class:`Markup` is escaped wherever it is put into some.

Names of files, and messages that repeat them, are hostile: markup, quotes, right-to-left letters, control characters,
halves of characters, megabytes. Here they become one visible line that changes nothing around it.
"""

from __future__ import annotations

import html
from collections.abc import Iterable, Sequence
from string import Formatter
from typing import Any, SupportsIndex

from pixelgauge.files.reading import MOST_SHOWN, printable, shown


class Markup(str):
    """Text that is HTML already, and stands in a page as it is.

    Whatever joins it (``+``, :meth:`join`, :meth:`format`) is escaped first unless it is `Markup` too. An f-string
    makes plain text of it, which is then escaped as a whole: a fault that shows, and lets nothing through.

    Examples
    --------
    >>> Markup("<p>{}</p>").format("1 < 2")
    '<p>1 &lt; 2</p>'
    >>> Markup("<br>").join(["a & b", Markup("<b>c</b>")])
    'a &amp; b<br><b>c</b>'
    """

    __slots__ = ()

    def __add__(self, other: str) -> Markup:
        return Markup(str.__add__(self, escape(other)))

    def __radd__(self, other: str) -> Markup:
        return Markup(str.__add__(escape(other), self))

    def __mul__(self, times: SupportsIndex) -> Markup:
        return Markup(str.__mul__(self, times))

    def join(self, parts: Iterable[object]) -> Markup:
        """Put this between parts."""
        return Markup(str.join(self, map(escape, parts)))

    def format(self, *values: object, **named: object) -> Markup:
        """Fill in values as ``str.format`` does, escaped after they took the form that the template asks for."""
        return Markup(_ESCAPING.vformat(self, values, named))

    def __html__(self) -> str:
        return str(self)


class _EscapingFormatter(Formatter):
    def format_field(self, value: Any, format_spec: str) -> str:
        return escape(format(value, format_spec) if format_spec else value)


_ESCAPING = _EscapingFormatter()


def escape(value: object) -> Markup:
    r"""Text as HTML, inside an element or a quoted attribute; `Markup` is left as it is.

    Control characters, line ends, marks that turn the direction of writing and halves of surrogate pairs are written
    as ``\n``, ``\u202e``, ``\udc80``.

    Examples
    --------
    >>> escape("<script>\u202e")
    '&lt;script&gt;\\u202e'
    """
    return value if isinstance(value, Markup) else Markup(html.escape(printable(str(value))))


def name(value: object, most: int = MOST_SHOWN) -> Markup:
    """Text of a stranger's, such as a file's name: at most `most` characters, its direction kept to itself.

    Examples
    --------
    >>> name("a<b>.png")
    '<bdi>a&lt;b&gt;.png</bdi>'
    """
    return Markup("<bdi>{}</bdi>").format(shown(value, most))


def attributes(**values: object) -> Markup:
    """Attributes of an element, each after a space; an underscore at the end is dropped, others become hyphens.

    True gives an attribute without a value, False and None give none.

    Examples
    --------
    >>> attributes(class_="wide", data_row=3, hidden=True, title=None)
    ' class="wide" data-row="3" hidden'
    """
    parts = []
    for key, value in values.items():
        if value is None or value is False:
            continue
        word = key.removesuffix("_").replace("_", "-")
        parts.append(Markup(f" {word}") if value is True else Markup(' {}="{}"').format(Markup(word), value))
    return Markup("").join(parts)


_VOID = {"img", "input"}
"""Elements that have no content, and no end."""


def element(tag: str, *content: object, **named: object) -> Markup:
    """Build an element with its content and attributes (see :func:`attributes`).

    Examples
    --------
    >>> element("td", "1 < 2", class_="number")
    '<td class="number">1 &lt; 2</td>'
    >>> element("img", alt="")
    '<img alt="">'
    """
    if tag in _VOID:
        return Markup("<{}{}>").format(Markup(tag), attributes(**named))
    return Markup("<{0}{1}>{2}</{0}>").format(Markup(tag), attributes(**named), Markup("").join(content))


def table(head: Sequence[object], rows: Iterable[Sequence[object]], caption: object = "") -> Markup:
    """Lay out rows whose first cell is their heading, under columns' headings.

    Parameters
    ----------
    head : sequence
        Of the columns; empty for a table of headings and values.
    rows : iterable of sequence
        Numbers are given as text, with the digits that they shall have. What is an element ``th`` or ``td`` already
        stands as it is.
    caption : optional
        Above the table.

    Examples
    --------
    >>> table([], [["ssim", "0.9876"]])
    '<table><tbody><tr><th scope="row">ssim</th><td>0.9876</td></tr></tbody></table>'
    """
    lines = [
        element("tr", element("th", first, scope="row"), *(_cell("td", cell) for cell in rest)) for first, *rest in rows
    ]
    heading = element("thead", element("tr", *(_cell("th", cell, scope="col") for cell in head))) if head else ""
    above = element("caption", caption) if caption else ""
    return element("table", above, heading, element("tbody", *lines))


def _cell(tag: str, content: object, **named: object) -> Markup:
    is_cell = isinstance(content, Markup) and content.startswith(f"<{tag}")
    return content if is_cell else element(tag, content, **named)  # type: ignore[return-value]
