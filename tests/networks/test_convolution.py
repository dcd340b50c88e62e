"""Winograd convolution: a float64 oracle under each instruction set, independence of batch and threads."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import pixelgauge
from pixelgauge import _core

FORMS = [
    ((3, 3), (2, 2)),
    ((3, 3), (3, 3)),
    ((3, 3), (4, 4)),
    ((5, 5), (2, 2)),
    ((1, 7), (1, 2)),
    ((7, 1), (2, 1)),
]


def case(
    kernel: tuple[int, int], channels: int, filters: int, height: int, width: int, count: int = 2, seed: int = 0
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Inputs as they come out of a rectifier, filters that keep their size."""
    rng = np.random.default_rng(seed)
    x = np.maximum(rng.standard_normal((count, channels, height, width)), 0).astype(np.float32)
    spread = np.sqrt(2 / (channels * kernel[0] * kernel[1]))
    weight = (spread * rng.standard_normal((filters, channels, *kernel))).astype(np.float32)
    return x, weight, rng.standard_normal(filters).astype(np.float32)


def convolution_float64(x: np.ndarray, weight: np.ndarray, bias: np.ndarray, padding: tuple[int, int]) -> np.ndarray:
    """The definition: correlation with zeros beyond the edges, bias, rectifier."""
    ph, pw = padding
    padded = np.pad(x.astype(np.float64), ((0, 0), (0, 0), (ph, ph), (pw, pw)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, weight.shape[2:], (2, 3))
    out = np.einsum("nchwij,fcij->nfhw", windows, weight.astype(np.float64), optimize=True)
    return np.maximum(out + bias.astype(np.float64)[:, None, None], 0)


def convolve(
    x: np.ndarray, weight: np.ndarray, bias: np.ndarray, tile: tuple[int, int], padding: tuple[int, int]
) -> np.ndarray:
    return _core.convolve(x, _core.convolution_filters(weight, tile), bias, weight.shape[2:], tile, padding)


@pytest.mark.oracle
@pytest.mark.parametrize(("kernel", "tile"), FORMS)
@pytest.mark.parametrize(
    ("channels", "filters", "height", "width"),
    [(1, 1, 7, 8), (16, 16, 9, 7), (20, 35, 15, 15), (33, 48, 7, 40), (64, 17, 31, 12)],
)
def test_against_float64(
    each_isa: str, kernel: tuple[int, int], tile: tuple[int, int], channels: int, filters: int, height: int, width: int
) -> None:
    x, weight, bias = case(kernel, channels, filters, height, width)
    for padding in {(kernel[0] // 2, kernel[1] // 2), (0, 0)}:
        expected = convolution_float64(x, weight, bias, padding)
        value = convolve(x, weight, bias, tile, padding)
        assert value.shape == expected.shape
        # A direct float32 sum over up to 1600 products is off by 1e-6 of the root mean square; the transforms of six and
        # eight points lose up to four times that, and the worst of some thousand values lies five deviations out.
        scale = np.sqrt((expected**2).mean())
        assert np.sqrt(((value - expected) ** 2).mean()) < 4e-6 * scale
        assert np.abs(value - expected).max() < 2.5e-5 * scale


@pytest.mark.oracle
@pytest.mark.parametrize(("kernel", "tile"), FORMS)
def test_images_wider_and_deeper_than_a_block(each_isa: str, kernel: tuple[int, int], tile: tuple[int, int]) -> None:
    for channels, height, width in ((3, 8, 700), (520, 8, 8)):
        x, weight, bias = case(kernel, channels, 18, height, width, count=3)
        padding = (kernel[0] // 2, kernel[1] // 2)
        expected = convolution_float64(x, weight, bias, padding)
        # as above; the sums are eight times as long
        scale = np.sqrt((expected**2).mean())
        assert np.abs(convolve(x, weight, bias, tile, padding) - expected).max() < 5e-5 * scale


@pytest.mark.property
@pytest.mark.parametrize(("kernel", "tile"), FORMS)
def test_not_a_bit_depends_on_batch_or_threads(
    restored_threads: None, kernel: tuple[int, int], tile: tuple[int, int]
) -> None:
    x, weight, bias = case(kernel, 40, 50, 19, 21, count=5)
    padding = (kernel[0] // 2, kernel[1] // 2)
    pixelgauge.set_num_threads(1)
    alone = np.concatenate([convolve(x[i : i + 1], weight, bias, tile, padding) for i in range(5)])
    for threads in (1, 2, 3, 16):
        pixelgauge.set_num_threads(threads)
        for step in (1, 2, 5):
            parts = [convolve(x[i : i + step], weight, bias, tile, padding) for i in range(0, 5, step)]
            np.testing.assert_array_equal(np.concatenate(parts), alone)


@pytest.mark.property
def test_not_finite_values_stay_so() -> None:
    x, weight, bias = case((3, 3), 16, 16, 9, 9)
    x[0, 3, 4, 4] = np.nan
    value = convolve(x, weight, bias, (2, 2), (1, 1))
    assert np.isnan(value[0, :, 3:6, 3:6]).all()
    assert np.isfinite(value[1]).all()


@pytest.mark.property
def test_no_images() -> None:
    x, weight, bias = case((3, 3), 16, 16, 9, 9)
    assert convolve(x[:0], weight, bias, (2, 2), (1, 1)).shape == (0, 16, 9, 9)


@pytest.mark.boundary
@pytest.mark.parametrize(
    ("change", "match"),
    [
        (lambda weight: (weight, (5, 5)), "3x3 with tiles of 5x5"),
        (lambda weight: (weight[0], (2, 2)), "4 axes"),
        (lambda weight: (weight[:0], (2, 2)), "0 filters"),
    ],
)
def test_filters_refused(change: Callable[..., Any], match: str) -> None:
    _, weight, _ = case((3, 3), 16, 18, 9, 9)
    with pytest.raises(ValueError, match=match):
        _core.convolution_filters(*change(weight))


@pytest.mark.boundary
@pytest.mark.parametrize(
    ("change", "match"),
    [
        (lambda x, u: (x[0], u, (2, 2), (1, 1)), "4 axes"),
        (lambda x, u: (x, u[1:], (2, 2), (1, 1)), "make it with convolution_filters"),
        (lambda x, u: (x, u, (3, 3), (1, 1)), "make it with convolution_filters"),
        (lambda x, u: (x, u, (2, 2), (3, 1)), "padding=3, 1"),
        (lambda x, u: (x, u, (2, 2), (-1, 0)), "padding=-1, 0"),
        (lambda x, u: (x[..., :2], u, (2, 2), (0, 0)), "smaller than the kernel"),
    ],
)
def test_refused(change: Callable[..., Any], match: str) -> None:
    x, weight, bias = case((3, 3), 16, 18, 9, 9)
    x, transformed, tile, padding = change(x, _core.convolution_filters(weight, (2, 2)))
    with pytest.raises(ValueError, match=match):
        _core.convolve(x, transformed, bias, (3, 3), tile, padding)
