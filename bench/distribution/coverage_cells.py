"""Cells of the coverage of intervals of sets: Fréchet and kernel distance, precision, recall, density, coverage."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator

import numpy as np

import pixelgauge
from bench.coverage import Cell, Interval
from bench.distribution.populations import (
    CHANGES,
    NOISE,
    Independent,
    Mixture,
    frechet_distance_of,
    independents,
    kernel_distance_of,
    mixtures,
)

Pair = tuple[np.ndarray, np.ndarray]

FRECHET_SIZES = {
    4: (40, 80, 400),
    16: (160, 320, 1600),
    64: (640, 1280),
    256: (5120,),
}
"""Samples by features: the fewest that are taken, of which a warning is given, twenty a feature, a hundred."""
REPEATS = {64: 1000, 256: 250}
"""At most so many where a repeat takes a tenth of a second, or seconds."""
KERNEL_SIZES = ((64, 200), (64, 2000), (2048, 200), (2048, 1000))


def two(first: Mixture | Independent, second: Mixture | Independent, n: int, m: int, rng: np.random.Generator) -> Pair:
    return first.draw(rng, n), second.draw(rng, m)


def frechet(x: np.ndarray, y: np.ndarray) -> Interval:
    found = pixelgauge.frechet_interval(x, y)
    return found.low, found.high


def frechet_cells() -> Iterator[Cell]:
    for dim, sizes in FRECHET_SIZES.items():
        for n in sizes:
            for kind in NOISE:
                for change in CHANGES:
                    first, second = mixtures(kind, change, dim)
                    yield Cell(
                        figure="frechet",
                        population=f"{kind}-{change}",
                        size=f"n{n}-d{dim}",
                        truth=frechet_distance_of(first, second),
                        draw=functools.partial(two, first, second, n, n),
                        methods={"score": frechet},
                        # Where the distance is 0, or not two errors from it, its interval begins at 0 and can miss
                        # on one side only. Of few samples and a steep spectrum that is so whatever changes.
                        promised={
                            "score": (0.92, 0.99 if change == "null" or dim == 4 or kind == "spectrum" else 0.98)
                        },
                        repeats=REPEATS.get(dim),
                    )


def kernel(x: np.ndarray, y: np.ndarray) -> Interval:
    found = pixelgauge.kernel_distance_interval(x, y)
    return found.low, found.high


def kernel_cells() -> Iterator[Cell]:
    for dim, n in KERNEL_SIZES:
        for kind in NOISE:
            for change in CHANGES:
                first, second = independents(kind, change, dim)
                yield Cell(
                    figure="kernel_distance",
                    population=f"{kind}-{change}",
                    size=f"n{n}-d{dim}",
                    truth=kernel_distance_of(first, second),
                    draw=functools.partial(two, first, second, n, n),
                    methods={"score": kernel},
                    # of 200 samples a steep spectrum is hardly known
                    promised={"score": (0.92 if kind == "spectrum" and n == 200 else 0.93, 0.99)},
                    repeats=500 if dim > 64 or n > 1000 else None,
                )


def ball_probabilities(centres: np.ndarray, k: int, others: np.ndarray) -> tuple[np.ndarray, float]:
    """How likely a sample lies in each ball, and in any."""
    squared = functools.partial(np.einsum, "ij,ij->i")
    within = squared(centres, centres)[:, np.newaxis] + squared(centres, centres) - 2 * centres @ centres.T
    radii = np.partition(within, k, axis=1)[:, k]
    found, any_ball = np.zeros(len(centres)), 0
    for block in np.array_split(others, 100):
        inside = squared(block, block)[:, np.newaxis] + squared(centres, centres) - 2 * block @ centres.T < radii
        found += inside.sum(axis=0)
        any_ball += int(inside.any(axis=1).sum())
    return found / len(others), any_ball / len(others)


def neighbour_cells() -> Iterator[Cell]:
    """Given 300 real samples, which stay: what generated ones do beside them."""
    for dim, shift in ((4, 0.0), (16, 0.0), (16, 2.0)):
        rng = np.random.default_rng([dim, int(shift)])
        real, many = rng.standard_normal((300, dim)), rng.standard_normal((100_000, dim))
        many[:, 0] += shift
        for m in (200, 1000):
            balls, precision = ball_probabilities(real, 3, many)

            def draw(
                rng: np.random.Generator, real: np.ndarray = real, m: int = m, dim: int = dim, shift: float = shift
            ) -> Pair:
                fake = rng.standard_normal((m, dim))
                fake[:, 0] += shift
                return real, fake

            population = "same" if shift == 0 else "moved"
            size = f"n300-m{m}-d{dim}"
            yield of_neighbours("precision", population, size, precision, draw, (0.93, 1.0))
            yield of_neighbours("recall", population, size, precision, lambda rng, of=draw: of(rng)[::-1], (0.93, 1.0))
            balls, _ = ball_probabilities(real, 5, many)
            yield of_neighbours("density", population, size, float(balls.sum()) / 5, draw, (0.93, 0.99))
            # the jackknife's variance is too large by up to 3
            coverage = float((1 - (1 - balls) ** m).mean())
            yield of_neighbours("coverage", population, size, coverage, draw, (0.93, 1.0))


def of_neighbours(
    figure: str, population: str, size: str, truth: float, draw: Callable[..., Pair], promised: Interval
) -> Cell:
    function = (
        pixelgauge.precision_recall_interval
        if figure in ("precision", "recall")
        else pixelgauge.density_coverage_interval
    )

    def method(real: np.ndarray, fake: np.ndarray) -> Interval:
        found = getattr(function(real, fake), figure)
        return found.low, found.high

    return Cell(
        figure=figure,
        population=population,
        size=size,
        truth=truth,
        draw=draw,
        methods={"given the set": method},
        promised={"given the set": promised},
    )


CELLS = [*frechet_cells(), *kernel_cells(), *neighbour_cells()]
