"""GIF of one frame: its blocks are walked here, and Pillow's decoder is given the frame alone."""

from __future__ import annotations

import struct

import numpy as np
import numpy.typing as npt

from pixelgauge.images.opening import Decoded, decoding_into, require_size
from pixelgauge.images.tiff import ONE_OF_SEVERAL, RefusedError

_CUT_OFF = "the file is truncated"
_EXTENSION, _IMAGE, _END = 0x21, 0x2C, 0x3B
_CONTROL, _TEXT = 0xF9, 0x01


def open_gif(data: bytes) -> Decoded:
    """Decode the frame of a GIF that has one, which fills its screen.

    Raises
    ------
    RefusedError
        If there are several, or it fills a part.
    ValueError
        If it is damaged.
    """
    width, height, flags = struct.unpack_from("<HHB", data.ljust(13, b"\0"), 6)
    require_size(width, height)
    palette, at = _palette(data, 13, flags)
    frames, transparent, key = 0, None, None
    box, interlaced, bits, rows, colours = (0, 0, 0, 0), 0, 0, b"", palette
    while True:
        kind = data[at : at + 1]
        if not kind:
            raise ValueError(_CUT_OFF)
        if kind[0] == _END:
            break
        if kind[0] == _EXTENSION:
            label, start = data[at + 1 : at + 2], at + 2
            if label == bytes([_TEXT]):
                raise RefusedError("holds text that is to be drawn over its picture", "save it as PNG")
            if label == bytes([_CONTROL]):
                key = data[start + 4] if len(data) > start + 4 and data[start + 1] & 1 else None
            at = _after_blocks(data, start)
        elif kind[0] == _IMAGE:
            frames += 1
            left, top, across, down, local = struct.unpack_from("<4HB", data.ljust(at + 10, b"\0"), at + 1)
            own, start = _palette(data, at + 10, local)
            at = _after_blocks(data, start + 1)
            if frames == 1:
                box, interlaced, colours = (left, top, across, down), local >> 6 & 1, own if len(own) else palette
                bits, rows, transparent = data[start], data[start + 1 : at], key
            key = None
        else:
            raise ValueError(f"the file is damaged: byte {kind[0]:#x} stands where a block begins")
    if frames > 1:
        raise RefusedError(f"holds {frames} frames or pages", ONE_OF_SEVERAL)
    if not frames:
        raise ValueError("the file is damaged: it holds no picture")
    if box != (0, 0, width, height):
        raise RefusedError(
            f"has a picture of {box[2]} x {box[3]} pixels at {box[:2]} of a screen of {width} x {height}, which leaves "
            "or crosses its border",
            "save it as PNG",
        )
    if not 1 <= bits <= 8:
        raise ValueError(f"the file is damaged: its codes begin with {bits} bits")
    # What the data leave out keeps what was there before.
    indices = _indices(rows, (width, height), bits, interlaced, 255)
    if 255 in indices and (indices != _indices(rows, (width, height), bits, interlaced, 0)).any():
        raise ValueError("the file is damaged: its data end before its rows do")
    if indices.max() >= len(colours):
        raise ValueError(f"it has index {indices.max()} of a palette of {len(colours)} colours")
    opacity = None if transparent is None else np.where(indices == transparent, 0, 255).astype(np.uint8)
    return Decoded(np.take(colours, indices, axis=0), opacity)


def _palette(data: bytes, at: int, flags: int) -> tuple[npt.NDArray[np.uint8], int]:
    """Colours that may stand here, none if not, and where they end."""
    size = 3 << (flags & 7) + 1 if flags & 0x80 else 0
    if at + size > len(data):
        raise ValueError(_CUT_OFF)
    return np.frombuffer(data, np.uint8, size, at).reshape(-1, 3), at + size


def _after_blocks(data: bytes, at: int) -> int:
    """Where a chain of blocks, each behind its length, ends."""
    while at < len(data) and data[at]:
        at += 1 + data[at]
    if at >= len(data):
        raise ValueError(_CUT_OFF)
    return at + 1


def _indices(rows: bytes, size: tuple[int, int], bits: int, interlaced: int, before: int) -> npt.NDArray[np.uint8]:
    with decoding_into("L", size, "gif", bits, interlaced, -1, filled=before) as (image, decoder):
        read, error = decoder.decode(rows)
    if read >= 0 or error < 0:
        raise ValueError("the file is damaged: its data are broken or end early")
    return np.asarray(image)
