"""CMMD, MIND and the Vendi score: an idea each."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

import pixelgauge
from docs.pictures import canvas


def cmmd_saturates() -> Figure:
    """CMMD and the Fréchet distance of two sets that are moved apart."""
    rng = np.random.default_rng(0)
    real, fake = 10 * rng.standard_normal((2, 1000, 8))
    moves = np.arange(0, 81, 5)
    moved = [fake + np.eye(8)[0] * move for move in moves]
    figure, (left, right) = canvas.new_axes(3.2, 1, 2, sharex=True)
    left.plot(moves, [pixelgauge.cmmd(real, x, normalize=False) for x in moved], "o-", color=canvas.BLUE)
    left.set_title("CMMD, σ 10")
    right.plot(moves, [pixelgauge.frechet_distance(real, x) for x in moved], "s-", color=canvas.ORANGE)
    right.set_title("Fréchet distance")
    for one in (left, right):
        one.set(xlabel="distance of the means", ylim=(0, None))
    return figure


def mind_projection() -> Figure:
    """Two sets in the plane, one direction, and the sorted projections of both onto it."""
    rng = np.random.default_rng(1)
    real = rng.standard_normal((60, 2))
    fake = rng.standard_normal((60, 2)) * [1.6, 0.5] + [1.5, 0.5]
    direction = np.array([np.cos(0.4), np.sin(0.4)])
    figure, (left, right) = canvas.new_axes(3.4, 1, 2)
    for points, colour, marker in ((real, canvas.BLUE, "o"), (fake, canvas.ORANGE, "s")):
        left.scatter(*points.T, s=14, color=colour, marker=marker)
        right.plot(np.arange(1, 61), np.sort(points @ direction), color=colour, marker=marker, markersize=3)
    left.annotate("", 3 * direction, -3 * direction, arrowprops={"arrowstyle": "->", "linewidth": 1.5})
    left.set(title="two sets, one direction")
    left.set_aspect("equal")
    right.vlines(np.arange(1, 61), np.sort(real @ direction), np.sort(fake @ direction), color="0.7", linewidth=1)
    right.set(title="projections in order", xlabel="place in the order")
    return figure


def vendi_modes() -> Figure:
    """The Vendi score of a set of 600 that has more and more kinds, evenly and with one that holds nine in ten."""
    rng = np.random.default_rng(2)
    counts = (1, 2, 4, 6, 8, 12, 16)
    found: dict[str, list[float]] = {"even shares": [], "one kind holds 0.9": []}
    for count in counts:
        even = np.resize(np.arange(count), 600)
        uneven = np.where(np.arange(600) < 540, 0, np.resize(np.arange(count), 600))
        for name, kinds in zip(found, (even, uneven), strict=True):
            features = 10 * np.eye(16)[kinds] + 0.3 * rng.standard_normal((600, 16))
            found[name].append(pixelgauge.vendi_score(features))
    figure, axes = canvas.new_axes(3.6)
    axes.plot(counts, counts, color=canvas.GREY, linestyle="--", linewidth=1, label="number of kinds")
    canvas.lines(axes, counts, found)
    axes.set(xlabel="kinds in the set", ylabel="Vendi score", ylim=(0, None))
    axes.legend()
    return figure
