"""Records of a file of rows, CSV or JSON Lines: written so that any file name comes back, read strictly and by line.

A cell of CSV that is text never begins with a character that a spreadsheet takes for a formula.
"""

from __future__ import annotations

import json
import math
import re
import sys
from collections.abc import Iterator, Sequence
from typing import Any, BinaryIO

from pixelgauge.files.reading import FileError, parse_json, printable, shown

_FORMULA = "=+-@\t\r"
"""What a spreadsheet begins to calculate, or to skip, at."""
_TO_QUOTE = re.compile('[",\r\n\0]')
_QUOTED = re.compile(r'"([^"]*(?:""[^"]*)*)"(,|\Z)')
_PLAIN = re.compile(r'([^",]*)(,|\Z)')
_NUMBER = re.compile(r"-?[0-9]{1,400}(?:\.[0-9]{1,400})?(?:[eE][+-]?[0-9]{1,3})?")
_WHOLE = re.compile(r"-?[0-9]{1,20}")
_SURROGATE = re.compile("[\ud800-\udfff]")
_INFINITE = {"inf": math.inf, "-inf": -math.inf}
MOST_RECORD = 1 << 20
"""Bytes of one row: two paths twice, escaped, and a message take a tenth of it."""


def csv_line(cells: Sequence[object]) -> bytes:
    """Line of CSV; a number has all its digits, None is empty."""
    return _encoded(",".join(map(_cell, cells)) + "\n")


def _cell(value: object) -> str:
    if value is None:
        return ""
    if not isinstance(value, str):
        return repr(value)
    if value[:1] in _FORMULA:
        value = f" {value}" if value else value
    if _TO_QUOTE.search(value):
        value = f'"{value.replace(chr(34), chr(34) * 2)}"'
    return value


def csv_path(path: str | None) -> str | None:
    """Path that a spreadsheet takes for text: a relative one may begin with ``./``, and is the same."""
    return f"./{path}" if path and path[0] in _FORMULA else path


def plain_path(path: str | None) -> str | None:
    """Undo :func:`csv_path`."""
    if not path or path[0] != ".":  # nearly every one
        return path
    return path[2:] if path.startswith("./") and path[2:3] and path[2] in _FORMULA else path


def plain_text(text: str) -> str:
    """Take away the blank that stands before what a spreadsheet would calculate."""
    return text[1:] if text[:1] == " " and text[1:2] and text[1] in _FORMULA else text


def json_line(columns: Sequence[str], cells: Sequence[object]) -> bytes:
    """Line of JSON Lines."""
    return _encoded(json.dumps(dict(zip(columns, map(json_value, cells), strict=True))) + "\n")


def json_value(value: Any) -> Any:
    """Turn infinities, which JSON does not know, into ``"inf"`` and ``"-inf"``."""
    return repr(value) if isinstance(value, float) and math.isinf(value) else value


def _encoded(line: str) -> bytes:
    try:
        return line.encode("utf-8", "surrogateescape")  # file names are bytes, whatever they are
    except UnicodeEncodeError:  # other lone surrogates, which a foreign message may hold
        return re.sub("[\ud800-\udc7f\udd00-\udfff]", lambda c: printable(c[0]), line).encode(
            "utf-8", "surrogateescape"
        )


def writable_text(text: str) -> str:
    """Text that is UTF-8: what is none of it is escaped."""
    return text if text.isascii() else _SURROGATE.sub(lambda c: printable(c[0]), text)


class Records:
    """Records of a file, one by one, each with its number, whatever the format.

    Parameters
    ----------
    path : str
        What errors call the file.
    columns : sequence of sequences of str
        What a file may have, by preference.
    foreign : str
        What is said of a file with other columns.
    """

    is_text = False
    """Whether every cell is text; otherwise it is as in JSON: text, a number or None, an infinite one text."""
    unit = "row"
    """What is counted by the numbers."""

    def __init__(self, path: str, columns: Sequence[Sequence[str]], foreign: str) -> None:
        self._path, self._foreign = path, foreign
        self._known = [list(names) for names in columns]
        self.columns: list[str] = self._known[0]
        """Of the record that was read last."""
        self.is_whole = True
        """Whether the file can be appended to as it is, known once all are read: not where it ends within a record."""

    def __iter__(self) -> Iterator[tuple[int, dict[str, Any]]]:
        raise NotImplementedError

    def wrong(
        self, line: int, reason: str, remedy: str = "correct or delete that row, or give --overwrite"
    ) -> FileError:
        """Error about a record."""
        return FileError(self._path, f"{self.unit} {line} {reason}", remedy)

    def foreign(self) -> FileError:
        """Error about a file of something else."""
        return FileError(self._path, self._foreign, "name another file, or give --overwrite to replace it")


class LineRecords(Records):
    """Records of CSV or JSON Lines; of the last, if it was cut short, nothing but that it was.

    Parameters
    ----------
    file : binary file
        Read from its start.
    path : str
    jsonl : bool
        JSON Lines rather than CSV.
    columns : sequence of sequences of str
        A CSV says which it has in its first line, JSON Lines in each.
    last : str
        A cell that every row has once, and that two rows have twice; empty if that is not known.
    foreign : str
    """

    unit = "line"

    def __init__(
        self, file: BinaryIO, path: str, jsonl: bool, columns: Sequence[Sequence[str]], last: str, foreign: str
    ) -> None:
        super().__init__(path, columns, foreign)
        self._file, self._jsonl, self._last = file, jsonl, last
        self.is_text = not jsonl

    def __iter__(self) -> Iterator[tuple[int, dict[str, Any]]]:
        """Read them, from the start."""
        self._file.seek(0)
        yield from self._of_json() if self._jsonl else self._of_csv()

    def _of_json(self) -> Iterator[tuple[int, dict[str, Any]]]:
        for number, line in enumerate(self._lines(), 1):
            if not line.endswith(b"\n"):
                self._require_cut(number, line, [b'{"ref": '])
                return
            record = parse_json(line, self._path, f"{self._foreign}: line {number} is not JSON")
            if not isinstance(record, dict) or list(record) not in self._known:
                raise self.foreign()
            self.columns = list(record)
            yield number, record

    def _of_csv(self) -> Iterator[tuple[int, dict[str, Any]]]:
        end = b"\n"
        for number, record, is_whole in self._csv_records():
            if not is_whole:
                self._require_cut(number, record, [csv_line(names) for names in self._known])
                return
            if number == 1:
                end = b"\r\n" if record.endswith(b"\r\n") else b"\n"  # an editor may have changed them all
            text = record.removesuffix(end).decode("utf-8", "surrogateescape")
            cells = self._cells(text)
            if number == 1:
                if cells not in self._known:
                    raise self.foreign()
                self.columns = cells
                continue
            if cells == self.columns:
                raise self.wrong(number, "is a header again: several runs wrote this file")
            if cells is None or len(cells) != len(self.columns):
                raise self.wrong(number, f"has not the {len(self.columns)} cells of the header")
            yield number, dict(zip(self.columns, cells, strict=True))

    def _lines(self) -> Iterator[bytes]:
        while line := self._file.readline(MOST_RECORD + 1):
            if len(line) > MOST_RECORD:
                raise self.foreign()
            yield line

    def _csv_records(self) -> Iterator[tuple[int, bytes, bool]]:
        """Split into records, with the line each begins on and whether it ends; those within quotes end none."""
        parts: list[bytes] = []
        quotes = size = start = 0
        for number, line in enumerate(self._lines(), 1):
            if not parts:
                start, quotes, size = number, 0, 0
            parts.append(line)
            quotes += line.count(b'"')
            size += len(line)
            if size > MOST_RECORD:
                raise self.wrong(start, "opens a quote that is not closed")
            if quotes % 2 == 0 and line.endswith(b"\n"):
                yield start, b"".join(parts), True
                parts = []
        if parts:
            yield start, b"".join(parts), False

    def _require_cut(self, number: int, record: bytes, starts: list[bytes]) -> None:
        """Raise unless what has no end may be a row that was cut short."""
        if number == 1 and not any(record.startswith(start) or start.startswith(record) for start in starts):
            raise self.foreign()
        if self._last and record.count(self._last.encode("utf-8", "surrogateescape")) > 1:
            raise self.wrong(number, "opens a quote that is not closed")
        self.is_whole = False

    def _cells(self, text: str) -> list[str] | None:
        """Cells of a record, None if it is not well formed or has more than any may have."""
        most = max(map(len, self._known))
        if '"' not in text:
            return text.split(",") if text.count(",") < most else None
        cells: list[str] = []
        position, more = 0, ","
        while more:
            match = (_QUOTED if text.startswith('"', position) else _PLAIN).match(text, position)
            if match is None or len(cells) == most:
                return None
            quoted = text.startswith('"', position)
            cells.append(match[1].replace('""', '"') if quoted else match[1])
            position, more = match.end(), match[2]
        return cells


def score_of(cell: object, *, is_text: bool) -> float | None:
    """Score in a cell, None in an empty one; ``ValueError`` unless it is written as this package writes it."""
    if cell is None or (is_text and cell == ""):
        return None
    if isinstance(cell, str):
        if cell in _INFINITE:
            return _INFINITE[cell]
        number = float(cell) if is_text and _NUMBER.fullmatch(cell) else math.nan
    else:
        is_number = isinstance(cell, int | float) and not isinstance(cell, bool)
        number = float(cell) if is_number and abs(cell) <= sys.float_info.max else math.nan  # type: ignore[arg-type]
    if not math.isfinite(number):
        raise ValueError(f"{shown(cell, 40)!r}, which is no score")
    return number


def whole_of(cell: object, *, is_text: bool) -> int | None:
    """Whole number in a cell, None in an empty one; ``ValueError`` if it is something else."""
    if cell is None or (is_text and cell == ""):
        return None
    if is_text and isinstance(cell, str) and _WHOLE.fullmatch(cell):
        return int(cell)
    if not is_text and isinstance(cell, int) and not isinstance(cell, bool) and abs(cell) < 2**64:
        return cell
    raise ValueError(f"{shown(cell, 40)!r}, which is no whole number")
