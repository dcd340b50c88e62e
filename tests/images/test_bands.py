"""TIFF of samples whose range the user states, by the extra `tiff`, and what pairs of files mean by their colours."""

from __future__ import annotations

import builtins
import io
import re
import struct
import sys
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageCms

import pixelgauge
from pixelgauge.engine.comparison import CompareOptions, prepare
from pixelgauge.engine.pipeline import score_pair
from pixelgauge.engine.rows import ScoreRow
from pixelgauge.images import ImageFileError, read_image, read_picture
from pixelgauge.images.profiles import profile_said
from tests.images.encoded import ORIENTED, chunk, pillow_bytes, pixels, stored

tifffile = pytest.importorskip("tifffile", reason="the extra `tiff` is not installed")

SAMPLES = ("float16", "float32", "float64", "int8", "int16", "int32", "uint32", "uint8", "uint16")


def samples(dtype: str, bands: int) -> np.ndarray:
    rng = np.random.default_rng([len(dtype), bands])
    shape = (19, 23) if bands == 1 else (19, 23, bands)
    if dtype.startswith("float"):
        return rng.normal(0, 50, shape).astype(dtype)
    about = np.iinfo(dtype)
    return rng.integers(about.min, about.max, shape, dtype, endpoint=True)


def tiff(image: np.ndarray, **options: Any) -> bytes:
    file = io.BytesIO()
    bands = image.shape[2] if image.ndim == 3 else 1
    known: dict[str, Any] = {"photometric": "rgb" if bands == 3 else "minisblack"}
    if bands > 1:
        known["planarconfig"] = "contig"
        known["extrasamples"] = [] if bands == 3 else ["unspecified"] * (bands - 1)
    known |= options
    image = np.moveaxis(image, -1, 0) if known.get("planarconfig") == "separate" else image
    tifffile.imwrite(file, image, metadata=None, **known)
    return file.getvalue()


@pytest.mark.oracle
@pytest.mark.parametrize("bands", [1, 2, 3, 5])
@pytest.mark.parametrize("dtype", SAMPLES)
def test_every_kind_of_samples(dtype: str, bands: int) -> None:
    image = samples(dtype, bands)
    layouts: list[dict[str, Any]] = [
        {},
        {"compression": "zlib"},
        {"tile": (16, 16)},
        {"rowsperstrip": 5},
        {"bigtiff": True},
    ]
    if bands in (2, 5):
        layouts.append({"planarconfig": "separate"})
    if not dtype.startswith("float"):
        layouts.append({"compression": "zlib", "predictor": True, "rowsperstrip": 7})
    for order in "<>":
        for layout in layouts:
            data = tiff(image, byteorder=order, **layout)
            found = read_image(data, any_samples=True)
            np.testing.assert_array_equal(found, image)
            assert found.dtype == {"int8": "f4", "int16": "f4", "int32": "f8", "uint32": "f8"}.get(dtype, dtype)
            if dtype in ("uint8", "uint16") and bands in (1, 3):
                np.testing.assert_array_equal(read_image(data), image)
            else:
                with pytest.raises(ImageFileError, match="state their range with --data-range"):
                    read_image(data)


@pytest.mark.oracle
@pytest.mark.parametrize("orientation", ORIENTED)
def test_orientation(orientation: int) -> None:
    image = samples("float32", 3)
    data = tiff(image, extratags=[(274, 3, 1, orientation, True)])
    np.testing.assert_array_equal(read_image(data, any_samples=True), ORIENTED[orientation](image), strict=True)


@pytest.mark.boundary
@pytest.mark.parametrize(
    ("data", "message"),
    [
        (tiff(samples("float32", 1), photometric="miniswhite"), "has 32-bit samples of which 0 is white"),
        (tiff(samples("float32", 4), photometric="rgb", extrasamples=["unassalpha"]), "has 32-bit samples with alpha"),
        (tiff(samples("float64", 1).astype("complex128")), "has complex 128-bit samples"),
        (tiff(samples("uint32", 1).astype("uint64")), "has 64-bit gray samples"),
        (tiff(samples("float32", 1), compression="lzma"), "by compression 34925, which is not read of such"),
        (tiff(samples("float32", 1))[:-900], "is truncated|the file is truncated"),
        (tiff(samples("float32", 5))[:8] + bytes(9000), "cannot be decoded"),
    ],
)
def test_what_is_not_read_all_the_same(data: bytes, message: str) -> None:
    with pytest.raises(ImageFileError, match=message):
        read_image(data, any_samples=True)


@pytest.mark.boundary
def test_several_pages() -> None:
    file = io.BytesIO()
    with tifffile.TiffWriter(file) as writer:
        for _ in range(3):
            writer.write(samples("float32", 1), contiguous=False)
    with pytest.raises(ImageFileError, match="holds 3 frames or pages"):
        read_image(file.getvalue(), any_samples=True)


@pytest.mark.boundary
def test_a_truncated_or_damaged_file_is_never_a_part() -> None:
    image = samples("float32", 3)
    for layout in ({}, {"compression": "zlib"}, {"compression": "zlib", "rowsperstrip": 4}):
        data = tiff(image, **layout)
        for cut in range(0, len(data), 97):
            with pytest.raises(ImageFileError):
                read_image(data[:cut], any_samples=True)
    data = tiff(image, compression="zlib")
    start = data.index(zlib.compress(b"", 6)[:2])
    for at in range(start + 10, len(data) - 200, 61):
        with pytest.raises(ImageFileError):
            read_image(data[:at] + bytes([data[at] ^ 16]) + data[at + 1 :], any_samples=True)


@pytest.mark.boundary
def test_too_many_bands(monkeypatch: pytest.MonkeyPatch) -> None:
    data = tiff(samples("uint8", 5))
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 19 * 23 * 3 // 4)
    with pytest.raises(ImageFileError, match="has 23 x 19 pixels of 5 samples, more than"):
        read_image(data, any_samples=True)


@pytest.mark.boundary
def test_without_the_extra_it_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    real, data = builtins.__import__, tiff(samples("float32", 1))

    def without(name: str, *arguments: Any, **named: Any) -> Any:
        if name == "tifffile":
            raise ImportError(name)
        return real(name, *arguments, **named)

    monkeypatch.delitem(sys.modules, "tifffile")
    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(ImageFileError, match=r"pip install 'pixelgauge\[tiff\]'"):
        read_image(data, any_samples=True)


@pytest.mark.boundary
def test_gray_of_bands() -> None:
    image = samples("float32", 3)
    found = read_image(tiff(image), any_samples=True, gray=True)
    np.testing.assert_allclose(found, image @ np.array([0.2989, 0.5870, 0.1140]), rtol=0, atol=0.02)  # 4 digits
    assert found.dtype == np.float32
    with pytest.raises(ImageFileError, match="has 5 bands, of which no gray is made"):
        read_image(tiff(samples("float32", 5)), any_samples=True, gray=True)
    with pytest.raises(TypeError, match="any_samples"):
        read_image(tiff(image), any_samples="yes")  # type: ignore[arg-type]


# ---- pairs -----------------------------------------------------------------------------------------------------------


def scored(folder: Path, ref: bytes, test: bytes, **options: Any) -> ScoreRow:
    comparison = prepare(CompareOptions(("psnr", "ssim"), **options))
    return score_pair(str(stored(folder, ref, "ref")), str(stored(folder, test, "test")), comparison)


@pytest.mark.oracle
@pytest.mark.parametrize("bands", [1, 2, 3, 5])
def test_pairs_are_scored_by_the_stated_range(tmp_path: Path, bands: int) -> None:
    x, y = (np.random.default_rng(seed).random(samples("float32", bands).shape, "f4") for seed in (1, 2))
    row = scored(tmp_path, tiff(x), tiff(y), data_range=1.0)
    assert (row.status, row.message) == ("ok", "")
    axis = None if bands == 1 else -1
    assert row.values["psnr"] == pixelgauge.psnr(x, y, data_range=1.0, channel_axis=axis)
    assert row.values["ssim"] == pixelgauge.ssim(x, y, data_range=1.0, channel_axis=axis)


@pytest.mark.boundary
def test_pairs_that_are_not_scored(tmp_path: Path) -> None:
    x = np.random.default_rng(1).random((19, 23), "f4")
    nan = np.where(x > 0.99, np.nan, x).astype("f4")
    for ref, test, options, status, message in (
        (tiff(x), tiff(x), {}, "unreadable", "REF: has floating-point 32-bit samples: convert .*--data-range"),
        (tiff(x), tiff(2 * x), {"data_range": 1.0}, "unscorable", r"has values up to 1\.\d+, beyond the data range of 1"),
        (tiff(x - 1), tiff(x), {"data_range": 1.0}, "unscorable", r"has values down to -0\.\d+, below the data range of 0"),
        (tiff(x), tiff(nan), {"data_range": 1.0}, "unscorable", "NaN or infinity"),
        (tiff(x), pillow_bytes(pixels(1), "PNG"), {"data_range": 255.0}, "mismatch", "REF 32-bit floating-point, TEST 8-bit"),
        (tiff(samples("uint8", 5)), tiff(samples("uint8", 2)), {"data_range": 255.0}, "mismatch", "REF 5 bands, TEST 2 bands"),
    ):  # fmt: skip
        row = scored(tmp_path, ref, test, **options)
        assert row.status == status
        assert re.search(message, row.message), row.message
        assert not row.values


def icc(name: str) -> bytes:
    """The sRGB profile under another name."""
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    if name == "sRGB":
        return profile
    text = name.encode("utf-16-be")
    tag = (
        b"mluc" + struct.pack(">IIIHHII", 0, 1, 12, int.from_bytes(b"en"), int.from_bytes(b"US"), len(text), 28) + text
    )
    count = int.from_bytes(profile[128:132])
    for k in range(count):
        at = 132 + 12 * k
        if profile[at : at + 4] == b"desc":
            profile = profile[: at + 4] + struct.pack(">II", len(profile), len(tag)) + profile[at + 12 :] + tag
    return struct.pack(">I", len(profile)) + profile[4:]


def with_gamma(gamma: int) -> bytes:
    data = pillow_bytes(pixels(3), "PNG")
    return data[:33] + chunk(b"gAMA", struct.pack(">I", gamma)) + data[33:]


P3 = icc("Display P3")


@pytest.mark.property
@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("PNG", {}),
        ("JPEG", {}),
        ("WEBP", {"lossless": True}),
        ("TIFF", {}),
        ("AVIF", {}),
        ("JPEG", {"progressive": True}),
    ],
)
def test_a_profile_is_read_of_every_format(kind: str, options: dict[str, Any]) -> None:
    for name, profile in (("ICC profile 'Display P3'", P3), ("", icc("sRGB")), ("", None)):
        extra = {} if profile is None else {"icc_profile": profile}
        assert read_picture(pillow_bytes(pixels(3), kind, **options, **extra)).colours == name


@pytest.mark.property
@pytest.mark.parametrize(
    ("ref", "test", "told"),
    [
        (pillow_bytes(pixels(3), "PNG"), pillow_bytes(pixels(3), "PNG", icc_profile=icc("sRGB")), ""),
        (pillow_bytes(pixels(3), "PNG", icc_profile=P3), pillow_bytes(pixels(3), "TIFF", icc_profile=P3), ""),
        (
            pillow_bytes(pixels(3), "PNG", icc_profile=P3),
            pillow_bytes(pixels(3), "PNG"),
            "REF ICC profile 'Display P3', TEST sRGB or nothing said",
        ),
        (with_gamma(45455), pillow_bytes(pixels(3), "PNG"), ""),
        (with_gamma(100000), with_gamma(55556), "REF gamma 1, TEST gamma 0.55556"),
    ],
)  # fmt: skip
def test_colours_that_differ_are_named_in_the_row_and_scored(
    tmp_path: Path, ref: bytes, test: bytes, told: str
) -> None:
    row = scored(tmp_path, ref, test)
    assert row.status == "ok"
    assert row.values["ssim"] == 1
    assert row.message == (f"colour profile differs and is not applied: {told}" if told else "")


@pytest.mark.boundary
def test_odd_profiles() -> None:
    assert profile_said(b"") == profile_said(icc("c2")) == ""
    assert profile_said(icc("Linear sRGB")) == "ICC profile 'Linear sRGB'"
    assert profile_said(icc("a\x1b[2J\n" + "b" * 99)) == "ICC profile 'a[2J" + "b" * 56 + "'"
    old = b"desc\0\0\0\0" + struct.pack(">I", 6) + b"Adobe\0"
    assert profile_said(bytes(128) + struct.pack(">I4sII", 1, b"desc", 144, len(old)) + old) == "ICC profile 'Adobe'"
    for broken in (b"x", P3[:130], P3[:200], bytes(500), bytes(128) + b"\xff" * 400):
        assert profile_said(broken).startswith("an ICC profile without a name (")
