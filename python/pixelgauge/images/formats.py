"""The formats of image files: what each may hold, what is damage, and what is given to Pillow to decode.

Pillow is given the parts that decide pixels and no others, by the class of one format, so that neither metadata nor
settings of its own decide whether a picture is read, and a file's kind has a name where it is refused.
"""

from __future__ import annotations

import contextlib
import io
import re
import struct
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from pixelgauge.images.opening import Opened, opened_of, parts_of, require_size, watched_row
from pixelgauge.images.png import open_png
from pixelgauge.images.tiff import (
    RefusedError,
    canonical_tiff,
    exif_orientation,
    libtiff_errors_raised,
    xmp_orientation,
)

if TYPE_CHECKING:
    from PIL import Image

UNREADABLE = "not a readable PNG, JPEG, WebP, BMP or TIFF image"

_FEW = "convert it to 8- or 16-bit gray or RGB"


@contextlib.contextmanager
def decoding(image: Image.Image) -> Iterator[None]:
    """Whatever Pillow does with the pixels of an image happens in here."""
    from PIL import ImageFile

    if ImageFile.LOAD_TRUNCATED_IMAGES:
        raise RefusedError(
            "is not decoded while PIL.ImageFile.LOAD_TRUNCATED_IMAGES is set, which fills what is missing with gray",
            "set it to False",
        )
    with libtiff_errors_raised(image):
        yield


def open_image(data: bytes) -> Opened:
    """Check the data of an image file, and open what of it decides pixels.

    Raises
    ------
    RefusedError
        If it is of a kind that is not read exactly.
    Exception
        Of any kind, if it is damaged.
    """
    for start, opening in _OPENINGS:
        if start.match(data):
            return opening(data)
    raise RefusedError(UNREADABLE + _other_kind(data))


_OTHER_KINDS = (
    (rb"GIF8", "a GIF image"),
    (rb"....ftyp(avif|avis|heic|heix|mif1|msf1)", "an AVIF or HEIC image"),
    (rb"\x00\x00\x00\x0cjP  |\xff\x4f\xff\x51", "a JPEG 2000 image"),
    (rb"\xff\x0a|\x00\x00\x00\x0cJXL ", "a JPEG XL image"),
    (rb"8BPS", "a Photoshop document"),
    (rb"P[1-7]\s", "a PNM image"),
    (rb"\x00\x00\x01\x00.\x00", "an icon"),
    (rb"\x76\x2f\x31\x01", "an OpenEXR image"),
    (rb"#\?RADIANCE", "a Radiance HDR image"),
    (rb"qoif", "a QOI image"),
    (rb"%PDF", "a PDF document"),
    (rb"PK\x03\x04", "a zip archive"),
    (rb"\x1f\x8b", "compressed by gzip"),
    (rb"version https://git-lfs", "a pointer of Git LFS, not the file that it stands for"),
    (rb"\s*<(?i:!doctype html|html)", "a page of HTML"),
    (rb"\s*<(\?xml|svg)", "a document of XML"),
    (rb"\x00{16}", "filled with zeros"),
)


def _other_kind(data: bytes) -> str:
    for pattern, kind in _OTHER_KINDS:
        if re.match(pattern, data, re.DOTALL):
            return f"; it is {kind}"
    return ""


# ---- JPEG ------------------------------------------------------------------------------------------------------------

_JPEG_MARKER = re.compile(rb"\xff[^\x00\xff\xd0-\xd7]")
_JPEG_RESTART = re.compile(rb"\xff([\xd0-\xd7])")
_RESTARTS = bytes(range(0xD0, 0xD8))
_JPEG_KEPT = {0xE0: b"JFIF\0", 0xEE: b"Adobe"}
"""Segments of applications that say what colours the components are; the others say nothing of pixels."""
_UNITS_LEFT, _LEAST_WIDTH = 3, 128
"""Rows of blocks at the end that may wait for the end marker, where a row is of so many pixels: those of the last
few blocks, whose bits are looked at together, and of one row more, which chroma is interpolated from."""


class _Scans:
    """What is known of a JPEG's frame, to tell whether its scans can be whole."""

    def __init__(self) -> None:
        self.interval = self.frame = self.count = 0
        self.width = self.height = 0
        self.sampling: dict[int, tuple[int, int]] = {}

    def unit_height(self) -> int:
        """Rows that are decoded at a time."""
        return 8 * (1 if len(self.sampling) == 1 else max(down for _, down in self.sampling.values()))

    def take_frame(self, marker: int, body: memoryview) -> None:
        bits, self.height, self.width, count = struct.unpack_from(">BHHB", body)
        if bits != 8:
            raise RefusedError(f"has {bits}-bit samples", "convert to 8 bits, or save 16 bits as PNG or TIFF")
        require_size(self.width, self.height)
        self.frame = marker
        self.sampling = {body[6 + 3 * i]: (body[7 + 3 * i] >> 4, body[7 + 3 * i] & 15) for i in range(count)}
        if not all(across and down for across, down in self.sampling.values()):
            raise ValueError("the file is damaged: a component of it has no size")

    def check(self, header: memoryview, scan: bytes) -> None:
        """Refuse a scan that holds fewer restarts, or fewer bits, than its blocks must have."""
        self.count += 1
        of = [self.sampling.get(header[1 + 2 * i]) for i in range(header[0])]
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


def _open_jpeg(data: bytes) -> Opened:
    """Walk all markers: what ends early or holds what cannot be there would be decoded to gray without a word."""
    from PIL.JpegImagePlugin import JpegImageFile

    view, scans = memoryview(data), _Scans()
    parts, kept, position = [], 0, 2  # the parts before `kept` are taken
    exif, xmp, whole = b"", b"", False
    while not whole:
        found = _JPEG_MARKER.search(data, position)
        if found is None:
            raise ValueError("the file is truncated: it has no end marker")
        marker, start = data[found.start() + 1], found.end()
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
            scans.check(body, data[end:position])
        elif marker == 0xE1 and bytes(body[:6]) == b"Exif\0\0":
            exif += bytes(body[6:] if exif else body)
        elif marker == 0xE1 and bytes(body[:29]) == b"http://ns.adobe.com/xap/1.0/\0":
            xmp = xmp or bytes(body)
        if (0xE0 <= marker <= 0xEF and bytes(body[:5]) != _JPEG_KEPT.get(marker)) or marker == 0xFE:
            parts.append(view[kept : found.start()])
            kept = end
    if not scans.count or not scans.frame:
        raise ValueError("the file is damaged: it holds no picture")
    if kept or position < len(data):
        data = b"".join([*parts, view[kept:position]])
    turned = exif_orientation(exif) or 1
    opened = opened_of(JpegImageFile, data, orientation=turned if turned != 1 else xmp_orientation(xmp))
    if scans.frame in (0xC0, 0xC1) and scans.count == 1:
        _watch_progress(opened.image, data, scans.unit_height())
    return opened


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


def _watch_progress(image: Image.Image, data: bytes, unit_height: int) -> None:
    """Refuse a scan that ends long before its pixels do, in which libjpeg fills in gray.

    A decoder that was given all of a sound scan but the end marker has written all rows, apart from those of the last
    blocks. So a row before these is drawn with what no picture has there, and looked at once the decoder wants more.
    """
    width, height = image.size
    row = height - _UNITS_LEFT * unit_height - 1
    if row < 0 or width < _LEAST_WIDTH:
        return
    is_drawn: Callable[[], bool] = bool

    def draw() -> None:
        nonlocal is_drawn
        is_drawn = watched_row(image.im, row, width, len(image.getbands()))

    def ask() -> None:
        if is_drawn():
            raise ValueError("the file is damaged: its scan ends before its pixels do")

    image.fp = _HeldBack(data, draw, ask)  # type: ignore[attr-defined]


# ---- WebP, BMP, TIFF -------------------------------------------------------------------------------------------------


def _open_webp(data: bytes) -> Opened:
    from PIL.WebPImagePlugin import WebPImageFile

    if 8 + int.from_bytes(data[4:8], "little") > len(data) + 1:  # a last byte of padding may be missing
        raise ValueError("the file is truncated")
    require_size(*_webp_size(data))
    opened = opened_of(WebPImageFile, data)
    frames = getattr(opened.image, "n_frames", 1)
    if frames > 1:
        raise RefusedError(f"holds {frames} frames or pages", "save the one to compare as a file of its own")
    turned = exif_orientation(opened.image.info.get("exif", b"")) or 1
    return opened._replace(orientation=turned if turned != 1 else xmp_orientation(opened.image.info.get("xmp", b"")))


def _webp_size(data: bytes) -> tuple[int, int]:
    """Width and height that a WebP says of itself; (0, 0) where it is cut off before."""
    kind, body = data[12:16], data[20:30]
    if len(body) < 10:
        return 0, 0
    if kind == b"VP8X":
        return 1 + int.from_bytes(body[4:7], "little"), 1 + int.from_bytes(body[7:10], "little")
    if kind == b"VP8L":
        both = int.from_bytes(body[1:5], "little")
        return 1 + (both & 0x3FFF), 1 + (both >> 14 & 0x3FFF)
    width, height = struct.unpack("<HH", body[6:10])
    return width & 0x3FFF, height & 0x3FFF


def _open_bmp(data: bytes) -> Opened:
    from PIL.BmpImagePlugin import BmpImageFile

    if len(data) < 34:
        raise ValueError("the file is truncated")
    (header,) = struct.unpack_from("<I", data, 14)
    if header < 16:  # OS/2's first
        bits, compression = int.from_bytes(data[24:26], "little"), 0
    else:
        bits, compression = struct.unpack_from("<HI", data, 28)
    if compression in (4, 5):
        raise RefusedError(f"is a BMP around a {'JPEG' if compression == 4 else 'PNG'}", "take that out of it")
    if bits == 16:
        green = 5
        if compression in (3, 6) and len(data) >= 66:
            green = struct.unpack_from("<I", data, 58)[0].bit_count()
        raise RefusedError(
            f"is a BMP of 16 bits a pixel, with {green} of green, which do not fill 8 bits evenly",
            "convert it to 24 bits with the program whose rounding is wanted",
        )
    opened = opened_of(BmpImageFile, data)
    offset = int.from_bytes(data[10:14], "little")
    if compression not in (1, 2):
        width, height = opened.image.size
        if offset + height * (parts_of(width * bits, 32) * 4) > len(data) + 3:  # some leave out the last row's padding
            raise ValueError("the file is truncated")
    if bits <= 8 and header >= 40:
        colours = int.from_bytes(data[46:50], "little") or 1 << bits
        if opened.image.mode == "P" and offset < 14 + header + 4 * min(colours, 1 << bits):
            raise ValueError("the file is damaged: its pixels begin within its palette")
    if compression in (1, 2):
        if offset % 2:  # from which Pillow would count the padding of runs
            raise ValueError("the file is damaged: its runs begin at an odd byte")
        _require_whole_runs(data, opened.image, compression)
    return opened


def _require_whole_runs(data: bytes, image: Image.Image, compression: int) -> None:
    """Refuse run-length encoded rows that end before the picture does: what is left open would become colour 0."""
    width, height = image.size
    # Some writers end a row with the bytes that would fill it up without compression: they are no pixels.
    filled = -(-width // (4 * compression)) * 4 * compression
    position, x, y = int.from_bytes(data[10:14], "little"), 0, 0
    while True:
        pair = data[position : position + 2]
        if len(pair) < 2:
            raise ValueError("the file is truncated: its runs have no end")
        position += 2
        count, value = pair
        if count:
            x += count
            x = width if width < x <= filled else x
        elif value == 0:
            if x < width:
                break
            x, y = 0, y + 1
        elif value == 1:
            if (y, x) in ((height - 1, width), (height, 0)):
                return
            break
        elif value == 2:
            break
        else:
            x += value
            size = value if compression == 1 else -(-value // 2)
            position += size + size % 2
        if x > width or y > height:
            raise ValueError("the file is damaged: its runs lead beyond the picture")
    raise RefusedError("is a BMP whose runs leave out pixels, which have no colour then", "save it without compression")


def _open_tiff(data: bytes) -> Opened:
    from PIL import Image
    from PIL.TiffImagePlugin import TiffImageFile

    tiff = canonical_tiff(data, require_size)

    def reopen() -> Image.Image:
        image = TiffImageFile(io.BytesIO(tiff.data))
        image.im = Image.new(image.mode, tiff.size).im  # or newer Pillow asks for the size again, and warns of it
        return image

    return Opened(reopen(), reopen, orientation=tiff.orientation, associated=tiff.associated, inverted=tiff.inverted)


_OPENINGS: tuple[tuple[re.Pattern[bytes], Callable[[bytes], Opened]], ...] = (
    (re.compile(rb"\x89PNG\r\n\x1a\n"), open_png),
    (re.compile(rb"\xff\xd8\xff"), _open_jpeg),
    (re.compile(rb"RIFF....WEBP", re.DOTALL), _open_webp),
    (re.compile(rb"BM"), _open_bmp),
    (re.compile(rb"II[*+]\0|MM\0[*+]"), _open_tiff),
)
