"""Pretrained models on this machine: a cache of official checkpoints converted to ONNX without PyTorch.

A converted model is a folder with ``model.onnx`` (a graph of this package, unchanged), its external data and
``origin.json``; any ONNX runtime can load it. Folders appear whole or not at all, and one that others could have
written is not trusted.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
import shlex
import stat
import sys
import weakref
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from pixelgauge import caller
from pixelgauge._version import __version__
from pixelgauge.checks import ArgumentTypeError
from pixelgauge.files.lock import locked
from pixelgauge.files.reading import FileError, cause, open_regular, parse_json, printable, read_regular
from pixelgauge.files.writing import moved_aside, new_folder, recover_folder, remove_folder
from pixelgauge.networks.checkpoint import Checkpoint, CheckpointError, read_hashed
from pixelgauge.networks.convert import convert, roles_of
from pixelgauge.networks.download import address_of, download, file_sha256, offline
from pixelgauge.networks.manifest import (
    Model,
    ModelDamagedError,
    ModelError,
    ModelMissingError,
    model_named,
)

GRAPH_FILE, ORIGIN_FILE = "model.onnx", "origin.json"
_MODELS, _CUSTOM = "models", "custom"
"""Folders of the cache: of the manifest's models, and of models made of a user's own files."""
_FOLDER_MODE, _FILE_MODE = 0o755, 0o644
"""Nobody else may write, whatever the umask: what others may write is not trusted."""
_MOST_ORIGIN = 1 << 16


# ---- cache --------------------------------------------------------------------------------------------------------


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


def _made(folder: Path) -> Path:
    """Make a folder and those above it, which nobody else may write."""
    for level in (*reversed(folder.parents), folder):
        with contextlib.suppress(FileExistsError):
            if not level.exists():
                level.mkdir(_FOLDER_MODE)
    return folder


def _require_own(path: Path) -> None:
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


def _is_no_folder(path: Path) -> bool:
    return os.path.exists(path) and not os.path.isdir(path)


def _require_own_cache(folder: Path) -> None:
    """Raise if any level from the cache down to a model's folder is not trusted, or is no folder."""
    for level in (cache_folder(), folder.parent, folder):
        if _is_no_folder(level):
            raise ModelError(f"{level} is no folder, and models are kept in one: set PIXELGAUGE_CACHE to another")
        _require_own(level)


@contextlib.contextmanager
def _alone(folder: Path) -> Any:
    """Hold the lock of a model's folder, which other processes honour too; undo what a killed one left half done."""
    cache = cache_folder()
    _require_own_cache(folder)
    _made(cache / "locks")
    _require_own(cache / "locks")
    with locked(cache / "locks" / f"{folder.name}.lock"):
        recover_folder(folder)
        yield


@dataclass(frozen=True)
class Installed:
    """A converted model, in the cache or in memory."""

    model: Model
    folder: Path | None
    data: npt.NDArray[np.uint8]
    """The data file; mapped, not read, when it is in the cache."""
    origin: Mapping[str, Any]
    _checked: list[weakref.ref[npt.NDArray[np.uint8]]] = field(default_factory=list, compare=False, repr=False)
    """What was read and hashed, while some session has it."""

    @property
    def weights_sha256(self) -> str:
        """Hash of the data file: the same weights have the same, whatever file they came in."""
        return str(self.origin["weights_sha256"])

    @property
    def official(self) -> bool:
        """Whether these are the official weights: the data file's hash is the manifest's.

        Where the manifest has none, whether the files that it was made of had the manifest's hashes.
        """
        if self.model.weights_sha256 is not None:
            return self.weights_sha256 == self.model.weights_sha256
        sources = self.origin.get("sources")
        found = [source.get("sha256") for source in sources] if isinstance(sources, list) else []
        return found == [source.sha256 for source in self.model.sources]

    def checked_data(self) -> npt.NDArray[np.uint8]:
        """Read the data file into memory and hash it; what is written to it afterwards does not reach these bytes.

        Raises
        ------
        ModelDamagedError
            If they are not those that were hashed when the model was made.
        """
        if self.folder is None:  # converted in this process, and hashed then
            return self.data
        held = self._checked[0]() if self._checked else None
        if held is not None:  # by another session of the same network: one copy, hashed once
            return held
        path = self.folder / self.model.data_file
        try:
            with open_regular(path) as file:
                data = np.fromfile(file, np.uint8)
        except (OSError, FileError) as error:
            raise _damaged(self.model, self.folder, f"cannot be read ({cause(error)})", path.name) from error
        self._require_hash(self.folder, path.name, _sha256(data), self.weights_sha256)
        self._checked[:] = [weakref.ref(data)]
        return data

    def checked_graph(self) -> bytes:
        """Graph, which must be the one that this package has.

        Raises
        ------
        ModelDamagedError
            If it is not.
        """
        graph = self.model.graph_bytes()
        if self.folder is not None:
            path = self.folder / GRAPH_FILE
            try:
                found = read_regular(path)
            except (OSError, FileError) as error:
                raise _damaged(self.model, self.folder, f"is damaged ({cause(error)})", GRAPH_FILE) from error
            self._require_hash(self.folder, GRAPH_FILE, _sha256(found), _sha256(graph))
        return graph

    def _require_hash(self, folder: Path, file: str, found: str, recorded: str) -> None:
        if found != recorded:
            reason = f"is damaged: its sha256 is {found[:16]}..., {recorded[:16]}... when it was made"
            raise _damaged(self.model, folder, reason, file)


def _damaged(model: Model, folder: Path, reason: str, file: str = "") -> ModelDamagedError:
    """Error that says what brings a damaged model back: both commands replace what is there."""
    if folder.parent.name == _CUSTOM:
        remedy = f"delete that folder, {folder}: it is made anew from your files"
    else:
        remedy = (
            f"pixelgauge models pull {model.name}, or from files on this machine "
            f"pixelgauge models add {model.name} {model.files}"
        )
    return ModelDamagedError(str(folder / file), reason, remedy)


def installed(name: str) -> Installed:
    """Model from the cache.

    Raises
    ------
    ModelMissingError
        If it is not there; the message gives the two commands that supply it.
    ModelDamagedError
        If its files are damaged.
    ModelError
        If others could have written them.
    """
    model = model_named(name)
    folder = cache_folder() / _MODELS / name
    if moved_aside(folder) is not None:
        with _alone(folder):  # which brings it back
            pass
    if not (folder / ORIGIN_FILE).exists():
        place = printable(str(cache_folder()))
        if any(map(_is_no_folder, (cache_folder(), folder.parent, folder))):
            raise ModelMissingError(
                f"model {name!r} is not in the cache {place}, which is no folder: set PIXELGAUGE_CACHE to one"
            )
        raise ModelMissingError(
            f"model {name!r} is not in the cache {place}. With a network:\n"
            f"  pixelgauge models pull {name}\n"
            "or, from files already on this machine:\n"
            f"  pixelgauge models add {name} {model.files}"
        )
    return _open(model, folder)


def _open(model: Model, folder: Path) -> Installed:
    _require_own_cache(folder)
    path = folder / ORIGIN_FILE
    for file in (path, folder / model.data_file, folder / GRAPH_FILE):
        _require_own(file)
    try:
        origin = parse_json(read_regular(path, _MOST_ORIGIN), str(path))
        path = folder / model.data_file
        with open_regular(path) as opened:
            data = np.memmap(opened, np.uint8, "r")
    except (OSError, ValueError) as error:  # NumPy's of an empty file, too
        raise _damaged(model, folder, f"is damaged ({cause(error)})") from error
    whole = isinstance(origin, dict) and isinstance(origin.get("weights_sha256"), str)
    if not whole or data.size != model.data_bytes or origin.get("graph_sha256") != _sha256(model.graph_bytes()):
        raise _damaged(model, folder, "was made by another version or is damaged")
    sources = origin.get("sources", [])
    if not isinstance(sources, list) or not all(isinstance(source, dict) for source in sources):
        raise _damaged(model, folder, f"is damaged ({ORIGIN_FILE} has no list of sources)")
    return Installed(model, folder, data, origin)


def from_files(name: str, paths: Sequence[str | Path]) -> Installed:
    """Model made of a user's own files, converted once into the cache under the hash of those files.

    Where the cache cannot be written, the conversion stays in memory, with a ``RuntimeWarning``.
    """
    model = model_named(name)
    for path in paths:
        if not isinstance(path, str | os.PathLike):
            problem = "must be the path of a state dict, or for LPIPS a pair of paths"
            raise ArgumentTypeError("weights", repr(path), problem)
    files = roles_of(model, [Path(path) for path in paths])
    # Files that were converted before are hashed in pieces, and nothing else of them is used.
    folder = _custom_folder(model, [file_sha256(path, CheckpointError) for path in files.values()])
    if (folder / ORIGIN_FILE).exists():
        return _open(model, folder)
    data, origin = _converted(model, files)
    # Of the bytes that were converted, which are read once: between the two the files may have changed.
    folder = _custom_folder(model, [source["sha256"] for source in origin["sources"]])
    try:
        with _alone(folder):
            if not (folder / ORIGIN_FILE).exists():
                _write(model, data, origin, folder)
    except OSError as error:
        caller.warn(
            f"the cache cannot be written ({error}), so {name} is converted anew in each process: set PIXELGAUGE_CACHE",
            RuntimeWarning,
        )
        return Installed(model, None, data, origin)
    return _open(model, folder)


def _custom_folder(model: Model, hashes: Sequence[str]) -> Path:
    key = _sha256(" ".join([_sha256(model.graph_bytes()), *hashes]).encode())
    return cache_folder() / _CUSTOM / f"{model.name}-{key[:32]}"


def add(name: str, paths: Sequence[str | Path]) -> Installed:
    """Convert checkpoint files that are already on this machine and keep them as the model of that name.

    Parameters
    ----------
    name : str
    paths : sequence of paths
        The backbone's checkpoint and, for LPIPS, the heads' file.
    """
    model = model_named(name)
    files = [Path(path) for path in paths]
    if len(files) != len(model.sources):
        raise ValueError(f"{name} is made of {len(model.sources)} file(s), such as {model.files}; {len(files)} given")
    folder = cache_folder() / _MODELS / name
    _require_own_cache(folder)
    data, origin = _converted(model, roles_of(model, files))
    with _alone(folder):
        _write(model, data, origin, folder)
    return _open(model, folder)


def _converted(model: Model, files: Mapping[str, Path]) -> tuple[npt.NDArray[np.uint8], dict[str, Any]]:
    """Convert checkpoints, each read once, to a data file and the record of what was read."""
    read: dict[str, Checkpoint] = {role: read_hashed(path) for role, path in files.items()}
    data = convert(
        model,
        {role: checkpoint.tensors for role, checkpoint in read.items()},
        {role: checkpoint.path for role, checkpoint in read.items()},
    )
    origin = {
        "model": model.name,
        "graph_sha256": _sha256(model.graph_bytes()),
        "weights_sha256": _sha256(data),
        "sources": [
            {"role": role, "file": files[role].name, "sha256": checkpoint.sha256} for role, checkpoint in read.items()
        ],
        "pixelgauge": __version__,
    }
    return data, origin


def _write(model: Model, data: npt.NDArray[np.uint8], origin: Mapping[str, Any], folder: Path) -> None:
    """Make a folder whole, then move it into place."""
    _made(folder.parent)
    with new_folder(folder, mode=_FOLDER_MODE) as staging:
        _fill(staging, model, data, origin)
        for file in staging.iterdir():
            file.chmod(stat.S_IMODE(file.stat().st_mode) & _FILE_MODE)


def _fill(folder: Path, model: Model, data: npt.NDArray[np.uint8], origin: Mapping[str, Any]) -> None:
    """Write the three files that a model is."""
    with (folder / GRAPH_FILE).open("xb") as file:
        file.write(model.graph_bytes())
    with (folder / model.data_file).open("xb") as file:
        file.write(data)  # type: ignore[arg-type]
    with (folder / ORIGIN_FILE).open("x", encoding="utf-8") as text:
        text.write(json.dumps(origin, indent=1) + "\n")


def remove(name: str) -> bool:
    """Take a model out of the cache; False if it was not there."""
    model = model_named(name)
    folder = cache_folder() / _MODELS / model.name
    if not os.path.lexists(folder) and moved_aside(folder) is None:
        return False
    with _alone(folder):
        if not folder.exists():
            return False
        remove_folder(folder)
    return True


def verify(name: str) -> Installed:
    """Hash a model's files anew and compare with what was noted when it was made.

    Raises
    ------
    ModelDamagedError
        If a byte differs.
    """
    found = installed(name)
    found.checked_data()
    found.checked_graph()
    return found


def export(name: str, destination: str | Path) -> Path:
    """Write a model, graph and data, into a new folder for another ONNX runtime.

    Only the bytes that were checked are written, nothing else that lies in the model's folder.

    Raises
    ------
    FileExistsError
        If the folder exists.
    OSError
        If it cannot be written.
    """
    found = installed(name)
    folder = Path(destination)
    if os.path.lexists(folder):
        raise FileExistsError(errno.EEXIST, "exists: name a new folder", str(folder))
    data = found.checked_data()
    found.checked_graph()
    with new_folder(folder, overwrite=False) as staging:
        _fill(staging, found.model, data, found.origin)
    return folder


def _sha256(data: Any) -> str:
    return hashlib.sha256(data).hexdigest()


# ---- downloads ----------------------------------------------------------------------------------------------------


def pull(name: str, *, progress: bool = True, timeout: float = 30.0, most_seconds: float | None = None) -> Installed:
    """Download a model's official checkpoints, check them and convert them into the cache.

    Parameters
    ----------
    name : str
    progress : bool, default True
        Show a progress bar when standard error is a terminal.
    timeout : float, default 30
        Seconds without progress after which a connection is given up and resumed.
    most_seconds : float, optional
        Seconds that each file may take in all; see :func:`pixelgauge.networks.download.download` for the default.

    Raises
    ------
    ModelError
        If the network is switched off or fails, or the bytes are not the manifest's.
    """
    model = model_named(name)
    cache = cache_folder()
    folder = cache / _MODELS / name
    with _alone(folder):
        if (folder / ORIGIN_FILE).exists():
            with contextlib.suppress(ModelDamagedError):
                found = verify(name)
                if found.official:  # another process was faster, or it was there already
                    return found
        if offline():
            raise ModelError(
                f"PIXELGAUGE_OFFLINE is set, so {name} is not downloaded: unset it, or "
                f"pixelgauge models add {name} {model.files}"
            )
        files = {}
        for source in model.sources:
            path = _made(cache / "downloads") / source.file
            _require_own(path.parent)
            try:
                download(
                    address_of(source),
                    path,
                    size=source.bytes,
                    sha256=source.sha256,
                    progress=progress,
                    timeout=timeout,
                    most_seconds=most_seconds,
                )
            except ModelError as error:
                raise ModelError(
                    f"{error}. Without that server: set PIXELGAUGE_MIRROR, or "
                    f"pixelgauge models add {name} {model.files}"
                ) from error
            files[source.role] = path
        data, origin = _converted(model, files)
        made = Installed(model, None, data, origin)
        if not made.official:
            raise ModelError(
                f"the official files of {name} became weights of sha256 {made.weights_sha256}, which the manifest does "
                "not know: they changed on this disk, or the conversion is at fault"
            )
        _write(model, data, origin, folder)
        for path in files.values():
            path.unlink(missing_ok=True)
    return _open(model, folder)
