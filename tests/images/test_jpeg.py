"""JPEG by both ways through Pillow, and pixels out of Pillow's memory: the same as Pillow's own, or an error."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest
from PIL import Image

from pixelgauge import _core
from pixelgauge.images import ImageFileError, jpeg, pillow, read_image
from tests.images.encoded import pillow_bytes


def picture(height: int, width: int, channels: int = 3) -> np.ndarray:
    rng = np.random.default_rng([height, width])
    coarse = rng.integers(0, 256, (-(-height // 8), -(-width // 8), channels)).repeat(8, 0).repeat(8, 1)
    noisy = np.clip(coarse[:height, :width] + rng.normal(0, 20, (height, width, channels)), 0, 255).astype(np.uint8)
    return noisy[..., 0] if channels == 1 else noisy


def test_this_pillow_is_known() -> None:
    assert jpeg._decodes_directly()


@pytest.mark.parity
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize(
    "options",
    [{"subsampling": s, "quality": 90} for s in (0, 1, 2)]
    + [{"progressive": True}, {"quality": 5}, {"restart_marker_rows": 1}, {"restart_marker_blocks": 3}],
    ids=str,
)
@pytest.mark.parametrize(
    "size", [(1, 1), (7, 9), (16, 127), (25, 128), (26, 129), (33, 200), (64, 64), (97, 131), (300, 257)]
)
def test_pixels_are_pillows(each_way: str, size: tuple[int, int], options: dict[str, Any], channels: int) -> None:
    data = pillow_bytes(picture(*size, channels), "JPEG", **options)
    with Image.open(io.BytesIO(data)) as image:
        expected = np.asarray(image)
    np.testing.assert_array_equal(read_image(data), expected)


@pytest.mark.boundary
@pytest.mark.parametrize("subsampling", [0, 2])
@pytest.mark.parametrize("channels", [1, 3])
def test_a_scan_that_ends_early_is_damage(each_way: str, channels: int, subsampling: int) -> None:
    data = pillow_bytes(picture(200, 160, channels), "JPEG", quality=85, subsampling=subsampling)
    scan = data.index(b"\xff\xda") + 2
    for part in (0.1, 0.3, 0.5, 0.6):
        cut = scan + round(part * (len(data) - scan))
        while data[cut - 1] == 0xFF:
            cut -= 1
        with pytest.raises(ImageFileError, match="ends before its pixels do"):
            read_image(data[:cut] + b"\xff\xd9")
        with pytest.raises(ImageFileError, match="truncated"):
            read_image(data[:cut])


@pytest.mark.boundary
def test_a_stream_that_cannot_be_decoded_is_damage(each_way: str) -> None:
    data = pillow_bytes(picture(64, 64), "JPEG")
    with pytest.raises(ImageFileError, match="cannot be decoded"):
        read_image(data.replace(b"\xff\xdb", b"\xff\xe5"))  # no quantisation tables


def with_segment(data: bytes, at: int, segment: bytes) -> bytes:
    return data[:at] + segment + data[at:]


@pytest.mark.parity
@pytest.mark.parametrize("subsampling", [0, 1, 2])
@pytest.mark.parametrize("options", [{}, {"restart_marker_blocks": 4}], ids=str)
def test_components_of_one_name(each_way: str, subsampling: int, options: dict[str, Any]) -> None:
    data = bytearray(pillow_bytes(picture(64, 160), "JPEG", subsampling=subsampling, **options))
    frame, scan = data.index(b"\xff\xc0"), data.index(b"\xff\xda")
    for k in range(3):
        data[frame + 10 + 3 * k] = data[scan + 5 + 2 * k] = 0
    with Image.open(io.BytesIO(data)) as image:
        np.testing.assert_array_equal(read_image(bytes(data)), np.asarray(image))


@pytest.mark.parity
@pytest.mark.parametrize("segment", [b"\xff\xee\0\x07Adobe", b"\xff\xe1\0\4ab\0", b"\xff\xfe\0\4ab\0\0\xff\xff"])
def test_segments_that_say_nothing(each_way: str, segment: bytes) -> None:
    data = pillow_bytes(picture(64, 160), "JPEG")
    np.testing.assert_array_equal(read_image(with_segment(data, 2, segment)), read_image(data))


@pytest.mark.boundary
@pytest.mark.parametrize("lost", [0, 100])
@pytest.mark.parametrize("marker", [b"\xff\xfe", b"\xff\xe3"])
def test_a_segment_within_a_scan_is_damage(each_way: str, marker: bytes, lost: int) -> None:
    data = pillow_bytes(picture(64, 160), "JPEG")
    at = (data.index(b"\xff\xda") + len(data)) // 2
    with pytest.raises(ImageFileError, match=r"a segment stands within its scan|ends before its pixels do"):
        read_image(data[:at] + marker + b"\0\4ab" + data[at + lost :])


@pytest.mark.parity
@pytest.mark.parametrize("factors", [0x11, 0x12, 0x13, 0x14, 0x24, 0x44])
@pytest.mark.parametrize("height", [25, 32, 64, 129])
def test_gray_of_any_sampling(each_way: str, factors: int, height: int) -> None:
    data = bytearray(pillow_bytes(picture(height, 160, 1), "JPEG"))
    data[data.index(b"\xff\xc0") + 11] = factors
    with Image.open(io.BytesIO(data)) as image:
        np.testing.assert_array_equal(read_image(bytes(data)), np.asarray(image))


# ---- out of Pillow's memory ---------------------------------------------------------------------------------------


@pytest.mark.property
@pytest.mark.parametrize("exports", [True, False])
@pytest.mark.parametrize("size", [(1, 1), (1, 5), (3, 7), (64, 64), (33, 1001), (2100, 2050), (5000, 3), (2, 70_000)])
def test_rgb_pixels_are_what_numpy_makes(monkeypatch: pytest.MonkeyPatch, size: tuple[int, int], exports: bool) -> None:
    assert pillow._exports() == hasattr(Image.Image, "__arrow_c_array__")
    if not exports:
        monkeypatch.setattr(pillow, "_exports", lambda: False)
    pixels = np.random.default_rng(0).integers(0, 256, (*size, 3), np.uint8)
    image = Image.fromarray(pixels)
    np.testing.assert_array_equal(pillow.rgb_pixels(image), pixels)
    np.testing.assert_array_equal(pillow.rgb_pixels(image.crop((0, 0, *size[::-1]))), pixels)
    strips = image.crop((0, size[0] // 2, *size[::-1]))
    np.testing.assert_array_equal(pillow.rgb_pixels(strips), pixels[size[0] // 2 :])


@pytest.mark.boundary
@pytest.mark.skipif(not hasattr(Image.Image, "__arrow_c_array__"), reason="this Pillow exports nothing")
def test_an_export_of_another_layout_is_not_taken() -> None:
    out = np.full((4, 6, 3), 7, np.uint8)
    for image in (Image.new("L", (6, 4)), Image.new("I", (6, 4)), Image.new("F", (6, 4)), Image.new("RGB", (5, 4))):
        assert not _core.rgb_of_arrow(*image.__arrow_c_array__(), out)
    assert (out == 7).all()
    schema, array = Image.new("RGB", (6, 4)).__arrow_c_array__()
    with pytest.raises(ValueError, match="PyCapsule_GetPointer"):
        _core.rgb_of_arrow(array, schema, out)
    with pytest.raises(ValueError, match="height, width, 3"):
        _core.rgb_of_arrow(schema, array, np.zeros((4, 6, 4), np.uint8))
    for other in (np.zeros((4, 6, 3), np.int8), np.zeros((8, 6, 3), np.uint8)[::2]):
        with pytest.raises(TypeError):
            _core.rgb_of_arrow(schema, array, other)
    out.flags.writeable = False
    with pytest.raises(ValueError, match=r"not writeable|read-only"):
        _core.rgb_of_arrow(schema, array, out)


@pytest.mark.parity
@pytest.mark.parametrize("exports", [True, False])
@pytest.mark.parametrize("size", [(3, 7), (64, 64), (2100, 2050)])
def test_opaque_rgba_is_taken_as_rgb(monkeypatch: pytest.MonkeyPatch, size: tuple[int, int], exports: bool) -> None:
    if not exports:
        monkeypatch.setattr(pillow, "_exports", lambda: False)
    pixels = np.random.default_rng(1).integers(0, 256, (*size, 4), np.uint8)
    pixels[..., 3] = 255
    np.testing.assert_array_equal(
        read_image(pillow_bytes(pixels, "PNG", compress_level=0)), pixels[..., :3], strict=True
    )
    np.testing.assert_array_equal(pillow.rgb_pixels(Image.fromarray(pixels)), pixels[..., :3], strict=True)
    pixels[-1, -1, 3] = 254
    with pytest.raises(ImageFileError, match="has transparent pixels"):
        read_image(pillow_bytes(pixels, "PNG", compress_level=0))
