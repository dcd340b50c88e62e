"""Statistics of features: finite moments that are a mean and a covariance, and the same after a round trip."""

from __future__ import annotations

from typing import Any

import numpy as np

from pixelgauge import frechet_distance

from .. import readers
from ..target import Target, placed
from .arrays import npz_mutations


def _right(stats: Any, data: bytes) -> None:
    count = stats.count
    assert count is None or (type(count) is int and 0 <= count <= 2**53), count
    assert stats.dim >= 1
    again = readers.FeatureStats.from_bytes(stats.to_bytes())
    assert again == stats, "a round trip changes it"
    assert again.to_bytes() == stats.to_bytes()
    if count == 0:
        return
    assert stats.mean.shape == (stats.dim,)
    assert np.isfinite(stats.mean).all()
    if count == 1:
        return
    try:
        cov = stats.cov()
    except ValueError:  # of few samples or far from the origin: lost, which is said
        return
    assert cov.shape == (stats.dim, stats.dim)
    assert np.isfinite(cov).all()
    assert np.array_equal(cov, cov.T), "not symmetric"
    assert (np.diag(cov) >= 0).all(), "a negative variance"
    try:
        distance = frechet_distance(stats, stats)
    except ValueError:  # too large for float64, or no covariance
        return
    assert distance == 0, distance


def _load(data: bytes) -> Any:
    return readers.FeatureStats.load(placed(data, "stats.npz"))


TARGETS = [
    Target("statistics", lambda data: readers.FeatureStats.from_bytes(data), _right, npz_mutations, readers.STATISTICS),
    Target("statistics-file", _load, _right, npz_mutations, readers.STATISTICS),
]
