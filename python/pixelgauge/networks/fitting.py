"""Resizes, crops and scales images as the programs do that publish features: Pillow's 8 bits to the bit."""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from pixelgauge.checks import ArgumentTypeError, ArgumentValueError, flag, number, one_of, whole_number
from pixelgauge.images.pillow import rgb_pixels
from pixelgauge.networks.pixels import Float32Array

Size = int | tuple[int, int] | None
Crop = int | tuple[int, int] | str | None
Triple = tuple[float, float, float]

INTERPOLATIONS = ("nearest", "bilinear", "bicubic", "box", "hamming", "lanczos")
"""Pillow's filters."""
_WITHOUT_ANTIALIAS = {"bilinear": 2, "bicubic": 4}
"""Filters that PyTorch has without antialias, and their taps."""
_A = -0.75
"""Of PyTorch's cubic; Pillow's is -0.5."""


@dataclass(frozen=True)
class Fitting:
    """How images come to the size and the scale that a network takes.

    The arithmetic is torchvision's: the longer edge is cut to a whole number, the crop's corner rounded half to even,
    8 bits divided by 255, then less the mean and divided by the deviation, each step rounded to float32.
    """

    size: Size
    """Shorter edge, or (height, width), or None: as it is."""
    crop: Crop
    """(height, width) cut from the centre, "square" for the largest square before resizing, or None."""
    interpolation: str
    antialias: bool
    mean: Triple
    std: Triple

    def fitted_size(self) -> tuple[int, int] | None:
        """Height and width of every image that comes out; None if they depend on the image."""
        if isinstance(self.crop, tuple):
            return self.crop
        if isinstance(self.size, tuple):
            return self.size
        return (self.size, self.size) if self.crop == "square" and isinstance(self.size, int) else None

    def levels(self, pixels: npt.NDArray[np.uint8], name: str) -> npt.NDArray[np.uint8]:
        """(H, W, 3) pixels of 8 bits, resized and cropped by Pillow."""
        from PIL import Image

        top, left, height, width = self._before(*pixels.shape[:2])
        pixels = pixels[top : top + height, left : left + width]
        target = self._resized(height, width, name)
        if target != (height, width):
            image = Image.fromarray(np.ascontiguousarray(pixels))
            pixels = rgb_pixels(image.resize(target[::-1], _filter(self.interpolation)))
        return self._after(pixels, name)

    def units(self, pixels: npt.NDArray[Any], low: float, high: float, name: str) -> Float32Array:
        """(H, W, 3) values in low..high as 0..1, resized and cropped, not rounded."""
        top, left, height, width = self._before(*pixels.shape[:2])
        cut = pixels[top : top + height, left : left + width]
        values = ((cut.astype(np.float64) - low) / (high - low)).astype(np.float32)
        target = self._resized(height, width, name)
        if target != (height, width):
            values = self._filtered(values, target)
        return self._after(values, name)

    def normalised(self, values: Float32Array) -> Float32Array:
        """(H, W, 3) values in 0..1, less the mean and divided by the deviation."""
        mean: Float32Array = np.asarray(self.mean, np.float32)
        std: Float32Array = np.asarray(self.std, np.float32)
        return (values - mean) / std

    @functools.cached_property
    def table(self) -> Float32Array:
        """(256, 3): what each of 256 levels becomes in each channel."""
        levels = np.repeat(np.arange(256, dtype=np.float32)[:, np.newaxis], 3, axis=1)
        return self.normalised(levels / np.float32(255))

    def _before(self, height: int, width: int) -> tuple[int, int, int, int]:
        """Top, left, height and width of what is resized."""
        if self.crop != "square":
            return 0, 0, height, width
        edge = min(height, width)
        return (height - edge) // 2, (width - edge) // 2, edge, edge

    def _resized(self, height: int, width: int, name: str) -> tuple[int, int]:
        if not isinstance(self.size, int):
            return self.size or (height, width)
        long = int(self.size * max(height, width) / min(height, width))
        if long * self.size > _MOST_PIXELS:
            raise ValueError(
                f"{name} is {height} x {width}, and its longer edge would become {long} pixels: cut it, or give size "
                "as (height, width)"
            )
        return (long, self.size) if width <= height else (self.size, long)

    def _filtered(self, values: Float32Array, target: tuple[int, int]) -> Float32Array:
        if not self.antialias:
            for axis in (0, 1):
                values = _interpolated(values, target[axis], axis, _WITHOUT_ANTIALIAS[self.interpolation])
            return values
        from PIL import Image

        planes = [
            Image.fromarray(np.ascontiguousarray(values[..., c])).resize(target[::-1], _filter(self.interpolation))
            for c in range(3)
        ]
        resized: Float32Array = np.stack([np.asarray(plane) for plane in planes], axis=-1)
        return resized.clip(0, 1)

    def _after(self, values: npt.NDArray[Any], name: str) -> npt.NDArray[Any]:
        if not isinstance(self.crop, tuple):
            return values
        height, width = values.shape[:2]
        wanted_height, wanted_width = self.crop
        if height < wanted_height or width < wanted_width:
            remedy = "give a larger size or a smaller crop"
            raise ValueError(f"{name} is {height} x {width} where it is cropped to {self.crop}: {remedy}")
        top, left = round((height - wanted_height) / 2), round((width - wanted_width) / 2)  # half to even
        return values[top : top + wanted_height, left : left + wanted_width]


def _filter(interpolation: str) -> Any:
    from PIL import Image

    return Image.Resampling[interpolation.upper()]


def _interpolated(values: Float32Array, count: int, axis: int, taps: int) -> Float32Array:
    """Resize along an axis as PyTorch's ``interpolate`` without antialias: half-pixel centres, edges repeated."""
    length = values.shape[axis]
    if count == length:
        return values
    places = (np.arange(count) + 0.5) * (length / count) - 0.5
    if taps == 2:
        places = np.maximum(places, 0)
    first = np.floor(places)
    t = places - first
    out = np.zeros((*values.shape[:axis], count, *values.shape[axis + 1 :]), np.float64)
    for tap in range(1 - taps // 2, 1 + taps // 2):
        index = np.clip(first.astype(np.int64) + tap, 0, length - 1)
        weight = _weight(np.abs(t - tap), taps)
        out += np.take(values, index, axis) * weight.reshape([-1 if i == axis else 1 for i in range(values.ndim)])
    return out.astype(np.float32)


def _weight(d: npt.NDArray[np.float64], taps: int) -> npt.NDArray[np.float64]:
    """Weight of a tap at a distance."""
    if taps == 2:
        return 1 - d
    near = ((_A + 2) * d - (_A + 3)) * d * d + 1
    far = ((_A * d - 5 * _A) * d + 8 * _A) * d - 4 * _A
    return np.where(d <= 1, near, far)


# ---- arguments ------------------------------------------------------------------------------------------------------


def checked_fitting(
    size: object, crop: object, interpolation: object, antialias: object, mean: Any, std: Any
) -> Fitting:
    """Fitting of a user's arguments.

    Raises
    ------
    TypeError, ValueError
        That name the argument that cannot be.
    """
    name = one_of("interpolation", interpolation, INTERPOLATIONS)
    if not flag("antialias", antialias) and name not in _WITHOUT_ANTIALIAS:
        remedy = "use 'bilinear' or 'bicubic' without it"
        raise ArgumentValueError("antialias", "False", f"is not known of interpolation={name!r}", remedy)
    fit = Fitting(
        _extent("size", size),
        _crop(crop),
        name,
        bool(antialias),
        _triple("mean", mean, False),
        _triple("std", std, True),
    )
    edges = (fit.size, fit.size) if isinstance(fit.size, int) else fit.size
    if edges is not None and isinstance(fit.crop, tuple) and any(c > s for c, s in zip(fit.crop, edges, strict=True)):
        problem = f"is more than size={fit.size!r} leaves"
        raise ArgumentValueError("crop", repr(crop), problem, "give a larger size or a smaller crop")
    return fit


def _crop(crop: object) -> Crop:
    if isinstance(crop, str):
        if crop != "square":
            raise ArgumentValueError("crop", repr(crop), "is not known", "give a whole number, a pair, or 'square'")
        return crop
    found = _extent("crop", crop)
    return (found, found) if isinstance(found, int) else found


def _extent(argument: str, value: object) -> Size:
    """Check a whole number, a pair (height, width) or None."""
    if value is None:
        return None
    if isinstance(value, list | tuple):
        if len(value) != 2:
            raise ArgumentValueError(argument, repr(value), "must be a whole number, or a pair (height, width)")
        height, width = (whole_number(f"{argument}[{i}]", one, 1, _MOST_EDGE) for i, one in enumerate(value))
        return height, width
    if isinstance(value, str):
        raise ArgumentTypeError(argument, repr(value), "must be a whole number, or a pair (height, width)")
    return whole_number(argument, value, 1, _MOST_EDGE)


_MOST_EDGE = 1 << 15
_MOST_PIXELS = 1 << 28
"""Of a resized image, whose shorter edge was asked for: a strip of an image would take any memory."""


def _triple(argument: str, values: Sequence[float] | float, positive: bool) -> Triple:
    """Check three numbers, or one for all three channels."""
    given = [values] * 3 if np.ndim(values) == 0 else list(values)  # type: ignore[arg-type]
    try:
        found = [number(value) for value in given]
    except (TypeError, ValueError) as error:
        raise ArgumentTypeError(argument, repr(values), "must be three numbers, of red, green and blue") from error
    least = float(np.finfo(np.float32).tiny) if positive else -math.inf
    if len(found) != 3 or not all(math.isfinite(value) and value >= least for value in found):
        kind = "three numbers above 0" if positive else "three finite numbers"
        raise ArgumentValueError(argument, repr(values), f"must be {kind}, of red, green and blue on 0..1")
    return found[0], found[1], found[2]
