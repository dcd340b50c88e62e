"""Two columns of CSV, TSV and JSON-lines files, read block by block; every fault is named by its row or line.

Rows of CSV are counted from 1 after the header, without empty lines; they end with LF, CRLF or CR. Cells may be quoted
as RFC 4180 says, and be of any length: nothing global is changed, such as the csv module's limit of a field. Memory is
of a block, or of the longest line; a row of too many cells is refused before it is cut into them.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import Any, BinaryIO, Never

import numpy as np

from pixelgauge.files.cells import EXACT, number
from pixelgauge.files.reading import MOST_JSON, FileError, cause, require_levels, shown

Block = tuple[Sequence[Any], Sequence[Any], Sequence[int]]
"""Cells of the labels and of the scores, and the numbers of their rows."""
_Cell = tuple[bytes, bytes, bytes, bytes]
"""A quoted cell with its quotes, or a plain one; what ends it; the rest of the block where it is neither."""

LABEL_AND_SCORE = "see --label, --score"
"""What to do where a column is missing, unless another remedy is given."""
_BLOCK = 1 << 18
"""Bytes: a cell of two takes some two hundred while it is held."""
_MOST_COLUMNS = 1 << 16
_LINE_END = re.compile(rb"\r\n|\n|\r(?!\Z)")  # a carriage return at the end may be half of CRLF
_EMPTY_LINES = re.compile(rb"\n{2,}")
# Possessive, for what backtracking keeps takes seventy bytes a quote.
_CLOSED = re.compile(rb'"[^"]*+(?:""[^"]*+)*+" *+(.)', re.DOTALL)


def _cell_pattern(delimiter: bytes) -> re.Pattern[bytes]:
    """Match a quoted cell and blanks after it, or a plain one, in which quotes are as good as any character."""
    # fmt: off
    return re.compile(
        rb'(?:("[^"]*+(?:""[^"]*+)*+") *+|([^"%b\r\n][^%b\r\n]*+)|)(%b|\r\n|\r|\n)|(".*+)'
        % ((delimiter,) * 3), re.DOTALL,
    )
    # fmt: on


class _Lines:
    """Whole lines of a file, about a block at a time."""

    def __init__(self, file: BinaryIO, path: str) -> None:
        self._file = file
        start = file.read(4)
        if start[:2] in (b"\xff\xfe", b"\xfe\xff"):
            raise FileError(path, "is not a text file in UTF-8, but in UTF-16", "save it as UTF-8")
        self.data = start.removeprefix(b"\xef\xbb\xbf")
        self.at = 0
        self._ended = False

    def _more(self) -> bool:
        """Read at least as much again as is held, so that a line of any length is searched a few times only."""
        if self._ended:
            return False
        read = self._file.read(max(_BLOCK, len(self.data) - self.at))
        self.data, self.at = self.data[self.at :] + read, 0
        if not read or b"\0" in read:  # which no text has: what follows decides nothing, however long it is
            self._ended = True
            if self.data and not self.data.endswith((b"\n", b"\r")):
                self.data += b"\n"
        return True

    def window(self, least: int) -> bytes:
        """Lines from here on, a block of them, or one that is longer; their end is `least` bytes away or farther."""
        while len(self.data) - self.at < least + _BLOCK and self._more():
            pass
        low = self.at + least
        high = min(low + _BLOCK, len(self.data))
        cut = max(self.data.rfind(b"\n", low, high), self.data.rfind(b"\r", low, high - 1)) + 1
        if cut:
            return self.data[self.at : cut]
        searched = least
        while True:
            if found := _LINE_END.search(self.data, self.at + searched):
                return self.data[self.at : found.end()]
            searched = max(least, len(self.data) - self.at - 1)
            if not self._more():
                return self.data[self.at :]

    def closing(self, offset: int) -> tuple[int, bytes] | None:
        """Where the quoted cell ends that begins so far from here, and what follows; None if it is never closed."""
        while True:
            if found := _CLOSED.match(self.data, self.at + offset):
                return found.start(1) - self.at, found[1]
            if not self._more():
                return None


class Delimited:
    """The columns of labels and scores of a CSV or TSV file."""

    def __init__(
        self, file: BinaryIO, path: str, delimiter: str, label: str, score: str, *, remedy: str = LABEL_AND_SCORE
    ) -> None:
        self._lines, self._path, self._remedy = _Lines(file, path), path, remedy
        self._delimiter = delimiter.encode()
        self._cell = _cell_pattern(self._delimiter)
        self._wanted = label, score
        self._columns = 0
        self._places = 0, 0
        self._rows = 0
        self._begun: list[_Cell] = []  # of a row of which there is more to come

    def refuse(self, row: int, what: str, remedy: str = "") -> Never:
        """Raise for a row, or for the header, which is row 0."""
        place = f"row {row}" if row else "header"
        raise FileError(self._path, f"{place}{', ' if what.startswith('column') else ': '}{what}", remedy)

    def blocks(self) -> Iterator[Block]:
        """Cells, as bytes in UTF-8, block by block."""
        least = 0
        while window := self._lines.window(least):
            least = 0
            if self._columns and not self._begun and b'"' not in window:
                self._require_text(window)
                self._lines.at += len(window)
                yield from self._plain(window)
                continue
            cells = self._begun + self._cells(window)
            left = len(cells.pop()[3]) if cells and cells[-1][3] else 0
            taken = window[: len(window) - left]
            self._require_text(taken)
            ends = [at for at, cell in enumerate(cells) if cell[2] != self._delimiter]
            if ends and not self._columns:
                self._read_header(cells[: ends[0] + 1])
                cells = cells[ends[0] + 1 :]
                ends = [at - ends[0] - 1 for at in ends[1:]]
            last = ends[-1] + 1 if ends else 0
            self._begun = cells[last:]
            yield from self._quoted(cells[:last], ends)
            if self._begun:
                self._require_columns(len(self._begun) + 1)
            if left:
                least = self._closing(len(taken))
            self._lines.at += len(taken)
        if not self._columns:
            raise FileError(self._path, "has no header", "its first line must name the columns")

    def _cells(self, window: bytes) -> list[_Cell]:
        """Cells of whole lines; the last may be the rest, from a quote on that is not closed, or not soundly."""
        if len(window) <= 2 * _BLOCK:
            found: list[_Cell] = self._cell.findall(window)
        else:  # one by one, for a line of a million cells is not to be held
            found = []
            begun = len(self._begun)
            for match in self._cell.finditer(window):
                cell: _Cell = match.groups(b"")  # type: ignore[assignment]
                found.append(cell)
                begun = begun + 1 if cell[2] == self._delimiter else 0
                if begun:
                    self._require_columns(begun + 1, found)
        blank = b" " if self._delimiter == b"\t" else b" \t"
        if b' "' in window or b'\t"' in window:
            for at, (_, plain, _, _) in enumerate(found):
                if plain[:1] in (b" ", b"\t") and plain.lstrip(blank)[:1] == b'"':
                    row = self._row_after(found[:at])
                    self.refuse(
                        row, f"{shown(repr(plain.decode(errors='replace')))} has a blank before its quote", "remove it"
                    )
        return found

    def _row_after(self, cells: Sequence[_Cell]) -> int:
        """Count the row that follows these cells, some of which may have begun earlier."""
        count = 0
        begins = not self._begun
        for quoted, plain, end, _ in cells:
            ended = end != self._delimiter
            count += ended and not (begins and not quoted and not plain)
            begins = ended
        return self._rows + (1 if self._columns else 0) + count

    def _require_columns(self, count: int, cells: Sequence[_Cell] = ()) -> None:
        """Raise where a row that follows these cells has more than there are columns."""
        if count <= (self._columns or _MOST_COLUMNS):
            return
        if not self._columns:
            raise FileError(self._path, f"has a header of more than {_MOST_COLUMNS} columns")
        self._refuse_length(self._row_after(cells), f"more than {self._columns}")

    def _refuse_length(self, row: int, count: object) -> Never:
        self.refuse(row, f"{count} cells, but the header has {self._columns} columns", "give each row as many")

    def _require_text(self, data: bytes) -> None:
        """Raise unless it is text in UTF-8 without a NUL."""
        found: UnicodeDecodeError | None = None
        if b"\0" in data:
            at, what = data.index(b"\0"), "a NUL byte"
        elif data.isascii():
            return
        else:
            try:
                data.decode()
                return
            except UnicodeDecodeError as error:
                found = error
                at, what = error.start, f"the byte 0x{data[error.start]:02x} ({error.reason})"
        row = self._row_after(self._cell.findall(data[:at] + self._delimiter))
        place = f"row {row}" if row else "its header"
        raise FileError(self._path, f"is not a text file in UTF-8: {place} holds {what}", "save it as UTF-8") from found

    def _closing(self, offset: int) -> int:
        """Where the quoted cell ends that begins so far from here; raise if it has no end, or text after it."""
        row = self._rows + 1 if self._columns else 0
        found = self._lines.closing(offset)
        if found is None:
            self.refuse(row, "a quote opens and is never closed", "close or remove it")
        end, following = found
        if following not in (self._delimiter, b"\n", b"\r"):
            remedy = "quote the whole cell, and double the quotes in it"
            self.refuse(row, f"{_shown(following)} follows a closing quote", remedy)
        return end

    def _read_header(self, cells: list[_Cell]) -> None:
        names = [_content(cell).decode().strip() for cell in cells]
        if len(names) > _MOST_COLUMNS:
            raise FileError(self._path, f"has a header of more than {_MOST_COLUMNS} columns")
        if names == [""]:
            raise FileError(self._path, "has no header", "its first line must name the columns")
        label, score = (name.strip() for name in self._wanted)
        require_columns(self._path, "", names, label, score, self._remedy)
        self._columns = len(names)
        self._places = names.index(label), names.index(score)

    def _plain(self, window: bytes) -> Iterator[Block]:
        """Rows without a quote, cut where the bytes say."""
        if b"\r" in window:
            window = window.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        if b"\n\n" in window or window.startswith(b"\n"):
            window = _EMPTY_LINES.sub(b"\n", window).removeprefix(b"\n")
        count = window.count(b"\n")
        if not count:
            return
        regular = window.count(self._delimiter) == count * (self._columns - 1)
        if regular:
            data = np.frombuffer(window, np.uint8)
            ends = np.flatnonzero((data == ord(self._delimiter)) | (data == ord("\n"))).reshape(count, self._columns)
            regular = bool((data[ends[:, -1]] == ord("\n")).all())
        if not regular:
            for row, line in enumerate(window.split(b"\n"), self._rows + 1):
                cells = line.count(self._delimiter) + 1
                if cells != self._columns:
                    self._refuse_length(row, cells)
        starts = np.concatenate([[0], ends.ravel()[:-1] + 1]).reshape(ends.shape)
        labels, scores = (
            [window[a:b] for a, b in zip(starts[:, at].tolist(), ends[:, at].tolist(), strict=True)]
            for at in self._places
        )
        first = self._rows + 1
        self._rows += count
        yield labels, scores, range(first, first + count)

    def _quoted(self, cells: list[_Cell], ends: list[int]) -> Iterator[Block]:
        """Whole rows, given as their cells and where each row ends."""
        if not cells:
            return
        if ends != list(range(self._columns - 1, len(cells), self._columns)):
            rows = [cells[a + 1 : b + 1] for a, b in zip([-1, *ends[:-1]], ends, strict=True)]
            rows = [row for row in rows if len(row) > 1 or row[0][0] or row[0][1]]
            for number_of, row in enumerate(rows, self._rows + 1):
                if len(row) != self._columns:
                    self._refuse_length(number_of, len(row))
            cells = [cell for row in rows for cell in row]
        count = len(cells) // self._columns
        if count:
            labels, scores = (list(map(_content, cells[at :: self._columns])) for at in self._places)
            first = self._rows + 1
            self._rows += count
            yield labels, scores, range(first, first + count)


def _shown(data: bytes) -> str:
    return shown(repr(data.decode(errors="replace")))


def _content(cell: _Cell) -> bytes:
    return cell[0][1:-1].replace(b'""', b'"') if cell[0] else cell[1]


class JsonLines:
    """The fields of labels and scores of a file of JSON objects, one a line; empty lines count as lines only."""

    def __init__(self, file: BinaryIO, path: str, label: str, score: str, *, remedy: str = LABEL_AND_SCORE) -> None:
        self._lines, self._path, self._remedy = _Lines(file, path), path, remedy
        self._label, self._score = label, score
        self._before = 0
        self._decode = json.JSONDecoder(object_pairs_hook=_object).raw_decode
        self._decode_exactly = json.JSONDecoder(object_pairs_hook=_object, parse_float=_exact_float).raw_decode

    def refuse(self, row: int, what: str, remedy: str = "") -> Never:
        """Raise for a line."""
        raise FileError(self._path, f"line {row}{', ' if what.startswith('column') else ': '}{what}", remedy)

    def blocks(self) -> Iterator[Block]:
        """Values of JSON, block by block."""
        while window := self._lines.window(0):
            self._lines.at += len(window)
            labels, scores, numbers = [], [], []
            window = window.replace(b"\r\n", b"\n").replace(b"\r", b"\n").removesuffix(b"\n")
            for line_number, line in enumerate(self._text(window).split("\n"), self._before + 1):
                line = line.strip(" \t")
                if line:
                    label, score = self._values(line, line_number)
                    labels.append(label)
                    scores.append(score)
                    numbers.append(line_number)
            self._before += window.count(b"\n") + 1
            if numbers:
                yield labels, scores, numbers

    def _text(self, window: bytes) -> str:
        try:
            return window.decode()
        except UnicodeDecodeError as error:
            row = self._before + 1 + window.count(b"\n", 0, error.start)
            what = f"line {row} holds the byte 0x{window[error.start]:02x} ({error.reason})"
            raise FileError(self._path, f"is not a text file in UTF-8: {what}", "save it as UTF-8") from error

    def _values(self, line: str, row: int) -> tuple[Any, Any]:
        values = self._object(line, row, self._decode)
        try:
            label, score = values[self._label], values[self._score]
        except KeyError:
            require_columns(self._path, f"line {row} ", list(values), self._label, self._score, self._remedy)
            raise
        if any(type(value) is float and not -EXACT < value < EXACT for value in (label, score)):
            values = self._object(line, row, self._decode_exactly)
        return values[self._label], values[self._score]

    def _object(self, line: str, row: int, decode: Callable[[str], tuple[Any, int]]) -> dict[str, Any]:
        if len(line) > MOST_JSON:
            self.refuse(row, f"it has {len(line)} characters, and at most {MOST_JSON} are read")
        try:
            require_levels(line)
            values, end = decode(line)
        except Exception as error:  # ValueError of all kinds
            raise FileError(self._path, f"line {row}: not JSON: {cause(error)}") from error
        if end != len(line):
            self.refuse(row, f"not JSON: {shown(repr(line[end:]))} follows the value")
        if not isinstance(values, dict):
            self.refuse(row, "not a JSON object", "give an object a line")
        return values


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        counts = Counter(name for name, _ in pairs)
        twice = next(name for name, count in counts.items() if count > 1)
        raise ValueError(f"has {counts[twice]} columns {shown(twice)!r}")
    return found


def _exact_float(text: str) -> object:
    """Integer where float64 would round it; the text itself, which is no number, where it is beyond any float."""
    found = number(text)
    return text if found is None else found


def require_columns(
    path: str, place: str, names: list[str], label: str, score: str, remedy: str = LABEL_AND_SCORE
) -> None:
    """Raise unless both columns are there, once each."""
    for name in (label, score):
        if name not in names:
            has = ", ".join(map(repr, names[:100]))
            raise FileError(path, f"{place}has no column {shown(name)!r}: it has {has}", remedy)
        if (count := names.count(name)) > 1:
            raise FileError(path, f"{place}has {count} columns {shown(name)!r}", "rename or remove all but one")
