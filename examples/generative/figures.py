"""Pictures of the runs: grids of images, and curves over training."""

import matplotlib
import numpy as np

matplotlib.use("Agg")
import matplotlib.pyplot as plt
from PIL import Image

plt.rcParams.update(
    {
        "figure.dpi": 100,
        "figure.constrained_layout.use": True,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.grid": True,
        "grid.alpha": 0.3,
        "font.size": 9,
    }
)


def grid(path, images, columns, zoom=2, gap=2):
    """Save images (N, H, W, 1 or 3) uint8 side by side, row after row."""
    rows = -(-len(images) // columns)
    _, height, width, channels = images.shape
    sheet = np.full((rows * (height + gap) - gap, columns * (width + gap) - gap, channels), 128, np.uint8)
    for i, image in enumerate(images):
        top, left = i // columns * (height + gap), i % columns * (width + gap)
        sheet[top : top + height, left : left + width] = image
    sheet = sheet.repeat(zoom, axis=0).repeat(zoom, axis=1)
    Image.fromarray(sheet[..., 0] if channels == 1 else sheet).save(path, optimize=True)


def save(path, figure):
    """Save a figure of matplotlib and let go of it."""
    figure.savefig(path, pil_kwargs={"optimize": True})
    plt.close(figure)


IN_A_ROW = 3


def panels(count, width=3.4, height=2.7):
    """A figure with some axes side by side, at most three in a row: more are too small to read on a phone."""
    columns = min(count, IN_A_ROW)
    rows = -(-count // columns)
    figure, axes = plt.subplots(rows, columns, figsize=(width * columns, height * rows))
    axes = np.ravel(axes)
    for spare in axes[count:]:
        spare.set_visible(False)
    return figure, axes[:count]


def curve(axes, x, values, label=None, low=None, high=None):
    """Draw a curve, with the band of its interval where that is given."""
    (line,) = axes.plot(x, values, marker=".", label=label)
    if low is not None:
        axes.fill_between(x, low, high, color=line.get_color(), alpha=0.2, linewidth=0)
    return line
