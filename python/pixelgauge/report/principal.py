"""The plane in which two sets of features vary most: principal components of both together, each set counting alike."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Features = npt.NDArray[Any]
Float64Array = npt.NDArray[np.float64]

MOST_SAMPLES = 1500
"""Of each set: the components are of these."""


@dataclass(frozen=True)
class Plane:
    """Coordinates of samples of two sets, and the share of the variance that each direction holds."""

    a: Float64Array
    b: Float64Array
    shares: tuple[float, float]


def chosen(count: int, most: int, seed: int) -> npt.NDArray[np.int64]:
    """Draw places of at most so many of a set, in their order."""
    if count <= most:
        return np.arange(count)
    return np.sort(np.random.default_rng(seed).choice(count, most, replace=False))


def principal_plane(a: Features, b: Features, seed: int) -> Plane:
    """Project two sets onto the two directions in which they vary most.

    Parameters
    ----------
    a, b : (N, D) numpy.ndarray
        Of either at most :data:`MOST_SAMPLES`, drawn by `seed`, are used.
    seed : int

    Returns
    -------
    Plane
        A direction is turned so that its largest component is positive; of one feature the second coordinate is 0.
    """
    drawn = [x[chosen(len(x), MOST_SAMPLES, seed)].astype(np.float64) for x in (a, b)]
    scale = max(float(np.abs(x).max()) for x in drawn) or 1.0
    drawn = [x / scale for x in drawn]
    centre = (drawn[0].mean(axis=0) + drawn[1].mean(axis=0)) / 2
    centred = [x - centre for x in drawn]
    weighted = np.concatenate([x / np.sqrt(len(x)) for x in centred])
    total = float((weighted**2).sum()) or 1.0
    directions, shares = _leading(weighted, total)
    planes = [x @ directions.T * scale for x in centred]
    return Plane(planes[0], planes[1], shares)


def _leading(x: Float64Array, total: float) -> tuple[Float64Array, tuple[float, float]]:
    """Two unit vectors (2, D) along which x varies most, by the smaller of its two Gram matrices."""
    is_wide = x.shape[0] < x.shape[1]
    values, vectors = np.linalg.eigh(x @ x.T if is_wide else x.T @ x)
    found = np.zeros((2, x.shape[1]))
    shares = [0.0, 0.0]
    for i in range(min(2, len(values))):
        if values[-1 - i] <= 1e-12 * total:
            continue
        vector = vectors[:, -1 - i]
        direction = x.T @ vector if is_wide else vector
        direction = direction / np.linalg.norm(direction)
        found[i] = direction * np.sign(direction[np.argmax(np.abs(direction))])
        shares[i] = float(values[-1 - i]) / total
    return found, (shares[0], shares[1])
