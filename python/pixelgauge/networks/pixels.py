"""Pixels on their way into a network: scaled and laid out in planes, here or on the device that runs it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from pixelgauge import _core

Float32Array = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Pixels:
    """What a network is to see of images: each value times `scale` plus `offset`, in planes."""

    images: npt.NDArray[Any]
    """(N, H, W, C) of any dtype of the kernels."""
    scale: float
    offset: float

    def planes(self) -> Float32Array:
        """(N, C, H, W) float32, computed on the CPU."""
        # At its own size, resizing is a change of layout and scale.
        height, width = self.images.shape[1:3]
        rule = _core.ResizeRule.half_pixel
        return _core.resize(self.images, rule, height, width, self.scale, self.offset, -math.inf, math.inf)


def in_float32(pixels: npt.NDArray[Any], low: float, high: float) -> tuple[npt.NDArray[Any], float, float]:
    """Pixels and their bounds as float32 arithmetic can scale them without losing digits.

    Ranges far from zero, of which little is left after subtracting `low`, and those near the ends of float32 are scaled
    to 0..1 in float64; others stay as they are.
    """
    length = high - low
    if 1e-30 <= length <= 1e30 and max(abs(low), abs(high)) <= 4 * length:
        return pixels, low, high
    return (pixels.astype(np.float64) - low) / length, 0.0, 1.0
