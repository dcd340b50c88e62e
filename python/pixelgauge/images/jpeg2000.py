"""JPEG 2000 of 8 bits, and gray of 16, where Pillow has its decoder."""

from __future__ import annotations

import struct

from pixelgauge.images.boxes import boxes
from pixelgauge.images.opening import Opened, opened_of, parts_of, require_size
from pixelgauge.images.profiles import profile_said
from pixelgauge.images.tiff import RefusedError

_TO_RGB = "convert it to 8-bit gray or RGB"
_COLOURS = {16: "sRGB", 17: "gray"}
"""Of the numbered spaces, those whose samples are the pixels."""
_ALPHA = 1
_FEW_TILES, _LEAST_TILE = 64, 1024
"""Beyond so many, tiles must have so many pixels: a decoder holds some 10 kB for each, however small."""
_TILE_BYTES = 14
"""Of the headers of a tile."""


def open_jpeg2000(data: bytes) -> Opened:
    """Check what a JPEG 2000 file, or a stream alone, says of its samples, and open it.

    Raises
    ------
    RefusedError
        If its samples are no gray, RGB and alpha, of one size and of 8 bits, or gray of 16; or this Pillow does not
        decode JPEG 2000.
    ValueError
        If it is damaged.
    """
    from PIL import features
    from PIL.Jpeg2KImagePlugin import Jpeg2KImageFile

    alone = data[:4] == b"\xff\x4f\xff\x51"
    start, end, opacities, profile = (0, len(data), list[int](), b"") if alone else _stream(data)
    components = _components(data, start)
    if data[end - 2 : end] != b"\xff\xd9":
        raise ValueError("the file is truncated: its stream has no end")
    colours = components - len(opacities)
    if len(opacities) > 1 or colours not in (1, 3) or (opacities and opacities[0] != colours):
        raise RefusedError(f"has {components} components, {len(opacities)} of them alpha", _TO_RGB)
    if not features.check("jpg_2000"):
        raise RefusedError("is a JPEG 2000 image, which this Pillow does not decode", "convert it to PNG")
    return opened_of(Jpeg2KImageFile, data, colours=profile_said(profile))


def _stream(data: bytes) -> tuple[int, int, list[int], bytes]:
    """Where the stream of a file starts and ends, which of its components are alpha, and its ICC profile."""
    stream, opacities, profile = None, [], b""
    for name, start, end in boxes(data):
        if name == b"jp2h":
            for inner, first, last in boxes(data, start, end):
                if inner == b"pclr":
                    raise RefusedError("is a JPEG 2000 with a palette", _TO_RGB)
                if inner == b"colr" and data[first : first + 1] == b"\1":
                    (space,) = struct.unpack_from(">I", data, first + 3)
                    if space not in _COLOURS:
                        raise RefusedError(f"has colour space {space} of JPEG 2000, no sRGB and no gray", _TO_RGB)
                elif inner == b"colr" and data[first : first + 1] == b"\2":
                    profile = data[first + 3 : last]
                elif inner == b"cdef":
                    channels = [data[k : k + 6] for k in range(first + 2, last - 5, 6)]
                    opacities = [int.from_bytes(c[:2]) for c in channels if int.from_bytes(c[2:4]) == _ALPHA]
                    if len(opacities) < sum(int.from_bytes(c[2:4]) != 0 for c in channels):
                        raise RefusedError("has components that are no colour and no plain alpha", _TO_RGB)
        elif name == b"jp2c" and stream is None:
            stream = start, end
    if stream is None:
        raise ValueError("the file is truncated: it holds no stream")
    return *stream, opacities, profile


def _components(data: bytes, start: int) -> int:
    """How many components there are, each of 8 bits and of every pixel, or one of 16."""
    if data[start : start + 4] != b"\xff\x4f\xff\x51" or len(data) < start + 45:
        raise ValueError("the file is damaged: its stream does not begin with its size")
    right, bottom, left, top, across, down, first, second, count = struct.unpack_from(">8IH", data, start + 8)
    require_size(right, bottom)
    if left or top or first or second:
        raise RefusedError("is a JPEG 2000 whose picture does not begin at its corner", _TO_RGB)
    if not across or not down:
        raise ValueError("the file is damaged: its tiles have no size")
    many = parts_of(right, across) * parts_of(bottom, down)
    if many > _FEW_TILES and across * down < _LEAST_TILE:
        raise RefusedError(f"is a JPEG 2000 of {many} tiles of {across} x {down} pixels", "save it with larger tiles")
    if many * _TILE_BYTES > len(data):
        raise ValueError("the file is truncated: its tiles are more than it can hold")
    each = [data[start + 42 + 3 * k : start + 45 + 3 * k] for k in range(count)]
    depths = sorted({f"{'signed ' if c[0] & 128 else ''}{1 + (c[0] & 127)}-bit" for c in each if c})
    if depths not in (["8-bit"], ["16-bit"]) or (depths == ["16-bit"] and count > 1):
        of = {1: "gray", 3: "RGB"}.get(count, f"{count}-component")
        raise RefusedError(f"has {' and '.join(depths)} {of} samples of JPEG 2000", "convert to 8 bits, or to PNG")
    if any(c[1:] != b"\1\1" for c in each):
        raise RefusedError("is a JPEG 2000 of components of different sizes", _TO_RGB)
    return int(count)
