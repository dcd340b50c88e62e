"""Ten ways to degrade a photograph, each at eight growing strengths beside the photograph itself."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from PIL import Image
from scipy import ndimage

from docs.pictures.photographs import centre

SEED = 20040413


@dataclass(frozen=True)
class Degradation:
    """One kind: `of` takes the whole photograph and a strength, and gives its degraded middle."""

    name: str
    title: str
    unit: str
    strengths: tuple[float, ...]
    of: Callable[[np.ndarray, float], np.ndarray]


def _levels(values: np.ndarray) -> np.ndarray:
    """Round to 8 bits, cut at 0 and 255."""
    return np.clip(np.rint(values), 0, 255).astype(np.uint8)


def blurred(image: np.ndarray, sigma: float) -> np.ndarray:
    """Filter by a Gaussian of this width in pixels."""
    return _levels(ndimage.gaussian_filter(image.astype(np.float64), (sigma, sigma, 0)))


def with_noise(image: np.ndarray, sigma: float) -> np.ndarray:
    """Add normal noise of this standard deviation in levels."""
    return _levels(image + np.random.default_rng(SEED).normal(0, sigma, image.shape))


def as_jpeg(image: np.ndarray, quality: float) -> np.ndarray:
    """Through a JPEG file of this quality, made by Pillow."""
    file = io.BytesIO()
    Image.fromarray(image).save(file, "JPEG", quality=int(quality))
    return np.asarray(Image.open(file))


def with_contrast(image: np.ndarray, factor: float) -> np.ndarray:
    """Draw every level towards the mean of its channel."""
    mean = image.mean(axis=(0, 1))
    return _levels(mean + factor * (image - mean))


def brighter(image: np.ndarray, levels: float) -> np.ndarray:
    """Add to every level; what would pass 255 stays there."""
    return _levels(image + np.float64(levels))


def salted(image: np.ndarray, share: float) -> np.ndarray:
    """Make this share of the pixels black or white, half of them each."""
    drawn, spoiled = np.random.default_rng(SEED).random(image.shape[:2]), image.copy()
    spoiled[drawn < share / 2], spoiled[drawn > 1 - share / 2] = 0, 255
    return spoiled


def erased(image: np.ndarray, share: float, side: int = 16) -> np.ndarray:
    """Fill this share of the blocks of 16 x 16 pixels with mid-gray."""
    rows, columns = image.shape[0] // side, image.shape[1] // side
    order = np.random.default_rng(SEED).permutation(rows * columns)
    gone = np.zeros(rows * columns, bool)
    gone[order[: round(share * rows * columns)]] = True
    holed = image.copy()
    holed[np.kron(gone.reshape(rows, columns), np.ones((side, side), int)) > 0] = 128
    return holed


def quantised(image: np.ndarray, count: float) -> np.ndarray:
    """Keep this many levels a channel, evenly spread from 0 to 255."""
    step = 255 / (count - 1)
    return _levels(np.rint(image / step) * step)


def rotated(photograph: np.ndarray, degrees: float) -> np.ndarray:
    """The middle of the photograph after it was turned by this angle, by cubic splines."""
    turned = ndimage.rotate(photograph.astype(np.float64), degrees, reshape=False, order=3, mode="mirror")
    return centre(_levels(turned))


def _middle(change: Callable[[np.ndarray, float], np.ndarray]) -> Callable[[np.ndarray, float], np.ndarray]:
    return lambda photograph, strength: change(centre(photograph), strength)


DEGRADATIONS = (
    Degradation("blur", "Gaussian blur", "σ, pixels", (0.5, 1, 1.5, 2, 3, 4, 6, 8), _middle(blurred)),
    Degradation("noise", "Gaussian noise", "σ, levels", (2, 5, 10, 15, 20, 30, 40, 60), _middle(with_noise)),
    Degradation("jpeg", "JPEG", "quality", (95, 80, 60, 40, 25, 15, 8, 4), _middle(as_jpeg)),
    Degradation("contrast", "Contrast", "factor", (0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2), _middle(with_contrast)),
    Degradation("brightness", "Brightness", "levels added", (5, 10, 20, 30, 40, 60, 80, 100), _middle(brighter)),
    Degradation(
        "shift",
        "Shift",
        "pixels right",
        (1, 2, 3, 4, 6, 8, 12, 16),
        lambda photograph, pixels: centre(photograph, right=int(pixels)),
    ),
    Degradation("rotation", "Rotation", "degrees", (0.25, 0.5, 1, 2, 3, 5, 8, 12), rotated),
    Degradation(
        "salt", "Salt and pepper", "share of pixels", (0.001, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.4), _middle(salted)
    ),
    Degradation(
        "blocks", "Erased blocks", "share of area", (0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 0.8), _middle(erased)
    ),
    Degradation("quantisation", "Quantisation", "levels a channel", (64, 32, 16, 8, 6, 4, 3, 2), _middle(quantised)),
)
