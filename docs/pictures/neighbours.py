"""Precision, recall, density and coverage of four pairs of sets in the plane."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Circle

import pixelgauge
from docs.pictures import canvas


def sets() -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Real and generated sets by what is wrong with the second."""
    rng = np.random.default_rng(5)
    place = np.array([[-2.0, 0], [2, 0]])
    real = place[np.arange(80) % 2] + 0.6 * rng.standard_normal((80, 2))
    good = place[np.arange(80) % 2] + 0.6 * rng.standard_normal((80, 2))
    dropped = place[np.zeros(80, int)] + 0.6 * rng.standard_normal((80, 2))
    wide = place[np.arange(80) % 2] + 1.3 * rng.standard_normal((80, 2))
    stray = np.concatenate([real, [[0, 3.2], [0.8, 3.2]]])
    between = np.concatenate([good[:60], [0, 2.6] + 0.4 * rng.standard_normal((20, 2))])
    return {
        "good": (real, good),
        "a mode dropped": (real, dropped),
        "too wide": (real, wide),
        "two strays": (stray, between),
    }


def cases() -> Figure:
    """The four pairs, with the real samples' balls to their third neighbour."""
    figure, axes = canvas.new_axes(6.3, 2, 2, sharex=True, sharey=True)
    for one, (name, (real, fake)) in zip(axes.flat, sets().items(), strict=True):
        apart = np.linalg.norm(real[:, None] - real, axis=2)
        for centre, radius in zip(real, np.sort(apart, axis=1)[:, 3], strict=True):
            one.add_patch(Circle(tuple(centre), radius, facecolor=canvas.COLOURS[5], alpha=0.1, linewidth=0))
        one.scatter(*real.T, s=12, color=canvas.BLUE, label="real")
        one.scatter(*fake.T, s=14, color=canvas.ORANGE, marker="s", label="generated")
        found = pixelgauge.neighbour_metrics(real, fake)
        shares = f"precision {found.precision:.2f}, recall {found.recall:.2f}"
        one.set_title(f"{name}\n{shares}\ndensity {found.density:.2f}, coverage {found.coverage:.2f}", fontsize=10)
        one.set(xlim=(-5, 5), ylim=(-4, 5))
        one.set_aspect("equal")
    axes[0, 0].legend(loc="upper center", ncols=2, fontsize=9)
    return figure
