"""Many metrics of images or batches in one pass over the pixels."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

from pixelgauge import _core
from pixelgauge.checks import ArgumentTypeError, ArgumentValueError, one_of
from pixelgauge.full_reference.arguments import DataRange, Float64Array, Score, explain_axes, result_of
from pixelgauge.full_reference.ms_ssim import ms_ssim_options, require_terms, warn_of_nan
from pixelgauge.full_reference.pixel_error import decibels_of, squarable_length
from pixelgauge.full_reference.ssim import preset_options, require_finite, require_unclipped
from pixelgauge.images import canonical_pair, value_range_length
from pixelgauge.presets import MS_SSIM_PRESETS, SSIM_PRESETS, preset_row

_DEFAULT_PRESETS = {"mse": "", "mae": "", "psnr": "", "ssim": "wang2004", "ms-ssim": "wang2003"}
"""Of every metric; nothing where there are none."""
_TABLES: Mapping[str, Mapping[str, Any]] = {"ssim": SSIM_PRESETS, "ms-ssim": MS_SSIM_PRESETS}


def scores(
    x: object,
    y: object,
    metrics: Sequence[str] = ("psnr", "ssim"),
    *,
    data_range: DataRange = None,
    channel_axis: int | None = -1,
) -> dict[str, Score]:
    """Several metrics from one pass over the pixels, each the same to the last bit as its own function gives.

    Squared and absolute errors are read from the pixels together, and every SSIM and finest scale of MS-SSIM that has
    the same window and borders is made from one set of local means and variances: ``"wang2004"``,
    ``"pytorch-msssim"``, ``"tensorflow"``, ``"skimage-gaussian"`` and both presets of MS-SSIM share theirs,
    ``"torchmetrics"`` and ``"opencv"`` theirs. ``"skimage"`` has a window, and ``"matlab"`` and ``"piq"`` have
    smaller images of their own.

    Parameters
    ----------
    x, y : array_like
        As for :func:`ssim`.
    metrics : sequence of str, default ("psnr", "ssim")
        Any of ``"mse"``, ``"mae"``, ``"psnr"``, ``"ssim"``, ``"ms-ssim"``; with a preset after a colon as in
        ``"ssim:skimage"`` or ``"ms-ssim:pytorch-msssim"``.
    data_range : float or (float, float), optional
        As for :func:`ssim`.
    channel_axis : int or None, default -1
        As for :func:`ssim`.

    Returns
    -------
    dict of str to float or (N,) numpy.ndarray of float64
        By metric, named and ordered as in `metrics`.

    Raises
    ------
    TypeError, ValueError
        As the functions of the metrics do; the first that refuses the images refuses all.

    Examples
    --------
    >>> import numpy as np, pixelgauge
    >>> x = np.random.default_rng(0).integers(0, 250, (192, 192, 3), dtype=np.uint8)
    >>> found = pixelgauge.scores(x, x + np.uint8(5), ("psnr", "ssim", "ssim:skimage", "ms-ssim"))
    >>> list(found), round(found["psnr"], 2)
    (['psnr', 'ssim', 'ssim:skimage', 'ms-ssim'], 34.15)
    >>> found["ms-ssim"] == pixelgauge.ms_ssim(x, x + np.uint8(5))
    True
    """
    if isinstance(metrics, str) or not isinstance(metrics, Sequence) or len(metrics) == 0:
        raise ArgumentTypeError(
            "metrics", repr(metrics), "must be a sequence of names", 'pass a tuple such as ("psnr", "ssim:skimage")'
        )
    asked = {name: _request(name) for name in metrics}
    if len(asked) < len(metrics):
        raise ArgumentValueError("metrics", repr(metrics), "must name each metric once")
    values, single = one_pass(x, y, asked, data_range, channel_axis)
    for name, request in asked.items():
        if request.metric == "ms-ssim":
            warn_of_nan(values[name])
    return {name: result_of(values[name], single) for name in asked}


class Request(NamedTuple):
    """A metric and its preset, which is empty where it has none."""

    metric: str
    preset: str


def _request(name: object) -> Request:
    """Read a metric's name and preset."""
    if not isinstance(name, str):
        raise ArgumentTypeError("metrics", "", f"metrics holds {name!r}", "each must be a name such as 'ssim'")
    metric, colon, preset = name.partition(":")
    default = _DEFAULT_PRESETS[one_of("metrics", metric, _DEFAULT_PRESETS)]
    if not colon:
        return Request(metric, default)
    if not default:
        raise ArgumentValueError("metrics", "", f"metrics holds {name!r}: {metric} has no presets", f"use {metric!r}")
    return Request(metric, str(preset_row(_TABLES[metric], preset, "metrics").name))


def one_pass(
    x: object, y: object, asked: Mapping[str, Request], data_range: DataRange, channel_axis: int | None
) -> tuple[dict[str, Float64Array], bool]:
    """Values by name, NaN of MS-SSIM without a warning, and whether they are of one pair."""
    a, b = canonical_pair(x, y, channel_axis)
    dtype = a.pixels.dtype
    for_core: list[str | _core.SsimOptions | _core.MsSsimOptions] = []
    finish: list[Callable[[Float64Array], Float64Array]] = []
    for metric, preset in asked.values():
        if metric == "psnr":
            for_core.append("mse")
            finish.append(partial(decibels_of, length=squarable_length(data_range, dtype), data_range=data_range))
        elif metric == "ssim":
            require_unclipped(SSIM_PRESETS[preset], a, b, data_range)
            for_core.append(preset_options(preset, value_range_length(data_range, dtype)))
            finish.append(partial(_checked, partial(require_finite, data_range=data_range)))
        elif metric == "ms-ssim":
            length, weights = value_range_length(data_range, dtype), MS_SSIM_PRESETS[preset].weights
            by_sum = ms_ssim_options(preset, length, weights, "sum")
            for_core.append(ms_ssim_options(preset, length, weights, "product"))
            finish.append(partial(_checked, partial(require_terms, a=a, b=b, by_sum=by_sum, data_range=data_range)))
        else:
            for_core.append(metric)
            finish.append(_as_they_are)
    try:
        values = _core.scores(a.pixels, b.pixels, for_core)
    except ArgumentValueError as error:
        if any(metric in _TABLES for metric, _ in asked.values()):
            explain_axes(error, a)
        raise
    return {name: end(row) for name, end, row in zip(asked, finish, values, strict=True)}, a.single


def _as_they_are(values: Float64Array) -> Float64Array:
    return values


def _checked(check: Callable[[Float64Array], None], values: Float64Array) -> Float64Array:
    check(values)
    return values
