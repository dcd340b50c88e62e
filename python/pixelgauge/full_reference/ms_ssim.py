"""Multi-scale SSIM."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Literal

import numpy as np

from pixelgauge import _core, caller
from pixelgauge.checks import ArgumentValueError, one_of
from pixelgauge.full_reference.arguments import DataRange, Float64Array, Score, explain_axes, numbers_of, result_of
from pixelgauge.full_reference.ssim import preset_options
from pixelgauge.images import Images, canonical_pair, value_range_length
from pixelgauge.presets import MS_SSIM_PRESETS, preset_row


def ms_ssim(
    x: object,
    y: object,
    *,
    data_range: DataRange = None,
    preset: str = "wang2003",
    weights: Sequence[float] | None = None,
    combine: Literal["product", "sum"] = "product",
    channel_axis: int | None = -1,
) -> Score:
    """Multi-scale structural similarity, per channel and then averaged over channels.

    Parameters
    ----------
    x, y : array_like
        As for :func:`ssim`. Both sides must hold the 11-tap window at the coarsest scale: with five scales they must
        exceed 160 pixels.
    data_range : float or (float, float), optional
        As for :func:`ssim`.
    preset : str, default "wang2003"
        ``"wang2003"`` halves with the 2 x 2 mean that begins at the sample and symmetric padding; ``"pytorch-msssim"``
        with an average pool that zero-pads odd sizes, and counts negative terms as 0.
    weights : sequence of float, optional
        One a scale, finest first; their number is the number of scales.
        Default: 0.0448, 0.2856, 0.3001, 0.2363, 0.1333.
    combine : {"product", "sum"}, default "product"
        Product of the terms raised to their weights, or their sum with the weights normalised to one.
    channel_axis : int or None, default -1
        As for :func:`ssim`.

    Returns
    -------
    float or (N,) numpy.ndarray of float64
        NaN, with a RuntimeWarning, where a negative term meets a fractional weight in a product.

    Raises
    ------
    TypeError, ValueError
        As :func:`ssim`; and if the images are too small for the scales.

    References
    ----------
    Z. Wang, E. P. Simoncelli, A. C. Bovik: Multi-scale structural similarity for image quality assessment, Asilomar
    Conference on Signals, Systems and Computers, 2003.

    Examples
    --------
    >>> import numpy as np, pixelgauge
    >>> x = np.random.default_rng(0).integers(0, 256, (192, 192, 3), dtype=np.uint8)
    >>> pixelgauge.ms_ssim(x, x)
    1.0
    """
    scores, single = ms_ssim_scores(x, y, data_range, preset, weights, combine, channel_axis)
    warn_of_nan(scores)
    return result_of(scores, single)


def warn_of_nan(scores: Float64Array) -> None:
    """Warn the caller where a score is no number."""
    if np.isnan(scores).any():
        caller.warn(
            "MS-SSIM is NaN: a negative contrast-structure term has no fractional power; "
            "use combine='sum' or preset='pytorch-msssim', which counts such terms as 0",
            RuntimeWarning,
        )


def ms_ssim_scores(
    x: object,
    y: object,
    data_range: DataRange,
    preset: str,
    weights: Sequence[float] | None = None,
    combine: str = "product",
    channel_axis: int | None = -1,
) -> tuple[Float64Array, bool]:
    """Scores of all pairs, NaN without a warning, and whether it is one; parameters and errors of :func:`ms_ssim`."""
    a, b = canonical_pair(x, y, channel_axis)
    row = preset_row(MS_SSIM_PRESETS, preset)
    one_of("combine", combine, ("product", "sum"))
    length = value_range_length(data_range, a.pixels.dtype)
    by_scale = tuple(scale_weights(row.weights if weights is None else weights))
    try:
        scores = _core.ms_ssim(a.pixels, b.pixels, ms_ssim_options(row.name, length, by_scale, combine))
    except ArgumentValueError as error:
        explain_axes(error, a)
        raise
    require_terms(scores, a, b, ms_ssim_options(row.name, length, by_scale, "sum"), data_range)
    return scores, a.single


@functools.lru_cache(maxsize=256)
def ms_ssim_options(preset: str, length: float, weights: tuple[float, ...], combine: str) -> _core.MsSsimOptions:
    """Options of the core for a preset with weights."""
    row = MS_SSIM_PRESETS[preset]
    return _core.MsSsimOptions(
        ssim=preset_options("wang2004", length),
        weights=weights,
        pyramid=getattr(_core.Pyramid, row.pyramid),
        combine=getattr(_core.Combine, combine),
        clamp_negative=row.clamp_negative,
    )


def require_terms(
    scores: Float64Array, a: Images, b: Images, by_sum: _core.MsSsimOptions, data_range: DataRange
) -> None:
    """Raise a ``ValueError`` if a score is not finite because a term is none, given the options that add the terms up.

    A sum is not finite only where a term is none; a product also where a term is negative.
    """
    finite = np.isfinite(scores)
    if not finite.all() and not np.isfinite(_core.ms_ssim(a.pixels, b.pixels, by_sum)[~finite]).all():
        raise ValueError(
            f"MS-SSIM over- or underflows at data_range={data_range!r} and the values there are: scale the images "
            "and data_range to a length near 1"
        )


def scale_weights(weights: Sequence[float]) -> list[float]:
    """Check the weights of the scales, finest first, and return them."""
    if isinstance(weights, str) or not isinstance(weights, Sequence | np.ndarray) or len(weights) == 0:
        raise ValueError(f"weights={weights!r} must be a sequence of numbers, one a scale, finest first")
    return numbers_of("weights", weights)
