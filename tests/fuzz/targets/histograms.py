"""Histograms of scores: bounds lie in [0, 1] in their order, counts are counts, merging doubles them."""

from __future__ import annotations

from typing import Any

from .. import readers
from ..target import Target
from .arrays import npz_mutations


def _right(histogram: Any, data: bytes) -> None:
    read = readers.RankingHistogram.from_bytes
    state = histogram.to_bytes()
    assert read(state) == histogram
    assert read(state).to_bytes() == state
    negatives, positives = histogram.negatives, histogram.positives
    assert 0 <= min(negatives, positives) <= max(negatives, positives) <= 2**53
    edges = histogram.edges
    assert (edges[1:] > edges[:-1]).all()
    if negatives and positives:
        for bounds in (histogram.auroc(), histogram.average_precision()):
            assert 0 <= bounds.low <= bounds.high <= 1, bounds
    if max(negatives, positives) <= 2**52:
        twice = read(state)
        twice.merge(histogram)
        assert (twice.negatives, twice.positives) == (2 * negatives, 2 * positives)
        if negatives and positives:
            assert abs(twice.auroc().low - histogram.auroc().low) < 1e-12


TARGETS = [
    Target(
        "histogram", lambda data: readers.RankingHistogram.from_bytes(data), _right, npz_mutations, readers.HISTOGRAM
    )
]
