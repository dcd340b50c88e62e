"""Luma of colour images, as the papers of super-resolution score it: Y of ITU-R BT.601 YCbCr in its limited range."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

LUMAS = ("bt601", "bt601-rounded")

_WEIGHTS = (65.481, 128.553, 24.966)
"""Of MATLAB's rgb2ycbcr, which basicsr has too; their sum is 219."""


def luma(pixels: npt.NDArray[Any], data_range: float, kind: str) -> npt.NDArray[Any]:
    """Y of (H, W, 3) pixels: 16/255 to 235/255 of their range.

    Parameters
    ----------
    pixels : (H, W, 3) numpy.ndarray
        Red, green and blue in 0..data_range.
    data_range : float
    kind : {"bt601", "bt601-rounded"}
        ``"bt601"`` is 16 + (65.481 R + 128.553 G + 24.966 B) / 255 at 8 bits, not rounded, as basicsr's `to_y_channel`
        and MATLAB's `rgb2ycbcr` of floating-point images have it; other ranges are scaled alike. ``"bt601-rounded"`` is
        rounded to whole numbers, halves up, as `rgb2ycbcr` of integer images.

    Returns
    -------
    (H, W) numpy.ndarray of float64, or of the dtype of rounded integers
    """
    found = pixels[..., 0] * (_WEIGHTS[0] / 255)
    for channel in (1, 2):
        found += pixels[..., channel] * (_WEIGHTS[channel] / 255)
    found += 16 * data_range / 255
    if kind == "bt601" or pixels.dtype.kind == "f":
        return np.asarray(found, np.float64)
    found += 0.5
    return found.astype(pixels.dtype)
