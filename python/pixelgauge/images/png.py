"""PNG: every chunk that decides pixels is checked, and whether the data reach the last row; no metadata is kept."""

from __future__ import annotations

import contextlib
import functools
import struct
import zlib
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import numpy as np

from pixelgauge.files.reading import shown
from pixelgauge.images.opening import (
    LEAST_WATCHED,
    Opened,
    decoding_into,
    opened_of,
    parts_of,
    require_size,
    watched_row,
)
from pixelgauge.images.profiles import gamma_said, profile_said
from pixelgauge.images.tiff import RefusedError, exif_orientation, xmp_orientation

if TYPE_CHECKING:
    from PIL import Image

_PNG_PIXELS = frozenset({b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND"})
_PNG_FRAMES = frozenset({b"acTL", b"fcTL", b"fdAT"})
_PNG_COLOURS = frozenset({b"iCCP", b"sRGB", b"gAMA"})
_MOST_PROFILE = 1 << 20


def open_png(data: bytes) -> Opened:
    """Check what decides pixels, checksums above all, which Pillow skips for image data; the rest is left out.

    Gamma, chromaticities and colour profiles decide none here, for they are not applied. What may say that the picture
    is turned is read, and must be sound if it says so.
    """
    view = memoryview(data)
    kept, orientation, bits, frames, apart = [view[:8]], 1, 8, 0, 0
    seen: set[bytes] = set()
    said: dict[bytes, memoryview] = {}
    for kind, start, end in _png_chunks(data):
        decides = kind in _PNG_PIXELS or kind in _PNG_FRAMES or not kind[0] & 32
        if decides and not _is_sound(view, start, end):
            raise ValueError(f"chunk {shown(kind.decode('latin-1'))!r} has a wrong checksum")
        if kind not in _PNG_PIXELS:
            if not kind[0] & 32:
                raise RefusedError(
                    f"has a chunk {shown(kind.decode('latin-1'))!r} that decides its pixels in an unknown way",
                    "save it as a plain PNG",
                )
            if kind in _PNG_COLOURS:
                said[kind] = view[start + 8 : end - 4]
            elif kind == b"acTL":
                frames = int.from_bytes(view[start + 8 : start + 12])
            elif kind == b"fcTL" and b"IDAT" not in seen:
                apart = -1  # the picture is the first frame
            elif orientation == 1:
                turned = _png_orientation(kind, view[start + 8 : end - 4])
                if turned != 1 and not _is_sound(view, start, end):
                    raise ValueError(
                        f"chunk {kind.decode('latin-1')!r} has a wrong checksum, so whether it is turned is not known"
                    )
                orientation = turned or 1
            continue
        if not seen and kind != b"IHDR":
            raise ValueError(f"the file is damaged: chunk {kind.decode('latin-1')!r} stands before its header")
        if kind in seen and kind not in (b"IDAT", b"IEND"):
            raise ValueError(f"has chunk {kind.decode('latin-1')!r} twice")
        seen.add(kind)
        if kind == b"IHDR":
            if end - start != 25:
                raise ValueError(f"the file is damaged: its header has {end - start - 12} bytes, and 13 are right")
            require_size(*struct.unpack(">II", view[start + 8 : start + 16]))
            bits = view[start + 16]
        kept.append(view[start:end])
    if b"IEND" not in seen:
        raise ValueError("the file is truncated")
    if frames + apart + 1 > 1 and frames:
        raise RefusedError(
            f"holds {frames + apart + 1} frames or pages",
            "save the one to compare as a file of its own",
        )
    decoded = _direct(view, seen, apart, kept)
    if decoded is not None:
        return Opened(decoded(), decoded, orientation, bits=bits, colours=_colours(said))
    pixels = data if sum(map(len, kept)) == len(data) else b"".join(kept)
    opened = opened_of(_png_image(), pixels, orientation=orientation, bits=bits, colours=_colours(said))
    if not opened.image.watched:  # type: ignore[attr-defined]
        _require_png_rows(pixels)
    return opened


def _colours(said: dict[bytes, memoryview]) -> str:
    """Read what chunks say of colours: a profile before sRGB, and that before a gamma."""
    if b"iCCP" in said:
        packed = bytes(said[b"iCCP"]).partition(b"\0")[2][1:]
        try:
            return profile_said(zlib.decompressobj().decompress(packed, _MOST_PROFILE))
        except zlib.error:  # it decides no pixel
            return profile_said(packed)
    if b"sRGB" in said or len(said.get(b"gAMA", b"")) != 4:
        return ""
    return gamma_said(int.from_bytes(said[b"gAMA"]))


_ENDS_EARLY = "the file is damaged: its data end before its rows do"
_DIRECT = {0: "L", 2: "RGB", 4: "LA", 6: "RGBA"}
"""Colour types of 8 bits whose samples are the pixels."""


def _direct(view: memoryview, seen: set[bytes], apart: int, kept: list[memoryview]) -> Callable[[], Image.Image] | None:
    """How Pillow's decoder alone is to decode, whose class would check and copy all chunks once more; None if not."""
    width, height, bits, colour, *methods = struct.unpack(">IIBBBBB", kept[1][8:21])
    mode = _DIRECT.get(colour)
    if mode is None or bits != 8 or any(methods) or b"tRNS" in seen or apart or width < LEAST_WATCHED or not height:
        return None
    if not _decodes_directly():
        return None
    rows = b"".join(chunk[8:-4] for chunk in kept[2:] if bytes(chunk[4:8]) == b"IDAT")
    return functools.partial(_decoded, rows, mode, (width, height))


def _decoded(rows: bytes, mode: str, size: tuple[int, int]) -> Image.Image:
    with decoding_into(mode, size, "zip", mode) as (image, decoder):
        is_drawn = watched_row(image.im, size[1] - 1, size[0], len(mode))
        read, error = decoder.decode(rows)
    if read >= 0 or error < 0:
        raise ValueError("the file is damaged: its data are broken or end early")
    if is_drawn():
        raise ValueError(_ENDS_EARLY)
    return image


@functools.cache
def _decodes_directly() -> bool:
    """Whether this Pillow's decoder is called as those from 10.1 to 13 are."""
    for channels, mode in ((1, "L"), (2, "LA"), (3, "RGB"), (4, "RGBA")):
        pixels = (np.arange(64 * 3 * channels, dtype=np.uint32) * 40503 >> 8).astype(np.uint8).reshape(3, 64, channels)
        rows = zlib.compress(b"".join(b"\0" + row.tobytes() for row in pixels))
        try:
            found = np.asarray(_decoded(rows, mode, (64, 3)))
        except Exception:  # it is another Pillow
            return False
        if (found.reshape(pixels.shape) != pixels).any():
            return False
    return True


@functools.cache
def _png_image() -> type[Image.Image]:
    """Pillow's PNG image that refuses data which end, soundly, before the last row: Pillow would leave 0 there.

    What no picture has is drawn where the last row goes, and looked at once all data are decoded.
    """
    from PIL.PngImagePlugin import PngImageFile

    class WatchedPng(PngImageFile):
        @property
        def watched(self) -> bool:
            """Whether the drawn row tells: the last one comes last, and is too long to be what is drawn by chance."""
            plain = self.mode in ("L", "LA", "P", "RGB", "RGBA") and not self.info.get("interlace")
            return plain and self.size[0] >= LEAST_WATCHED

        def load_prepare(self) -> None:
            super().load_prepare()
            if self.watched:
                width, height = self.size
                self._is_drawn = watched_row(self.im, height - 1, width, len(self.getbands()))

        def load_end(self) -> None:
            if self.watched and self._is_drawn():
                raise ValueError(_ENDS_EARLY)
            super().load_end()

    return WatchedPng


_PNG_SAMPLES = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
"""Of a pixel, by colour type."""
_ADAM7 = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))
"""First column and row, and steps, of the seven pictures of an interlaced one."""


def _require_png_rows(data: bytes) -> None:
    """Inflate what a PNG holds, a piece at a time, and refuse fewer bytes than its rows have."""
    wanted, inflated, stream = 0, 0, zlib.decompressobj()
    for kind, start, end in _png_chunks(data):
        if kind == b"IHDR":
            width, height, bits, colour, _, _, interlaced = struct.unpack(">IIBBBBB", data[start + 8 : end - 4])
            for left, top, across, down in _ADAM7 if interlaced else ((0, 0, 1, 1),):
                columns, rows = parts_of(max(width - left, 0), across), parts_of(max(height - top, 0), down)
                wanted += rows * (1 + parts_of(columns * bits * _PNG_SAMPLES.get(colour, 1), 8)) if columns else 0
        elif kind == b"IDAT":
            piece = data[start + 8 : end - 4]
            while piece and not stream.eof:
                inflated += len(stream.decompress(piece, 1 << 20))
                piece = stream.unconsumed_tail
    if inflated < wanted:
        raise ValueError(_ENDS_EARLY)


def _png_chunks(data: bytes) -> Iterator[tuple[bytes, int, int]]:
    """Name, start and end of each chunk, to IEND."""
    position, kind = 8, b""
    while kind != b"IEND":
        length = int.from_bytes(data[position : position + 4])
        kind, end = data[position + 4 : position + 8], position + 12 + length
        if end > len(data) or len(kind) < 4:
            raise ValueError("the file is truncated")
        yield kind, position, end
        position = end


def _is_sound(view: memoryview, start: int, end: int) -> bool:
    return zlib.crc32(view[start + 4 : end - 4]) == int.from_bytes(view[end - 4 : end])


def _png_orientation(kind: bytes, body: memoryview) -> int | None:
    """Orientation by a chunk of metadata, 1 if it says none; None where it should say one and is damaged."""
    if kind == b"eXIf":
        return exif_orientation(body)
    if kind == b"iTXt" and bytes(body[:20]) == b"XML:com.adobe.xmp\0\0\0":
        return xmp_orientation(body)
    if kind in (b"tEXt", b"zTXt") and bytes(body[:22]) == b"Raw profile type exif\0":
        text = bytes(body[22:])
        if kind == b"zTXt":
            try:
                text = zlib.decompressobj().decompress(text[1:], _MOST_PROFILE)
            except zlib.error:
                return None
        with contextlib.suppress(ValueError):  # three lines, then hexadecimal digits
            digits = b"".join(text.split(b"\n")[3:])
            return exif_orientation(bytes.fromhex(digits[: len(digits) // 2 * 2].decode("ascii", "replace")))
        return None
    return 1
