"""PNG by both ways through Pillow: by its decoder alone, and by its class."""

from __future__ import annotations

import io
import random
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from pixelgauge.images import ImageFileError, png, read_image
from tests.images.encoded import chunk

COLOURS = {1: 0, 2: 4, 3: 2, 4: 6}


def encoded(pixels: np.ndarray, cut: int | None = None, parts: int = 1, data: bytes | None = None) -> bytes:
    """A PNG of 8 bits without filters, its data, cut to so many rows, in several chunks."""
    height, width, channels = pixels.shape
    rows = b"".join(b"\0" + row.tobytes() for row in pixels[:cut])
    data = zlib.compress(rows) if data is None else data
    step = -(-len(data) // parts)
    header = struct.pack(">IIBBBBB", width, height, 8, COLOURS[channels], 0, 0, 0)
    idat = b"".join(chunk(b"IDAT", data[at : at + step]) for at in range(0, len(data), step))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + idat + chunk(b"IEND", b"")


def picture(height: int, width: int, channels: int) -> np.ndarray:
    pixels = np.random.default_rng([height, width, channels]).integers(0, 256, (height, width, channels), np.uint8)
    if channels in (2, 4):
        pixels[..., -1] = 255
    return pixels


def test_this_pillow_is_known() -> None:
    assert png._decodes_directly()


@pytest.mark.oracle
@pytest.mark.parametrize("channels", COLOURS)
@pytest.mark.parametrize("size", [(1, 1), (1, 64), (3, 63), (2, 65), (40, 100), (300, 257)])
@pytest.mark.parametrize("parts", [1, 2, 5])
def test_pixels(each_way: str, size: tuple[int, int], channels: int, parts: int) -> None:
    pixels = picture(*size, channels)
    expected = pixels[..., :3] if channels > 2 else pixels[..., 0]
    np.testing.assert_array_equal(read_image(encoded(pixels, parts=parts)), expected)
    file = io.BytesIO()
    Image.fromarray(pixels if channels > 1 else pixels[..., 0]).save(file, "PNG")
    np.testing.assert_array_equal(read_image(file.getvalue()), expected)


@pytest.mark.boundary
@pytest.mark.parametrize("channels", COLOURS)
@pytest.mark.parametrize("size", [(5, 30), (40, 100)])
def test_data_that_end_early_or_are_broken(each_way: str, size: tuple[int, int], channels: int) -> None:
    pixels = picture(*size, channels)
    data = zlib.compress(b"".join(b"\0" + row.tobytes() for row in pixels))
    for cut in (0, 1, size[0] // 2, size[0] - 1):  # whole streams of too few rows
        with pytest.raises(ImageFileError, match=r"damaged|truncated|broken"):
            read_image(encoded(pixels, cut))
    for part in (data[: len(data) // 2], data[:2], b"", bytes([data[0] ^ 1]) + data[1:], b"\0" * 50):
        with pytest.raises(ImageFileError):
            read_image(encoded(pixels, data=part) if part else encoded(pixels).replace(b"IDAT", b"IDOT"))
    assert read_image(encoded(pixels, data=data + b"trailing")).shape[:2] == size


@pytest.mark.property
def test_both_ways_accept_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    draw = random.Random(0)
    pixels = picture(20, 80, 3)
    data = zlib.compress(b"".join(bytes([i % 5]) + row.tobytes() for i, row in enumerate(pixels)))
    accepted = 0
    for _ in range(400):
        changed = bytearray(data)
        for _ in range(draw.choice([0, 1, 1, 3])):
            changed[draw.randrange(len(data))] = draw.randrange(256)
        if draw.random() < 0.3:
            del changed[draw.randrange(len(data)) :]
        file = encoded(pixels, parts=draw.choice([1, 3]), data=bytes(changed) or b"x")
        found = []
        for direct in (True, False):
            with monkeypatch.context() as patch:
                if not direct:
                    patch.setattr(png, "_decodes_directly", lambda: False)
                try:
                    found.append(read_image(file).tobytes())
                except ImageFileError:
                    found.append(None)
        assert found[0] == found[1]
        accepted += found[0] is not None
    assert 50 < accepted < 350
