"""Images of each format: pixels of 8 or 16 bits as large as the file says, equal to themselves by every metric."""

from __future__ import annotations

import contextlib
import io
from typing import Any

import numpy as np
from PIL import Image

import pixelgauge

from .. import formats, readers
from ..mutations import blind
from ..target import Target, is_chosen
from .arrays import same


def _right(pixels: Any, data: bytes) -> None:
    assert pixels.dtype in (np.uint8, np.uint16), pixels.dtype
    assert pixels.ndim == 2 or (pixels.ndim == 3 and pixels.shape[2] == 3), pixels.shape
    assert pixels.flags.c_contiguous
    size = _size(data)
    assert size in (None, pixels.shape[:2], pixels.shape[1::-1]), (pixels.shape, size)
    if pixels.size > 1 << 16 or not is_chosen(data, 4):
        return
    gray = readers.read_image(data, gray=True)
    assert (gray.shape, gray.dtype) == (pixels.shape[:2], pixels.dtype)
    assert pixels.ndim == 3 or same(gray, pixels)
    for alpha in ("drop", "white"):  # an opaque channel, or none, as it was accepted
        assert same(readers.read_image(data, alpha=alpha), pixels)
    assert pixelgauge.mse(pixels, pixels) == 0
    if min(pixels.shape[:2]) >= 11:
        assert pixelgauge.ssim(pixels, pixels) == 1


def _size(data: bytes) -> tuple[int, int] | None:
    """Width and height as Pillow sees them; None if metadata that we pass over stops it."""
    with contextlib.suppress(Exception), Image.open(io.BytesIO(data)) as image:
        return image.size
    return None


def _read(data: bytes) -> Any:
    return readers.read_image(data)


TARGETS = [
    Target(name, _read, _right, mutate, readers.IMAGE, same)
    for name, mutate in (
        ("png", formats.png),
        ("jpeg", blind),
        ("webp", formats.riff),
        ("bmp", blind),
        ("tiff", formats.tiff),
    )
]
