"""SSIM: where it finds an error, how its factors answer, and MS-SSIM's scales."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

import pixelgauge
from docs.pictures import canvas
from docs.pictures.degradations import as_jpeg, blurred, with_noise
from docs.pictures.photographs import astronaut, centre


def ssim_map() -> Figure:
    """A photograph, its JPEG of quality 10, the squared error and the index of every window."""
    reference = centre(astronaut())
    image = as_jpeg(reference, 10)
    score, index = pixelgauge.ssim(reference, image, full=True)
    error = np.square(reference.astype(float) - image).mean(axis=-1)
    figure, axes = canvas.new_axes(4.4, 2, 2)
    shown = (slice(0, 240), slice(70, 310))
    canvas.show(axes[0, 0], reference[shown], "reference")
    canvas.show(axes[0, 1], image[shown], "JPEG, quality 10")
    for one, values, title, limits in (
        (axes[1, 0], error, f"squared error: 0 to 800, mean {error.mean():.0f}", (0, 800)),
        (axes[1, 1], 1 - np.pad(index.mean(axis=-1), 5, mode="edge"), f"1 - index: 0 to 1, SSIM {score:.2f}", (0, 1)),
    ):
        one.imshow(values[shown], cmap="magma", vmin=limits[0], vmax=limits[1])
        one.set_title(title, fontsize=10)
        one.set_axis_off()
    return figure


def ssim_factors() -> Figure:
    """The luminance factor of flat pictures twenty levels apart, and the contrast factor of stripes made weaker."""
    figure, (left, right) = canvas.new_axes(3.4, 1, 2)
    levels = np.arange(0, 236, 5)
    flat = [np.full((16, 16), level, np.uint8) for level in levels]
    for step, style in ((5, "-"), (10, "--"), (20, ":")):
        scores = [pixelgauge.ssim(image, image + np.uint8(step), components=True).luminance for image in flat]
        left.plot(levels, scores, style, color=canvas.BLUE, label=f"+{step} levels")
    left.set(xlabel="level of the reference", title="luminance l", ylim=(-0.03, 1.03))
    left.legend()
    factors = np.linspace(0, 2, 41)
    stripes = np.tile(np.where(np.arange(32) % 4 < 2, -1.0, 1.0), (32, 1))
    for spread, style in ((5, "-"), (15, "--"), (45, ":")):
        scores = [
            pixelgauge.ssim(128 + spread * stripes, 128 + factor * spread * stripes, data_range=255, components=True)
            for factor in factors
        ]
        right.plot(factors, [s.contrast for s in scores], style, color=canvas.ORANGE, label=f"σ {spread} levels")
    right.set(xlabel="contrast, times the reference's", title="contrast c", ylim=(-0.03, 1.03))
    right.legend(loc="lower right")
    return figure


def ms_ssim_scales() -> Figure:
    """Contrast times structure at MS-SSIM's five scales."""
    photograph = astronaut()
    reference = centre(photograph)
    kinds = {
        "blur, σ 2": blurred(reference, 2),
        "noise, σ 15": with_noise(reference, 15),
        "JPEG, quality 10": as_jpeg(reference, 10),
        "shift, 4 pixels": centre(photograph, right=4),
    }
    figure, axes = canvas.new_axes(3.8)
    found = {}
    for name, image in kinds.items():
        x, y, terms = reference.astype(float), image.astype(float), []
        for _ in range(5):
            terms.append(pixelgauge.ssim(x, y, data_range=255, exponents=(0, 1, 1)))
            x, y = (_halved(picture) for picture in (x, y))
        found[f"{name}: MS-SSIM {pixelgauge.ms_ssim(reference, image):.2f}"] = terms
    canvas.lines(axes, np.arange(1, 6), found)
    axes.set(xlabel="scale (1: every pixel, 5: blocks of 16 × 16)", ylabel="contrast × structure", ylim=(0, 1.03))
    axes.set_xticks(range(1, 6))
    axes.legend(loc="lower right")
    return figure


def _halved(image: np.ndarray) -> np.ndarray:
    """Mean of each block of 2 x 2."""
    return (image[::2, ::2] + image[1::2, ::2] + image[::2, 1::2] + image[1::2, 1::2]) / 4
