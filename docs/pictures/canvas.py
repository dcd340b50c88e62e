"""How the documentation's pictures look, and how they become files: opaque, few colours, the same bytes each time."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from matplotlib.figure import Figure
from PIL import Image

DPI = 122
WIDTH = 5.8
"""Inches: 707 pixels, which a phone shows at half that, with letters that can still be read."""
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
"""Okabe and Ito's, which the colour-blind tell apart."""
MARKERS = ("o", "s", "^", "D", "v", "P", "X")
BLUE, ORANGE, GREEN, PINK = COLOURS[:4]
GREY = "#666666"

_STYLE = {
    "axes.axisbelow": True,
    "axes.grid": True,
    "axes.labelsize": 11,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlesize": 12,
    "figure.facecolor": "white",
    "font.family": "DejaVu Sans",
    "font.size": 11,
    "grid.color": "0.9",
    "legend.fontsize": 10,
    "legend.framealpha": 0.9,
    "lines.linewidth": 1.8,
    "lines.markersize": 5,
    "savefig.dpi": DPI,
}


def new_figure(height: float) -> Figure:
    """Figure of the pages' width and this height in inches."""
    matplotlib.rcdefaults()
    matplotlib.rcParams.update(_STYLE)
    return Figure(figsize=(WIDTH, height), layout="constrained")


def new_axes(height: float, rows: int = 1, columns: int = 1, **options: Any) -> tuple[Figure, Any]:
    """Figure with a grid of axes, an array of them unless it is one."""
    figure = new_figure(height)
    return figure, figure.subplots(rows, columns, **options)


def lines(axes: Any, x: Sequence[float] | np.ndarray, series: dict[str, Any], **options: Any) -> None:
    """Draw a line a name, each with a colour and a marker of its own."""
    for (name, y), colour, marker in zip(series.items(), COLOURS, MARKERS, strict=False):
        axes.plot(x, y, color=colour, marker=marker, label=name, **options)


def show(axes: Any, image: np.ndarray, title: str = "") -> None:
    """Draw an image without axes, gray as 8-bit gray."""
    axes.imshow(image, cmap="gray", vmin=0, vmax=255, interpolation="nearest")
    axes.set_title(title, fontsize=10)
    axes.set_axis_off()


def save(figure: Figure, path: Path) -> None:
    """Write a PNG of at most 256 colours, without a date or the name of a program."""
    drawn = io.BytesIO()
    figure.savefig(drawn, format="png", metadata={"Software": None})
    pixels = Image.open(drawn).convert("RGB")
    pixels.quantize(256, dither=Image.Dither.NONE).save(path, format="PNG", optimize=True)
