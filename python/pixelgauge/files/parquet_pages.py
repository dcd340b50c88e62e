"""How large the pages of a Parquet file say they are, told before any is unpacked.

pyarrow makes room for whatever a page's header claims, and aborts on some damaged metadata, so both are looked at here
first: the footer and the headers of pages are structures in Thrift's compact protocol, of which a few fields matter.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import BinaryIO, NamedTuple

_MAGIC = b"PAR1"
_MOST_LEVELS = 32
_WINDOW = 1 << 12
_UNCOUNTED = 100
"""Bytes of a column that old writers forgot to count, those of a dictionary's header."""
_LEAST_CHUNK = 12
"""Bytes that a column takes of the metadata at least."""
_TRUE, _FALSE, _BYTE, _DOUBLE, _BINARY, _LIST, _SET, _MAP, _STRUCT, _UUID = 1, 2, 3, 7, 8, 9, 10, 11, 12, 13
_WHOLE_NUMBERS = (4, 5, 6)


class EncryptedError(ValueError):
    """What is to be read is encrypted."""


class _ShortError(ValueError):
    """The data end within a structure."""


class _Compact:
    """A structure in the compact protocol, read field by field."""

    def __init__(self, data: bytes, at: int = 0) -> None:
        self._data = data
        self.at = at

    def _take(self, count: int) -> bytes:
        part = self._data[self.at : self.at + count]
        if len(part) < count:
            raise _ShortError("it ends within its metadata")
        self.at += count
        return part

    def _varint(self) -> int:
        value = shift = 0
        while True:
            (byte,) = self._take(1)
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                return value
            shift += 7
            if shift > 63:
                raise ValueError("its metadata hold a number of more than 64 bits")

    def whole(self) -> int:
        """Read a whole number."""
        value = self._varint()
        return value >> 1 ^ -(value & 1)

    def text(self) -> bytes:
        """Read a string."""
        return self._take(self._varint())

    def elements(self, kind: int) -> Iterator[int]:
        """Go through a list: kinds of its elements, each to be read, or skipped, before the next."""
        if kind != _LIST:
            raise ValueError("its metadata are damaged")
        (head,) = self._take(1)
        count = head >> 4 if head >> 4 != 15 else self._varint()
        for _ in range(count):
            yield head & 15

    def fields(self) -> Iterator[tuple[int, int]]:
        """Go through a structure: numbers and kinds of its fields, each to be read, or skipped, before the next."""
        number = 0
        while True:
            (head,) = self._take(1)
            if head == 0:
                return
            number = number + (head >> 4) if head >> 4 else self.whole()
            yield number, head & 15

    def skip(self, kind: int, level: int = 0, *, in_list: bool = False) -> None:
        """Pass over a value."""
        if level > _MOST_LEVELS:
            raise ValueError(f"its metadata are nested more than {_MOST_LEVELS} deep")
        if kind in (_TRUE, _FALSE):
            self._take(int(in_list))
        elif kind in (_BYTE, _DOUBLE, _UUID):
            self._take({_BYTE: 1, _DOUBLE: 8, _UUID: 16}[kind])
        elif kind in _WHOLE_NUMBERS:
            self._varint()
        elif kind == _BINARY:
            self.text()
        elif kind in (_LIST, _SET):
            for element in self.elements(_LIST):
                self.skip(element, level + 1, in_list=True)
        elif kind == _MAP:
            count = self._varint()
            kinds = self._take(1)[0] if count else 0
            for _ in range(count):
                self.skip(kinds >> 4, level + 1, in_list=True)
                self.skip(kinds & 15, level + 1, in_list=True)
        elif kind == _STRUCT:
            for _, of in self.fields():
                self.skip(of, level + 1)
        else:
            raise ValueError("its metadata are damaged")


def largest_page(file: BinaryIO, size: int, columns: Collection[str]) -> int:
    """Bytes that the largest page of some columns says it unpacks to.

    Parameters
    ----------
    file : binary file
        Of `size` bytes; where it stands afterwards is not said.
    size : int
    columns : collection of str
        Columns that will be read.

    Raises
    ------
    EncryptedError
        If the file, or a column of it, is encrypted.
    ValueError
        If the metadata of the file, or the headers of the pages, cannot be followed.
    """
    footer = _footer(file, size)
    wanted = {name.encode() for name in columns}
    largest = walked = 0
    for chunk in _chunks(footer):
        if chunk.name not in wanted:
            continue
        if chunk.start < len(_MAGIC) or chunk.length < 0 or chunk.start + chunk.length > size:
            raise ValueError("a column of it lies outside of the file")
        walked += chunk.length + _UNCOUNTED
        if walked > size + _UNCOUNTED * (1 + len(footer) // _LEAST_CHUNK):
            raise ValueError("columns of it share their bytes")
        for unpacked in _pages(file, chunk, size):
            largest = max(largest, unpacked)
    return largest


def _footer(file: BinaryIO, size: int) -> bytes:
    if size < 12:
        raise ValueError("it is too short")
    file.seek(size - 8)
    end = file.read(8)
    length = int.from_bytes(end[:4], "little")
    if end[4:] == b"PARE":
        raise EncryptedError
    if end[4:] != _MAGIC or length > size - 12:
        raise ValueError("it has no end of a Parquet file that can be read")
    file.seek(size - 8 - length)
    return file.read(length)


class _Chunk(NamedTuple):
    """A column of a group of rows."""

    name: bytes
    start: int
    length: int
    values: int


def _chunks(footer: bytes) -> Iterator[_Chunk]:
    """Go through the columns of the groups of rows."""
    metadata = _Compact(footer)
    for number, kind in metadata.fields():
        if number == 8:  # how it is encrypted
            raise EncryptedError
        if number != 4:  # the groups of rows
            metadata.skip(kind)
            continue
        for _ in metadata.elements(kind):
            for field, of in metadata.fields():
                if field != 1:  # the columns
                    metadata.skip(of)
                    continue
                for _ in metadata.elements(of):
                    yield _chunk(metadata)


def _chunk(metadata: _Compact) -> _Chunk:
    name, length, values, starts = b"", -1, 0, []
    for number, kind in metadata.fields():
        if number == 8:  # how it is encrypted
            raise EncryptedError
        if number != 3:  # what is known of the column
            metadata.skip(kind)
            continue
        for field, of in metadata.fields():
            if field == 3 and of == _LIST:  # its name, and those of what it holds
                names = metadata.elements(of)
                for level, element in enumerate(names):
                    if level == 0 and element == _BINARY:
                        name = metadata.text()
                    else:
                        metadata.skip(element, in_list=True)
            elif field == 5 and of in _WHOLE_NUMBERS:
                values = metadata.whole()
            elif field == 7 and of in _WHOLE_NUMBERS:
                length = metadata.whole()
            elif field in (9, 11) and of in _WHOLE_NUMBERS:  # the first page of values, and that of a dictionary
                starts.append(metadata.whole())
            else:
                metadata.skip(of)
    return _Chunk(name, min((start for start in starts if start > 0), default=0), length, values)


def _pages(file: BinaryIO, chunk: _Chunk, size: int) -> Iterator[int]:
    """Bytes that each page of a column says it unpacks to, up to that with the last value, where pyarrow stops."""
    at, end, seen = chunk.start, min(chunk.start + chunk.length + _UNCOUNTED, size), 0
    while seen < chunk.values:
        if at >= end:
            raise ValueError("a column of it ends before its values do")
        page = _page(file, at, end)
        at += page.header + page.packed
        if page.unpacked < 0 or page.packed < 0 or at > end or page.values < 0:
            raise ValueError("a page of it reaches beyond its column")
        yield page.unpacked
        seen += page.values


class _Page(NamedTuple):
    """What the header of a page tells, and its own size."""

    unpacked: int
    packed: int
    values: int
    header: int


def _page(file: BinaryIO, at: int, end: int) -> _Page:
    window = _WINDOW
    while True:
        file.seek(at)
        head = _Compact(file.read(min(window, end - at)))
        sizes, values = {2: -1, 3: -1}, 0
        try:
            for number, kind in head.fields():
                if number in sizes and kind in _WHOLE_NUMBERS:
                    sizes[number] = head.whole()
                elif number in (5, 8) and kind == _STRUCT:  # of a page of values, by either version
                    for field, of in head.fields():
                        if field == 1 and of in _WHOLE_NUMBERS:
                            values = head.whole()
                        else:
                            head.skip(of)
                else:
                    head.skip(kind)
        except _ShortError:
            if window >= end - at:
                raise
            window *= 16  # it holds long statistics
            continue
        return _Page(sizes[2], sizes[3], values, head.at)
