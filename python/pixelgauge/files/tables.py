"""Tables of scores and labels: two columns of CSV, TSV, JSON lines, Parquet, .npz and .npy, bounded as `files` are.

Whatever the bytes are, the columns come value for value, or one :class:`FileError` names the file, row and column.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from typing import Any, BinaryIO, Never

import numpy as np

from pixelgauge.checks import ArgumentValueError
from pixelgauge.files.archive import open_archive, read_array
from pixelgauge.files.cells import Labels, Missing, Scores
from pixelgauge.files.npy import Array, map_npy
from pixelgauge.files.parquet_pages import EncryptedError, largest_page
from pixelgauge.files.reading import EXPANSION, EXPANSION_FREE, FileError, open_regular, refusing, size_of
from pixelgauge.files.text_tables import Delimited, JsonLines, require_columns

SUFFIXES = ".csv, .tsv, .jsonl, .parquet, .npz or .npy"
PARQUET = (".parquet", ".pq")


@dataclass(frozen=True)
class Table:
    """Two columns of a table, of one length, without missing values.

    Attributes
    ----------
    labels : (N,) numpy.ndarray
        Numbers or booleans; where `classes` is not None, places among them.
    scores : (N,) numpy.ndarray
        In the file's own dtype; of text, int64, uint64, float64 or, where none of them holds all, objects.
    classes : list of str or None
        Of labels that are text, as they are met.
    dropped : int
        Rows that were left out because a label or score was missing.
    rows : (N,) numpy.ndarray or None
        Numbers of the rows in the file, ascending, which tell those of two reads apart; None where all are there.
    """

    labels: Array
    scores: Array
    classes: list[str] | None
    dropped: int
    rows: Array | None = None

    def among(self, rows: Array) -> Table:
        """Rows of these numbers; those that were read together with ``missing="drop"``."""
        if self.rows is None:
            raise ArgumentValueError("rows", "", "the table was read with all its rows", "read it with missing='drop'")
        kept = np.isin(self.rows, rows, assume_unique=True)
        left = len(self.rows) - int(kept.sum())
        return replace(
            self, labels=self.labels[kept], scores=self.scores[kept], dropped=self.dropped + left, rows=self.rows[kept]
        )


def read_table(path: str | os.PathLike[str], label: str, score: str, missing: Missing = "error") -> Table:
    """Label and score columns of a table, told by the file's extension.

    Parameters
    ----------
    path : path
    label, score : str
        Columns, arrays of an .npz, keys of JSON objects; a .npy of shape (N, 2) has the label first.
    missing : {"error", "drop", "keep"}
        Whether a row with a missing value is an error or left out; with "keep" a text label that would stand for
        one, such as None, is a class.

    Raises
    ------
    FileError
        Whatever is wrong with the file.
    ImportError
        If it is Parquet, and pyarrow is not installed.
    OSError
        If it cannot be opened.
    """
    name = os.fsdecode(path)
    suffix = os.path.splitext(name)[1].lower()
    if suffix in PARQUET:
        return _read_parquet(name, label, score, missing)
    if suffix == ".npy":
        return _of_pair(name, map_npy(name)[1], label, score, missing)
    if suffix == ".npz":
        with open_archive(name) as archive:
            names = [member.removesuffix(".npy") for member in archive.names]
            require_columns(name, "", names, label, score)
            labels, scores = (read_array(archive, f"{column}.npy") for column in (label, score))
        with refusing(name, "cannot be read as a table"):
            return _of_arrays(name, labels, scores, label, score, missing)
    if suffix not in (".csv", ".tsv", ".jsonl", ".ndjson"):
        raise FileError(name, "has an unknown extension", f"use {SUFFIXES}")
    with open_regular(name) as file, refusing(name, "cannot be read as a table"):
        return _read_text(file, name, suffix, label, score, missing)


def _read_text(file: BinaryIO, path: str, suffix: str, label: str, score: str, missing: Missing) -> Table:
    reader: Delimited | JsonLines
    if suffix in (".csv", ".tsv"):
        reader = Delimited(file, path, "\t" if suffix == ".tsv" else ",", label, score)
    else:
        reader = JsonLines(file, path, label, score)
    labels, scores = Labels(label, missing, reader.refuse), Scores(score, missing, reader.refuse)
    rows = 0
    places: list[Array] = []
    for of_labels, of_scores, numbers in reader.blocks():
        rows += len(numbers)
        known, ranked = labels.add(of_labels, numbers), scores.add(of_scores, numbers)
        if missing == "drop":
            places.append(np.array(numbers))
        if known is not None or ranked is not None:
            kept: Array = np.ones(len(numbers), bool)
            for mask in (known, ranked):
                if mask is not None:
                    kept &= mask
            labels.keep(kept)
            scores.keep(kept, ranked)
            if places:
                places[-1] = places[-1][kept]
    if not rows:
        raise FileError(path, "holds no rows")
    codes, classes, left = labels.values()
    values = scores.values()
    at = np.concatenate(places) if places else None
    if left is not None:
        values, at = values[left], None if at is None else at[left]
    return _table(path, codes, values, classes, rows, at)


def _table(
    path: str, labels: Array, scores: Array, classes: list[str] | None, rows: int, places: Array | None
) -> Table:
    if rows and not len(scores):
        raise FileError(path, f"holds no row with a label and a score, {rows} rows were left out")
    return Table(labels, scores, classes, rows - len(scores), places)


def _of_pair(path: str, held: Array, label: str, score: str, missing: Missing) -> Table:
    if held.ndim != 2 or held.shape[1] != 2:
        raise FileError(path, f"has shape {held.shape}", "a .npy file must be (N, 2), label and score")
    return _of_arrays(path, held[:, 0], held[:, 1], label, score, missing)


def _of_arrays(path: str, labels: Array, scores: Array, label: str, score: str, missing: Missing) -> Table:
    labels, scores = _vector(path, label, labels), _vector(path, score, scores)
    if len(labels) != len(scores):
        given = f"{len(labels)} values of {label!r} and {len(scores)} of {score!r}"
        raise FileError(path, f"has {given}", "give one of each a row")
    return _finish(path, labels, scores, label, score, missing, np.arange(1, len(labels) + 1))


def _vector(path: str, name: str, values: Array) -> Array:
    if values.ndim == 2 and values.shape[1] == 1:
        return values[:, 0]
    if values.ndim != 1:
        raise FileError(path, f"column {name!r}, should be a 1d array, got an array of shape {values.shape} instead")
    return values


def _finish(
    path: str, labels: Array | Any, scores: Array, label: str, score: str, missing: Missing, rows: Array,
    total: int | None = None,
) -> Table:  # fmt: skip
    """Columns of equal length, of which `rows` are the rows' numbers; a column of Arrow where labels are text."""
    if not len(rows):
        raise FileError(path, "holds no rows")

    def refuse(row: int, what: str, remedy: str = "") -> Never:
        raise FileError(path, f"row {row}, {what}", remedy)

    def known(name: str, values: Array) -> Array | None:
        if values.dtype.kind != "f" or not (bad := np.isnan(values)).any():
            return None
        if missing != "drop":
            refuse(int(rows[np.argmax(bad)]), f"column {name!r}: NaN", "remove the row or fill it in")
        kept: Array = ~bad
        return kept

    kept = known(score, scores)
    reader = None
    if isinstance(labels, np.ndarray) and labels.dtype.kind not in "US":
        of_label = known(label, labels)
    else:
        reader = Labels(label, missing, refuse)
        of_label = _count_texts(reader, labels, rows)
    if of_label is not None:
        kept = of_label if kept is None else kept & of_label
    total = len(rows) if total is None else total
    if kept is not None:
        scores, rows = scores[kept], rows[kept]
        labels = labels if reader else labels[kept]
    classes = None
    if reader:
        if kept is not None:
            reader.keep(kept)
        labels, classes, left = reader.values()
        if left is not None:
            scores, rows = scores[left], rows[left]
    return _table(path, labels, scores, classes, total, rows if missing == "drop" else None)


def _count_texts(reader: Labels, labels: Array | Any, rows: Array) -> Array | None:
    """Count texts of NumPy, or of a column of Arrow in chunks; return which are known, None if all."""
    if isinstance(labels, np.ndarray):
        found, first, places = np.unique(labels, return_index=True, return_inverse=True)
        reader.add_coded([_decoded(text) for text in found.tolist()], rows[first].tolist(), places)
        return reader.known()
    start = 0
    for chunk in labels.chunks:
        coded = chunk if hasattr(chunk, "dictionary") else chunk.dictionary_encode()
        used, first, places = np.unique(coded.indices.to_numpy(), return_index=True, return_inverse=True)
        texts = map(_decoded, coded.dictionary.take(used).to_pylist())
        reader.add_coded(list(texts), rows[start + first].tolist(), places)
        start += len(chunk)
    return reader.known()


def _decoded(text: Any) -> Any:
    return text.decode() if isinstance(text, bytes) else text


def _read_parquet(path: str, label: str, score: str, missing: Missing) -> Table:
    parquet = import_parquet()
    with open_regular(path) as file, refusing(path, "cannot be read as Parquet"):
        size = size_of(file)
        try:
            require_small_pages(path, largest_page(file, size, {label, score}), size)
        except EncryptedError:
            raise FileError(path, "is encrypted", "decrypt it first") from None
        file.seek(0)
        opened = parquet.ParquetFile(file)
        require_columns(path, "", list(opened.schema_arrow.names), label, score)
        kinds = [_kind(path, name, opened.schema_arrow.field(name).type) for name in (label, score)]
        if kinds[1] == "text":
            raise FileError(path, f"column {score!r}, holds text: use numbers")
        _require_bounded(path, _rows_of(path, opened.metadata), kinds, size)
        held = opened.read(columns=[score] if kinds[0] == "text" else [label, score])
        columns = [_texts(file, label) if kinds[0] == "text" else held.column(label), held.column(score)]
        if len(columns[0]) != len(columns[1]):
            raise FileError(path, f"has {len(columns[0])} values of {label!r} and {len(columns[1])} of {score!r}")
        rows = np.arange(1, len(held) + 1)
        if columns[0].null_count or columns[1].null_count:
            valid = [column.is_valid().to_numpy() for column in columns]
            if missing != "drop":
                row = int(np.argmin(valid[0] & valid[1]))
                name = score if valid[0][row] else label
                raise FileError(path, f"row {row + 1}, column {name!r}: null", "remove the row or fill it in")
            kept = valid[0] & valid[1]
            columns, rows = [column.filter(kept) for column in columns], rows[kept]
        labels = columns[0] if kinds[0] == "text" else _numbers(columns[0])
        return _finish(path, labels, _numbers(columns[1]), label, score, missing, rows, len(held))


def import_parquet() -> Any:
    """Import pyarrow's module of Parquet."""
    try:
        import pyarrow.parquet as parquet
    except ImportError as error:
        raise ImportError("Parquet files need pyarrow: pip install 'pixelgauge[arrow]'") from error
    return parquet


def _numbers(column: Any) -> Array:
    import pyarrow

    if pyarrow.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    array: Array = column.to_numpy()
    return array


def _kind(path: str, name: str, kind: Any) -> str:
    """Whether a column of Parquet holds text, dates, decimals or numbers; raise where it is nothing of the kind."""
    from pyarrow import types

    if types.is_dictionary(kind):
        kind = kind.value_type
    if any(getattr(types, f"is_{text}")(kind) for text in _TEXTS if hasattr(types, f"is_{text}")):
        return "text"
    if types.is_decimal(kind):
        return "decimal"
    if types.is_boolean(kind) or types.is_integer(kind) or types.is_floating(kind) or types.is_null(kind):
        return "number"
    what = "its integers, such as by a cast to int64" if types.is_temporal(kind) else "numbers or text"
    raise FileError(path, f"column {name!r}, has dtype {kind}", f"give {what}")


_TEXTS = ("string", "large_string", "string_view", "binary", "large_binary", "binary_view", "fixed_size_binary")
_PAGE_EXPANSION = 2
_WIDTHS = {"text": 12, "decimal": 128, "number": 8}
"""Bytes of a row while a column is held."""


def _texts(file: BinaryIO, label: str) -> Any:
    """Column of text as a few distinct ones and a number a row: a long one that a million rows share is held once."""
    import pyarrow
    import pyarrow.parquet as parquet

    def read(**options: Any) -> list[Any]:
        chunks = []
        for batch in parquet.ParquetFile(file, **options).iter_batches(1 << 14, columns=[label]):
            texts = batch.column(label)
            chunks.append(texts if hasattr(texts, "dictionary") else texts.dictionary_encode())
        return chunks

    try:
        chunks = read(read_dictionary=[label])
    except OSError:  # of an encoding that pyarrow cannot take so; of damage this fails again
        chunks = read()
    return pyarrow.chunked_array(chunks, None if chunks else pyarrow.string())


def _rows_of(path: str, metadata: Any) -> int:
    """Rows of a Parquet file: the sum of its groups' is what its end says."""
    rows = [metadata.row_group(i).num_rows for i in range(metadata.num_row_groups)]
    if min(rows, default=0) < 0 or sum(rows) != metadata.num_rows:
        raise FileError(path, f"tells of {metadata.num_rows} rows, and its groups of {sum(rows)}", "it is damaged")
    return sum(rows)


def require_small_pages(path: str, largest: int, size: int) -> None:
    """Raise where a page says that it unpacks to much more than the file holds: pyarrow makes room for it at once."""
    if largest > _PAGE_EXPANSION * size + EXPANSION_FREE:
        what = f"of {size} bytes has a page that says it unpacks to {largest} bytes"
        most = f"at most {_PAGE_EXPANSION} times its bytes and {EXPANSION_FREE >> 20} MiB are unpacked at a time"
        raise FileError(path, f"{what}; {most}", "write it with smaller pages, a megabyte being usual")


def _require_bounded(path: str, rows: int, kinds: list[str], size: int) -> None:
    """Raise where a small file tells of many rows. Columns' metadata are not asked: pyarrow aborts on damaged ones."""
    claimed = rows * sum(_WIDTHS[kind] for kind in kinds)
    if claimed > EXPANSION * size + EXPANSION_FREE:
        what = f"of {size} bytes tells of {rows} rows, which take {claimed} bytes"
        most = f"at most {EXPANSION} times its bytes and {EXPANSION_FREE >> 20} MiB are read"
        raise FileError(path, f"{what}; {most}", "give --memory-budget, for AUROC alone")
