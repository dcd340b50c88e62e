"""Where rows are kept: what each format does for a file of rows, and the two formats of lines of text."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterable, Sequence
from typing import BinaryIO, Protocol

from pixelgauge.engine.row_columns import PATHS
from pixelgauge.engine.row_records import LineRecords, Records, csv_line, csv_path, json_line
from pixelgauge.files.lock import open_for_one, try_lock, write_all
from pixelgauge.files.writing import replacing

Cells = Sequence[object]
"""Of a row, by the columns that the store was opened for: text, whole numbers, scores, None."""


class RowStore(Protocol):
    """Rows in a file of one format, which no other run can write meanwhile; opened and locked when it is made.

    A row that was appended is kept whatever ends the process.
    """

    @property
    def is_new(self) -> bool:
        """Whether the file was not there."""

    @property
    def is_empty(self) -> bool:
        """Whether it holds nothing at all."""

    @property
    def held_in(self) -> str:
        """File that has the rows before all are made."""

    def records(self, known: Sequence[Sequence[str]], last: str, foreign: str) -> Records:
        """Read what it holds; as :class:`~pixelgauge.engine.row_records.LineRecords`."""

    def begin(self) -> None:
        """Make an empty file one of no rows."""

    def restart(self) -> None:
        """Make whatever is there a file of no rows."""

    def append(self, cells: Cells) -> None:
        """Add a row."""

    def replace(self, rows: Iterable[Cells]) -> None:
        """Put these rows in the place of those that are there, all at once."""

    def finish(self) -> None:
        """Bring the file into the shape that it is to have once all rows are made."""

    def require_in_place(self) -> None:
        """Raise unless the file still has its name: otherwise nobody finds the rows that were written."""

    def close(self) -> None:
        """Let other runs have it."""


def require_in_place(file: BinaryIO, path: str) -> None:
    """Raise an ``OSError`` if an open file was deleted, moved or replaced."""
    try:
        if os.path.samestat(os.fstat(file.fileno()), os.stat(path)):
            return
    except OSError:
        pass
    raise OSError(errno.ENOENT, "was deleted or replaced while it was written", path)


class LineStore:
    """Rows in a CSV, or in JSON Lines; see :class:`RowStore`.

    Parameters
    ----------
    path : str
    columns : sequence of str
    jsonl : bool
        JSON Lines rather than CSV.
    """

    def __init__(self, path: str, columns: Sequence[str], jsonl: bool) -> None:
        self.held_in, self._columns, self._jsonl = path, columns, jsonl
        self._paths = [i for i, name in enumerate(columns) if name in PATHS]
        self._file, self.is_new = open_for_one(path)

    @property
    def is_empty(self) -> bool:
        """Whether it holds nothing at all."""
        return os.fstat(self._file.fileno()).st_size == 0

    def records(self, known: Sequence[Sequence[str]], last: str, foreign: str) -> LineRecords:
        """Read what it holds."""
        return LineRecords(self._file, self.held_in, self._jsonl, known, last, foreign)

    def begin(self) -> None:
        """Write the header."""
        write_all(self._file, self._head(), self.held_in)

    def restart(self) -> None:
        """Write the header to a new file."""
        self.replace(())

    def append(self, cells: Cells) -> None:
        """Write a line, past all buffers."""
        write_all(self._file, self._line(cells), self.held_in)

    def replace(self, rows: Iterable[Cells]) -> None:
        """Write lines to a file that takes the name once it is whole and locked."""
        with replacing(self.held_in, keep_open=True) as file:
            try_lock(file)
            file.write(self._head())
            file.writelines(map(self._line, rows))
        self._file.close()
        self._file = file

    def finish(self) -> None:
        """Leave it as it is: lines are whole at any time."""

    def require_in_place(self) -> None:
        """Raise unless the file still has its name."""
        require_in_place(self._file, self.held_in)

    def close(self) -> None:
        """Let other runs have it."""
        self._file.close()

    def _head(self) -> bytes:
        return b"" if self._jsonl else csv_line(self._columns)

    def _line(self, cells: Cells) -> bytes:
        if self._jsonl:
            return json_line(self._columns, cells)
        spelled = list(cells)
        for i in self._paths:
            spelled[i] = csv_path(spelled[i])  # type: ignore[arg-type]
        return csv_line(spelled)
