"""Pictures that go through the networks of the tests, and how what comes out is compared."""

from __future__ import annotations

import numpy as np


def pair(shape: tuple[int, ...], seed: int = 3) -> tuple[np.ndarray, np.ndarray]:
    """Random pixels, and the same with noise."""
    rng = np.random.default_rng(seed)
    x = rng.integers(0, 256, shape, np.uint8)
    return x, np.clip(x + rng.normal(0, 20, shape), 0, 255).astype(np.uint8)


def relative(value: np.ndarray, expected: np.ndarray) -> float:
    """Norm of the difference over that of what is expected."""
    return float(np.linalg.norm(value - expected) / np.linalg.norm(expected))
