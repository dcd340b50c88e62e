"""MSE and PSNR against plain float64 NumPy."""

from __future__ import annotations

import math

import numpy as np
import pytest

import pixelgauge


@pytest.mark.oracle
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float16, np.float32, np.float64])
@pytest.mark.parametrize("shape", [(1, 1), (1, 257), (257, 1), (64, 64), (33, 47, 3), (5, 40, 41, 4), (300, 401, 3)])
def test_against_numpy(rng: np.random.Generator, dtype: type, shape: tuple[int, ...], each_isa: str) -> None:
    top = np.iinfo(dtype).max if np.issubdtype(dtype, np.integer) else 1
    x = (rng.random(shape) * top).astype(dtype)
    y = (rng.random(shape) * top).astype(dtype)
    axes = tuple(range(1, 4)) if len(shape) == 4 else None
    expected = np.mean((x.astype(np.float64) - y.astype(np.float64)) ** 2, axis=axes)
    # integers are exact; floats differ by the order of float64 sums
    np.testing.assert_allclose(pixelgauge.mse(x, y), expected, rtol=1e-13)
    decibels = pixelgauge.psnr(x, y, data_range=top)
    np.testing.assert_allclose(decibels, 10 * np.log10(top**2 / expected), rtol=1e-12)


@pytest.mark.oracle
def test_extremes_are_exact(each_isa: str) -> None:
    # 3 x 10^7 squares of 65535 pass 2^53 in a sum of doubles only if rows are not summed apart
    black, white = np.zeros((600, 5000), np.uint16), np.full((600, 5000), 65535, np.uint16)
    assert pixelgauge.mse(black, white) == 65535.0**2
    assert pixelgauge.mse(black.astype(np.uint8), white.astype(np.uint8)) == 255.0**2
    row = np.zeros((1, 5_000_000), np.uint8)  # one row longer than an int32 accumulator may run
    assert pixelgauge.mse(row, row + np.uint8(255)) == 255.0**2


@pytest.mark.property
def test_identical_images_give_infinite_psnr() -> None:
    x = np.zeros((2, 9, 9, 3), np.uint8)
    y = x.copy()
    y[1, 0, 0, 0] = 1
    values = pixelgauge.psnr(x, y)
    assert values[0] == math.inf
    assert values[1] == pytest.approx(10 * math.log10(255**2 * 243), rel=1e-12)


@pytest.mark.property
def test_ranges() -> None:
    x, y = np.zeros((8, 8)), np.full((8, 8), 0.5)
    assert pixelgauge.psnr(x, y, data_range=1) == pytest.approx(20 * math.log10(2), rel=1e-12)
    assert pixelgauge.psnr(x, y, data_range=(-1, 1)) == pytest.approx(20 * math.log10(4), rel=1e-12)
    assert pixelgauge.psnr(x.astype(np.uint16), (x + 1).astype(np.uint16)) == pytest.approx(
        20 * math.log10(65535), rel=1e-12
    )


@pytest.mark.property
@pytest.mark.usefixtures("restored_threads")
def test_same_bits_for_any_number_of_threads_and_layout(rng: np.random.Generator) -> None:
    x, y = rng.random((3, 300, 200, 3)), rng.random((3, 300, 200, 3))
    values = []
    for threads in (1, 2, 5):
        pixelgauge.set_num_threads(threads)
        values.append(pixelgauge.mse(x, y))
    assert np.array_equal(values[0], values[1])
    assert np.array_equal(values[0], values[2])
    np.testing.assert_allclose(
        pixelgauge.mse(x[:, ::-1, ::2], y[:, ::-1, ::2]), np.mean((x - y)[:, ::-1, ::2] ** 2, (1, 2, 3)), rtol=1e-13
    )
    assert pixelgauge.mse(np.moveaxis(x, -1, 1), np.moveaxis(y, -1, 1), channel_axis=1)[2] == values[0][2]


@pytest.mark.boundary
@pytest.mark.parametrize(
    ("x", "y", "error", "message"),
    [
        (np.zeros((4, 4), np.uint8), np.zeros((4, 5), np.uint8), ValueError, "differ in shape"),
        (np.zeros((4, 4), np.uint8), np.zeros((4, 4), np.float32), ValueError, "differ in dtype"),
        (np.zeros((0, 4), np.uint8), np.zeros((0, 4), np.uint8), ValueError, "x is empty"),
        (np.full((4, 4), np.nan), np.zeros((4, 4)), ValueError, "NaN or infinity"),
        (np.zeros((4, 4)), np.full((4, 4), np.inf), ValueError, "NaN or infinity"),
        (np.full((4, 4), 1e200), np.zeros((4, 4)), ValueError, "values whose squares overflow"),
        (np.zeros((4, 4), np.int16), np.zeros((4, 4), np.int16), TypeError, "dtype int16"),
    ],
)
def test_bad_input(x: np.ndarray, y: np.ndarray, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        pixelgauge.mse(x, y)
    with pytest.raises(error, match=message):
        pixelgauge.psnr(x, y, data_range=1)


@pytest.mark.boundary
def test_extreme_ranges_are_refused() -> None:
    x, y = np.zeros((4, 4)), np.ones((4, 4))
    for length in (1e308, 1e-320, 1e-160):
        with pytest.raises(ValueError, match="leaves float64's room"):
            pixelgauge.psnr(x, y, data_range=length)
    for scale, length in ((1e-100, 1e140), (1e140, 1e-100)):
        with pytest.raises(ValueError, match="over- or underflows"):
            pixelgauge.psnr(x, y * scale, data_range=length)
    assert pixelgauge.psnr(x, y, data_range=1e150) == pytest.approx(3000)


@pytest.mark.boundary
def test_float_images_must_say_their_range() -> None:
    with pytest.raises(ValueError, match="data_range is needed for floating-point images"):
        pixelgauge.psnr(np.zeros((4, 4), np.float32), np.ones((4, 4), np.float32))
