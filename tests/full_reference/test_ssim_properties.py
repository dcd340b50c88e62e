"""What SSIM promises for every picture: 1 for equal ones and never more, symmetry, each window within its bound, the same bits on
any number of threads; drawn at random, and swept over what rounds worst: flat and two-level pictures, dark and bright noise."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import pixelgauge
from pixelgauge.presets import MS_SSIM_PRESETS, SSIM_PRESETS
from tests.full_reference import oracles as oracle
from tests.full_reference.strategies import Pair, isas, pairs, running_on

# Rounding of float32 about a value of the window: a mean of 255 rounds by 1e-5 against sqrt(2 C2) = 10.8, ten times in a row of taps
# (docs/reference/presets.md). Worst seen in a window 7e-7, in a score 5e-7.
SCORE_TOLERANCE, WINDOW_TOLERANCE = 1e-6, 2e-6
FLOAT64_TOLERANCE = 1e-9

presets = st.sampled_from(list(SSIM_PRESETS))


def run(pair: Pair, preset: str, **options: object) -> object:
    return pixelgauge.ssim(
        pair.x, pair.y, data_range=pair.length, preset=preset, channel_axis=pair.channel_axis, **options
    )


@pytest.mark.property
@given(pair=pairs(equal=True), preset=presets, isa=isas)
def test_equal_pictures_score_one(pair: Pair, preset: str, isa: str) -> None:
    small = min(pair.x.shape[:2]) < SSIM_PRESETS[preset].window_size
    with running_on(isa):
        assert pixelgauge.mse(pair.x, pair.y, channel_axis=pair.channel_axis) == 0
        if small:
            return
        score, index = run(pair, preset, full=True)
        assert score == 1
        assert (index == 1).all()
        assert tuple(run(pair, preset, components=True)) == (1, 1, 1)
        score, index = run(pair, preset, full=True, exponents=(0.5, 2, 1.5))
        assert score == 1
        assert (index == 1).all()


@pytest.mark.property
@given(
    pair=pairs(equal=True),
    preset=st.sampled_from(list(MS_SSIM_PRESETS)),
    isa=isas,
    combine=st.sampled_from(["sum", "product"]),
)
def test_equal_pictures_score_one_at_every_scale(pair: Pair, preset: str, isa: str, combine: str) -> None:
    least = min(pair.x.shape[:2])
    scales = next((n for n in (5, 4, 3, 2, 1) if least > 10 * 2 ** (n - 1)), 0)
    if not scales:
        return
    weights = MS_SSIM_PRESETS[preset].weights[:scales]
    with running_on(isa):
        options = {"data_range": pair.length, "preset": preset, "channel_axis": pair.channel_axis}
        assert pixelgauge.ms_ssim(pair.x, pair.y, weights=weights, combine=combine, **options) == 1


@pytest.mark.oracle
@given(pair=pairs(least=7), preset=presets, isa=isas)
def test_every_window_is_right(pair: Pair, preset: str, isa: str) -> None:
    if min(pair.x.shape[:2]) < SSIM_PRESETS[preset].window_size:
        return
    with running_on(isa):
        score, index = run(pair, preset, full=True)
    expected, expected_map = oracle.ssim(pair.x, pair.y, pair.length, preset)
    exact = pair.x.dtype == np.float64
    assert abs(score - expected) <= (FLOAT64_TOLERANCE if exact else SCORE_TOLERANCE)
    assert np.abs(index - expected_map).max() <= (FLOAT64_TOLERANCE if exact else WINDOW_TOLERANCE)
    assert score <= 1
    assert index.max() <= 1


@pytest.mark.oracle
@settings(max_examples=60)
@given(pair=pairs(least=22), preset=st.sampled_from(list(MS_SSIM_PRESETS)), isa=isas)
def test_every_scale_is_right(pair: Pair, preset: str, isa: str) -> None:
    scales = next(n for n in (5, 4, 3, 2) if min(pair.x.shape[:2]) > 10 * 2 ** (n - 1))
    weights = MS_SSIM_PRESETS[preset].weights[:scales]
    tolerance = FLOAT64_TOLERANCE if pair.x.dtype == np.float64 else SCORE_TOLERANCE
    options = {"data_range": pair.length, "preset": preset, "channel_axis": pair.channel_axis, "weights": weights}
    for combine in ("sum", "product"):
        expected = oracle.ms_ssim(pair.x, pair.y, pair.length, preset, weights=weights, combine=combine)
        if not expected >= 0.3 and combine == "product":
            continue  # a term near 0, whose small power no arithmetic holds, or a negative one, which has none
        with running_on(isa):
            score = pixelgauge.ms_ssim(pair.x, pair.y, combine=combine, **options)
        assert abs(score - expected) <= tolerance
        assert score <= 1


@pytest.mark.property
@given(pair=pairs(least=11), preset=presets, isa=isas, threads=st.integers(1, 5))
def test_exchange_and_threads_change_no_bit(pair: Pair, preset: str, isa: str, threads: int) -> None:
    with running_on(isa, 1):
        score, index = run(pair, preset, full=True)
        assert (run(pair, preset)) == score
        parts = run(pair, preset, components=True)
    with running_on(isa, threads):
        again, again_map = run(Pair(pair.y, pair.x, pair.length), preset, full=True)
        assert again == score
        assert (again_map == index).all()
        assert run(pair, preset, components=True) == parts
    for part in parts:
        assert -1 <= part <= 1


@pytest.mark.property
@given(pair=pairs(least=11), preset=presets)
def test_instruction_sets_agree(pair: Pair, preset: str) -> None:
    scores = []
    for isa in pixelgauge._core.available_isas():
        with running_on(isa):
            scores.append(run(pair, preset))
    assert max(scores) - min(scores) <= SCORE_TOLERANCE


@pytest.mark.oracle
@pytest.mark.parametrize("preset", ["wang2004", "skimage", "skimage-gaussian", "torchmetrics"])
def test_all_flat_pairs(preset: str, each_isa: str) -> None:
    """Every pixel of a flat picture rounds alike, so that only exact arithmetic is right: all 65,536 pairs of levels."""
    size = SSIM_PRESETS[preset].window_size
    levels = np.arange(256.0)
    x, y = (v.ravel() for v in np.meshgrid(levels, levels, indexing="ij"))
    c1 = (0.01 * 255) ** 2
    expected = (2 * x * y + c1) / (x * x + y * y + c1)

    def pictures(values: np.ndarray) -> np.ndarray:
        return np.broadcast_to(values.astype(np.uint8)[:, None, None], (len(values), size, size + 1))

    scores = pixelgauge.ssim(pictures(x), pictures(y), preset=preset, channel_axis=None)
    assert np.abs(scores - expected).max() <= 2e-7  # of the index alone: no variance
    assert (scores[x == y] == 1).all()


@pytest.mark.oracle
@pytest.mark.parametrize("preset", list(MS_SSIM_PRESETS))
def test_flat_pairs_at_every_scale(preset: str, each_isa: str) -> None:
    levels = np.arange(0, 256, 15.0)
    x, y = (v.ravel() for v in np.meshgrid(levels, levels, indexing="ij"))
    c1 = (0.01 * 255) ** 2
    expected = ((2 * x * y + c1) / (x * x + y * y + c1)) ** 0.1333  # luminance counts at the coarsest scale alone

    def pictures(values: np.ndarray) -> np.ndarray:
        return np.broadcast_to(values.astype(np.uint8)[:, None, None], (len(values), 176, 176))

    scores = pixelgauge.ms_ssim(pictures(x), pictures(y), preset=preset, channel_axis=None)
    assert np.abs(scores - expected).max() <= 1e-9  # no variance at the finer scales, float64 at the coarsest


@pytest.mark.oracle
@pytest.mark.parametrize("preset", ["wang2004", "skimage", "torchmetrics"])
def test_two_levels_with_the_edge_everywhere(preset: str, each_isa: str) -> None:
    """A shift for a tile, strip or row cannot serve both sides of an edge; windows about it hold any part of both."""
    shape = (27, 61)
    rows, columns = np.mgrid[: shape[0], : shape[1]]
    for low, high, other in [(0, 255, 0), (55, 255, 255), (16, 235, 128), (254, 255, 3), (0, 1, 0), (200, 201, 20)]:
        x = [np.where(columns < k, low, high) for k in range(0, shape[1] + 1, 2)]
        x += [np.where(rows < k, low, high) for k in range(shape[0] + 1)]
        x = np.stack(x).astype(np.uint8)
        y = np.full_like(x, other)
        scores, index = pixelgauge.ssim(x, y, preset=preset, channel_axis=None, full=True)
        for i in range(len(x)):
            expected, expected_map = oracle.ssim(x[i], y[i], 255, preset)
            assert abs(scores[i] - expected) <= SCORE_TOLERANCE
            assert np.abs(index[i] - expected_map).max() <= WINDOW_TOLERANCE


@pytest.mark.oracle
@pytest.mark.parametrize("preset", ["wang2004", "skimage", "skimage-gaussian", "torchmetrics"])
def test_noise_of_every_level(rng: np.random.Generator, preset: str, each_isa: str) -> None:
    """Dark, bright and middling noise of any strength: where the variance is near C2, one part in 1e7 of E[v^2] is 1e-5 of it."""
    for level in (0, 1, 3, 8, 16, 24, 64, 128, 200, 240, 254):
        for sigma in (0.3, 1, 3, 5, 5.5, 12, 60):
            x, y = (np.clip(np.rint(level + rng.normal(0, sigma, (72, 90))), 0, 255).astype(np.uint8) for _ in "xy")
            score, index = pixelgauge.ssim(x, y, preset=preset, full=True)
            expected, expected_map = oracle.ssim(x, y, 255, preset)
            assert abs(score - expected) <= 1e-7, (
                level,
                sigma,
            )  # rounding of many windows is independent: worst seen 4.5e-8
            assert np.abs(index - expected_map).max() <= WINDOW_TOLERANCE, (level, sigma)


@pytest.mark.oracle
def test_published_cases() -> None:
    rng = np.random.default_rng(0)
    x, y = (np.clip(np.rint(16 + rng.normal(0, 5, (256, 256))), 0, 255).astype(np.uint8) for _ in "xy")
    assert abs(pixelgauge.ssim(x, y) - 0.54802891) <= 1e-7
    flat, white = np.full((64, 64), 55, np.uint8), np.full((64, 64), 255, np.uint8)
    assert abs(pixelgauge.ssim(flat, white) - 0.41225308) <= 1e-7


@pytest.mark.property
@settings(max_examples=30)
@given(
    seed=st.integers(0, 2**32 - 1),
    isa=isas,
    size=st.sampled_from([3, 5, 7, 9, 11, 13, 31, 33, 65]),
    sigma=st.floats(0.2, 30),
    window=st.sampled_from(["gaussian", "uniform"]),
)
def test_any_window(seed: int, isa: str, size: int, sigma: float, window: str) -> None:
    """Windows whose reference pixel weighs little are filtered in float64: the bound holds for every size and sigma."""
    rng = np.random.default_rng(seed)
    shape = (size + int(rng.integers(0, 40)), size + int(rng.integers(0, 90)), 2)
    x = np.where(rng.random(shape) < 0.02, rng.integers(0, 256, shape), rng.integers(0, 256)).astype(np.uint8)
    y = np.where(rng.random(shape) < 0.02, rng.integers(0, 256, shape), rng.integers(0, 256)).astype(np.uint8)
    options = {"window": window, "window_size": size, "sigma": sigma}
    with running_on(isa):
        score, index = pixelgauge.ssim(x, y, full=True, **options)
        assert pixelgauge.ssim(x, x, **options) == 1
    expected, expected_map = oracle.ssim(x, y, 255, **options)
    assert abs(score - expected) <= SCORE_TOLERANCE
    assert np.abs(index - expected_map).max() <= WINDOW_TOLERANCE


@pytest.mark.oracle
@pytest.mark.parametrize(
    ("preset", "dtype"), [("wang2004", "uint8"), ("skimage-gaussian", "uint16"), ("skimage", "float32")]
)
def test_windows_of_a_few_lines(rng: np.random.Generator, preset: str, dtype: str, each_isa: str) -> None:
    """One line unlike all others, where moments about it cancel most: pictures of one window, whose errors no mean hides."""
    size = SSIM_PRESETS[preset].window_size
    scale = 257 if dtype == "uint16" else 1
    for _ in range(300):
        x, y = (np.full((size, size), rng.integers(256), dtype) for _ in "xy")
        for _ in range(rng.integers(1, 4)):
            line = (slice(None), rng.integers(size))[:: rng.choice([1, -1])]
            x[line], y[line] = rng.integers(256, size=2)
        score = pixelgauge.ssim(
            x * x.dtype.type(scale), y * y.dtype.type(scale), data_range=255.0 * scale, preset=preset
        )
        assert abs(score - oracle.ssim(x.astype(float), y.astype(float), 255, preset)[0]) <= SCORE_TOLERANCE


@pytest.mark.oracle
@pytest.mark.parametrize(
    ("size", "line", "of_x", "of_y", "options"),
    [
        (63, (slice(None), 33), (174, 182), (173, 48), {"window": "uniform", "window_size": 63}),
        (61, (32,), (28, 217), (31, 8), {"sigma": 30.0, "window_size": 61}),
        (11, (slice(None), 7), (209, 218), (107, 206), {"sigma": 0.765}),
        (11, (slice(None), 7), (95, 94), (28, 220), {}),
    ],
)
def test_lines_at_the_reference(size: int, line: tuple, of_x: tuple, of_y: tuple, options: dict, each_isa: str) -> None:
    x, y = np.full((size, size), of_x[0], np.uint8), np.full((size, size), of_y[0], np.uint8)
    x[line], y[line] = of_x[1], of_y[1]
    assert abs(pixelgauge.ssim(x, y, **options) - oracle.ssim(x, y, 255, **options)[0]) <= SCORE_TOLERANCE


@pytest.mark.oracle
@pytest.mark.parametrize("length", [1.0, 2.0])
def test_values_of_both_signs(rng: np.random.Generator, length: float, each_isa: str) -> None:
    """Means near 0 of values that are not: luminance compares them with k1 L."""
    for period in [(1, 2), (2, 1), (2, 3), (3, 3)]:
        x, y = (
            np.tile(rng.choice([-1, 1], period) * rng.uniform(0.7, 1.1, period), (21, 21)).astype(np.float32)
            for _ in "xy"
        )
        score, index = pixelgauge.ssim(x, y, data_range=length, full=True)
        expected, expected_map = oracle.ssim(x, y, length)
        assert abs(score - expected) <= 1e-7  # the map alone is rounded to float32
        assert np.abs(index - expected_map).max() <= 2e-7


@pytest.mark.oracle
def test_values_far_from_zero(each_isa: str) -> None:
    """Beyond 1e8 products of four values leave float32: equal to nothing else, the index once was exactly 1."""
    x = np.full((11, 11), 2.1e12, np.float32)
    x[::2] += np.float32(0.9e7)
    y = x.copy()
    y[:4] += np.float32(0.3e7)
    assert abs(pixelgauge.ssim(x, y, data_range=1e7) - oracle.ssim(x, y, 1e7)[0]) <= SCORE_TOLERANCE
    far = np.full((11, 11), 1e19, np.float32)
    assert pixelgauge.ssim(far, far, data_range=1) == 1
    assert pixelgauge.ms_ssim(far, far, data_range=1, weights=[1.0]) == 1


@pytest.mark.oracle
@pytest.mark.parametrize("weight", [0.1, 0.1333])
def test_one_scale_is_the_coarsest_too(weight: float, each_isa: str) -> None:
    for low, high in ((0, 200), (0, 100), (1, 255)):
        x, y = np.full((64, 64), low, np.uint8), np.full((64, 64), high, np.uint8)
        c1 = 2.55**2
        expected = ((2 * low * high + c1) / (low * low + high * high + c1)) ** weight
        assert abs(pixelgauge.ms_ssim(x, y, weights=[weight]) - expected) <= 1e-9


@pytest.mark.property
@pytest.mark.parametrize(("flat", "dtype", "length"), [(178, np.uint8, 255.0), (0.999, np.float64, 1.0)])
def test_a_flat_image_has_no_structure_to_lose(flat: float, dtype: type, length: float, each_isa: str) -> None:
    """Its variance is 0 exactly beside any other image, or the root of what is left would be 1e-5 of the structure."""
    x, y = np.full((30, 30), flat, dtype), np.zeros((30, 30), dtype)
    y[::2] = length
    assert pixelgauge.ssim(x, y, data_range=length, components=True).structure == 1
    for exponents in ((0, 0, 1), (0, 0, 2)):
        assert pixelgauge.ssim(x, y, data_range=length, exponents=exponents) == 1
