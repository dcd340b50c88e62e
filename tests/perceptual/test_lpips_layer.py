"""A layer of LPIPS by its own kernel: a float64 oracle under each instruction set, exact zeros, batch and threads."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import pixelgauge
from pixelgauge import _core


def difference_float64(x: np.ndarray, y: np.ndarray, weights: np.ndarray, inside: float, outside: float) -> np.ndarray:
    """The definition: features over their norm at each position, squared differences weighted and summed."""

    def unit(features):
        features = features.astype(np.float64)
        return features / (np.sqrt(inside + (features**2).sum(1, keepdims=True)) + outside)

    return ((unit(x) - unit(y)) ** 2 * weights.astype(np.float64)[:, None]).sum(1)


def case(pairs: int, channels: int, positions: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Features as they come out of a rectifier, and heads as they are, not negative."""
    rng = np.random.default_rng(seed)
    x, y = np.maximum(rng.standard_normal((2, pairs, channels, positions)), 0).astype(np.float32)
    return x, y, rng.uniform(0, 1, channels).astype(np.float32)


@pytest.mark.oracle
@pytest.mark.parametrize(("inside", "outside"), [(0.0, 1e-10), (1e-8, 0.0), (0.5, 0.25)])
@pytest.mark.parametrize(
    ("channels", "positions"), [(1, 1), (3, 15), (16, 64), (33, 65), (64, 127), (192, 961), (512, 16), (700, 200)]
)
def test_against_float64(each_isa: str, inside: float, outside: float, channels: int, positions: int) -> None:
    x, y, weights = case(2, channels, positions)
    value = _core.lpips_layer(x, y, weights, inside, outside)
    expected = difference_float64(x, y, weights, inside, outside)
    assert value.shape == expected.shape
    # Sums of 32 products and of their sums, a root, a reciprocal and two products: some ten roundings of 6e-8 each.
    assert np.abs(value - expected).max() < 6e-7 * max(expected.max(), 1e-3)


@pytest.mark.oracle
def test_images_that_are_nearly_equal(each_isa: str) -> None:
    x, _, weights = case(1, 256, 225)
    rng = np.random.default_rng(1)
    y = (x * (1 + 1e-3 * rng.standard_normal(x.shape))).astype(np.float32)
    expected = difference_float64(x, y, weights, 0.0, 1e-10)
    # Units differ by 1e-3 of themselves, of which rounding, 1e-7, is 1e-4; squares are off by twice that.
    np.testing.assert_allclose(_core.lpips_layer(x, y, weights, 0.0, 1e-10), expected, rtol=2e-4)


@pytest.mark.property
def test_equal_features_are_at_exactly_zero(each_isa: str) -> None:
    x, _, weights = case(2, 130, 333)
    assert not _core.lpips_layer(x, x.copy(), weights, 0.0, 1e-10).any()
    assert not _core.lpips_layer(0 * x, 0 * x, weights, 0.0, 1e-10).any()


@pytest.mark.property
def test_symmetric(each_isa: str) -> None:
    x, y, weights = case(2, 70, 100)
    np.testing.assert_array_equal(
        _core.lpips_layer(x, y, weights, 0.0, 1e-10), _core.lpips_layer(y, x, weights, 0.0, 1e-10)
    )


@pytest.mark.property
def test_not_a_bit_depends_on_place_batch_or_threads(each_isa: str, restored_threads: None) -> None:
    x, y, weights = case(3, 96, 500)
    pixelgauge.set_num_threads(1)
    alone = _core.lpips_layer(x, y, weights, 0.0, 1e-10)
    for threads in (1, 2, 3, 16):
        pixelgauge.set_num_threads(threads)
        np.testing.assert_array_equal(_core.lpips_layer(x, y, weights, 0.0, 1e-10), alone)
        part = _core.lpips_layer(x[1:2, :, 37:], y[1:2, :, 37:], weights, 0.0, 1e-10)
        np.testing.assert_array_equal(part, alone[1:2, 37:])


@pytest.mark.property
def test_what_is_not_finite_is_named_by_its_position(each_isa: str) -> None:
    for bad in (np.nan, np.inf, -np.inf, 1e30):  # the last one's square overflows: it would pass for no difference
        x, y, weights = case(2, 20, 200)
        x[1, 3, 150] = bad
        for pair in ((x, y), (y, x)):
            with pytest.raises(ValueError, match=r"^x, y or weights hold NaN .* at position 150 of pair 1$"):
                _core.lpips_layer(*pair, weights, 0.0, 1e-10)
    x, y, weights = case(1, 20, 200)
    weights[4] = np.nan
    with pytest.raises(ValueError, match="at position 0 of pair 0"):
        _core.lpips_layer(x, y, weights, 0.0, 1e-10)


@pytest.mark.boundary
def test_no_pairs_and_no_positions() -> None:
    x, y, weights = case(1, 4, 9)
    assert _core.lpips_layer(x[:0], y[:0], weights, 0.0, 1e-10).shape == (0, 9)
    assert _core.lpips_layer(x[..., :0], y[..., :0], weights, 0.0, 1e-10).shape == (1, 0)


@pytest.mark.boundary
@pytest.mark.parametrize(
    ("change", "match"),
    [
        (lambda x, y, weights: (x[0], y[0], weights, 0.0, 1e-10), "three axes"),
        (lambda x, y, weights: (x, y[..., 1:], weights, 0.0, 1e-10), "same shape"),
        (lambda x, y, weights: (x, y, weights[1:], 0.0, 1e-10), "3 values for 4 channels"),
        (lambda x, y, weights: (x[:, :0], y[:, :0], weights[:0], 0.0, 1e-10), "channels=0"),
        (lambda x, y, weights: (x, y, weights, 0.0, 0.0), "not both so near zero"),
        (lambda x, y, weights: (x, y, weights, 0.0, 1e-39), r"outside=1e-39: .* overflows"),
        (lambda x, y, weights: (x, y, weights, -1.0, 2.0), "inside=-1, outside=2: must be finite, not negative"),
        (lambda x, y, weights: (x, y, weights, np.nan, 1e-10), "inside=nan"),
        (lambda x, y, weights: (x, y, weights, np.inf, 1e-10), "inside=inf"),
    ],
)
def test_refused(change: Callable[..., Any], match: str) -> None:
    arguments = change(*case(1, 4, 9))
    with pytest.raises(ValueError, match=match):
        _core.lpips_layer(*arguments)
