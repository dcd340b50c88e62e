"""Image files as bytes: written from the specifications of PNG and TIFF, and by Pillow; and the pixels they hold."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from PIL import Image

from tests.pictures import random_pixels

HEIGHT, WIDTH = 19, 23


# What a viewer shows of the samples stored, by their orientation in EXIF.
ORIENTED: dict[int, Callable[[np.ndarray], np.ndarray]] = {
    1: lambda a: a,
    2: lambda a: a[:, ::-1],
    3: lambda a: a[::-1, ::-1],
    4: lambda a: a[::-1],
    5: lambda a: a.swapaxes(0, 1),
    6: lambda a: np.rot90(a, -1),
    7: lambda a: a[::-1, ::-1].swapaxes(0, 1),
    8: lambda a: np.rot90(a, 1),
}


def pixels(channels: int, dtype: npt.DTypeLike = np.uint8, seed: int = 0) -> np.ndarray:
    """Random samples of every value of the type, of (19, 23) or (19, 23, channels)."""
    shape = (HEIGHT, WIDTH) if channels == 1 else (HEIGHT, WIDTH, channels)
    return random_pixels(shape, seed, dtype)


def chunk(kind: bytes, body: bytes, spoilt: bool = False) -> bytes:
    """A chunk of a PNG, its checksum spoilt or not."""
    checksum = zlib.crc32(kind + body) ^ (1 if spoilt else 0)
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", checksum)


def png_bytes(
    image: np.ndarray,
    *,
    filter_type: int = 0,
    transparent: Sequence[int] | None = None,
    interlace: bool = False,
    bits: int | None = None,
) -> bytes:
    """A PNG written from its specification: Pillow writes no 16-bit colour."""
    samples = image[..., np.newaxis] if image.ndim == 2 else image
    height, width, channels = samples.shape
    bits = bits or 8 * image.itemsize
    passes = [(0, 0, 1, 1)]
    if interlace:
        passes = [(0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1)]
    raw = b""
    for top, left, down, right in passes:
        part = np.ascontiguousarray(samples[top::down, left::right])
        if part.size == 0:
            continue
        if bits < 8:
            wide = -(-part.shape[1] * bits // 8) * 8 // bits
            padded = np.pad(part[..., 0], ((0, 0), (0, wide - part.shape[1])))
            shifts = 8 - bits * (1 + np.arange(8 // bits))
            rows = (padded.reshape(len(part), -1, 8 // bits) << shifts).sum(axis=2).astype(np.uint8)
        else:
            rows = part.astype(part.dtype.newbyteorder(">")).view(np.uint8).reshape(part.shape[0], -1)
        step = max(1, channels * bits // 8)
        left_of = np.pad(rows, ((0, 0), (step, 0)))[:, :-step].astype(int)
        above = np.pad(rows, ((1, 0), (0, 0)))[:-1].astype(int)
        corner = np.pad(left_of, ((1, 0), (0, 0)))[:-1]
        p = left_of + above - corner
        near = np.stack([abs(p - left_of), abs(p - above), abs(p - corner)]).argmin(axis=0)
        paeth = np.choose(near, [left_of, above, corner])
        predicted = [0 * above, left_of, above, (left_of + above) // 2, paeth][filter_type]
        lines = ((rows - predicted) % 256).astype(np.uint8)
        raw += b"".join(bytes([filter_type]) + line.tobytes() for line in lines)

    colour_type = {1: 0, 2: 4, 3: 2, 4: 6}[channels]
    header = struct.pack(">IIBBBBB", width, height, bits, colour_type, 0, 0, int(interlace))
    key = b"" if transparent is None else chunk(b"tRNS", struct.pack(f">{len(transparent)}H", *transparent))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        [chunk(b"IHDR", header), key, chunk(b"IDAT", zlib.compress(raw)), chunk(b"IEND", b"")]
    )


def tiff_bytes(
    image: np.ndarray,
    *,
    order: Literal["<", ">"] = "<",
    photometric: int | None = None,
    planar: int = 1,
    bits: int | None = None,
    sample_format: int = 1,
    extra: int | None = None,
    compressed: bool = False,
) -> bytes:
    """A one-strip TIFF written from its specification."""
    channels = 1 if image.ndim == 2 else image.shape[2]
    data = (np.moveaxis(image, -1, 0) if planar == 2 else image).astype(image.dtype.newbyteorder(order)).tobytes()
    data = zlib.compress(data) if compressed else data
    entries: list[tuple[int, int, list[int]]] = [
        (256, 3, [image.shape[1]]),
        (257, 3, [image.shape[0]]),
        (258, 3, [bits or 8 * image.itemsize] * channels),
        (259, 3, [8 if compressed else 1]),
        (262, 3, [photometric if photometric is not None else 2 if channels >= 3 else 1]),
        (273, 4, [8]),
        (277, 3, [channels]),
        (278, 3, [image.shape[0]]),
        (279, 4, [len(data)]),
        (284, 3, [planar]),
        (339, 3, [sample_format] * channels),
    ]
    if planar == 2:
        size = len(data) // channels
        entries[5] = (273, 4, [8 + i * size for i in range(channels)])
        entries[8] = (279, 4, [size] * channels)
    if extra is not None:
        entries.insert(10, (338, 3, [extra]))
    directory_at = 8 + len(data) + len(data) % 2
    overflow_at = directory_at + 2 + 12 * len(entries) + 4
    directory, overflow = struct.pack(order + "H", len(entries)), b""
    for tag, kind, values in entries:
        packed = struct.pack(order + str(len(values)) + {3: "H", 4: "I"}[kind], *values)
        if len(packed) > 4:
            packed, overflow = struct.pack(order + "I", overflow_at + len(overflow)), overflow + packed
        directory += struct.pack(order + "HHI", tag, kind, len(values)) + packed.ljust(4, b"\0")
    head = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(order + "I", directory_at)
    return head + data + b"\0" * (len(data) % 2) + directory + b"\0\0\0\0" + overflow


def pillow_bytes(image: np.ndarray | Image.Image, kind: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    (image if isinstance(image, Image.Image) else Image.fromarray(image)).save(buffer, kind, **options)
    return buffer.getvalue()


def stored(folder: Path, data: bytes, name: str = "image") -> Path:
    path = folder / name
    path.write_bytes(data)
    return path
