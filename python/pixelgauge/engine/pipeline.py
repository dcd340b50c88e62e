"""Pairs of images to rows of scores, in order, in bounded memory, with nothing lost on the way."""

from __future__ import annotations

import math
from collections.abc import Generator, Mapping
from dataclasses import dataclass, replace

import numpy as np

from pixelgauge import _core
from pixelgauge.checks import ArgumentError, whole_number
from pixelgauge.engine.comparison import CompareOptions, Comparison
from pixelgauge.engine.items import Source, name_of, read_source, state_of
from pixelgauge.engine.pairing import Pair, Pairing
from pixelgauge.engine.rows import ScoreRow, Status
from pixelgauge.files.reading import cut
from pixelgauge.images import Array, ImageFileError, value_range_bounds
from pixelgauge.images.luma import luma
from pixelgauge.images.resizing import resized
from pixelgauge.parallel import ordered_map
from pixelgauge.runtime import get_num_threads


@dataclass(frozen=True)
class PairPixels:
    """Two images as they are scored."""

    x: Array
    """(1, H, W, C), of the reference."""
    y: Array
    full_range: float | None
    """Of pixels that were computed of integers."""
    notes: list[str]
    """What was done to them that a reader should know."""
    told: list[str]
    """What differs between the files and is not looked at."""


class UnfitPairError(Exception):
    """Two images that cannot be scored: a row's status and message."""

    def __init__(self, status: Status, message: str) -> None:
        super().__init__(message)
        self.status, self.message = status, message


def read_pair(ref: Source, test: Source, options: CompareOptions) -> PairPixels:
    """Read two images by the options of a run.

    Raises
    ------
    UnfitPairError
        If they cannot be read, or are not alike.
    """
    side = "REF"
    try:
        reading = {"gray": options["gray"], "alpha": options["alpha"], "any_samples": options["data_range"] is not None}
        x, ours = read_source(ref, **reading)
        side = "TEST"
        y, theirs = read_source(test, **reading)
    except ImageFileError as error:
        remedy = f": {error.remedy}" if error.remedy else ""
        raise UnfitPairError("unreadable", f"{side}: {error.reason}{remedy}") from error
    except MemoryError as error:
        raise UnfitPairError("unreadable", "there is not enough memory to read it: give fewer workers") from error
    notes = []
    if options["resize"] and x.shape[:2] != y.shape[:2]:
        sizes = f"from {y.shape[0]} x {y.shape[1]} to {x.shape[0]} x {x.shape[1]}"
        notes = [f"TEST was resized {sizes}, {options['resize']}"]
        y = resized(y, x.shape[0], x.shape[1], options["resize"])
    if different := _difference(x, y):
        raise UnfitPairError("mismatch", different if x.ndim == y.ndim else f"{different}; --gray scores both in gray")
    if wrong := _unfit(x, options) or _unfit(y, options):
        raise UnfitPairError("unscorable", wrong)
    if border := options["crop_border"]:
        x, y = x[border:-border, border:-border], y[border:-border, border:-border]
    full_range = None
    if options["luma"] and x.shape[2:] == (3,):
        full_range = options["data_range"] or value_range_bounds(None, x.dtype)[1]
        x, y = (luma(image, full_range, options["luma"]) for image in (x, y))
    x, y = (np.atleast_3d(image)[np.newaxis] for image in (x, y))
    return PairPixels(x, y, full_range, notes, _colours_differ(ours, theirs))


def score_pair(ref: Source, test: Source, comparison: Comparison) -> ScoreRow:
    """Read two images and score them; whatever is wrong with them is in the row.

    Parameters
    ----------
    ref, test : str or Item
        Paths, or images that are no files of their own.
    comparison : Comparison
        What to compute.
    """
    names = name_of(ref), name_of(test)
    files = state_of(ref), state_of(test)  # before they are read: a replacement meanwhile then shows

    def row(status: Status, message: str, values: Mapping[str, float] | None = None) -> ScoreRow:
        return ScoreRow(*names, status, cut(message), values or {}, files)

    try:
        pair = read_pair(ref, test, comparison.options)
    except UnfitPairError as error:
        return row(error.status, error.message)
    values, problems = {}, pair.notes.copy()
    for name, result in comparison.score(pair.x, pair.y, pair.full_range).items():
        if isinstance(result, Exception):  # a pair that one metric refuses must not stop the others, nor the run
            problems.append(f"{name}: {_advised(result)}")
        elif math.isnan(result[0]):
            problems.append(f"{name}: {comparison.metrics[name].undefined or 'is not defined for this pair'}")
        else:
            values[name] = float(result[0])
    whole = len(values) == len(comparison.metrics)
    return replace(row("ok" if whole else "unscorable", "; ".join(problems + pair.told), values), samples=pair.x.size)


def _advised(error: Exception) -> str:
    """Message with what a user of files can do, where functions for arrays advise by their arguments."""
    if not (isinstance(error, ArgumentError) and error.kind == "too_small"):
        return str(error) or type(error).__name__
    size = "" if error.required is None else f"at least {error.required} x {error.required} is needed; "
    remedy = f"{size}use larger images, or leave this metric out of --metrics"
    return error.told(f"{error.argument}={error.value}" if error.value else "", remedy)


def score_pairs(
    pairing: Pairing, comparison: Comparison, *, workers: int | None = None
) -> Generator[ScoreRow, None, None]:
    """Score pairs in parallel; rows come in the order of the pairs, whatever the number of workers.

    Each worker reads a pair and scores it before it takes the next, so at most `workers` pairs are in memory and
    files are decoded while others are scored.

    Parameters
    ----------
    pairing : Pairing
        From :func:`pixelgauge.engine.pairing.find_pairs`.
    comparison : Comparison
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
    workers = get_num_threads() if workers is None else whole_number("workers", workers, 1)
    return _scored(pairing, comparison, workers)


def _scored(pairing: Pairing, comparison: Comparison, workers: int) -> Generator[ScoreRow, None, None]:
    def row_of(pair: Pair) -> ScoreRow:
        ref, test = pairing.sources(pair)
        if pair.status != "ok" or ref is None or test is None:
            return ScoreRow(*pairing.paths(pair), pair.status, cut(pair.message))
        return score_pair(ref, test, comparison)

    # Rows wait, not images: sixteen a worker hide a slow pair.
    return ordered_map(row_of, pairing.pairs, workers, 15 * workers)


def _colours_differ(ours: str | None, theirs: str | None) -> list[str]:
    """Say that files mean other colours by the same numbers, which are compared all the same; nothing if not."""
    if ours is None or theirs is None or ours == theirs:
        return []
    ours, theirs = (colours or "sRGB or nothing said" for colours in (ours, theirs))
    return [f"colour profile differs and is not applied: REF {ours}, TEST {theirs}"]


def _difference(x: Array, y: Array) -> str:
    def described(image: Array) -> tuple[str, str, str]:
        channels = 1 if image.ndim == 2 else image.shape[2]
        colour = {1: "gray", 3: "RGB"}.get(channels, f"{channels} bands")
        bits = f"{8 * image.itemsize}-bit{' floating-point' * (image.dtype.kind == 'f')}"
        return f"{image.shape[0]} x {image.shape[1]}", colour, bits

    kinds = zip(("size (height x width)", "colour mode", "bit depth"), described(x), described(y), strict=True)
    return "; ".join(f"{kind} differs: REF {ours}, TEST {theirs}" for kind, ours, theirs in kinds if ours != theirs)


def _unfit(image: Array, options: CompareOptions) -> str:
    if 2 * options["crop_border"] >= min(image.shape[:2]):
        height, width = image.shape[:2]
        return f"nothing is left of {height} x {width} pixels after a crop border of {options['crop_border']}"
    data_range = options["data_range"]
    if data_range is not None:
        try:
            least, most = _core.value_range(np.atleast_3d(image)[np.newaxis])
        except ArgumentError as error:  # a floating-point file may hold anything
            return str(error)
        if most > data_range:
            return f"has values up to {most:g}, beyond the data range of {data_range:g}"
        if least < 0:
            return f"has values down to {least:g}, below the data range of 0 to {data_range:g}"
    return ""
