"""JPEG by the extra `fast`: Pillow's pixels and Pillow's errors, or it is not used."""

from __future__ import annotations

import builtins
import io
import random
import sys
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
from PIL import Image

from pixelgauge.engine.comparison import CompareOptions, prepare
from pixelgauge.images import ImageFileError, fast_jpeg, jpeg, read_image
from tests.fuzz.mutations import blind
from tests.images.encoded import pillow_bytes
from tests.images.jpeg_check import FOLDER, samples
from tests.images.test_jpeg import picture

simplejpeg = pytest.importorskip("simplejpeg", reason="the extra `fast` is not installed")


@pytest.fixture(autouse=True)
def fresh() -> Iterator[None]:
    fast_jpeg._decoder.cache_clear()
    yield
    fast_jpeg._decoder.cache_clear()


@pytest.fixture
def taken(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """Whether each JPEG that was read was decoded fast."""
    found = []

    def recorded(*arguments: Any) -> Any:
        pixels = fast_jpeg.decoded_fast(*arguments)
        found.append(pixels is not None)
        return pixels

    monkeypatch.setattr(jpeg, "decoded_fast", recorded)
    return found


def by_pillow(data: bytes) -> np.ndarray:
    with Image.open(io.BytesIO(data)) as image:
        return np.asarray(image)


def result(data: bytes) -> np.ndarray | str:
    """Pixels, or the error's message."""
    try:
        return read_image(data)
    except ImageFileError as error:
        return str(error)


def written(rng: random.Random) -> bytes:
    """A JPEG of any size and kind that Pillow or simplejpeg writes."""
    channels = rng.choice([1, 3, 3])
    pixels = picture(rng.randint(1, 90), rng.randint(1, 200), channels)
    if channels == 3 and rng.random() < 0.2:
        sampling = rng.choice(["444", "422", "420", "440", "411"])
        encoded: bytes = simplejpeg.encode_jpeg(pixels, rng.randint(1, 100), colorsubsampling=sampling, fastdct=False)
        return encoded
    options: dict[str, Any] = {
        "quality": rng.randint(1, 100),
        "progressive": rng.random() < 0.3,
        "optimize": rng.random() < 0.3,
    }
    if rng.random() < 0.4:
        options["restart_marker_blocks"] = rng.randint(1, 9)
    if channels == 3:
        options["subsampling"] = rng.choice([0, 1, 2])
        if rng.random() < 0.1:
            options |= {"keep_rgb": True, "subsampling": 0}
    return pillow_bytes(pixels, "JPEG", **options)


@pytest.mark.parity
def test_pixels_are_pillows(taken: list[bool]) -> None:
    rng = random.Random(20)
    for _ in range(300):
        data = written(rng)
        np.testing.assert_array_equal(read_image(data), by_pillow(data), strict=True)
    assert sum(taken) > 250


@pytest.mark.property
def test_what_is_damaged_has_the_same_result_without_it(monkeypatch: pytest.MonkeyPatch, taken: list[bool]) -> None:
    rng = random.Random(21)
    seeds = [written(rng) for _ in range(40)]
    damaged = []
    for _ in range(600):
        data = bytearray(rng.choice(seeds))
        data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
        damaged += [bytes(data), blind(bytes(data), rng, seeds), bytes(data[: rng.randrange(len(data))])]
    fast = [result(data) for data in damaged]
    assert 100 < sum(taken) < len(damaged) - 100
    monkeypatch.setattr(jpeg, "decoded_fast", lambda *arguments: None)
    for data, found in zip(damaged, fast, strict=True):
        np.testing.assert_array_equal(found, result(data), strict=True)


@pytest.mark.parity
def test_the_files_of_the_trial_are_of_every_kind() -> None:
    kinds = {name: jpeg_kind(data) for name, data in samples()}
    assert kinds == {file.stem: jpeg_kind(file.read_bytes()) for file in FOLDER.iterdir()}
    assert {sampling for _, sampling, _ in kinds.values()} == jpeg._FAST_SAMPLING
    assert sum(file.stat().st_size for file in FOLDER.iterdir()) < 40_000
    for file in FOLDER.iterdir():
        np.testing.assert_array_equal(read_image(file), by_pillow(file.read_bytes()))


def jpeg_kind(data: bytes) -> tuple[bool, tuple[tuple[int, int], ...], bool]:
    """Whether it is progressive, its sampling, and whether it has restarts."""
    at = max(data.find(b"\xff\xc0\0"), data.find(b"\xff\xc2\0"))
    sampling = tuple((data[at + 11 + 3 * k] >> 4, data[at + 11 + 3 * k] & 15) for k in range(data[at + 9]))
    return data[at + 1] == 0xC2, sampling, b"\xff\xdd\0\4" in data


@pytest.mark.parity
@pytest.mark.parametrize("kind", ["CMYK", "411", "no end"])
def test_the_unusual_is_pillows(taken: list[bool], kind: str) -> None:
    if kind == "CMYK":
        with pytest.raises(ImageFileError, match="CMYK"):
            read_image(pillow_bytes(Image.new("CMYK", (40, 30)), "JPEG"))
    elif kind == "411":
        data = simplejpeg.encode_jpeg(picture(40, 50), colorsubsampling="411")
        np.testing.assert_array_equal(read_image(data), by_pillow(data))
    else:
        with pytest.raises(ImageFileError, match="truncated"):
            read_image(pillow_bytes(picture(40, 50), "JPEG")[:-2])
    assert not any(taken)


@pytest.mark.parity
@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientation(taken: list[bool], orientation: int) -> None:
    exif = Image.Exif()
    exif[274] = orientation
    data = pillow_bytes(picture(30, 47), "JPEG", exif=exif)
    from PIL import ImageOps

    with Image.open(io.BytesIO(data)) as image:
        expected = np.asarray(ImageOps.exif_transpose(image))
    found = read_image(data)
    np.testing.assert_array_equal(found, expected, strict=True)
    assert found.flags.c_contiguous
    assert taken == [True]


# ---- when it is not used ------------------------------------------------------------------------------------------


def one_off(data: bytes, colours: str, real: Callable[..., np.ndarray]) -> np.ndarray:
    pixels = real(data, colours, strict=True).copy()
    pixels[-1, -1, -1] ^= 1
    return pixels


def lenient(data: bytes, colours: str, real: Callable[..., np.ndarray]) -> np.ndarray:
    return real(data, colours, strict=False)


def failing(data: bytes, colours: str, real: Callable[..., np.ndarray]) -> np.ndarray:
    raise TypeError("decode_jpeg() got an unexpected keyword argument 'strict'")


@pytest.mark.boundary
@pytest.mark.parametrize(
    ("other", "message"),
    [
        (
            one_off,
            r"simplejpeg decodes 420-coarse\.jpg of its trial otherwise than Pillow; Pillow decodes JPEG instead",
        ),
        (lenient, "does not tell that .* of its trial is cut short"),
        (failing, "fails on TypeError: .*'strict'"),
    ],
)
def test_another_decoder_is_told_of_once_and_not_used(
    monkeypatch: pytest.MonkeyPatch, taken: list[bool], other: Callable[..., np.ndarray], message: str
) -> None:
    real = simplejpeg.decode_jpeg
    monkeypatch.setattr(simplejpeg, "decode_jpeg", lambda data, colours, **options: other(data, colours, real))
    data = pillow_bytes(picture(50, 60), "JPEG")
    with ThreadPoolExecutor(4) as pool, pytest.warns(RuntimeWarning, match=message) as told:
        found = list(pool.map(read_image, [data] * 20))
    assert len(told) == 1
    np.testing.assert_array_equal(found, [by_pillow(data)] * 20)
    assert taken == [False] * 20
    assert fast_jpeg.jpeg_decoder().startswith("Pillow ")


@pytest.mark.boundary
def test_without_it_pillow_decodes_in_silence(monkeypatch: pytest.MonkeyPatch, taken: list[bool]) -> None:
    real = builtins.__import__

    def without(name: str, *arguments: Any, **named: Any) -> Any:
        if name == "simplejpeg":
            raise ImportError(name)
        return real(name, *arguments, **named)

    monkeypatch.delitem(sys.modules, "simplejpeg")
    monkeypatch.setattr(builtins, "__import__", without)
    data = pillow_bytes(picture(50, 60), "JPEG")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        np.testing.assert_array_equal(read_image(data), by_pillow(data))
    assert taken == [False]
    assert fast_jpeg.jpeg_decoder().startswith("Pillow ")


@pytest.mark.property
def test_the_fingerprint_names_it() -> None:
    made = prepare(CompareOptions(("psnr",))).fingerprint()
    assert made["decoders"] == {"jpeg": f"simplejpeg {simplejpeg.__version__}", "others": f"Pillow {Image.__version__}"}
