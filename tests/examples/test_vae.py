"""The variational autoencoder, run with --quick: the bound goes up, the files equal JAX, figures within their spread.

Bounds of figures are wider than the range over seeds 0 to 4 that stands beside them, by at least that range again.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
from PIL import Image

import pixelgauge

EXAMPLE = "vae"


@pytest.mark.parity
def test_the_onnx_files_give_what_jax_gave(figures: dict[str, Any]) -> None:
    assert figures["onnx.difference"] <= 1e-5


def test_the_loss_falls(figures: dict[str, Any]) -> None:
    assert np.all(np.diff(figures["train.bound"]) > 0)
    assert np.all(np.diff(figures["along.bound"]) > 0)


def test_the_model_knows_more_than_the_histogram_of_each_pixel(figures: dict[str, Any]) -> None:
    assert figures["held_out.bits_per_dim"] < 0.9 * figures["pixel_histogram.bits_per_dim"]


def test_the_bound_is_its_terms(figures: dict[str, Any]) -> None:
    assert figures["held_out.bound"] == pytest.approx(figures["held_out.log_likelihood"] - figures["held_out.kl"])
    nats = -figures["held_out.bound"]
    assert figures["held_out.bits_per_dim"] == pytest.approx(pixelgauge.bits_per_dim(nats, 28 * 28))
    np.testing.assert_allclose(
        figures["train.bound"], np.subtract(figures["train.log_likelihood"], figures["train.kl"]), rtol=1e-5
    )  # float32 means of the run


@pytest.mark.property
def test_the_bound_of_the_files_is_that_of_their_outputs(folder: Path) -> None:
    """KL of the exported encoder by the plain formula, from the file alone."""
    session = onnxruntime.InferenceSession(folder / "digits_encoder.onnx", providers=["CPUExecutionProvider"])
    mean, log_variance = session.run(None, {"x": np.zeros((3, 28, 28, 1), np.float32)})
    assert mean.shape == log_variance.shape == (3, 16)
    plain = 0.5 * (np.exp(log_variance) + mean**2 - 1 - log_variance).sum(1)
    np.testing.assert_allclose(pixelgauge.gaussian_kl(mean, log_variance), plain, rtol=1e-5)  # float32 beside float64


SPREAD = {
    "classifier.accuracy": (0.90, 0.95),  # 0.920 to 0.930
    "held_out.bound": (-176, -148),  # -166.9 to -157.9
    "held_out.kl": (15, 21),  # 17.1 to 19.0
    "held_out.bits_per_dim": (0.27, 0.33),  # 0.291 to 0.307
    "pixel_histogram.bits_per_dim": (0.376, 0.379),  # of the data alone: 0.3771
    "reconstruction.psnr": (13.4, 15.6),  # 14.16 to 14.85
    "reconstruction.ssim": (0.33, 0.60),  # 0.419 to 0.507
    "samples.frechet": (5.8, 12.7),  # 8.1 to 10.4
    "left_out.2.auroc": (0.78, 0.92),  # 0.828 to 0.871
    "patches.psnr": (7.3, 13.0),  # 9.2 to 11.1
    "defects.ssim.auroc": (0.69, 0.75),  # 0.711 to 0.728
}


@pytest.mark.parametrize("name", SPREAD)
def test_figures_are_within_their_spread(figures: dict[str, Any], name: str) -> None:
    low, high = SPREAD[name]
    value = figures[name]
    assert low <= (value[0] if isinstance(value, list) else value) <= high


def test_intervals_hold_what_they_are_of(figures: dict[str, Any]) -> None:
    for name in ("left_out.2.auroc", "left_out.2.sensitivity", "defects.error.auroc", "samples.recall"):
        value, low, high = figures[name]
        assert low <= value <= high


def test_what_is_left_behind(folder: Path) -> None:
    samples = np.load(folder / "samples.npy")
    assert samples.shape == (1000, 28, 28, 1)
    assert samples.dtype == np.uint8
    for picture in ("training", "samples", "samples_along", "reconstructions", "left_out", "defects"):
        with Image.open(folder / f"{picture}.png") as image:
            assert min(image.size) > 50
