"""Image and generative-model metrics without PyTorch, with the published numbers, at the speed of the machine."""

from pixelgauge._version import __version__
from pixelgauge.full_reference import SSIMComponents, ms_ssim, mse, psnr, ssim
from pixelgauge.ranking import roc_auc_score
from pixelgauge.ranking_inputs import UndefinedMetricWarning
from pixelgauge.runtime import build_info, get_num_threads, isa, set_num_threads

__all__ = [
    "SSIMComponents",
    "UndefinedMetricWarning",
    "__version__",
    "build_info",
    "get_num_threads",
    "isa",
    "ms_ssim",
    "mse",
    "psnr",
    "roc_auc_score",
    "set_num_threads",
    "ssim",
]
