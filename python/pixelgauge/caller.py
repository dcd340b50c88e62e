"""Warnings that point at the line outside of the package that asked."""

from __future__ import annotations

import os
import sys
import warnings
from types import FrameType

_PACKAGE = os.path.dirname(os.path.abspath(__file__)) + os.sep


def warn(message: str, category: type[Warning] = UserWarning) -> None:
    """Warn as if the line that called into the package had, however deep in it this is called."""
    level, frame = 1, sys._getframe()
    found: FrameType | None = frame
    while found is not None and os.path.abspath(found.f_code.co_filename).startswith(_PACKAGE):
        level, found = level + 1, found.f_back
    warnings.warn(message, category, stacklevel=level)
