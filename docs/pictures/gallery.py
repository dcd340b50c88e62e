"""The gallery: one photograph, ten degradations, and what every full-reference metric says of each strength."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
from matplotlib.figure import Figure

import pixelgauge
from docs.pictures import canvas, networks
from docs.pictures.degradations import DEGRADATIONS, Degradation
from docs.pictures.photographs import astronaut, centre

PRESETS = ("wang2004", "matlab", "skimage", "torchmetrics")
COLUMNS = {
    "mse": "MSE",
    "psnr": "PSNR",
    "ssim": "SSIM",
    "luminance": "l",
    "contrast": "c",
    "structure": "s",
    "ms-ssim": "MS-SSIM",
    "lpips": "LPIPS",
}
"""Of the table: the names of scores, and what they are called there."""
SHOWN = (0, 3, 5, 7)
"""Strengths whose pictures are shown beside the photograph."""
_FACE = (slice(20, 148), slice(110, 238))


def scores(reference: np.ndarray, image: np.ndarray) -> dict[str, float]:
    """What every metric says of a pair, SSIM by every preset that differs here."""
    parts = pixelgauge.ssim(reference, image, components=True)
    found: dict[str, Any] = {
        "mse": pixelgauge.mse(reference, image),
        "psnr": pixelgauge.psnr(reference, image),
        **{preset: pixelgauge.ssim(reference, image, preset=preset) for preset in PRESETS},
        "luminance": parts.luminance,
        "contrast": parts.contrast,
        "structure": parts.structure,
        "ms-ssim": pixelgauge.ms_ssim(reference, image, preset="pytorch-msssim"),
        "lpips": networks.lpips()(reference, image),
    }
    found["ssim"] = found["wang2004"]
    return {name: float(value) for name, value in found.items()}


@functools.cache
def curves(kind: Degradation) -> dict[str, np.ndarray]:
    """Scores by name, at no degradation and at each strength."""
    photograph = astronaut()
    reference = centre(photograph)
    images = [reference, *(kind.of(photograph, strength) for strength in kind.strengths)]
    found = [scores(reference, image) for image in images]
    return {name: np.array([of_image[name] for of_image in found]) for name in found[0]}


def picture(kind: Degradation) -> Figure:
    """The photograph's face at five strengths, and six plots of the scores under it."""
    photograph = astronaut()
    figure = canvas.new_figure(9)
    top, below = figure.subfigures(2, 1, height_ratios=(1.6, 7.4))
    names = ["reference", *(f"{kind.strengths[i]:g}" for i in SHOWN)]
    images = [centre(photograph), *(kind.of(photograph, kind.strengths[i]) for i in SHOWN)]
    for axes, name, image in zip(top.subplots(1, len(images)), names, images, strict=True):
        canvas.show(axes, image[_FACE], name)
    top.suptitle(f"{kind.title}: {kind.unit}", fontsize=12)
    _plots(below.subplots(3, 2, sharex=True), kind)
    return figure


def _plots(axes: Any, kind: Degradation) -> None:
    found, x = curves(kind), np.arange(len(kind.strengths) + 1)
    axes[0, 0].semilogy(x[1:], found["mse"][1:], color=canvas.BLUE, marker="o")
    axes[0, 0].set(title="MSE, lower is better", ylim=(1, 20000))
    axes[0, 1].plot(x[1:], found["psnr"][1:], color=canvas.BLUE, marker="o")
    axes[0, 1].set(title="PSNR in dB, higher is better", ylim=(0, 50))
    canvas.lines(axes[1, 0], x, {preset: found[preset] for preset in PRESETS})
    axes[1, 0].set_title("SSIM by preset")
    canvas.lines(axes[1, 1], x, {name: found[name] for name in ("luminance", "contrast", "structure")})
    axes[1, 1].set_title("SSIM's factors l, c, s")
    axes[2, 0].plot(x, found["ms-ssim"], color=canvas.BLUE, marker="o")
    axes[2, 0].set_title("MS-SSIM")
    axes[2, 1].plot(x, found["lpips"], color=canvas.ORANGE, marker="s")
    axes[2, 1].set(title="LPIPS alex, lower is better", ylim=(-0.03, 1.05 * max(1, found["lpips"].max())))
    for one in (axes[1, 0], axes[1, 1], axes[2, 0]):
        one.set_ylim(-0.05, 1.05)
    for one in axes[1]:
        one.legend(loc="lower left", fontsize=9, handlelength=1.2)
    for one in axes[2]:
        one.set_xticks(x, ["", *(f"{s:g}".removeprefix("0") for s in kind.strengths)], fontsize=9)
        one.set_xlabel(kind.unit)
        if kind.name == "salt":
            one.tick_params(axis="x", rotation=45)


def table(strength: int = 3) -> str:
    """Markdown table of every degradation at one of its strengths."""
    rows = ["| degradation | strength | " + " | ".join(COLUMNS.values()) + " |", "|---" * (len(COLUMNS) + 2) + "|"]
    photograph = astronaut()
    for kind in DEGRADATIONS:
        found = scores(centre(photograph), kind.of(photograph, kind.strengths[strength]))
        digits = [1, 2] + [3] * (len(COLUMNS) - 2)
        values = [f"{found[name]:.{places}f}" for name, places in zip(COLUMNS, digits, strict=True)]
        rows.append(f"| {kind.title} | {kind.unit}: {kind.strengths[strength]:g} | " + " | ".join(values) + " |")
    return "\n".join(rows)
