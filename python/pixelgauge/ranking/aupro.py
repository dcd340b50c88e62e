"""Pixel-level anomaly detection: the area under the per-region overlap curve (AUPRO)."""

from __future__ import annotations

from typing import Any

import numpy as np

from pixelgauge import _core
from pixelgauge.checks import require_number
from pixelgauge.images import Array
from pixelgauge.ranking.arrays import exact_join, to_array
from pixelgauge.ranking.inputs import Float64Array, pack, require_ranks, score_array, scores_of


def aupro(masks: object, maps: object, *, max_fpr: float = 0.3) -> float:
    """Area under the per-region overlap curve up to a false positive rate, divided by that rate.

    The overlap of a threshold is the share of each connected region (eight neighbours) at or above it, averaged over
    all regions of all images; the false positive rate is over all normal pixels. The curve starts at (0, 0), has one
    point a distinct score and is linear between them, also at the cut.

    Parameters
    ----------
    masks : (H, W) or (N, H, W) array_like, or list of (H, W) array_like
        Ground truth, whole numbers: 0 where normal, above where anomalous. An axis of one channel, the last or before
        the rows, is left out: (H, W, 1), (N, H, W, 1), (N, 1, H, W). Images of a list may differ in size.
    maps : array_like of the same images
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
        For maps of a dtype without an order, masks that are no numbers.
    ValueError
        If shapes differ, a map holds NaN, a mask NaN, infinity, a fraction or a negative number, `max_fpr` is out of
        range, or there is no anomalous or no normal pixel.

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
    return area_below(*overlap_curve(masks, maps, max_fpr), max_fpr)


def area_below(rate: Float64Array, overlap: Float64Array, max_fpr: float) -> float:
    """Area below an overlap curve that ends at `max_fpr`, divided by that."""
    area = float(np.sum(np.diff(rate) * (overlap[1:] + overlap[:-1])) / 2)
    return min(1.0, area / max_fpr)  # weights 1/(area regions) add up to one only up to rounding


def overlap_curve(masks: object, maps: object, max_fpr: float) -> tuple[Float64Array, Float64Array]:
    """Points of the curve: rates that rise from 0 to `max_fpr`, and overlaps; arguments as :func:`aupro`."""
    require_number("max_fpr", max_fpr)
    if not 0 < max_fpr <= 1:
        raise ValueError(f"max_fpr={max_fpr} must be in (0, 1]")
    truths, scores_of_images = _images(masks, "masks"), _images(maps, "maps")
    shapes = [[image.shape for image in images] for images in (truths, scores_of_images)]
    if shapes[0] != shapes[1]:
        of_masks, of_maps = (", ".join(map(str, dict.fromkeys(of))) for of in shapes)
        raise ValueError(
            f"masks are {len(truths)} images {of_masks} and maps {len(scores_of_images)} images {of_maps}: "
            "they must both be (H, W) or (N, H, W), or lists of the same images"
        )
    maps_flat = exact_join([image.ravel() for image in scores_of_images], "maps")
    require_ranks(maps_flat, "maps")
    scores = scores_of(maps_flat, "maps").ordered()
    anomalous = np.concatenate([np.ravel(image != 0) for image in truths])
    normal = scores[~anomalous]
    if normal.size in (0, scores.size):
        raise ValueError("masks hold no anomalous or no normal pixel: the curve needs both")
    # Only what lies at or above the score at which the rate passes max_fpr is under the curve.
    needed = min(normal.size - 1, int(np.floor(max_fpr * normal.size)))
    cut = np.partition(normal, normal.size - 1 - needed)[normal.size - 1 - needed]
    regions, areas = _regions(anomalous, shapes[0])
    kept_anomalous = anomalous & (scores >= cut)
    above = normal[normal >= cut]
    values = np.concatenate((scores[kept_anomalous], above))
    weights = np.concatenate((1.0 / (areas[regions[kept_anomalous]] * len(areas)), np.ones(len(above))))
    bits = pack(np.arange(len(values)) < len(values) - len(above))
    false_positives, overlap, _ = _core.curve(values, bits, weights, _core.CurveDrop.none, False)
    rate = false_positives / normal.size
    stop = int(np.searchsorted(rate, max_fpr, "right"))
    if stop < len(rate):
        height = np.interp(max_fpr, rate[stop - 1 : stop + 1], overlap[stop - 1 : stop + 1])
        rate, overlap = np.append(rate[:stop], max_fpr), np.append(overlap[:stop], height)
    return rate, overlap


def _images(x: Any, name: str) -> list[Array]:
    """(H, W) images of a batch, of one image, or of a list of images."""
    read = score_array if name == "maps" else to_array
    if isinstance(x, list | tuple) and x and all(_is_image(image) for image in x):
        found = [_one_image(read(image, f"{name}[{k}]"), f"{name}[{k}]") for k, image in enumerate(x)]
    else:
        array = read(x, name)
        if array.ndim == 4 and 1 in (array.shape[1], array.shape[3]):
            found = list(array[..., 0] if array.shape[3] == 1 else array[:, 0])
        elif array.ndim == 3 and array.shape[2] > 1:
            found = list(array)
        else:
            found = [_one_image(array, name)]
    if name == "masks":
        for image in found:
            _require_mask(image)
    return found


def _is_image(x: Any) -> bool:
    """Whether an element of a list is an image, not a row of one."""
    if isinstance(x, list | tuple):
        return bool(x) and (isinstance(x[0], list | tuple) or np.ndim(x[0]) > 0)
    return getattr(x, "ndim", 0) >= 2


def _one_image(array: Array, name: str) -> Array:
    if array.ndim == 3 and 1 in (array.shape[0], array.shape[2]):
        array = array[..., 0] if array.shape[2] == 1 else array[0]
    if array.ndim != 2:
        raise ValueError(
            f"{name} has shape {array.shape}: masks and maps must both be (H, W) or (N, H, W), an axis of one channel "
            "beside, or lists of (H, W)"
        )
    return array


def _require_mask(image: Array) -> None:
    if image.dtype.kind not in "biuf":
        raise TypeError(f"masks has dtype {image.dtype}: use booleans or integers")
    if image.dtype.kind in "bu":
        return
    with np.errstate(invalid="ignore"):
        bad = ~((image >= 0) & np.isfinite(image) & (image == np.floor(image)))
    if bad.any():
        raise ValueError(
            f"masks holds {image[bad][0]}: give whole numbers, 0 where normal and above where anomalous, such as by "
            "masks > 0.5; a pixel of unknown kind has no place in the curve"
        )


def _regions(anomalous: Array, shapes: list[tuple[int, ...]]) -> tuple[Array, Array]:
    """Region of each anomalous pixel of all images, and the area of each region."""
    regions = np.empty(len(anomalous), np.int64)
    areas: list[Array] = []
    first = pixels = 0
    uniform = len(set(shapes)) == 1
    batches = [(len(shapes), *shapes[0])] if uniform else [(1, *shape) for shape in shapes]
    for batch in batches:
        part = slice(pixels, pixels + int(np.prod(batch)))
        labels, counts = _core.connected_components(anomalous[part].view(np.uint8).reshape(batch))
        offsets = first + np.cumsum(counts) - counts
        regions[part] = (labels + (offsets - 1)[:, np.newaxis, np.newaxis]).ravel()
        areas += [np.bincount(of.ravel(), minlength=n + 1)[1:] for of, n in zip(labels, counts, strict=True)]
        first, pixels = first + int(counts.sum()), part.stop
    return regions, np.concatenate(areas)
