"""Every metric of the engine, and what is computed: the settings of a run."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np

from pixelgauge._version import __version__
from pixelgauge.full_reference.ms_ssim import ms_ssim
from pixelgauge.full_reference.pixel_error import mse, psnr
from pixelgauge.full_reference.ssim import ssim
from pixelgauge.images import Array, alpha_background, value_range_length
from pixelgauge.presets import MS_SSIM_PRESETS, SSIM_PRESETS, preset_row

if TYPE_CHECKING:
    from pixelgauge.perceptual.lpips import LPIPS


@dataclass(frozen=True)
class Metric:
    """A metric as the engine sees it: one row of :data:`METRICS`."""

    name: str
    unit: str
    higher_is_better: bool
    digits: str
    """How to print a score: a format of a float."""
    score: Callable[[Array, Array, CompareOptions], float]
    preset: Callable[[CompareOptions], str | None]

    @property
    def label(self) -> str:
        """Name and unit."""
        return f"{self.name} {self.unit}" if self.unit else self.name


@dataclass(frozen=True)
class CompareOptions:
    """What is computed, and how: everything that decides a score besides the images.

    Parameters
    ----------
    metrics : tuple of str
        Names from :data:`METRICS`.
    preset, ms_ssim_preset : str
        As :func:`pixelgauge.ssim` and :func:`pixelgauge.ms_ssim`.
    lpips_backbone : str
        As :class:`pixelgauge.LPIPS`; its model must be in the cache.
    data_range : float, optional
        Images have values in 0..data_range; others are refused. Default: the full range of 8 or 16 bits.
    gray : bool
        Score the gray images, as MATLAB's rgb2gray makes them.
    alpha : str
        As :func:`pixelgauge.images.read_image`.
    crop_border : int
        Pixels to leave out on each side.

    Raises
    ------
    ValueError
        If a value is not one of these.
    RuntimeError
        If LPIPS is asked for and its model, or onnxruntime, is missing.
    """

    metrics: tuple[str, ...] = ("psnr", "ssim")
    preset: str = "wang2004"
    ms_ssim_preset: str = "wang2003"
    lpips_backbone: str = "alex"
    data_range: float | None = None
    gray: bool = False
    alpha: str = "error"
    crop_border: int = 0

    def __post_init__(self) -> None:
        if not self.metrics or len(set(self.metrics)) < len(self.metrics):
            raise ValueError(f"metrics={','.join(self.metrics)!r} must name at least one metric, and each once")
        for name in self.metrics:
            if name not in METRICS:
                raise ValueError(f"metrics: {name!r} is not known: use some of {', '.join(METRICS)}")
        preset_row(SSIM_PRESETS, self.preset)
        preset_row(MS_SSIM_PRESETS, self.ms_ssim_preset, "ms_ssim_preset")
        if "lpips" in self.metrics:
            if self.gray:
                raise ValueError("gray: lpips is of colour images; score it in a run without gray")
            _lpips(self.lpips_backbone)
        if self.data_range is not None:
            value_range_length(self.data_range, np.dtype(np.uint8))
        alpha_background(self.alpha)
        if self.crop_border < 0:
            raise ValueError(f"crop_border={self.crop_border} must not be negative")

    def fingerprint(self) -> dict[str, object]:
        """Say what a result must about its making: version, presets, options."""
        return {
            "version": __version__,
            "metrics": {name: METRICS[name].preset(self) for name in self.metrics},
            "data_range": self.data_range,
            "gray": self.gray,
            "alpha": self.alpha,
            "crop_border": self.crop_border,
        }

    def __str__(self) -> str:
        presets = ((name, METRICS[name].preset(self)) for name in self.metrics)
        metrics = (f"{name}={preset}" if preset else name for name, preset in presets)
        options = f"range={'dtype' if self.data_range is None else format(self.data_range, '.17g')} alpha={self.alpha}"
        return f"pixelgauge {__version__} {' '.join(metrics)} {options} gray={self.gray:d} crop={self.crop_border}"


def _single(score: Any) -> float:
    return float(score)


@cache
def _lpips(backbone: str) -> LPIPS:
    from pixelgauge.perceptual.lpips import LPIPS

    return LPIPS(backbone)


def lpips_available(backbone: str = "alex") -> bool:
    """Whether LPIPS can be computed here: its model is in the cache, which can be read, and onnxruntime is installed.

    Raises
    ------
    RuntimeError
        If the model is there but damaged.
    """
    from pixelgauge.networks.manifest import ModelMissingError

    try:
        _lpips(backbone)
    except (ImportError, ModelMissingError, PermissionError):
        return False
    return True


def _lpips_score(x: Array, y: Array, settings: CompareOptions) -> float:
    if x.ndim == 2:  # gray is repeated, as LPIPS itself does with files
        x, y = (np.repeat(image[..., np.newaxis], 3, 2) for image in (x, y))
    return _single(_lpips(settings.lpips_backbone)(x, y, data_range=settings.data_range))


def _lpips_preset(settings: CompareOptions) -> str:
    model = _lpips(settings.lpips_backbone).fingerprint
    return f"{model['model']}@{model['weights_sha256'][:12]}"


METRICS: Mapping[str, Metric] = MappingProxyType(
    {
        metric.name: metric
        for metric in (
            Metric("mse", "", False, ".6g", lambda x, y, s: _single(mse(x, y)), lambda s: None),
            Metric(
                "psnr", "dB", True, ".4f", lambda x, y, s: _single(psnr(x, y, data_range=s.data_range)), lambda s: None
            ),
            Metric(
                "ssim",
                "",
                True,
                ".6f",
                lambda x, y, s: _single(ssim(x, y, data_range=s.data_range, preset=s.preset)),
                lambda s: s.preset,
            ),
            Metric(
                "ms-ssim",
                "",
                True,
                ".6f",
                lambda x, y, s: _single(ms_ssim(x, y, data_range=s.data_range, preset=s.ms_ssim_preset)),
                lambda s: s.ms_ssim_preset,
            ),
            Metric("lpips", "", False, ".6f", _lpips_score, _lpips_preset),
        )
    }
)
"""Every metric that the engine knows."""
