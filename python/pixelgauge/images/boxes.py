"""Boxes of the ISO formats (AVIF, JPEG 2000): a length, a name and a body each, nested."""

from __future__ import annotations

import struct
from collections.abc import Iterator


def boxes(data: bytes, start: int = 0, end: int | None = None) -> Iterator[tuple[bytes, int, int]]:
    """Name, and where the body starts and ends, of each box between two places.

    Raises
    ------
    ValueError
        If one reaches beyond.
    """
    end = len(data) if end is None else end
    while start < end:
        if start + 8 > end:
            raise ValueError("the file is truncated")
        (length,) = struct.unpack_from(">I", data, start)
        name, body = data[start + 4 : start + 8], start + 8
        if length == 1:
            if body + 8 > end:
                raise ValueError("the file is truncated")
            (length,) = struct.unpack_from(">Q", data, body)
            body += 8
        after = end if length == 0 else start + length
        if after > end or after < body:
            raise ValueError("the file is truncated")
        yield name, body, after
        start = after


def found(data: bytes, *path: bytes, skipped: int = 0) -> list[tuple[bytes, int, int]]:
    """Boxes within those of a path of names; `skipped` bytes stand before those of the first."""
    places = [(b"", 0, len(data))]
    for depth, name in enumerate(path):
        places = [
            (inner, start + (skipped if depth == 0 else 0), end)
            for _, first, last in places
            for inner, start, end in boxes(data, first, last)
            if inner == name
        ]
    return [box for _, first, last in places for box in boxes(data, first, last)]
