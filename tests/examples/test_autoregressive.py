"""The autoregressive model, run with --quick: bits beat the baseline, the file equals JAX, figures are within their spread.

Bounds of figures are wider than the range over seeds 0 to 2 that stands beside them, by at least that range again, as
far as the figure can go.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
from PIL import Image

import pixelgauge

EXAMPLE = "autoregressive"

REACH = 10


def logits_of(folder: Path, framed: np.ndarray) -> np.ndarray:
    """Logits (N, 28, 28, 8) that the file gives for images in their frame, at no particular place."""
    session = onnxruntime.InferenceSession(folder / "autoregressive.onnx", providers=["CPUExecutionProvider"])
    (logits,) = session.run(None, {"x": framed, "place": np.zeros((len(framed), 28, 28, 5), np.float32)})
    return logits


@pytest.mark.parity
def test_the_onnx_file_gives_what_jax_gave(figures: dict[str, Any]) -> None:
    assert figures["onnx_difference"] <= 1e-5


@pytest.mark.property
def test_a_pixel_depends_on_those_before_it_alone(folder: Path) -> None:
    framed = np.zeros((2, 28 + REACH, 28 + 2 * REACH, 1), np.float32)
    framed[1, REACH + 14, REACH + 14] = 1  # the pixel in row 14 and column 14
    logits = logits_of(folder, framed)
    assert logits.shape == (2, 28, 28, 8)
    rows, columns = np.nonzero(np.any(logits[0] != logits[1], axis=-1))
    assert (rows * 28 + columns).min() == 14 * 28 + 15
    assert set(rows - 14) == set(range(REACH + 1))
    assert set(columns - 14) == set(range(-REACH, REACH + 1))


@pytest.mark.property
def test_one_pixel_from_what_surrounds_it_is_as_in_the_whole(folder: Path) -> None:
    framed = np.random.default_rng(0).random((1, 28 + REACH, 28 + 2 * REACH, 1), np.float32)
    session = onnxruntime.InferenceSession(folder / "autoregressive.onnx", providers=["CPUExecutionProvider"])
    around = np.ascontiguousarray(framed[:, 5 : 5 + REACH + 1, 9 : 9 + 2 * REACH + 1])
    (alone,) = session.run(None, {"x": around, "place": np.zeros((1, 1, 1, 5), np.float32)})
    # float32 sums of 220 terms in another order
    np.testing.assert_allclose(alone[0, 0, 0], logits_of(folder, framed)[0, 5, 9], rtol=1e-4, atol=1e-4)


def test_bits_fall_and_beat_the_histogram_of_each_pixel(figures: dict[str, Any]) -> None:
    assert np.all(np.diff(figures["bits"]) < 0)
    assert figures["bits_held_out"][2] < figures["baseline_bits"][1]  # the intervals do not touch
    assert figures["baseline_bits"][2] < pixelgauge.bits_per_dim(784 * np.log(8), 784)


SPREAD = {
    "bits_held_out": (0.53, 0.7),  # 0.596 to 0.640
    "bits_samples": (0.58, 0.68),  # 0.618 to 0.641
    "epoch_2.frechet": (2.5, 6.7),  # 3.90 to 5.23
    "epoch_2.precision": (0.83, 0.99),  # .882 to .930
    "training_digits.precision": (0.85, 0.95),  # .886: the classifier's seed is not the run's
    "epoch_2.recall": (0.19, 0.31),  # .242 to .253: a sample of 400 alone has +-.04
    "outliers.correlation_with_zlib": (0.83, 0.89),  # .855 to .866
    "outliers.turned.likelihood_auroc": (0.56, 0.66),  # .601 to .625
    "outliers.small.likelihood_auroc": (0.0, 0.06),  # .011 to .031
    "outliers.small.complexity_auroc": (0.92, 1.0),  # .950 to .971
    "completion.one_draw.ssim": (0.03, 0.11),  # .062 to .081
    "completion.mean_of_draws.ssim": (0.04, 0.16),  # .083 to .117
    "completion.mean_of_draws.mse": (5200, 5800),  # 5410 to 5555
}


@pytest.mark.parametrize("name", SPREAD)
def test_figures_are_within_their_spread(figures: dict[str, Any], name: str) -> None:
    low, high = SPREAD[name]
    value = figures[name]
    assert low <= (value[0] if isinstance(value, list) else value) <= high


def test_simpler_images_are_more_likely_and_their_complexity_tells_them(figures: dict[str, Any]) -> None:
    for name in ("small", "blank"):
        assert figures[f"outliers.{name}.likelihood_auroc"][2] < 0.5
        assert figures[f"outliers.{name}.complexity_auroc"][1] > 0.5
    for name in ("noise", "inverted"):
        assert figures[f"outliers.{name}.likelihood_auroc"][1] > 0.5


def test_the_mean_of_draws_has_the_smaller_squared_error(figures: dict[str, Any]) -> None:
    assert figures["completion.mean_of_draws.mse"][0] < figures["completion.one_draw.mse"][0]


def test_what_is_left_behind(folder: Path) -> None:
    samples = np.load(folder / "samples.npy")
    assert samples.shape == (400, 28, 28, 1)
    assert samples.dtype == np.uint8
    assert np.unique(samples).size <= 8
    for picture in ("samples_2", "bits", "outliers", "outliers_bits", "completions"):
        with Image.open(folder / f"{picture}.png") as image:
            assert min(image.size) > 50
