"""Comparisons that are ready, of options in one call."""

from __future__ import annotations

from typing import Any

from pixelgauge.engine.comparison import CompareOptions, Comparison, prepare


def comparing(metrics: tuple[str, ...] = ("psnr", "ssim"), **options: Any) -> Comparison:
    """What scores pairs by these metrics and options."""
    return prepare(CompareOptions(metrics, **options))
