"""Pictures that look like photographs and screenshots, the same in every process.

Photographs have a spectrum that falls with frequency, edges, a flat sky and grain: pure noise would hide the branches that
real inputs take.
"""

from __future__ import annotations

import numpy as np

from bench.inputs import kept

# Sizes are height and width here, and width x height in names, as people say them.
SIZES = {"1920x1080": (1080, 1920), "256x256": (256, 256), "64x64": (64, 64)}


@kept
def photograph(height: int, width: int) -> np.ndarray:
    """An RGB picture in float64 of 0..255: 1/f texture, discs with sharp edges, a flat sky on top and grain of a sensor."""
    rng = np.random.default_rng([20040413, height, width])
    frequency = np.hypot(np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width)[None])
    frequency[0, 0] = np.inf
    light, hue = (
        np.fft.irfft2(np.fft.rfft2(rng.standard_normal((height, width))) / frequency, (height, width)) for _ in range(2)
    )
    light *= 38 / light.std()
    hue *= 12 / hue.std()
    image = 118 + np.stack([light + hue, light, light - hue], axis=-1)
    for _ in range(12):
        radius = round(rng.uniform(0.03, 0.15) * min(height, width))
        top, left = rng.integers(0, height - 2 * radius), rng.integers(0, width - 2 * radius)
        across = np.arange(2 * radius) - radius
        disc = image[top : top + 2 * radius, left : left + 2 * radius]
        inside = np.hypot(across[:, None], across[None]) < radius
        disc[inside] = 0.5 * disc[inside] + 0.5 * rng.uniform(20, 235, 3)
    image += rng.normal(0, 2.5, image.shape)
    image[: height // 6] = (168, 196, 228)
    return np.clip(image, 0, 255)


@kept
def pair(height: int, width: int, dtype: str = "uint8") -> tuple[np.ndarray, np.ndarray]:
    """The picture, and a copy with less contrast, softer and with more grain; floats are of 0..1."""
    rng = np.random.default_rng([7, height, width])
    reference = photograph(height, width)
    softer = (np.roll(reference, 1, 0) + 2 * reference + np.roll(reference, -1, 1)) / 4
    test = np.clip(0.93 * softer + 8 + rng.normal(0, 5, reference.shape), 0, 255)
    if np.dtype(dtype).kind == "f":
        return (reference / 255).astype(dtype), (test / 255).astype(dtype)
    scale = np.iinfo(dtype).max / 255
    return np.rint(reference * scale).astype(dtype), np.rint(test * scale).astype(dtype)


@kept
def screenshot(height: int, width: int) -> tuple[np.ndarray, np.ndarray]:
    """Flat panels and rows of dark strokes, and the same a grey level lighter here and there: most windows have no variance."""
    rng = np.random.default_rng([11, height, width])
    image = np.full((height, width, 3), 245, np.uint8)
    image[:, : width // 5] = (38, 44, 60)
    strokes = rng.random((height, width)) < 0.3
    strokes[:, : width // 4] = False
    strokes[np.arange(height) % 24 < 12] = False
    image[strokes] = 20
    test = image.copy()
    test[height // 2 :, width // 2 :] -= 1
    return image, test


@kept
def batch(count: int, height: int, width: int) -> tuple[np.ndarray, np.ndarray]:
    """So many pairs: the picture and its copy, each moved along a row by another step."""
    x, y = ([np.roll(image, 17 * i, axis=1) for i in range(count)] for image in pair(height, width))
    return np.stack(x), np.stack(y)
