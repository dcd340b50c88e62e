"""PIL images in memory: every mode, orientation, palette and state of loading is what its file is, or says what to write."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import hypothesis.extra.numpy as hnp
import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given
from PIL import Image, ImageOps

import pixelgauge
from pixelgauge.images import as_array, read_image
from tests.images.encoded import HEIGHT, ORIENTED, WIDTH, pillow_bytes, pixels, png_bytes, tiff_bytes
from tests.perceptual.weights import random_weights


def picture(mode: str, seed: int = 0) -> Image.Image:
    """An image of a mode with every value of its samples likely."""
    rng = np.random.default_rng(seed)
    samples = {"1": 1, "L": 1, "P": 1, "LA": 2, "La": 2, "PA": 2, "RGB": 3, "HSV": 3, "LAB": 3, "YCbCr": 3}.get(mode, 4)
    if mode.startswith("I;16"):
        return Image.frombytes(mode, (WIDTH, HEIGHT), rng.bytes(2 * WIDTH * HEIGHT))
    if mode in ("I", "F"):
        return Image.fromarray(rng.integers(0, 256, (HEIGHT, WIDTH)).astype(np.int32 if mode == "I" else np.float32))
    if mode == "1":
        return Image.fromarray(rng.integers(0, 2, (HEIGHT, WIDTH)).astype(bool))
    image = Image.frombytes(mode, (WIDTH, HEIGHT), rng.bytes(samples * WIDTH * HEIGHT))
    if mode in ("P", "PA"):
        image.putpalette(rng.bytes(768))
    return image


def with_alpha(image: Image.Image, alpha: int) -> Image.Image:
    bands = image.tobytes()
    samples = len(bands) // (image.width * image.height)
    changed = np.frombuffer(bands, np.uint8).reshape(image.height, image.width, samples).copy()
    changed[..., -1] = alpha
    made = Image.frombytes(image.mode, image.size, changed.tobytes())
    if image.mode == "PA":
        made.putpalette(image.palette.getdata()[1])
    return made


def plain(image: Image.Image) -> np.ndarray:
    return np.asarray(image)


# What each mode of Pillow is read as: a function of the image, or the error and what it says.
MODES = {
    "1": lambda image: plain(image).astype(np.uint8) * 255,
    "L": plain,
    "P": lambda image: plain(image.convert("RGB")),
    "RGB": plain,
    "RGBX": lambda image: plain(image)[..., :3],
    "I;16": lambda image: plain(image).astype(np.uint16),
    "I;16L": lambda image: plain(image).astype(np.uint16),
    "I;16B": lambda image: plain(image).astype(np.uint16),
    "I;16N": lambda image: plain(image).astype(np.uint16),
    "LA": (
        ValueError,
        r'transparent pixels: numpy.asarray\(x.convert\("RGB"\)\) drops.*alpha_composite\(background, x',
    ),
    "PA": (ValueError, "transparent pixels"),
    "RGBA": (ValueError, "transparent pixels"),
    "La": (TypeError, r'mode La: pass x.convert\("LA"\)'),
    "RGBa": (TypeError, r'mode RGBa: pass x.convert\("RGBA"\)'),
    "CMYK": (TypeError, r'mode CMYK: pass x.convert\("RGB"\)'),
    "YCbCr": (TypeError, r'mode YCbCr: pass x.convert\("RGB"\)'),
    "HSV": (TypeError, r'mode HSV: pass x.convert\("RGB"\)'),
    "LAB": (TypeError, r'mode LAB: pass x.convert\("RGB"\)'),
    "F": (TypeError, r"mode F: pass numpy.asarray\(x\), with its data_range"),
    "I": (TypeError, r"mode I: pass numpy.asarray\(x\).astype\(numpy.uint16\) if"),
}


@pytest.mark.property
def test_the_table_has_every_mode() -> None:
    assert set(Image.MODES) <= set(MODES)


@pytest.mark.oracle
@pytest.mark.parametrize("mode", MODES)
def test_every_mode_is_right_or_refused_by_name(mode: str) -> None:
    if mode not in Image.MODES:
        pytest.skip(f"this Pillow has no mode {mode}")
    image, expected = picture(mode), MODES[mode]
    if isinstance(expected, tuple):
        for call in (lambda: as_array(image, "x"), lambda: pixelgauge.mse(image, image)):
            with pytest.raises(expected[0], match=expected[1]):
                call()
        return
    got = as_array(image, "x")
    assert got.dtype == (np.uint16 if mode.startswith("I;16") else np.uint8)
    np.testing.assert_array_equal(got, expected(image))
    other = picture(mode, seed=1)
    for metric in (pixelgauge.mse, pixelgauge.psnr, pixelgauge.ssim):
        assert metric(image, other) == metric(expected(image), expected(other))
        assert metric(image, expected(other)) == metric(expected(image), expected(other))  # beside an array


@pytest.mark.oracle
@pytest.mark.parametrize("mode", ["LA", "PA", "RGBA"])
def test_opaque_alpha_is_dropped(mode: str) -> None:
    image = with_alpha(picture(mode), 255)
    expected = plain(image)[..., 0] if mode == "LA" else plain(image.convert("RGB"))
    np.testing.assert_array_equal(as_array(image, "x"), expected)


@pytest.mark.property
@pytest.mark.parametrize("mode", ["1", "L", "P", "RGB", "I;16", "LA", "RGBA", "CMYK", "F", "I", "YCbCr", "PA"])
@pytest.mark.parametrize("kind", ["PNG", "TIFF", "BMP", "WEBP", "JPEG"])
def test_an_opened_image_is_what_its_file_is(tmp_path: Path, mode: str, kind: str) -> None:
    try:
        data = pillow_bytes(picture(mode), kind)
    except OSError:
        return  # the format has no such mode
    path = tmp_path / "image"
    path.write_bytes(data)
    with Image.open(path) as image:
        try:
            expected = read_image(path)
        except ValueError:
            with pytest.raises((TypeError, ValueError), match=r"^x is a PIL image"):
                as_array(image, "x")
            return
        np.testing.assert_array_equal(as_array(image, "x"), expected)
        np.testing.assert_array_equal(as_array(image, "x"), expected)  # once loaded
        if image.mode != "I":  # of older Pillow, for 16 bits: a copy does not tell that it is no signed image
            np.testing.assert_array_equal(as_array(image.copy(), "x"), expected)


@pytest.mark.property
@pytest.mark.parametrize("orientation", ORIENTED)
@pytest.mark.parametrize("kind", ["PNG", "TIFF", "TIFF-LZW", "WEBP", "JPEG"])
def test_exif_orientation_is_applied(orientation: int, kind: str) -> None:
    exif = Image.Exif()
    exif[274] = orientation
    options = {"lossless": True} if kind == "WEBP" else {"compression": "tiff_lzw"} if kind == "TIFF-LZW" else {}
    data = pillow_bytes(pixels(3), kind.partition("-")[0], exif=exif, **options)
    expected = read_image(data)
    np.testing.assert_array_equal(as_array(Image.open(io.BytesIO(data)), "x"), expected)
    turned = ImageOps.exif_transpose(Image.open(io.BytesIO(data)))
    np.testing.assert_array_equal(as_array(turned, "x"), expected)


@pytest.mark.oracle
def test_palettes_become_colours_whose_distance_is_scored() -> None:
    x, y = picture("P"), picture("P", seed=1)
    assert pixelgauge.ssim(x, y) == pixelgauge.ssim(plain(x.convert("RGB")), plain(y.convert("RGB")))
    assert pixelgauge.ssim(x, y) != pixelgauge.ssim(plain(x), plain(y))


@pytest.mark.boundary
@pytest.mark.parametrize(
    "made",
    [
        lambda: png_bytes(pixels(1), transparent=[int(pixels(1)[3, 4])]),
        lambda: png_bytes(pixels(1) >> 4, bits=4, transparent=[int(pixels(1)[3, 4] >> 4)]),
        lambda: png_bytes(pixels(1) >> 6, bits=2, transparent=[int(pixels(1)[3, 4] >> 6)]),
        lambda: png_bytes(pixels(1) >> 7, bits=1, transparent=[1]),
        lambda: png_bytes(pixels(3), transparent=pixels(3)[3, 4].tolist()),
        lambda: png_bytes(pixels(1, np.uint16), transparent=[int(pixels(1, np.uint16)[3, 4])]),
        lambda: pillow_bytes(picture("P"), "PNG", transparency=int(plain(picture("P"))[0, 0])),
        lambda: pillow_bytes(picture("RGBA"), "TIFF"),
    ],
    ids=["gray", "4 bits", "2 bits", "1 bit", "colour", "16 bits", "palette", "alpha"],
)
def test_transparent_pixels_are_refused_before_and_after_loading(made: Callable[..., Any]) -> None:
    data = made()
    read_image(data, alpha="drop")
    with pytest.raises(ValueError, match="transparent pixels"):
        read_image(data)
    image = Image.open(io.BytesIO(data))
    for _ in range(2):
        with pytest.raises(ValueError, match=r"x is a PIL image with transparent pixels: numpy.asarray"):
            as_array(image, "x")
    remedy = image if image.mode.startswith("I") else image.convert("RGB")
    gray = remedy if image.mode.startswith("I") else image.convert("L")
    np.testing.assert_array_equal(
        np.asarray(remedy if read_image(data, alpha="drop").ndim == 3 else gray), read_image(data, alpha="drop")
    )


@pytest.mark.boundary
def test_a_palette_with_alpha_is_refused() -> None:
    image = picture("P")
    image.putpalette(np.random.default_rng(0).bytes(1024), "RGBA")
    with pytest.raises(ValueError, match="transparent pixels"):
        as_array(image, "x")
    opaque = np.random.default_rng(0).integers(0, 256, (256, 4), np.uint8)
    opaque[:, 3] = 255
    image.putpalette(opaque.tobytes(), "RGBA")
    np.testing.assert_array_equal(as_array(image, "x"), opaque[plain(image), :3])


@pytest.mark.boundary
@pytest.mark.parametrize("kind", ["PNG", "TIFF", "WEBP", "GIF"])
def test_several_frames_are_refused(kind: str) -> None:
    frames = [Image.fromarray(pixels(3, seed=seed)) for seed in range(3)]
    image = Image.open(io.BytesIO(pillow_bytes(frames[0], kind, save_all=True, append_images=frames[1:])))
    image.seek(1)
    with pytest.raises(ValueError, match=r"x is a PIL image that has 3 frames or pages: seek .* pass x\.copy\(\)"):
        as_array(image, "x")
    assert image.tell() == 1
    np.testing.assert_array_equal(as_array(image.copy(), "x"), plain(image.convert("RGB")))


@pytest.mark.boundary
@pytest.mark.parametrize("kind", ["PNG", "JPEG", "TIFF", "BMP", "WEBP", "GIF"])
def test_truncated_and_closed_images_are_one_error(kind: str) -> None:
    data = pillow_bytes(pixels(3), kind)
    message = "^x is a PIL image whose pixels cannot be loaded .*: its file may be truncated, damaged or closed$"
    try:
        cut = Image.open(io.BytesIO(data[: len(data) * 2 // 3]))
    except OSError:  # this format looks ahead
        pass
    else:
        for _ in range(2):
            with pytest.raises(ValueError, match=message):
                as_array(cut, "x")
    closed = Image.open(io.BytesIO(data))
    closed.close()
    with pytest.raises(ValueError, match=message):
        pixelgauge.mse(closed, closed)
    with Image.open(io.BytesIO(data)) as left:
        pass
    if kind in ("WEBP", "GIF"):  # whose decoders keep the data
        np.testing.assert_array_equal(
            as_array(left, "x"), read_image(data) if kind == "WEBP" else plain(left.convert("RGB"))
        )
    else:
        with pytest.raises(ValueError, match=message):
            as_array(left, "x")


@pytest.mark.boundary
def test_what_pillow_cannot_hold_is_sent_to_the_file() -> None:
    for data in (png_bytes(pixels(3, np.uint16)), tiff_bytes(pixels(3, np.uint16))):
        with pytest.raises(
            ValueError, match=r"16-bit colour, which Pillow reads as 8 bits: pass .*read_image of the file"
        ):
            as_array(Image.open(io.BytesIO(data)), "x")


@pytest.mark.boundary
def test_axes_of_images() -> None:
    colour, gray = picture("RGB"), picture("L")
    first = np.moveaxis(plain(colour), -1, 0)
    assert pixelgauge.ssim(colour, first, channel_axis=0) == 1.0  # a PIL image knows its own
    assert pixelgauge.ssim(colour, colour, full=True)[1].shape == (9, 13, 3)
    assert pixelgauge.ssim(gray, gray, channel_axis=None) == 1.0
    with pytest.raises(ValueError, match=r'x is a PIL image in colour: .* pass x.convert\("L"\)'):
        pixelgauge.ssim(colour, colour, channel_axis=None)
    with pytest.raises(ValueError, match=r"x and y differ in shape: \(19, 23, 3\) and \(19, 23\)"):
        pixelgauge.mse(colour, gray)
    with pytest.raises(ValueError, match="x is empty"):
        pixelgauge.mse(Image.new("L", (0, 5)), Image.new("L", (0, 5)))


@pytest.mark.property
@given(
    st.sampled_from([("L", np.uint8, ()), ("RGB", np.uint8, (3,)), ("I;16", np.uint16, ())]).flatmap(
        lambda kind: st.tuples(
            st.just(kind[0]),
            hnp.arrays(kind[1], hnp.array_shapes(min_dims=2, max_dims=2, max_side=20).map(lambda s: s + kind[2])),
        )
    )
)
def test_arrays_made_images_are_the_arrays(case: Any) -> None:
    mode, array = case
    image = Image.fromarray(array)
    assert image.mode == mode
    np.testing.assert_array_equal(as_array(image, "x"), array)
    assert pixelgauge.mse(image, array) == 0.0
    data = pillow_bytes(image, "PNG")
    np.testing.assert_array_equal(read_image(data), array)
    np.testing.assert_array_equal(as_array(Image.open(io.BytesIO(data)), "x"), array)


# ---- networks ------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def alex(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    pytest.importorskip("onnxruntime", reason="onnxruntime, the cpu extra, is not installed")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PIXELGAUGE_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield pixelgauge.LPIPS("alex", weights=random_weights("alex", tmp_path_factory.mktemp("weights")))


@pytest.mark.property
def test_lpips_reads_images_as_it_reads_their_files(alex: Any, tmp_path: Path) -> None:
    names = []
    for i, (mode, size) in enumerate([("RGB", (40, 36)), ("L", (50, 33)), ("P", (40, 36))]):
        for seed in (0, 1):
            image = picture(mode, seed).resize(size, Image.Resampling.NEAREST)
            names.append(tmp_path / f"{i}-{seed}.png")
            image.save(names[-1])
    x, y = names[::2], names[1::2]
    expected = alex(x, y)
    images = [[Image.open(name) for name in side] for side in (x, y)]
    np.testing.assert_array_equal(alex(*images), expected)
    np.testing.assert_array_equal(alex(x, images[1]), expected)  # files beside images
    assert alex(images[0][0], images[1][0]) == expected[0]
    assert alex(images[0][0], plain(images[1][0])) == expected[0]  # an array beside an image
    assert alex(images[0][0], plain(images[1][0]), data_range=255) == expected[0]


@pytest.mark.boundary
@pytest.mark.parametrize(
    ("make", "options", "error", "match"),
    [
        (
            lambda good: (good, good),
            {"data_range": 255},
            ValueError,
            "data_range=255 is for arrays: files and PIL images",
        ),
        (
            lambda good: ([good, good], [good, picture("RGBA").resize((40, 40))]),
            {},
            ValueError,
            r"y\[1\] is a PIL image with transparent pixels",
        ),
        (
            lambda good: (good, picture("I;16").resize((40, 40))),
            {},
            ValueError,
            "y has more than 8 bits a channel",
        ),
        (
            lambda good: (picture("RGB"), picture("RGB")),
            {},
            ValueError,
            r"x is 19 x 23 .*alex needs at least 31 x 31",
        ),
        (lambda good: ("a.png", plain(good)), {}, TypeError, "x and y must both be files or both be arrays"),
        (lambda good: (b"a.png", b"a.png"), {}, TypeError, r"x\S* is .*read_image\("),
        (lambda good: ([b"a.png"], [b"a.png"]), {}, TypeError, r"x\S* is .*read_image\("),
        (lambda good: (io.BytesIO(b"a.png"),) * 2, {}, TypeError, r"x\S* is .*read_image\("),
    ],
)
def test_lpips_refuses_what_it_refuses_of_files(
    alex: Any, make: Callable[..., Any], options: dict[str, int], error: type[Exception], match: str
) -> None:
    x, y = make(picture("RGB").resize((40, 40)))
    with pytest.raises(error, match=match):
        alex(x, y, **options)


@pytest.mark.boundary
@pytest.mark.parametrize("weights", [b"alex.pth", bytearray(b"alex.pth"), [b"alex.pth", b"heads.pth"], 3])
def test_weights_are_paths(weights: Any) -> None:
    pytest.importorskip("onnxruntime", reason="onnxruntime, the cpu extra, is not installed")
    with pytest.raises(TypeError, match=r"weights=.*must be (a path|the path)"):
        pixelgauge.LPIPS("alex", weights=weights)
    with pytest.raises(TypeError, match=r"weights=.*must be (a path|the path)"):
        pixelgauge.InceptionFeatures(weights=weights)
