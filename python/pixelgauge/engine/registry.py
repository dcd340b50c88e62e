"""Every metric of the engine, a line each: command line, options of a run and fingerprint follow from the list."""

from __future__ import annotations

from pixelgauge.full_reference.pair_metrics import MAE, MS_SSIM, MSE, PSNR, SSIM
from pixelgauge.metric import Metric, PairFamily
from pixelgauge.perceptual.lpips_metric import LPIPS

METRICS: dict[str, Metric[PairFamily]] = {metric.name: metric for metric in (MSE, MAE, PSNR, SSIM, MS_SSIM, LPIPS)}
"""Metrics of pairs of images, by name."""
