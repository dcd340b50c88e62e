"""The photographs that the pictures are made of, which scikit-image and scikit-learn carry."""

from __future__ import annotations

import functools

import numpy as np
import skimage.data
from sklearn.datasets import load_sample_image

SIDE = 384
"""Of the piece that is compared: from this size on, the presets `matlab` and `piq` downsample."""


def astronaut() -> np.ndarray:
    """Eileen Collins, by NASA, in the public domain: (512, 512, 3) uint8."""
    return np.asarray(skimage.data.astronaut())


def centre(photograph: np.ndarray, down: int = 0, right: int = 0) -> np.ndarray:
    """The middle SIDE x SIDE pixels; what they show is moved down and right by that many, with no edge made up."""
    top, left = ((length - SIDE) // 2 for length in photograph.shape[:2])
    return np.ascontiguousarray(photograph[top - down : top - down + SIDE, left - right : left - right + SIDE])


@functools.cache
def patches(side: int = 32) -> tuple[np.ndarray, np.ndarray]:
    """Two disjoint sets of (N, side, side, 3) patches of six photographs: their dark and bright chessboard fields.

    Astronaut and rocket are in the public domain, coffee and chelsea CC0, china (by danielbuechele) and flower (by
    vultilion) CC BY 2.0.
    """
    photographs = [getattr(skimage.data, name)() for name in ("astronaut", "rocket", "coffee", "chelsea")]
    photographs += [load_sample_image(name) for name in ("china.jpg", "flower.jpg")]
    fields: tuple[list[np.ndarray], list[np.ndarray]] = ([], [])
    for photograph in photographs:
        rows, columns = (length // side for length in photograph.shape[:2])
        for row, column in np.ndindex(rows, columns):
            y, x = row * side, column * side
            fields[(row + column) % 2].append(photograph[y : y + side, x : x + side])
    return np.stack(fields[0]), np.stack(fields[1])
