"""MS-SSIM against the float64 oracle and its own invariants."""

from __future__ import annotations

import numpy as np
import pytest

import pixelgauge
from tests.full_reference import oracles as oracle
from tests.pictures import noisy

# A product of five means, each within 1e-6 (see test_ssim.py) and as a rule within 1e-8; powers below 1 magnify what rounds near 0.
TOLERANCE = 1e-6


@pytest.mark.oracle
@pytest.mark.parametrize("preset", ["wang2003", "pytorch-msssim"])
@pytest.mark.parametrize("combine", ["product", "sum"])
@pytest.mark.parametrize("name", ["camera", "coffee", "chelsea"])
def test_natural_images(
    natural: dict[str, np.ndarray], rng: np.random.Generator, preset: str, combine: str, name: str, each_isa: str
) -> None:
    x = natural[name]
    y = noisy(x, rng, 15)
    value = pixelgauge.ms_ssim(x, y, preset=preset, combine=combine)
    assert abs(value - oracle.ms_ssim(x, y, 255, preset, combine=combine)) <= TOLERANCE


@pytest.mark.oracle
@pytest.mark.parametrize("preset", ["wang2003", "pytorch-msssim"])
@pytest.mark.parametrize("shape", [(161, 161), (177, 200), (191, 163, 3), (223, 501)])
def test_odd_sizes(rng: np.random.Generator, preset: str, shape: tuple[int, ...]) -> None:
    x = rng.integers(0, 256, shape, dtype=np.uint8)
    y = noisy(x, rng, 40)
    assert abs(pixelgauge.ms_ssim(x, y, preset=preset) - oracle.ms_ssim(x, y, 255, preset)) <= TOLERANCE


@pytest.mark.oracle
@pytest.mark.parametrize("dtype", [np.uint16, np.float32, np.float64])
@pytest.mark.parametrize("preset", ["wang2003", "pytorch-msssim"])
def test_other_dtypes(
    natural: dict[str, np.ndarray], rng: np.random.Generator, dtype: type, preset: str, each_isa: str
) -> None:
    x = natural["astronaut"]
    y = noisy(x, rng, 15)
    scale, length = (257, 65535) if dtype == np.uint16 else (1 / 255, 1.0)
    a, b = (x * np.float64(scale)).astype(dtype), (y * np.float64(scale)).astype(dtype)
    # float64 stays float64; float32 pixels as at 8 bits
    tolerance = 1e-9 if dtype == np.float64 else TOLERANCE
    assert (
        abs(pixelgauge.ms_ssim(a, b, data_range=length, preset=preset) - oracle.ms_ssim(a, b, length, preset))
        <= tolerance
    )


@pytest.mark.oracle
@pytest.mark.parametrize("weights", [[1.0], [0.3, 0.7], [0.2, 0.3, 0.5], [0, 0, 1]])
def test_own_weights(natural: dict[str, np.ndarray], rng: np.random.Generator, weights: list[float]) -> None:
    x = natural["camera"]
    y = noisy(x, rng, 15)
    for combine in ("product", "sum"):
        value = pixelgauge.ms_ssim(x, y, weights=weights, combine=combine)
        assert abs(value - oracle.ms_ssim(x, y, 255, weights=weights, combine=combine)) <= TOLERANCE
    assert abs(pixelgauge.ms_ssim(x, y, weights=[1.0]) - pixelgauge.ssim(x, y)) <= 1e-12


@pytest.mark.property
def test_negative_terms(rng: np.random.Generator) -> None:
    x = rng.integers(0, 256, (192, 192), dtype=np.uint8)
    with pytest.warns(RuntimeWarning, match="negative contrast-structure"):
        assert np.isnan(pixelgauge.ms_ssim(x, 255 - x))
    assert pixelgauge.ms_ssim(x, 255 - x, preset="pytorch-msssim") == 0
    assert pixelgauge.ms_ssim(x, 255 - x, combine="sum") < 0


@pytest.mark.boundary
@pytest.mark.parametrize("options", [{}, {"combine": "sum"}, {"preset": "pytorch-msssim"}])
def test_what_overflows_is_not_called_negative(rng: np.random.Generator, options: dict) -> None:
    x = rng.integers(0, 256, (2, 192, 192)).astype(np.float64)
    y = np.stack([255 - x[0], x[1]])  # a negative image beside what overflows
    x[1] = y[1] = 1e200
    for first, second in ((x[1], y[1]), (x, y)):
        with pytest.raises(
            ValueError, match=r"over- or underflows at data_range=255 .*scale the images and data_range"
        ):
            pixelgauge.ms_ssim(first, second, data_range=255, channel_axis=None, **options)


@pytest.mark.property
@pytest.mark.usefixtures("restored_threads")
def test_equal_symmetric_and_independent_of_threads_and_batch(
    natural: dict[str, np.ndarray], rng: np.random.Generator
) -> None:
    x = np.stack([natural["astronaut"], natural["astronaut"][::-1]])
    y = noisy(x, rng, 15)
    assert np.array_equal(pixelgauge.ms_ssim(x, x), [1.0, 1.0])
    values = pixelgauge.ms_ssim(x, y)
    assert np.array_equal(pixelgauge.ms_ssim(y, x), values)
    assert [pixelgauge.ms_ssim(x[i], y[i]) for i in range(2)] == list(values)
    for threads in (1, 3):
        pixelgauge.set_num_threads(threads)
        assert np.array_equal(pixelgauge.ms_ssim(x, y), values)


@pytest.mark.boundary
@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"preset": "wang2004"}, ValueError, "preset='wang2004'"),
        ({"combine": "mean"}, ValueError, "combine='mean'"),
        ({"weights": []}, ValueError, r"weights=\[\] must be a sequence of numbers"),
        ({"weights": 1.0}, ValueError, "weights=1.0 must be a sequence of numbers"),
        ({"weights": ["1"]}, TypeError, "weights holds '1': each must be a number"),
        ({"weights": [True]}, TypeError, "weights holds True: each must be a number"),
        ({"weights": np.array([0.5, 0.5]) > 0}, TypeError, "weights holds .*True.*: each must be a number"),
        ({"weights": ["half"]}, TypeError, "weights holds 'half': each must be a number"),
        ({"weights": [1.0] * 17}, ValueError, "scales=17"),
        ({"weights": [0.0, 0.0]}, ValueError, "all zero"),
        ({"weights": [0.5, -0.5]}, ValueError, "weights holds -0.5: each must be finite and not negative"),
        ({"weights": [0.5, float("nan")]}, ValueError, "weights holds nan: each must be finite"),
    ],
)
def test_bad_options(options: dict, error: type[Exception], message: str) -> None:
    x = np.zeros((200, 200), np.uint8)
    with pytest.raises(error, match=message):
        pixelgauge.ms_ssim(x, x, **options)


@pytest.mark.boundary
def test_too_small_for_the_scales() -> None:
    x = np.zeros((160, 500), np.uint8)
    for small in (x, x[:8]):  # 8 rows are too few for the window too, which has no remedy of its own
        with pytest.raises(
            ValueError, match=r"x 500 are too small for 5 scales.*at least 161 x 161.*or fewer weights$"
        ):
            pixelgauge.ms_ssim(small, small)
    assert pixelgauge.ms_ssim(np.zeros((161, 161), np.uint8), np.zeros((161, 161), np.uint8)) == 1.0
