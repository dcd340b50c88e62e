"""Pictures that tests of several wings need: random ones, and ones with noise."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt


def random_pixels(shape: tuple[int, ...], seed: int = 0, dtype: npt.DTypeLike = np.uint8) -> np.ndarray:
    """Pixels of every value of the type."""
    return np.random.default_rng(seed).integers(0, np.iinfo(np.dtype(dtype)).max + 1, shape, dtype=np.dtype(dtype))


def noisy(image: np.ndarray, rng: np.random.Generator, sigma: float = 12.0) -> np.ndarray:
    """The picture, of 8 bits, with normal noise."""
    return np.clip(image + rng.normal(0, sigma, image.shape), 0, 255).astype(np.uint8)
