"""The Inception score of four sets of predictions."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

import pixelgauge
from docs.pictures import canvas


def cases() -> Figure:
    """Predictions of twelve images over six classes: sharp or not, varied or not, and six images copied."""
    rng = np.random.default_rng(0)
    varied, one = np.arange(12) % 6, np.zeros(12, int)
    sets = {
        "sharp and varied": 6 * np.eye(6)[varied],
        "sharp, one class": 6 * np.eye(6)[one],
        "unsure and varied": 1.5 * np.eye(6)[varied],
        "six images, twice each": 6 * np.eye(6)[np.repeat(rng.permutation(6), 2)],
    }
    figure, axes = canvas.new_axes(3.6, 1, 4, sharey=True)
    for panel, (name, logits) in zip(axes, sets.items(), strict=True):
        shares = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
        panel.imshow(shares, cmap="magma", vmin=0, vmax=1, aspect="auto")
        score = pixelgauge.inception_score(logits, splits=1).mean
        panel.set_title(
            f"{name.replace(', ', ',').replace(',', chr(10)).replace(' and ', chr(10) + 'and ')}\nIS {score:.2f}",
            fontsize=10,
        )
        panel.set(xlabel="class", xticks=range(6), xticklabels=range(1, 7))
        panel.grid(visible=False)
    axes[0].set(ylabel="image", yticks=range(0, 12, 2), yticklabels=range(1, 13, 2))
    return figure
