"""Image and generative-model metrics without PyTorch, with the published numbers, at the speed of the machine."""

from typing import TYPE_CHECKING, Any

from pixelgauge._version import __version__

if TYPE_CHECKING:
    from pixelgauge.distribution.cmmd import cmmd as cmmd
    from pixelgauge.distribution.feature_sets import FeatureSet as FeatureSet
    from pixelgauge.distribution.feature_stats import FeatureStats as FeatureStats
    from pixelgauge.distribution.frechet import FrechetInfo as FrechetInfo
    from pixelgauge.distribution.frechet import frechet_distance as frechet_distance
    from pixelgauge.distribution.frechet import sqrtm_psd as sqrtm_psd
    from pixelgauge.distribution.frechet import trace_sqrt_product as trace_sqrt_product
    from pixelgauge.distribution.frechet_infinity import FrechetInfinity as FrechetInfinity
    from pixelgauge.distribution.frechet_infinity import frechet_infinity as frechet_infinity
    from pixelgauge.distribution.frechet_interval import FrechetInterval as FrechetInterval
    from pixelgauge.distribution.frechet_interval import frechet_interval as frechet_interval
    from pixelgauge.distribution.inception_score import inception_score as inception_score
    from pixelgauge.distribution.kernel_distance import kernel_distance as kernel_distance
    from pixelgauge.distribution.kernel_interval import KernelInterval as KernelInterval
    from pixelgauge.distribution.kernel_interval import kernel_distance_interval as kernel_distance_interval
    from pixelgauge.distribution.mind import mind as mind
    from pixelgauge.distribution.nearest_neighbours import DensityCoverage as DensityCoverage
    from pixelgauge.distribution.nearest_neighbours import NeighbourMetrics as NeighbourMetrics
    from pixelgauge.distribution.nearest_neighbours import PrecisionRecall as PrecisionRecall
    from pixelgauge.distribution.nearest_neighbours import density_coverage as density_coverage
    from pixelgauge.distribution.nearest_neighbours import neighbour_metrics as neighbour_metrics
    from pixelgauge.distribution.nearest_neighbours import precision_recall as precision_recall
    from pixelgauge.distribution.neighbour_intervals import DensityCoverageInterval as DensityCoverageInterval
    from pixelgauge.distribution.neighbour_intervals import NeighbourInterval as NeighbourInterval
    from pixelgauge.distribution.neighbour_intervals import PrecisionRecallInterval as PrecisionRecallInterval
    from pixelgauge.distribution.neighbour_intervals import density_coverage_interval as density_coverage_interval
    from pixelgauge.distribution.neighbour_intervals import precision_recall_interval as precision_recall_interval
    from pixelgauge.distribution.sample_pairs import MeanStd as MeanStd
    from pixelgauge.distribution.vendi_score import vendi_score as vendi_score
    from pixelgauge.engine.compare import CompareRun as CompareRun
    from pixelgauge.engine.compare import compare as compare
    from pixelgauge.engine.fid import fid as fid
    from pixelgauge.engine.rows import ScoreRow as ScoreRow
    from pixelgauge.engine.summary import MetricSummary as MetricSummary
    from pixelgauge.engine.summary import Summary as Summary
    from pixelgauge.files.reading import FileError as FileError
    from pixelgauge.full_reference.fingerprint import fingerprint as fingerprint
    from pixelgauge.full_reference.ms_ssim import ms_ssim as ms_ssim
    from pixelgauge.full_reference.pixel_error import mae as mae
    from pixelgauge.full_reference.pixel_error import mse as mse
    from pixelgauge.full_reference.pixel_error import psnr as psnr
    from pixelgauge.full_reference.scores import scores as scores
    from pixelgauge.full_reference.ssim import SSIMComponents as SSIMComponents
    from pixelgauge.full_reference.ssim import ssim as ssim
    from pixelgauge.images import ImageFileError as ImageFileError
    from pixelgauge.likelihood import bits_per_dim as bits_per_dim
    from pixelgauge.likelihood import gan_value as gan_value
    from pixelgauge.likelihood import gaussian_kl as gaussian_kl
    from pixelgauge.networks.checkpoint import CheckpointError as CheckpointError
    from pixelgauge.networks.manifest import ModelDamagedError as ModelDamagedError
    from pixelgauge.networks.manifest import ModelError as ModelError
    from pixelgauge.networks.manifest import ModelMissingError as ModelMissingError
    from pixelgauge.networks.providers import ProviderError as ProviderError
    from pixelgauge.perceptual.inception import InceptionFeatures as InceptionFeatures
    from pixelgauge.perceptual.lpips import LPIPS as LPIPS
    from pixelgauge.perceptual.onnx_features import OnnxFeatures as OnnxFeatures
    from pixelgauge.perceptual.score_map import ScoreMapDisplay as ScoreMapDisplay
    from pixelgauge.proportions import ProportionInterval as ProportionInterval
    from pixelgauge.proportions import proportion_interval as proportion_interval
    from pixelgauge.ranking.aupro import aupro as aupro
    from pixelgauge.ranking.average_precision_interval import AveragePrecisionInterval as AveragePrecisionInterval
    from pixelgauge.ranking.average_precision_interval import average_precision_interval as average_precision_interval
    from pixelgauge.ranking.binary import auc as auc
    from pixelgauge.ranking.binary import average_precision_score as average_precision_score
    from pixelgauge.ranking.binary import det_curve as det_curve
    from pixelgauge.ranking.binary import precision_recall_curve as precision_recall_curve
    from pixelgauge.ranking.binary import roc_auc_score as roc_auc_score
    from pixelgauge.ranking.binary import roc_curve as roc_curve
    from pixelgauge.ranking.delong_tests import DelongTest as DelongTest
    from pixelgauge.ranking.delong_tests import PairwiseTest as PairwiseTest
    from pixelgauge.ranking.delong_tests import delong_pairwise as delong_pairwise
    from pixelgauge.ranking.delong_tests import delong_test as delong_test
    from pixelgauge.ranking.display import AuproCurveDisplay as AuproCurveDisplay
    from pixelgauge.ranking.display import DetCurveDisplay as DetCurveDisplay
    from pixelgauge.ranking.display import PrecisionRecallDisplay as PrecisionRecallDisplay
    from pixelgauge.ranking.display import RocCurveDisplay as RocCurveDisplay
    from pixelgauge.ranking.groups import auroc_by_column as auroc_by_column
    from pixelgauge.ranking.groups import auroc_by_group as auroc_by_group
    from pixelgauge.ranking.groups import top_k_accuracy_score as top_k_accuracy_score
    from pixelgauge.ranking.histogram import Bounds as Bounds
    from pixelgauge.ranking.histogram import RankingHistogram as RankingHistogram
    from pixelgauge.ranking.inputs import UndefinedMetricWarning as UndefinedMetricWarning
    from pixelgauge.ranking.intervals import AurocInterval as AurocInterval
    from pixelgauge.ranking.intervals import GroupIntervals as GroupIntervals
    from pixelgauge.ranking.intervals import bootstrap_interval as bootstrap_interval
    from pixelgauge.ranking.intervals import delong_interval as delong_interval
    from pixelgauge.ranking.intervals import roc_auc_interval as roc_auc_interval
    from pixelgauge.ranking.operating_points import OperatingPoint as OperatingPoint
    from pixelgauge.ranking.operating_points import SensitivityInterval as SensitivityInterval
    from pixelgauge.ranking.operating_points import SpecificityInterval as SpecificityInterval
    from pixelgauge.ranking.operating_points import operating_point as operating_point
    from pixelgauge.ranking.operating_points import sensitivity_interval as sensitivity_interval
    from pixelgauge.ranking.operating_points import specificity_interval as specificity_interval
    from pixelgauge.ranking.out_of_core import roc_auc_score_out_of_core as roc_auc_score_out_of_core
    from pixelgauge.ranking.thresholds import Confusion as Confusion
    from pixelgauge.ranking.thresholds import FprAtTpr as FprAtTpr
    from pixelgauge.ranking.thresholds import best_threshold as best_threshold
    from pixelgauge.ranking.thresholds import confusion_at_threshold as confusion_at_threshold
    from pixelgauge.ranking.thresholds import fpr_at_tpr as fpr_at_tpr
    from pixelgauge.report.compare import compare_report as compare_report
    from pixelgauge.runtime import build_info as build_info
    from pixelgauge.runtime import get_num_threads as get_num_threads
    from pixelgauge.runtime import isa as isa
    from pixelgauge.runtime import set_num_threads as set_num_threads

_MODULES = {
    "distribution.cmmd": ["cmmd"],
    "distribution.feature_sets": ["FeatureSet"],
    "distribution.feature_stats": ["FeatureStats"],
    "distribution.frechet": ["FrechetInfo", "frechet_distance", "sqrtm_psd", "trace_sqrt_product"],
    "distribution.frechet_infinity": ["FrechetInfinity", "frechet_infinity"],
    "distribution.frechet_interval": ["FrechetInterval", "frechet_interval"],
    "distribution.inception_score": ["inception_score"],
    "distribution.kernel_distance": ["kernel_distance"],
    "distribution.kernel_interval": ["KernelInterval", "kernel_distance_interval"],
    "distribution.mind": ["mind"],
    "distribution.nearest_neighbours": [
        "DensityCoverage",
        "NeighbourMetrics",
        "PrecisionRecall",
        "density_coverage",
        "neighbour_metrics",
        "precision_recall",
    ],
    "distribution.neighbour_intervals": [
        "DensityCoverageInterval",
        "NeighbourInterval",
        "PrecisionRecallInterval",
        "density_coverage_interval",
        "precision_recall_interval",
    ],
    "distribution.sample_pairs": ["MeanStd"],
    "distribution.vendi_score": ["vendi_score"],
    "engine.compare": ["CompareRun", "compare"],
    "engine.fid": ["fid"],
    "engine.rows": ["ScoreRow"],
    "engine.summary": ["MetricSummary", "Summary"],
    "files.reading": ["FileError"],
    "full_reference.fingerprint": ["fingerprint"],
    "full_reference.ms_ssim": ["ms_ssim"],
    "full_reference.pixel_error": ["mae", "mse", "psnr"],
    "full_reference.scores": ["scores"],
    "full_reference.ssim": ["SSIMComponents", "ssim"],
    "images": ["ImageFileError"],
    "likelihood": ["bits_per_dim", "gan_value", "gaussian_kl"],
    "networks.checkpoint": ["CheckpointError"],
    "networks.providers": ["ProviderError"],
    "networks.manifest": ["ModelDamagedError", "ModelError", "ModelMissingError"],
    "perceptual.inception": ["InceptionFeatures"],
    "perceptual.lpips": ["LPIPS"],
    "perceptual.onnx_features": ["OnnxFeatures"],
    "perceptual.score_map": ["ScoreMapDisplay"],
    "proportions": ["ProportionInterval", "proportion_interval"],
    "ranking.aupro": ["aupro"],
    "ranking.average_precision_interval": ["AveragePrecisionInterval", "average_precision_interval"],
    "ranking.binary": [
        "auc",
        "average_precision_score",
        "det_curve",
        "precision_recall_curve",
        "roc_auc_score",
        "roc_curve",
    ],
    "ranking.delong_tests": ["DelongTest", "PairwiseTest", "delong_pairwise", "delong_test"],
    "ranking.display": ["AuproCurveDisplay", "DetCurveDisplay", "PrecisionRecallDisplay", "RocCurveDisplay"],
    "ranking.groups": ["auroc_by_column", "auroc_by_group", "top_k_accuracy_score"],
    "ranking.histogram": ["Bounds", "RankingHistogram"],
    "ranking.inputs": ["UndefinedMetricWarning"],
    "ranking.intervals": [
        "AurocInterval",
        "GroupIntervals",
        "bootstrap_interval",
        "delong_interval",
        "roc_auc_interval",
    ],
    "ranking.operating_points": [
        "OperatingPoint",
        "SensitivityInterval",
        "SpecificityInterval",
        "operating_point",
        "sensitivity_interval",
        "specificity_interval",
    ],
    "ranking.out_of_core": ["roc_auc_score_out_of_core"],
    "ranking.thresholds": ["Confusion", "FprAtTpr", "best_threshold", "confusion_at_threshold", "fpr_at_tpr"],
    "report.compare": ["compare_report"],
    "runtime": ["build_info", "get_num_threads", "isa", "set_num_threads"],
}
"""Every public name by its module, which is imported when one of them is first used: `import pixelgauge` is quick."""

_HOMES = {name: module for module, names in _MODULES.items() for name in names}

__all__ = ["__version__", *sorted(_HOMES)]

_ROOMS = {"files", "images", "presets", "runtime", *(module.partition(".")[0] for module in _MODULES)}


def __getattr__(name: str) -> Any:
    import importlib

    if name in _ROOMS:
        return importlib.import_module(f"pixelgauge.{name}")
    if name not in _HOMES:
        raise AttributeError(f"module 'pixelgauge' has no attribute {name!r}")
    value = getattr(importlib.import_module(f"pixelgauge.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*(name for name in globals() if name.startswith("__")), *__all__})
