"""Package indexes that pip's and uv's own configuration names, read without either.

The variables and files are those of pip's "Configuration" and uv's "Configuration files" pages; a project's own files
are not read, for they belong to whoever wrote the project.
"""

from __future__ import annotations

import configparser
import os
import re
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pixelgauge.files.reading import FileError, cause, read_regular
from pixelgauge.networks.manifest import ModelError

_SYSTEM = Path("/etc")
_MOST_BYTES = 1 << 20
_VARIABLES = (
    ("PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL"),
    ("UV_DEFAULT_INDEX", "UV_INDEX"),
    ("UV_INDEX_URL", "UV_EXTRA_INDEX_URL"),
)


def configured_indexes() -> list[str]:
    """Addresses of the indexes, in the order to ask: the first that is named, then the extra ones.

    Variables come before files, pip's before uv's, and a user's file before the system's.

    Raises
    ------
    ModelError
        If the configuration forbids indexes, names none, or cannot be read.
    """
    if os.environ.get("PIP_NO_INDEX", "").strip().lower() in ("1", "true", "yes", "on", "y", "t"):
        raise ModelError("PIP_NO_INDEX forbids the package index: unset it")
    mains: list[str] = []
    extras: list[str] = []
    for settings in _settings():
        mains += settings[0]
        extras += settings[1]
    if not mains and not extras:
        raise ModelError(
            "neither pip's nor uv's configuration names a package index: install pip, which has one of its own, or set "
            "PIP_INDEX_URL"
        )
    return list(dict.fromkeys([*mains[:1], *extras]))


def _settings() -> Iterator[tuple[list[str], list[str]]]:
    """Yield the main and extra indexes of each place, the most specific first."""
    for main, extra in _VARIABLES:
        yield _addresses(os.environ.get(main)), _addresses(os.environ.get(extra))
    for path in _pip_files():
        yield _of_pip(path)
    for path in _uv_files():
        yield _of_uv(path)


def _addresses(value: object) -> list[str]:
    """Addresses of a setting, split at blanks; uv's may have a name before: ``name=https://...``."""
    words = value.split() if isinstance(value, str) else value if isinstance(value, list) else []
    return [re.sub(r"^[\w.-]+=(?=\w+://)", "", word) for word in words if isinstance(word, str)]


def _config_homes() -> list[Path]:
    """Folders of configuration, the user's first."""
    if sys.platform == "win32":
        found = [os.environ.get("APPDATA"), os.environ.get("PROGRAMDATA")]
        return [Path(folder) for folder in found if folder]
    home = os.environ.get("XDG_CONFIG_HOME")
    folders = [Path(home) if home else Path.home() / ".config"]
    if sys.platform == "darwin":
        folders = [Path.home() / "Library" / "Application Support", *folders, Path("/Library/Application Support")]
    shared = os.environ.get("XDG_CONFIG_DIRS") or str(_SYSTEM / "xdg")
    return [*folders, *(Path(folder) for folder in shared.split(os.pathsep) if folder)]


# ---- pip ----------------------------------------------------------------------------------------------------------


def _pip_files() -> list[Path]:
    chosen = os.environ.get("PIP_CONFIG_FILE")
    if chosen == os.devnull:
        return []
    name = "pip.ini" if sys.platform == "win32" else "pip.conf"
    legacy = Path.home() / ("pip" if sys.platform == "win32" else ".pip") / name
    homes = [folder / "pip" / name for folder in _config_homes()]
    shared = [] if sys.platform == "win32" else [_SYSTEM / name]
    site = Path(sys.prefix) / name
    if chosen and os.path.exists(chosen):  # which stands for the user's own
        return [Path(chosen), site, *shared, *homes[1:]]
    return [site, homes[0], legacy, *shared, *homes[1:]]


def _of_pip(path: Path) -> tuple[list[str], list[str]]:
    data = _read(path)
    if data is None:
        return [], []
    parser = configparser.RawConfigParser()
    try:
        parser.read_string(data.decode("utf-8"))
    except (configparser.Error, UnicodeDecodeError):
        raise _none_of("pip", path) from None
    found: dict[str, str] = {}
    for section in ("global", "download"):
        if parser.has_section(section):
            found |= {key.replace("_", "-").removeprefix("--"): value for key, value in parser.items(section)}
    return _addresses(found.get("index-url")), _addresses(found.get("extra-index-url"))


# ---- uv -----------------------------------------------------------------------------------------------------------


def _uv_files() -> list[Path]:
    chosen = os.environ.get("UV_CONFIG_FILE")
    if chosen:
        return [Path(chosen)]
    if os.environ.get("UV_NO_CONFIG"):
        return []
    system = [] if sys.platform == "win32" else [_SYSTEM / "uv" / "uv.toml"]
    return [*(folder / "uv" / "uv.toml" for folder in _config_homes()), *system]


def _of_uv(path: Path) -> tuple[list[str], list[str]]:
    data = _read(path)
    if data is None:
        return [], []
    try:
        facts = tomllib.loads(data.decode("utf-8"))
    except (ValueError, RecursionError):
        raise _none_of("uv", path) from None
    indexes = facts.get("index")
    entries = [entry for entry in indexes if isinstance(entry, dict)] if isinstance(indexes, list) else []
    of_pip = facts.get("pip")
    older: list[dict[str, Any]] = [facts, of_pip if isinstance(of_pip, dict) else {}]
    mains = [url for entry in entries if entry.get("default") is True for url in _addresses(entry.get("url"))]
    extras = [url for entry in entries if entry.get("default") is not True for url in _addresses(entry.get("url"))]
    for table in older:
        mains += _addresses(table.get("index-url"))
        extras += _addresses(table.get("extra-index-url"))
    return mains, extras


class _SettingsError(FileError, ModelError):
    """A configuration file that cannot be understood."""


def _none_of(program: str, path: Path) -> _SettingsError:
    """Error that quotes no line of the file, which may hold a password, as the parser's own would."""
    return _SettingsError(str(path), f"is no configuration of {program}", "mend it, or set PIP_INDEX_URL")


def _read(path: Path) -> bytes | None:
    """Bytes of a configuration file, None if there is none or it is another user's secret."""
    try:
        return read_regular(path, _MOST_BYTES, _SettingsError)
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError, PermissionError):
        return None
    except OSError as error:
        raise _SettingsError(str(path), f"cannot be read ({cause(error)})") from error
