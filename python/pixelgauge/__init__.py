"""Image and generative-model metrics without PyTorch, with the published numbers, at the speed of the machine."""

from pixelgauge._version import __version__
from pixelgauge.distribution import FeatureStats, FrechetInfo, frechet_distance, sqrtm_psd, trace_sqrt_product
from pixelgauge.full_reference import SSIMComponents, ms_ssim, mse, psnr, ssim
from pixelgauge.runtime import build_info, get_num_threads, isa, set_num_threads

__all__ = [
    "FeatureStats",
    "FrechetInfo",
    "SSIMComponents",
    "__version__",
    "build_info",
    "frechet_distance",
    "get_num_threads",
    "isa",
    "ms_ssim",
    "mse",
    "psnr",
    "set_num_threads",
    "sqrtm_psd",
    "ssim",
    "trace_sqrt_product",
]
