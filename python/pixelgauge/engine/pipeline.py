"""Pairs of images to rows of scores, in order, in bounded memory, with nothing lost on the way."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Generator
from contextlib import closing
from dataclasses import dataclass, field
from functools import partial

import numpy as np

from pixelgauge import _core
from pixelgauge.checks import ArgumentError, whole_number
from pixelgauge.engine.batches import Batches, Waiting
from pixelgauge.engine.comparison import CompareOptions, Comparison
from pixelgauge.engine.items import Source, load_source, name_of, read_source, state_of
from pixelgauge.engine.pairing import Pair, Pairing
from pixelgauge.engine.rows import FileState, ScoreRow, Status
from pixelgauge.files.reading import cut
from pixelgauge.images import Array, ImageFileError, value_range_bounds
from pixelgauge.images.budget import Budget, Share, memory_size
from pixelgauge.images.decoding import Picture
from pixelgauge.images.luma import luma
from pixelgauge.images.resizing import resized
from pixelgauge.metric import DATA_RANGE, Result
from pixelgauge.parallel import ordered_map
from pixelgauge.runtime import get_num_threads

_MOST_LATE = 256
"""Rows that may be ready behind one whose pair waits for company."""


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


def read_pair(ref: Source, test: Source, options: CompareOptions, share: Share | None = None) -> PairPixels:
    """Read two images by the options of a run, and hold as many bytes of a budget as they take.

    Raises
    ------
    UnfitPairError
        If they cannot be read, or are not alike.
    """
    side = "REF"
    reading = {"gray": options["gray"], "alpha": options["alpha"], "any_samples": options["data_range"] is not None}
    read_ref: Callable[..., Picture] = partial(read_source, ref)
    read_test: Callable[..., Picture] = partial(read_source, test)
    try:
        if share is not None and share.is_bounded:
            read_ref, read_test = share.admitted(partial(_loaded, ref, test))
        x, ours = read_ref(**reading)
        side = "TEST"
        y, theirs = read_test(**reading)
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
    if share is not None:
        share.keep(x.nbytes + y.nbytes)
    return PairPixels(x, y, full_range, notes, _colours_differ(ours, theirs))


def _loaded(ref: Source, test: Source) -> tuple[tuple[Callable[..., Picture], Callable[..., Picture]], int]:
    """Find what decodes two images, and what that takes."""
    ours, theirs = load_source(ref), load_source(test)
    return (ours.read, theirs.read), ours.need + theirs.need


class Flow:
    """How the pairs of a run go through it: within how many bytes, and in what company.

    Parameters
    ----------
    comparison : Comparison
        What to compute.
    memory : int, optional
        Bytes that decoded images may take together.
    """

    def __init__(self, comparison: Comparison, memory: int | None = None) -> None:
        self.comparison = comparison
        self.batches = Batches()
        self._budget = None if memory is None else Budget(memory)
        if self._budget is not None:
            self._budget.short = self.batches.flush

    def close(self) -> None:
        """Have nobody wait for memory any more, where no more rows are wanted."""
        if self._budget is not None:
            self._budget.close()

    def begin(self, ref: Source, test: Source) -> _Begun:
        """Read two images, and score them by whatever takes them one by one."""
        names = name_of(ref), name_of(test)
        files = state_of(ref), state_of(test)  # before they are read: a replacement meanwhile then shows
        share = Share(self._budget)
        is_waiting = False
        try:
            pair = read_pair(ref, test, self.comparison.options, share)
            results: dict[str, Result] = {}
            later, together = [], 1
            for scorer in self.comparison.scorers(pair.full_range):
                if (most := scorer.together(pair.x)) > 1:
                    later.append(scorer)
                    together = max(together, most)
                else:
                    results.update(scorer(pair.x, pair.y))
            begun = _Begun(names, files, pair.notes, pair.told, pair.x.size, results)
            if later:
                begun.waiting = Waiting(pair.x, pair.y, later, partial(share.keep, 0))
                is_waiting = True
            del pair  # before its bytes are given back
            if begun.waiting is not None:
                self.batches.add(begun.waiting, together)
                if self._budget is not None and self._budget.is_short:
                    self.batches.flush()
        except UnfitPairError as error:
            return _Begun(names, files, refused=(error.status, error.message))
        finally:
            if not is_waiting:
                share.keep(0)
        return begun

    def row(self, begun: _Begun) -> ScoreRow:
        """Row of a pair, which is scored without company if none has come so far."""
        if begun.refused is not None:
            status, message = begun.refused
            return ScoreRow(*begun.names, status, cut(message), {}, begun.files)
        results = begun.results
        if begun.waiting is not None:
            results = {**results, **self.batches.finish(begun.waiting)}
        values, problems = {}, begun.notes
        for name, metric in self.comparison.metrics.items():
            result = results[name]
            if isinstance(result, Exception):  # a pair that one metric refuses must not stop the others, nor the run
                problems = [*problems, f"{name}: {_advised(result)}"]
            elif math.isnan(value := float(result[0])):
                problems = [*problems, f"{name}: {metric.undefined or 'is not defined for this pair'}"]
            else:
                values[name] = value
        status = "ok" if len(values) == len(results) else "unscorable"
        message = cut("; ".join(problems + begun.told))
        return ScoreRow(*begun.names, status, message, values, begun.files, begun.samples)


@dataclass(slots=True)
class _Begun:
    """A pair that was read."""

    names: tuple[str, str]
    files: tuple[FileState | None, FileState | None]
    notes: list[str] = field(default_factory=list)
    told: list[str] = field(default_factory=list)
    samples: int = 0
    results: dict[str, Result] = field(default_factory=dict)
    waiting: Waiting | None = None
    refused: tuple[Status, str] | None = None


def score_pair(ref: Source, test: Source, comparison: Comparison) -> ScoreRow:
    """Read two images and score them; whatever is wrong with them is in the row.

    Parameters
    ----------
    ref, test : str or Item
        Paths, or images that are no files of their own.
    comparison : Comparison
        What to compute.
    """
    flow = Flow(comparison)
    return flow.row(flow.begin(ref, test))


def _advised(error: Exception) -> str:
    """Message with what a user of files can do, where functions for arrays advise by their arguments."""
    if isinstance(error, ArgumentError) and error.argument == DATA_RANGE.name and error.kind == "missing":
        flag = DATA_RANGE.flag
        return error.told("", f"give {flag} 1 ({DATA_RANGE.name}=1) for values in 0..1, {flag} 255 for 0..255")
    if not (isinstance(error, ArgumentError) and error.kind == "too_small"):
        return str(error) or type(error).__name__
    size = "" if error.required is None else f"at least {error.required} x {error.required} is needed; "
    remedy = f"{size}use larger images, or leave this metric out of --metrics"
    return error.told(f"{error.argument}={error.value}" if error.value else "", remedy)


def score_pairs(
    pairing: Pairing, comparison: Comparison, *, workers: int | None = None, memory: int | str | None = None
) -> Generator[ScoreRow, None, None]:
    """Score pairs in parallel; rows come in the order of the pairs, whatever the number of workers.

    Each worker reads a pair and scores it before it takes the next, so at most `workers` pairs are decoded at a time,
    and files are decoded while others are scored. Metrics that are quicker by several pairs of a size, which LPIPS on a
    device is, have them wait for one another; no score depends on the company.

    Parameters
    ----------
    pairing : Pairing
        From :func:`pixelgauge.engine.pairing.find_pairs`.
    comparison : Comparison
        What to compute.
    workers : int, optional
        Default: :func:`pixelgauge.get_num_threads`.
    memory : int or str, optional
        Bytes that decoded images may take together, such as ``"2G"``. Default: half of what the process may use. What
        an image takes is told from its header, before it is decoded, for certain and mostly too much. A pair that needs
        more by itself is decoded once no other is.

    Yields
    ------
    ScoreRow
        One a pair.

    Raises
    ------
    TypeError, ValueError
        If `workers` is less than 1, or `memory` is no size.
    """
    workers = get_num_threads() if workers is None else whole_number("workers", workers, 1)
    return _scored(pairing, comparison, workers, memory_size(memory))


def _scored(
    pairing: Pairing, comparison: Comparison, workers: int, memory: int | None
) -> Generator[ScoreRow, None, None]:
    flow = Flow(comparison, memory)

    def begun(pair: Pair) -> ScoreRow | _Begun:
        ref, test = pairing.sources(pair)
        if pair.status != "ok" or ref is None or test is None:
            return ScoreRow(*pairing.paths(pair), pair.status, cut(pair.message))
        found = flow.begin(ref, test)
        return flow.row(found) if found.waiting is None else found

    # Rows wait, not images: sixteen a worker hide a slow pair.
    late: deque[ScoreRow | _Begun] = deque()
    with closing(ordered_map(begun, pairing.pairs, workers, 15 * workers)) as found, closing(flow):
        for one in found:
            late.append(one)
            while late and (_is_ready(late[0]) or len(late) > _MOST_LATE):
                yield _row(flow, late.popleft())
        while late:
            yield _row(flow, late.popleft())


def _is_ready(one: ScoreRow | _Begun) -> bool:
    return isinstance(one, ScoreRow) or one.waiting is None or one.waiting.is_scored.is_set()


def _row(flow: Flow, one: ScoreRow | _Begun) -> ScoreRow:
    return one if isinstance(one, ScoreRow) else flow.row(one)


def _colours_differ(ours: str | None, theirs: str | None) -> list[str]:
    """Say that files mean other colours by the same numbers, which are compared all the same; nothing if not."""
    if ours is None or theirs is None or ours == theirs:
        return []
    ours, theirs = (colours or "sRGB or nothing said" for colours in (ours, theirs))
    return [f"colour profile differs and is not applied: REF {ours}, TEST {theirs}"]


def _difference(x: Array, y: Array) -> str:
    if x.shape == y.shape and x.dtype == y.dtype:
        return ""

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
