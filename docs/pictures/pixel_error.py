"""Six degradations of one mean squared error, and what the other metrics say of them."""

from __future__ import annotations

import functools

import numpy as np
from matplotlib.figure import Figure

import pixelgauge
from docs.pictures import canvas, networks
from docs.pictures.degradations import as_jpeg, blurred, brighter, salted, with_contrast, with_noise
from docs.pictures.photographs import astronaut, centre

WANTED = 250.0
"""The mean squared error: 24.15 dB."""
_RANGES = {
    "brightness": (brighter, 1, 60),
    "contrast": (with_contrast, 1, 0.1),
    "noise": (with_noise, 1, 60),
    "blur": (blurred, 0.3, 8),
    "JPEG": (as_jpeg, 95, 1),
    "salt and pepper": (salted, 0.001, 0.2),
}
_FACE = (slice(10, 170), slice(90, 250))


@functools.cache
def images() -> dict[str, np.ndarray]:
    """The photograph's middle by what was done to it, each at the error that is wanted, as near as its steps allow."""
    reference, found = centre(astronaut()), {}
    for name, (change, weak, strong) in _RANGES.items():
        for _ in range(20):
            middle = (weak + strong) / 2
            if pixelgauge.mse(reference, change(reference, middle)) < WANTED:
                weak = middle
            else:
                strong = middle
        both = [change(reference, strength) for strength in (weak, strong)]
        found[name] = min(both, key=lambda image: abs(pixelgauge.mse(reference, image) - WANTED))
    return found


def same_error() -> Figure:
    """The six, with the scores that tell them apart."""
    reference = centre(astronaut())
    figure, axes = canvas.new_axes(5.0, 2, 3)
    for one, (name, image) in zip(axes.flat, images().items(), strict=True):
        scores = (
            f"MSE {pixelgauge.mse(reference, image):.0f}, PSNR {pixelgauge.psnr(reference, image):.1f}",
            f"SSIM {pixelgauge.ssim(reference, image):.2f}, LPIPS {float(networks.lpips()(reference, image)):.2f}",
        )
        canvas.show(one, image[_FACE], "\n".join([name, *scores]))
    return figure
