"""The metrics of pairs of images as the engine knows them."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from pixelgauge.full_reference.arguments import Score
from pixelgauge.full_reference.ms_ssim import ms_ssim_scores
from pixelgauge.full_reference.pixel_error import mae, mse, psnr
from pixelgauge.full_reference.scores import Request, one_pass
from pixelgauge.full_reference.ssim import ssim
from pixelgauge.metric import DATA_RANGE, Asked, Metric, Option, PairFamily, Pixels, Result, Values, attempted
from pixelgauge.presets import MS_SSIM_PRESETS, SSIM_PRESETS, preset_row


def _preset(table: Mapping[str, Any]) -> Callable[[str, Any], str]:
    return lambda argument, value: str(preset_row(table, value, argument).name)


PRESET = Option("preset", "wang2004", f"SSIM of: {', '.join(SSIM_PRESETS)}", _preset(SSIM_PRESETS))
MS_SSIM_PRESET = Option(
    "ms_ssim_preset", "wang2003", f"MS-SSIM of: {', '.join(MS_SSIM_PRESETS)}", _preset(MS_SSIM_PRESETS)
)


def _mse(x: Pixels, y: Pixels, options: Values) -> Score:
    return mse(x, y)


def _mae(x: Pixels, y: Pixels, options: Values) -> Score:
    return mae(x, y)


def _psnr(x: Pixels, y: Pixels, options: Values) -> Score:
    return psnr(x, y, data_range=options["data_range"])


def _ssim(x: Pixels, y: Pixels, options: Values) -> Score:
    score: Any = ssim(x, y, data_range=options["data_range"], preset=options["preset"])
    return score  # type: ignore[no-any-return]


def _ms_ssim(x: Pixels, y: Pixels, options: Values) -> Score:
    return ms_ssim_scores(x, y, options["data_range"], options["ms_ssim_preset"])[0]


class _FullReference:
    """Metrics that need the pixels of a pair and nothing else."""

    def prepare(self, asked: Asked) -> _Scores:
        return _Scores(asked)


class _Scores:
    """All metrics and their variants in one pass; each by itself where one refuses a batch."""

    made_with: Mapping[str, str] = {}

    def __init__(self, asked: Asked) -> None:
        self._calls = {metric.name: partial(_CALLS[metric.base], options=options) for metric, options in asked}
        self._requests = {
            metric.name: Request(metric.base, options.get(_PRESET_OPTIONS.get(metric.base, ""), ""))
            for metric, options in asked
        }
        self._data_range = next((options["data_range"] for _, options in asked if "data_range" in options), None)

    def together(self, x: Pixels) -> int:
        """One: nothing is gained by more."""
        return 1

    def __call__(self, x: Pixels, y: Pixels) -> Mapping[str, Result]:
        try:
            return one_pass(x, y, self._requests, self._data_range, -1)[0]
        except Exception:
            return attempted({name: partial(call, x, y) for name, call in self._calls.items()})


_PRESET_OPTIONS = {"ssim": PRESET.name, "ms-ssim": MS_SSIM_PRESET.name}
_CALLS = {"mse": _mse, "mae": _mae, "psnr": _psnr, "ssim": _ssim, "ms-ssim": _ms_ssim}
_FAMILY: PairFamily = _FullReference()

MSE = Metric("mse", "", False, ".6g", (), _FAMILY, bounds=(0.0, math.inf))
MAE = Metric("mae", "", False, ".6g", (), _FAMILY, bounds=(0.0, math.inf))
PSNR = Metric("psnr", "dB", True, ".4f", (DATA_RANGE,), _FAMILY)
SSIM = Metric("ssim", "", True, ".6f", (DATA_RANGE, PRESET), _FAMILY, bounds=(-1.0, 1.0))
MS_SSIM = Metric(
    "ms-ssim",
    "",
    True,
    ".6f",
    (DATA_RANGE, MS_SSIM_PRESET),
    _FAMILY,
    undefined=f"negative terms have no fractional power; {MS_SSIM_PRESET.flag} pytorch-msssim counts them as 0",
    bounds=(0.0, 1.0),
)
