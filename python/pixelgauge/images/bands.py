"""TIFF of floating, signed and 32-bit samples and of any number of bands, by tifffile: the extra ``tiff``."""

from __future__ import annotations

import io

import numpy as np

from pixelgauge.images.opening import Decoded
from pixelgauge.images.profiles import profile_said
from pixelgauge.images.tiff import RefusedError, Tiff


def open_bands(tiff: Tiff) -> Decoded:
    """Decode a checked TIFF: unsigned and floating samples as they are, others as floats that hold each of them.

    Raises
    ------
    RefusedError
        If tifffile is not installed.
    ValueError
        If it is damaged.
    """
    try:
        import tifffile
    except ImportError as error:
        raise RefusedError(
            "has samples that tifffile reads, which is not installed", "pip install 'pixelgauge[tiff]'"
        ) from error
    width, height = tiff.size
    with tifffile.TiffFile(io.BytesIO(tiff.data)) as file:
        page = file.pages.first
        pixels, axes = page.asarray(maxworkers=1), page.axes
    pixels = np.moveaxis(pixels, 0, -1) if axes == "SYX" else pixels
    if pixels.shape not in ((height, width), (height, width, tiff.bands)):
        raise ValueError(f"has samples of shape {pixels.shape}, not {height} x {width} of {tiff.bands}")
    pixels = pixels.reshape((height, width, tiff.bands) if tiff.bands > 1 else (height, width))
    dtype = pixels.dtype.newbyteorder("=")
    if dtype.kind == "i" or dtype == np.uint32:
        dtype = np.dtype(np.float32 if dtype.itemsize < 4 else np.float64)
    return Decoded(pixels.astype(dtype, copy=False), orientation=tiff.orientation, colours=profile_said(tiff.profile))
