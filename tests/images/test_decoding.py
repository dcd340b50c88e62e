"""Image files to arrays: every format and depth against the pixels that were written, every bad file to its error."""

from __future__ import annotations

import io
import os
import pickle
import subprocess
import sys
from collections.abc import Callable
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from pixelgauge.engine.pairing import find_pairs
from pixelgauge.images import ImageFileError, decoding, image_files, read_image
from tests.images.encoded import HEIGHT, ORIENTED, WIDTH, pillow_bytes, pixels, png_bytes, stored, tiff_bytes


@pytest.mark.oracle
@pytest.mark.parametrize(("kind", "channels"), [*product(["PNG", "BMP", "TIFF"], [1, 3]), ("WEBP", 3)])
def test_lossless_formats_give_the_pixels_written(tmp_path: Path, kind: str, channels: int) -> None:
    image = pixels(channels)
    data = pillow_bytes(image, kind, **({"lossless": True} if kind == "WEBP" else {}))
    got = read_image(stored(tmp_path, data))
    assert got.dtype == np.uint8
    np.testing.assert_array_equal(got, image)


@pytest.mark.parity
@pytest.mark.parametrize("channels", [1, 3])
def test_jpeg_gives_the_pixels_pillow_decodes(tmp_path: Path, channels: int) -> None:
    data = pillow_bytes(pixels(channels), "JPEG", quality=90)
    np.testing.assert_array_equal(read_image(stored(tmp_path, data)), np.asarray(Image.open(io.BytesIO(data))))


@pytest.mark.oracle
@pytest.mark.parametrize("filter_type", range(5))
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("interlace", [False, True])
def test_16_bit_png_keeps_all_bits(tmp_path: Path, filter_type: int, channels: int, interlace: bool) -> None:
    image = pixels(channels, np.uint16)
    got = read_image(stored(tmp_path, png_bytes(image, filter_type=filter_type, interlace=interlace)))
    assert got.dtype == np.uint16
    np.testing.assert_array_equal(got, image)


@pytest.mark.oracle
@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("compressed", [False, True])
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_tiff_keeps_all_bits(tmp_path: Path, order: str, compressed: bool, channels: int, dtype: type) -> None:
    image = pixels(channels, dtype)
    got = read_image(stored(tmp_path, tiff_bytes(image, order=order, compressed=compressed)))
    assert got.dtype == dtype
    np.testing.assert_array_equal(got, image)


@pytest.mark.oracle
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_white_is_zero_tiff_is_inverted(tmp_path: Path, dtype: type) -> None:
    image = pixels(1, dtype)
    got = read_image(stored(tmp_path, tiff_bytes(image, photometric=0)))
    np.testing.assert_array_equal(got, np.iinfo(dtype).max - image)


@pytest.mark.oracle
@pytest.mark.parametrize("bits", [1, 2, 4])
def test_gray_below_8_bits_fills_the_range(tmp_path: Path, bits: int) -> None:
    image = pixels(1) >> (8 - bits)
    got = read_image(stored(tmp_path, png_bytes(image, bits=bits)))
    np.testing.assert_array_equal(got, image * (255 // (2**bits - 1)))


@pytest.mark.oracle
def test_palettes_become_colours(tmp_path: Path) -> None:
    indices = pixels(1) % 5
    palette = np.array([[1, 2, 3], [250, 0, 9], [7, 7, 7], [0, 255, 0], [90, 80, 70]], np.uint8)
    image = Image.new("P", (WIDTH, HEIGHT))
    image.putdata(indices.ravel().tolist())
    image.putpalette(palette.ravel().tolist())
    for kind in ("PNG", "BMP", "TIFF"):
        np.testing.assert_array_equal(read_image(stored(tmp_path, pillow_bytes(image, kind))), palette[indices])


@pytest.mark.oracle
@pytest.mark.parametrize("orientation", ORIENTED)
@pytest.mark.parametrize("kind", ["PNG", "TIFF", "TIFF-LZW", "WEBP", "JPEG", "PNG16"])
def test_exif_orientation_is_applied(tmp_path: Path, orientation: int, kind: str) -> None:
    exif = Image.Exif()
    exif[274] = orientation
    image = pixels(3)
    if kind == "PNG16":
        image = pixels(1, np.uint16)
        data = pillow_bytes(image, "PNG", exif=exif)
    elif kind == "TIFF-LZW":
        data = pillow_bytes(image, "TIFF", compression="tiff_lzw", exif=exif)
    elif kind == "JPEG":
        data = pillow_bytes(image, kind, exif=exif)
        image = np.asarray(Image.open(io.BytesIO(data)))
    else:
        data = pillow_bytes(image, kind, exif=exif, **({"lossless": True} if kind == "WEBP" else {}))
    got = read_image(stored(tmp_path, data))
    np.testing.assert_array_equal(got, ORIENTED[orientation](image))
    assert got.flags.c_contiguous


@pytest.mark.oracle
@pytest.mark.parametrize(
    ("kind", "dtype", "channels"),
    # Pillow reads no 16-bit gray TIFF with alpha.
    [
        *product(["png"], [np.uint8, np.uint16], [2, 4]),
        ("tiff", np.uint8, 2),
        ("tiff", np.uint8, 4),
        ("tiff", np.uint16, 4),
    ],
)
def test_alpha_is_dropped_or_composited_on_request(tmp_path: Path, dtype: type, channels: int, kind: str) -> None:
    image = pixels(channels, dtype)
    path = stored(tmp_path, png_bytes(image) if kind == "png" else tiff_bytes(image, extra=2))
    with pytest.raises(ImageFileError, match="transparent pixels: choose alpha drop, black, white"):
        read_image(path)
    colour = image[..., 0] if channels == 2 else image[..., :3]
    np.testing.assert_array_equal(read_image(path, alpha="drop"), colour)
    full = np.iinfo(dtype).max
    for choice, background in (("black", [0, 0, 0]), ("white", [255, 255, 255]), ("#204060", [0x20, 0x40, 0x60])):
        if channels == 2 and choice[0] == "#":
            with pytest.raises(ImageFileError, match="cannot be composited over a colour"):
                read_image(path, alpha=choice)
            continue
        share = image[..., -1] / full
        over = np.array(background) * (full // 255) if channels == 4 else background[0] * (full // 255)
        share = share[..., np.newaxis] if channels == 4 else share
        expected = np.floor(colour * share + over * (1 - share) + 0.5)
        got = read_image(path, alpha=choice)
        assert got.dtype == dtype
        # The oracle's floats may fall on the other side of a tie.
        assert np.abs(got.astype(float) - expected).max() <= (0 if dtype == np.uint8 else 1)


@pytest.mark.property
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_opaque_alpha_needs_no_choice(tmp_path: Path, dtype: type) -> None:
    image = pixels(4, dtype)
    image[..., 3] = np.iinfo(dtype).max
    np.testing.assert_array_equal(read_image(stored(tmp_path, png_bytes(image))), image[..., :3])


@pytest.mark.oracle
@pytest.mark.parametrize(
    ("channels", "dtype", "bits"),
    [
        (1, np.uint8, 8),
        (1, np.uint8, 4),
        (1, np.uint8, 2),
        (1, np.uint8, 1),
        (3, np.uint8, 8),
        (1, np.uint16, 16),
        (3, np.uint16, 16),
    ],
)
def test_a_transparent_colour_is_alpha(tmp_path: Path, channels: int, dtype: type, bits: int) -> None:
    image = pixels(channels, dtype) >> (8 - bits if bits < 8 else 0)
    key = np.atleast_1d(image[3, 4]).tolist()
    path = stored(tmp_path, png_bytes(image, transparent=key, bits=bits))
    with pytest.raises(ImageFileError, match="transparent pixels"):
        read_image(path)
    scale = 255 // (2**bits - 1) if bits < 8 else 1
    expected = image * scale
    hidden = image == key[0] if channels == 1 else (image == np.array(key)).all(axis=2)
    np.testing.assert_array_equal(read_image(path, alpha="drop"), expected)
    expected[hidden] = 0
    np.testing.assert_array_equal(read_image(path, alpha="black"), expected)


@pytest.mark.oracle
def test_a_transparent_palette_entry_is_alpha(tmp_path: Path) -> None:
    image = Image.new("P", (4, 4), 1)
    image.putpalette([9, 9, 9, 200, 100, 50])
    image.putpixel((0, 0), 0)
    path = stored(tmp_path, pillow_bytes(image, "PNG", transparency=0))
    with pytest.raises(ImageFileError, match="transparent pixels"):
        read_image(path)
    got = read_image(path, alpha="white")
    assert got[0, 0].tolist() == [255, 255, 255]
    assert got[1, 1].tolist() == [200, 100, 50]


@pytest.mark.oracle
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_gray_is_matlabs(tmp_path: Path, dtype: type) -> None:
    image = pixels(3, dtype)
    image[0, :3] = [[0, 0, 0], [np.iinfo(dtype).max] * 3, [77, 77, 77]]
    got = read_image(stored(tmp_path, png_bytes(image)), gray=True)
    weights = [0.298936021293775, 0.587043074451121, 0.114020904255103]
    np.testing.assert_array_equal(got, np.floor(image @ np.array(weights) + 0.5).astype(dtype))
    assert got[0, :3].tolist() == [0, np.iinfo(dtype).max, 77]
    assert got.dtype == dtype


@pytest.mark.property
def test_gray_leaves_gray_images_alone(tmp_path: Path) -> None:
    image = pixels(1)
    np.testing.assert_array_equal(read_image(stored(tmp_path, png_bytes(image)), gray=True), image)


@pytest.mark.property
def test_the_content_tells_the_format_not_the_name(tmp_path: Path) -> None:
    image = pixels(3)
    np.testing.assert_array_equal(read_image(stored(tmp_path, png_bytes(image), "image.jpg")), image)


@pytest.mark.property
def test_the_main_picture_of_a_jpeg_with_embedded_ones_is_read(tmp_path: Path) -> None:
    first, second = Image.fromarray(pixels(3)), Image.fromarray(pixels(3, seed=1))
    data = pillow_bytes(first, "MPO", save_all=True, append_images=[second])
    np.testing.assert_array_equal(read_image(stored(tmp_path, data)), np.asarray(Image.open(io.BytesIO(data))))


@pytest.mark.boundary
@pytest.mark.parametrize("kind", ["PNG", "TIFF", "WEBP"])
def test_several_frames_are_refused(tmp_path: Path, kind: str) -> None:
    frames = [Image.fromarray(pixels(3, seed=seed)) for seed in range(3)]
    path = stored(tmp_path, pillow_bytes(frames[0], kind, save_all=True, append_images=frames[1:]))
    with pytest.raises(ImageFileError, match="holds 3 frames or pages"):
        read_image(path)


@pytest.mark.boundary
@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "the file is empty"),
        (b"hello", "not a readable PNG, JPEG"),
        (b"GIF89a" + bytes(50), "byte 0x0 stands where a block begins"),
        (pillow_bytes(Image.new("CMYK", (4, 4)), "JPEG"), "colour mode CMYK: convert"),
        (pillow_bytes(Image.new("CMYK", (4, 4)), "TIFF"), "colour mode CMYK: convert"),
        (pillow_bytes(Image.new("LAB", (4, 4)), "TIFF"), "colour mode LAB: convert"),
        (pillow_bytes(Image.new("F", (4, 4)), "TIFF"), "has floating-point 32-bit samples: convert"),
        (pillow_bytes(Image.new("I", (4, 4)), "TIFF"), "has signed 32-bit samples: convert"),
        (tiff_bytes(pixels(1, np.uint16).view(np.int16), sample_format=2), "has signed 16-bit samples: convert"),
        (tiff_bytes(pixels(2, np.uint16), extra=2), "16-bit gray samples with alpha: save"),
        (tiff_bytes(pixels(3, np.uint16), planar=2), "planes stored apart"),
        (tiff_bytes(pixels(4, np.uint16), photometric=5), "16-bit|CMYK"),
    ],
)
def test_unreadable_kinds_are_refused_by_name(tmp_path: Path, data: bytes, message: str) -> None:
    with pytest.raises(ImageFileError, match=message) as caught:
        read_image(stored(tmp_path, data, "odd.png"))
    assert caught.value.path == str(tmp_path / "odd.png")
    assert str(caught.value).startswith(str(tmp_path / "odd.png"))


@pytest.mark.oracle
def test_8_bit_planes_stored_apart_are_read(tmp_path: Path) -> None:
    image = pixels(3)
    np.testing.assert_array_equal(read_image(stored(tmp_path, tiff_bytes(image, planar=2))), image)


@pytest.mark.boundary
def test_missing_files_and_folders_are_named(tmp_path: Path) -> None:
    with pytest.raises(ImageFileError, match=r"nothing\.png: No such file"):
        read_image(tmp_path / "nothing.png")
    with pytest.raises(ImageFileError, match="is a folder"):
        read_image(tmp_path)


@pytest.mark.boundary
@pytest.mark.parametrize("alpha", ["", "grey", "#12345", "#12345g", "black\n", None])
def test_unknown_alpha_is_refused(tmp_path: Path, alpha: str | None) -> None:
    with pytest.raises(ValueError, match=r"alpha=.* is not known"):
        read_image(stored(tmp_path, png_bytes(pixels(3))), alpha=alpha)


@pytest.mark.boundary
def test_decompression_bombs_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = stored(tmp_path, png_bytes(pixels(1)))
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    with pytest.raises(ImageFileError, match="decompression bomb"):
        read_image(path)


SOUND = {
    "png": png_bytes(pixels(3), filter_type=4),
    "png16": png_bytes(pixels(3, np.uint16), filter_type=1),
    "jpeg": pillow_bytes(pixels(3), "JPEG"),
    "webp": pillow_bytes(pixels(3), "WEBP"),
    "bmp": pillow_bytes(pixels(3), "BMP"),
    "tiff": pillow_bytes(pixels(3), "TIFF"),
    "tiff-lzw": pillow_bytes(pixels(3), "TIFF", compression="tiff_lzw"),
    "tiff16": tiff_bytes(pixels(3, np.uint16), compressed=True),
}


@pytest.mark.boundary
@pytest.mark.filterwarnings("ignore::UserWarning:PIL")  # Pillow warns of the tags that were cut off
@pytest.mark.parametrize("kind", SOUND)
def test_a_truncated_file_is_an_error_or_whole(tmp_path: Path, kind: str) -> None:
    data = SOUND[kind]
    whole = read_image(stored(tmp_path, data))
    errors = 0
    for length in np.linspace(1, len(data) - 1, 40).astype(int):
        try:
            got = read_image(stored(tmp_path, data[:length]))
        except ImageFileError:
            errors += 1
        else:  # what is cut off decides no pixel
            np.testing.assert_array_equal(got, whole)
    assert errors >= 36


@pytest.mark.boundary
def test_a_flipped_bit_in_a_png_is_an_error(tmp_path: Path) -> None:
    data = SOUND["png"]
    for position in range(8, len(data), 37):
        flipped = bytearray(data)
        flipped[position] ^= 4
        with pytest.raises(ImageFileError):
            read_image(stored(tmp_path, bytes(flipped)))


@pytest.mark.property
def test_the_error_survives_pickling() -> None:
    error = pickle.loads(pickle.dumps(ImageFileError("a.png", "is odd")))
    assert (error.path, error.reason, str(error)) == ("a.png", "is odd", "a.png: is odd")


@pytest.mark.property
def test_folders_are_walked_once_and_in_order(tmp_path: Path) -> None:
    for name in ("b/2.PNG", "b/1.Jpeg", "a.tif", "Z.bmp", ".hidden/x.png", "b/.x.png", "c.txt", "d", "ü/é.webp"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"")
    (tmp_path / "b" / "loop").symlink_to(tmp_path)
    paths, ignored = image_files(tmp_path)
    assert paths == ["Z.bmp", "a.tif", "b/1.Jpeg", "b/2.PNG", "ü/é.webp"]
    assert ignored == {".txt": 1, "": 1}


@pytest.mark.boundary
def test_a_folder_that_cannot_be_listed_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        image_files(tmp_path / "nowhere")


@pytest.mark.property
def test_pillow_is_imported_when_first_used() -> None:
    code = "import sys, pixelgauge, pixelgauge.engine.pipeline; sys.exit('PIL' in sys.modules or 'tqdm' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


# ---- data in memory ------------------------------------------------------------------------------------------------


class Stream(io.RawIOBase):
    """A binary stream that only reads, such as a socket's."""

    def __init__(self, data: bytes) -> None:
        self._left = io.BytesIO(data)

    def readable(self) -> bool:
        return True

    def seekable(self) -> Any:
        return False

    def readinto(self, buffer: bytearray) -> int:
        part = self._left.read(min(len(buffer), 100))
        buffer[: len(part)] = part
        return len(part)


class OnlyReads:
    def __init__(self, data: bytearray | bytes) -> None:
        self._data = data

    def read(self) -> bytearray | bytes | None:
        return self._data


class BytesPath:
    def __init__(self, path: Path) -> None:
        self._path = os.fsencode(path)

    def __fspath__(self) -> bytes:
        return self._path


def every_other_byte(data: Any) -> Any:
    wide = bytearray(2 * len(data))
    wide[::2] = data
    return memoryview(wide)[::2]


@pytest.mark.property
@pytest.mark.parametrize(
    "held",
    [
        bytes,
        bytearray,
        memoryview,
        every_other_byte,
        lambda data: memoryview(np.frombuffer(data, np.uint8)),
        io.BytesIO,
        Stream,
        lambda data: io.BufferedReader(Stream(data)),
        OnlyReads,
        lambda data: OnlyReads(bytearray(data)),
    ],
)
@pytest.mark.parametrize("kind", ["PNG", "JPEG", "TIFF", "WEBP", "BMP"])
def test_data_in_memory_is_read_as_its_file(tmp_path: Path, held: Callable[..., Any] | type, kind: str) -> None:
    data = pillow_bytes(pixels(3), kind)
    expected = read_image(stored(tmp_path, data))
    np.testing.assert_array_equal(read_image(held(data)), expected)
    np.testing.assert_array_equal(read_image(held(data), gray=True), read_image(stored(tmp_path, data), gray=True))


@pytest.mark.property
def test_file_objects_are_read_from_where_they_stand(tmp_path: Path) -> None:
    data = png_bytes(pixels(3))
    path = stored(tmp_path, b"header" + data)
    with open(path, "rb") as file:
        assert file.read(6) == b"header"
        np.testing.assert_array_equal(read_image(file), pixels(3))
        assert file.tell() == 6 + len(data)
        with pytest.raises(
            ImageFileError, match=r"the image data: is empty: the file object stands at its end.*seek\(0\)"
        ):
            read_image(file)
    with pytest.raises(ImageFileError, match=r"the image data: cannot be read from the file object: .*closed"):
        read_image(file)


@pytest.mark.boundary
@pytest.mark.parametrize("held", [bytes, bytearray, memoryview, io.BytesIO])
def test_bytes_never_name_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, held: type) -> None:
    path = stored(tmp_path, png_bytes(pixels(3)))
    monkeypatch.chdir(tmp_path)
    for name in (os.fsencode(path), os.fsencode(path.name)):
        with pytest.raises(ImageFileError, match=r"^the image data: not a readable PNG") as caught:
            read_image(held(name))
        assert caught.value.path == "the image data"
        assert str(tmp_path) not in str(caught.value)


@pytest.mark.boundary
def test_damaged_data_is_not_called_a_path() -> None:
    data = png_bytes(pixels(3))
    for held, message in (
        (data[:-20], "the image data: cannot be decoded: the file is truncated"),
        (b"", "the image data: the file is empty"),
        (data[:100] + bytes([data[100] ^ 1]) + data[101:], "the image data: cannot be decoded: chunk 'IDAT'"),
        (png_bytes(pixels(4)), "the image data: has transparent pixels"),
    ):
        with pytest.raises(ImageFileError, match=message):
            read_image(held)


@pytest.mark.property
def test_path_likes_are_paths(tmp_path: Path) -> None:
    path = stored(tmp_path, png_bytes(pixels(3)), "grün.png")
    entries = []
    for folder in (tmp_path, os.fsencode(tmp_path)):
        with os.scandir(folder) as listed:
            entries += listed
    for like in (str(path), path, BytesPath(path), *entries):
        np.testing.assert_array_equal(read_image(like), pixels(3))
    assert image_files(BytesPath(tmp_path))[0] == ["grün.png"]
    path.unlink()
    with pytest.raises(ImageFileError, match="No such file") as caught:
        read_image(BytesPath(path))
    assert caught.value.path == str(path)


@pytest.mark.boundary
@pytest.mark.parametrize(
    ("path", "message"),
    [
        (3, "path is a int: pass a path"),
        (None, "path is a NoneType: pass a path"),
        (["a.png"], "path is a list: pass a path"),
        (pixels(3), "path is a ndarray: .*are pixels already"),
        (Image.fromarray(pixels(3)), "path is a Image: .*are pixels already"),
        (io.StringIO("a.png"), "reads str, not bytes: open it in mode 'rb'"),
        (OnlyReads(None), "reads NoneType, not bytes"),
    ],
)
def test_what_is_neither_path_nor_data_is_refused(path: Any, message: str) -> None:
    with pytest.raises(TypeError, match=message):
        read_image(path)


@pytest.mark.boundary
def test_folders_are_no_bytes(tmp_path: Path) -> None:
    for call in (image_files, lambda folder: find_pairs(folder, tmp_path), lambda folder: find_pairs(tmp_path, folder)):
        with pytest.raises(TypeError, match=r"must be a path, a str or an os.PathLike"):
            call(os.fsencode(tmp_path))


@pytest.mark.boundary
def test_a_name_with_a_null_byte_is_an_unreadable_file() -> None:
    with pytest.raises(ImageFileError, match="null"):
        read_image("a\0.png")


@pytest.mark.property
def test_while_another_thread_imports_pillow(monkeypatch: pytest.MonkeyPatch) -> None:
    """The module is there before its class: nothing is an image then, and nobody fails."""
    import types

    monkeypatch.setitem(sys.modules, "PIL.Image", types.ModuleType("PIL.Image"))
    assert not decoding.is_picture(np.zeros((2, 2)))
