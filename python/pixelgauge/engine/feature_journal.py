"""Features of a run that is not at its end: appended batch by batch by one run, whole after any kill, gone on with."""

from __future__ import annotations

import json
import os
import zlib
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from pixelgauge.distribution.feature_files import About, checked_about
from pixelgauge.engine.rows import FileState
from pixelgauge.files.lock import open_for_one, write_all
from pixelgauge.files.reading import MOST_JSON, FileError, parse_json

Float32Array = npt.NDArray[np.float32]

SUFFIX = ".partial"
"""Of the file beside an output that holds what is done of it."""
_MARK = b"pixelgauge features, not yet all of them, 1: "
_MOST_ROWS = 64
"""Of a block: the names of so many, of 4096 characters each, are within what is read of a line."""


class _Block(NamedTuple):
    """Rows that were appended together, and where their features lie."""

    names: list[str]
    states: list[FileState | None]
    offset: int
    checksum: int


class Journal:
    """Rows of an output that are done, in the file ``OUTPUT.partial``, which no other run can write meanwhile.

    A line says how they are made. Blocks follow: a line with names, sizes and times of the images' files and a
    checksum, then the features. What a kill or a crash of the machine has cut off or damaged is not there.

    Parameters
    ----------
    path : str
        The output.
    about : About
        How this run makes features.
    resume : bool
        Go on with rows that are there.
    overwrite : bool
        Begin anew if rows are there, and replace the output at the end.

    Raises
    ------
    FileError
        A ValueError: if what is there is no such file, or was made in another way; it is left as it is.
    FileExistsError
        If rows are there, and neither `resume` nor `overwrite` is set.
    BlockingIOError
        If another run is writing it.
    OSError
        If it cannot be written, or is a link.
    """

    def __init__(self, path: str, about: About, *, resume: bool, overwrite: bool) -> None:
        self.path = path + SUFFIX
        self.about = about
        self.overwrites = overwrite
        self._blocks: list[_Block] = []
        self._first = 0  # where blocks begin
        self._file, is_new = open_for_one(self.path, follow=False)
        try:
            self._begin(is_new, resume, overwrite)
        except BaseException:
            self._file.close()
            if is_new:
                os.remove(self.path)
            raise

    def __enter__(self) -> Journal:
        return self

    def __exit__(self, *error: object) -> None:
        self._file.close()

    def __len__(self) -> int:
        return sum(len(block.names) for block in self._blocks)

    def _begin(self, is_new: bool, resume: bool, overwrite: bool) -> None:
        head = self._head()
        found = self._file.read(len(_MARK)) if not is_new else b""
        if not _MARK.startswith(found):
            raise FileError(
                self.path, "is in the way, and no unfinished file of features", "delete it, or name another"
            )
        if len(found) == len(_MARK) and not overwrite:
            if not resume:
                raise FileExistsError(f"{self.path} exists, of a run that did not come to its end")
            if self._take_up():
                return
        os.ftruncate(self._file.fileno(), 0)
        write_all(self._file, head, self.path)
        self._first = len(head)

    def _head(self) -> bytes:
        return _MARK + json.dumps({**self.about.parts(), "overwrite": self.overwrites}).encode() + b"\n"

    def _take_up(self) -> bool:
        """Read what is there, and cut off what is not whole; False if not even the first line is."""
        line = self._file.readline(MOST_JSON)
        if not line.endswith(b"\n"):
            return False
        facts = parse_json(line, self.path, "has a damaged first line")
        try:
            made = checked_about(facts.get("outputs"), facts.get("fingerprint"))
        except (ValueError, AttributeError) as error:
            raise FileError(self.path, f"has a damaged first line: {error}", "delete it") from error
        if made != self.about:
            raise FileError(
                self.path,
                f"was made {_differing(made, self.about)}",
                "give the same options, or --overwrite to begin anew",
            )
        self.overwrites = facts.get("overwrite") is True
        self._first = end = self._file.tell()
        while (block := self._block()) is not None:
            self._blocks.append(block)
            end = self._file.tell()
        os.ftruncate(self._file.fileno(), end)
        return True

    def _block(self) -> _Block | None:
        """Read the next block, None where there is none that is whole."""
        line = self._file.readline(MOST_JSON)
        try:
            facts = parse_json(line, self.path)
            names, checksum = list(map(str, facts["names"])), int(facts["crc32"])
            states = [None if state is None else FileState(*map(int, state)) for state in facts["files"]]
        except (ValueError, TypeError, KeyError):
            return None
        offset, size = self._file.tell(), 4 * self.about.dim * len(names)
        if not names or len(states) != len(names) or len(names) > _MOST_ROWS:
            return None
        data = self._file.read(size)
        return _Block(names, states, offset, checksum) if (len(data), zlib.crc32(data)) == (size, checksum) else None

    def keep(self, names: Sequence[str], states: Sequence[FileState | None], batch_size: int = 1) -> int:
        """Keep rows as far as they are of these images, which were not replaced since; how many those are.

        Parameters
        ----------
        names, states : sequence
            Of the images of this output.
        batch_size : int, default 1
            Of the network: of rows that are not all, whole batches are kept, so that the others are batches as before.

        Raises
        ------
        FileError
            If there are rows of other images: nothing is taken away then.
        """
        at = 0
        for number, block in enumerate(self._blocks):
            here = slice(at, at + len(block.names))
            if list(names[here]) != block.names:
                i = next((i for i, name in enumerate(block.names) if [name] != list(names[at + i : at + i + 1])), 0)
                instead = f"{names[at + i]!r}" if at + i < len(names) else "none"
                raise FileError(
                    self.path,
                    f"has row {at + i + 1} of {block.names[i]!r}, and this run has {instead} there",
                    "give the images that it was made of, or --overwrite to begin anew",
                )
            if list(states[here]) != block.states:
                self._require_some(states)
                self._cut(number)
                break
            at += len(block.names)
        while 0 < len(self) < len(names) and len(self) % batch_size:
            self._cut(len(self._blocks) - 1)
        return len(self)

    def _require_some(self, states: Sequence[FileState | None]) -> None:
        """Raise if no row is of a file of this run: all of them were not replaced, but are elsewhere."""
        here = (state for block in self._blocks for state in block.states)
        if not any(mine == theirs for mine, theirs in zip(here, states, strict=False)):
            raise FileError(
                self.path,
                "has rows of other images of the same names, or all were replaced since",
                "give the images that it was made of, or --overwrite to begin anew",
            )

    def _cut(self, blocks: int) -> None:
        """Take away the blocks from that one on."""
        del self._blocks[blocks:]
        end = self._first
        if self._blocks:
            last = self._blocks[-1]
            end = last.offset + 4 * self.about.dim * len(last.names)
        os.ftruncate(self._file.fileno(), end)

    def append(self, names: Sequence[str], states: Sequence[FileState | None], features: Float32Array) -> None:
        """Write rows."""
        for start in range(0, len(features), _MOST_ROWS):
            rows = slice(start, start + _MOST_ROWS)
            data = np.ascontiguousarray(features[rows], "<f4").tobytes()
            block = _Block(list(names[rows]), list(states[rows]), 0, zlib.crc32(data))
            line = json.dumps({"names": block.names, "files": block.states, "crc32": block.checksum}).encode() + b"\n"
            write_all(self._file, line, self.path)
            offset = os.lseek(self._file.fileno(), 0, os.SEEK_END)
            write_all(self._file, data, self.path)
            self._blocks.append(block._replace(offset=offset))

    def blocks(self) -> Iterator[Float32Array]:
        """Features of all rows, some at a time."""
        with os.fdopen(os.dup(self._file.fileno()), "rb") as file:  # nothing of it is buffered yet
            for block in self._blocks:
                file.seek(block.offset)
                data = file.read(4 * self.about.dim * len(block.names))
                if zlib.crc32(data) != block.checksum:
                    raise FileError(self.path, "was changed while it was written", "delete it, and run again")
                yield np.frombuffer(data, "<f4").reshape(-1, self.about.dim)

    def remove(self) -> None:
        """Delete the file: its rows are in the output."""
        os.remove(self.path)


def _differing(mine: About, theirs: About) -> str:
    """Say in what two ways of making features differ first."""
    if mine.outputs != theirs.outputs:
        return f"with outputs {','.join(mine.outputs)}, and this run has {','.join(theirs.outputs)}"
    for fact in sorted(mine.fingerprint.keys() | theirs.fingerprint.keys()):
        a, b = mine.fingerprint.get(fact), theirs.fingerprint.get(fact)
        if a != b:
            return f"with {fact} {a!r}, and this run has {b!r}"
    return "in another way"
