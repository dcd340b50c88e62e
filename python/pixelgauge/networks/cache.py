"""The folder that models are kept in, and whether what lies there can be trusted: others must not have written it."""

from __future__ import annotations

import contextlib
import os
import shlex
import stat
import sys
from pathlib import Path

from pixelgauge.networks.manifest import ModelError

FOLDER_MODE = 0o755
"""Nobody else may write, whatever the umask: what others may write is not trusted."""


def cache_folder() -> Path:
    """Where converted models lie: ``PIXELGAUGE_CACHE``, else ``pixelgauge`` in the user's cache folder."""
    chosen = os.environ.get("PIXELGAUGE_CACHE")
    if chosen:
        try:
            return Path(chosen).expanduser()
        except RuntimeError as error:
            raise ModelError(f"PIXELGAUGE_CACHE={chosen!r}: {error}") from error
    if sys.platform == "win32":
        base = Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
    elif sys.platform == "darwin":
        base = Path.home() / "Library" / "Caches"
    else:
        base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return base / "pixelgauge"


def make_folder(folder: Path) -> Path:
    """Make a folder and those above it, which nobody else may write."""
    for level in (*reversed(folder.parents), folder):
        with contextlib.suppress(FileExistsError):
            if not level.exists():
                level.mkdir(FOLDER_MODE)
    return folder


def require_own(path: Path) -> None:
    """Raise if a folder or file of the cache belongs to another user, or others may write it.

    The administrator's is trusted, as in an image with the models baked in, and so is a folder with the sticky bit:
    in it nobody replaces what is another's. Windows has neither owners' numbers nor modes.
    """
    if sys.platform == "win32":
        return
    try:
        found = os.stat(path)
    except (FileNotFoundError, NotADirectoryError):
        return
    place = shlex.quote(str(path))
    if found.st_uid not in (0, os.geteuid()):
        raise ModelError(
            f"{path} belongs to another user (number {found.st_uid}), who may change the weights in it, so nothing is "
            f"read from it: chown -R $(id -u) {place}, or set PIXELGAUGE_CACHE to a folder of your own"
        )
    if found.st_mode & 0o022 and not (stat.S_ISDIR(found.st_mode) and found.st_mode & stat.S_ISVTX):
        raise ModelError(
            f"{path} may be written by others (mode {stat.S_IMODE(found.st_mode):o}), who may change the weights in "
            f"it, so nothing is read from it: chmod -R go-w {place}"
        )


def is_no_folder(path: Path) -> bool:
    """Whether something else than a folder is there."""
    return os.path.exists(path) and not os.path.isdir(path)


def require_own_cache(folder: Path) -> None:
    """Raise if any level from the cache down to a model's folder is not trusted, or is no folder."""
    for level in (cache_folder(), folder.parent, folder):
        if is_no_folder(level):
            raise ModelError(f"{level} is no folder, and models are kept in one: set PIXELGAUGE_CACHE to another")
        require_own(level)
