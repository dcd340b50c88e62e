"""Metrics that compare an image with its reference: MSE, PSNR, SSIM, MS-SSIM."""

from __future__ import annotations

import dataclasses
import functools
import math
import warnings
from collections.abc import Sequence
from typing import Any, Literal, NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt

from pixelgauge import _core
from pixelgauge.checks import number, whole_number
from pixelgauge.images import Array, Images, canonical_pair, value_range_length
from pixelgauge.presets import MS_SSIM_PRESETS, SSIM_PRESETS, SSIMPreset, preset_row

Float64Array = npt.NDArray[np.float64]
Score = float | Float64Array
DataRange = float | Sequence[float] | None

_PLAIN_EXPONENTS = (1, 1, 1)
_LARGEST_WINDOW = 2**31 - 1  # an int of the C ABI
_OVERRIDES = ("window", "window_size", "sigma", "k1", "k2", "border", "covariance", "downsample")


class SSIMComponents(NamedTuple):
    """Means over the windows of the three factors of SSIM: a float each for one image, (N,) arrays for a batch."""

    luminance: Score
    contrast: Score
    structure: Score


def mse(x: object, y: object, *, channel_axis: int | None = -1) -> Score:
    """Mean squared error over all pixels and channels of each pair, summed in float64.

    Parameters
    ----------
    x, y : array_like
        Images (H, W), (H, W, C) or batches (N, H, W, C) of the same shape and dtype: uint8, uint16, bfloat16, float16,
        float32 or float64; NumPy arrays or anything on the CPU that speaks DLPack or ``__array__``. PIL images, read by
        the rules of :func:`pixelgauge.images.read_image`. A list or tuple of images of one shape is a batch.
    channel_axis : int or None, default -1
        Axis of the channels, in a list that of each image; a PIL image knows its own. None: no channels, so (N, H, W)
        is a batch.

    Returns
    -------
    float or (N,) numpy.ndarray of float64
        In squared units of the pixels.

    Raises
    ------
    TypeError
        If an argument holds no pixels of a supported dtype.
    ValueError
        If shapes or dtypes differ, an image is empty, or a pixel is NaN or infinite.

    Examples
    --------
    >>> import numpy as np, pixelgauge
    >>> pixelgauge.mse(np.zeros((8, 8), np.uint8), np.full((8, 8), 3, np.uint8))
    9.0
    """
    a, b = canonical_pair(x, y, channel_axis)
    return _result(_core.mse(a.pixels, b.pixels), a.single)


_LENGTHS = (1e-150, 1e150)
"""Of a range whose square is a normal float64."""


def psnr(x: object, y: object, *, data_range: DataRange = None, channel_axis: int | None = -1) -> Score:
    """Peak signal-to-noise ratio, 10 log10(L^2 / MSE).

    Parameters
    ----------
    x, y : array_like
        As for :func:`mse`.
    data_range : float or (float, float), optional
        R means values in 0..R, a pair means (low, high); L is its length. Integer images default to their dtype's
        full range; float images must say it.
    channel_axis : int or None, default -1
        As for :func:`mse`.

    Returns
    -------
    float or (N,) numpy.ndarray of float64
        In decibels; inf for identical images. The PSNR of a set is the mean of these, not the PSNR of a pooled MSE.

    Raises
    ------
    TypeError, ValueError
        As :func:`mse`; and if float images come without `data_range`, or its length is not within 1e-150 to 1e150.

    Examples
    --------
    >>> import numpy as np, pixelgauge
    >>> x = np.zeros((8, 8), np.uint8)
    >>> round(pixelgauge.psnr(x, x + np.uint8(5)), 4)
    34.1514
    >>> pixelgauge.psnr(x, x)
    inf
    """
    a, b = canonical_pair(x, y, channel_axis)
    length = value_range_length(data_range, a.pixels.dtype)
    if not _LENGTHS[0] <= length <= _LENGTHS[1]:
        raise ValueError(
            f"data_range={data_range!r} leaves float64's room, {_LENGTHS[0]:g} to {_LENGTHS[1]:g}: scale the images "
            "and data_range to a length near 1"
        )
    error = _core.mse(a.pixels, b.pixels)
    with np.errstate(divide="ignore", over="ignore"):
        decibels = 10 * np.log10(length * length / error)
    if not all(map(math.isfinite, decibels.tolist())) and (np.isinf(decibels) & (error > 0)).any():
        raise ValueError(
            f"PSNR over- or underflows at data_range={data_range!r} and the values there are: scale the images and "
            "data_range to a length near 1"
        )
    return _result(decibels, a.single)


def ssim(
    x: object,
    y: object,
    *,
    data_range: DataRange = None,
    preset: str = "wang2004",
    channel_axis: int | None = -1,
    full: bool = False,
    components: bool = False,
    exponents: Sequence[float] = _PLAIN_EXPONENTS,
    **overrides: Any,
) -> Score | SSIMComponents | tuple[Score | SSIMComponents, Array]:
    """Structural similarity, per channel and then averaged over channels.

    Parameters
    ----------
    x, y : array_like
        Images (H, W), (H, W, C) or batches (N, H, W, C) of the same shape and dtype: uint8, uint16, bfloat16, float16,
        float32 or float64; NumPy arrays or anything on the CPU that speaks DLPack or ``__array__``, any strides read in
        place. PIL images, read by the rules of :func:`pixelgauge.images.read_image`. A list or tuple of images of one
        shape is a batch.
    data_range : float or (float, float), optional
        R means values in 0..R, a pair means (low, high); SSIM depends on its length L only. Integer images default to
        their dtype's full range; float images must say it.
    preset : str, default "wang2004"
        The program whose number is computed: ``"wang2004"``, ``"pytorch-msssim"``, ``"tensorflow"``, ``"matlab"``,
        ``"piq"``, ``"skimage"``, ``"skimage-gaussian"``, ``"torchmetrics"`` or ``"opencv"``;
        ``pixelgauge.presets.SSIM_PRESETS`` holds the rows.
    channel_axis : int or None, default -1
        Axis of the channels, in a list that of each image; a PIL image knows its own. None: no channels, so (N, H, W)
        is a batch.
    full : bool, default False
        Also return the map of the index.
    components : bool, default False
        Return the means of luminance, contrast and structure instead of the score.
    exponents : (float, float, float), default (1, 1, 1)
        Of luminance, contrast and structure in the general form l^a c^b s^c with C3 = C2 / 2.
    **overrides
        Change single settings of the preset: `window` ("gaussian" or "uniform"), `window_size` (odd, pixels),
        `sigma` (pixels), `k1`, `k2`, `border` ("valid": windows inside the image; "reflect": every pixel, mirrored
        about the edge pixel; "crop": as "valid", but the map has every pixel), `covariance` ("population" or
        "sample"), `downsample` ("none", "matlab" or "pool").

    Returns
    -------
    score : float or (N,) numpy.ndarray of float64
        In [-1, 1] for images of non-negative values; 1 for identical images, exactly. NaN, with a RuntimeWarning, where
        a negative factor meets a fractional exponent.
    map : numpy.ndarray
        Only with `full`: the index at every window, shaped like one image or the batch, with the preset's borders;
        float64 for float64 images, else float32.

    Raises
    ------
    TypeError
        If an argument holds no pixels of a supported dtype, or an override is not known.
    ValueError
        If shapes or dtypes differ, float images come without `data_range`, an image is smaller than the window, a pixel
        is NaN or infinite, or a setting is out of range. Preset "torchmetrics" clips to a (low, high) range: values
        outside it are an error here.

    References
    ----------
    Z. Wang, A. C. Bovik, H. R. Sheikh, E. P. Simoncelli: Image quality assessment: from error visibility to structural
    similarity, IEEE Transactions on Image Processing 13(4), 2004.

    Examples
    --------
    >>> import numpy as np, pixelgauge
    >>> x = np.arange(64 * 64, dtype=np.uint16).reshape(64, 64) % 251
    >>> x = x.astype(np.uint8)
    >>> pixelgauge.ssim(x, x)
    1.0
    >>> round(pixelgauge.ssim(x, 255 - x), 3)
    -0.956
    >>> score, index = pixelgauge.ssim(x, 255 - x, full=True)
    >>> index.shape
    (54, 54)
    """
    for name, value in (("full", full), ("components", components)):
        if type(value) is not bool and not isinstance(value, np.bool_):
            raise TypeError(f"{name}={value!r} must be True or False")
    a, b = canonical_pair(x, y, channel_axis)
    row = preset_row(SSIM_PRESETS, preset)
    length = value_range_length(data_range, a.pixels.dtype)
    if overrides or exponents is not _PLAIN_EXPONENTS:
        options = _ssim_options(_overridden(row, overrides), length, exponents)
    else:
        options = _preset_options(row.name, length)
    if row.clips_to_range and data_range is not None and np.ndim(data_range) == 1:
        _require_inside(a, b, data_range, preset)
    try:
        scores, index, parts = _core.ssim(a.pixels, b.pixels, options, bool(full), bool(components))
    except ValueError as error:
        _explain_axes(error, a)
        raise
    if not all(map(math.isfinite, scores.tolist())):
        if tuple(exponents) == _PLAIN_EXPONENTS:
            raise ValueError(
                f"SSIM over- or underflows at data_range={data_range!r} and the values there are: scale the images and "
                "data_range to a length near 1"
            )
        warnings.warn(
            f"SSIM is NaN: a negative factor has no power with exponents={tuple(exponents)}",
            RuntimeWarning,
            stacklevel=2,
        )
    result: Score | SSIMComponents = _result(scores, a.single)
    if components:
        result = SSIMComponents(*(_result(part, a.single) for part in parts))
    return result if index is None else (result, a.in_layout(index))


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
    a, b = canonical_pair(x, y, channel_axis)
    row = preset_row(MS_SSIM_PRESETS, preset)
    if combine not in ("product", "sum"):
        raise ValueError(f"combine={combine!r} is not known: use 'product' or 'sum'")
    options = _preset_options("wang2004", value_range_length(data_range, a.pixels.dtype))
    scale_weights = _weights(row.weights if weights is None else weights)

    def scores_by(rule: str) -> Float64Array:
        pyramid, combination = getattr(_core.Pyramid, row.pyramid), getattr(_core.Combine, rule)
        return _core.ms_ssim(a.pixels, b.pixels, options, scale_weights, pyramid, combination, row.clamp_negative)

    try:
        scores = scores_by(combine)
    except ValueError as error:
        _explain_axes(error, a)
        raise
    finite = np.isfinite(scores)
    if not finite.all():
        # A sum is not finite only where a term is none; a product also where a term is negative.
        if not np.isfinite(scores_by("sum")[~finite]).all():
            raise ValueError(
                f"MS-SSIM over- or underflows at data_range={data_range!r} and the values there are: scale the images "
                "and data_range to a length near 1"
            )
        warnings.warn(
            "MS-SSIM is NaN: a negative contrast-structure term has no fractional power; "
            "use combine='sum' or preset='pytorch-msssim', which counts such terms as 0",
            RuntimeWarning,
            stacklevel=2,
        )
    return _result(scores, a.single)


_T = TypeVar("_T")


def _result(scores: Float64Array, single: bool) -> Score:
    return float(scores[0]) if single else scores


def _overridden(row: SSIMPreset, overrides: dict[str, Any]) -> SSIMPreset:
    for name in overrides:
        if name not in _OVERRIDES:
            raise TypeError(f"ssim() has no argument {name!r}: a preset's settings are {', '.join(_OVERRIDES)}")
    return dataclasses.replace(row, **overrides) if overrides else row


def _choice(kind: type[_T], argument: str, value: object) -> _T:
    members: dict[str, _T] = kind.__members__  # type: ignore[attr-defined]
    if not isinstance(value, str) or value not in members:
        raise ValueError(f"{argument}={value!r} is not known: use one of {', '.join(map(repr, members))}")
    return members[value]


def _number(argument: str, value: object) -> float:
    try:
        return number(value)
    except (TypeError, ValueError) as error:
        raise TypeError(f"{argument}={value!r} must be a number") from error


def _numbers(argument: str, values: Sequence[float]) -> list[float]:
    numbers = []
    for value in values:
        try:
            numbers.append(number(value))
        except (TypeError, ValueError) as error:
            raise TypeError(f"{argument} holds {value!r}: each must be a number") from error
    return numbers


def _weights(weights: Sequence[float]) -> list[float]:
    if isinstance(weights, str) or not isinstance(weights, Sequence | np.ndarray) or len(weights) == 0:
        raise ValueError(f"weights={weights!r} must be a sequence of numbers, one a scale, finest first")
    return _numbers("weights", weights)


def _explain_axes(error: ValueError, images: Images) -> None:
    """Raise `error` with how the axes were read, where the channels outnumber a side: they are likely elsewhere."""
    _, height, width, channels = images.pixels.shape
    if channels > min(height, width):
        raise ValueError(
            f"{error}. The images were read as {height} x {width} with {channels} channels: "
            "set channel_axis to the axis of the channels, or to None if there is none"
        ) from error


@functools.lru_cache(maxsize=256)
def _preset_options(preset: str, length: float) -> _core.SsimOptions:
    return _ssim_options(SSIM_PRESETS[preset], length, _PLAIN_EXPONENTS)


def _ssim_options(row: SSIMPreset, length: float, exponents: Sequence[float]) -> _core.SsimOptions:
    window_size = whole_number("window_size", row.window_size, 1, _LARGEST_WINDOW)
    if isinstance(exponents, str) or not isinstance(exponents, Sequence | np.ndarray) or len(exponents) != 3:
        raise ValueError(f"exponents={exponents!r} must be three numbers: of luminance, contrast and structure")
    return _core.SsimOptions(
        data_range=length,
        k1=_number("k1", row.k1),
        k2=_number("k2", row.k2),
        sigma=_number("sigma", row.sigma),
        window_size=window_size,
        window=_choice(_core.Window, "window", row.window),
        border=_choice(_core.Border, "border", row.border),
        covariance=_choice(_core.Covariance, "covariance", row.covariance),
        downsample=_choice(_core.Downsample, "downsample", row.downsample),
        exponents=_numbers("exponents", exponents),
    )


def _require_inside(a: Images, b: Images, data_range: DataRange, preset: str) -> None:
    low, high = map(number, data_range)  # type: ignore[arg-type]
    for name, images in (("x", a), ("y", b)):
        least, most = _core.value_range(images.pixels)
        if least < low or most > high:
            raise ValueError(
                f"{name} has values in {least:g}..{most:g}, outside data_range={data_range!r}, which preset {preset!r} "
                "clips to: clip the images, or correct the range"
            )
