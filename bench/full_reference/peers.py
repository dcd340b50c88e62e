"""SSIM, MS-SSIM and PSNR as others compute them, on the same pictures; each result has to be that of the preset of its name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from bench.case import Call, Contender
from bench.programs import MissingError, program, torch_program

Draw = Callable[[], tuple[np.ndarray, np.ndarray]]


def of_arrays(draw: Draw, find: Callable[[], Callable[[np.ndarray, np.ndarray], object]]) -> Callable[[], Call]:
    """Prepare a program of NumPy arrays."""

    def prepare() -> Call:
        metric = find()
        x, y = draw()
        return lambda: metric(x, y)

    return prepare


def of_tensors(draw: Draw, find: Callable[[], Callable[[Any, Any], Any]]) -> Callable[[], Call]:
    """Prepare a program of PyTorch's tensors: planes in float32, made beforehand."""

    def prepare() -> Call:
        torch = program("torch")
        metric = find()
        x, y = (torch.from_numpy(image).permute(2, 0, 1)[None].float() for image in draw())
        return lambda: float(metric(x, y))

    return prepare


def opencv() -> Callable[[np.ndarray, np.ndarray], float]:
    """QualitySSIM of the contributed modules."""
    cv2 = program("cv2")
    if not hasattr(cv2, "quality"):
        raise MissingError("this OpenCV has no quality module: opencv-contrib-python-headless has it")
    return lambda x, y: float(np.mean(cv2.quality.QualitySSIM_compute(x, y)[0][:3]))


def scikit_image(**options: Any) -> Callable[[], Callable[[np.ndarray, np.ndarray], float]]:
    """Its structural similarity."""

    def find() -> Callable[[np.ndarray, np.ndarray], float]:
        similarity = program("skimage.metrics").structural_similarity
        return lambda x, y: float(similarity(x, y, channel_axis=-1, **options))

    return find


def pytorch_msssim(function: str) -> Callable[[], Callable[[Any, Any], Any]]:
    """Its `ssim` or `ms_ssim`."""

    def find() -> Callable[[Any, Any], Any]:
        metric = getattr(program("pytorch_msssim"), function)
        return lambda x, y: metric(x, y, data_range=255)

    return find


def piq() -> Callable[[Any, Any], Any]:
    """Its SSIM, without the reduction by which its default begins."""
    metric = torch_program("piq").ssim
    return lambda x, y: metric(x, y, data_range=255, downsample=False)


def torchmetrics() -> Callable[[Any, Any], Any]:
    """Its SSIM."""
    metric = torch_program("torchmetrics.functional.image").structural_similarity_index_measure
    return lambda x, y: metric(x, y, data_range=255.0)


def ssim(preset: str, draw: Draw) -> dict[str, Contender]:
    """Who computes what a preset does."""
    if preset == "opencv":  # float32 throughout: the flat sky loses digits
        return {"opencv": Contender(prepare=of_arrays(draw, opencv), tolerance=1e-5)}
    if preset == "skimage":
        return {"scikit-image": Contender(prepare=of_arrays(draw, scikit_image()), tolerance=2e-6)}
    if preset == "skimage-gaussian":
        find = scikit_image(gaussian_weights=True)
        return {"scikit-image": Contender(prepare=of_arrays(draw, find), tolerance=2e-6)}
    if preset == "pytorch-msssim":  # its window is float32
        return {"pytorch-msssim": Contender(prepare=of_tensors(draw, pytorch_msssim("ssim")), tolerance=2e-5)}
    if preset == "wang2004":  # float32 without a shift
        return {"piq": Contender(prepare=of_tensors(draw, piq), tolerance=1e-4)}
    if preset == "torchmetrics":  # float32 without a shift
        return {"torchmetrics": Contender(prepare=of_tensors(draw, torchmetrics), tolerance=1e-4)}
    return {}


def ms_ssim(preset: str, draw: Draw) -> dict[str, Contender]:
    """The same for five scales."""
    if preset == "pytorch-msssim":
        return {"pytorch-msssim": Contender(prepare=of_tensors(draw, pytorch_msssim("ms_ssim")), tolerance=2e-5)}
    return {}


def psnr(draw: Draw, length: float) -> dict[str, Contender]:
    """Two programs, and reading both pictures once, which is no more than a floor."""

    def by_scikit_image() -> Callable[[np.ndarray, np.ndarray], float]:
        metric = program("skimage.metrics").peak_signal_noise_ratio
        return lambda x, y: float(metric(x, y, data_range=length))

    def by_opencv() -> Callable[[np.ndarray, np.ndarray], float]:
        metric = program("cv2").PSNR
        return lambda x, y: float(metric(x, y, length))

    def reading() -> Call:
        words = [image.reshape(-1).view(np.uint64) for image in draw()]
        return lambda: [np.bitwise_xor.reduce(flat) for flat in words]

    return {
        "scikit-image": Contender(prepare=of_arrays(draw, by_scikit_image), tolerance=1e-5),
        # its sums of float32 images are float32
        "opencv": Contender(prepare=of_arrays(draw, by_opencv), tolerance=1e-5),
        "reading-both": Contender(prepare=reading, tolerance=None),
    }
