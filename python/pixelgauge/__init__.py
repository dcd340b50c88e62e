"""Image and generative-model metrics without PyTorch, with the published numbers, at the speed of the machine."""

from typing import TYPE_CHECKING, Any

from pixelgauge._version import __version__
from pixelgauge.full_reference import SSIMComponents, ms_ssim, mse, psnr, ssim
from pixelgauge.runtime import build_info, get_num_threads, isa, set_num_threads

if TYPE_CHECKING:
    from pixelgauge.anomaly import aupro
    from pixelgauge.auroc_intervals import (
        AurocInterval,
        DelongTest,
        bootstrap_interval,
        delong_interval,
        delong_test,
    )
    from pixelgauge.backbones import InceptionFeatures, ProviderError
    from pixelgauge.checkpoints import CheckpointError
    from pixelgauge.distribution import (
        DensityCoverage,
        FeatureStats,
        FrechetInfinity,
        FrechetInfo,
        FrechetInterval,
        MeanStd,
        NeighbourMetrics,
        PrecisionRecall,
        density_coverage,
        fid,
        frechet_distance,
        frechet_infinity,
        frechet_interval,
        inception_score,
        kernel_distance,
        neighbour_metrics,
        precision_recall,
        sqrtm_psd,
        trace_sqrt_product,
    )
    from pixelgauge.files.reading import FileError
    from pixelgauge.histogram_ranking import Bounds, RankingHistogram
    from pixelgauge.images import ImageFileError
    from pixelgauge.many_rankings import auroc_by_column, auroc_by_group, top_k_accuracy_score
    from pixelgauge.model_store import ModelError, ModelMissingError
    from pixelgauge.operating_points import Confusion, best_threshold, confusion_at_threshold, fpr_at_tpr
    from pixelgauge.out_of_core import roc_auc_score_out_of_core
    from pixelgauge.perceptual import LPIPS
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

__all__ = [
    "LPIPS",
    "AurocInterval",
    "Bounds",
    "CheckpointError",
    "Confusion",
    "DelongTest",
    "DensityCoverage",
    "FeatureStats",
    "FileError",
    "FrechetInfinity",
    "FrechetInfo",
    "FrechetInterval",
    "ImageFileError",
    "InceptionFeatures",
    "MeanStd",
    "ModelError",
    "ModelMissingError",
    "NeighbourMetrics",
    "PrecisionRecall",
    "ProviderError",
    "RankingHistogram",
    "RocCurveDisplay",
    "SSIMComponents",
    "UndefinedMetricWarning",
    "__version__",
    "auc",
    "aupro",
    "auroc_by_column",
    "auroc_by_group",
    "average_precision_score",
    "best_threshold",
    "bootstrap_interval",
    "build_info",
    "confusion_at_threshold",
    "delong_interval",
    "delong_test",
    "density_coverage",
    "det_curve",
    "fid",
    "fpr_at_tpr",
    "frechet_distance",
    "frechet_infinity",
    "frechet_interval",
    "get_num_threads",
    "inception_score",
    "isa",
    "kernel_distance",
    "ms_ssim",
    "mse",
    "neighbour_metrics",
    "precision_recall",
    "precision_recall_curve",
    "psnr",
    "roc_auc_score",
    "roc_auc_score_out_of_core",
    "roc_curve",
    "set_num_threads",
    "sqrtm_psd",
    "ssim",
    "top_k_accuracy_score",
    "trace_sqrt_product",
]

_LAZY = {
    "aupro": "pixelgauge.anomaly",
    "AurocInterval": "pixelgauge.auroc_intervals",
    "DelongTest": "pixelgauge.auroc_intervals",
    "bootstrap_interval": "pixelgauge.auroc_intervals",
    "delong_interval": "pixelgauge.auroc_intervals",
    "delong_test": "pixelgauge.auroc_intervals",
    "InceptionFeatures": "pixelgauge.backbones",
    "ProviderError": "pixelgauge.backbones",
    "CheckpointError": "pixelgauge.checkpoints",
    "DensityCoverage": "pixelgauge.distribution",
    "FeatureStats": "pixelgauge.distribution",
    "FrechetInfinity": "pixelgauge.distribution",
    "FrechetInfo": "pixelgauge.distribution",
    "FrechetInterval": "pixelgauge.distribution",
    "MeanStd": "pixelgauge.distribution",
    "NeighbourMetrics": "pixelgauge.distribution",
    "PrecisionRecall": "pixelgauge.distribution",
    "density_coverage": "pixelgauge.distribution",
    "fid": "pixelgauge.distribution",
    "frechet_distance": "pixelgauge.distribution",
    "frechet_infinity": "pixelgauge.distribution",
    "frechet_interval": "pixelgauge.distribution",
    "inception_score": "pixelgauge.distribution",
    "kernel_distance": "pixelgauge.distribution",
    "neighbour_metrics": "pixelgauge.distribution",
    "precision_recall": "pixelgauge.distribution",
    "sqrtm_psd": "pixelgauge.distribution",
    "trace_sqrt_product": "pixelgauge.distribution",
    "FileError": "pixelgauge.files.reading",
    "Bounds": "pixelgauge.histogram_ranking",
    "RankingHistogram": "pixelgauge.histogram_ranking",
    "ImageFileError": "pixelgauge.images",
    "auroc_by_column": "pixelgauge.many_rankings",
    "auroc_by_group": "pixelgauge.many_rankings",
    "top_k_accuracy_score": "pixelgauge.many_rankings",
    "ModelError": "pixelgauge.model_store",
    "ModelMissingError": "pixelgauge.model_store",
    "Confusion": "pixelgauge.operating_points",
    "best_threshold": "pixelgauge.operating_points",
    "confusion_at_threshold": "pixelgauge.operating_points",
    "fpr_at_tpr": "pixelgauge.operating_points",
    "roc_auc_score_out_of_core": "pixelgauge.out_of_core",
    "LPIPS": "pixelgauge.perceptual",
    "auc": "pixelgauge.ranking",
    "average_precision_score": "pixelgauge.ranking",
    "det_curve": "pixelgauge.ranking",
    "precision_recall_curve": "pixelgauge.ranking",
    "roc_auc_score": "pixelgauge.ranking",
    "roc_curve": "pixelgauge.ranking",
    "RocCurveDisplay": "pixelgauge.ranking_display",
    "UndefinedMetricWarning": "pixelgauge.ranking_inputs",
}
"""Names whose modules are imported when first used, so that the package itself imports NumPy and nothing heavier."""


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module 'pixelgauge' has no attribute {name!r}")
    import importlib

    value = getattr(importlib.import_module(_LAZY[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*(name for name in globals() if name.startswith("__")), *__all__})
