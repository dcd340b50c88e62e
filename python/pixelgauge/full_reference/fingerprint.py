"""What decides a number of this room besides the images, for whoever keeps numbers: preset, settings and version."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from pixelgauge import _core
from pixelgauge._version import __version__
from pixelgauge.checks import ArgumentTypeError, ArgumentValueError, one_of
from pixelgauge.full_reference.arguments import DataRange
from pixelgauge.full_reference.ms_ssim import ms_ssim_options, scale_weights
from pixelgauge.full_reference.pixel_error import squarable_length
from pixelgauge.full_reference.ssim import overridden, ssim_options
from pixelgauge.images import Array, value_range_bounds, value_range_length
from pixelgauge.presets import MS_SSIM_PRESETS, SSIM_PRESETS, preset_row
from pixelgauge.runtime import isa

_ARGUMENTS = {
    "mse": (),
    "psnr": ("data_range",),
    "ssim": ("data_range", "preset", "exponents"),
    "ms_ssim": ("data_range", "preset", "weights", "combine"),
    "mae": (),
}


def fingerprint(metric: str, **arguments: Any) -> dict[str, object]:
    """Say how a number of :func:`mse`, :func:`psnr`, :func:`ssim` or another is made, to be kept beside it.

    Parameters
    ----------
    metric : {"mse", "psnr", "ssim", "ms_ssim", "mae"}
        Name of the function.
    **arguments
        Those that the function is called with, besides the images and what only says how they lie or what is returned.

    Returns
    -------
    dict
        Of values that JSON has: the version, the metric, the preset with the program that it is named after, every
        setting that follows, `data_range` (None: the full range of the integer dtype), and the instruction set, whose
        last bits may differ.

    Raises
    ------
    TypeError, ValueError
        If the metric or an argument is not known, or a value is not one that the function takes.

    Examples
    --------
    >>> import pixelgauge
    >>> facts = pixelgauge.fingerprint("ssim", preset="skimage", data_range=1.0)
    >>> facts["preset"], facts["window"], facts["window_size"], facts["covariance"]
    ('skimage', 'uniform', 7, 'sample')
    """
    one_of("metric", metric, _ARGUMENTS)
    known = _ARGUMENTS[metric]
    for name in arguments:
        if name not in known and metric != "ssim":
            problem = f"has no part in {metric}"
            raise ArgumentTypeError(name, repr(arguments[name]), problem, f"use {', '.join(known) or 'none'}")
    head: dict[str, object] = {"version": __version__, "metric": metric}
    if metric == "ssim":
        head |= _of_ssim(**arguments)
    elif metric == "ms_ssim":
        head |= _of_ms_ssim(**arguments)
    elif metric == "psnr":
        head |= _of_psnr(**arguments)
    return {**head, "isa": isa()}


def _plain_range(data_range: DataRange) -> float | list[float] | None:
    """Range as JSON has it, once checked."""
    if data_range is None:
        return None
    low, high = value_range_bounds(data_range, np.dtype(np.float64))
    return high if np.ndim(data_range) == 0 else [low, high]


def _length(data_range: DataRange) -> float:
    """Length of a range, of 8 bits where there is none."""
    return value_range_length(data_range, np.dtype(np.uint8))


def _require_taken(call: Callable[[Array], object]) -> None:
    """Raise what the core says of settings, given no image of one pixel, which alone would be too small."""
    try:
        call(np.empty((0, 1, 1, 1), np.uint8))
    except ArgumentValueError as error:
        if error.kind != "too_small":
            raise


def _of_psnr(*, data_range: DataRange = None) -> dict[str, object]:
    squarable_length(data_range, np.dtype(np.uint8))
    return {"data_range": _plain_range(data_range)}


def _of_ssim(
    *, data_range: DataRange = None, preset: str = "wang2004", exponents: Sequence[float] = (1, 1, 1), **overrides: Any
) -> dict[str, object]:
    row = overridden(preset_row(SSIM_PRESETS, preset), overrides)
    options = ssim_options(row, _length(data_range), exponents)
    _require_taken(lambda none: _core.ssim(none, none, options, False, False))
    settings = dataclasses.asdict(row)
    name, source = settings.pop("name"), settings.pop("source")
    plain = {"exponents": [float(exponent) for exponent in exponents], "data_range": _plain_range(data_range)}
    return {"preset": name, "source": source, **settings, **plain}


def _of_ms_ssim(
    *,
    data_range: DataRange = None,
    preset: str = "wang2003",
    weights: Sequence[float] | None = None,
    combine: str = "product",
) -> dict[str, object]:
    row = preset_row(MS_SSIM_PRESETS, preset)
    by_scale = scale_weights(row.weights if weights is None else weights)
    one_of("combine", combine, ("product", "sum"))
    options = ms_ssim_options(row.name, _length(data_range), tuple(by_scale), combine)
    _require_taken(lambda none: _core.ms_ssim(none, none, options))
    return {
        "preset": row.name,
        "source": row.source,
        "pyramid": row.pyramid,
        "clamp_negative": row.clamp_negative,
        "weights": by_scale,
        "combine": combine,
        "data_range": _plain_range(data_range),
    }
