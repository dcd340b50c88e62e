"""A folder as a set of images: all of it, or an error."""

from __future__ import annotations

import os

from pixelgauge.images.decoding import FILE_EXTENSIONS, image_files, path_name


def list_images(folder: str | os.PathLike[str]) -> list[str]:
    """Image files of a folder and its subfolders, sorted by path; see :func:`pixelgauge.images.image_files`.

    Raises
    ------
    ValueError
        If there is none.
    OSError
        If a folder cannot be listed: what is left would be another set.
    """
    top = path_name(folder, "folder")
    found = [os.path.join(top, name) for name in image_files(top)[0]]
    if not found:
        raise ValueError(f"{top} holds no images ({', '.join(FILE_EXTENSIONS)})")
    return found


def names_within(paths: list[str], folder: str) -> list[str]:
    """Names of files of a folder within it, with ``/`` on every system."""
    return [os.path.relpath(path, folder).replace(os.sep, "/") for path in paths]
