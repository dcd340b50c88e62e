"""The gallery's sets: patches of photographs against others, which are degraded or fewer and fewer different ones."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from matplotlib.figure import Figure

import pixelgauge
from docs.pictures import canvas, networks
from docs.pictures.degradations import as_jpeg, blurred, with_contrast, with_noise
from docs.pictures.photographs import patches

KINDS: dict[str, tuple[Callable[[np.ndarray, float], np.ndarray], tuple[float, ...]]] = {
    "blur, σ 0.5 to 4": (blurred, (0.5, 1, 1.5, 2, 4)),
    "noise, σ 5 to 60": (with_noise, (5, 10, 20, 40, 60)),
    "JPEG, quality 80 to 4": (as_jpeg, (80, 40, 20, 8, 4)),
    "contrast, × 0.8 to 0.2": (with_contrast, (0.8, 0.6, 0.4, 0.3, 0.2)),
}
DIFFERENT = (689, 344, 172, 86, 43, 21, 10)
"""Different patches in a set of 689."""


def figures(real: np.ndarray, fake: np.ndarray) -> dict[str, float]:
    """Every distance and share of two sets of features."""
    near = pixelgauge.neighbour_metrics(real, fake)
    return {
        "Fréchet distance": pixelgauge.frechet_distance(real, fake),
        "KID": pixelgauge.kernel_distance(real, fake, subset_size=len(fake), subsets=1).mean,
        "precision": near.precision,
        "recall": near.recall,
        "density": near.density,
        "coverage": near.coverage,
    }


def _draw(x: Sequence[float] | np.ndarray, found: dict[str, list[dict[str, float]]], label: str) -> Figure:
    figure, axes = canvas.new_axes(8.6, 3, 2, sharex=True)
    for one, name in zip(axes.flat, next(iter(found.values()))[0], strict=True):
        canvas.lines(one, x, {kind: [of[name] for of in each] for kind, each in found.items()})
        one.set_title(name)
        if name == "Fréchet distance":
            one.set_yscale("log")
            one.set_ylim(10, 1000)
        elif name == "KID":
            one.set_yscale("symlog", linthresh=1)
        else:
            one.set_ylim(-0.05, max(1.05, one.get_ylim()[1]))
    if len(found) > 1:
        axes[0, 0].legend(fontsize=9, handlelength=1.2)
    for one in axes[-1]:
        one.set_xlabel(label)
    return figure


def degraded() -> Figure:
    """Six figures over the strength of four degradations of the second set."""
    first, second = patches()
    real, clean = networks.features_of(first), networks.features_of(second)
    found = {}
    for kind, (change, strengths) in KINDS.items():
        sets = [networks.features_of(np.stack([change(image, s) for image in second])) for s in strengths]
        found[kind] = [figures(real, fake) for fake in (clean, *sets)]
    return _draw(np.arange(6), found, "strength")


def fewer() -> Figure:
    """The same six figures where a set of the same size has fewer and fewer different patches."""
    first, second = patches()
    real, clean = networks.features_of(first), networks.features_of(second)
    order = np.random.default_rng(0).permutation(len(clean))
    found = [figures(real, clean[np.resize(order[:different], len(clean))]) for different in DIFFERENT]
    figure = _draw(np.arange(len(DIFFERENT)), {"fewer": found}, "different patches among 689")
    for one in figure.axes[-2:]:
        one.set_xticks(np.arange(len(DIFFERENT)), [str(different) for different in DIFFERENT])
    return figure
