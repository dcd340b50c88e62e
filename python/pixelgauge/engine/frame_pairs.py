"""Pairs of files to pairs of their pages or frames, file by file as they are needed."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace

from pixelgauge.engine.items import EncodedItem, Loaded, Source
from pixelgauge.engine.pairing import Pair, Pairing
from pixelgauge.engine.rows import FileState, file_state
from pixelgauge.files.reading import FileError, cause, read_regular
from pixelgauge.images.decoding import Picture
from pixelgauge.images.frames import Frames

_MOST_BYTES = 1 << 32


class FrameItem:
    """One page or frame."""

    def __init__(self, name: str, frames: Frames, number: int) -> None:
        self.name = name
        self._frames, self._number = frames, number

    def state(self) -> FileState | None:
        """State of the file that holds it."""
        return file_state(self.name)

    def read(self, *, gray: bool, alpha: str, any_samples: bool) -> Picture:
        """Pixels by the rules of files."""
        return self._frames.read(self._number, gray=gray, alpha=alpha, any_samples=any_samples)

    def load(self) -> Loaded:
        """By the size of the page or frame; the file is held for all of them."""
        return Loaded(*self._frames.load(self._number))


def of_frames(pairing: Pairing) -> Pairing:
    """Pair the pages and frames of the files of each pair, by number, in rows ``name[3]``; files of one as before.

    A file that cannot be read stays one pair, whose row says why.
    """
    return replace(pairing, pairs=_Framed(pairing))


class _Framed:
    def __init__(self, pairing: Pairing) -> None:
        self._pairing = pairing

    def __iter__(self) -> Iterator[Pair]:
        for pair in self._pairing.pairs:
            ref, test = self._pairing.sources(pair)
            if pair.status != "ok" or ref is None or test is None:
                yield pair
                continue
            side = "REF"
            try:
                ours = _frames(ref)
                side = "TEST"
                theirs = _frames(test)
            except FileError as error:
                remedy = f": {error.remedy}" if error.remedy else ""
                yield replace(pair, status="unreadable", message=f"{side}: {error.reason}{remedy}")
            except OSError as error:
                yield replace(pair, status="unreadable", message=f"{side}: {cause(error)}")
            else:
                yield from self._pairs(pair, ours, theirs)

    def _pairs(self, pair: Pair, ours: Frames | None, theirs: Frames | None) -> Iterator[Pair]:
        counts = [1 if frames is None else frames.count for frames in (ours, theirs)]
        many = max(counts) > 1
        for number in range(max(counts)):
            names, items = [], []
            for name, path, frames, count, item in zip(
                (pair.ref, pair.test), self._pairing.paths(pair), (ours, theirs), counts, pair.items, strict=True
            ):
                part = f"[{number}]" if count > 1 else ""
                there = number < count
                names.append(f"{name}{part}" if there else None)
                items.append(item if frames is None else FrameItem(f"{path}{part}", frames, number) if there else None)
            if many and None in names:
                side = "TEST" if names[1] is None else "REF"
                yield Pair(names[0], names[1], "missing", f"no partner in {side}: it has {min(counts)} frames or pages")
            else:
                yield Pair(names[0], names[1], items=(items[0], items[1]))


def _frames(source: Source) -> Frames | None:
    """Frames of a file or a member of an archive; None of what is in memory."""
    if isinstance(source, str):
        return Frames(os.fsdecode(source), read_regular(source, _MOST_BYTES))
    return Frames(source.name, source.data()) if isinstance(source, EncodedItem) else None
