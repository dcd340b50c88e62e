"""What image files may hold beside plain pixels: read exactly, or refused by name, and never a line on stderr."""

from __future__ import annotations

import ctypes
import io
import os
import socket
import struct
import subprocess
import sys
import threading
import zlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageFile, PngImagePlugin

from pixelgauge.images import ImageFileError, formats, image_files, libtiff, read_image, samples, tiff
from tests.images.encoded import ORIENTED, chunk, pillow_bytes, pixels, png_bytes, tiff_bytes

SHORT, LONG, BYTES, LONG8 = 3, 4, 7, 16


def page_tags(
    image: np.ndarray, **changed: list[int] | tuple[int, int, list[int]] | None
) -> list[tuple[int, int, list[Any]]]:
    """Tags of a TIFF's page of one strip that lies at 16, but for what is changed; None leaves a tag out."""
    channels = 1 if image.ndim == 2 else image.shape[2]
    tags = {
        "width": (256, SHORT, [image.shape[1]]),
        "height": (257, SHORT, [image.shape[0]]),
        "bits": (258, SHORT, [8 * image.itemsize] * channels),
        "compression": (259, SHORT, [1]),
        "photometric": (262, SHORT, [2 if channels >= 3 else 1]),
        "offsets": (273, LONG, [16]),
        "samples": (277, SHORT, [channels]),
        "rows": (278, SHORT, [image.shape[0]]),
        "counts": (279, LONG, [image.nbytes]),
        "planar": (284, SHORT, [1]),
    }
    for name, change in changed.items():
        if change is None:
            del tags[name]
        elif isinstance(change, tuple):
            tags[name] = change
        else:
            tags[name] = (*tags[name][:2], change)
    return sorted(tags.values())


def tiff_pages(
    data: bytes, *pages: list[tuple[int, int, list[Any]]], order: str = "<", big: bool = False, loop: bool = False
) -> bytes:
    """A TIFF of any pages over one run of data, which lies at 16."""
    out = bytearray(struct.pack(order + "2sHQ4x", b"II" if order == "<" else b"MM", 42, 0))
    if big:
        out = bytearray(struct.pack(order + "2sHHHQ", b"II" if order == "<" else b"MM", 43, 8, 0, 0))
    room, word = (8, "Q") if big else (4, "I")
    link = 8 if big else 4
    out += data + b"\0" * (len(data) % 2)
    first = len(out)
    for page in pages:
        struct.pack_into(order + word, out, link, len(out))
        end = len(out) + (8 if big else 2) + len(page) * (12 + 2 * room - 8) + room
        entries, values = b"", b""
        for tag, kind, numbers in page:
            code = {SHORT: "H", LONG: "I", LONG8: "Q", BYTES: "B", 1: "B"}[kind]
            packed = struct.pack(f"{order}{len(numbers)}{code}", *numbers)
            entries += struct.pack(order + "HH" + word, tag, kind, len(numbers))
            if len(packed) > room:
                entries += struct.pack(order + word, end + len(values))
                values += packed + b"\0" * (len(packed) % 2)
            else:
                entries += packed.ljust(room, b"\0")
        out += struct.pack(order + ("Q" if big else "H"), len(page)) + entries
        link = len(out)
        out += b"\0" * room + values
    if loop:
        struct.pack_into(order + word, out, link, first)
    return bytes(out)


def stored_bytes(image: np.ndarray, order: str = "<") -> bytes:
    return image.astype(image.dtype.newbyteorder(order)).tobytes()


def with_chunks(png: bytes, *chunks: bytes) -> bytes:
    """A PNG with chunks after its header."""
    return png[:33] + b"".join(chunks) + png[33:]


def exif_bytes(orientation: int) -> bytes:
    return struct.pack(">2sHIHHHIHHI", b"MM", 42, 8, 1, 274, SHORT, 1, orientation, 0, 0)


# ---- TIFF: samples ---------------------------------------------------------------------------------------------------


@pytest.mark.boundary
@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize(
    ("channels", "extra"), [(4, [0]), (5, [0, 0]), (6, [0] * 3), (2, [0]), (5, [2, 0]), (5, [0, 2]), (2, None)]
)
def test_samples_of_no_said_meaning_are_refused(channels: int, extra: list[int] | None, order: str) -> None:
    image = pixels(channels)
    for planar in (1, 2):
        tags = {} if extra is None else {"extra": (338, SHORT, extra)}
        if planar == 2:
            size = image.shape[0] * image.shape[1]
            tags |= {"planar": [2], "offsets": [16 + i * size for i in range(channels)], "counts": [size] * channels}
        data = tiff_pages(stored_bytes(image), page_tags(image, **tags), order=order)
        for alpha in ("error", "drop", "black"):
            with pytest.raises(ImageFileError, match="more samples a pixel than its colours, of which it is not said"):
                read_image(data, alpha=alpha)


@pytest.mark.boundary
def test_a_palette_with_a_sample_of_no_said_meaning_is_refused() -> None:
    image = pixels(2)
    tags = page_tags(image, photometric=[3], extra=(338, SHORT, [0]), colours=(320, SHORT, [0] * 768))
    with pytest.raises(ImageFileError, match="1 more samples a pixel than its colours"):
        read_image(tiff_pages(stored_bytes(image), tags))


@pytest.mark.boundary
def test_pillows_padding_is_a_sample_of_no_said_meaning() -> None:
    padded = Image.fromarray(pixels(3)).convert("RGBX")
    with pytest.raises(ImageFileError, match="not said what they are: save it without them"):
        read_image(pillow_bytes(padded, "TIFF"))


KINDS = [
    (pixels(1).view(np.int8), {"format": (339, SHORT, [2])}, "has signed 8-bit samples"),
    (pixels(3).view(np.int8), {"format": (339, SHORT, [2] * 3)}, "has signed 8-bit samples"),
    (pixels(3).view(np.int8), {"format": (339, SHORT, [2, 1, 1])}, "has unsigned and signed 8-bit samples"),
    (pixels(1, np.uint16).view(np.int16), {"format": (339, SHORT, [2])}, "has signed 16-bit samples"),
    (pixels(1).astype(np.float16), {"format": (339, SHORT, [3])}, "has floating-point 16-bit samples"),
    (pixels(3).astype(np.float32), {"format": (339, SHORT, [3] * 3)}, "has floating-point 32-bit samples"),
    (pixels(1).astype(np.float64), {"format": (339, SHORT, [3])}, "has floating-point 64-bit samples"),
    (pixels(1).astype(np.complex64), {"format": (339, SHORT, [6])}, "has complex 64-bit samples"),
    (pixels(1), {"format": (339, SHORT, [4])}, "has untyped 8-bit samples"),
    (pixels(1).astype(np.uint32), {}, "has 32-bit gray samples"),
    (pixels(3).astype(np.uint32), {}, "has 32-bit RGB samples"),
    (pixels(1, np.uint16), {"bits": [12]}, "has 12-bit gray samples"),
    (pixels(3, np.uint16), {"bits": [12] * 3}, "has 12-bit RGB samples"),
    (pixels(3), {"bits": [4] * 3}, "has 4-bit RGB samples"),
    (pixels(3), {"bits": [5, 6, 5]}, "has samples of different sizes, 5, 6, 5 bits"),
    (pixels(4), {"photometric": [5]}, "has colour mode CMYK"),
    (pixels(3), {"photometric": [8]}, "has colour mode LAB"),
    (pixels(3), {"photometric": [6]}, "has colour mode YCbCr"),
    (pixels(1), {"photometric": [4]}, "is a transparency mask"),
    (pixels(1), {"photometric": [32803]}, "holds the raw samples of a camera"),
    (pixels(1), {"photometric": [77]}, "has colours of kind 77"),
    (pixels(1), {"photometric": None}, "has colours of no said kind"),
    (pixels(1), {"compression": [34712]}, r"is compressed by JPEG 2000 \(compression 34712\)"),
    (pixels(1), {"compression": [777]}, "is compressed by a method that is not known"),
    (pixels(2, np.uint16), {"extra": (338, SHORT, [2])}, "has 16-bit gray samples with alpha"),
    (pixels(3), {"dng": (50706, 1, [1, 4, 0, 0])}, r"is a camera's raw file \(DNG\)"),
    (pixels(2), {"samples": [2], "photometric": [2]}, "has 2 samples a pixel, too few for its colours"),
]


@pytest.mark.boundary
@pytest.mark.parametrize("big", [False, True])
@pytest.mark.parametrize(("image", "tags", "message"), KINDS)
def test_kinds_of_samples_are_named(image: np.ndarray, tags: dict[str, Any], message: str, big: bool) -> None:
    data = tiff_pages(stored_bytes(image), page_tags(image, **tags), big=big)
    with pytest.raises(ImageFileError, match=message) as caught:
        read_image(data)
    assert "readable" not in caught.value.reason


@pytest.mark.oracle
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("channels", [2, 4])
def test_associated_alpha_gives_what_is_stored(dtype: type, channels: int) -> None:
    if (dtype, channels) == (np.uint16, 2):
        pytest.skip("16-bit gray with alpha is refused")
    full = int(np.iinfo(dtype).max)
    image = pixels(channels, dtype)
    image[..., :-1] = np.minimum(image[..., :-1], image[..., -1:])
    image[0, 0] = [full] * (channels - 1) + [full // 2]  # more than its alpha allows
    colour, opacity = image[..., :-1], image[..., -1:].astype(object)
    for order in "<>":
        data = tiff_pages(stored_bytes(image, order), page_tags(image, extra=(338, SHORT, [1])), order=order)
        with pytest.raises(ImageFileError, match="transparent pixels"):
            read_image(data)
        for alpha in ("drop", "black"):
            np.testing.assert_array_equal(read_image(data, alpha=alpha), np.squeeze(colour))
        over = np.minimum(colour + (2 * full * (full - opacity) + full) // (2 * full), full).astype(dtype)
        np.testing.assert_array_equal(read_image(data, alpha="white"), np.squeeze(over))
    image[..., -1] = full
    data = tiff_pages(stored_bytes(image), page_tags(image, extra=(338, SHORT, [1])))
    np.testing.assert_array_equal(read_image(data), np.squeeze(image[..., :-1]))


@pytest.mark.oracle
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_compositing_rounds_once_for_every_value_and_opacity(dtype: type) -> None:
    full = int(np.iinfo(dtype).max)
    some = np.unique(np.r_[0, 1, 2, full // 2, full // 2 + 1, full - 1, full, np.linspace(0, full, 256)].astype(dtype))
    image = np.stack(np.meshgrid(some, some), axis=-1)
    colour, opacity = image[..., 0].astype(object), image[..., 1].astype(object)
    for choice, level in (("black", 0), ("white", full), ("#010101", full // 255), ("#7f7f7f", 127 * (full // 255))):
        exact = (2 * (colour * opacity + level * (full - opacity)) + full) // (2 * full)
        np.testing.assert_array_equal(read_image(png_bytes(image), alpha=choice), exact.astype(dtype))


@pytest.mark.oracle
@pytest.mark.parametrize("scale", [1, 256, 257])
def test_palettes_of_tiff_become_the_8_bits_they_say(scale: int) -> None:
    image, colours = pixels(1), np.random.default_rng(1).integers(0, 256, (3, 256))
    tags = page_tags(image, photometric=[3], colours=(320, SHORT, (scale * colours).ravel().tolist()))
    np.testing.assert_array_equal(read_image(tiff_pages(stored_bytes(image), tags)), colours.T[image])
    colours = (257 * colours).ravel()
    colours[5] ^= 3
    tags = page_tags(image, photometric=[3], colours=(320, SHORT, colours.tolist()))
    with pytest.raises(ImageFileError, match="palette of 16-bit colours: convert it to RGB"):
        read_image(tiff_pages(stored_bytes(image), tags))


# ---- TIFF: directories -----------------------------------------------------------------------------------------------


@pytest.mark.oracle
@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("kind", [SHORT, LONG, LONG8])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("channels", [1, 3, 4])
def test_big_tiffs_are_read(dtype: type, channels: int, kind: int, order: str) -> None:
    image = pixels(channels, dtype)
    extra = {"extra": (338, SHORT, [2])} if channels == 4 else {}
    tags = page_tags(image, offsets=(273, kind, [16]), counts=(279, kind, [image.nbytes]), **extra)
    got = read_image(tiff_pages(stored_bytes(image, order), tags, order=order, big=True), alpha="drop")
    np.testing.assert_array_equal(got, image[..., :3] if channels == 4 else image)


@pytest.mark.oracle
@pytest.mark.parametrize("small", [(254, LONG, [1]), (255, SHORT, [2])])
@pytest.mark.parametrize("first", [False, True])
def test_overviews_are_no_pages(small: tuple[int, int, list[int]], first: bool) -> None:
    image = pixels(3)
    main, overview = page_tags(image), page_tags(image[:4, :5], small=small)
    pages = [overview, main, overview] if first else [main, overview, overview]
    for big in (False, True):
        np.testing.assert_array_equal(read_image(tiff_pages(stored_bytes(image), *pages, big=big)), image)
    with pytest.raises(ImageFileError, match="holds 2 frames or pages: save the one"):
        read_image(tiff_pages(stored_bytes(image), main, overview, main))
    with pytest.raises(ImageFileError, match="holds 2 frames or pages"):
        read_image(tiff_pages(stored_bytes(image), overview, overview))
    assert read_image(tiff_pages(stored_bytes(image), overview)).shape == (4, 5, 3)  # of a file of its own


@pytest.mark.boundary
def test_pages_that_change_the_image_are_named() -> None:
    image = pixels(3)
    mask = page_tags(pixels(1), photometric=[4], kind=(254, LONG, [4]))
    with pytest.raises(ImageFileError, match="holds a transparency mask as a page of its own"):
        read_image(tiff_pages(stored_bytes(image), page_tags(image), mask))
    data = tiff_pages(stored_bytes(image), page_tags(image))
    at = struct.unpack_from("<I", data, 4)[0]
    thumbnail = page_tags(image[:4, :5], small=(254, LONG, [1]), apart=(330, LONG, [at]))
    with pytest.raises(ImageFileError, match="shows a thumbnail, and holds its image apart"):
        read_image(tiff_pages(data[16:], thumbnail))
    small = tiff_pages(stored_bytes(image), page_tags(image, small=(254, LONG, [1])))
    beside = page_tags(image, apart=(330, LONG, [at]))
    np.testing.assert_array_equal(read_image(tiff_pages(small[16:], beside)), image)


@pytest.mark.property
def test_a_chain_of_pages_that_closes_ends() -> None:
    image = pixels(3)
    np.testing.assert_array_equal(read_image(tiff_pages(stored_bytes(image), page_tags(image), loop=True)), image)


@pytest.mark.boundary
@pytest.mark.parametrize(
    ("tags", "message"),
    [
        ({"offsets": [1 << 20]}, "is truncated: its pixels lie beyond its end"),
        ({"counts": [10]}, ""),  # of plain pixels the counts decide nothing
        ({"rows": [4]}, "has 1 strips or tiles where 5 are wanted"),
        ({"rows": [0]}, "tells no size of its tiles or strips"),
        ({"width": [0]}, "has no width or no height"),
        ({"width": [60000], "height": [60000]}, "has 60000 x 60000 pixels, more than the"),
        ({"width2": (256, SHORT, [7])}, "has tag 256 twice"),
        (
            {"offsets": None, "w": (322, LONG, [1 << 20]), "h": (323, LONG, [1 << 20]), "o": (324, LONG, [16])},
            "far beyond those",
        ),
        ({"bits": (258, SHORT, [8] * 60000)}, ""),
        ({"compression": [8]}, "is damaged: a strip or tile of it cannot be inflated"),
        ({"compression": [5]}, "is damaged: libtiff says"),
    ],
)
def test_what_directories_may_not_say(tags: dict[str, Any], message: str) -> None:
    image = pixels(3)
    data = tiff_pages(stored_bytes(image), page_tags(image, **tags))
    if not message:
        np.testing.assert_array_equal(read_image(data), image)
        return
    with pytest.raises(ImageFileError, match=message):
        read_image(data)


@pytest.mark.boundary
def test_directories_that_overlap_take_no_time() -> None:
    data = bytearray(struct.pack("<2sHI", b"II", 42, 8)) + bytes(2_000_000)
    for at in range(8, 800_000, 8):  # each of 65,535 entries, and the next begins 8 bytes on
        struct.pack_into("<HI", data, at, 65535, 0)
        if at + 2 + 65535 * 12 + 4 < len(data):
            struct.pack_into("<I", data, at + 2 + 65535 * 12, at + 8)
    with pytest.raises(ImageFileError):
        read_image(bytes(data))


@pytest.mark.boundary
@pytest.mark.parametrize("compression", ["tiff_adobe_deflate", "tiff_deflate"])
def test_a_flipped_bit_in_a_deflated_tiff_is_an_error(compression: str) -> None:
    data = pillow_bytes(pixels(3), "TIFF", compression=compression)
    page = tiff._main_page(data)
    start, count = page.numbers(273)[0], page.numbers(279)[0]
    for position in range(start, start + count, 37):
        flipped = bytearray(data)
        flipped[position] ^= 4
        with pytest.raises(ImageFileError, match="is damaged"):
            read_image(bytes(flipped))


# ---- what libraries say of their own accord --------------------------------------------------------------------------


def damaged_tiffs() -> Iterator[tuple[str, bytes]]:
    for compression in ("tiff_lzw", "tiff_adobe_deflate", "packbits", "group3", "group4", "jpeg", "zstd", "lzma"):
        image = Image.fromarray(pixels(3))
        try:
            sound = pillow_bytes(
                image.convert("1") if "group" in compression else image, "TIFF", compression=compression
            )
        except OSError:
            continue  # this libtiff has no such codec
        for seed in range(20):
            rng = np.random.default_rng(seed)
            data = bytearray(sound)
            for position in rng.integers(8, len(data), 4):
                data[position] = rng.integers(0, 256)
            yield compression, bytes(data)
    for seed in range(20):
        data = bytearray(pillow_bytes(Image.fromarray(pixels(3)).convert("YCbCr"), "TIFF", compression="tiff_lzw"))
        data[200 + seed : 210 + seed] = b"\xff" * 10
        yield "ycbcr", bytes(data)


@pytest.mark.boundary
def test_nothing_is_said_on_stderr(capfd: pytest.CaptureFixture[str]) -> None:
    errors, damaged = 0, list(damaged_tiffs())
    capfd.readouterr()  # of the codecs that this libtiff lacks
    for _, data in damaged:
        try:
            read_image(data, alpha="drop")
        except ImageFileError:
            errors += 1
    assert errors > 60
    assert capfd.readouterr() == ("", "")


def hears_libtiff() -> bool:
    return libtiff._LISTENER._find() is not None


@pytest.mark.boundary
def test_damage_that_libtiff_goes_on_after_is_an_error() -> None:
    if not hears_libtiff():
        pytest.skip("this Pillow hides its libtiff")
    data = [data for kind, data in damaged_tiffs() if kind == "ycbcr"]
    assert len(data) == 20
    for item in data:
        with pytest.raises(ImageFileError, match="is damaged: libtiff says"):
            read_image(item)


@pytest.mark.property
def test_threads_hear_of_their_own_files_alone(capfd: pytest.CaptureFixture[str]) -> None:
    if not hears_libtiff():
        pytest.skip("this Pillow hides its libtiff")
    image = np.random.default_rng(0).integers(0, 256, (200, 200, 3), dtype=np.uint8)
    sound = pillow_bytes(image, "TIFF", compression="tiff_lzw")
    broken = bytearray(sound)
    broken[1000:1020] = b"\xff" * 20
    together = threading.Barrier(4)

    def read(i):
        together.wait()
        for _ in range(20):
            if i % 2:
                with pytest.raises(ImageFileError, match="is damaged: libtiff says"):
                    read_image(bytes(broken))
            else:
                np.testing.assert_array_equal(read_image(sound), image)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(read, range(4)))
    assert capfd.readouterr() == ("", "")
    # Whoever uses Pillow by itself hears what they heard before.
    with Image.open(io.BytesIO(bytes(broken))) as opened, pytest.raises(OSError, match="-2"):
        opened.load()
    ctypes.CDLL(None).fflush(None)
    assert capfd.readouterr().err != ""


@pytest.mark.property
@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "TIFF", "JPEG-MPO"])
def test_damaged_metadata_is_no_warning(kind: str, recwarn: pytest.WarningsRecorder) -> None:
    """Pillow warns of it, with no file named, and the tests make warnings errors."""
    broken = b"Exif\0\0MM\0*\0\0\0\x08\0\x05\x01\x12\0\x03\0\0\xff\xff\0\0\0\0rest"
    if kind == "JPEG-MPO":
        sound = pillow_bytes(pixels(3), "JPEG")
        body = b"MPF\0MM\0*\0\0\0\x08\0\x02\xb0\x00broken"
        data = sound[:2] + b"\xff\xe2" + struct.pack(">H", len(body) + 2) + body + sound[2:]
    elif kind == "TIFF":
        image = pixels(3)
        odd = {"exif": (34665, LONG, [1 << 30]), "make": (271, BYTES, [200] * 50), "x": (282, SHORT, [1, 2, 3])}
        data = tiff_pages(stored_bytes(image), page_tags(image, **odd))
    else:
        data = pillow_bytes(pixels(3), kind, exif=broken)
    np.testing.assert_array_equal(read_image(data), read_image(pillow_bytes(pixels(3), kind.partition("-")[0])))
    assert not recwarn.list


# ---- PNG -------------------------------------------------------------------------------------------------------------

METADATA = {
    b"tEXt": b"Comment\0text",
    b"zTXt": b"Comment\0\0" + zlib.compress(b"text"),
    b"iTXt": b"Comment\0\1\0\0\0" + zlib.compress(b"text"),
    b"tIME": bytes(7),
    b"pHYs": bytes(9),
    b"gAMA": struct.pack(">I", 45455),
    b"cHRM": bytes(32),
    b"sRGB": b"\0",
    b"iCCP": b"profile\0\0" + zlib.compress(bytes(100)),
    b"bKGD": bytes(6),
    b"sBIT": b"\5\5\5",
    b"eXIf": exif_bytes(1),
    b"prVt": b"private",
}


@pytest.mark.property
@pytest.mark.parametrize("kind", METADATA)
@pytest.mark.parametrize("spoilt", ["", "checksum", "body"])
def test_metadata_decides_no_pixel(kind: bytes, spoilt: str) -> None:
    body = METADATA[kind]
    if spoilt == "body" and kind != b"eXIf":
        body = bytes(byte ^ 0x55 for byte in body)
    added = chunk(kind, body, bool(spoilt))
    for data in (with_chunks(png_bytes(pixels(3)), added), png_bytes(pixels(3))[:-12] + added + chunk(b"IEND", b"")):
        np.testing.assert_array_equal(read_image(data), pixels(3))


@pytest.mark.boundary
def test_what_decides_pixels_must_be_sound() -> None:
    image = png_bytes(pixels(3))
    key = struct.pack(">3H", 1, 2, 3)
    for kind, body in ((b"tRNS", key), (b"PLTE", bytes(9)), (b"acTL", bytes(8)), (b"fcTL", bytes(26)), (b"ABCD", b"")):
        with pytest.raises(ImageFileError, match=f"chunk '{kind.decode()}' has a wrong checksum"):
            read_image(with_chunks(image, chunk(kind, body, spoilt=True)))
    with pytest.raises(ImageFileError, match="has a chunk 'CgBI' that decides its pixels in an unknown way"):
        read_image(with_chunks(image, chunk(b"CgBI", bytes(4))))
    with pytest.raises(ImageFileError, match="has chunk 'tRNS' twice"):
        read_image(with_chunks(image, chunk(b"tRNS", key), chunk(b"tRNS", key)))


@pytest.mark.boundary
@pytest.mark.parametrize("orientation", [1, 3, 6])
def test_a_damaged_turn_is_an_error(orientation: int) -> None:
    image = png_bytes(pixels(3))
    xmp = b'XML:com.adobe.xmp\0\0\0\0\0<rdf tiff:Orientation="%d"/>' % orientation
    profile = b"\nexif\n 26\n" + exif_bytes(orientation).hex().encode()
    carriers = (
        (b"eXIf", exif_bytes(orientation)),
        (b"eXIf", b"Exif\0\0" + exif_bytes(orientation)),
        (b"iTXt", xmp),
        (b"tEXt", b"Raw profile type exif\0" + profile),
        (b"zTXt", b"Raw profile type exif\0\0" + zlib.compress(profile)),
    )
    for kind, body in carriers:
        turned = read_image(with_chunks(image, chunk(kind, body)))
        np.testing.assert_array_equal(turned, ORIENTED[orientation](pixels(3)))
        spoilt = with_chunks(image, chunk(kind, body, spoilt=True))
        if orientation == 1:
            np.testing.assert_array_equal(read_image(spoilt), pixels(3))
        else:
            with pytest.raises(ImageFileError, match="wrong checksum, so whether it is turned is not known"):
                read_image(spoilt)
    with pytest.raises(ImageFileError, match="whether it is turned is not known"):
        read_image(with_chunks(image, chunk(b"eXIf", b"nothing of EXIF", spoilt=True)))
    np.testing.assert_array_equal(read_image(with_chunks(image, chunk(b"eXIf", b"nothing of EXIF"))), pixels(3))


@pytest.mark.property
@pytest.mark.parametrize("kind", [b"zTXt", b"iTXt", b"iCCP", b"tEXt"])
def test_megabytes_of_text_are_no_hindrance(kind: bytes) -> None:
    """Programs that generate images keep how they did it in the file."""
    size = 2 * PngImagePlugin.MAX_TEXT_CHUNK
    text = {
        b"zTXt": b"workflow\0\0" + zlib.compress(bytes(size)),
        b"iTXt": b"workflow\0\1\0\0\0" + zlib.compress(bytes(size)),
        b"iCCP": b"workflow\0\0" + zlib.compress(bytes(size)),
        b"tEXt": b"workflow\0" + b"x" * size,
    }[kind]
    data = with_chunks(png_bytes(pixels(3)), *[chunk(kind, text)] * (1 if kind == b"iCCP" else 70))
    np.testing.assert_array_equal(read_image(data), pixels(3))


@pytest.mark.boundary
def test_animations_of_png() -> None:
    def frames(*chunks):
        return with_chunks(png_bytes(pixels(3)), *chunks)

    control = chunk(b"fcTL", bytes(26))
    np.testing.assert_array_equal(read_image(frames(chunk(b"acTL", struct.pack(">II", 1, 0)), control)), pixels(3))
    for chunks, count in (
        ((chunk(b"acTL", struct.pack(">II", 3, 0)), control), 3),
        ((chunk(b"acTL", struct.pack(">II", 1, 0)),), 2),  # and a picture for who shows no animation
    ):
        with pytest.raises(ImageFileError, match=f"holds {count} frames or pages"):
            read_image(frames(*chunks))


@pytest.mark.boundary
def test_indices_beyond_the_palette_are_damage() -> None:
    image = Image.fromarray(pixels(1) % 8)
    image.putpalette(list(range(24)), "RGB")
    for kind in ("PNG", "BMP"):
        data = pillow_bytes(image, kind)
        read_image(data)
    data = pillow_bytes(image, "PNG", bits=8)
    at = data.index(b"PLTE")
    length = int.from_bytes(data[at - 4 : at])
    cut = data[: at - 4] + chunk(b"PLTE", data[at + 4 : at + 4 + 9]) + data[at + 8 + length :]
    with pytest.raises(ImageFileError, match="has index 7 of a palette of 3 colours"):
        read_image(cut)


# ---- JPEG ------------------------------------------------------------------------------------------------------------


def photo(height: int = 240, width: int = 320) -> np.ndarray:
    y, x = np.mgrid[:height, :width]
    noise = np.random.default_rng(0).integers(0, 9, (height, width, 3))
    return np.clip(np.stack([x % 256, y % 256, (x + y) % 256], -1) + noise, 0, 255).astype(np.uint8)


@pytest.mark.boundary
@pytest.mark.parametrize("options", [{}, {"subsampling": 0}, {"restart_marker_rows": 1}, {"optimize": True}])
def test_a_scan_that_ends_early_is_damage(options: dict[str, Any]) -> None:
    data = pillow_bytes(photo(), "JPEG", quality=90, **options)
    read_image(data)
    start = data.index(b"\xff\xda") + 14
    for share in (0, 0.1, 0.5, 0.8):
        cut = data[: start + int(share * (len(data) - start))].rstrip(b"\xff") + b"\xff\xd9"
        with pytest.raises(ImageFileError, match="the file is damaged"):
            read_image(cut)


@pytest.mark.property
@pytest.mark.parametrize("size", [(1, 1), (8, 64), (63, 63), (64, 64), (65, 200), (300, 8), (16, 1000)])
@pytest.mark.parametrize("value", ["flat", "noise", "photo"])
def test_sound_scans_are_never_called_short(size: tuple[int, int], value: str) -> None:
    image = {"flat": np.full((*size, 3), 7, np.uint8), "photo": photo(*size)}.get(value)
    if image is None:
        image = np.random.default_rng(0).integers(0, 256, (*size, 3), dtype=np.uint8)
    for picture in (image, image[..., 0]):
        for options in (
            {"quality": 5},
            {"quality": 90, "subsampling": 0},
            {"progressive": True},
            {"restart_marker_blocks": 3},
        ):
            data = pillow_bytes(picture, "JPEG", **options)
            with Image.open(io.BytesIO(data)) as opened:
                np.testing.assert_array_equal(read_image(data), np.asarray(opened))


@pytest.mark.boundary
@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda data, restart: data[:-2], "the file is truncated: it has no end marker"),
        (
            lambda data, restart: data[:restart] + data[restart + 2 :],
            "restart markers of a scan are missing or out of order",
        ),
        (
            lambda data, restart: data[:restart] + b"\xff\xd5" + data[restart + 2 :],
            "restart markers of a scan are missing or out of order",
        ),
        (
            lambda data, restart: data[:restart] + b"\xff\xd8" + data[restart + 2 :],
            "missing or out of order|marker 0xd8 stands where none may be",
        ),
        (
            lambda data, restart: data[:restart] + b"\xff\x02" + data[restart + 2 :],
            "missing or out of order|marker 0x2 stands where none may be",
        ),
        (lambda data, restart: data[:2] + data[-2:], "it holds no picture"),
        (lambda data, restart: data[:-2] + data[data.index(b"\xff\xc0") :], "it holds two frames"),
    ],
)
def test_markers_that_cannot_be_there(change: Callable[..., Any], message: str) -> None:
    data = pillow_bytes(photo(), "JPEG", quality=90, restart_marker_rows=1)
    restart = data.find(b"\xff\xd1", data.index(b"\xff\xda") + 14)
    if restart < 0:
        pytest.skip("this Pillow writes no restart markers")
    with pytest.raises(ImageFileError, match=message):
        read_image(change(data, restart))


@pytest.mark.property
def test_segments_of_applications_decide_no_pixel() -> None:
    data = pillow_bytes(photo(), "JPEG")
    expected = read_image(data)
    for marker in [*range(0xE1, 0xEE), 0xEF, 0xFE]:
        for body in (b"", b"Exif\0\0broken", b"ICC_PROFILE\0\1\1junk", b"Photoshop 3.0\0" + b"8BIM" * 9, bytes(60000)):
            segment = bytes([0xFF, marker]) + struct.pack(">H", len(body) + 2) + body
            np.testing.assert_array_equal(read_image(data[:2] + segment + data[2:] + b"trailing"), expected)


@pytest.mark.boundary
def test_12_bit_jpegs_are_named() -> None:
    data = bytearray(pillow_bytes(photo(), "JPEG"))
    data[data.index(b"\xff\xc0") + 4] = 12
    with pytest.raises(ImageFileError, match="has 12-bit samples: convert to 8 bits"):
        read_image(bytes(data))


# ---- WebP and BMP ----------------------------------------------------------------------------------------------------


def bmp_bytes(
    width: int, height: int, bits: int, body: bytes, compression: int = 0, masks: bytes = b"", colours: bytes = b""
) -> bytes:
    offset = 54 + len(masks) + len(colours)
    size = offset + len(body)
    head = struct.pack("<2sIHHI", b"BM", size, 0, 0, offset)
    entries = len(colours) // 4
    info = struct.pack("<IiiHHIIiiII", 40, width, height, 1, bits, compression, len(body), 0, 0, entries, 0)
    return head + info + masks + colours + body


@pytest.mark.boundary
def test_bmps_of_5_bits_a_channel_are_named() -> None:
    body = bytes(4 * 4 * 2)
    for compression, masks, green in (
        (0, b"", 5),
        (3, struct.pack("<III", 0xF800, 0x07E0, 0x1F), 6),
        (3, struct.pack("<III", 0x7C00, 0x03E0, 0x1F), 5),
    ):
        data = bmp_bytes(4, 4, 16, body, compression, masks)
        with pytest.raises(ImageFileError, match=f"is a BMP of 16 bits a pixel, with {green} of green"):
            read_image(data)
        with Image.open(io.BytesIO(data)) as image, pytest.raises(tiff.RefusedError, match="of 5 bits a channel"):
            samples.pixels_of(formats.Opened(image), "see")
    with pytest.raises(ImageFileError, match="is a BMP around a PNG"):
        read_image(bmp_bytes(4, 4, 0, png_bytes(pixels(3)), 5))


def runs(image: np.ndarray, row_end: bytes = b"\0\0", fill: int = 0) -> bytes:
    """Run-length encoded rows of 8 bits, from the last to the first."""
    out = b""
    for row in image[::-1]:
        ends = [*np.flatnonzero(np.diff(row)) + 1, len(row)]
        for start, end in zip([0, *ends], ends, strict=False):
            out += bytes([end - start + (fill if end == len(row) else 0), row[start]])
        out += row_end
    return out + b"\0\1"


def run_length_image() -> np.ndarray:
    return np.repeat(pixels(1)[:, ::4] % 16, 4, axis=1)[:, :23]


def read_runs(body: bytes) -> np.ndarray:
    """What a BMP of the size of `run_length_image` with these runs, and grays in reverse for its colours, is read as."""
    height, width = run_length_image().shape
    grays = np.arange(256).astype(np.uint8)[::-1]
    colours = np.stack([grays, grays, grays, 0 * grays], -1).tobytes()
    return read_image(bmp_bytes(width, height, 8, body, 1, colours=colours), gray=True)


@pytest.mark.oracle
def test_run_length_encoded_bmps() -> None:
    image = run_length_image()
    expected = np.arange(256).astype(np.uint8)[::-1][image]
    for body in (
        runs(image),
        runs(image, fill=1),
        runs(image)[:-4] + b"\0\1",
    ):  # a row filled to 24, no end of the last
        np.testing.assert_array_equal(read_runs(body), expected)


@pytest.mark.boundary
@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda image: runs(image)[:-2], "the file is truncated: its runs have no end"),
        (lambda image: runs(image)[2:], "runs leave out pixels"),
        (lambda image: runs(image[1:]), "runs leave out pixels"),
        (lambda image: b"\0\2\1\1" + runs(image), "runs leave out pixels"),
        (lambda image: runs(image, fill=2), "runs lead beyond the picture"),
        (lambda image: runs(np.concatenate([image, image])), "runs lead beyond the picture"),
    ],
)
def test_runs_that_do_not_make_the_picture(make: Callable[..., Any], message: str) -> None:
    body = make(run_length_image())
    with pytest.raises(ImageFileError, match=message):
        read_runs(body)


@pytest.mark.boundary
def test_pixels_of_a_bmp_lie_behind_its_palette() -> None:
    image = pixels(1)[:, :20] % 4
    colours = np.random.default_rng(0).integers(0, 256, (256, 4), np.uint8)
    data = bmp_bytes(20, 19, 8, image[::-1].tobytes(), colours=colours.tobytes())
    np.testing.assert_array_equal(read_image(data), colours[image][..., 2::-1])
    with pytest.raises(ImageFileError, match="its pixels begin within its palette"):
        read_image(data[:10] + struct.pack("<I", 54) + data[14:])
    even = bmp_bytes(20, 19, 8, runs(image), 1, colours=colours.tobytes())
    np.testing.assert_array_equal(read_image(even), colours[image][..., 2::-1])
    odd = even[:10] + struct.pack("<I", 54 + 1025) + even[14 : 54 + 1024] + b"\0" + even[54 + 1024 :]
    with pytest.raises(ImageFileError, match="its runs begin at an odd byte"):
        read_image(odd)


@pytest.mark.boundary
def test_webp_that_says_more_than_it_has() -> None:
    data = pillow_bytes(pixels(3), "WEBP", lossless=True)
    longer = data[:4] + struct.pack("<I", len(data) + 100) + data[8:]
    with pytest.raises(ImageFileError, match="the file is truncated"):
        read_image(longer)
    np.testing.assert_array_equal(read_image(data + b"trailing"), pixels(3))


@pytest.mark.boundary
@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (b"version https://git-lfs.github.com/spec/v1\n", "a pointer of Git LFS"),
        (b"<!doctype html><html>", "a page of HTML"),
        (b"P7\nWIDTH 4\n", "a PAM image"),
        (b"Pf\n4 4\n-1.0\n" + bytes(64), "a PFM image"),
        (b"\0\0\0\x1cftypheic" + bytes(20), "a HEIC image"),
        (b"\0\0\0\x1cftypavis" + bytes(20), "an animation in AVIF"),
        (bytes(1000), "filled with zeros"),
        (b"\1\2\3", "$"),
    ],
)
def test_other_kinds_of_files_are_named(data: bytes, kind: str) -> None:
    with pytest.raises(ImageFileError, match=f"not a readable PNG, JPEG, .* or JPEG 2000 image.*{kind}"):
        read_image(data)


# ---- limits ----------------------------------------------------------------------------------------------------------

EVERY = {
    "PNG": png_bytes(pixels(3)),
    "JPEG": pillow_bytes(pixels(3), "JPEG"),
    "WEBP": pillow_bytes(pixels(3), "WEBP"),
    "WEBP-lossless": pillow_bytes(pixels(3), "WEBP", lossless=True),
    "WEBP-alpha": pillow_bytes(pixels(4), "WEBP", lossless=True),
    "BMP": pillow_bytes(pixels(3), "BMP"),
    "TIFF": tiff_bytes(pixels(3)),
    "TIFF-LZW": pillow_bytes(pixels(3), "TIFF", compression="tiff_lzw"),
}


@pytest.mark.boundary
@pytest.mark.parametrize("kind", EVERY)
def test_the_limit_of_pixels_is_said_and_no_warning(
    kind: str, monkeypatch: pytest.MonkeyPatch, recwarn: pytest.WarningsRecorder
) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 19 * 23 * 3 // 4)
    read_image(EVERY[kind], alpha="drop")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 19 * 23 // 2)
    with pytest.raises(ImageFileError, match="has 23 x 19 pixels, more than the 436 that are read") as caught:
        read_image(EVERY[kind], alpha="drop")
    assert "PIL.Image.MAX_IMAGE_PIXELS" in caught.value.remedy
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", None)
    read_image(EVERY[kind], alpha="drop")
    assert not recwarn.list


@pytest.mark.boundary
@pytest.mark.parametrize("kind", EVERY)
def test_pillows_setting_for_damage_is_not_followed(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ImageFile, "LOAD_TRUNCATED_IMAGES", True)
    with pytest.raises(ImageFileError, match=r"LOAD_TRUNCATED_IMAGES is set, .*: set it to False"):
        read_image(EVERY[kind], alpha="drop")


@pytest.mark.property
@pytest.mark.parametrize("rows", [1, 4, 18])
def test_strips_join_to_the_whole(rows: int, monkeypatch: pytest.MonkeyPatch) -> None:
    made = [
        *EVERY.values(),
        *(png_bytes(pixels(channels, dtype)) for channels in (1, 2, 3, 4) for dtype in (np.uint8, np.uint16)),
        png_bytes(pixels(3), transparent=pixels(3)[3, 4].tolist()),
        png_bytes(pixels(1) >> 7, bits=1, transparent=[1]),
        pillow_bytes(Image.fromarray(pixels(3)).quantize(9), "PNG"),
        pillow_bytes(Image.fromarray(pixels(3)).quantize(9), "PNG", transparency=3),
        *(
            tiff_bytes(pixels(channels, np.uint16), order=order, photometric=p)
            for channels, p in ((1, 0), (1, 1), (3, 2))
            for order in "<>"
        ),
        tiff_bytes(pixels(4), extra=1),
    ]
    choices = [{"alpha": alpha, "gray": gray} for alpha in ("drop", "black", "#404040") for gray in (False, True)]
    expected = [[read_image(data, **choice) for choice in choices] for data in made]
    monkeypatch.setattr(samples, "_STRIP_PIXELS", 23 * rows)
    for data, wanted in zip(made, expected, strict=True):
        for choice, pixels_wanted in zip(choices, wanted, strict=True):
            got = read_image(data, **choice)
            assert got.dtype == pixels_wanted.dtype
            np.testing.assert_array_equal(got, pixels_wanted)


MEASURE = """
import io, re, sys, zlib
import numpy as np
from PIL import Image
from pixelgauge.images import read_image

def held(name):
    return 1024 * int(re.search(name + r":\\s*(\\d+)", open("/proc/self/status").read())[1])

data, options = open(sys.argv[1], "rb").read(), eval(sys.argv[2])
small = Image.new(sys.argv[3], (64, 64))
buffer = io.BytesIO()
small.save(buffer, sys.argv[4])
read_image(buffer.getvalue(), alpha="drop")
open("/proc/self/clear_refs", "w").write("5")
before = held("VmRSS")
read_image(data, **options)
print(held("VmHWM") - before)
"""


@pytest.mark.property
@pytest.mark.skipif(not os.path.exists("/proc/self/clear_refs"), reason="the peak is read from /proc")
@pytest.mark.parametrize(
    ("kind", "mode", "options", "most"),
    [
        ("PNG", "RGBA", {"alpha": "black"}, 12),
        ("PNG", "RGBA", {"alpha": "#123456", "gray": True}, 12),
        ("PNG", "P", {}, 8),
        ("TIFF", "RGBA", {"alpha": "white"}, 16),
        ("WEBP", "RGBA", {"alpha": "black"}, 32),
        ("JPEG", "RGB", {"gray": True}, 12),
    ],
)
def test_memory_for_each_pixel(tmp_path: Path, kind: str, mode: str, options: dict[str, Any], most: int) -> None:
    """Of 6 million pixels: as many bytes for each, twice the file's, and 64 MiB for strips and the rest."""
    side = 2500
    path = tmp_path / "image"
    compressed = {"TIFF": {"compression": "tiff_adobe_deflate"}, "WEBP": {"lossless": True, "method": 0}}
    image = Image.new(mode, (side, side), 77)
    if mode == "P":
        image.putpalette(bytes(range(256)) * 3)
    image.save(path, kind, **compressed.get(kind, {}))
    command = [sys.executable, "-c", MEASURE, str(path), repr(options), mode, kind]
    taken = int(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    assert taken <= most * side * side + 2 * path.stat().st_size + (64 << 20)


# ---- folders ---------------------------------------------------------------------------------------------------------


@pytest.mark.boundary
def test_what_is_no_regular_file_is_listed_and_refused(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(png_bytes(pixels(3)))
    os.mkfifo(tmp_path / "pipe.png")
    (tmp_path / "device.jpg").symlink_to("/dev/zero")
    (tmp_path / "linked.png").symlink_to(tmp_path / "pipe.png")
    (tmp_path / "loop.png").symlink_to(tmp_path / "loop.png")
    (tmp_path / "gone.png").symlink_to(tmp_path / "nowhere.png")
    names = ["a.png", "device.jpg", "gone.png", "linked.png", "loop.png", "pipe.png", "socket.bmp"]
    with socket.socket(socket.AF_UNIX) as listening:
        here = os.getcwd()
        os.chdir(tmp_path)  # for a short name
        try:
            listening.bind("socket.bmp")
        finally:
            os.chdir(here)
        assert image_files(tmp_path)[0] == names
        for name, message in (
            ("pipe.png", "is a pipe: only regular files"),
            ("linked.png", "is a pipe"),
            ("device.jpg", "is a device"),
            ("socket.bmp", "is a socket"),
            ("loop.png", "Too many levels"),
            ("gone.png", "No such file"),
        ):
            with pytest.raises(ImageFileError, match=message) as caught:
                read_image(tmp_path / name)
            assert caught.value.path == str(tmp_path / name)


@pytest.mark.boundary
def test_folders_that_cannot_be_listed_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("a/1.png", "b/2.png", "b/c/3.png", "d/4.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"")
    scandir = os.scandir

    def refusing(path):
        if os.path.basename(path) == "b" or path == str(tmp_path / "d"):
            raise PermissionError(13, "Permission denied", path)
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refusing)
    told = []
    paths, _ = image_files(tmp_path, lambda name, error: told.append((name, error.strerror)))
    assert (paths, told) == (["a/1.png"], [("b", "Permission denied"), ("d", "Permission denied")])
    with pytest.raises(PermissionError):
        image_files(tmp_path)
    with pytest.raises(PermissionError):  # the folder itself
        image_files(tmp_path / "b", lambda name, error: None)
    with pytest.raises(FileNotFoundError):
        image_files(tmp_path / "nowhere", lambda name, error: None)


@pytest.mark.property
def test_errors_have_fields() -> None:
    for data, reason, remedy in (
        (png_bytes(pixels(4)), "has transparent pixels", "choose alpha drop, black, white or #rrggbb"),
        (tiff_bytes(pixels(1), bits=12), "has 12-bit gray samples", "convert to 8 or 16 bits"),
        (b"", "the file is empty", ""),
    ):
        with pytest.raises(ImageFileError) as caught:
            read_image(data)
        assert caught.value.reason == reason
        assert caught.value.remedy.startswith(remedy)
