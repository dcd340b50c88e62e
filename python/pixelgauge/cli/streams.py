"""What a command prints, on either stream: control characters are escaped, and a reader that left is no error.

The work goes on when nobody reads any more, so that the exit code and the files are those of all of it.
"""

from __future__ import annotations

import contextlib
import io
import os
import re
import sys
from collections.abc import Iterator
from typing import Any, TextIO, cast

from pixelgauge.files.reading import printable

_OTHERS = re.compile(r"[^\n\r\t -~]+")
"""All but plain text and what moves within lines and between them, of which a progress bar needs no more."""


class _Stream:
    """A text stream that does not fail when its reader leaves."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def write(self, text: str) -> int:
        """Write text, its control characters escaped but for line ends and tabs."""
        with self._unread():
            self._stream.write(_OTHERS.sub(lambda others: printable(others[0]), text))
        return len(text)

    def flush(self) -> None:
        """Hand on what is written."""
        with self._unread():
            self._stream.flush()

    @contextlib.contextmanager
    def _unread(self) -> Iterator[None]:
        try:
            yield
        except BrokenPipeError:
            drop(self._stream)


def drop(stream: TextIO) -> None:
    """Let what the stream does not take go, then and later: Python would try it once more at exit."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, stream.fileno())
    os.close(nowhere)
    stream.flush()


@contextlib.contextmanager
def guarded() -> Iterator[None]:
    """Put such streams in the place of stdout and stderr; what is written to a closed one goes nowhere."""
    before = sys.stdout, sys.stderr
    if isinstance(sys.stdout, io.TextIOWrapper):  # file names may hold what the terminal's encoding does not
        sys.stdout.reconfigure(errors="backslashreplace")
    with contextlib.ExitStack() as stack:
        # Also so that no file which is opened later takes the number of a closed stream, and what is written to that.
        streams = [stack.enter_context(open(os.devnull, "w")) if stream is None else stream for stream in before]
        sys.stdout, sys.stderr = (cast(TextIO, _Stream(stream)) for stream in streams)
        try:
            yield
        finally:
            sys.stdout, sys.stderr = before
