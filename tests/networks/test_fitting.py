"""Resizing, cropping and scaling as the programs do that publish features: Pillow to the bit, PyTorch by its definition."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from PIL import Image

from pixelgauge.networks.fitting import Fitting, checked_fitting
from pixelgauge.presets import CLIP_MEAN, CLIP_STD, FEATURE_PRESETS, IMAGENET_MEAN, IMAGENET_STD
from tests.pictures import random_pixels

SIZES = (
    (224, 224),
    (256, 256),
    (225, 224),
    (224, 225),
    (97, 131),
    (333, 500),
    (500, 333),
    (1, 1),
    (3, 401),
    (257, 259),
)


def fitting(**given: Any) -> Fitting:
    usual = {"size": None, "crop": None, "interpolation": "bicubic", "antialias": True, "mean": 0, "std": 1}
    return checked_fitting(**(usual | given))


# ---- each preset's program, in its own steps over Pillow and float32 ------------------------------------------------


def shortest_edge(image: Image.Image, size: int) -> Image.Image:
    """torchvision's Resize(size) of a PIL image."""
    width, height = image.size
    if (width <= height and width == size) or (height <= width and height == size):
        return image
    if width < height:
        return image.resize((size, int(size * height / width)), Image.Resampling.BICUBIC)
    return image.resize((int(size * width / height), size), Image.Resampling.BICUBIC)


def center_crop(image: Image.Image, size: int) -> Image.Image:
    """torchvision's CenterCrop(size) of a PIL image that is large enough."""
    width, height = image.size
    top, left = round((height - size) / 2.0), round((width - size) / 2.0)
    return image.crop((left, top, left + size, top + size))


def largest_square(image: Image.Image) -> Image.Image:
    """What CMMD cuts before it resizes."""
    width, height = image.size
    edge = min(width, height)
    top, left = (height - edge) // 2, (width - edge) // 2
    return image.crop((left, top, left + edge, top + edge))


PROGRAMS: dict[str, tuple[Callable[[Image.Image], Image.Image], Any, Any]] = {
    "dinov2": (lambda x: x.resize((224, 224), Image.Resampling.BICUBIC), IMAGENET_MEAN, IMAGENET_STD),
    "dinov2-eval": (lambda x: center_crop(shortest_edge(x, 256), 224), IMAGENET_MEAN, IMAGENET_STD),
    "clip": (lambda x: center_crop(shortest_edge(x, 224), 224), CLIP_MEAN, CLIP_STD),
    "cmmd": (lambda x: largest_square(x).resize((336, 336), Image.Resampling.BICUBIC), CLIP_MEAN, CLIP_STD),
    "convnext": (lambda x: center_crop(shortest_edge(x, 256), 224), IMAGENET_MEAN, IMAGENET_STD),
}


def scaled(image: Image.Image, mean: Any, std: Any) -> np.ndarray:
    """torchvision's ToTensor and Normalize, each step rounded to float32, with the channels last."""
    x = np.asarray(image).astype(np.float32) / np.float32(255)
    x -= np.asarray(mean, np.float32)
    x /= np.asarray(std, np.float32)
    return x


@pytest.mark.parity
@pytest.mark.parametrize("preset", FEATURE_PRESETS)
@pytest.mark.parametrize("size", SIZES)
def test_presets_are_their_programs_to_the_bit(preset: str, size: tuple[int, int]) -> None:
    pixels = random_pixels((*size, 3))
    row = FEATURE_PRESETS[preset]
    fit = fitting(size=row.size, crop=row.crop, mean=row.mean, std=row.std)
    program, mean, std = PROGRAMS[preset]
    expected = program(Image.fromarray(pixels))
    levels = fit.levels(pixels, "images")
    np.testing.assert_array_equal(levels, np.asarray(expected))
    by_table = np.stack([fit.table[levels[..., c], c] for c in range(3)], -1)
    np.testing.assert_array_equal(by_table, scaled(expected, mean, std))


@pytest.mark.parity
def test_every_preset_has_its_program() -> None:
    assert PROGRAMS.keys() == FEATURE_PRESETS.keys()


@pytest.mark.parity
@pytest.mark.parametrize("interpolation", ["nearest", "bilinear", "bicubic", "box", "hamming", "lanczos"])
@pytest.mark.parametrize("size", [(97, 131), (40, 30), (64, 64)])
def test_filters_are_pillows(interpolation: str, size: tuple[int, int]) -> None:
    pixels = random_pixels((*size, 3))
    fit = fitting(size=(48, 64), interpolation=interpolation)
    resample = Image.Resampling[interpolation.upper()]
    expected = np.asarray(Image.fromarray(pixels).resize((64, 48), resample))
    np.testing.assert_array_equal(fit.levels(pixels, "images"), expected)
    # of floats the same in float32, clipped once, without the rounding of 8 bits
    planes = [Image.fromarray(pixels[..., c].astype(np.float32) / 255).resize((64, 48), resample) for c in range(3)]
    units = fit.units(pixels.astype(np.float64), 0, 255, "images")
    np.testing.assert_allclose(units, np.stack(planes, -1).clip(0, 1), rtol=0, atol=1e-6)
    if interpolation not in ("bicubic", "lanczos"):  # which overshoot, and 8 bits are clipped after each axis
        assert np.abs(units * 255 - expected).max() < 1.01  # half a level an axis


@pytest.mark.property
def test_views_are_read_as_they_are() -> None:
    pixels = random_pixels((3, 90, 70)).transpose(1, 2, 0)[::2, ::-1]
    for fit in (fitting(size=(20, 30)), fitting(size=20, crop=20), fitting(crop="square"), fitting()):
        plain = np.ascontiguousarray(pixels)
        np.testing.assert_array_equal(fit.levels(pixels, "x"), fit.levels(plain, "x"))
        np.testing.assert_array_equal(fit.units(pixels, 0, 255, "x"), fit.units(plain, 0, 255, "x"))


# ---- without antialias ----------------------------------------------------------------------------------------------


def by_definition(x: np.ndarray, height: int, width: int, cubic: bool) -> np.ndarray:
    """interpolate(align_corners=False) of PyTorch, place by place in float64."""

    def weights(count: int, length: int) -> np.ndarray:
        matrix = np.zeros((count, length))
        for i in range(count):
            place = (i + 0.5) * length / count - 0.5
            place = place if cubic else max(place, 0.0)
            first = int(np.floor(place))
            for tap in range(first - 1, first + 3) if cubic else (first, first + 1):
                d = abs(place - tap)
                if not cubic:
                    weight = 1 - d
                elif d <= 1:
                    weight = 1.25 * d**3 - 2.25 * d**2 + 1
                else:
                    weight = -0.75 * (d**3 - 5 * d**2 + 8 * d - 4)
                matrix[i, min(max(tap, 0), length - 1)] += weight
        return matrix

    return np.einsum("ih,hwc,jw->ijc", weights(height, x.shape[0]), x, weights(width, x.shape[1]))


@pytest.mark.oracle
@pytest.mark.parametrize("interpolation", ["bilinear", "bicubic"])
@pytest.mark.parametrize("size", [(97, 131), (24, 30), (48, 20), (1, 3)])
def test_without_antialias_it_is_pytorchs_definition(interpolation: str, size: tuple[int, int]) -> None:
    pixels = random_pixels((*size, 3))
    units = fitting(size=(48, 40), interpolation=interpolation, antialias=False).units(pixels, 0, 255, "images")
    expected = by_definition(pixels / 255, 48, 40, interpolation == "bicubic")
    np.testing.assert_allclose(units, expected, rtol=0, atol=1e-6)  # rounded to float32 once an axis


@pytest.mark.oracle
def test_the_coefficients_of_pytorchs_cubic() -> None:
    """A row 0 1 0 0 to eight: the kernel of -0.75 at odd eighths of the distance, edges repeated."""
    row = np.zeros((1, 4, 3))
    row[:, 1] = 1
    found = fitting(size=(1, 8), antialias=False).units(row, 0, 1, "x")[0, :, 0]
    near, beside, outer, outermost = 0.87890625, 0.26171875, -0.10546875, -0.03515625
    np.testing.assert_allclose(found, [outer, beside, near, near, beside, outer, outermost, 0], atol=1e-7)


# ---- properties -----------------------------------------------------------------------------------------------------


@pytest.mark.property
@pytest.mark.parametrize(("height", "width"), [(224, 227), (224, 229), (31, 40), (40, 31)])
def test_crops_are_centred_half_to_even(height: int, width: int) -> None:
    pixels = np.arange(height * width * 3, dtype=np.int64).reshape(height, width, 3).astype(np.uint8)
    side = min(height, width)
    expected = center_crop(Image.fromarray(pixels), side)
    np.testing.assert_array_equal(fitting(crop=side).levels(pixels, "x"), np.asarray(expected))


@pytest.mark.property
def test_the_size_that_comes_out_is_known_before() -> None:
    for given, made in (
        ({}, None),
        ({"size": 20}, None),
        ({"crop": "square"}, None),
        ({"size": 20, "crop": "square"}, (20, 20)),
        ({"size": (20, 30)}, (20, 30)),
        ({"size": 20, "crop": (16, 18)}, (16, 18)),
        ({"crop": 16}, (16, 16)),
    ):
        fit = fitting(**given)
        assert fit.fitted_size() == made
        if made is not None:
            for size in ((40, 61), (61, 40), (40, 40)):
                pixels = random_pixels((*size, 3))
                assert fit.levels(pixels, "x").shape == (*made, 3)
                assert fit.units(pixels, 0, 255, "x").shape == (*made, 3)


@pytest.mark.boundary
@pytest.mark.parametrize("shape", [(1, 60000, 3), (60000, 1, 3)])
def test_a_strip_is_not_blown_up_to_any_size(shape: tuple[int, int, int]) -> None:
    fit = fitting(size=256, crop=224)
    for resize in (fit.levels, lambda pixels, name: fit.units(pixels, 0, 255, name)):
        with pytest.raises(ValueError, match=r"strip.png is .*longer edge would become 15360000 pixels"):
            resize(np.zeros(shape, np.uint8), "strip.png")
    assert fit.levels(np.zeros((3, 3000, 3), np.uint8), "x").shape == (224, 224, 3)
