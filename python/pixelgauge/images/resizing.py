"""Images to another size by a kernel of Pillow's, by its name."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

KERNELS = ("nearest", "box", "bilinear", "hamming", "bicubic", "lanczos")


def resized(pixels: npt.NDArray[Any], height: int, width: int, kernel: str) -> npt.NDArray[Any]:
    """Resize (H, W) or (H, W, C) pixels as ``PIL.Image.resize`` does.

    8 bits are resized in 8 bits, which Pillow rounds after each direction; what is wider channel by channel in float32,
    integers then rounded and clipped to their range.
    """
    from PIL import Image

    by = Image.Resampling[kernel.upper()]
    if pixels.ndim == 3 and (pixels.dtype != np.uint8 or pixels.shape[2] != 3):
        channels = (resized(pixels[..., i], height, width, kernel) for i in range(pixels.shape[2]))
        return np.stack(list(channels), axis=2)
    if pixels.dtype == np.uint8:
        return np.asarray(Image.fromarray(np.ascontiguousarray(pixels)).resize((width, height), by))
    found = np.asarray(Image.fromarray(np.ascontiguousarray(pixels, np.float32)).resize((width, height), by))
    if pixels.dtype.kind == "f":
        return found.astype(pixels.dtype)
    whole: npt.NDArray[Any] = np.clip(np.rint(found), 0, np.iinfo(pixels.dtype).max)
    return whole.astype(pixels.dtype)
