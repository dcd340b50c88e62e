"""Ctrl-C stays what it is, wherever it comes."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator


@contextlib.contextmanager
def interrupts_first() -> Iterator[None]:
    """Raise the interrupt that came midway in place of the error that closing or undoing something made of it.

    An archive, for one, refuses to be closed while a member of it is written, and a ``with`` closes it on the way out.
    """
    try:
        yield
    except Exception as error:
        behind: BaseException | None = error
        while behind is not None:
            if isinstance(behind, KeyboardInterrupt):
                raise KeyboardInterrupt from error
            behind = behind.__context__
        raise
