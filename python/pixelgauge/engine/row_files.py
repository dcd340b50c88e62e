"""Rows of scores in a CSV or JSON Lines file: written one by one by one run, whole after any kill, resumable."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterable, Set
from typing import Any, BinaryIO, get_args

from pixelgauge.checks import ArgumentValueError
from pixelgauge.engine.comparison import Comparison
from pixelgauge.engine.row_records import (
    Records,
    csv_line,
    csv_path,
    json_line,
    json_value,
    plain_path,
    score_of,
    whole_of,
)
from pixelgauge.engine.rows import FileState, ScoreRow, Status, file_state
from pixelgauge.files.lock import open_for_one, try_lock, write_all
from pixelgauge.files.reading import FileError
from pixelgauge.files.writing import replacing, require_writable

__all__ = ["FORMATS", "RowFile", "check_row_file", "json_value"]

FORMATS = (".csv", ".jsonl")

_STATE_COLUMNS = ("ref_name", "test_name", "ref_bytes", "test_bytes", "ref_mtime_ns", "test_mtime_ns")

_STATUSES = frozenset(get_args(Status))

_Paths = tuple[str | None, str | None]


class RowFile:
    """A file of rows, open for appending, which no other run can write meanwhile.

    Columns (keys, in JSON Lines) are ``ref, test, status, message``, one a metric, ``settings``, which says how the row
    was made, and what :meth:`__init__` needs to go on: ``ref_name, test_name``, the paths within their folders, and
    ``ref_bytes, test_bytes, ref_mtime_ns, test_mtime_ns``, size and time of the files that were scored. A missing value
    is empty (null), an infinite one ``inf`` (``"inf"``). Rows are not buffered.

    Parameters
    ----------
    path : path
        Its extension, .csv or .jsonl, tells the format.
    made : Comparison
        Of this run.
    roots : (str, str), optional
        The folders that the paths of rows begin with.
    resume : set of (str or None, str or None), optional
        Go on with the file if it exists, for a run over the pairs with these paths: :attr:`rows` are its rows that are
        ok, whose files are the ones that were scored; they may have moved with their folders. What else is there (a
        last row that was cut short, rows that are not ok or of files that were replaced, rows that are there twice) is
        taken out of the file, to be made again. Files of version 0.1.0, without names, sizes and times, are gone on
        with by their paths alone.
    overwrite : bool, default False
        Replace the file if it exists.
    inputs : iterable of paths
        What this run reads: none of it is ever replaced.

    Raises
    ------
    ValueError
        If the extension is another.
    FileError
        A ValueError: if what is to be gone on with is not such a file, was made with other settings, has scores of
        other pairs or two different ones of a pair, or a row that does not parse; it is then left as it is.
    FileExistsError
        If the file exists, and neither `resume` nor `overwrite` is set, or is an input.
    BlockingIOError
        If another run is writing it.
    OSError
        If it cannot be read or written.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        made: Comparison,
        *,
        roots: tuple[str, str] = ("", ""),
        resume: Set[_Paths] | None = None,
        overwrite: bool = False,
        inputs: Iterable[str] = (),
    ) -> None:
        self.path = os.fspath(path)
        self.rows: list[ScoreRow] = []
        self._metrics, self._made, self._roots = tuple(made.metrics), str(made), roots
        self._old_columns = ["ref", "test", "status", "message", *made.metrics, "settings"]
        self._columns = [*self._old_columns, *_STATE_COLUMNS]
        self._jsonl = check_row_file(self.path)
        self._file = self._opened(resume, overwrite, inputs)

    def close(self) -> None:
        """Close the file, for other runs to go on with."""
        self._file.close()

    def require_in_place(self) -> None:
        """Raise unless the file still has its name: otherwise nobody finds the rows that were written.

        Raises
        ------
        OSError
            If it was deleted, moved or replaced since it was opened.
        """
        try:
            if os.path.samestat(os.fstat(self._file.fileno()), os.stat(self.path)):
                return
        except OSError:
            pass
        raise OSError(errno.ENOENT, "was deleted or replaced while it was written", self.path)

    def append(self, row: ScoreRow) -> None:
        """Write a row."""
        self._write(self._line(row))

    def _opened(self, resume: Set[_Paths] | None, overwrite: bool, inputs: Iterable[str]) -> BinaryIO:
        """Open or create the file, locked, its header and :attr:`rows` in it."""
        file, is_new = open_for_one(self.path)
        try:
            found = os.fstat(file.fileno())
            if not is_new:
                if found.st_size and resume is None and not overwrite:
                    raise FileExistsError(f"{self.path} exists")
                if resume is None or not found.st_size:
                    require_writable(self.path, overwrite=True, inputs=inputs)
            if found.st_size and resume is not None:
                if not self._take_up(file, resume):
                    return file
            elif not found.st_size:
                self._file = file
                self._write(self._head())
                return file
            replaced = self._replaced()
        except BaseException:
            file.close()
            raise
        file.close()
        return replaced

    def _replaced(self) -> BinaryIO:
        """Write the header and :attr:`rows` to a file that takes the name once it is whole and locked."""
        with replacing(self.path, keep_open=True) as file:
            try_lock(file)
            file.write(self._head())
            file.writelines(map(self._line, self.rows))
        return file

    def _head(self) -> bytes:
        return b"" if self._jsonl else csv_line(self._columns)

    def _line(self, row: ScoreRow) -> bytes:
        values = [row.values.get(name) for name in self._metrics]
        ref, test = row.files
        paths, names = (row.ref, row.test), self._names((row.ref, row.test))
        if not self._jsonl:
            paths, names = ((csv_path(a), csv_path(b)) for a, b in (paths, names))
        cells = [*paths, row.status, row.message, *values, self._made, *names]
        for part in ("bytes", "mtime_ns"):
            cells += [None if state is None else getattr(state, part) for state in (ref, test)]
        return json_line(self._columns, cells) if self._jsonl else csv_line(cells)

    def _names(self, paths: _Paths) -> _Paths:
        """Paths within their folders."""
        ref, test = paths
        return _within(ref, self._roots[0]), _within(test, self._roots[1])

    def _write(self, data: bytes) -> None:
        write_all(self._file, data, self.path)

    def _take_up(self, file: BinaryIO, pairs: Set[_Paths]) -> bool:
        """Read :attr:`rows`, and say whether something else is in the file."""
        foreign = f"is not a file of pixelgauge compare with metrics {','.join(self._metrics)}"
        known = [self._columns, self._old_columns]
        records = Records(file, self.path, self._jsonl, known, self._made, foreign)
        by_names = {self._names(paths): paths for paths in pairs}
        if not self._jsonl:
            by_names = {(plain_path(ref), plain_path(test)): paths for (ref, test), paths in by_names.items()}
        kept: dict[_Paths, tuple[int, ScoreRow]] = {}
        elsewhere: list[ScoreRow] = []
        moved = changed = False
        for line, record in records:
            row, names = self._parsed(records, line, record)
            if row.status != "ok":
                changed = True
                continue
            paths = by_names.get(names, (None, None))
            if None in paths:
                raise self._of_no_pair(row)
            status = _compared(row, paths)
            if status == "replaced":
                changed = True
            elif status == "elsewhere":
                elsewhere.append(row)
            else:
                again = ScoreRow(*paths, "ok", row.message, row.values, row.files)
                before = kept.setdefault(paths, (line, again))
                if before[1] is not again:
                    if before[1].values != again.values:
                        raise records.wrong(line, f"has other scores than line {before[0]} of the same pair")
                    changed = True
                moved |= status == "moved"
                if (row.ref, row.test) != paths:
                    changed |= (row.ref, row.test) != tuple(map(plain_path, paths))
        if elsewhere and not moved:  # nothing says that this is the folder of that run
            raise self._of_no_pair(elsewhere[0])
        self.rows = [row for _, row in kept.values()]
        return changed or bool(elsewhere) or records.cut_short or records.columns != self._columns

    def _of_no_pair(self, row: ScoreRow) -> FileError:
        return FileError(
            self.path,
            f"has scores of {row.ref} and {row.test}, which are no pair of this run",
            "give the folders that it was made of, or --overwrite to replace it",
        )

    def _parsed(self, records: Records, line: int, record: dict[str, Any]) -> tuple[ScoreRow, _Paths]:
        """ScoreRow of a record, and the paths within their folders."""
        if record["settings"] != self._made:
            raise FileError(
                self.path,
                f"was made with {record['settings']!r}, this run is {self._made!r}",
                "give the same options, or --overwrite to replace it",
            )
        is_text = not self._jsonl
        ref, test = record["ref"], record["test"]
        names = record.get("ref_name"), record.get("test_name")
        if is_text:
            ref, test = plain_path(ref or None), plain_path(test or None)
            names = plain_path(names[0] or None), plain_path(names[1] or None)
        elif not all(path is None or isinstance(path, str) for path in (ref, test, *names)):
            raise records.wrong(line, "has a path that is no text")
        if "ref_name" not in record:
            names = self._names((ref, test))
        status, message = record["status"], record["message"]
        if not isinstance(status, str) or status not in _STATUSES or not isinstance(message, str):
            raise records.wrong(line, f"has the status {status!r}, which no row has")
        values: dict[str, float] = {}
        states: dict[str, int | None] = {}
        what = ""
        try:
            for what in self._metrics:
                if (value := score_of(record[what], is_text=is_text)) is not None:
                    values[what] = value
            if "ref_name" in record:
                for what in _STATE_COLUMNS[2:]:
                    states[what] = whole_of(record[what], is_text=is_text)
        except ValueError as error:
            raise records.wrong(line, f"has, as {what}, {error}") from error
        row = ScoreRow(ref, test, status, message, values, (_state(states, "ref"), _state(states, "test")))  # type: ignore[arg-type]
        if row.status == "ok" and (ref is None or test is None):
            raise records.wrong(line, "is ok and names no pair")
        if row.status == "ok" and len(values) < len(self._metrics):
            lacking = next(name for name in self._metrics if name not in values)
            raise records.wrong(line, f"is ok and has no value of {lacking}")
        return row, names


def _state(states: dict[str, int | None], side: str) -> FileState | None:
    size, time = states.get(f"{side}_bytes"), states.get(f"{side}_mtime_ns")
    return None if size is None or time is None else FileState(size, time)


def _compared(row: ScoreRow, paths: _Paths) -> str:
    """Whether a row's files are those at these paths: ``same``, ``moved``, ``replaced``; or of ``elsewhere``."""
    is_here = (row.ref, row.test) == paths or (_same_path(row.ref, paths[0]) and _same_path(row.test, paths[1]))
    if row.files[0] is None or row.files[1] is None:  # a file of version 0.1.0 does not say
        return "same" if is_here else "elsewhere"
    if row.files == (file_state(paths[0]), file_state(paths[1])):
        return "same" if is_here else "moved"
    return "replaced" if is_here else "elsewhere"


def _same_path(a: str | None, b: str | None) -> bool:
    return a == b or (a is not None and b is not None and os.path.abspath(a) == os.path.abspath(b))


def _within(path: str | None, root: str) -> str | None:
    return path.removeprefix(os.path.join(root, "")) if path is not None and root else path


def check_row_file(path: str) -> bool:
    """Whether the path is of JSON Lines rather than CSV; ``ValueError`` if it is of neither."""
    extension = os.path.splitext(path)[1].lower()
    if extension not in FORMATS:
        raise ArgumentValueError("output", repr(path), f"must end in {' or '.join(FORMATS)}")
    return extension == ".jsonl"
