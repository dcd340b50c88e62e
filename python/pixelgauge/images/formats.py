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

from pixelgauge.images.avif import open_avif
from pixelgauge.images.bands import open_bands
from pixelgauge.images.gif import open_gif
from pixelgauge.images.jpeg import open_jpeg
from pixelgauge.images.jpeg2000 import open_jpeg2000
from pixelgauge.images.libtiff import libtiff_errors_raised
from pixelgauge.images.opening import Decoded, Opened, opened_of, parts_of, require_size
from pixelgauge.images.png import open_png
from pixelgauge.images.pnm import open_pnm
from pixelgauge.images.profiles import profile_said
from pixelgauge.images.tiff import (
    ONE_OF_SEVERAL,
    RefusedError,
    canonical_tiff,
    exif_orientation,
    xmp_orientation,
)

if TYPE_CHECKING:
    from PIL import Image

UNREADABLE = "not a readable PNG, JPEG, WebP, BMP, TIFF, GIF, PNM, AVIF or JPEG 2000 image"

_FEW = "convert it to 8- or 16-bit gray or RGB"


@contextlib.contextmanager
def decoding(image: Image.Image | None) -> Iterator[None]:
    """Whatever Pillow does with the pixels of an image happens in here; None for one that it does not decode."""
    from PIL import ImageFile

    if ImageFile.LOAD_TRUNCATED_IMAGES:
        raise RefusedError(
            "is not decoded while PIL.ImageFile.LOAD_TRUNCATED_IMAGES is set, which fills what is missing with gray",
            "set it to False",
        )
    with libtiff_errors_raised(image):
        yield


def open_image(data: bytes, any_samples: bool = False) -> Opened | Decoded:
    """Check the data of an image file, and open what of it decides pixels.

    Parameters
    ----------
    data : bytes
        The file.
    any_samples : bool, default False
        Whether samples are read of which only the user knows what they mean.

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
    for start, opening_of_any in _OPENINGS_OF_ANY:
        if start.match(data):
            return opening_of_any(data, any_samples)
    raise RefusedError(UNREADABLE + _other_kind(data))


_OTHER_KINDS = (
    (rb"....ftyp(avis)", "an animation in AVIF"),
    (rb"....ftyp(heic|heix|hevc|msf1)", "a HEIC image"),
    (rb"\xff\x0a|\x00\x00\x00\x0cJXL ", "a JPEG XL image"),
    (rb"8BPS", "a Photoshop document"),
    (rb"P7\s", "a PAM image"),
    (rb"P[Ff]\s", "a PFM image"),
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


# ---- WebP, BMP, TIFF -------------------------------------------------------------------------------------------------


def _open_webp(data: bytes) -> Opened:
    from PIL.WebPImagePlugin import WebPImageFile

    if 8 + int.from_bytes(data[4:8], "little") > len(data) + 1:  # a last byte of padding may be missing
        raise ValueError("the file is truncated")
    require_size(*_webp_size(data))
    opened = opened_of(WebPImageFile, data)
    frames = getattr(opened.image, "n_frames", 1)
    if frames > 1:
        raise RefusedError(f"holds {frames} frames or pages", ONE_OF_SEVERAL)
    told = opened.image.info
    turned = exif_orientation(told.get("exif", b"")) or 1
    turned = turned if turned != 1 else xmp_orientation(told.get("xmp", b""))
    return opened._replace(orientation=turned, colours=profile_said(told.get("icc_profile", b"")))


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


def _open_tiff(data: bytes, any_samples: bool) -> Opened | Decoded:
    from PIL import Image
    from PIL.TiffImagePlugin import TiffImageFile

    tiff = canonical_tiff(data, require_size, any_samples)
    if tiff.bands:
        return open_bands(tiff)

    def reopen() -> Image.Image:
        image = TiffImageFile(io.BytesIO(tiff.data))
        image.im = Image.new(image.mode, tiff.size).im  # or newer Pillow asks for the size again, and warns of it
        return image

    said = profile_said(tiff.profile)
    return Opened(reopen(), reopen, tiff.orientation, tiff.associated, tiff.inverted, colours=said)


_OPENINGS: tuple[tuple[re.Pattern[bytes], Callable[[bytes], Opened | Decoded]], ...] = (
    (re.compile(rb"\x89PNG\r\n\x1a\n"), open_png),
    (re.compile(rb"\xff\xd8\xff"), open_jpeg),
    (re.compile(rb"RIFF....WEBP", re.DOTALL), _open_webp),
    (re.compile(rb"BM"), _open_bmp),
    (re.compile(rb"GIF8[79]a"), open_gif),
    (re.compile(rb"....ftyp(avif|mif1)", re.DOTALL), open_avif),
    (re.compile(rb"\0\0\0\x0cjP  |\xff\x4f\xff\x51"), open_jpeg2000),
)

_OPENINGS_OF_ANY: tuple[tuple[re.Pattern[bytes], Callable[[bytes, bool], Opened | Decoded]], ...] = (
    (re.compile(rb"II[*+]\0|MM\0[*+]"), _open_tiff),
    (re.compile(rb"P[1-6][\s#]"), open_pnm),
)
"""Formats that also hold samples of which the file does not say what they mean."""
