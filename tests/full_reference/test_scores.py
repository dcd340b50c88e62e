"""Many metrics in one pass: every digit as each alone, for any pictures, layouts, presets, threads and instruction sets."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import pixelgauge
from pixelgauge.presets import MS_SSIM_PRESETS, SSIM_PRESETS
from tests.engine.runs import comparing
from tests.full_reference.strategies import Pair, isas, pairs, running_on

EVERY = (
    "mse",
    "mae",
    "psnr",
    "ssim",
    *(f"ssim:{preset}" for preset in SSIM_PRESETS),
    "ms-ssim",
    *(f"ms-ssim:{preset}" for preset in MS_SSIM_PRESETS),
)


def alone(name: str, x: np.ndarray, y: np.ndarray, length: float, channel_axis: int | None) -> Any:
    """One metric by its own function."""
    metric, _, preset = name.partition(":")
    options: dict[str, Any] = {"channel_axis": channel_axis}
    if metric not in ("mse", "mae"):
        options["data_range"] = length
    if preset:
        options["preset"] = preset
    return getattr(pixelgauge, metric.replace("-", "_"))(x, y, **options)


def same(values: Any, expected: Any) -> bool:
    return np.array_equal(values, expected, equal_nan=True)


@pytest.mark.property
@given(
    pair=pairs(least=12),
    metrics=st.lists(st.sampled_from(EVERY), min_size=1, max_size=6, unique=True),
    isa=isas,
    threads=st.sampled_from([1, 3]),
)
def test_each_is_what_it_is_alone(pair: Pair, metrics: list[str], isa: str, threads: int) -> None:
    if min(pair.x.shape[:2]) < 176:
        metrics = [name for name in metrics if not name.startswith("ms-ssim")] or ["mae"]
    with running_on(isa, threads), warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # MS-SSIM of negative terms
        found = pixelgauge.scores(pair.x, pair.y, metrics, data_range=pair.length, channel_axis=pair.channel_axis)
        assert list(found) == metrics
        for name, value in found.items():
            assert isinstance(value, float)
            assert same(value, alone(name, pair.x, pair.y, pair.length, pair.channel_axis)), name


@pytest.mark.property
@pytest.mark.usefixtures("restored_threads")
@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32", "float64"])
def test_batches_of_every_layout(rng: np.random.Generator, dtype: str, each_isa: str) -> None:
    length = float(np.iinfo(dtype).max) if dtype.startswith("u") else 1.0
    first = rng.random((3, 180, 190, 4))
    x, y = (
        (values * length).astype(dtype) for values in (first, np.clip(first + rng.normal(0, 0.1, first.shape), 0, 1))
    )
    packed = [np.ascontiguousarray(images[..., :3]) for images in (x, y)]
    layouts = {
        "rgbx": (x[..., :3], y[..., :3]),
        "planar": tuple(np.moveaxis(np.ascontiguousarray(np.moveaxis(images, -1, 1)), 1, -1) for images in packed),
        "upside down": tuple(images[:, ::-1].copy()[:, ::-1] for images in packed),
        "mirrored": tuple(images[:, :, ::-1].copy()[:, :, ::-1] for images in packed),
        "bgr": tuple(images[..., ::-1].copy()[..., ::-1] for images in packed),
        "every second": tuple(np.repeat(images, 2, 2)[:, :, ::2] for images in packed),
        "one of each": (packed[0], y[..., :3]),
        "packed": tuple(packed),
    }
    pixelgauge.set_num_threads(1)
    expected = {name: alone(name, *packed, length, -1) for name in EVERY}
    for threads in (1, 2):
        pixelgauge.set_num_threads(threads)
        for layout, (a, b) in layouts.items():
            found = pixelgauge.scores(a, b, EVERY, data_range=length)
            for name, values in found.items():
                assert same(values, expected[name]), (layout, name)
            if threads == 1:
                for name in EVERY:
                    assert same(alone(name, a, b, length, -1), expected[name]), (layout, name)


@pytest.mark.property
def test_an_element_between_pixels_is_not_looked_at(rng: np.random.Generator, each_isa: str) -> None:
    x, y = rng.random((2, 90, 70, 4), np.float32)
    x[..., 3], y[..., 3] = np.nan, np.inf
    found = pixelgauge.scores(x[..., :3], y[..., :3], ("mse", "mae", "ssim"), data_range=1)
    packed = [np.ascontiguousarray(image[..., :3]) for image in (x, y)]
    assert found == pixelgauge.scores(*packed, ("mse", "mae", "ssim"), data_range=1)


@pytest.mark.property
@given(data=st.data())
def test_views_of_any_strides_score_as_copies(data: st.DataObject) -> None:
    dtype = data.draw(st.sampled_from(["uint8", "uint16", "float32", "float64"]))
    shape = data.draw(st.tuples(st.integers(12, 80), st.integers(12, 80), st.integers(1, 6)))
    steps = data.draw(st.tuples(*[st.sampled_from([-3, -2, -1, 1, 2, 3, 5])] * 3))
    order = data.draw(st.permutations(range(3)))
    isa = data.draw(isas)
    rng = np.random.default_rng(data.draw(st.integers(0, 9)))

    def view() -> np.ndarray:
        stored = [shape[axis] * abs(steps[axis]) for axis in order]
        values = rng.random(stored) * (1 if dtype.startswith("f") else np.iinfo(dtype).max)
        pixels = np.transpose(values.astype(dtype), np.argsort(order))
        return pixels[tuple(slice(None, None, step) for step in steps)]

    x, y = view(), view()
    metrics = ("mse", "mae", "ssim", "ssim:skimage", "ssim:opencv")
    length = 1.0 if dtype.startswith("f") else None
    with running_on(isa, 1):
        copies = pixelgauge.scores(np.ascontiguousarray(x), np.ascontiguousarray(y), metrics, data_range=length)
        assert pixelgauge.scores(x, y, metrics, data_range=length) == copies
        assert pixelgauge.scores(np.ascontiguousarray(x), y, metrics, data_range=length) == copies


@pytest.mark.oracle
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32, np.float64])
@pytest.mark.parametrize("shape", [(1, 1), (1, 257), (64, 64), (33, 47, 3), (5, 40, 41, 4), (300, 401, 3)])
def test_mae_against_numpy(rng: np.random.Generator, dtype: type, shape: tuple[int, ...], each_isa: str) -> None:
    top = np.iinfo(dtype).max if np.issubdtype(dtype, np.integer) else 1
    x, y = ((rng.random(shape) * top).astype(dtype) for _ in range(2))
    axes = tuple(range(1, 4)) if len(shape) == 4 else None
    expected = np.mean(np.abs(x.astype(np.float64) - y.astype(np.float64)), axis=axes)
    # integers are exact; floats differ by the order of float64 sums
    np.testing.assert_allclose(pixelgauge.mae(x, y), expected, rtol=1e-13)


@pytest.mark.boundary
@pytest.mark.parametrize("metrics", [("ssim:skimage", "ssim:skimage"), ["mse", "psnr", "mse"]])
def test_a_metric_that_is_named_twice_is_refused(metrics: Any) -> None:
    x = np.zeros((16, 16), np.uint8)
    with pytest.raises(ValueError, match="must name each metric once"):
        pixelgauge.scores(x, x, metrics, channel_axis=None)


@pytest.mark.boundary
@pytest.mark.parametrize(
    ("metrics", "error", "message"),
    [
        ("ssim", TypeError, r"metrics='ssim' must be a sequence of names: pass a tuple"),
        ((), TypeError, r"metrics=\(\) must be a sequence"),
        ((3,), TypeError, "metrics holds 3: each must be a name"),
        (("psnr", "vmaf"), ValueError, "metrics='vmaf' is not known: use one of 'mse', 'mae'"),
        (("ssim:vmaf",), ValueError, "metrics='vmaf' is not known: use one of 'wang2004'"),
        (("psnr:skimage",), ValueError, "psnr has no presets: use 'psnr'"),
    ],
)
def test_metrics_that_there_are_not(metrics: Any, error: type[Exception], message: str) -> None:
    x = np.zeros((16, 16), np.uint8)
    with pytest.raises(error, match=message):
        pixelgauge.scores(x, x, metrics)


@pytest.mark.boundary
@pytest.mark.parametrize(
    ("x", "y", "options"),
    [
        (np.zeros((16, 16), np.uint8), np.zeros((16, 17), np.uint8), {}),
        (np.zeros((16, 16), np.uint8), np.zeros((16, 16), np.float32), {}),
        (np.zeros((16, 16), np.int16), np.zeros((16, 16), np.int16), {}),
        (np.zeros((16, 16)), np.zeros((16, 16)), {}),
        (np.full((16, 16), np.nan), np.zeros((16, 16)), {"data_range": 1}),
        (np.zeros((16, 16)), np.full((16, 16), np.inf), {"data_range": 1}),
        (np.zeros((8, 16), np.uint8), np.zeros((8, 16), np.uint8), {}),
        (np.zeros((3, 32, 32), np.uint8), np.zeros((3, 32, 32), np.uint8), {}),
        (np.zeros((0, 16), np.uint8), np.zeros((0, 16), np.uint8), {}),
        (np.zeros((16, 16)), np.ones((16, 16)), {"data_range": -1}),
        (np.zeros((16, 16)), np.ones((16, 16)), {"data_range": "wide"}),
    ],
)
def test_bad_images_are_refused_as_by_ssim(x: np.ndarray, y: np.ndarray, options: dict[str, Any]) -> None:
    with pytest.raises((TypeError, ValueError)) as expected:
        pixelgauge.ssim(x, y, **options)
    with pytest.raises(type(expected.value)) as found:
        pixelgauge.scores(x, y, ("ssim", "mae"), **options)
    assert str(found.value) == str(expected.value)


@pytest.mark.boundary
def test_values_that_a_preset_would_clip_are_refused() -> None:
    x = np.full((16, 16), 2.0)
    with pytest.raises(ValueError, match="preset 'torchmetrics' clips to"):
        pixelgauge.scores(x, x, ("ssim:torchmetrics",), data_range=(0, 1))


@pytest.mark.boundary
def test_negative_terms_of_ms_ssim_are_warned_of(rng: np.random.Generator) -> None:
    x = rng.integers(0, 256, (176, 176), np.uint8)
    with pytest.warns(RuntimeWarning, match="MS-SSIM is NaN"):
        found = pixelgauge.scores(x, 255 - x, ("mse", "ms-ssim"))
    assert np.isnan(found["ms-ssim"])


@pytest.mark.property
def test_the_engine_scores_as_the_functions(rng: np.random.Generator) -> None:
    x = rng.integers(0, 256, (2, 180, 190, 3), np.uint8)
    y = np.clip(x + rng.integers(-9, 10, x.shape), 0, 255).astype(np.uint8)
    found = comparing(("mse", "psnr", "ssim", "ms-ssim"), preset="skimage").score(x, y)
    for name in found:
        assert same(found[name], alone("ssim:skimage" if name == "ssim" else name, x, y, 255, -1)), name
