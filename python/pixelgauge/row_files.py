"""Rows of scores in a CSV or JSON Lines file: written one by one, readable after any interruption, resumable."""

from __future__ import annotations

import csv
import io
import json
import math
import os
from collections.abc import Iterator, Set
from typing import Any, get_args

from pixelgauge.scoring import Row, Settings, Status

FORMATS = (".csv", ".jsonl")


class RowFile:
    """A file of rows, open for appending.

    Columns (keys, in JSON Lines) are ``ref, test, status, message``, one a metric, and ``settings``, which says how the
    row was made. A missing value is empty (null), an infinite one ``inf`` (``"inf"``). Rows are not buffered.

    Parameters
    ----------
    path : path
        Its extension, .csv or .jsonl, tells the format.
    settings : Settings
        Of this run.
    resume : set of (str or None, str or None), optional
        Go on with the file if it exists, for a run over the pairs with these paths: :attr:`rows` are its rows that are
        ok; a last row that was cut short and rows that are not ok are taken out of the file, to be made again.
    overwrite : bool, default False
        Replace the file if it exists.

    Raises
    ------
    ValueError
        If the extension is another, or the file is not such a file, was made with other settings, or has scores of
        other pairs; it is then left as it is.
    FileExistsError
        If the file exists, and neither `resume` nor `overwrite` is set.
    OSError
        If it cannot be read or written.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        settings: Settings,
        *,
        resume: Set[tuple[str | None, str | None]] | None = None,
        overwrite: bool = False,
    ) -> None:
        self.path = os.fspath(path)
        self.rows: list[Row] = []
        self._metrics, self._made = settings.metrics, str(settings)
        self._columns = ["ref", "test", "status", "message", *settings.metrics, "settings"]
        self._jsonl = check_row_file(self.path)
        exists = os.path.exists(self.path) and os.path.getsize(self.path) > 0
        if exists and resume is None and not overwrite:
            raise FileExistsError(f"{self.path} exists")
        going_on = False
        if exists and resume is not None:
            self._take_up(resume)
            going_on = True
        self._file = open(self.path, "ab" if going_on else "wb", buffering=0)  # noqa: SIM115
        if not going_on and not self._jsonl:
            self._write(_csv_line(self._columns))

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def append(self, row: Row) -> None:
        """Write a row."""
        self._write(self._line(row))

    def _line(self, row: Row) -> str:
        values = [row.values.get(name) for name in self._metrics]
        cells = [row.ref, row.test, row.status, row.message, *values, self._made]
        if self._jsonl:
            return json.dumps(dict(zip(self._columns, map(json_value, cells), strict=True))) + "\n"
        return _csv_line(["" if cell is None else repr(cell) if isinstance(cell, float) else cell for cell in cells])

    def _write(self, line: str) -> None:
        data = line.encode("utf-8", "surrogateescape")
        try:
            while data:  # a full disk takes a part first
                data = data[self._file.write(data) :]
        except OSError as error:
            raise OSError(error.errno, error.strerror, self.path) from error

    def _take_up(self, pairs: Set[tuple[str | None, str | None]]) -> None:
        with open(self.path, encoding="utf-8", errors="surrogateescape", newline="") as file:
            text = file.read()
        rows = list(self._parsed(text))
        self.rows = [row for row in rows if row.status == "ok"]
        for row in self.rows:
            if (row.ref, row.test) not in pairs:
                raise ValueError(f"{self.path} has scores of {row.ref} and {row.test}, which are no pair of this run")
        if text.endswith("\n") and len(rows) == len(self.rows):
            return
        beside = f"{self.path}.resuming"
        with open(beside, "w", encoding="utf-8", errors="surrogateescape", newline="") as file:
            if not self._jsonl:
                file.write(_csv_line(self._columns))
            file.writelines(map(self._line, self.rows))
        os.replace(beside, self.path)

    def _parsed(self, text: str) -> Iterator[Row]:
        foreign = ValueError(f"{self.path} is not a file of pixelgauge compare with metrics {','.join(self._metrics)}")
        try:
            records = _json_records(text) if self._jsonl else _csv_records(text, self._columns)
            for record in records:
                if record["settings"] != self._made:
                    raise ValueError(f"{self.path} was made with {record['settings']!r}, this run is {self._made!r}")
                if list(record) != self._columns or record["status"] not in get_args(Status):
                    raise foreign
                values = {name: float(record[name]) for name in self._metrics if record[name] not in ("", None)}
                yield Row(record["ref"] or None, record["test"] or None, record["status"], record["message"], values)
        except (KeyError, TypeError, json.JSONDecodeError, csv.Error) as error:
            raise foreign from error


def check_row_file(path: str) -> bool:
    """Whether the path is of JSON Lines rather than CSV; ``ValueError`` if it is of neither."""
    extension = os.path.splitext(path)[1].lower()
    if extension not in FORMATS:
        raise ValueError(f"output {path!r} must end in {' or '.join(FORMATS)}")
    return extension == ".jsonl"


def json_value(value: Any) -> Any:
    """Turn infinities, which JSON does not know, into ``"inf"`` and ``"-inf"``."""
    return repr(value) if isinstance(value, float) and math.isinf(value) else value


def _csv_line(cells: list[Any]) -> str:
    line = io.StringIO()
    csv.writer(line, lineterminator="\n").writerow(cells)
    return line.getvalue()


def _csv_records(text: str, columns: list[str]) -> Iterator[dict[str, Any]]:
    lines = list(csv.reader(io.StringIO(text, newline="")))
    if not text.endswith("\n"):
        lines.pop()
    if lines and lines[0] != columns:
        raise KeyError(lines[0])
    for cells in lines[1:]:
        if len(cells) != len(columns):
            raise KeyError(cells)
        yield dict(zip(columns, cells, strict=True))


def _json_records(text: str) -> Iterator[dict[str, Any]]:
    lines = text.splitlines()
    if text and not text.endswith("\n"):
        lines.pop()
    for line in lines:
        yield json.loads(line)
