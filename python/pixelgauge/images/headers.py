"""What decoding an image may take, told from its header before anything is decoded."""

from __future__ import annotations

import contextlib

from pixelgauge.images.formats import open_image
from pixelgauge.images.opening import SizeTold, size_asked

MOST_A_PIXEL = 32
"""Bytes that reading holds for each pixel, in any format."""
_FEW_A_PIXEL = 8
"""Those of a JPEG, a BMP and a PNG of 8 bits: Pillow's four, and the three of the result."""
_TIMES_THE_FILE = 3
_PNG_DEPTH = 24
"""Where a PNG says how many bits its samples have."""


def decoding_bytes(data: bytes) -> int:
    """Bytes that reading an encoded image holds at most, itself counted; of what is no image, those of the data.

    Parameters
    ----------
    data : bytes
        The file.

    Returns
    -------
    int
    """
    pixels = 0
    # Whatever a damaged file leads to: reading it will say so.
    with contextlib.suppress(Exception), size_asked():
        try:
            open_image(data, any_samples=True)
        except SizeTold as told:
            pixels = told.pixels
    is_plain = data[:3] == b"\xff\xd8\xff" or data[:2] == b"BM"
    is_plain |= data[:4] == b"\x89PNG" and data[_PNG_DEPTH : _PNG_DEPTH + 1] <= b"\x08"
    return pixels * (_FEW_A_PIXEL if is_plain else MOST_A_PIXEL) + _TIMES_THE_FILE * len(data)
