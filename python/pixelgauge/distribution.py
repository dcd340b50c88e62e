"""Metrics that compare distributions of features: the Fréchet distance and its family."""

from pixelgauge.feature_sources import fid
from pixelgauge.feature_stats import FeatureStats
from pixelgauge.frechet import FrechetInfo, frechet_distance, sqrtm_psd, trace_sqrt_product
from pixelgauge.frechet_uncertainty import FrechetInfinity, FrechetInterval, frechet_infinity, frechet_interval
from pixelgauge.sample_metrics import (
    DensityCoverage,
    MeanStd,
    NeighbourMetrics,
    PrecisionRecall,
    density_coverage,
    inception_score,
    kernel_distance,
    neighbour_metrics,
    precision_recall,
)

__all__ = [
    "DensityCoverage",
    "FeatureStats",
    "FrechetInfinity",
    "FrechetInfo",
    "FrechetInterval",
    "MeanStd",
    "NeighbourMetrics",
    "PrecisionRecall",
    "density_coverage",
    "fid",
    "frechet_distance",
    "frechet_infinity",
    "frechet_interval",
    "inception_score",
    "kernel_distance",
    "neighbour_metrics",
    "precision_recall",
    "sqrtm_psd",
    "trace_sqrt_product",
]
