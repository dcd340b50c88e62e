"""Pixel-level anomaly detection: the area under the per-region overlap curve (AUPRO)."""

from __future__ import annotations

import numpy as np

from pixelgauge import _core
from pixelgauge.ranking_inputs import pack, score_array, to_array


def aupro(masks: object, maps: object, *, max_fpr: float = 0.3) -> float:
    """Area under the per-region overlap curve up to a false positive rate, divided by that rate.

    The overlap of a threshold is the share of each connected region (eight neighbours) at or above it, averaged over
    all regions of all images; the false positive rate is over all normal pixels. The curve starts at (0, 0), has one
    point a distinct score and is linear between them, also at the cut.

    Parameters
    ----------
    masks : (H, W) or (N, H, W) array_like
        Ground truth, nonzero where anomalous.
    maps : array_like of the same shape
        Anomaly scores: float16, float32, float64 or integers.
    max_fpr : float, default 0.3
        In (0, 1].

    Returns
    -------
    float
        In [0, 1].

    Raises
    ------
    TypeError
        For maps of a dtype without an order.
    ValueError
        If shapes differ, a map holds NaN, `max_fpr` is out of range, or there is no anomalous or no normal pixel.

    References
    ----------
    Bergmann, Fauser, Sattlegger, Steger: Uninformed students, CVPR 2020; the evaluation code of MVTec AD.

    Examples
    --------
    >>> import numpy as np, pixelgauge
    >>> mask = np.array([[1, 1, 0, 0], [0, 0, 0, 1]])
    >>> pixelgauge.aupro(mask, np.array([[0.9, 0.8, 0.1, 0.2], [0.3, 0.1, 0.2, 0.7]]))
    1.0
    """
    if not 0 < max_fpr <= 1:
        raise ValueError(f"max_fpr={max_fpr} must be in (0, 1]")
    truth, scores = to_array(masks, "masks"), score_array(maps, "maps")
    if truth.shape != scores.shape or truth.ndim not in (2, 3):
        raise ValueError(f"masks {truth.shape} and maps {scores.shape} must both be (H, W) or (N, H, W)")
    if scores.dtype.name == "bfloat16":
        scores = scores.astype(np.float32)
    if scores.dtype.kind == "f" and np.isnan(scores).any():
        raise ValueError("maps holds NaN, which has no rank: mask or impute it first")
    anomalous = np.ascontiguousarray(truth != 0).reshape(-1, *truth.shape[-2:])
    scores = scores.reshape(anomalous.shape)
    normal = scores[~anomalous]
    if normal.size in (0, scores.size):
        raise ValueError("masks hold no anomalous or no normal pixel: the curve needs both")
    # Only what lies at or above the score at which the rate passes max_fpr is under the curve.
    needed = min(normal.size - 1, int(np.floor(max_fpr * normal.size)))
    cut = np.partition(normal, normal.size - 1 - needed)[normal.size - 1 - needed]
    labels, regions = _core.label_regions(anomalous.view(np.uint8))
    kept_anomalous = anomalous & (scores >= cut)
    offsets = np.concatenate(([0], np.cumsum(regions)))
    areas = np.concatenate(
        [np.bincount(part.ravel(), minlength=n + 1)[1:] for part, n in zip(labels, regions, strict=True)]
    )
    images = np.repeat(np.arange(len(labels)), kept_anomalous.sum(axis=(1, 2)))
    region_of_pixel = offsets[images] + labels[kept_anomalous] - 1
    above = normal[normal >= cut]
    values = np.concatenate((scores[kept_anomalous], above))
    weights = np.concatenate((1.0 / (areas[region_of_pixel] * len(areas)), np.ones(len(above))))
    bits = pack(np.arange(len(values)) < len(region_of_pixel))
    false_positives, overlap, _ = _core.curve(values, bits, weights, _core.CurveDrop.none, False)
    rate = false_positives / normal.size
    stop = int(np.searchsorted(rate, max_fpr, "right"))
    if stop < len(rate):
        height = np.interp(max_fpr, rate[stop - 1 : stop + 1], overlap[stop - 1 : stop + 1])
        rate, overlap = np.append(rate[:stop], max_fpr), np.append(overlap[:stop], height)
    area = float(np.sum(np.diff(rate) * (overlap[1:] + overlap[:-1])) / 2)
    return min(1.0, area / max_fpr)  # weights 1/(area regions) add up to one only up to rounding
