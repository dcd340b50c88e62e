"""SSIM and MS-SSIM against the programs that the presets are named after: frozen numbers always, the programs when installed."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator

import numpy as np
import pytest

import pixelgauge

# Computed in float64 (OpenCV: its own float32) by pytorch-msssim 1.0.0, piq 0.8.0, torchmetrics 1.9.0, scikit-image and
# OpenCV 4 (contrib) on `pair(...)` below.
FROZEN: dict[str, dict[str, float]] = {
    "pytorch-msssim": {"astronaut": 0.5649292348369368, "coffee": 0.5731580679380507, "chelsea": 0.6038025639963659},
    "ms pytorch-msssim": {"astronaut": 0.9474927180659547, "coffee": 0.9570354043473458, "chelsea": 0.9477577044002853},
    "piq": {"astronaut": 0.8279001190923342, "coffee": 0.9085087554074333, "chelsea": 0.6037992035123426},
    "torchmetrics": {"astronaut": 0.560419310866776, "coffee": 0.5734397886403247, "chelsea": 0.5972699739491544},
    "skimage": {"astronaut": 0.5884834361995172, "coffee": 0.5945736946481441, "chelsea": 0.6367527945888861},
    "skimage-gaussian": {"astronaut": 0.5642200815140361, "coffee": 0.5723031524200063, "chelsea": 0.6030056577496073},
    "opencv": {"astronaut": 0.5604196110750094, "coffee": 0.5734399783286955, "chelsea": 0.5972690560436996},
}
# pytorch-msssim keeps its window in float32, OpenCV everything; the rest is float64 beside our float32 pixels.
TOLERANCE = {"pytorch-msssim": 1e-5, "ms pytorch-msssim": 1e-5, "opencv": 2e-6}
# The same where every window rounds alike, dark or bright noise and flat pictures: the two programs are then that far from their
# own definitions in float64, of which ours stay within 1e-6.
TOLERANCE_AT_WORST = {"pytorch-msssim": 5e-5, "ms pytorch-msssim": 5e-5, "opencv": 3e-4}


def pair(image: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Odd sizes, and a degradation in integers that every NumPy makes alike."""
    x = image[:-1, :-3]
    i = np.arange(x.size, dtype=np.int64).reshape(x.shape)
    y = x.astype(np.int64) * 15 // 16 + (i * 2654435761 >> 7) % 37 - 10
    return x, np.clip(y, 0, 255).astype(np.uint8)


def ours(preset: str, x: np.ndarray, y: np.ndarray) -> float:
    if preset.startswith("ms "):
        return float(pixelgauge.ms_ssim(x, y, preset=preset[3:]))
    return float(pixelgauge.ssim(x, y, preset=preset))


def program(preset: str) -> Callable[[np.ndarray, np.ndarray], float]:
    """The named program as a function of two uint8 images; skips if it is not installed."""
    if preset.startswith("skimage"):
        metrics = pytest.importorskip("skimage.metrics", reason="scikit-image is not installed")
        gaussian = preset == "skimage-gaussian"
        return lambda x, y: metrics.structural_similarity(x, y, channel_axis=-1, gaussian_weights=gaussian)
    if preset == "opencv":
        cv2 = pytest.importorskip("cv2", reason="OpenCV is not installed")
        if not hasattr(cv2, "quality"):
            pytest.skip("this OpenCV has no contrib modules")
        return lambda x, y: float(np.mean(cv2.quality.QualitySSIM_compute(x, y)[0][:3]))
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    with contextlib.suppress(ImportError):
        import tvshim  # noqa: F401  (lets torchvision import beside a CPU PyTorch, where needed)

    def tensors(*images: np.ndarray) -> list[object]:
        return [torch.from_numpy(a.copy()).permute(2, 0, 1)[None].double() for a in images]

    if preset.endswith("pytorch-msssim"):
        module = pytest.importorskip("pytorch_msssim", reason="pytorch-msssim is not installed")
        function = module.ms_ssim if preset.startswith("ms ") else module.ssim
        return lambda x, y: float(function(*tensors(x, y), data_range=255))
    if preset == "piq":
        piq = pytest.importorskip("piq", reason="piq is not installed")
        return lambda x, y: float(piq.ssim(*tensors(x, y), data_range=255))
    image = pytest.importorskip("torchmetrics.functional.image", reason="torchmetrics is not installed")
    return lambda x, y: float(image.structural_similarity_index_measure(*tensors(x, y), data_range=255.0))


@pytest.mark.parity
@pytest.mark.parametrize("preset", list(FROZEN))
@pytest.mark.parametrize("name", ["astronaut", "coffee", "chelsea"])
def test_frozen_numbers(natural: dict[str, np.ndarray], preset: str, name: str, each_isa: str) -> None:
    assert abs(ours(preset, *pair(natural[name])) - FROZEN[preset][name]) <= TOLERANCE.get(preset, 1e-7)


@pytest.mark.parity
@pytest.mark.filterwarnings("ignore")  # the programs' own
@pytest.mark.parametrize("preset", list(FROZEN))
@pytest.mark.parametrize("name", ["astronaut", "coffee", "chelsea"])
def test_the_programs_themselves(natural: dict[str, np.ndarray], preset: str, name: str) -> None:
    x, y = pair(natural[name])
    assert abs(ours(preset, x, y) - program(preset)(x, y)) <= TOLERANCE.get(preset, 1e-7)


def rounding_worst(rng: np.random.Generator) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    shape = (200, 203, 3)
    for level in (0, 8, 16, 24, 128, 240, 255):
        for sigma in (1, 5, 30):
            x, y = (np.clip(np.rint(level + rng.normal(0, sigma, shape)), 0, 255).astype(np.uint8) for _ in "xy")
            yield x, y
    for low, high in ((0, 255), (55, 255), (16, 235), (254, 255), (0, 1), (3, 200)):
        flat, edge = np.full(shape, high, np.uint8), np.full(shape, low, np.uint8)
        yield flat, edge.copy()
        edge[:, 90:] = high
        yield flat, edge


@pytest.mark.parity
@pytest.mark.filterwarnings("ignore")  # the programs' own
@pytest.mark.parametrize("preset", list(FROZEN))
def test_the_programs_where_rounding_is_worst(rng: np.random.Generator, preset: str) -> None:
    named = program(preset)
    for x, y in rounding_worst(rng):
        assert abs(ours(preset, x, y) - named(x, y)) <= TOLERANCE_AT_WORST.get(preset, 1e-6)
