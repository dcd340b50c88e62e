"""The resize kernels against float64 NumPy definitions and Pillow: within a thousandth of a level at any size."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from PIL import Image

import pixelgauge
from pixelgauge import _core
from tests.pictures import random_pixels

RULES = ("half_pixel", "tensorflow1", "antialias", "bicubic")
SIZES = [
    (299, 299),
    (96, 128),
    (400, 520),
    (1, 1),
    (2, 1),
    (1, 7),
    (3, 2),
    (31, 1000),
    (1500, 37),
    (298, 300),
    (2100, 1700),
]
LEVEL = 1e-3  # of 0..255; float32 weights and sums of up to 60 taps stay below 2e-4


def matrix(rule: str, n_in: int, n_out: int) -> np.ndarray:
    """(n_out, n_in) weights of one axis, in float64."""
    weights = np.zeros((n_out, n_in))
    scale = n_in / n_out
    for i in range(n_out):
        if rule in ("half_pixel", "tensorflow1"):
            at = max((i + 0.5) * scale - 0.5, 0) if rule == "half_pixel" else i * scale
            low = min(int(at), n_in - 1)
            weights[i, low] += 1 - (at - low)
            weights[i, min(low + 1, n_in - 1)] += at - low
        else:
            stretch = max(scale, 1.0)
            support = (1 if rule == "antialias" else 2) * stretch
            centre = (i + 0.5) * scale
            for k in range(max(int(centre - support + 0.5), 0), min(int(centre + support + 0.5), n_in)):
                x = abs((k + 0.5 - centre) / stretch)
                if rule == "antialias":
                    weights[i, k] = max(0.0, 1 - x)
                elif x < 1:
                    weights[i, k] = 1.5 * x**3 - 2.5 * x**2 + 1
                elif x < 2:
                    weights[i, k] = -0.5 * x**3 + 2.5 * x**2 - 4 * x + 2
            weights[i] /= weights[i].sum()
    return weights


def resized(
    images: np.ndarray,
    rule: str,
    height: int = 299,
    width: int = 299,
    scale: float = 1.0,
    offset: float = 0.0,
    low: float = -math.inf,
    high: float = math.inf,
) -> np.ndarray:
    return _core.resize(images, getattr(_core.ResizeRule, rule), height, width, scale, offset, low, high)


@pytest.mark.oracle
@pytest.mark.parametrize("rule", RULES)
def test_float64_definition(rule: str, each_isa: str) -> None:
    for height, width in SIZES:
        image = random_pixels((1, height, width, 3), 1)
        expected = np.einsum("yr,rwc->cyw", matrix(rule, height, 299), image[0].astype(float), optimize=True)
        expected = expected @ matrix(rule, width, 299).T
        np.testing.assert_allclose(resized(image, rule)[0], expected, rtol=0, atol=LEVEL, err_msg=f"{height}x{width}")


@pytest.mark.parity
@pytest.mark.parametrize(
    ("rule", "filter_"), [("antialias", Image.Resampling.BILINEAR), ("bicubic", Image.Resampling.BICUBIC)]
)
def test_pillow_in_float32(rule: str, filter_: Any) -> None:
    for height, width in SIZES:
        image = random_pixels((1, height, width, 3), 1)
        planes = [Image.fromarray(image[0, ..., c].astype(np.float32)) for c in range(3)]
        expected = np.stack([np.asarray(plane.resize((299, 299), filter_)) for plane in planes])
        np.testing.assert_allclose(resized(image, rule)[0], expected, rtol=0, atol=LEVEL, err_msg=f"{height}x{width}")


@pytest.mark.oracle
@pytest.mark.parametrize(("height", "width"), [(1, 1), (3, 2), (4, 5), (17, 301)])
def test_other_output_sizes(height: int, width: int) -> None:
    for wide in (21, 299, 700):  # denser than the output, as dense, and up to far beyond it
        image = random_pixels((2, 13, wide, 3), 1)
        for rule in RULES:
            across = matrix(rule, wide, width)
            down = matrix(rule, 13, height)
            expected = np.einsum("yr,nrwc,xw->ncyx", down, image.astype(float), across, optimize=True)
            np.testing.assert_allclose(resized(image, rule, height, width), expected, rtol=0, atol=LEVEL)


@pytest.mark.property
@pytest.mark.parametrize("rule", RULES)
def test_same_size_is_exact_and_scale_and_clamp_apply(rule: str) -> None:
    image = random_pixels((1, 37, 50, 3), 1)
    planes = image.transpose(0, 3, 1, 2).astype(np.float32)
    np.testing.assert_array_equal(resized(image, rule, 37, 50), planes)
    np.testing.assert_array_equal(
        resized(image, rule, 37, 50, 2.0, -3.0, 10.0, 300.0), np.clip(2 * planes - 3, 10, 300)
    )


@pytest.mark.property
@pytest.mark.parametrize("rule", RULES)
def test_constant_stays_constant(rule: str) -> None:
    out = resized(np.full((1, 431, 77, 3), 200, np.uint8), rule)
    np.testing.assert_allclose(out, 200, rtol=0, atol=LEVEL)


@pytest.mark.property
@pytest.mark.usefixtures("restored_threads")
def test_not_a_bit_depends_on_batch_or_threads() -> None:
    images = random_pixels((5, 150, 203, 3), 1)
    for rule in RULES:
        pixelgauge.set_num_threads(1)
        expected = np.concatenate([resized(images[i : i + 1], rule) for i in range(5)])
        for threads in (1, 2, 5):
            pixelgauge.set_num_threads(threads)
            np.testing.assert_array_equal(resized(images, rule), expected)


@pytest.mark.property
@pytest.mark.parametrize("dtype", [np.uint16, np.float32, np.float64])
def test_dtypes_and_strides(dtype: type) -> None:
    images = random_pixels((4, 40, 61, 6), 1).astype(dtype)
    views = {
        "plain": images[..., :3],
        "reversed": images[::-1, ::-1, ::-1, 2::-1],
        "steps": images[::2, ::3, ::2, ::2],
        "channel first": np.moveaxis(np.ascontiguousarray(np.moveaxis(images[..., :3], -1, 1)), 1, -1),
        "read-only": np.broadcast_to(images[:1, :1, :, :3], (2, 40, 61, 3)),
    }
    for name, view in views.items():
        expected = resized(np.ascontiguousarray(view), "bicubic")
        np.testing.assert_array_equal(resized(view, "bicubic"), expected, err_msg=name)
        np.testing.assert_allclose(
            expected, resized(np.ascontiguousarray(view).astype(np.uint8), "bicubic"), atol=LEVEL
        )


@pytest.mark.boundary
@pytest.mark.parametrize(
    ("change", "arguments", "error", "match"),
    [
        (lambda good: good[..., :2], {}, ValueError, "2 channels"),
        (lambda good: good[0], {}, ValueError, "4 axes"),
        (lambda good: good, {"height": 0}, ValueError, "positive"),
        (lambda good: good, {"width": -5}, ValueError, "positive"),
        (lambda good: good, {"scale": math.nan}, ValueError, "finite"),
        (lambda good: good, {"low": 1.0, "high": 0.0}, ValueError, "low must not exceed high"),
        (lambda good: good[:, :0], {}, ValueError, "empty"),
        (lambda good: good.astype(np.int64), {}, TypeError, "int64"),
    ],
)
def test_bad_arguments(
    change: Callable[..., Any], arguments: dict[str, Any], error: type[Exception], match: str
) -> None:
    images = change(random_pixels((1, 8, 8, 3), 1))
    with pytest.raises(error, match=match):
        resized(images, "half_pixel", **arguments)


@pytest.mark.boundary
def test_no_images() -> None:
    assert resized(np.zeros((0, 8, 8, 3), np.uint8), "half_pixel").shape == (0, 3, 299, 299)
