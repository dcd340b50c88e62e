"""What decoding an image may take, told from its header before anything is decoded."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from pixelgauge.images.formats import open_image
from pixelgauge.images.opening import SizeTold, size_asked

if TYPE_CHECKING:
    from PIL import Image

MOST_A_PIXEL = 32
"""Bytes that reading holds for each pixel, in any format."""
_FEW_A_PIXEL = 8
"""Those of a JPEG, a BMP and a PNG of 8 bits: Pillow's four, and the three of the result."""
_FEW_IN_RGB = 16
"""Those of a JPEG, a BMP and a PNG that Pillow makes RGB: its four twice, the three of the result, a strip of four.

Peaks of 12 megapixels were 8.4 to 12.4; of WebP, JPEG 2000 and AVIF 14.7 to 20.8."""
_PLAIN = frozenset({"JPEG", "MPO", "BMP", "PNG"})
"""What Pillow calls the formats that take no more than that."""
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


def rgb_bytes(image: Image.Image, file: int = 0, beside: int = 0) -> int:
    """Bytes that making RGB of what Pillow has opened, and not decoded yet, holds at most.

    Parameters
    ----------
    image : PIL.Image.Image
    file : int, default 0
        Bytes of its file.
    beside : int, default 0
        Bytes a pixel that what is done with the result afterwards holds, the result counted.

    Returns
    -------
    int
    """
    few = image.format in _PLAIN or image.format is None  # without a format it is decoded already
    return image.width * image.height * max(_FEW_IN_RGB if few else MOST_A_PIXEL, beside) + _TIMES_THE_FILE * file
