"""SSIM: the mean, the map, and the factors that it is the product of."""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from pixelgauge import _core, caller
from pixelgauge.checks import ArgumentValueError, flag, whole_number
from pixelgauge.full_reference.arguments import (
    DataRange,
    Float64Array,
    Score,
    choice,
    explain_axes,
    number_of,
    numbers_of,
    require_inside,
    result_of,
)
from pixelgauge.images import Array, Images, canonical_pair, value_range_length
from pixelgauge.notebooks import in_notebooks
from pixelgauge.presets import SSIM_PRESETS, SSIMPreset, preset_row

_PLAIN_EXPONENTS = (1, 1, 1)

_LARGEST_WINDOW = 2**31 - 1  # an int of the C ABI

_OVERRIDES = ("window", "window_size", "sigma", "k1", "k2", "border", "covariance", "downsample")


@in_notebooks
class SSIMComponents(NamedTuple):
    """Means over the windows of the three factors of SSIM: a float each for one image, (N,) arrays for a batch."""

    luminance: Score
    contrast: Score
    structure: Score


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
    full, components = flag("full", full), flag("components", components)
    a, b = canonical_pair(x, y, channel_axis)
    row = preset_row(SSIM_PRESETS, preset)
    length = value_range_length(data_range, a.pixels.dtype)
    if overrides or exponents is not _PLAIN_EXPONENTS:
        options = ssim_options(overridden(row, overrides), length, exponents)
    else:
        options = preset_options(row.name, length)
    require_unclipped(row, a, b, data_range)
    try:
        scores, index, parts = _core.ssim(a.pixels, b.pixels, options, full, components)
    except ArgumentValueError as error:
        explain_axes(error, a)
        raise
    if tuple(exponents) == _PLAIN_EXPONENTS:
        require_finite(scores, data_range)
    elif not all(map(math.isfinite, scores.tolist())):
        caller.warn(f"SSIM is NaN: a negative factor has no power with exponents={tuple(exponents)}", RuntimeWarning)
    result: Score | SSIMComponents = result_of(scores, a.single)
    if components:
        result = SSIMComponents(*(result_of(part, a.single) for part in parts))
    return result if index is None else (result, a.in_layout(index))


def require_unclipped(row: SSIMPreset, a: Images, b: Images, data_range: DataRange) -> None:
    """Raise a ``ValueError`` where a preset's program would clip values."""
    if row.clips_to_range and data_range is not None and np.ndim(data_range) == 1:
        require_inside(a, b, data_range, row.name)


def require_finite(scores: Float64Array, data_range: DataRange) -> None:
    """Raise a ``ValueError`` if a score without exponents is no number."""
    if not all(map(math.isfinite, scores.tolist())):
        raise ValueError(
            f"SSIM over- or underflows at data_range={data_range!r} and the values there are: scale the images and "
            "data_range to a length near 1"
        )


def overridden(row: SSIMPreset, overrides: dict[str, Any]) -> SSIMPreset:
    """Change single settings of a preset; ``TypeError`` for one that there is not."""
    for name in overrides:
        if name not in _OVERRIDES:
            raise TypeError(f"ssim() has no argument {name!r}: a preset's settings are {', '.join(_OVERRIDES)}")
    return dataclasses.replace(row, **overrides) if overrides else row


@functools.lru_cache(maxsize=256)
def preset_options(preset: str, length: float) -> _core.SsimOptions:
    """Options of the core for a preset as it is."""
    return ssim_options(SSIM_PRESETS[preset], length, _PLAIN_EXPONENTS)


def ssim_options(row: SSIMPreset, length: float, exponents: Sequence[float]) -> _core.SsimOptions:
    """Check the settings of a preset, and return them as the core takes them."""
    window_size = whole_number("window_size", row.window_size, 1, _LARGEST_WINDOW)
    if isinstance(exponents, str) or not isinstance(exponents, Sequence | np.ndarray) or len(exponents) != 3:
        raise ValueError(f"exponents={exponents!r} must be three numbers: of luminance, contrast and structure")
    return _core.SsimOptions(
        data_range=length,
        k1=number_of("k1", row.k1),
        k2=number_of("k2", row.k2),
        sigma=number_of("sigma", row.sigma),
        window_size=window_size,
        window=choice(_core.Window, "window", row.window),
        border=choice(_core.Border, "border", row.border),
        covariance=choice(_core.Covariance, "covariance", row.covariance),
        downsample=choice(_core.Downsample, "downsample", row.downsample),
        exponents=numbers_of("exponents", exponents),
    )
