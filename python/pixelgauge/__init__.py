"""Image and generative-model metrics without PyTorch, with the published numbers, at the speed of the machine."""

from pixelgauge._version import __version__
from pixelgauge.anomaly import aupro
from pixelgauge.auroc_intervals import (
    AurocInterval,
    DelongTest,
    auroc_by_group,
    bootstrap_interval,
    delong_interval,
    delong_test,
)
from pixelgauge.full_reference import SSIMComponents, ms_ssim, mse, psnr, ssim
from pixelgauge.histogram_ranking import Bounds, RankingHistogram
from pixelgauge.operating_points import Confusion, best_threshold, confusion_at_threshold, fpr_at_tpr
from pixelgauge.out_of_core import roc_auc_score_out_of_core
from pixelgauge.ranking import (
    auc,
    average_precision_score,
    det_curve,
    precision_recall_curve,
    roc_auc_score,
    roc_curve,
)
from pixelgauge.ranking_display import RocCurveDisplay
from pixelgauge.ranking_inputs import UndefinedMetricWarning
from pixelgauge.runtime import build_info, get_num_threads, isa, set_num_threads

__all__ = [
    "AurocInterval",
    "Bounds",
    "Confusion",
    "DelongTest",
    "RankingHistogram",
    "RocCurveDisplay",
    "SSIMComponents",
    "UndefinedMetricWarning",
    "__version__",
    "auc",
    "aupro",
    "auroc_by_group",
    "average_precision_score",
    "best_threshold",
    "bootstrap_interval",
    "build_info",
    "confusion_at_threshold",
    "delong_interval",
    "delong_test",
    "det_curve",
    "fpr_at_tpr",
    "get_num_threads",
    "isa",
    "ms_ssim",
    "mse",
    "precision_recall_curve",
    "psnr",
    "roc_auc_score",
    "roc_auc_score_out_of_core",
    "roc_curve",
    "set_num_threads",
    "ssim",
]
