"""SHA-256 of files of any size."""

from __future__ import annotations

import hashlib
import os

from pixelgauge.files.reading import FileError, open_regular


def file_sha256(path: str | os.PathLike[str], kind: type[FileError] = FileError) -> str:
    """SHA-256 of a regular file, as hexadecimal digits."""
    digest = hashlib.sha256()
    with open_regular(path, kind) as file:
        while chunk := file.read(1 << 20):
            digest.update(chunk)
    return digest.hexdigest()
