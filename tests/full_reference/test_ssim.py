"""SSIM against the float64 oracle, the programs its presets are named after, and its own invariants."""

from __future__ import annotations

import numpy as np
import pytest
import skimage.data
import skimage.metrics

import pixelgauge
from pixelgauge.presets import SSIM_PRESETS
from tests.full_reference import oracles as oracle
from tests.pictures import noisy

PRESETS = list(SSIM_PRESETS)

# Rounding of float32 about a value of each window: docs/reference/presets.md, and test_ssim_properties.py for the pictures that round worst.
MEAN_TOLERANCE, MAP_TOLERANCE = 1e-6, 2e-6


def synthetic(rng: np.random.Generator, shape: tuple[int, ...]) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    flat = np.full(shape, 255, np.uint8)
    ramp = np.broadcast_to(
        np.linspace(0, 255, shape[1]).astype(np.uint8).reshape((1, -1) + (1,) * (len(shape) - 2)), shape
    )
    noise = rng.integers(0, 256, shape, dtype=np.uint8)
    checker = ((np.indices(shape[:2]).sum(0) % 2) * 255).astype(np.uint8)
    checker = np.ascontiguousarray(np.broadcast_to(checker.reshape(checker.shape + (1,) * (len(shape) - 2)), shape))
    return {
        "bright": (flat, flat - rng.integers(0, 3, shape, dtype=np.uint8)),
        "black-white": (flat, np.zeros(shape, np.uint8)),
        "ramp": (ramp, noisy(ramp, rng)),
        "noise": (noise, noisy(noise, rng, 40)),
        "inverted": (noise, 255 - noise),
        "checker": (checker, np.roll(checker, 1, 1)),
    }


@pytest.mark.oracle
@pytest.mark.parametrize("preset", PRESETS)
@pytest.mark.parametrize("name", ["camera", "astronaut", "coffee", "chelsea"])
def test_natural_images(
    natural: dict[str, np.ndarray], rng: np.random.Generator, preset: str, name: str, each_isa: str
) -> None:
    x = natural[name]
    y = noisy(x, rng)
    score, index = pixelgauge.ssim(x, y, preset=preset, full=True)
    expected, expected_map = oracle.ssim(x, y, 255, preset)
    assert abs(score - expected) <= MEAN_TOLERANCE
    assert index.shape == expected_map.shape
    assert index.dtype == np.float32
    assert np.abs(index - expected_map).max() <= MAP_TOLERANCE
    assert pixelgauge.ssim(x, y, preset=preset) == score


@pytest.mark.oracle
@pytest.mark.parametrize("preset", PRESETS)
@pytest.mark.parametrize(
    "shape", [(64, 64), (67, 131), (40, 61, 3), (33, 97, 4), (23, 29, 7), (300, 17), (16, 1601), (30, 530, 5)]
)
def test_synthetic_images(rng: np.random.Generator, preset: str, shape: tuple[int, ...], each_isa: str) -> None:
    for case, (x, y) in synthetic(rng, shape).items():
        score, index = pixelgauge.ssim(x, y, preset=preset, full=True)
        expected, expected_map = oracle.ssim(x, y, 255, preset)
        assert abs(score - expected) <= MEAN_TOLERANCE, case
        assert np.abs(index - expected_map).max() <= MAP_TOLERANCE, case


@pytest.mark.oracle
@pytest.mark.parametrize("preset", PRESETS)
def test_every_size_from_the_window_up(rng: np.random.Generator, preset: str) -> None:
    least = SSIM_PRESETS[preset].window_size
    sizes = [(h, w) for h in range(least, least + 9) for w in range(least, least + 24, 3)]
    sizes += [(least, 101), (127, least), (13, 211)]
    for h, w in sizes:
        x = rng.integers(0, 256, (h, w), dtype=np.uint8)
        y = noisy(x, rng, 30)
        assert abs(pixelgauge.ssim(x, y, preset=preset) - oracle.ssim(x, y, 255, preset)[0]) <= MEAN_TOLERANCE, (h, w)


@pytest.mark.oracle
@pytest.mark.parametrize("shape", [(256, 256), (384, 400), (640, 700, 3), (641, 699), (900, 1100)])
@pytest.mark.parametrize("preset", ["matlab", "piq"])
def test_downsampled_presets(rng: np.random.Generator, shape: tuple[int, ...], preset: str) -> None:
    x = rng.integers(0, 256, shape, dtype=np.uint8)
    y = noisy(x, rng, 50)
    score, index = pixelgauge.ssim(x, y, preset=preset, full=True)
    expected, expected_map = oracle.ssim(x, y, 255, preset)
    assert abs(score - expected) <= MEAN_TOLERANCE
    assert index.shape == expected_map.shape
    assert np.abs(index - expected_map).max() <= MAP_TOLERANCE


@pytest.mark.oracle
@pytest.mark.parametrize(
    "overrides",
    [
        {"window_size": 3, "window": "uniform"},
        {"window_size": 5, "sigma": 0.8},
        {"window_size": 7, "sigma": 1.1},
        {"window_size": 11, "window": "uniform"},
        {"window_size": 13, "sigma": 2.5},
        {"window_size": 21, "sigma": 4.0, "border": "reflect"},
        {"window_size": 31, "window": "uniform", "covariance": "sample", "border": "crop"},
        {"k1": 0.02, "k2": 0.05},
        {"border": "reflect"},
        {"covariance": "sample", "border": "crop"},
        {"downsample": "matlab"},
    ],
    ids=str,
)
def test_overrides(natural: dict[str, np.ndarray], rng: np.random.Generator, overrides: dict, each_isa: str) -> None:
    x = natural["chelsea"][:280, :300]
    y = noisy(x, rng)
    score, index = pixelgauge.ssim(x, y, full=True, **overrides)
    expected, expected_map = oracle.ssim(x, y, 255, **overrides)
    assert abs(score - expected) <= MEAN_TOLERANCE
    assert np.abs(index - expected_map).max() <= MAP_TOLERANCE


@pytest.mark.oracle
@pytest.mark.parametrize("size", [3, 7, 9, 15, 17])
@pytest.mark.parametrize("border", ["valid", "reflect"])
def test_uniform_windows_slide_exactly(rng: np.random.Generator, size: int, border: str, each_isa: str) -> None:
    """Running sums up to 15 x 15, taps beyond; widths about the ends of lanes' segments and of strips (512 pixels)."""
    for shape in [(20, 79), (21, 113, 3), (90, 131), (19, 512), (18, 519, 3), (17, 1041)]:
        for case, (x, y) in synthetic(rng, shape).items():
            options = {"window": "uniform", "window_size": size, "border": border}
            score, index = pixelgauge.ssim(x, y, full=True, **options)
            expected, expected_map = oracle.ssim(x, y, 255, **options)
            assert abs(score - expected) <= MEAN_TOLERANCE, (shape, case)
            assert np.abs(index - expected_map).max() <= MAP_TOLERANCE, (shape, case)


@pytest.mark.oracle
def test_sixteen_bits_with_a_large_offset(rng: np.random.Generator, each_isa: str) -> None:
    x = rng.integers(29750, 30251, (200, 211), dtype=np.uint16)
    y = np.clip(x + rng.normal(0, 40, x.shape), 29750, 30250).astype(np.uint16)
    assert abs(pixelgauge.ssim(x, y, data_range=500) - oracle.ssim(x, y, 500)[0]) <= MEAN_TOLERANCE
    assert (
        abs(pixelgauge.ssim(x.astype(np.float32), y.astype(np.float32), data_range=500) - oracle.ssim(x, y, 500)[0])
        <= 1e-5
    )


@pytest.mark.oracle
@pytest.mark.parametrize("preset", PRESETS)
def test_float64_keeps_its_digits(rng: np.random.Generator, preset: str, each_isa: str) -> None:
    x = rng.random((90, 77, 3)) * 3000 - 1000
    y = x + rng.normal(0, 100, x.shape)
    score, index = pixelgauge.ssim(x, y, preset=preset, data_range=4096, full=True)
    expected, expected_map = oracle.ssim(x, y, 4096, preset)
    assert abs(score - expected) <= 1e-9
    assert index.dtype == np.float64
    assert np.abs(index - expected_map).max() <= 1e-9


@pytest.mark.oracle
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.uint16])
def test_other_dtypes(natural: dict[str, np.ndarray], rng: np.random.Generator, dtype: type, each_isa: str) -> None:
    x, y = natural["coffee"], noisy(natural["coffee"], rng)
    if dtype == np.uint16:
        a, b, length = x.astype(np.uint16) * 257, y.astype(np.uint16) * 257, 65535
    else:
        a, b, length = (x / 255).astype(dtype), (y / 255).astype(dtype), 1
    assert abs(pixelgauge.ssim(a, b, data_range=length) - oracle.ssim(a, b, length)[0]) <= MEAN_TOLERANCE


@pytest.mark.oracle
@pytest.mark.parametrize("exponent", [-25, -15, -10, -7, 7, 10, 17, 25])
def test_ranges_whose_fourth_power_float32_cannot_hold(rng: np.random.Generator, exponent: int) -> None:
    length = 10.0**exponent
    x = (rng.random((192, 200)) * length).astype(np.float32)
    y = (x * 0.9 + rng.random(x.shape) * length * 0.1).astype(np.float32)
    assert abs(pixelgauge.ssim(x, y, data_range=length) - oracle.ssim(x, y, length)[0]) <= MEAN_TOLERANCE
    # five means instead of one
    assert (
        abs(pixelgauge.ms_ssim(x, y, data_range=length) - oracle.ms_ssim(x, y, length, "wang2003"))
        <= 2 * MEAN_TOLERANCE
    )


@pytest.mark.oracle
def test_a_spread_far_beyond_the_range_is_computed_in_float64(rng: np.random.Generator) -> None:
    x = np.where(rng.random((64, 64)) < 0.5, -1e4, 1e4).astype(np.float32) + rng.normal(0, 0.3, (64, 64)).astype(
        np.float32
    )
    y = x + rng.normal(0, 0.3, x.shape).astype(np.float32)
    x[:, :32] = np.float32(1e4) + rng.normal(0, 0.3, (64, 32)).astype(np.float32)
    y[:, :32] = x[:, :32] + rng.normal(0, 0.3, (64, 32)).astype(np.float32)
    assert abs(pixelgauge.ssim(x, y, data_range=1.0) - oracle.ssim(x, y, 1.0)[0]) <= 1e-6


@pytest.mark.oracle
@pytest.mark.parametrize("preset", ["wang2004", "skimage", "torchmetrics"])
def test_components_and_exponents(
    natural: dict[str, np.ndarray], rng: np.random.Generator, preset: str, each_isa: str
) -> None:
    x = natural["astronaut"][100:260, 100:240]
    y = noisy(x, rng, 4)
    parts = pixelgauge.ssim(x, y, preset=preset, components=True)
    # float64 throughout: what is left is the order of summation
    assert np.allclose(parts, oracle.components(x, y, 255, preset), rtol=0, atol=1e-9)
    for exponents in [(1, 2, 1), (0, 1, 1), (2, 1, 3), (0, 0, 0)]:
        score, index = pixelgauge.ssim(x, y, preset=preset, exponents=exponents, full=True)
        expected, expected_map = oracle.ssim(x, y, 255, preset, exponents=exponents)
        assert abs(score - expected) <= 1e-9
        assert np.abs(index - expected_map).max() <= 1e-6  # the map is float32
    both = pixelgauge.ssim(x, y, preset=preset, components=True, full=True)
    assert both[0] == parts
    assert np.abs(both[1] - oracle.ssim(x, y, 255, preset)[1]).max() <= 1e-6


@pytest.mark.oracle
def test_a_fractional_power_of_a_negative_factor_is_nan_and_says_so(rng: np.random.Generator) -> None:
    x = rng.integers(0, 256, (32, 32), dtype=np.uint8)
    with pytest.warns(RuntimeWarning, match="negative factor"):
        assert np.isnan(pixelgauge.ssim(x, 255 - x, exponents=(1, 1, 0.5)))


@pytest.mark.parity
def test_figure_of_scikit_image(natural: dict[str, np.ndarray]) -> None:
    camera = natural["camera"]
    noise = np.random.RandomState(5).normal(0, 20, camera.shape)
    other = np.clip(camera + noise, 0, 255).astype(camera.dtype)
    assert abs(pixelgauge.ssim(camera, other, preset="skimage") - 0.3674518327910367) <= 1e-6


@pytest.mark.parity
@pytest.mark.parametrize("dtype", [np.uint8, np.float64])
@pytest.mark.parametrize("gaussian", [False, True])
def test_parity_with_scikit_image(
    natural: dict[str, np.ndarray], rng: np.random.Generator, dtype: type, gaussian: bool
) -> None:
    x = natural["astronaut"]
    y = noisy(x, rng)
    a, b, length = (x, y, 255) if dtype == np.uint8 else (x / 255, y / 255, 1.0)
    score, index = pixelgauge.ssim(
        a, b, data_range=length, preset="skimage-gaussian" if gaussian else "skimage", full=True
    )
    expected, expected_map = skimage.metrics.structural_similarity(
        a, b, data_range=length, channel_axis=-1, gaussian_weights=gaussian, full=True
    )
    assert abs(score - expected) <= (1e-6 if dtype == np.uint8 else 1e-9)
    assert np.abs(index - expected_map).max() <= (MAP_TOLERANCE if dtype == np.uint8 else 1e-9)


@pytest.mark.property
@pytest.mark.parametrize("preset", PRESETS)
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32, np.float64])
def test_equal_images_give_exactly_one(rng: np.random.Generator, preset: str, dtype: type, each_isa: str) -> None:
    x = (rng.random((83, 71, 3)) * 255).astype(dtype)
    assert pixelgauge.ssim(x, x.copy(), data_range=255, preset=preset) == 1.0


@pytest.mark.property
@pytest.mark.parametrize("preset", PRESETS)
def test_symmetric_in_its_arguments(rng: np.random.Generator, preset: str, each_isa: str) -> None:
    x = rng.integers(0, 256, (75, 130, 3), dtype=np.uint8)
    y = noisy(x, rng, 60)
    assert pixelgauge.ssim(x, y, preset=preset) == pixelgauge.ssim(y, x, preset=preset)


@pytest.mark.property
@pytest.mark.usefixtures("restored_threads")
@pytest.mark.parametrize("preset", ["wang2004", "skimage", "torchmetrics", "matlab"])
@pytest.mark.parametrize("dtype", [np.uint8, np.float32, np.float64])
def test_same_bits_for_any_number_of_threads(
    natural: dict[str, np.ndarray], rng: np.random.Generator, preset: str, dtype: type
) -> None:
    x = natural["coffee"]
    y = noisy(x, rng)
    results = []
    for threads in (1, 2, 3, 8, 2):
        pixelgauge.set_num_threads(threads)
        score, index = pixelgauge.ssim(x.astype(dtype), y.astype(dtype), data_range=255, preset=preset, full=True)
        results.append((score, index.tobytes()))
    assert all(result == results[0] for result in results)


@pytest.mark.property
@pytest.mark.usefixtures("restored_isa")
@pytest.mark.parametrize("preset", PRESETS)
def test_instruction_sets_agree(natural: dict[str, np.ndarray], rng: np.random.Generator, preset: str) -> None:
    x = natural["chelsea"]
    y = noisy(x, rng)
    scores = []
    for isa in pixelgauge.build_info()["available_isas"]:
        pixelgauge._core.set_isa(isa)
        scores.append(pixelgauge.ssim(x, y, preset=preset))
    assert max(scores) - min(scores) <= 1e-6


@pytest.mark.property
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32, np.float64])
def test_layouts_are_read_in_place_and_alike(rng: np.random.Generator, dtype: type) -> None:
    x = rng.integers(0, 256, (3, 45, 52, 3)).astype(dtype)
    y = np.clip(x.astype(float) + rng.normal(0, 20, x.shape), 0, 255).astype(dtype)
    options = {"data_range": 255}
    expected = pixelgauge.ssim(x, y, **options)
    assert expected.shape == (3,)
    assert expected.dtype == np.float64
    for i in range(3):
        assert pixelgauge.ssim(x[i], y[i], **options) == expected[i]
    first = (np.moveaxis(x, -1, 1), np.moveaxis(y, -1, 1))
    assert np.array_equal(pixelgauge.ssim(*first, channel_axis=1, **options), expected)
    planar = tuple(np.ascontiguousarray(a) for a in first)
    # another tiling of the same numbers: only the order of the float64 sums differs
    assert np.allclose(pixelgauge.ssim(*planar, channel_axis=1, **options), expected, rtol=0, atol=1e-12)
    wide = np.zeros((3, 90, 104, 6), dtype)
    wide[:, ::2, ::2, ::2] = x
    assert np.allclose(pixelgauge.ssim(wide[:, ::2, ::2, ::2], y, **options), expected, rtol=0, atol=1e-12)
    flipped = pixelgauge.ssim(x[:, ::-1, ::-1], y[:, ::-1, ::-1], **options)
    assert np.allclose(flipped, expected, rtol=0, atol=1e-6)
    frozen = x.copy()
    frozen.flags.writeable = False
    assert np.array_equal(pixelgauge.ssim(frozen, y, **options), expected)
    gray = pixelgauge.ssim(x[..., 0], y[..., 0], channel_axis=None, **options)
    assert gray.shape == (3,)
    assert gray[1] == pixelgauge.ssim(x[1, ..., 0], y[1, ..., 0], **options)
    mixed = pixelgauge.ssim(np.asfortranarray(x[0]), y[0], **options)
    assert abs(mixed - expected[0]) <= 1e-12


@pytest.mark.boundary
@pytest.mark.parametrize("window", ["gaussian", "uniform"])
@pytest.mark.parametrize("window_size", [3, 5, 7, 9, 11, 13, 15])
def test_what_lies_beside_an_image_counts_for_nothing(
    rng: np.random.Generator, window_size: int, window: str, each_isa: str
) -> None:
    """A part cut out of a canvas of NaN scores as its copy does, by every border, map and factor."""
    for shape, dtype in [((41, 67, 3), np.float32), ((29, 35), np.float64), ((40, 530, 1), np.float32)]:
        canvas = np.full((2, shape[0] + 2, shape[1] + 7, *shape[2:]), np.nan, dtype)
        x, y = cut = canvas[:, 1 : 1 + shape[0], 2 : 2 + shape[1]]
        cut[...] = rng.random(cut.shape)
        for border in ("valid", "reflect", "crop"):
            options = {"data_range": 1, "window": window, "window_size": window_size, "border": border}
            options["channel_axis"] = -1 if len(shape) == 3 else None
            plain = pixelgauge.ssim(x, y, **options)
            assert np.isfinite(plain)
            assert plain == pixelgauge.ssim(x.copy(), y.copy(), **options)
            found, index = pixelgauge.ssim(x, y, full=True, **options)
            assert found == plain
            assert np.array_equal(index, pixelgauge.ssim(x.copy(), y.copy(), full=True, **options)[1])
            assert pixelgauge.ssim(x, y, components=True, **options) == pixelgauge.ssim(
                x.copy(), y.copy(), components=True, **options
            )


@pytest.mark.property
def test_map_has_the_layout_of_the_input(rng: np.random.Generator) -> None:
    x = rng.integers(0, 256, (2, 5, 40, 30), dtype=np.uint8)
    y = noisy(x, rng)
    scores, index = pixelgauge.ssim(x, y, channel_axis=1, full=True)
    assert index.shape == (2, 5, 30, 20)
    assert np.allclose(index.mean((1, 2, 3)), scores, atol=1e-6)
    _, gray = pixelgauge.ssim(x[:, 0], y[:, 0], channel_axis=None, full=True)
    assert np.array_equal(gray, index[:, 0])
    assert pixelgauge.ssim(x[0, 0], y[0, 0], full=True)[1].shape == (30, 20)


class _Dlpack:
    def __init__(self, array: np.ndarray) -> None:
        self.array = array

    def __dlpack__(self, **options: object) -> object:
        return self.array.__dlpack__(**options)

    def __dlpack_device__(self) -> tuple[int, int]:
        return self.array.__dlpack_device__()

    @property
    def shape(self) -> tuple[int, ...]:
        return self.array.shape


class _Protocol:
    def __init__(self, array: np.ndarray) -> None:
        self.array = array

    def __array__(self, dtype: object = None, copy: bool | None = None) -> np.ndarray:
        return self.array


@pytest.mark.property
def test_arrays_of_other_libraries(rng: np.random.Generator) -> None:
    x = rng.integers(0, 256, (32, 32), dtype=np.uint8)
    y = noisy(x, rng)
    expected = pixelgauge.ssim(x, y)
    assert pixelgauge.ssim(_Dlpack(x), _Dlpack(y)) == expected
    assert pixelgauge.ssim(_Protocol(x), _Protocol(y)) == expected


@pytest.mark.boundary
@pytest.mark.parametrize(
    ("x", "y", "options", "error", "message"),
    [
        (np.zeros((10, 64), np.uint8), None, {}, ValueError, r"10 x 64 are too small for a window of 11"),
        (np.zeros((1, 64), np.uint8), None, {}, ValueError, r"1 x 64 are too small"),
        (np.zeros((6, 6), np.uint8), None, {"preset": "skimage"}, ValueError, "window of 7"),
        (np.zeros((5, 64), np.uint8), None, {"preset": "torchmetrics"}, ValueError, "at least 6 x 6"),
        (
            np.zeros((32, 32), np.uint8),
            np.zeros((32, 33), np.uint8),
            {},
            ValueError,
            r"differ in shape: \(32, 32\) and \(32, 33\)",
        ),
        (np.zeros((32, 32), np.uint8), np.zeros((32, 32), np.uint16), {}, ValueError, "differ in dtype"),
        (np.zeros((32, 32)), None, {}, ValueError, "data_range is needed for floating-point images"),
        (np.zeros((32, 32), np.float32), None, {"data_range": 0}, ValueError, "data_range=0 must be positive"),
        (np.zeros((32, 32), np.float32), None, {"data_range": float("nan")}, ValueError, "data_range=nan"),
        (np.zeros((32, 32), np.float32), None, {"data_range": (1, -1)}, ValueError, "low < high"),
        (np.zeros((32, 32), np.float32), None, {"data_range": "big"}, ValueError, "number or a pair"),
        (
            np.full((32, 32), np.nan, np.float32),
            None,
            {"data_range": 1},
            ValueError,
            "x: NaN or infinity in image 0, row 0",
        ),
        (np.zeros((32, 32)), np.full((32, 32), np.inf), {"data_range": 1}, ValueError, "y: NaN or infinity"),
        (np.zeros((0, 32, 32, 3), np.uint8), None, {}, ValueError, r"x is empty: its shape is \(0, 32, 32, 3\)"),
        (np.zeros((32, 32), np.int32), None, {}, TypeError, "x has dtype int32"),
        (np.zeros((32, 32), bool), None, {}, TypeError, "x has dtype bool"),
        (np.zeros((32, 32), complex), None, {}, TypeError, "x has dtype complex128"),
        (np.zeros(32, np.uint8), None, {}, ValueError, r"x has shape \(32,\)"),
        (np.zeros((2, 2, 2, 32, 32), np.uint8), None, {}, ValueError, "x has shape"),
        (np.zeros((32, 32, 3), np.uint8), None, {"channel_axis": 3}, ValueError, "channel_axis=3 is out of range"),
        (np.zeros((32, 32, 3), np.uint8), None, {"channel_axis": "last"}, TypeError, "channel_axis='last'"),
        (np.zeros((2, 32, 32, 3), np.uint8), None, {"channel_axis": None}, ValueError, "channel_axis=None"),
        (np.zeros((32, 32), np.uint8), None, {"preset": "best"}, ValueError, "preset='best' is not known.*'wang2004'"),
        (np.zeros((32, 32), np.uint8), None, {"preset": None}, ValueError, "preset=None"),
        (np.zeros((32, 32), np.uint8), None, {"win_size": 7}, TypeError, "no argument 'win_size'"),
        (np.zeros((32, 32), np.uint8), None, {"window_size": 8}, ValueError, "window_size=8 must be odd"),
        (np.zeros((32, 32), np.uint8), None, {"window_size": 1}, ValueError, "window_size=1"),
        (
            np.zeros((32, 32), np.uint8),
            None,
            {"window_size": 7.0},
            TypeError,
            r"window_size=7.0 must be a whole number",
        ),
        (
            np.zeros((32, 32), np.uint8),
            None,
            {"window_size": 2**31 + 1},
            ValueError,
            "window_size=2147483649 must be a whole number from 1",
        ),
        (np.zeros((32, 32), np.uint8), None, {"full": "yes"}, TypeError, "full='yes' must be True or False"),
        (np.zeros((32, 32), np.uint8), None, {"data_range": "255"}, ValueError, "data_range='255' must be a number"),
        (np.zeros((32, 32), np.uint8), None, {"data_range": True}, ValueError, "data_range=True must be a number"),
        (
            np.zeros((32, 32), np.uint8),
            None,
            {"data_range": ("0", "255")},
            ValueError,
            r"data_range=\('0', '255'\) must be a number",
        ),
        (
            np.zeros((32, 32), np.uint8),
            None,
            {"data_range": (False, True)},
            ValueError,
            r"data_range=\(False, True\) must be a number",
        ),
        (np.zeros((32, 32), np.uint8), None, {"data_range": np.array(["0", "1"])}, ValueError, "must be a number or a"),
        (np.zeros((32, 32), np.uint8), None, {"data_range": np.array(True)}, ValueError, "must be a number or a pair"),
        (np.zeros((32, 32), np.uint8), None, {"data_range": 10**400}, ValueError, "must be positive and finite"),
        (
            np.zeros((32, 32), np.uint8),
            None,
            {"exponents": (1, [1, 2], 3)},
            TypeError,
            r"exponents holds \[1, 2\]: each must be a number",
        ),
        (np.zeros((32, 32), np.uint8), None, {"exponents": 1}, ValueError, "exponents=1 must be three numbers"),
        (np.zeros((3, 64, 64), np.uint8), None, {}, ValueError, "read as 3 x 64 with 64 channels: set channel_axis"),
        (np.full((32, 32), 1e200), None, {"data_range": 1}, ValueError, "over- or underflows at data_range=1 "),
        (
            np.full((32, 32), 0.5),
            None,
            {"data_range": 1e200},
            ValueError,
            r"data_range=1e\+200 with k1=0.01 .* scale the",
        ),
        (np.full((32, 32), 1e6), np.full((32, 32), -1e6), {"data_range": 1}, ValueError, r"-1e\+06 to 1e\+06, too far"),
        (np.zeros((32, 32), np.uint8), None, {"window": "hann"}, ValueError, "window='hann'"),
        (np.zeros((32, 32), np.uint8), None, {"sigma": 0}, ValueError, "sigma=0 must be positive"),
        (np.zeros((32, 32), np.uint8), None, {"sigma": "wide"}, TypeError, "sigma='wide' must be a number"),
        (np.zeros((32, 32), np.uint8), None, {"sigma": True}, TypeError, "sigma=True must be a number"),
        (np.zeros((32, 32), np.uint8), None, {"k1": "0.01"}, TypeError, "k1='0.01' must be a number"),
        (np.zeros((32, 32), np.uint8), None, {"k2": np.array(False)}, TypeError, "k2=.*False.* must be a number"),
        (np.zeros((32, 32), np.uint8), None, {"exponents": ["1"] * 3}, TypeError, "exponents holds '1': each must be"),
        (np.zeros((32, 32), np.uint8), None, {"exponents": (1, True, 1)}, TypeError, "exponents holds True: each must"),
        (np.zeros((32, 32), np.uint8), None, {"k1": -0.01}, ValueError, "k1=-0.01 must"),
        (np.zeros((32, 32), np.uint8), None, {"k2": float("nan")}, ValueError, "k2"),
        (np.zeros((32, 32), np.uint8), None, {"border": "wrap"}, ValueError, "border='wrap'"),
        (np.zeros((32, 32), np.uint8), None, {"covariance": 1}, ValueError, "covariance=1"),
        (np.zeros((32, 32), np.uint8), None, {"downsample": 2}, ValueError, "downsample=2"),
        (np.zeros((32, 32), np.uint8), None, {"exponents": (1, 1)}, ValueError, "exponents"),
        (np.zeros((32, 32), np.uint8), None, {"exponents": (1, -1, 1)}, ValueError, "exponents holds -1: each"),
        (
            np.full((32, 32), 1.5),
            None,
            {"data_range": (0, 1), "preset": "torchmetrics"},
            ValueError,
            r"outside data_range=\(0, 1\)",
        ),
        (np.ma.masked_equal(np.zeros((32, 32), np.uint8), 0), None, {}, TypeError, "masked"),
        ([[0, 1], [2, 3]], None, {}, TypeError, "x is a list"),
        ("image.png", None, {}, TypeError, "x is a str"),
        (None, None, {}, TypeError, "x is a NoneType"),
    ],
)
def test_bad_input(x: object, y: object, options: dict, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        pixelgauge.ssim(x, x if y is None else y, **options)


@pytest.mark.boundary
def test_foreign_byte_order_and_float16_are_converted(rng: np.random.Generator) -> None:
    x = rng.integers(0, 65536, (32, 32), dtype=np.uint16)
    y = x[::-1].copy()
    assert pixelgauge.ssim(x.astype(">u2"), y.astype(">u2")) == pixelgauge.ssim(x, y)
