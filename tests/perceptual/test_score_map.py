"""Maps of scores over an image: the values of the metric's own map, each where its pixels are."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import pixelgauge
from pixelgauge.presets import SSIM_PRESETS
from tests.perceptual.weights import random_weights
from tests.pictures import noisy, random_pixels

X = random_pixels((48, 40, 3))
Y = noisy(X, np.random.default_rng(1))


@pytest.fixture
def drawing() -> None:
    pytest.importorskip("matplotlib", reason="matplotlib, the plot extra, is not installed")


@pytest.mark.parametrize("preset", SSIM_PRESETS)
def test_map_and_score_are_the_metrics(preset: str) -> None:
    display = pixelgauge.ScoreMapDisplay.from_images(X, Y, preset=preset)
    score, index = pixelgauge.ssim(X, Y, preset=preset, full=True)
    assert display.score == score
    np.testing.assert_array_equal(display.score_map, index.mean(axis=-1))
    np.testing.assert_array_equal(display.image, Y)
    assert display.name == f"ssim {preset}"
    left, right, bottom, top = display.extent
    assert (right - left, bottom - top) == display.score_map.shape[::-1]
    assert (left + right, bottom + top) == (39, 47)  # its middle is the image's


def test_each_value_lies_over_its_window() -> None:
    y = X.copy()
    y[20, 30] = 255 - y[20, 30]
    display = pixelgauge.ScoreMapDisplay.from_images(X, y, preset="skimage")
    rows, columns = np.nonzero(display.score_map < 1)
    left, _, _, top = display.extent
    # windows of seven pixels that hold the changed one have their middles within three of it
    assert {int(row + top + 0.5) for row in rows} == set(range(17, 24))
    assert {int(column + left + 0.5) for column in columns} == set(range(27, 34))


@pytest.mark.parametrize(("preset", "factor"), [("piq", 2), ("matlab", 3)])
def test_downsampled_maps_cover_the_image(preset: str, factor: int) -> None:
    x = random_pixels((800, 640))  # 640 / 256 is a half, which the programs round otherwise
    display = pixelgauge.ScoreMapDisplay.from_images(x, 255 - x, preset=preset, channel_axis=None)
    left, right, bottom, top = display.extent
    assert (right - left, bottom - top) == tuple(factor * n for n in display.score_map.shape[::-1])
    assert 640 - 12 * factor < right - left <= 640
    assert 800 - 12 * factor < bottom - top <= 800


@pytest.mark.parametrize("preset", ["piq", "matlab"])
def test_the_factor_is_that_of_the_map(preset: str) -> None:
    for side in (127, 128, 129, 383, 384, 385, 640, 641):
        factor = pixelgauge.presets.SSIM_PRESETS[preset].downsample_factor(side + 7, side)
        _, found = pixelgauge.ssim(*random_pixels((2, side + 7, side)), preset=preset, channel_axis=None, full=True)
        reduced = -(-side // factor) if preset == "matlab" else side // factor
        assert found.shape[1] == reduced - 10, side


@pytest.mark.parametrize("channel_axis", [-1, 0, 1])
def test_any_axis_of_channels(channel_axis: int) -> None:
    moved = (np.moveaxis(image, -1, channel_axis) for image in (X, Y))
    display = pixelgauge.ScoreMapDisplay.from_images(*moved, channel_axis=channel_axis)
    plain = pixelgauge.ScoreMapDisplay.from_images(X, Y)
    np.testing.assert_allclose(display.score_map, plain.score_map, rtol=1e-6)
    np.testing.assert_array_equal(display.image, Y)


def test_what_is_below_the_map_is_as_it_looks() -> None:
    for dtype, data_range in ((np.uint8, None), (np.uint16, None), (np.float32, 255.0), (np.float64, (-255.0, 255.0))):
        x, y = (np.asarray(image, dtype) * (257 if dtype is np.uint16 else 1) for image in (X, Y))
        display = pixelgauge.ScoreMapDisplay.from_images(x, y.astype(dtype), data_range=data_range)
        seen = display.image / 255 if display.image.dtype == np.uint8 else display.image
        expected = Y / 255 if data_range != (-255.0, 255.0) else (Y + 255.0) / 510
        np.testing.assert_allclose(seen, expected, atol=1e-6)
    gray = pixelgauge.ScoreMapDisplay.from_images(X[..., 0], Y[..., 0])
    assert gray.image.shape == (48, 40)


@pytest.mark.boundary
@pytest.mark.parametrize(
    ("x", "options", "error", "message"),
    [
        (np.stack([X, X]), {}, ValueError, r"y has shape \(2, 48, 40, 3\), a batch of images"),
        (X, {"metric": "psnr"}, TypeError, "metric='psnr' must be \"ssim\", or an LPIPS that is loaded"),
        (X, {"preset": "nobody's"}, ValueError, "preset"),
        (X.astype(float), {}, ValueError, "data_range is needed"),
    ],
)
def test_refused(x: np.ndarray, options: dict[str, Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        pixelgauge.ScoreMapDisplay.from_images(x, x, **options)


@pytest.mark.usefixtures("drawing")
def test_drawn_over_the_image() -> None:
    from matplotlib.figure import Figure

    display = pixelgauge.ScoreMapDisplay.from_images(X, Y)
    assert display.im_ is None
    assert display.plot() is display
    np.testing.assert_array_equal(display.im_.get_array(), display.score_map)
    np.testing.assert_array_equal(display.image_.get_array(), Y)
    assert display.im_.get_alpha() == 0.7
    assert tuple(display.im_.get_extent()) == display.extent
    assert display.im_.get_clim() == display.limits
    assert display.ax_.get_xlim() == (-0.5, 39.5)
    assert display.ax_.get_title() == f"ssim wang2004 {display.score:.4f}"
    assert display.colorbar_ is not None
    assert display._repr_png_().startswith(b"\x89PNG")
    axes = Figure().subplots()
    display.plot(axes, name="other", cmap="gray", vmin=0.5, vmax=0.9, colorbar=False)
    assert (display.ax_, display.colorbar_, display.im_.get_clim()) == (axes, None, (0.5, 0.9))
    assert axes.get_title().startswith("other")


@pytest.mark.usefixtures("drawing")
def test_a_map_alone() -> None:
    display = pixelgauge.ScoreMapDisplay(np.eye(4)).plot()
    assert (display.image_, display.im_.get_alpha(), display.ax_.get_title()) == (None, 1, "")


def test_the_map_of_lpips(tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime", reason="onnxruntime, the cpu extra, is not installed")
    metric = pixelgauge.LPIPS("alex", weights=random_weights("alex", tmp_path))
    x, y = random_pixels((64, 64, 3)), random_pixels((64, 64, 3), 1)
    display = pixelgauge.ScoreMapDisplay.from_images(x, y, metric=metric)
    distance, score_map = metric(x, y, spatial=True)
    assert (display.score, display.name) == (distance, "lpips alex")
    np.testing.assert_array_equal(display.score_map, score_map)
    assert display.limits == (0, score_map.max())
    same = pixelgauge.ScoreMapDisplay.from_images(x, x, metric=metric)
    assert same.limits == (0, 1)


@pytest.mark.boundary
def test_without_matplotlib(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(ImportError, match="plots need matplotlib"):
        pixelgauge.ScoreMapDisplay(np.eye(4)).plot()
