"""Image and generative-model metrics without PyTorch, with the published numbers, at the speed of the machine."""

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

__all__ = [
    "DensityCoverage",
    "FeatureStats",
    "FrechetInfinity",
    "FrechetInfo",
    "FrechetInterval",
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
