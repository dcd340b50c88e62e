"""How large the pages of a Parquet file say they are, told before any is unpacked.

pyarrow makes room for whatever a page's header claims, and aborts on some damaged metadata, so both are looked at here
first: the footer and the headers of pages are structures in Thrift's compact protocol, of which a few fields matter.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import BinaryIO

_MAGIC = b"PAR1"
_MOST_LEVELS = 32
_WINDOW = 1 << 12
_TRUE, _FALSE, _BYTE, _DOUBLE, _BINARY, _LIST, _SET, _MAP, _STRUCT, _UUID = 1, 2, 3, 7, 8, 9, 10, 11, 12, 13
_WHOLE_NUMBERS = (4, 5, 6)


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
    ValueError
        If the metadata of the file, or the headers of the pages, cannot be followed.
    """
    footer = _footer(file, size)
    wanted = {name.encode() for name in columns}
    largest = 0
    for name, start, length in _chunks(footer):
        if name in wanted:
            if start < len(_MAGIC) or length < 0 or start + length > size:
                raise ValueError("a column of it lies outside of the file")
            for unpacked in _pages(file, start, length):
                largest = max(largest, unpacked)
    return largest


def _footer(file: BinaryIO, size: int) -> bytes:
    if size < 12:
        raise ValueError("it is too short")
    file.seek(size - 8)
    end = file.read(8)
    length = int.from_bytes(end[:4], "little")
    if end[4:] != _MAGIC or length > size - 12:
        raise ValueError("it has no end of a Parquet file that can be read")
    file.seek(size - 8 - length)
    return file.read(length)


def _chunks(footer: bytes) -> Iterator[tuple[bytes, int, int]]:
    """Name, start and length of each column of each group of rows."""
    metadata = _Compact(footer)
    for number, kind in metadata.fields():
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


def _chunk(metadata: _Compact) -> tuple[bytes, int, int]:
    name, length, starts = b"", -1, []
    for number, kind in metadata.fields():
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
            elif field == 7 and of in _WHOLE_NUMBERS:
                length = metadata.whole()
            elif field in (9, 11) and of in _WHOLE_NUMBERS:  # the first page of values, and that of a dictionary
                starts.append(metadata.whole())
            else:
                metadata.skip(of)
    return name, min((start for start in starts if start > 0), default=0), length


def _pages(file: BinaryIO, start: int, length: int) -> Iterator[int]:
    """Bytes that each page of a column says it unpacks to."""
    at, end = start, start + length
    while at < end:
        unpacked, packed, header = _page(file, at, end)
        if unpacked < 0 or packed < 0 or at + header + packed > end:
            raise ValueError("a page of it reaches beyond its column")
        yield unpacked
        at += header + packed


def _page(file: BinaryIO, at: int, end: int) -> tuple[int, int, int]:
    """Sizes that a page's header tells, unpacked and packed, and its own."""
    window = _WINDOW
    while True:
        file.seek(at)
        head = _Compact(file.read(min(window, end - at)))
        sizes = {2: -1, 3: -1}
        try:
            for number, kind in head.fields():
                if number in sizes and kind in _WHOLE_NUMBERS:
                    sizes[number] = head.whole()
                else:
                    head.skip(kind)
        except _ShortError:
            if window >= end - at:
                raise
            window *= 16  # it holds long statistics
            continue
        return sizes[2], sizes[3], head.at
