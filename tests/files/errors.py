"""An error of a reader's own, for what passes a class of error on."""

from __future__ import annotations

from pixelgauge.files.reading import FileError


class OtherError(FileError):
    """A subclass, as readers have."""
