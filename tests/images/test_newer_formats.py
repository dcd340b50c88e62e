"""GIF, PNM, AVIF and JPEG 2000: the pixels that were written or that Pillow decodes, or an error that says why not."""

from __future__ import annotations

import io
import struct
from typing import Any

import numpy as np
import pytest
from PIL import Image, features

from pixelgauge.images import ImageFileError, image_files, read_image
from tests.images.encoded import ORIENTED, pillow_bytes, pixels, stored

RGB, GRAY, DEEP, CLEAR = pixels(3), pixels(1), pixels(1, np.uint16), pixels(4)
OPAQUE = np.dstack([RGB, np.full(GRAY.shape, 255, np.uint8)])
BITMAP = Image.fromarray(GRAY).convert("1")

needs_avif = pytest.mark.skipif(not features.check("avif"), reason="this Pillow decodes no AVIF")


def avif(image: Any, **options: Any) -> bytes:
    return pillow_bytes(image, "AVIF", **options)


def jp2(image: Any, **options: Any) -> bytes:
    return pillow_bytes(image, "JPEG2000", **options)


def by_pillow(data: bytes, mode: str | None = None) -> np.ndarray:
    with Image.open(io.BytesIO(data)) as image:
        return np.asarray(image if mode is None else image.convert(mode))


# ---- PNM -------------------------------------------------------------------------------------------------------------


@pytest.mark.oracle
def test_pnm_of_8_and_16_bits_and_bitmaps() -> None:
    for image in (RGB, GRAY, DEEP):
        found = read_image(pillow_bytes(image, "PPM"))
        np.testing.assert_array_equal(found, image, strict=True)
        assert found.flags.writeable
    np.testing.assert_array_equal(read_image(pillow_bytes(BITMAP, "PPM")), np.asarray(BITMAP.convert("L")), strict=True)
    deep = pixels(3, np.uint16)
    data = b"P6\n# by hand\n23\t19 #too\n65535\n" + deep.astype(">u2").tobytes()
    np.testing.assert_array_equal(read_image(data), deep, strict=True)
    np.testing.assert_array_equal(read_image(data + b"\n"), deep, strict=True)


@pytest.mark.oracle
def test_pnm_as_text() -> None:
    for kind, image in ((2, GRAY), (3, RGB), (2, DEEP), (3, pixels(3, np.uint16))):
        most = np.iinfo(image.dtype).max
        text = f"P{kind} 23 19 {most}\n" + "\n".join(" ".join(map(str, row.ravel())) for row in image)
        np.testing.assert_array_equal(read_image(text.encode()), image, strict=True)
    black = np.asarray(BITMAP) == 0
    digits = b"".join(b"1" if one else b"0" for one in black.ravel())
    for text in (digits, b" ".join(digits[k : k + 1] for k in range(len(digits)))):
        found = read_image(b"P1\n23 19\n" + text)
        np.testing.assert_array_equal(found, np.where(black, 0, 255).astype(np.uint8), strict=True)


@pytest.mark.oracle
def test_a_maximum_that_fills_8_or_16_bits_is_scaled_and_another_needs_its_range() -> None:
    for most, factor, dtype in ((1, 255, "u1"), (15, 17, "u1"), (85, 3, "u1"), (4369, 15, "u2")):
        samples = np.arange(12).reshape(3, 4) * most // 11
        data = b"P5 4 3 %d\n" % most + samples.astype("u1" if most < 256 else ">u2").tobytes()
        np.testing.assert_array_equal(read_image(data), (samples * factor).astype(dtype), strict=True)
    for most, dtype in ((100, "u1"), (1023, "u2"), (4095, "u2")):
        samples = (np.arange(12).reshape(3, 4) * most // 11).astype(dtype)
        data = b"P5 4 3 %d\n" % most + samples.astype(samples.dtype.newbyteorder(">")).tobytes()
        with pytest.raises(ImageFileError, match=f"samples of 0 to {most}, which do not fill .*--data-range"):
            read_image(data)
        np.testing.assert_array_equal(read_image(data, any_samples=True), samples, strict=True)


@pytest.mark.boundary
@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"P5 4 3 255\n" + bytes(11), "the file is truncated"),
        (b"P5 4 3 255\n" + bytes(13), "1 bytes follow its pixels"),
        (b"P5 4 3 255\n" + bytes(12) + b"P5 4 3 255\n" + bytes(12), "holds several frames"),
        (b"P5 4 3 7\n" + b"\x08" * 12, "samples are at most 7, and has 8"),
        (b"P5 4 0 255\n", "it says 4 x 0 pixels"),
        (b"P5 4 3 0\n" + bytes(12), "of 0 to 0"),
        (b"P5 4 3 70000\n" + bytes(24), "of 0 to 70000"),
        (b"P5 4\n", "its header is no PNM's"),
        (b"P4 9 2\n" + bytes(3), "the file is truncated"),
        (b"P2 2 2 255\n1 2 3", "has 3 of 4 samples"),
        (b"P2 2 2 255\n1 2 3 4 5", "has 5 samples where its size makes 4"),
        (b"P2 2 2 255\n1 2 3 256", "at most 255, and has 256"),
        (b"P2 2 2 255\n1 2 3 99999999999999999999999", "has a sample of 1e"),
        (b"P2 2 2 255\n1 -2 3 4", "byte 0x2d stands among"),
        (b"P3 1 1 255\n1 2 3\nP3 1 1 255\n1 2 3", "holds several frames"),
        (b"P1 2 2\n0120", "byte 0x32 stands among"),
        (b"P5 99999 99999 255\n" + bytes(12), "decompression bomb"),
    ],
)
def test_damaged_pnm(data: bytes, message: str) -> None:
    with pytest.raises(ImageFileError, match=message):
        read_image(data)


# ---- GIF -------------------------------------------------------------------------------------------------------------


@pytest.mark.parity
@pytest.mark.parametrize("interlace", [0, 1])
@pytest.mark.parametrize("size", [(1, 1), (3, 5), (19, 23), (70, 130)])
def test_gif_of_one_frame(size: tuple[int, int], interlace: int) -> None:
    rng = np.random.default_rng(3)
    for shape in (size, (*size, 3)):
        data = pillow_bytes(rng.integers(0, 256, shape, np.uint8), "GIF", interlace=interlace)
        np.testing.assert_array_equal(read_image(data), by_pillow(data, "RGB"), strict=True)


@pytest.mark.oracle
def test_a_transparent_colour_of_a_gif_is_alpha() -> None:
    image = Image.fromarray(RGB).quantize(7)
    data = pillow_bytes(image, "GIF", transparency=2)
    with pytest.raises(ImageFileError, match="has transparent pixels: choose alpha"):
        read_image(data)
    rgba = by_pillow(data, "RGBA")
    clear = rgba[..., 3] == 0
    assert clear.any()
    np.testing.assert_array_equal(read_image(data, alpha="drop")[~clear], rgba[..., :3][~clear])
    np.testing.assert_array_equal(read_image(data, alpha="#102030")[clear], np.tile([16, 32, 48], (clear.sum(), 1)))


def gif(
    *, screen: tuple[int, int] = (4, 3), box: tuple[int, int, int, int] = (0, 0, 4, 3), codes: bytes = b"\x04\x84\x8f\x21\x05", bits: int = 2,
    extra: bytes = b"", palette: bool = True,
) -> bytes:  # fmt: skip
    """A GIF by hand, of four colours."""
    colours = bytes(range(12)) if palette else b""
    head = b"GIF89a" + struct.pack("<HHBBB", *screen, 0x81 if palette else 0, 0, 0) + colours + extra
    return head + b"," + struct.pack("<4HB", *box, 0) + bytes([bits, len(codes)]) + codes + b"\0;"


@pytest.mark.boundary
def test_odd_gifs() -> None:
    sound = pillow_bytes(GRAY, "GIF")
    for cut in range(len(sound)):
        with pytest.raises(ImageFileError):
            read_image(sound[:cut])
    frames = [Image.fromarray(pixels(3, seed=seed)) for seed in range(3)]
    with pytest.raises(ImageFileError, match="holds 3 frames or pages: save the one"):
        read_image(pillow_bytes(frames[0], "GIF", save_all=True, append_images=frames[1:]))
    for data, message in (
        (gif(box=(1, 0, 3, 3)), r"has a picture of 3 x 3 pixels at \(1, 0\) of a screen of 4 x 3"),
        (gif(screen=(3, 3)), "leaves or crosses its border"),
        (gif(codes=b"\x2c"), "its data"),  # clear, then the end
        (gif(bits=9), "its codes begin with 9 bits"),
        (gif(extra=b"!\x01\x01a\0"), "text that is to be drawn"),
        (b"GIF89a" + struct.pack("<HHBBB", 4, 3, 0, 0, 0) + b";", "holds no picture"),
        (b"GIF89a" + struct.pack("<HHBBB", 65535, 65535, 0, 0, 0) + b";", "decompression bomb"),
        (b"GIF89a" + struct.pack("<HHBBB", 4, 3, 0, 0, 0) + b"x", "byte 0x78 stands where a block begins"),
    ):
        with pytest.raises(ImageFileError, match=message):
            read_image(data)


@pytest.mark.boundary
def test_a_gif_whose_data_end_before_its_rows_do_is_damage() -> None:
    """A shorter picture's data under a taller picture's size: they end soundly, and leave rows out."""
    for interlace in (0, 1):
        data = bytearray(pillow_bytes(GRAY, "GIF", interlace=interlace))
        frame = data.index(b"," + struct.pack("<4H", 0, 0, 23, 19))
        data[8:10] = data[frame + 7 : frame + 9] = struct.pack("<H", 21)
        with pytest.raises(ImageFileError, match=r"its data end before its rows do|broken or end early"):
            read_image(bytes(data))


# ---- AVIF, JPEG 2000 -------------------------------------------------------------------------------------------------


@needs_avif
@pytest.mark.parity
@pytest.mark.parametrize("options", [{}, {"quality": 100, "subsampling": "4:4:4"}, {"quality": 30}], ids=str)
def test_avif_is_what_pillow_decodes(options: dict[str, Any]) -> None:
    for image in (RGB, OPAQUE):
        data = avif(image, **options)
        np.testing.assert_array_equal(read_image(data), by_pillow(data, "RGB"), strict=True)
    data = avif(CLEAR, **options)
    with pytest.raises(ImageFileError, match="has transparent pixels"):
        read_image(data)
    np.testing.assert_array_equal(read_image(data, alpha="drop"), by_pillow(data)[..., :3], strict=True)
    data = avif(GRAY, subsampling="4:0:0", **{key: v for key, v in options.items() if key == "quality"})
    np.testing.assert_array_equal(read_image(data), by_pillow(data, "L"), strict=True)


@needs_avif
@pytest.mark.parity
@pytest.mark.parametrize("orientation", ORIENTED)
def test_avif_is_turned(orientation: int) -> None:
    exif = Image.Exif()
    exif[274] = orientation
    plain = read_image(avif(RGB))
    np.testing.assert_array_equal(read_image(avif(RGB, exif=exif)), ORIENTED[orientation](plain), strict=True)


@needs_avif
@pytest.mark.boundary
def test_odd_avifs() -> None:
    data = avif(RGB)
    for cut in range(0, len(data), 7):
        with pytest.raises(ImageFileError):
            read_image(data[:cut])
    at = data.index(b"av1C") + 6
    deep = data[:at] + bytes([data[at] | 0x40]) + data[at + 1 :]
    with pytest.raises(ImageFileError, match="is an AVIF of 10 or 12 bits, which Pillow rounds to 8"):
        read_image(deep)
    with pytest.raises(ImageFileError, match=r"holds 2 frames|an animation"):
        read_image(avif(Image.fromarray(RGB), save_all=True, append_images=[Image.fromarray(pixels(3, seed=1))]))
    with pytest.raises(ImageFileError, match="to be cropped"):
        read_image(data.replace(b"pixi", b"clap"))
    with pytest.raises(ImageFileError, match="is a HEIC or an empty AVIF image"):
        read_image(data.replace(b"av1C", b"hvcC"))


@pytest.mark.boundary
def test_a_pillow_without_avif_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    plugin = pytest.importorskip("PIL.AvifImagePlugin", reason="this Pillow knows no AVIF")
    data = avif(RGB)
    monkeypatch.setattr(plugin, "SUPPORTED", False)
    with pytest.raises(ImageFileError, match=r"which this Pillow does not decode: install Pillow 11\.3 or later"):
        read_image(data)


@pytest.mark.parity
@pytest.mark.parametrize("lossy", [False, True])
@pytest.mark.parametrize("stream", [False, True])
def test_jpeg_2000(stream: bool, lossy: bool) -> None:
    for image in (RGB, GRAY, DEEP) + (() if stream else (OPAQUE,)):
        data = jp2(image, no_jp2=stream, irreversible=lossy)
        found = read_image(data)
        expected = by_pillow(data)
        np.testing.assert_array_equal(found, expected[..., :3] if expected.ndim == 3 else expected)
        assert found.dtype == image.dtype
        if not lossy:
            np.testing.assert_array_equal(found, image[..., :3] if image.ndim == 3 else image)
    if not stream:
        with pytest.raises(ImageFileError, match="has transparent pixels"):
            read_image(jp2(CLEAR, irreversible=lossy))
    else:
        with pytest.raises(ImageFileError, match="has 4 components, 0 of them alpha"):
            read_image(jp2(OPAQUE, no_jp2=True))


@pytest.mark.boundary
def test_odd_jpeg_2000() -> None:
    for data in (jp2(RGB), jp2(RGB, no_jp2=True, irreversible=True, quality_mode="rates", quality_layers=[8])):
        for cut in range(0, len(data) - 2, max(1, len(data) // 150)):
            for end in (b"", b"\xff\xd9"):
                with pytest.raises(ImageFileError):
                    read_image(data[:cut] + end)
    stream = bytearray(jp2(RGB, no_jp2=True))
    for at, value, message in (
        (42, 9, "has 10-bit and 8-bit RGB samples of JPEG 2000: convert to 8 bits"),
        (42, 135, "signed 8-bit"),
        (46, 2, "components of different sizes"),
        (23, 1, "does not begin at its corner"),
        (27, 0, "its tiles have no size"),
    ):
        other = stream.copy()
        other[at] = value
        with pytest.raises(ImageFileError, match=message):
            read_image(bytes(other))
    deep = stream.copy()
    deep[42] = deep[45] = deep[48] = 15
    with pytest.raises(ImageFileError, match="has 16-bit RGB samples of JPEG 2000"):
        read_image(bytes(deep))
    data = jp2(RGB)
    at = data.index(b"colr") + 7
    with pytest.raises(ImageFileError, match="has colour space 18 of JPEG 2000"):
        read_image(data[:at] + struct.pack(">I", 18) + data[at + 4 :])
    with pytest.raises(ImageFileError, match="with a palette"):
        read_image(data.replace(b"colr", b"pclr"))
    huge = bytes(stream[:8]) + struct.pack(">II", 1 << 20, 1 << 20) + bytes(stream[16:])
    with pytest.raises(ImageFileError, match="decompression bomb"):
        read_image(huge)
    flat = jp2(np.zeros((640, 640), np.uint8), no_jp2=True)
    with pytest.raises(ImageFileError, match="its tiles are more than it can hold"):
        read_image(flat[:24] + struct.pack(">II", 64, 64) + flat[32:])
    tiny = jp2(pixels(1).repeat(30, 0).repeat(30, 1), tile_size=(16, 16))
    with pytest.raises(ImageFileError, match="of 1584 tiles of 16 x 16 pixels: save it with larger tiles"):
        read_image(tiny)


@pytest.mark.property
def test_their_extensions_are_images(tmp_path: Any) -> None:
    names = ["a.GIF", "b.pbm", "c.pgm", "d.ppm", "e.pnm", "f.avif", "g.jp2", "h.J2K"]
    for name in names:
        stored(tmp_path, b"", name)
    assert image_files(tmp_path)[0] == names
