"""Whether a network computes each image by itself: a probe that runs before any picture does."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from pixelgauge.networks.pixels import Float32Array

_CHANGED, _CHANGED_IN_FEW_BITS = 1e-6, 1e-3
"""Of the largest feature, what another neighbour may change. On the CPU it is nothing at all."""
_MOVED = 1e-3
"""What another place in the batch may change, where kernels sum in another order; ten times that in few bits."""


def require_independent_images(
    features: Callable[[npt.NDArray[np.uint8]], Float32Array],
    shape: tuple[int, int, int, int],
    *,
    exact: bool,
    path: str,
    free: bool,
) -> None:
    """Raise unless an image's features are the same whatever its neighbours, its place in the batch, and the time.

    Parameters
    ----------
    features : callable
        Gives (N, D) features of (N, H, W, 3) pixels.
    shape : (int, int, int, int)
        Of the pixels to try; with N = 1 only the time is.
    exact : bool
        Whether the network computes in float32.
    path : str
        Of the graph, for the message.
    free : bool
        Whether the graph would take one image at a time.

    Raises
    ------
    ValueError
    """
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, shape, np.uint8)
    changed = np.where(rng.integers(0, 2, (*shape[:3], 1)) == 1, 255, rng.integers(0, 40, shape)).astype(np.uint8)
    changed[0] = images[0]
    first = features(images)
    largest = float(np.max(np.abs(first), initial=0, where=np.isfinite(first)))
    limit = (_CHANGED if exact else _CHANGED_IN_FEW_BITS) * largest
    moved = (_MOVED if exact else 10 * _MOVED) * largest
    if shape[0] == 2 and _away(features(changed[::-1])[1:], first[:1], limit) == 0:
        return  # with another neighbour, in the other place, at another time: all at once
    why = "it draws random numbers or keeps state, as dropout or BatchNorm in training mode: export it for inference"
    _require_alike(features(images), first, limit, f"{path}: the second time", why)
    if shape[0] == 1:
        return
    remedy = "export it for inference, or with a batch of one"
    if free:
        remedy = "export it for inference, or pass batch_size=1, which gives it one image at a time"
    why = (
        "it couples the images of a batch, as BatchNorm in training mode, a mean over the batch or dynamic "
        f"quantisation do: {remedy}"
    )
    _require_alike(features(changed)[:1], first[:1], limit, f"{path}: once its neighbours change", why)
    # Turned on by one: nothing but other turns commutes with it, and those the changed neighbours have shown.
    turned = np.roll(features(np.roll(images, 1, axis=0)), -1, axis=0)
    _require_alike(turned, first, moved, f"{path}: once its place changes", why)


def _require_alike(found: Float32Array, expected: Float32Array, most: float, when: str, why: str) -> None:
    away = _away(found, expected, most)
    if away > 0:
        raise ValueError(f"{when}, an image has other features (by {away:.2g}): {why}")


def _away(found: Float32Array, expected: Float32Array, most: float) -> float:
    """Largest difference beyond `most`, or 0; what is not finite must be the same."""
    with np.errstate(invalid="ignore"):  # of two infinities
        away = np.abs(found.astype(np.float64) - expected)
    away[(found == expected) | (np.isnan(found) & np.isnan(expected))] = 0
    away[np.isnan(away)] = np.inf
    return float(np.max(away, initial=0, where=away > most))
