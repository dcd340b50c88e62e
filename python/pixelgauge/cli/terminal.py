"""What a terminal needs: columns that line up in any script, paths cut to fit, a progress bar where someone looks."""

from __future__ import annotations

import os
import sys
import unicodedata
from types import TracebackType
from typing import TYPE_CHECKING, Any, TextIO

from pixelgauge.files.reading import printable

if TYPE_CHECKING:
    from tqdm import tqdm


def width(text: str) -> int:
    """Columns that the text takes."""
    if text.isascii():
        return len(text)
    return sum(0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text)


def pad(text: str, columns: int) -> str:
    """Fill the text with spaces on the right."""
    return text + " " * (columns - width(text))


def shortened(path: str, columns: int) -> str:
    """Cut a path to its end that fits, after an ellipsis."""
    if width(path) <= columns:
        return path
    kept, room = [], columns - 1
    for c in reversed(path):
        room -= width(c)
        if room < 0:
            break
        kept.append(c)
    return "…" + "".join(reversed(kept))


def columns_of(stream: TextIO) -> int | None:
    """Columns of a terminal, None for a pipe or a file."""
    return (os.get_terminal_size(stream.fileno()).columns or 80) if stream.isatty() else None


class Progress:
    """Bars on stderr with rate and remaining time, if stderr is a terminal; lines printed beside them stay whole.

    Parameters
    ----------
    unit : str
        Name of a step.
    quiet : bool
        Show no bar.
    """

    def __init__(self, unit: str, *, quiet: bool) -> None:
        self._bar: tqdm[Any] | None = None
        self._name: str | None = None
        self._unit = unit
        self._shows = sys.stderr.isatty() and not quiet

    def __enter__(self) -> Progress:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._close()

    def _close(self) -> None:
        if self._bar is not None:
            self._bar.close()
            self._bar = None

    def start(self, total: int | None, done: int = 0, name: str | None = None) -> None:
        """Begin a bar of `total` steps, if that is known, of which those done before say nothing about the rate."""
        self._close()
        self._name = name
        desc = None if name is None else printable(name)
        if self._shows:
            from tqdm import tqdm

            self._bar = tqdm(
                total=total, initial=done, desc=desc, unit=self._unit, file=sys.stderr, leave=False, dynamic_ncols=True
            )

    def step(self) -> None:
        """One more done."""
        if self._bar is not None:
            self._bar.update()

    def reach(self, name: str, done: int, total: int) -> None:
        """Show `done` of `total` steps of the part `name`, on a bar of its own."""
        if self._bar is None or self._name != name or done < self._bar.n:
            self.start(total, name=name)
        if self._bar is not None:
            self._bar.update(done - self._bar.n)

    def print(self, line: str) -> None:
        """Print a line on stdout."""
        if self._bar is not None and sys.stdout.isatty():
            self._bar.write(line, file=sys.stdout)
        else:
            print(line, flush=True)
