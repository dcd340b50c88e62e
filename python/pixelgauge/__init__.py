"""Image and generative-model metrics without PyTorch, with the published numbers, at the speed of the machine."""

from typing import TYPE_CHECKING, Any

from pixelgauge._version import __version__
from pixelgauge.distribution import (
    DensityCoverage,
    FeatureStats,
    FrechetInfinity,
    FrechetInfo,
    FrechetInterval,
    MeanStd,
    PrecisionRecall,
    density_coverage,
    fid,
    frechet_distance,
    frechet_infinity,
    frechet_interval,
    inception_score,
    kernel_distance,
    precision_recall,
    sqrtm_psd,
    trace_sqrt_product,
)
from pixelgauge.full_reference import SSIMComponents, ms_ssim, mse, psnr, ssim
from pixelgauge.runtime import build_info, get_num_threads, isa, set_num_threads

if TYPE_CHECKING:
    from pixelgauge.backbones import InceptionFeatures
    from pixelgauge.perceptual import LPIPS

__all__ = [
    "LPIPS",
    "DensityCoverage",
    "FeatureStats",
    "FrechetInfinity",
    "FrechetInfo",
    "FrechetInterval",
    "InceptionFeatures",
    "MeanStd",
    "PrecisionRecall",
    "SSIMComponents",
    "__version__",
    "build_info",
    "density_coverage",
    "fid",
    "frechet_distance",
    "frechet_infinity",
    "frechet_interval",
    "get_num_threads",
    "inception_score",
    "isa",
    "kernel_distance",
    "ms_ssim",
    "mse",
    "precision_recall",
    "psnr",
    "set_num_threads",
    "sqrtm_psd",
    "ssim",
    "trace_sqrt_product",
]

_LAZY = {"InceptionFeatures": "pixelgauge.backbones", "LPIPS": "pixelgauge.perceptual"}
"""Names whose modules are imported when first used."""


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module 'pixelgauge' has no attribute {name!r}")
    import importlib

    return getattr(importlib.import_module(_LAZY[name]), name)
