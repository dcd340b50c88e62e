"""JPEG: markers are walked, scans decoded by the extra ``fast``, or by Pillow, whose decoder is told of an end."""

from __future__ import annotations

import functools
import io
import re
import struct
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from pixelgauge.images.fast_jpeg import decoded_fast
from pixelgauge.images.opening import Decoded, Opened, decoding_into, opened_of, parts_of, require_size, watched_row
from pixelgauge.images.profiles import profile_said
from pixelgauge.images.tiff import RefusedError, exif_orientation, xmp_orientation

if TYPE_CHECKING:
    from PIL import Image

_JPEG_MARKER = re.compile(rb"\xff[^\x00\xff\xd0-\xd7]")
_JPEG_RESTART = re.compile(rb"\xff([\xd0-\xd7])")
_RESTARTS = bytes(range(0xD0, 0xD8))
_JPEG_KEPT = {0xE0: b"JFIF\0", 0xEE: b"Adobe"}
"""Segments of applications that say what colours the components are; the others say nothing of pixels."""
_ADOBE_BYTES = 12
"""Of Adobe's; a shorter one says nothing."""
_UNITS_LEFT, _LEAST_WIDTH = 3, 128
"""Rows of blocks at the end that may wait for the end marker, where a row is of so many pixels: those of the last
few blocks, whose bits are looked at together, and of one row more, which chroma is interpolated from."""


_FAST_SAMPLING = {((1, 1),)} | {(luma, (1, 1), (1, 1)) for luma in ((1, 1), (2, 1), (2, 2), (1, 2))}
"""Of a JPEG's components, where a decoder beside Pillow is tried on it."""


class _Scans:
    """What is known of a JPEG's frame, to tell whether its scans can be whole."""

    def __init__(self) -> None:
        self.interval = self.frame = self.count = self.components = 0
        self.width = self.height = 0
        self.sampling: dict[int, tuple[int, int]] = {}

    def unit_height(self) -> int:
        """Rows that are decoded at a time."""
        return 8 * max((down for _, down in self.sampling.values()), default=1)

    def take_frame(self, marker: int, body: memoryview) -> None:
        bits, self.height, self.width, count = struct.unpack_from(">BHHB", body)
        if bits != 8:
            raise RefusedError(f"has {bits}-bit samples", "convert to 8 bits, or save 16 bits as PNG or TIFF")
        require_size(self.width, self.height)
        self.frame, self.components = marker, count
        self.sampling = {body[6 + 3 * i]: (body[7 + 3 * i] >> 4, body[7 + 3 * i] & 15) for i in range(count)}
        if not all(across and down for across, down in self.sampling.values()):
            raise ValueError("the file is damaged: a component of it has no size")

    def check(self, header: memoryview, scan: memoryview) -> None:
        """Refuse a scan that holds fewer restarts, or fewer bits, than its blocks must have."""
        self.count += 1
        of = [self.sampling.get(header[1 + 2 * i]) for i in range(header[0])]
        if len(self.sampling) != self.components:  # several of one name, which libjpeg takes in their order
            return
        if not of or None in of or self.height == 0 or self.frame not in (0xC0, 0xC1, 0xC2):
            return
        across, down = (max(pair[k] for pair in self.sampling.values()) for k in (0, 1))
        blocks = 1
        if len(of) == 1:
            h, v = of[0] or (1, 1)
            units = parts_of(parts_of(self.width * h, across), 8) * parts_of(parts_of(self.height * v, down), 8)
        else:
            units = parts_of(self.width, 8 * across) * parts_of(self.height, 8 * down)
            blocks = sum(pair[0] * pair[1] for pair in of if pair)
        # A block of a sequential scan takes a code of each table, of one bit or more.
        if self.frame != 0xC2 and 8 * len(scan) < 2 * units * blocks:
            raise ValueError("the file is damaged: a scan of it ends before its pixels do")
        if self.interval:
            found = b"".join(_JPEG_RESTART.findall(scan))
            wanted = parts_of(units, self.interval) - 1
            if len(found) < wanted or found != (_RESTARTS * (len(found) // 8 + 1))[: len(found)]:
                raise ValueError("the file is damaged: restart markers of a scan are missing or out of order")


def open_jpeg(data: bytes) -> Opened | Decoded:
    """Walk all markers: what ends early or holds what cannot be there would be decoded to gray without a word."""
    from PIL.JpegImagePlugin import JpegImageFile

    view, scans = memoryview(data), _Scans()
    parts, kept, position = [], 0, 2  # the parts before `kept` are taken, or left out
    exif, xmp, profile, whole, left_out = b"", b"", b"", False, False
    while not whole:
        found = _JPEG_MARKER.search(data, position)
        if found is None:
            raise ValueError("the file is truncated: it has no end marker")
        marker, start = data[found.start() + 1], found.end()
        if left_out:  # and what stands between it and the next
            kept, left_out = found.start(), False
        if scans.count and data[position : found.start()].strip(b"\xff"):
            raise ValueError("the file is damaged: a segment stands within its scan")
        if marker == 0xD9:
            whole, position = True, start
            continue
        if not (marker >= 0xC0 and marker not in (0xC8, 0xD8)):
            raise ValueError(f"the file is damaged: marker {marker:#x} stands where none may be")
        end = start + int.from_bytes(data[start : start + 2])
        if end > len(data) or end < start + 2:
            raise ValueError("the file is truncated")
        body, position = view[start + 2 : end], end
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xCC):
            if scans.frame:
                raise ValueError("the file is damaged: it holds two frames")
            scans.take_frame(marker, body)
        elif marker == 0xDD and len(body) >= 2:
            scans.interval = int.from_bytes(body[:2])
        elif marker == 0xDA and len(body) > 2 * body[0]:
            after = _JPEG_MARKER.search(data, end)
            position = len(data) if after is None else after.start()
            scans.check(body, view[end:position])
        elif marker == 0xE1 and bytes(body[:6]) == b"Exif\0\0":
            exif += bytes(body[6:] if exif else body)
        elif marker == 0xE1 and bytes(body[:29]) == b"http://ns.adobe.com/xap/1.0/\0":
            xmp = xmp or bytes(body)
        elif marker == 0xE2 and bytes(body[:12]) == b"ICC_PROFILE\0":
            profile += bytes(body[14:])
        says_nothing = bytes(body[:5]) != _JPEG_KEPT.get(marker) or (marker == 0xEE and len(body) < _ADOBE_BYTES)
        if (0xE0 <= marker <= 0xEF and says_nothing) or marker == 0xFE:
            parts.append(view[kept : found.start()])
            kept, left_out = end, True
    if not scans.count or not scans.frame:
        raise ValueError("the file is damaged: it holds no picture")
    if kept or position < len(data):
        data = b"".join([*parts, view[kept:position]])
    turned = exif_orientation(exif) or 1
    turned = turned if turned != 1 else xmp_orientation(xmp)
    watched = scans.frame in (0xC0, 0xC1) and scans.count == 1
    row = _watched_row(scans.width, scans.height, scans.unit_height()) if watched else None
    colours = profile_said(profile)
    mode = {1: "L", 3: "RGB"}.get(scans.components if scans.components == len(scans.sampling) else 0)
    if mode and scans.frame in (0xC0, 0xC2) and tuple(scans.sampling.values()) in _FAST_SAMPLING:
        pixels = decoded_fast(data, mode, (scans.width, scans.height))
        if pixels is not None:
            return Decoded(pixels, orientation=turned, colours=colours)
    if mode and scans.frame in (0xC0, 0xC1, 0xC2) and scans.width * scans.height and _decodes_directly():
        decoded = functools.partial(_decoded, data, mode, (scans.width, scans.height), row)
        return Opened(decoded(), decoded, turned, colours=colours)
    opened = opened_of(JpegImageFile, data, orientation=turned, colours=colours)
    if row is not None:
        _watch_progress(opened.image, data, row)
    return opened


def _watched_row(width: int, height: int, unit_height: int) -> int | None:
    """Row that a decoder has written when it has all of a sound scan but the end marker; None of a small picture.

    That is so of all rows apart from those of the last blocks. A scan that ends long before its pixels do is filled up
    with gray by libjpeg, so the row is drawn with what no picture has there, and looked at once the decoder wants more.
    """
    row = height - _UNITS_LEFT * unit_height - 1
    return row if row >= 0 and width >= _LEAST_WIDTH else None


_ENDS_EARLY = "the file is damaged: its scan ends before its pixels do"


def _decoded(data: bytes, mode: str, size: tuple[int, int], row: int | None) -> Image.Image:
    """Decode by Pillow's decoder alone: its class would read all tables once more, as lists."""
    view, read, error = memoryview(data), 0, 0
    with decoding_into(mode, size, "jpeg", mode, "") as (image, decoder):
        if row is not None:
            is_drawn = watched_row(image.im, row, size[0], len(mode))
            read, error = decoder.decode(view[:-2])
            if read >= 0 and is_drawn():
                raise ValueError(_ENDS_EARLY)
        if read >= 0:
            read, error = decoder.decode(view[read:])
    if read >= 0:
        raise ValueError("the file is truncated")
    if error < 0:
        raise ValueError("the file is damaged: its data stream is broken")
    return image


@functools.cache
def _decodes_directly() -> bool:
    """Whether this Pillow's decoder is called as those from 10.1 to 13 are, and tells an early end."""
    from PIL import Image

    pixels = (np.arange(144 * 48 * 3, dtype=np.uint32) * 40503 >> 12).astype(np.uint8).reshape(48, 144, 3)
    size, row = (144, 48), _watched_row(144, 48, 8)
    for mode, picture in (("RGB", pixels), ("L", pixels[..., 0])):
        encoded = io.BytesIO()
        Image.fromarray(picture).save(encoded, "JPEG", quality=90, subsampling=0)
        data = encoded.getvalue()
        try:
            found = np.asarray(_decoded(data, mode, size, row))
            with Image.open(io.BytesIO(data)) as image:
                if (found != np.asarray(image)).any():
                    return False
        except Exception:  # it is another Pillow
            return False
        try:
            _decoded(data[: len(data) // 2] + data[-2:], mode, size, row)
        except ValueError:
            continue
        return False
    return True


class _HeldBack(io.BytesIO):
    """A JPEG whose end marker is read alone and last, with a question before."""

    def __init__(self, data: bytes, draw: Callable[[], None], ask: Callable[[], None]) -> None:
        super().__init__(data)
        self._end, self._draw, self._ask = len(data) - 2, draw, ask

    def read(self, size: int | None = -1) -> bytes:
        here = self.tell()
        if here == 0:  # by now there is an image to draw on
            self._draw()
        if here >= self._end:
            self._ask()
            return super().read(size)
        return super().read(self._end - here if size is None or size < 0 else min(size, self._end - here))


def _watch_progress(image: Image.Image, data: bytes, row: int) -> None:
    """Refuse a scan that ends long before its pixels do, where Pillow's own class decodes."""
    is_drawn: Callable[[], bool] = bool

    def draw() -> None:
        nonlocal is_drawn
        is_drawn = watched_row(image.im, row, image.width, len(image.getbands()))

    def ask() -> None:
        if is_drawn():
            raise ValueError(_ENDS_EARLY)

    image.fp = _HeldBack(data, draw, ask)  # type: ignore[attr-defined]
