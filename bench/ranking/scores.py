"""Labels and scores that overlap and tie, and maps of defects, the same in every process."""

from __future__ import annotations

import numpy as np

from bench.inputs import kept


@kept
def scores_of(n: int) -> tuple[np.ndarray, np.ndarray]:
    """Labels with 10 % positives and float32 scores that overlap, one in sixteen of them rounded so that some tie."""
    rng = np.random.default_rng(0)
    y = rng.random(n, dtype=np.float32) < 0.1
    x = rng.random(n, dtype=np.float32)
    x *= np.float32(0.8)
    x[y] += np.float32(0.2)
    x[::16] = np.rint(x[::16] * 1024) / 1024
    return y, x


@kept
def weights_of(n: int) -> np.ndarray:
    """A weight a score."""
    return np.random.default_rng(1).uniform(0.5, 2.0, n)


@kept
def groups_of(n: int, groups: int) -> np.ndarray:
    """Groups of unlike sizes, none so small that it has one class only."""
    return (groups * np.random.default_rng(2).random(n) ** 2).astype(np.int64)


@kept
def other_scores_of(n: int) -> np.ndarray:
    """The scores with some noise: those of another test of the same rows."""
    return scores_of(n)[1] + np.random.default_rng(3).normal(0, 0.05, n).astype(np.float32)


@kept
def anomalies(count: int, side: int) -> tuple[np.ndarray, np.ndarray]:
    """Masks with three square defects each, and maps of scores that are higher there."""
    rng = np.random.default_rng(0)
    masks = np.zeros((count, side, side), bool)
    for mask in masks:
        for top, left in rng.integers(0, side - side // 16, (3, 2)):
            mask[top : top + side // 16, left : left + side // 16] = True
    maps = rng.random(masks.shape, dtype=np.float32)
    maps[masks] += np.float32(0.3)
    return masks, maps
