"""Exact AUROC of columns larger than memory: .npy files and Parquet columns, read in passes under a stated budget."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from pixelgauge import _core
from pixelgauge.checks import ArgumentValueError
from pixelgauge.files.npy import Header, map_npy
from pixelgauge.files.reading import FileError, open_regular, refusing
from pixelgauge.files.tables import PARQUET, import_parquet
from pixelgauge.files.text_tables import require_columns
from pixelgauge.images import Array
from pixelgauge.ranking.inputs import pack

Chunks = Callable[[], Iterator[tuple[Array, Array]]]

LEAST_BUDGET = 32 << 20
_BINS = 1 << 16
_CHUNK_BYTES_PER_ROW = 96
"""Scores, labels, keys, cells and masks of a chunk while it is counted."""
_HELD_BYTES_PER_ROW = 28
"""An 8-byte key and a label byte, both once more while parts are joined; then, in their place, the kernel's copy."""
_PARQUET_BYTES = 16 << 20
"""Pages and dictionaries of two columns and the pool that keeps them: 10 MB measured, 2^20 rows a row group."""


def roc_auc_score_out_of_core(
    y_true: str | os.PathLike[str],
    y_score: str | os.PathLike[str],
    *,
    memory_budget: int = 1 << 30,
    label_column: str = "label",
    score_column: str = "score",
) -> float:
    """Exact AUROC of files that need not fit in memory.

    One pass finds the range, one counts, and as many as the budget demands rank what one class alone does not decide.

    Parameters
    ----------
    y_true, y_score : path
        Two 1-D .npy files of the same length, or the same Parquet file twice (needs the `arrow` extra). Labels are 0
        and 1 or booleans; scores float16, float32, float64 or integers.
    memory_budget : int, default 2^30
        Bytes beyond the interpreter and its libraries, at least 32 MiB.
    label_column, score_column : str
        Columns of a Parquet file.

    Returns
    -------
    float
        Equal to :func:`pixelgauge.roc_auc_score` of the same data.

    Raises
    ------
    ImportError
        If a Parquet file is given and pyarrow is not installed.
    OSError
        If a file cannot be opened.
    FileError
        If a file is damaged, truncated, empty or of another kind, or a Parquet column holds missing values.
    TypeError, ValueError
        For dtypes without an order, lengths that differ, labels other than 0 and 1, one class only, NaN, or a budget
        that is too small.

    Examples
    --------
    >>> import numpy as np, pathlib, pixelgauge, tempfile
    >>> folder = pathlib.Path(tempfile.mkdtemp())
    >>> np.save(folder / "y.npy", [0, 0, 1, 1])
    >>> np.save(folder / "s.npy", [0.1, 0.4, 0.35, 0.8])
    >>> pixelgauge.roc_auc_score_out_of_core(folder / "y.npy", folder / "s.npy")
    0.75
    """
    if memory_budget < LEAST_BUDGET:
        remedy = f"give at least {LEAST_BUDGET} bytes"
        raise ArgumentValueError("memory_budget", str(memory_budget), "is too small", remedy)
    labels, scores = Path(y_true), Path(y_score)
    parquet = labels.suffix in PARQUET
    if parquet:
        memory_budget -= _PARQUET_BYTES
    rows = memory_budget // 4 // _CHUNK_BYTES_PER_ROW
    if labels.suffix == ".npy" and scores.suffix == ".npy":
        chunks = _npy_chunks(labels, scores, rows)
        names = str(labels), str(scores)
    elif labels == scores and parquet:
        chunks = _parquet_chunks(labels, label_column, score_column, rows)
        names = f"{labels}, column {label_column!r},", f"{labels}, column {score_column!r},"
    else:
        raise ValueError(f"y_true={y_true} and y_score={y_score}: give two .npy files, or one .parquet file twice")
    held = memory_budget // 2 // _HELD_BYTES_PER_ROW
    positives, negatives, low, high = _survey(chunks, *names)
    if positives == 0 or negatives == 0:
        raise ValueError(f"{names[0]}: {positives} positives and {negatives} negatives: AUROC needs both")
    twice_u, _ = _twice_u(chunks, low, high, held, 0)
    return twice_u / (2 * positives * negatives)


def _npy_chunks(labels: Path, scores: Path, rows: int) -> Chunks:
    opened: list[tuple[Path, Header]] = []
    for path in (labels, scores):
        header, _ = map_npy(path)
        if len(header.shape) != 1:
            raise FileError(str(path), f"should be a 1d array, got an array of shape {header.shape} instead")
        opened.append((path, header))
    (count,), (other,) = (header.shape for _, header in opened)
    if count != other:
        raise ValueError(
            f"Found input variables with inconsistent numbers of samples: {labels} {count}, {scores} {other}"
        )

    def chunks() -> Iterator[tuple[Array, Array]]:
        # Read, not mapped: pages of a mapped file would stay and count against the budget, and a file that another
        # process cuts short would end this one.
        with open_regular(labels) as of_labels, open_regular(scores) as of_scores:
            files = [(of_labels, *opened[0]), (of_scores, *opened[1])]
            for file, _, header in files:
                file.seek(header.offset)
            for start in range(0, count, rows):
                y, x = (_window(file, path, header, min(rows, count - start)) for file, path, header in files)
                yield y, x

    return chunks


def _window(file: BinaryIO, path: Path, header: Header, count: int) -> Array:
    values: Array = np.empty(count, header.dtype)
    if file.readinto(values.view(np.uint8)) < values.nbytes:  # type: ignore[attr-defined]
        raise FileError(str(path), "ends before its last value", "it was changed while it was read")
    return values


def _parquet_chunks(path: Path, label: str, score: str, rows: int) -> Chunks:
    parquet = import_parquet()
    with open_regular(path) as opened, refusing(str(path), "cannot be read as Parquet"):
        names = list(parquet.ParquetFile(opened).schema_arrow.names)
        require_columns(str(path), "", names, label, score, "choose two of them")

    def chunks() -> Iterator[tuple[Array, Array]]:
        with open_regular(path) as opened, refusing(str(path), "cannot be read as Parquet"):
            # a page at a time: without these, whole row groups would be read ahead
            file = parquet.ParquetFile(opened, buffer_size=1 << 18, pre_buffer=False)
            start = 0
            for batch in file.iter_batches(min(rows, 1 << 16), columns=[label, score], use_threads=False):
                for name in (label, score):
                    if batch.column(name).null_count:
                        row = start + int(np.argmin(batch.column(name).is_valid().to_numpy(zero_copy_only=False))) + 1
                        what = f"row {row}, column {name!r} holds missing values"
                        raise FileError(str(path), what, "remove those rows first")
                y, x = (batch.column(name).to_numpy(zero_copy_only=False) for name in (label, score))
                start += len(y)
                yield y, x

    return chunks


def _keys(scores: Array, name: str = "y_score") -> Array:
    """Order-preserving uint64 of any score: the bits of the float64 that equals it, or the biased integer."""
    top = np.uint64(1 << 63)
    if scores.dtype.kind == "f" and scores.dtype.itemsize <= 8:
        values = scores.astype(np.float64)
        if np.isnan(values).any():
            raise ValueError(f"{name} holds NaN, which has no rank: remove or impute those samples first")
        values += 0.0  # -0 becomes 0
        bits = values.view(np.uint64)
        return np.where(bits & top, ~bits, bits | top)
    if scores.dtype.kind in "bu":
        return scores.astype(np.uint64)
    if scores.dtype.kind == "i":
        return scores.astype(np.int64).view(np.uint64) ^ top
    raise TypeError(f"{name} has dtype {scores.dtype}: use float16, float32, float64 or integers")


def _truth(labels: Array, name: str) -> Array:
    if labels.dtype.kind not in "biuf" or not ((labels == 0) | (labels == 1)).all():
        raise ValueError(f"{name} must hold 0 and 1 only")
    return np.asarray(labels == 1)


def _survey(chunks: Chunks, label: str, score: str) -> tuple[int, int, int, int]:
    positives = count = high = 0
    low = (1 << 64) - 1
    for labels, scores in chunks():
        keys = _keys(scores, score)
        positives += int(np.count_nonzero(_truth(labels, label)))
        count += len(keys)
        low, high = min(low, int(keys.min())), max(high, int(keys.max()))
    if count == 0:
        raise ValueError(f"{label} and {score} are empty: at least one sample is needed")
    return positives, count - positives, low, high


def _selected(chunks: Chunks, low: int, high: int) -> Iterator[tuple[Array, Array]]:
    for labels, scores in chunks():
        keys = _keys(scores)
        inside = (keys >= np.uint64(low)) & (keys <= np.uint64(high))
        yield labels[inside] == 1, keys[inside]


def _twice_u(chunks: Chunks, low: int, high: int, held: int, below: int) -> tuple[int, int]:
    """Add up 2 #{negative < positive} + #{equal} over the positives in [low, high]; also count the negatives there."""
    shift = max(0, (high - low).bit_length() - 16)
    counts: Array = np.zeros((_BINS, 2), np.int64)
    for truth, keys in _selected(chunks, low, high):
        cells = ((keys - np.uint64(low)) >> np.uint64(shift)).astype(np.int64)
        counts += np.bincount(2 * cells + truth, minlength=2 * _BINS).reshape(_BINS, 2)
    total = 0
    first = below
    group: list[int] = []
    group_rows = 0

    def ends(cell: int) -> tuple[int, int]:
        start = low + (cell << shift)
        return start, min(high, start + (1 << shift) - 1)

    def close() -> None:
        nonlocal total, below, group_rows
        if not group:
            return
        rows: list[Any] = list(_selected(chunks, ends(group[0])[0], ends(group[-1])[1]))
        truth = np.concatenate([part[0] for part in rows])
        keys = np.concatenate([part[1] for part in rows])
        del rows
        twice_u, p, n = _core.auroc(keys, pack(truth))
        total += twice_u + 2 * below * p
        below += n
        group.clear()
        group_rows = 0

    occupied: list[int] = np.flatnonzero(counts.any(axis=1)).tolist()
    for cell in occupied:
        n, p = (int(count) for count in counts[cell])
        pure = n == 0 or p == 0
        if pure and group and group_rows + n + p <= held:  # rather than a pass of its own for what follows
            group.append(cell)
            group_rows += n + p
            continue
        if shift == 0 or pure or n + p > held:
            close()
            if shift == 0 or pure:
                total += p * (2 * below + n)
                below += n
            else:
                inner, inside = _twice_u(chunks, *ends(cell), held, below)
                total += inner
                below += inside
            continue
        if group_rows + n + p > held:
            close()
        group.append(cell)
        group_rows += n + p
    close()
    return total, below - first
