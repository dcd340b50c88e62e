"""Rows of results: one a pair of images."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

Status = Literal["ok", "missing", "ambiguous", "unreadable", "mismatch", "unscorable"]
"""``missing`` or ``ambiguous`` partner; ``unreadable`` file or subfolder; images that ``mismatch``; a metric that
cannot be computed (``unscorable``: the row has the values of the others)."""


_PART = re.compile(r"(.+)\[[0-9]+\]", re.DOTALL)
"""Name of one image of a file of several."""


class FileState(NamedTuple):
    """What tells a file from the one that replaced it under its name."""

    bytes: int
    mtime_ns: int


def file_state(path: str | None) -> FileState | None:
    """State of a file, or of the one that holds ``a.zip/b.png`` or ``a.npy[3]``; None if there is none."""
    while path:
        try:
            found = os.stat(path)
        except NotADirectoryError:  # a member of an archive
            path = os.path.dirname(path)
        except (OSError, ValueError):  # ValueError: no file has such a name
            if not (part := _PART.fullmatch(path)):
                return None
            path = part[1]
        else:
            return FileState(found.st_size, found.st_mtime_ns)
    return None


@dataclass(frozen=True, slots=True)
class ScoreRow:
    """The result for one pair.

    Parameters
    ----------
    ref, test : str or None
        Paths of the files, None where there is none.
    status : str
        ``"ok"``, or what is wrong: ``"missing"``, ``"ambiguous"``, ``"unreadable"``, ``"mismatch"``, ``"unscorable"``.
    message : str
        What is wrong, in words.
    values : mapping of str to float
        Scores by metric; empty if there are none.
    files : pair of FileState or None
        What the two files were before they were read, where that is known. Does not count when rows are compared.
    samples : int
        Pixels times channels that were scored; 0 where that is not known. Does not count either.
    """

    ref: str | None
    test: str | None
    status: Status
    message: str
    values: Mapping[str, float] = field(default_factory=dict)
    files: tuple[FileState | None, FileState | None] = field(default=(None, None), compare=False)
    samples: int = field(default=0, compare=False)

    def _repr_html_(self) -> str:
        from pixelgauge.engine.row_tables import row_table

        return str(row_table(self))
