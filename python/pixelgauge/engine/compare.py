"""A run of pairs in Python: rows of scores as they come, and their summary."""

from __future__ import annotations

import contextlib
import dataclasses
import itertools
import os
import reprlib
import threading
from collections import Counter, deque
from collections.abc import Iterable, Iterator, Sequence
from types import TracebackType
from typing import Any, Self

from pixelgauge.checks import ArgumentTypeError, ArgumentValueError, flag
from pixelgauge.engine.budget import memory_size
from pixelgauge.engine.comparison import CompareOptions, Comparison, prepare
from pixelgauge.engine.frame_pairs import of_frames
from pixelgauge.engine.inputs import Given
from pixelgauge.engine.pair_lists import listed_pairs
from pixelgauge.engine.pairing import Pair, Pairing, find_pairs
from pixelgauge.engine.pipeline import score_pairs
from pixelgauge.engine.row_tables import summary_table
from pixelgauge.engine.rows import ScoreRow
from pixelgauge.engine.summary import Summary
from pixelgauge.images import is_picture, path_name
from pixelgauge.markup import element
from pixelgauge.parallel import require_process


class CompareRun(Iterator[ScoreRow]):
    """Rows of scores, one a pair, in the order of the pairs; from :func:`compare`.

    The work begins with the first row; a few rows for each worker are made ahead. :meth:`close`, leaving a ``with``
    block, or dropping the run stops it: pairs that are in work are finished, the others are not begun.

    Attributes
    ----------
    summary : Summary
        Of the rows that were handed out.
    fingerprint : dict
        How the scores are made: version, presets, options.
    comparison : Comparison
        What it computes.
    pairing : Pairing
        All its pairs.

    Notes
    -----
    An iterator that any number of threads may share: each row goes to one of them, in the order in which they ask. What
    ends a run, such as a pair of an iterable that is none, is raised in each of them. Any thread may close it, and ask
    its summary, which is of whole rows at any time. Runs of one process do not disturb one another.

    A run belongs to the process that made it: in one that was forked since, its rows are a ``RuntimeError``, for a fork
    copies no thread. Make a run of its own there.
    """

    def __init__(
        self,
        pairing: Pairing,
        comparison: Comparison,
        workers: int | None = None,
        *,
        memory: int | str | None = None,
        before: Sequence[ScoreRow] = (),
    ) -> None:
        self.summary = Summary({name: metric.higher_is_better for name, metric in comparison.metrics.items()})
        self.fingerprint = comparison.fingerprint()
        self.comparison, self.pairing = comparison, pairing
        if before:
            pairing = dataclasses.replace(pairing, pairs=_Left(pairing, before))
        self._before = deque(before)
        self._noted = _Noted(pairing.pairs)
        self._rows = score_pairs(
            dataclasses.replace(pairing, pairs=self._noted), comparison, workers=workers, memory=memory
        )
        self._lock = threading.Lock()
        self._error: Exception | None = None
        self._taken, self._is_closed = 0, False
        self._process = os.getpid()

    def __next__(self) -> ScoreRow:
        return self._next()[0]

    def with_pairs(self) -> Iterator[tuple[ScoreRow, Pair | None]]:
        """Rows, each with the pair that it is of; None of a row from before."""
        with contextlib.suppress(StopIteration):
            while True:
                yield self._next()

    def whole(self) -> Iterator[tuple[ScoreRow, Pair | None]]:
        """All its rows, each with the pair that it is of.

        Raises
        ------
        ValueError
            If rows were taken before, others are taken meanwhile, or the run is closed.
        """
        with contextlib.suppress(StopIteration):
            for count in itertools.count():
                yield self._next(count)

    def _require_whole(self, count: int) -> None:
        """Raise unless the `count` rows that one caller took are all that were, and no more are lost."""
        if self._taken != count:
            others = self._taken - count
            problem = f"gave {others} row{'s' * (others != 1)} elsewhere, and all of them are needed"
        elif self._is_closed:
            problem = "is closed, and all of its rows are needed"
        else:
            return
        remedy = "make the report of a new run, before taking rows of it; its summary is returned"
        raise ArgumentValueError("run", "", f"the run {problem}", remedy)

    def _next(self, count: int | None = None) -> tuple[ScoreRow, Pair | None]:
        """Row, with its pair; for who took `count` before, and needs all there are."""
        require_process(self._process, "this run was made")  # the lock may be another's for ever
        with self._lock:
            if count is not None:
                self._require_whole(count)
            if self._error is not None:  # the other threads must not take it for the end
                raise self._error
            try:
                if self._before:
                    row, pair = self._before.popleft(), None
                else:
                    row, pair = next(self._rows), self._noted.waiting.popleft()
            except StopIteration:
                raise
            except Exception as error:
                self._error = error
                raise
            self._taken += 1
            self.summary.update(row)
        return row, pair

    def _repr_html_(self) -> str:
        return str(summary_table(self.summary) + element("p", self.comparison))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Stop: what is in work is finished, and no more rows come."""
        if os.getpid() != self._process:  # nothing is in work here
            return
        with self._lock:
            self._is_closed = True
            self._before.clear()
            self._rows.close()


class _Noted:
    """Pairs, of which those are kept whose rows have not come; they come in the order of the pairs."""

    def __init__(self, pairs: Iterable[Pair]) -> None:
        self._pairs = pairs
        self.waiting: deque[Pair] = deque()

    def __iter__(self) -> Iterator[Pair]:
        for pair in self._pairs:
            self.waiting.append(pair)
            yield pair


class _Left:
    """Pairs of a run that no row from before is of; one that a list names twice needs two rows."""

    def __init__(self, pairing: Pairing, before: Sequence[ScoreRow]) -> None:
        self._pairing = pairing
        self._done = Counter((row.ref, row.test) for row in before)

    def __iter__(self) -> Iterator[Pair]:
        left = self._done.copy()
        for pair in self._pairing.pairs:
            paths = self._pairing.paths(pair)
            if left[paths] > 0:
                left[paths] -= 1
            else:
                yield pair


def compare(
    ref: object,
    test: object = None,
    *,
    metrics: str | Sequence[str] = ("psnr", "ssim"),
    workers: int | None = None,
    memory: int | str | None = None,
    channel_axis: int | None = -1,
    pair: tuple[str, str] | None = None,
    columns: tuple[str, str] | None = None,
    frames: bool = False,
    **options: Any,
) -> CompareRun:
    """Score many pairs of images by several metrics, on several threads; the command ``compare`` in Python.

    Parameters
    ----------
    ref, test : path, PIL image, array, or list of them
        Two files, folders, zip or tar archives or .npy stacks (paired as the command line pairs them), two images, two
        lists or batches (N, H, W, C) of as many, or one reference and many images. Without `test`, an iterable of pairs
        ``(ref, test)`` of single images, taken as they are needed, or ``"@FILE"``, a list of pairs in a file. Files are
        read as :func:`pixelgauge.images.read_image` does.
    metrics : str or sequence of str, default ("psnr", "ssim")
        Of mse, mae, psnr, ssim, ms-ssim, lpips; also by variant, such as ``("ssim:skimage", "ssim:wang2004")``, or in
        one text, ``"ssim:skimage,ssim:wang2004"``.
    workers : int, optional
        Pairs in work at a time; default :func:`get_num_threads`.
    memory : int or str, optional
        Bytes that decoded images may take together, such as ``"2G"``; default half of the memory that the process may
        use. What an image takes is told from its header, before it is decoded. A pair that needs more by itself is
        decoded once no other is.
    channel_axis : int or None, default -1
        Of arrays; None if they have no channels.
    pair : (str, str), optional
        Patterns of the names in two folders or archives, such as ``("{stem}_gt", "{stem}_out")``.
    columns : (str, str), optional
        Of a list of pairs that is a table; default ref, test.
    frames : bool, default False
        Score the pages of TIFF and the frames of GIF and WebP files one by one, in rows ``name[3]``; without it such
        files are refused.
    **options
        As the command line has them, with underscores: ``data_range`` (images have values in 0..data_range; default:
        the full range of 8 or 16 bits, floating-point arrays need it), ``gray``, ``luma`` ("bt601", "bt601-rounded"),
        ``alpha``, ``resize`` (a kernel of Pillow's, for a test image of another size), ``crop_border``; ``preset`` of
        SSIM, ``ms_ssim_preset``, and ``lpips_backbone``.

    Returns
    -------
    CompareRun
        An iterator of :class:`ScoreRow`, with their ``summary``.

    Raises
    ------
    TypeError, ValueError
        If an argument is of another kind or value; all are checked at the call, pairs of an iterable as they come.
    FileNotFoundError
        If one of two paths does not exist. What is wrong with one file of several is in its row.
    ImportError, RuntimeError, OSError
        If a model or onnxruntime is missing.

    Notes
    -----
    Rows of arrays and PIL images are named ``ref`` and ``test``, or ``ref[i]`` and ``test[i]``. At most `workers` pairs
    are decoded at a time; on a device, where LPIPS is quicker by several pairs of a size, those wait for one another.
    Runs do not disturb one another, whatever threads they are on; arrays must not be changed before their rows are
    there.

    Examples
    --------
    >>> import numpy as np, pixelgauge
    >>> ref = np.zeros((3, 32, 32), np.uint8)
    >>> test = ref + np.arange(3, dtype=np.uint8)[:, None, None]
    >>> run = pixelgauge.compare(ref, test, metrics=("mse", "psnr"), channel_axis=None)
    >>> for row in run:
    ...     print(row.test, row.status, row.values["mse"])
    test[0] ok 0.0
    test[1] ok 1.0
    test[2] ok 4.0
    >>> round(run.summary.compute()["mse"].mean, 4)
    1.6667
    """
    checked = CompareOptions(metrics, **options)
    bytes_at_most = memory_size(memory)
    patterns = None if pair is None else _two_texts("pair", pair)
    named = None if columns is None else _two_texts("columns", columns)
    pairing = _pairing(ref, test, Given(channel_axis, checked["data_range"]), patterns, named)
    if flag("frames", frames):
        pairing = of_frames(pairing)
    return CompareRun(pairing, prepare(checked), workers, memory=bytes_at_most)


def _two_texts(name: str, value: object) -> tuple[str, str]:
    if not (isinstance(value, list | tuple) and len(value) == 2 and all(isinstance(text, str) for text in value)):
        raise ArgumentTypeError(name, reprlib.repr(value), "must be two texts, of ref and of test")
    return value[0], value[1]


def _pairing(
    ref: object, test: object, given: Given, patterns: tuple[str, str] | None, columns: tuple[str, str] | None
) -> Pairing:
    is_list = test is None and isinstance(ref, str) and ref.startswith("@")
    if columns is not None and not is_list:
        raise ArgumentValueError("columns", "", "columns are of a list of pairs", 'give "@FILE" as ref, and no test')
    if isinstance(ref, str | os.PathLike) and isinstance(test, str | os.PathLike):
        return find_pairs(path_name(ref, "ref"), path_name(test, "test"), patterns=patterns)
    if patterns is not None:
        raise ArgumentValueError("pair", "", "patterns are of two folders or archives", "leave them out")
    if is_list:
        return listed_pairs(str(ref)[1:], columns)
    if test is not None:
        return given.two_sides(ref, test)
    is_one = isinstance(ref, str | os.PathLike | bytes) or is_picture(ref) or hasattr(ref, "dtype")
    if is_one or not isinstance(ref, Iterable):
        raise ArgumentTypeError(
            "test", "", f"there is no test, and ref is a {type(ref).__name__}", "give test, or pairs (ref, test) as ref"
        )
    return given.pairs(ref)
