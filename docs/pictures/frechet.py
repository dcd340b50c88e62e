"""The Fréchet distance: its two parts, its bias, and what no metric of moments sees."""

from __future__ import annotations

import functools

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Ellipse

import pixelgauge
from docs.pictures import canvas

SIZES = (100, 150, 250, 400, 600, 1000)
DIMENSION = 32
REPEATS = 8


def gaussians() -> Figure:
    """Two clouds that differ in mean, in size, in direction, with the parts of their distance."""
    rng = np.random.default_rng(0)
    base = rng.standard_normal((400, 2)) @ np.array([[1.5, 0], [0, 0.6]])
    turn = np.array([[np.cos(1), np.sin(1)], [-np.sin(1), np.cos(1)]])
    pairs = {"moved": base + np.array([2.0, 1.0]), "twice as wide": 2 * base, "turned": base @ turn}
    figure, axes = canvas.new_axes(2.3, 1, 3, sharex=True, sharey=True)
    for one, (name, other) in zip(axes, pairs.items(), strict=True):
        for points, colour in ((base, canvas.BLUE), (other, canvas.ORANGE)):
            one.scatter(*points.T, s=3, color=colour, alpha=0.35, linewidths=0)
            one.add_patch(_ellipse(points, colour))
        means = float(np.square(base.mean(axis=0) - other.mean(axis=0)).sum())
        whole = pixelgauge.frechet_distance(base, other)
        one.set_title(f"{name}\nmeans {means:.2f}\ncovariances {abs(whole - means):.2f}", fontsize=10)
        one.set_aspect("equal")
        one.set(xlim=(-6.5, 6.5), ylim=(-5, 5))
        one.tick_params(labelsize=9)
    return figure


def _ellipse(points: np.ndarray, colour: str) -> Ellipse:
    values, vectors = np.linalg.eigh(np.cov(points.T))
    angle = float(np.degrees(np.arctan2(vectors[1, 1], vectors[0, 1])))
    width, height = 4 * np.sqrt(values[::-1])
    return Ellipse(
        tuple(points.mean(axis=0)), width, height, angle=angle, facecolor="none", edgecolor=colour, linewidth=2
    )


@functools.cache
def by_size() -> dict[str, np.ndarray]:
    """Fréchet and kernel distances, (2 populations, sizes, repeats), of sets of each size."""
    found = {name: np.empty((2, len(SIZES), REPEATS)) for name in ("frechet", "kernel")}
    for repeat in range(REPEATS):
        rng = np.random.default_rng(repeat)
        real = rng.standard_normal((SIZES[-1], DIMENSION))
        same = rng.standard_normal((SIZES[-1], DIMENSION))
        moved = rng.standard_normal((SIZES[-1], DIMENSION))
        moved[:, 0] += 1
        for i, fake in enumerate((same, moved)):
            for j, size in enumerate(SIZES):
                found["frechet"][i, j, repeat] = pixelgauge.frechet_distance(real[:size], fake[:size])
                mean = pixelgauge.kernel_distance(real[:size], fake[:size], subsets=1, subset_size=size).mean
                found["kernel"][i, j, repeat] = mean
    return found


def bias() -> Figure:
    """The Fréchet distance of sets of growing size, and the line to infinitely many."""
    rng = np.random.default_rng(1)
    real, fake = rng.standard_normal((2, 4000, DIMENSION))
    fake[:, 0] += 1
    line = pixelgauge.frechet_infinity(real, fake)
    figure, axes = canvas.new_axes(3.8)
    found = by_size()["frechet"].mean(axis=2)
    names = ("equal populations, truth 0", "means 1 apart, truth 1")
    canvas.lines(axes, 1 / np.array(SIZES), dict(zip(names, found, strict=True)))
    label = f"frechet_infinity of 4000: {line.distance:.2f} ± {line.standard_error:.2f}"
    axes.plot(0, line.distance, "*", color=canvas.GREEN, markersize=14, label=label)
    axes.set_xticks([1 / size for size in (100, 150, 250, 400, 1000)], ["100", "150", "250", "400", "1000"])
    axes.set(xlabel="samples of each set, by 1/N", ylabel="Fréchet distance", ylim=(0, None), xlim=(-0.0003, None))
    axes.legend()
    return figure


def kernel_bias() -> Figure:
    """The same sets' kernel distance, mean and spread of repeats."""
    figure, axes = canvas.new_axes(3.8)
    found = by_size()["kernel"]
    names = ("equal populations, truth 0", "means 1 apart")
    for one, name, colour, marker in zip(found, names, canvas.COLOURS, canvas.MARKERS, strict=False):
        axes.errorbar(
            SIZES, one.mean(axis=1), one.std(axis=1), color=colour, marker=marker, capsize=4, label=name, linewidth=1.5
        )
    axes.axhline(0, color=canvas.GREY, linewidth=0.8)
    axes.set(xscale="log", xlabel="samples of each set", ylabel="KID")
    axes.set_xticks(SIZES, [str(size) for size in SIZES])
    axes.minorticks_off()
    axes.legend()
    return figure


@functools.cache
def alike() -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Pairs of sets in the plane: equal, with the first two moments equal, and with these alone equal."""
    rng = np.random.default_rng(3)
    normal, again = rng.standard_normal((2, 1000, 2))
    angle = 2 * np.pi * rng.integers(0, 6, 1000) / 6
    ring = np.stack([np.cos(angle), np.sin(angle)], axis=1) * np.sqrt(2) + 0.1 * rng.standard_normal((1000, 2))
    skewed = rng.exponential(size=(1000, 2))
    return {
        "the same population": (normal, again),
        "six clusters": (normal, _whitened(ring)),
        "exponential": (normal, _whitened(skewed)),
    }


def _whitened(points: np.ndarray) -> np.ndarray:
    """Give them mean 0 and covariance 1 exactly."""
    centred = points - points.mean(axis=0)
    return np.asarray(centred @ np.linalg.inv(np.linalg.cholesky(np.cov(centred.T))).T)


def blind() -> Figure:
    """What three metrics say of sets whose means and covariances agree."""
    figure, axes = canvas.new_axes(2.9, 1, 3, sharex=True, sharey=True)
    for one, (name, (real, fake)) in zip(axes, alike().items(), strict=True):
        one.scatter(*real.T, s=3, color=canvas.BLUE, alpha=0.5, linewidths=0)
        one.scatter(*fake.T, s=3, color=canvas.ORANGE, alpha=0.5, linewidths=0)
        kernel = pixelgauge.kernel_distance(real, fake, subsets=1, subset_size=1000).mean
        near = pixelgauge.precision_recall(real, fake)
        scores = (
            f"Fréchet {pixelgauge.frechet_distance(real, fake):.3f}",
            f"KID {kernel:.3f}",
            f"CMMD, σ 1: {pixelgauge.cmmd(real, fake, sigma=1, normalize=False):.1f}",
            f"recall {near.recall:.2f}",
        )
        one.set_title("\n".join([name, *scores]), fontsize=10)
        one.set(xlim=(-4, 4), ylim=(-4, 4))
        one.set_aspect("equal")
        one.tick_params(labelsize=9)
    return figure
