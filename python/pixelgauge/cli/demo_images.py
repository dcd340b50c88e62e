"""Pictures of several kinds, made from numbers alone, and the ways in which ``pixelgauge demo`` degrades them."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
import numpy.typing as npt

Picture = npt.NDArray[np.uint8]
_Field = npt.NDArray[np.float64]

SIZE = 256
"""Height and width of the pictures, in pixels."""

STRENGTHS = ("mild", "medium", "strong")


@dataclass(frozen=True)
class Degradation:
    """One way to damage a picture, at a level for each of :data:`STRENGTHS`."""

    name: str
    level: str
    """What the levels measure."""
    levels: tuple[float, float, float]
    apply: Callable[[Picture, float], Picture]


def _to_picture(field: _Field) -> Picture:
    return np.floor(np.clip(field, 0, 255) + 0.5).astype(np.uint8)


def _grid() -> tuple[_Field, _Field]:
    y, x = np.mgrid[:SIZE, :SIZE] / SIZE
    return y, x


def _spectral_noise(rng: np.random.Generator, gain: Callable[[_Field], _Field]) -> _Field:
    """Noise of a given spectrum over the spatial frequency in cycles a pixel; mean 0, standard deviation 1."""
    fy, fx = np.fft.fftfreq(SIZE)[:, np.newaxis], np.fft.rfftfreq(SIZE)
    frequency = np.hypot(fy, fx)
    frequency[0, 0] = 1
    spectrum = np.fft.rfft2(rng.normal(size=(SIZE, SIZE))) * gain(frequency)
    spectrum[0, 0] = 0
    noise = np.fft.irfft2(spectrum, (SIZE, SIZE))
    return np.asarray(noise / noise.std())


def _gradient() -> Picture:
    y, x = _grid()
    return _to_picture(np.stack([40 + 180 * x, 60 + 140 * y, 210 - 150 * x * y], axis=2))


def _shapes() -> Picture:
    rng = np.random.default_rng(1)
    y, x = _grid()
    picture = np.full((SIZE, SIZE, 3), 225.0)
    for _ in range(24):
        cy, cx = rng.uniform(0, 1, 2)
        h, w = rng.uniform(0.03, 0.18, 2)
        disc = np.hypot((y - cy) / h, (x - cx) / w) < 1
        box = (abs(y - cy) < h) & (abs(x - cx) < w)
        picture[disc if rng.random() < 0.5 else box] = rng.uniform(0, 255, 3)
    return _to_picture(picture)


def _text() -> Picture:
    rng = np.random.default_rng(2)
    page = np.full((SIZE, SIZE), 245.0)
    alphabet = rng.random((26, 7, 5)) < 0.45
    for top in range(10, SIZE - 12, 12):
        for left in range(10, SIZE - 12, 7):
            if rng.random() < 0.83:
                page[top : top + 7, left : left + 5][alphabet[rng.integers(26)]] = 25
    return _to_picture(np.repeat(page[..., np.newaxis], 3, axis=2))


def _texture() -> Picture:
    rng = np.random.default_rng(3)
    weave = _spectral_noise(rng, lambda f: np.exp(-(((f - 0.14) / 0.035) ** 2)))
    return _to_picture(128 + 42 * weave[..., np.newaxis] * np.array([1, 0.9, 0.6]))


def _natural() -> Picture:
    rng = np.random.default_rng(4)
    light = _spectral_noise(rng, lambda f: 1 / f)
    colour = [_spectral_noise(rng, lambda f: 1 / f**1.6) for _ in range(3)]
    return _to_picture(120 + 48 * light[..., np.newaxis] + 12 * np.stack(colour, axis=2))


def _portrait() -> Picture:
    rng = np.random.default_rng(5)
    y, x = _grid()

    def spot(cy: float, cx: float, h: float, w: float, softness: float) -> _Field:
        return np.asarray(1 / (1 + np.exp((np.hypot((y - cy) / h, (x - cx) / w) - 1) / softness)))

    picture = np.stack([90 + 40 * y, 110 + 30 * y, 140 - 20 * y], axis=2)
    strands = _spectral_noise(rng, lambda f: np.exp(-(((f - 0.1) / 0.08) ** 2)))
    layers: list[tuple[_Field, object]] = [
        (spot(0.42, 0.5, 0.36, 0.30, 0.03), np.array([62, 42, 30]) + 14 * strands[..., np.newaxis]),
        (spot(1.05, 0.5, 0.25, 0.42, 0.03), np.array([120, 40, 50])),
        (spot(0.80, 0.5, 0.16, 0.10, 0.08), np.array([205, 155, 130])),
        (spot(0.50, 0.5, 0.29, 0.21, 0.03), np.array([224, 178, 150]) - 60 * abs(x - 0.42)[..., np.newaxis]),
        (spot(0.70, 0.5, 0.022, 0.075, 0.15), np.array([170, 70, 75])),
        (spot(0.57, 0.5, 0.06, 0.022, 0.3), np.array([205, 150, 125])),
    ]
    for side in (0.415, 0.585):
        layers += [
            (spot(0.455, side, 0.022, 0.042, 0.1), np.array([240, 238, 235])),
            (spot(0.455, side, 0.019, 0.019, 0.1), np.array([50, 70, 60])),
            (spot(0.405, side, 0.010, 0.055, 0.2), np.array([70, 48, 36])),
        ]
    for mask, colour in layers:
        picture += mask[..., np.newaxis] * (np.asarray(colour) - picture)
    return _to_picture(picture + rng.normal(0, 1.5, (SIZE, SIZE, 1)))


CONTENTS: Mapping[str, Callable[[], Picture]] = MappingProxyType(
    {
        "gradient": _gradient,
        "shapes": _shapes,
        "text": _text,
        "texture": _texture,
        "natural": _natural,
        "portrait": _portrait,
    }
)
"""Kinds of content; each call makes the same (SIZE, SIZE, 3) picture."""


def _blur(picture: Picture, sigma: float) -> Picture:
    radius = int(4 * sigma + 0.5)
    taps = np.exp(-0.5 * (np.arange(-radius, radius + 1) / sigma) ** 2)
    taps /= taps.sum()
    blurred = picture.astype(np.float64)
    for axis in (0, 1):
        padding = [(radius, radius) if a == axis else (0, 0) for a in range(3)]
        windows = np.lib.stride_tricks.sliding_window_view(np.pad(blurred, padding, "reflect"), taps.size, axis)
        blurred = windows @ taps
    return _to_picture(blurred)


def _noise(picture: Picture, sigma: float) -> Picture:
    return _to_picture(picture + np.random.default_rng(6).normal(0, sigma, picture.shape))


def _jpeg(picture: Picture, quality: float) -> Picture:
    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, "JPEG", quality=int(quality))
    return np.array(Image.open(buffer))


def _contrast(picture: Picture, factor: float) -> Picture:
    mean = picture.mean()
    return _to_picture(mean + factor * (picture - mean))


def _shift(picture: Picture, pixels: float) -> Picture:
    n = int(pixels)
    return np.pad(picture, ((0, 0), (n, 0), (0, 0)), "edge")[:, :-n]


DEGRADATIONS = (
    Degradation("blur", "sigma, pixels", (0.8, 1.6, 3.2), _blur),
    Degradation("noise", "sigma, levels", (5, 15, 40), _noise),
    Degradation("jpeg", "quality", (60, 25, 8), _jpeg),
    Degradation("contrast", "factor", (0.9, 0.7, 0.4), _contrast),
    Degradation("shift", "pixels right", (1, 2, 4), _shift),
)
