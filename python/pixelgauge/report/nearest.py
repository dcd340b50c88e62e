"""Nearest real samples of generated ones: by the distance of their features, and next to what real samples have."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from pixelgauge.report.principal import chosen

Features = npt.NDArray[Any]

NEIGHBOURS = 4
_MOST_ASKED = 1000
"""Samples of each set that are asked for their nearest real one."""
_EXAMPLES_BY_CHANCE, _EXAMPLES_BY_NEARNESS = 4, 4
_ELEMENTS = 2**22
"""Distances of a block."""


@dataclass(frozen=True)
class Nearest:
    """Distances to the nearest real samples."""

    asked: npt.NDArray[np.int64]
    """Places of the generated samples that were asked, in their order."""
    places: npt.NDArray[np.int64]
    """(M, K) places of the real samples nearest to each, the nearest first."""
    distances: npt.NDArray[np.float64]
    """(M, K) Euclidean distances of their features."""
    among_real: npt.NDArray[np.float64]
    """Distance of real samples to the nearest other one."""

    def examples(self, seed: int) -> list[tuple[int, str]]:
        """Rows to look at and why each was taken: some drawn at random, and those nearest to a real one."""
        rows = np.random.default_rng(seed).permutation(len(self.asked))[:_EXAMPLES_BY_CHANCE].tolist()
        near = [row for row in np.argsort(self.distances[:, 0], kind="stable").tolist() if row not in rows]
        nearest = near[:_EXAMPLES_BY_NEARNESS]
        return [(row, "nearest to a real one") for row in nearest] + [(row, "drawn at random") for row in rows]


def nearest_real(real: Features, fake: Features, seed: int) -> Nearest:
    """Ask generated samples for their nearest real ones, and real ones for the nearest other.

    Parameters
    ----------
    real, fake : (N, D) numpy.ndarray
        All real samples are compared with; of each set at most a thousand, drawn by `seed`, are asked.
    seed : int
    """
    asked = chosen(len(fake), _MOST_ASKED, seed)
    kept = min(NEIGHBOURS, len(real))
    places, distances = _nearest(fake[asked], real, kept, None)
    of_real = chosen(len(real), _MOST_ASKED, seed)
    among = np.empty(0)
    if len(real) > 1:
        among = _nearest(real[of_real], real, 1, of_real)[1][:, 0]
    return Nearest(asked, places, distances, among)


def _nearest(
    asked: Features, held: Features, count: int, own: npt.NDArray[np.int64] | None
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float64]]:
    """Places and distances of the nearest samples, with `own` the place of each that is not its own neighbour."""
    questions = asked.astype(np.float64)
    best = np.full((len(asked), count), np.inf)
    places = np.zeros((len(asked), count), np.int64)
    step = max(1, _ELEMENTS // max(len(asked), held.shape[1]))
    norms = (questions**2).sum(axis=1)[:, np.newaxis]
    for start in range(0, len(held), step):
        block = held[start : start + step].astype(np.float64)
        squares = norms + (block**2).sum(axis=1) - 2 * questions @ block.T
        if own is not None:
            inside = np.flatnonzero((own >= start) & (own < start + len(block)))
            squares[inside, own[inside] - start] = np.inf
        numbers = np.broadcast_to(np.arange(start, start + len(block)), squares.shape)
        both, which = np.hstack([best, squares]), np.hstack([places, numbers])
        order = np.argpartition(both, count - 1, axis=1)[:, :count] if both.shape[1] > count else None
        best, places = (both, which) if order is None else (
            np.take_along_axis(both, order, axis=1), np.take_along_axis(which, order, axis=1)
        )  # fmt: skip
    # once more by the difference: a product loses what is small
    exact = np.stack([np.linalg.norm(held[column].astype(np.float64) - questions, axis=1) for column in places.T], 1)
    order = np.lexsort((places, exact), axis=1)
    return np.take_along_axis(places, order, axis=1), np.take_along_axis(exact, order, axis=1)
