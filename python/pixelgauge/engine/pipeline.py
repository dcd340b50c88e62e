"""Pairs of files to rows of scores, in order, in bounded memory, with nothing lost on the way."""

from __future__ import annotations

import math
from collections.abc import Generator, Mapping

import numpy as np

from pixelgauge import _core
from pixelgauge.engine.pairing import Pair, Pairing
from pixelgauge.engine.registry import METRICS, CompareOptions
from pixelgauge.engine.rows import ScoreRow, Status, file_state
from pixelgauge.files.reading import cut
from pixelgauge.images import Array, ImageFileError, read_image
from pixelgauge.parallel import ordered_map
from pixelgauge.runtime import get_num_threads


def score_pair(ref: str, test: str, settings: CompareOptions) -> ScoreRow:
    """Read two files and score them; whatever is wrong with them is in the row.

    Parameters
    ----------
    ref, test : str
        Paths.
    settings : CompareOptions
        What to compute.
    """
    files = file_state(ref), file_state(test)  # before they are read: a replacement meanwhile then shows

    def row(status: Status, message: str, values: Mapping[str, float] | None = None) -> ScoreRow:
        return ScoreRow(ref, test, status, cut(message), values or {}, files)

    try:
        x = read_image(ref, gray=settings.gray, alpha=settings.alpha)
        y = read_image(test, gray=settings.gray, alpha=settings.alpha)
    except ImageFileError as error:
        side = "REF" if error.path == ref else "TEST"
        remedy = f": {error.remedy}" if error.remedy else ""
        return row("unreadable", f"{side}: {error.reason}{remedy}")
    except MemoryError:
        return row("unreadable", "there is not enough memory to read it: give fewer workers")
    if different := _difference(x, y):
        return row("mismatch", different if x.ndim == y.ndim else f"{different}; --gray scores both in gray")
    if wrong := _unfit(x, settings) or _unfit(y, settings):
        return row("unscorable", wrong)
    if border := settings.crop_border:
        x, y = x[border:-border, border:-border], y[border:-border, border:-border]
    values, problems = {}, []
    for name in settings.metrics:
        try:
            value = METRICS[name].score(x, y, settings)
        except Exception as error:  # a pair that one metric refuses must not stop the others, nor the run
            problems.append(f"{name}: {_with_own_remedy(str(error)) or type(error).__name__}")
            continue
        if math.isnan(value):
            problems.append(
                f"{name}: negative terms have no fractional power; --ms-ssim-preset pytorch-msssim counts them as 0"
            )
        else:
            values[name] = value
    return row("unscorable" if problems else "ok", "; ".join(problems), values)


_ARRAY_REMEDIES = (
    ("larger images or a smaller window_size", "larger images, or leave this metric out of --metrics"),
    ("larger images or fewer weights", "larger images, or leave this metric out of --metrics"),
)
"""What the functions for arrays advise, by their arguments, and what a user of files can do instead."""


def _with_own_remedy(message: str) -> str:
    message = message.partition(". The images were read as")[0]  # how arrays may be laid out does not matter to files
    for theirs, ours in _ARRAY_REMEDIES:
        message = message.replace(theirs, ours)
    return message


def score_pairs(
    pairing: Pairing, settings: CompareOptions, *, workers: int | None = None
) -> Generator[ScoreRow, None, None]:
    """Score pairs in parallel; rows come in the order of the pairs, whatever the number of workers.

    Each worker reads a pair and scores it before it takes the next, so at most `workers` pairs are in memory and
    files are decoded while others are scored.

    Parameters
    ----------
    pairing : Pairing
        From :func:`pixelgauge.engine.pairing.find_pairs`.
    settings : CompareOptions
        What to compute.
    workers : int, optional
        Default: :func:`pixelgauge.get_num_threads`.

    Yields
    ------
    ScoreRow
        One a pair.

    Raises
    ------
    ValueError
        If `workers` is less than 1.
    """
    workers = get_num_threads() if workers is None else workers
    if workers < 1:
        raise ValueError(f"workers={workers} must be at least 1")
    return _scored(pairing, settings, workers)


def _scored(pairing: Pairing, settings: CompareOptions, workers: int) -> Generator[ScoreRow, None, None]:
    def row_of(pair: Pair) -> ScoreRow:
        ref, test = pairing.paths(pair)
        if pair.status != "ok" or ref is None or test is None:
            return ScoreRow(ref, test, pair.status, cut(pair.message))
        return score_pair(ref, test, settings)

    # Rows wait, not images: sixteen a worker hide a slow pair.
    return ordered_map(row_of, pairing.pairs, workers, 15 * workers)


def _difference(x: Array, y: Array) -> str:
    def described(image: Array) -> tuple[str, str, str]:
        return f"{image.shape[0]} x {image.shape[1]}", "gray" if image.ndim == 2 else "RGB", f"{8 * image.itemsize}-bit"

    kinds = zip(("size (height x width)", "colour mode", "bit depth"), described(x), described(y), strict=True)
    return "; ".join(f"{kind} differs: REF {ours}, TEST {theirs}" for kind, ours, theirs in kinds if ours != theirs)


def _unfit(image: Array, settings: CompareOptions) -> str:
    if 2 * settings.crop_border >= min(image.shape[:2]):
        height, width = image.shape[:2]
        return f"nothing is left of {height} x {width} pixels after a crop border of {settings.crop_border}"
    if settings.data_range is not None:
        most = _core.value_range(np.atleast_3d(image)[np.newaxis])[1]
        if most > settings.data_range:
            return f"has values up to {most:g}, beyond the data range of {settings.data_range:g}"
    return ""
