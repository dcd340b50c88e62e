"""SSIM and MS-SSIM in plain float64 NumPy and SciPy, row by row as conventions of the named programs say."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
import scipy.ndimage as ndi

from pixelgauge.presets import MS_SSIM_PRESETS, SSIM_PRESETS


def window(kind: str, size: int, sigma: float) -> np.ndarray:
    if kind == "uniform":
        return np.full(size, 1 / size)
    g = np.exp(-((np.arange(size) - size // 2) ** 2) / (2 * sigma**2))
    return np.asarray(g / g.sum())


def filtered(plane: np.ndarray, taps: np.ndarray, mode: str) -> np.ndarray:
    rows = ndi.correlate1d(plane, taps, axis=0, mode=mode)
    return np.asarray(ndi.correlate1d(rows, taps, axis=1, mode=mode))


def factors(x: np.ndarray, y: np.ndarray, length: float, s: dict[str, Any]) -> tuple[np.ndarray, ...]:
    """Luminance, contrast, structure and their product at every pixel of one plane, borders as the setting says."""
    taps = window(s["window"], s["window_size"], s["sigma"])
    mode = "mirror" if s["border"] == "reflect" else "reflect"  # scipy's names: mirror omits the edge pixel
    origin = (x.mean() + y.mean()) / 2  # moments about a point near the data lose no digits
    a, b = x - origin, y - origin
    mx, my = filtered(a, taps, mode), filtered(b, taps, mode)
    n = s["window_size"] ** 2
    norm = n / (n - 1) if s["covariance"] == "sample" else 1.0
    vx = np.maximum(norm * (filtered(a * a, taps, mode) - mx * mx), 0)
    vy = np.maximum(norm * (filtered(b * b, taps, mode) - my * my), 0)
    cov = norm * (filtered(a * b, taps, mode) - mx * my)
    mx, my = mx + origin, my + origin
    c1, c2 = (s["k1"] * length) ** 2, (s["k2"] * length) ** 2
    luminance = (2 * mx * my + c1) / (mx * mx + my * my + c1)
    contrast = (2 * np.sqrt(vx * vy) + c2) / (vx + vy + c2)
    structure = (cov + c2 / 2) / (np.sqrt(vx * vy) + c2 / 2)
    contrast_structure = (2 * cov + c2) / (vx + vy + c2)
    return luminance, contrast, structure, contrast_structure


def cropped(index: np.ndarray, s: dict[str, Any]) -> np.ndarray:
    r = s["window_size"] // 2
    return index if s["border"] == "reflect" else index[r:-r, r:-r]


def reduced(plane: np.ndarray, kind: str) -> tuple[np.ndarray, int]:
    least = min(plane.shape) / 256
    if kind == "matlab":
        f = max(1, int(np.floor(least + 0.5)))
        if f == 1:
            return plane, 1
        # imfilter(img, ones(f)/f^2, 'symmetric'): the block begins (f-1)//2 before the sample
        before, after = (f - 1) // 2, f - 1 - (f - 1) // 2
        p = np.pad(plane, ((before, after), (before, after)), mode="symmetric")
        means = np.lib.stride_tricks.sliding_window_view(p, (f, f)).mean((2, 3))
        return means[::f, ::f], f
    if kind == "pool":
        f = max(1, round(least))
        h, w = plane.shape[0] // f * f, plane.shape[1] // f * f
        return plane[:h, :w].reshape(h // f, f, w // f, f).mean((1, 3)), f
    return plane, 1


def planes(image: np.ndarray) -> list[np.ndarray]:
    image = image.astype(np.float64)
    return [image] if image.ndim == 2 else [image[..., c] for c in range(image.shape[-1])]


def settings(preset: str, overrides: dict[str, Any]) -> dict[str, Any]:
    return {**asdict(SSIM_PRESETS[preset]), **overrides}


def ssim(
    x: np.ndarray,
    y: np.ndarray,
    length: float,
    preset: str = "wang2004",
    exponents: tuple[float, float, float] = (1, 1, 1),
    **overrides: Any,
) -> tuple[float, np.ndarray]:
    """Score and map (the map with the borders that the preset's map has)."""
    s = settings(preset, overrides)
    scores, maps = [], []
    for a, b in zip(planes(x), planes(y), strict=True):
        a, _ = reduced(a, s["downsample"])
        b, _ = reduced(b, s["downsample"])
        lum, con, struct, cs = factors(a, b, length, s)
        index = (
            lum * cs
            if tuple(exponents) == (1, 1, 1)
            else lum ** exponents[0] * con ** exponents[1] * struct ** exponents[2]
        )
        scores.append(cropped(index, s).mean())
        maps.append(cropped(index, s) if s["border"] == "valid" else index)
    return float(np.mean(scores)), maps[0] if x.ndim == 2 else np.stack(maps, -1)


def components(
    x: np.ndarray, y: np.ndarray, length: float, preset: str = "wang2004", **overrides: Any
) -> tuple[float, float, float]:
    s = settings(preset, overrides)
    parts = [
        [cropped(f, s).mean() for f in factors(a, b, length, s)[:3]] for a, b in zip(planes(x), planes(y), strict=True)
    ]
    luminance, contrast, structure = np.mean(parts, axis=0)
    return luminance, contrast, structure


def halved(plane: np.ndarray, pyramid: str) -> np.ndarray:
    h, w = plane.shape
    if pyramid == "wang":
        p = np.pad(plane, ((0, 1), (0, 1)), mode="symmetric")
        return np.asarray((p[:-1, :-1] + p[1:, :-1] + p[:-1, 1:] + p[1:, 1:]) / 4)[::2, ::2]
    p = np.pad(plane, ((h % 2, h % 2), (w % 2, w % 2)))
    p = p[: p.shape[0] // 2 * 2, : p.shape[1] // 2 * 2]
    return np.asarray(p.reshape(p.shape[0] // 2, 2, p.shape[1] // 2, 2).mean((1, 3)))


def ms_ssim(
    x: np.ndarray,
    y: np.ndarray,
    length: float,
    preset: str = "wang2003",
    weights: Sequence[float] | None = None,
    combine: str = "product",
) -> float:
    row = MS_SSIM_PRESETS[preset]
    shares = np.array(row.weights if weights is None else weights, dtype=float)
    s = settings("wang2004", {})
    values = []
    for a, b in zip(planes(x), planes(y), strict=True):
        means = []
        for scale in range(len(shares)):
            if scale:
                a, b = halved(a, row.pyramid), halved(b, row.pyramid)
            lum, _, _, cs = factors(a, b, length, s)
            means.append(cropped(lum * cs if scale == len(shares) - 1 else cs, s).mean())
        terms = np.maximum(means, 0) if row.clamp_negative else np.array(means)
        values.append(np.prod(terms**shares) if combine == "product" else np.sum(shares / shares.sum() * terms))
    return float(np.mean(values))
