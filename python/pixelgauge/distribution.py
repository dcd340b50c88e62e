"""Metrics that compare distributions of features: the Fréchet distance and its family."""

from pixelgauge.feature_stats import FeatureStats
from pixelgauge.frechet import FrechetInfo, frechet_distance, sqrtm_psd, trace_sqrt_product

__all__ = ["FeatureStats", "FrechetInfo", "frechet_distance", "sqrtm_psd", "trace_sqrt_product"]
