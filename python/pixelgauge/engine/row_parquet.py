"""Rows in a Parquet file, which is written once all are made: until then they are lines of JSON beside it.

A Parquet file has its index at its end: one that is cut short cannot be read, and none can be added to. So a run
keeps its rows in ``FILE.parquet.jsonl``, which is whole after any kill and is what ``--resume`` goes on with; at the
end it is copied into row groups of a file that appears under its name in one rename, and deleted.
"""

from __future__ import annotations

import contextlib
import errno
import itertools
import os
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, BinaryIO

from pixelgauge.engine.row_columns import PATHS, TEXTS, WHOLE
from pixelgauge.engine.row_records import MOST_RECORD, LineRecords, Records, json_value, score_of, writable_text
from pixelgauge.engine.row_stores import Cells, LineStore
from pixelgauge.files.parquet_pages import EncryptedError, largest_page
from pixelgauge.files.reading import EXPANSION, EXPANSION_FREE, FileError, open_regular, refusing, size_of
from pixelgauge.files.tables import import_parquet
from pixelgauge.files.writing import replacing, target_of

_GROUP = 1 << 14
"""Rows that are held at a time."""
_PAGE_EXPANSION = 2
"""A page may unpack to so many times the file's bytes and 64 MiB: pyarrow makes room for it at once."""
_LEAST_ROW = 64
"""Bytes that a row takes in memory: of more rows than a file can hold none is read."""


class ParquetStore:
    """Rows that become a Parquet file; see :class:`~pixelgauge.engine.row_stores.RowStore`.

    Parameters
    ----------
    path : str
    columns : sequence of str
    """

    def __init__(self, path: str, columns: Sequence[str]) -> None:
        import_parquet()
        if os.path.isdir(path):
            raise IsADirectoryError(errno.EISDIR, "is a folder, and a file is to be written", path)
        self._path, self._columns = path, columns
        self.held_in = f"{target_of(path)}.jsonl" if os.path.islink(path) else f"{path}.jsonl"
        self._lines = LineStore(self.held_in, columns, jsonl=True)
        self.is_new = self._lines.is_new and not os.path.lexists(path)

    @property
    def is_empty(self) -> bool:
        """Whether there are neither lines nor a file."""
        return self._lines.is_empty and not self._size()

    def _size(self) -> int:
        with contextlib.suppress(FileNotFoundError):
            return os.stat(self._path).st_size
        return 0

    def records(self, known: Sequence[Sequence[str]], last: str, foreign: str) -> Records:
        """Read the lines; where there are none, the file that a run finished."""
        if self._lines.is_empty:
            return ParquetRecords(self._path, known, foreign)
        return self._lines.records(known, last, foreign)

    def begin(self) -> None:
        """Begin with no lines."""

    def restart(self) -> None:
        """Begin with no lines, and no file that --resume could take for the one of this run."""
        self._lines.replace(())
        with contextlib.suppress(FileNotFoundError):
            os.remove(target_of(self._path))

    def append(self, cells: Cells) -> None:
        """Write a line."""
        self._lines.append(cells)

    def replace(self, rows: Iterable[Cells]) -> None:
        """Put these lines in the place of all."""
        self._lines.replace(rows)

    def finish(self) -> None:
        """Write the file, and delete the lines."""
        try:
            self._write(paths_as_text=True)
        except UnicodeEncodeError:  # Parquet's text is UTF-8, which a name need not be
            self._write(paths_as_text=False)
        os.remove(self.held_in)

    def _write(self, *, paths_as_text: bool) -> None:
        import pyarrow

        parquet = import_parquet()
        kinds = {name: pyarrow.string() for name in TEXTS} | {name: pyarrow.int64() for name in WHOLE}
        if not paths_as_text:
            kinds |= {name: pyarrow.binary() for name in PATHS}
        schema = pyarrow.schema([(name, kinds.get(name, pyarrow.float64())) for name in self._columns])
        with (
            open_regular(self.held_in) as kept,
            replacing(self._path) as file,
            parquet.ParquetWriter(file, schema) as writer,
        ):
            lines = LineRecords(kept, self.held_in, True, [self._columns], "", "is no longer what this run wrote")
            records = iter(lines)
            while group := list(itertools.islice(records, _GROUP)):
                columns = {
                    name: [_spelled(name, record[name], paths_as_text) for _, record in group] for name in self._columns
                }
                writer.write_table(pyarrow.Table.from_pydict(columns, schema))

    def require_in_place(self) -> None:
        """Raise unless the lines still have their name."""
        self._lines.require_in_place()

    def close(self) -> None:
        """Let other runs have it; lines that are none go."""
        with contextlib.suppress(OSError):
            if self._lines.is_empty:
                self._lines.require_in_place()
                os.remove(self.held_in)
        self._lines.close()


def _spelled(name: str, value: Any, paths_as_text: bool) -> Any:
    """Cell for Parquet, of what JSON Lines have."""
    if value is None or name in WHOLE:
        return value
    if name in PATHS:
        return value.encode() and value if paths_as_text else os.fsencode(value)
    return writable_text(value) if name in TEXTS else score_of(value, is_text=False)


class ParquetRecords(Records):
    """Records of a Parquet file that a run finished.

    Parameters
    ----------
    path : str
    columns : sequence of sequences of str
    foreign : str
    """

    def __init__(self, path: str, columns: Sequence[Sequence[str]], foreign: str) -> None:
        super().__init__(path, columns, foreign)
        self.is_whole = False  # nothing can be added to it

    def __iter__(self) -> Iterator[tuple[int, dict[str, Any]]]:
        """Read them in the order in which they were written."""
        with opened_parquet(self._path, self._foreign) as opened:
            found = list(opened.schema_arrow.names)
            if found not in self._known:
                raise self.foreign()
            self.columns = found
            number = 0
            for batch in opened.iter_batches(1 << 10):
                cells = [_cells(self._path, batch.column(name)) for name in found]
                for record in zip(*cells, strict=True):
                    number += 1
                    yield number, dict(zip(found, map(_read, record), strict=True))


@contextlib.contextmanager
def opened_parquet(path: str, foreign: str) -> Iterator[Any]:
    """Open a Parquet file that does not unpack to much more than it holds.

    Raises
    ------
    FileError
        If it is damaged, or none.
    """
    parquet = import_parquet()
    with open_regular(path) as file, refusing(path, foreign):
        yield _bounded(parquet, file, path, size_of(file))


def _bounded(parquet: Any, file: BinaryIO, path: str, size: int) -> Any:
    names = parquet.ParquetFile(file).schema_arrow.names
    file.seek(0)
    try:
        largest = largest_page(file, size, names)
    except EncryptedError:
        raise FileError(path, "is encrypted", "decrypt it first") from None
    file.seek(0)
    opened = parquet.ParquetFile(file, read_dictionary=[name for name in names if name in TEXTS])
    rows = opened.metadata.num_rows
    too_large = largest > _PAGE_EXPANSION * size + EXPANSION_FREE
    if too_large or rows * _LEAST_ROW > EXPANSION * size + EXPANSION_FREE:
        raise FileError(path, f"of {size} bytes tells of {rows} rows, and of a page of {largest} bytes")
    return opened


def _cells(path: str, column: Any) -> list[Any]:
    """Values of a column; a text that many rows share is made once."""
    if not hasattr(column, "dictionary"):
        values: list[Any] = column.to_pylist()
        return values
    texts = column.dictionary.to_pylist()
    if any(text is not None and len(text) > MOST_RECORD for text in texts):
        raise FileError(path, f"has a text of more than {MOST_RECORD} bytes")
    return [None if i is None else texts[i] for i in column.indices.to_pylist()]


def _read(value: Any) -> Any:
    return os.fsdecode(value) if isinstance(value, bytes) else json_value(value)
