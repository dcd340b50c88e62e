"""Lists of pairs in files, read line by line however long they are: text of two columns, CSV, JSON Lines, Parquet.

The whole list is checked and counted before the first pair is scored, and held at no time.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections import Counter
from collections.abc import Collection, Iterator
from typing import Any, BinaryIO, Never

from pixelgauge.engine.pairing import Pair, Pairing
from pixelgauge.files.parquet_pages import EncryptedError, largest_page
from pixelgauge.files.reading import FileError, open_regular, refusing, shown, size_of
from pixelgauge.files.tables import PARQUET, import_parquet, require_small_pages
from pixelgauge.files.text_tables import Delimited, JsonLines, require_columns

_MOST_LINE = 1 << 16
"""Bytes: two paths of the longest that systems have, twice over."""
_TABLES = (".csv", ".tsv", ".jsonl", ".ndjson", *PARQUET)
_REMEDY = "see --columns"


def listed_pairs(path: str, columns: tuple[str, str] | None = None) -> Pairing:
    """Pairs of a list; paths are as they stand, relative ones from the working folder.

    Parameters
    ----------
    path : str
        A file: .csv, .tsv, .jsonl, .ndjson, .parquet and .pq are tables with named columns, any other is text with two
        paths a line, parted by a tab, or by blanks if the line has no tab and the paths no blanks; of any bytes. ``-``
        is such text from standard input, which is taken to its end first.
    columns : (str, str), optional
        Of tables; default ref, test.

    Raises
    ------
    FileError
        If a line or row does not hold two paths; it is named.
    ImportError
        If it is Parquet, and pyarrow is not installed.
    OSError
        If the file cannot be read.
    """
    return Pairing("", "", PairList(path, columns), Counter())


class PairList(Collection[Pair]):
    """Pairs of a file, read anew each time they are gone through; see :func:`listed_pairs`."""

    def __init__(self, path: str, columns: tuple[str, str] | None = None) -> None:
        self._path, self._name = path, path
        suffix = os.path.splitext(path)[1].lower()
        self._suffix = suffix if suffix in _TABLES else ""
        if columns is not None and not self._suffix:
            what = "standard input" if path == "-" else f"{path}"
            raise ValueError(f"columns are of {', '.join(_TABLES)}, and {what} is text of two columns: leave them out")
        self._columns = columns or ("ref", "test")
        if path == "-":
            self._path, self._name = self._spooled(), "standard input"
        self._count = sum(1 for _ in self)
        if not self._count:
            raise FileError(self._name, "holds no pairs")

    def _spooled(self) -> str:
        """Write standard input to a file, so that it can be gone through more than once."""
        self._spool = tempfile.NamedTemporaryFile(prefix="pixelgauge-", suffix=".pairs")  # noqa: SIM115
        if sys.stdin is not None:
            shutil.copyfileobj(sys.stdin.buffer, self._spool)
        self._spool.flush()
        return self._spool.name

    def __len__(self) -> int:
        return self._count

    def __contains__(self, pair: object) -> bool:
        return any(pair == other for other in self)

    def __iter__(self) -> Iterator[Pair]:
        with open_regular(self._path) as file, refusing(self._name, "cannot be read as a list of pairs"):
            for ref, test in self._rows(file):
                yield Pair(ref, test)

    def _rows(self, file: BinaryIO) -> Iterator[tuple[str, str]]:
        if not self._suffix:
            return self._lines(file)
        if self._suffix in PARQUET:
            return self._parquet(file)
        return self._table(file)

    def _lines(self, file: BinaryIO) -> Iterator[tuple[str, str]]:
        number = 0
        while line := file.readline(_MOST_LINE):
            number += 1
            if number == 1:
                line = line.removeprefix(b"\xef\xbb\xbf")
            if len(line) == _MOST_LINE:
                self._refuse(f"line {number}", f"it has {_MOST_LINE} bytes or more, which no two paths have")
            line = line.removesuffix(b"\n").removesuffix(b"\r")
            if not line.strip(b" \t"):
                continue
            cells = line.split(b"\t") if b"\t" in line else line.split(b" ")
            cells = cells if b"\t" in line else [cell for cell in cells if cell]
            if len(cells) != 2 or not all(cells):
                many = f"{len(cells)} columns" if b"\t" in line else f"{len(cells)} words"
                remedy = "give two paths a line, parted by a tab if they hold blanks"
                self._refuse(f"line {number}", f"{shown(os.fsdecode(line))!r} has {many}", remedy)
            yield os.fsdecode(cells[0]), os.fsdecode(cells[1])

    def _table(self, file: BinaryIO) -> Iterator[tuple[str, str]]:
        reader: Delimited | JsonLines
        if self._suffix in (".jsonl", ".ndjson"):
            reader, place = JsonLines(file, self._name, *self._columns, remedy=_REMEDY), "line"
        else:
            delimiter = "\t" if self._suffix == ".tsv" else ","
            reader, place = Delimited(file, self._name, delimiter, *self._columns, remedy=_REMEDY), "row"
        for refs, tests, numbers in reader.blocks():
            for ref, test, number in zip(refs, tests, numbers, strict=True):
                yield self._cell(ref, 0, f"{place} {number}"), self._cell(test, 1, f"{place} {number}")

    def _parquet(self, file: BinaryIO) -> Iterator[tuple[str, str]]:
        parquet = import_parquet()
        size = size_of(file)
        try:
            require_small_pages(self._name, largest_page(file, size, set(self._columns)), size)
        except EncryptedError:
            raise FileError(self._name, "is encrypted", "decrypt it first") from None
        file.seek(0)
        opened = parquet.ParquetFile(file)
        require_columns(self._name, "", list(opened.schema_arrow.names), *self._columns, _REMEDY)
        number = 0
        for batch in opened.iter_batches(1 << 10, columns=list(dict.fromkeys(self._columns))):
            refs, tests = (batch.column(name).to_pylist() for name in self._columns)
            for ref, test in zip(refs, tests, strict=True):
                number += 1
                yield self._cell(ref, 0, f"row {number}"), self._cell(test, 1, f"row {number}")

    def _cell(self, value: Any, side: int, place: str) -> str:
        """Path of a cell: text, or its bytes."""
        if not isinstance(value, bytes | str) or not value:
            what = "is empty" if value in (None, "", b"") else f"is {shown(repr(value))}, which is no path"
            self._refuse(place, f"column {self._columns[side]!r} {what}")
        return os.fsdecode(value)

    def _refuse(self, place: str, what: str, remedy: str = "give two paths") -> Never:
        raise FileError(self._name, f"{place}: {what}", remedy)
