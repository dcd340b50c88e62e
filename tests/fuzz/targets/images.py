"""Images of each format: pixels of 8 or 16 bits as large as the file says, equal to themselves by every metric."""

from __future__ import annotations

import contextlib
import io
import struct
import zlib
from collections.abc import Sequence
from random import Random
from typing import Any

import numpy as np
from PIL import Image

import pixelgauge
from pixelgauge.images import ImageFileError

from .. import formats, readers
from ..mutations import blind, with_tokens
from ..target import Target, is_chosen
from .arrays import same

_ADAM7 = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))
"""First column and row, and the steps, of each pass of an interlaced PNG."""


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


def _right_jpeg(pixels: Any, data: bytes) -> None:
    _right(pixels, data)
    with readers.without_fast_jpeg():
        assert same(readers.read_image(data), pixels), "the extra `fast` decodes it otherwise"


def _right_png(pixels: Any, data: bytes) -> None:
    _right(pixels, data)
    chunks: dict[bytes, list[bytes]] = {}
    at = 8
    while at + 12 <= len(data) and b"IEND" not in chunks:
        length = int.from_bytes(data[at : at + 4], "big")
        chunks.setdefault(data[at + 4 : at + 8], []).append(data[at + 8 : at + 8 + length])
        at += 12 + length
    assert len(chunks[b"IHDR"]) == 1, "which header is it?"
    width, height, bits, colour, _, _, interlaced = struct.unpack(">2I5B", chunks[b"IHDR"][0][:13])
    depth = bits * {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}[colour]
    needed = 0
    for x, y, across, down in _ADAM7 if interlaced else ((0, 0, 1, 1),):
        columns, rows = -(-(width - x) // across), -(-(height - y) // down)
        needed += rows * (1 + (columns * depth + 7) // 8) if columns > 0 and rows > 0 else 0
    held = len(zlib.decompressobj().decompress(b"".join(chunks[b"IDAT"]), needed)) if needed else 0
    assert held == needed, f"{held} of {needed} bytes are there, and the rest is made up"


def _read(data: bytes) -> Any:
    """Read with Pillow's limit at a fiftieth of its default: a few bytes may hold that many pixels, and take their memory."""
    before, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, 1 << 21
    try:
        return readers.read_image(data)
    finally:
        Image.MAX_IMAGE_PIXELS = before


def _read_any(data: bytes) -> Any:
    before, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, 1 << 21
    try:
        return readers.read_image(data, any_samples=True)
    finally:
        Image.MAX_IMAGE_PIXELS = before


def _right_any(pixels: Any, data: bytes) -> None:
    assert pixels.dtype in (np.uint8, np.uint16, np.float16, np.float32, np.float64), pixels.dtype
    assert pixels.dtype.isnative
    assert pixels.ndim in (2, 3)
    assert pixels.flags.c_contiguous
    assert pixels.nbytes <= 10 * len(data) + (64 << 20)
    if pixels.dtype in (np.uint8, np.uint16) and (pixels.ndim == 2 or pixels.shape[2] == 3):
        return  # which may be read without
    try:
        readers.read_image(data)
    except readers.IMAGE:
        return
    raise AssertionError("it is read although nobody said what its samples mean")


_MOST_FRAMES = 8


def _frames(data: bytes, *, backwards: bool = False) -> list[Any]:
    """Pixels of the first frames, or why they are not read."""
    before, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, 1 << 20
    try:
        frames = readers.Frames("frames", data)
        numbers = list(range(min(frames.count, _MOST_FRAMES)))
        found = {}
        for number in reversed(numbers) if backwards else numbers:
            try:
                found[number] = frames.read(number, gray=False, alpha="error", any_samples=True).pixels
            except readers.IMAGE as error:
                found[number] = str(error)
    finally:
        Image.MAX_IMAGE_PIXELS = before
    read = [found[number] for number in numbers]
    if all(isinstance(one, str) for one in read):
        raise ImageFileError("frames", f"of its {frames.count} frames none is read", read[0])
    return read


def _same_frames(a: Any, b: Any) -> bool:
    def alike(x: Any, y: Any) -> bool:
        return x == y if isinstance(x, str) or isinstance(y, str) else same(x, y)

    return len(a) == len(b) and all(map(alike, a, b))


def _right_frames(read: Any, data: bytes) -> None:
    for pixels in read:
        if isinstance(pixels, str):
            assert pixels.isprintable()
            assert len(pixels) <= 2000
        elif pixels.dtype.kind == "f" or (pixels.ndim == 3 and pixels.shape[2] != 3):
            assert data[:2] in (b"II", b"MM"), "only a TIFF has bands and floats"
    if data[:4] in (b"II*\0", b"MM\0*") and is_chosen(data, 2):  # of an animation, damage shows where one comes from
        assert _same_frames(read, _frames(data, backwards=True)), "the order decides what is read"


_pnm = with_tokens(b"P1", b"P2", b"P3", b"P4", b"P5", b"P6", b"P7", b"\n", b" ", b"#", b"\r", b"\v", b"0", b"1", b"255", b"256", b"65535",
                   b"65536", b"1023", b"999999999", b"-1", b"1e3", b"0x10", b"1_0", b"\xff\xff", b"\0")  # fmt: skip


def _mutate_frames(data: bytes, rng: Random, others: Sequence[bytes] = ()) -> bytes:
    """By the format, and, of a TIFF, of any of its directories."""
    if data[:4] == b"RIFF":
        return formats.riff(data, rng, others)
    return (formats.tiff if data[:2] in (b"II", b"MM") and rng.random() < 0.5 else blind)(data, rng, others)


TARGETS = [
    Target(name, _read, {"png": _right_png, "jpeg": _right_jpeg}.get(name, _right), mutate, readers.IMAGE, same)
    for name, mutate in (
        ("png", formats.png),
        ("jpeg", blind),
        ("webp", formats.riff),
        ("bmp", blind),
        ("tiff", formats.tiff),
        ("gif", blind),
        ("pnm", _pnm),
        ("avif", blind),
        ("jpeg2000", blind),
    )
] + [
    Target("tiff-bands", _read_any, _right_any, formats.tiff, readers.IMAGE, same),
    Target("pnm-any", _read_any, _right_any, _pnm, readers.IMAGE, same),
    Target("frames", _frames, _right_frames, _mutate_frames, readers.IMAGE, _same_frames),
]
