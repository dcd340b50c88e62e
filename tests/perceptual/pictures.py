"""Pictures that go through the networks of the tests, and how what comes out is compared."""

from __future__ import annotations

import numpy as np

LPIPS_CASES = ("odd_97x131", "square_256", "tiny_64", "ex_p0", "ex_p1")
INCEPTION_CASES = ("small_96x128", "exact_299x299", "large_400x520")
"""Pictures of the shared references, by their keys."""


def pair(shape: tuple[int, ...], seed: int = 3) -> tuple[np.ndarray, np.ndarray]:
    """Random pixels, and the same with noise."""
    rng = np.random.default_rng(seed)
    x = rng.integers(0, 256, shape, np.uint8)
    return x, np.clip(x + rng.normal(0, 20, shape), 0, 255).astype(np.uint8)


def relative(value: np.ndarray, expected: np.ndarray) -> float:
    """Norm of the difference over that of what is expected."""
    return float(np.linalg.norm(value - expected) / np.linalg.norm(expected))
