"""Elements of SVG: numbers have two decimals at most, and foreign texts keep their direction to themselves."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from pixelgauge.files.reading import MOST_SHOWN, shown
from pixelgauge.markup import Markup
from pixelgauge.markup import element as html_element

Points = npt.NDArray[np.float64]


def element(tag: str, *content: object, **attributes: object) -> Markup:
    """Build an element as :func:`pixelgauge.markup.element`, with coordinates as they are written in a picture."""
    written = {k: coordinate(v) if isinstance(v, float) else v for k, v in attributes.items()}
    return html_element(tag, *content, **written)


def isolated(text: object, most: int = MOST_SHOWN) -> Markup:
    """Text of a stranger's in a picture, where no ``bdi`` can be: between the characters that isolate it."""
    plain = shown(text, most)
    return Markup("{}").format(plain) if plain.isascii() else Markup("\u2068{}\u2069").format(plain)


def coordinate(value: float) -> str:
    """Write a number with two decimals at most."""
    text = f"{value:.2f}".rstrip("0").rstrip(".")
    return "0" if text == "-0" else text


def path(points: Points) -> str:
    """Write the data of a path through (N, 2) points."""
    return "M" + "L".join(f"{coordinate(x)} {coordinate(y)}" for x, y in points.tolist()) if len(points) else ""


def label(x: float, y: float, text: object, *, anchor: str = "start", role: str = "chart-label") -> Markup:
    """Write text at a place; `role` is its class. What is no markup is a stranger's."""
    said = text if isinstance(text, Markup) else isolated(text)
    return element("text", said, x=x, y=y, text_anchor=None if anchor == "start" else anchor, class_=role)
