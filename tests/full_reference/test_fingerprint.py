"""What made a number is said in full, and refused where the function would refuse it."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

import pixelgauge
from pixelgauge.presets import MS_SSIM_PRESETS, SSIM_PRESETS


@pytest.mark.property
@pytest.mark.parametrize("preset", SSIM_PRESETS)
def test_the_settings_give_the_presets_number(preset: str, natural: dict[str, np.ndarray]) -> None:
    x = natural["camera"][:128, :128]
    y = np.clip(x.astype(int) + 9, 0, 255).astype(np.uint8)
    facts: dict[str, Any] = json.loads(json.dumps(pixelgauge.fingerprint("ssim", preset=preset)))
    names = ("window", "window_size", "sigma", "k1", "k2", "border", "covariance", "downsample")
    settings = {name: facts[name] for name in names}
    assert pixelgauge.ssim(x, y, preset=preset) == pixelgauge.ssim(x, y, **settings)
    assert facts["source"] == SSIM_PRESETS[preset].source


@pytest.mark.property
def test_what_differs_shows() -> None:
    plain = pixelgauge.fingerprint("ssim", data_range=(0, 1))
    assert plain["data_range"] == [0.0, 1.0]
    assert pixelgauge.fingerprint("ssim", window_size=9, data_range=1)["window_size"] == 9
    assert pixelgauge.fingerprint("ssim", exponents=(1, 2, 1))["exponents"] == [1.0, 2.0, 1.0]
    assert pixelgauge.fingerprint("psnr", data_range=255)["data_range"] == 255
    assert "data_range" not in pixelgauge.fingerprint("mse")
    weights = pixelgauge.fingerprint("ms_ssim", weights=np.array([0.5, 0.5]), combine="sum")
    assert (weights["weights"], weights["combine"], weights["preset"]) == ([0.5, 0.5], "sum", "wang2003")
    for preset in MS_SSIM_PRESETS:
        assert pixelgauge.fingerprint("ms_ssim", preset=preset)["preset"] == preset
    assert pixelgauge.fingerprint("ssim", window_size=2**31 - 1)["window_size"] == 2**31 - 1  # of a larger image
    assert plain["version"] == pixelgauge.__version__
    assert plain["isa"] == pixelgauge.isa()


@pytest.mark.boundary
@pytest.mark.parametrize(
    ("metric", "arguments", "error", "message"),
    [
        ("vmaf", {}, ValueError, "metric='vmaf' is not known: use one of 'mse', 'psnr', 'ssim', 'ms_ssim'"),
        (None, {}, ValueError, "metric=None is not known"),
        ("mse", {"data_range": 1}, TypeError, "data_range=1 has no part in mse"),
        ("psnr", {"preset": "wang2004"}, TypeError, "preset='wang2004' has no part in psnr: use data_range"),
        ("ssim", {"preset": "wang2003"}, ValueError, "preset='wang2003' is not known"),
        ("ssim", {"window": "square"}, ValueError, "window='square' is not known"),
        ("ssim", {"window_size": 2.5}, TypeError, "window_size=2.5 must be a whole number"),
        ("ssim", {"window_size": 4}, ValueError, "window_size=4 must be odd"),
        ("ssim", {"sigma": -1}, ValueError, "sigma=-1"),
        ("ssim", {"k1": float("nan")}, ValueError, "k1=nan"),
        ("ssim", {"exponents": (1, float("inf"), 1)}, ValueError, "exponents"),
        ("ms_ssim", {"weights": [float("nan")]}, ValueError, "weights holds nan"),
        ("ms_ssim", {"weights": [0, 0]}, ValueError, "weights are all zero"),
        ("ms_ssim", {"weights": [1] * 40}, ValueError, "scales=40 must be 1 to 16"),
        ("psnr", {"data_range": 1e-200}, ValueError, "leaves float64's room"),
        ("ssim", {"channel_axis": 1}, TypeError, "no argument 'channel_axis'"),
        ("ssim", {"data_range": (1, 0)}, ValueError, "must be positive and finite, or a pair with low < high"),
        ("ms_ssim", {"combine": "mean"}, ValueError, "combine='mean' is not known"),
        ("ms_ssim", {"weights": "abc"}, ValueError, "weights='abc' must be a sequence"),
        ("ms_ssim", {"sigma": 2}, TypeError, "sigma=2 has no part in ms_ssim"),
    ],
)
def test_what_the_function_refuses_is_refused(
    metric: str, arguments: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error) as caught:
        pixelgauge.fingerprint(metric, **arguments)
    assert message in str(caught.value)
