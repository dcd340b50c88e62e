"""Pretrained models: manifest, cache, downloads, and conversion of official checkpoints to ONNX without PyTorch.

A converted model is a folder with ``model.onnx`` (a graph of this package, unchanged), its external data and
``origin.json``; any ONNX runtime can load it. Folders appear whole or not at all.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import json
import os
import shutil
import sys
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from http.client import HTTPException, HTTPMessage
from importlib import resources
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from pixelgauge._version import __version__
from pixelgauge.checkpoints import CheckpointError, Tensor, read_checkpoint

GRAPH_FILE, ORIGIN_FILE = "model.onnx", "origin.json"
_CUSTOM = "custom"
"""Folder of the cache for models made of a user's own files."""
_CHUNK = 1 << 16
_MOST_UNKNOWN_BYTES = 1 << 30
"""Cap on a download whose size the manifest does not know."""


class ModelError(RuntimeError):
    """A model that is not there, cannot be fetched or is damaged; the message says what to do."""


class ModelMissingError(ModelError):
    """A model that is not in the cache; the message gives the two commands that supply it."""


# ---- manifest -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Source:
    """One official checkpoint file."""

    role: str
    address: str
    file: str
    bytes: int | None
    sha256: str
    licence: str
    ignored: tuple[str, ...]
    """Prefixes of tensors that the network does not use, such as the classifier."""


@dataclass(frozen=True)
class Row:
    """One initialiser of a graph: where it lies in the data file and what it is made of."""

    name: str
    shape: tuple[int, ...]
    offset: int
    role: str
    tensor: str | None = None
    fold: str | None = None
    """Prefix of a convolution whose BatchNorm is folded into it."""
    value: float | None = None
    """Of a constant, which comes from no file."""

    @property
    def bytes(self) -> int:
        """Bytes in the data file."""
        return 4 * int(np.prod(self.shape))


@dataclass(frozen=True)
class Model:
    """A model of the manifest."""

    name: str
    graph: str
    smallest: int
    """Smallest image height and width that the network takes."""
    sources: tuple[Source, ...]
    rows: tuple[Row, ...]
    batch_norm_eps: float
    data_file: str

    @property
    def data_bytes(self) -> int:
        """Bytes of the whole data file."""
        return self.rows[-1].offset + self.rows[-1].bytes

    def graph_bytes(self) -> bytes:
        """Read the graph, without weights, from the package."""
        return resources.files("pixelgauge").joinpath("models", self.graph).read_bytes()


@functools.cache
def manifest() -> Mapping[str, Model]:
    """Every model, by name."""
    facts = json.loads(resources.files("pixelgauge").joinpath("models", "manifest.json").read_bytes())
    return {
        name: Model(
            name,
            entry["graph"],
            entry["smallest"],
            tuple(Source(**{**source, "ignored": tuple(source["ignored"])}) for source in entry["sources"]),
            tuple(Row(**{**row, "shape": tuple(row["shape"])}) for row in entry["tensors"]),
            entry.get("batch_norm_eps", 0.0),
            facts["data_file"],
        )
        for name, entry in facts["models"].items()
    }


def model_named(name: str) -> Model:
    """Model of the manifest, or a ``ValueError`` that lists the names there are."""
    try:
        return manifest()[name]
    except (KeyError, TypeError):
        raise ValueError(f"model {name!r} is not known: use one of {', '.join(map(repr, manifest()))}") from None


# ---- conversion ---------------------------------------------------------------------------------------------------


def convert(model: Model, checkpoints: Mapping[str, Mapping[str, Tensor]]) -> npt.NDArray[np.uint8]:
    """Lay out the tensors of checkpoints as a model's data file.

    Parameters
    ----------
    model : Model
    checkpoints : mapping of role to state dict
        ``"backbone"``, and ``"heads"`` for LPIPS. Without heads, the heads become ones: the plain sum over channels.

    Returns
    -------
    numpy.ndarray of uint8

    Raises
    ------
    CheckpointError
        If a tensor is missing, unknown, of another shape, not floating point, or holds NaN or infinities.
    """
    data = np.zeros(model.data_bytes, np.uint8)
    used: set[tuple[str, str]] = set()

    def take(role: str, tensor: str, shape: tuple[int, ...]) -> npt.NDArray[np.float64]:
        state = checkpoints[role]
        if tensor not in state:
            raise CheckpointError(f"tensor {tensor!r} is missing: this is not the {role} of {model.name}")
        used.add((role, tensor))
        value = state[tensor]
        if value.shape not in (shape, (*shape, 1, 1)):
            raise CheckpointError(f"tensor {tensor!r} has shape {value.shape}, {model.name} needs {shape}")
        if value.dtype.kind != "f":
            raise CheckpointError(f"tensor {tensor!r} has dtype {value.dtype}, not floating point")
        wide = np.asarray(value, np.float64).reshape(shape)
        if not np.isfinite(wide).all():
            raise CheckpointError(f"tensor {tensor!r} holds NaN or infinities")
        return wide

    for row in model.rows:
        if row.value is not None or row.role not in checkpoints:
            value: npt.NDArray[np.float64] = np.full(row.shape, 1.0 if row.value is None else row.value)
        elif row.fold is not None:
            value = _folded(row, model.batch_norm_eps, take)
            used.add((row.role, f"{row.fold}.bn.num_batches_tracked"))
        else:
            assert row.tensor is not None
            value = take(row.role, row.tensor, row.shape)
        with np.errstate(over="ignore"):  # refused by name below
            narrow = value.astype(np.float32)
        if not np.isfinite(narrow).all():
            raise CheckpointError(f"initialiser {row.name!r} overflows float32")
        data[row.offset : row.offset + row.bytes].view("<f4")[:] = narrow.ravel()
    for role, state in checkpoints.items():
        ignored = tuple(prefix for source in model.sources if source.role == role for prefix in source.ignored)
        extra = [name for name in state if (role, name) not in used and not name.startswith(ignored)]
        if extra:
            raise CheckpointError(f"tensor {extra[0]!r} does not belong to the {role} of {model.name}")
    return data


def _folded(
    row: Row, eps: float, take: Callable[[str, str, tuple[int, ...]], npt.NDArray[np.float64]]
) -> npt.NDArray[np.float64]:
    fold, filters = row.fold, row.shape[:1]
    gamma, variance = take(row.role, f"{fold}.bn.weight", filters), take(row.role, f"{fold}.bn.running_var", filters)
    if (variance < 0).any():
        raise CheckpointError(f"tensor '{fold}.bn.running_var' holds negative variances")
    factor: npt.NDArray[np.float64] = gamma / np.sqrt(variance + eps)
    if len(row.shape) == 4:
        return take(row.role, f"{fold}.conv.weight", row.shape) * factor[:, None, None, None]
    return take(row.role, f"{fold}.bn.bias", filters) - take(row.role, f"{fold}.bn.running_mean", filters) * factor


def read_sources(model: Model, paths: Sequence[Path]) -> dict[str, dict[str, Tensor]]:
    """State dicts of a model's files by role: the backbone first, then the heads."""
    roles = [source.role for source in model.sources]
    if not 1 <= len(paths) <= len(roles):
        raise ValueError(f"{model.name} is made of {len(roles)} file(s) ({', '.join(roles)}), {len(paths)} given")
    return {role: read_checkpoint(path) for role, path in zip(roles, paths, strict=False)}


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


@dataclass(frozen=True)
class Installed:
    """A converted model, in the cache or in memory."""

    model: Model
    folder: Path | None
    data: npt.NDArray[np.uint8]
    """The data file; mapped, not read, when it is in the cache."""
    origin: Mapping[str, Any]

    @property
    def weights_sha256(self) -> str:
        """Hash of the data file: the same weights have the same, whatever file they came in."""
        return str(self.origin["weights_sha256"])

    @property
    def official(self) -> bool:
        """Whether every file it was made of is the manifest's, byte for byte."""
        return bool(self.origin["official"])

    def checked_data(self) -> npt.NDArray[np.uint8]:
        """Read the data file into memory and hash it; what is written to it afterwards does not reach these bytes.

        Raises
        ------
        ModelError
            If they are not those that were hashed when the model was made.
        """
        if self.folder is None:  # converted in this process, and hashed then
            return self.data
        path = self.folder / self.model.data_file
        try:
            data = np.fromfile(path, np.uint8)
        except OSError as error:
            raise ModelError(
                f"model {self.model.name!r}: {path} cannot be read ({error}): {_repair(self.model, self.folder)}"
            ) from error
        digest = _sha256(data)
        if digest != self.weights_sha256:
            raise ModelError(
                f"model {self.model.name!r}: {path} is damaged: its sha256 is {digest[:16]}..., "
                f"{self.weights_sha256[:16]}... when it was made: {_repair(self.model, self.folder)}"
            )
        return data


def _repair(model: Model, folder: Path) -> str:
    """Say what brings a damaged model back: both commands replace what is there."""
    if folder.parent.name == _CUSTOM:
        return f"delete that folder, {folder}: it is made anew from your files"
    files = " ".join(source.file for source in model.sources)
    return (
        f"pixelgauge models pull {model.name}, or from files on this machine pixelgauge models add {model.name} {files}"
    )


def installed(name: str) -> Installed:
    """Model from the cache.

    Raises
    ------
    ModelMissingError
        If it is not there; the message gives the two commands that supply it.
    ModelError
        If its files are damaged.
    """
    model = model_named(name)
    folder = cache_folder() / "models" / name
    if not (folder / ORIGIN_FILE).exists():
        files = " ".join(source.file for source in model.sources)
        raise ModelMissingError(
            f"model {name!r} is not in the cache {cache_folder()}. With a network:\n"
            f"  pixelgauge models pull {name}\n"
            "or, from files already on this machine:\n"
            f"  pixelgauge models add {name} {files}"
        )
    return _open(model, folder)


def _open(model: Model, folder: Path) -> Installed:
    try:
        origin = json.loads((folder / ORIGIN_FILE).read_bytes())
        data = np.memmap(folder / model.data_file, np.uint8, "r")
    except (OSError, ValueError, RecursionError) as error:
        raise ModelError(f"{folder} is damaged ({error}): {_repair(model, folder)}") from error
    kinds = {"weights_sha256": str, "official": bool}
    whole = isinstance(origin, dict) and all(isinstance(origin.get(key), kind) for key, kind in kinds.items())
    if not whole or data.size != model.data_bytes or origin.get("graph_sha256") != _sha256(model.graph_bytes()):
        raise ModelError(f"{folder} was made by another version or is damaged: {_repair(model, folder)}")
    return Installed(model, folder, data, origin)


def from_files(name: str, paths: Sequence[str | Path]) -> Installed:
    """Model made of a user's own files, converted once into the cache under the hash of those files.

    Where the cache cannot be written, the conversion stays in memory, with a ``RuntimeWarning``.
    """
    model = model_named(name)
    for path in paths:
        if not isinstance(path, str | os.PathLike):
            raise TypeError(f"weights={path!r} must be the path of a state dict, or for LPIPS a pair of paths")
    files = [Path(path) for path in paths]
    hashes = [file_sha256(path) for path in files]
    key = _sha256(" ".join([_sha256(model.graph_bytes()), *hashes]).encode())
    folder = cache_folder() / _CUSTOM / f"{name}-{key[:32]}"
    if (folder / ORIGIN_FILE).exists():
        return _open(model, folder)
    data, origin = _converted(model, files, hashes)
    try:
        with _locked(folder.name):
            if not (folder / ORIGIN_FILE).exists():
                _write(model, data, origin, folder)
    except OSError as error:
        warnings.warn(
            f"the cache cannot be written ({error}), so {name} is converted anew in each process: set PIXELGAUGE_CACHE",
            RuntimeWarning,
            stacklevel=3,
        )
        return Installed(model, None, data, origin)
    return _open(model, folder)


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
        wanted = " ".join(source.file for source in model.sources)
        raise ValueError(f"{name} is made of {len(model.sources)} file(s), such as {wanted}; {len(files)} given")
    data, origin = _converted(model, files, [file_sha256(path) for path in files])
    folder = cache_folder() / "models" / name
    with _locked(name):
        _write(model, data, origin, folder)
    return _open(model, folder)


def _converted(
    model: Model, files: Sequence[Path], hashes: Sequence[str]
) -> tuple[npt.NDArray[np.uint8], dict[str, Any]]:
    try:
        data = convert(model, read_sources(model, files))
    except CheckpointError as error:
        if any(str(path) in str(error) for path in files):
            raise
        raise CheckpointError(f"{', '.join(map(str, files))}: {error}") from error
    origin = {
        "model": model.name,
        "graph_sha256": _sha256(model.graph_bytes()),
        "weights_sha256": _sha256(data),
        "official": list(hashes) == [source.sha256 for source in model.sources],
        "sources": [
            {"role": source.role, "file": path.name, "sha256": digest}
            for source, path, digest in zip(model.sources, files, hashes, strict=False)
        ],
        "pixelgauge": __version__,
    }
    return data, origin


def _write(model: Model, data: npt.NDArray[np.uint8], origin: Mapping[str, Any], folder: Path) -> None:
    """Make a folder whole, then move it into place."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    staging = Path(tempfile.mkdtemp(prefix=".staging-", dir=folder.parent))
    try:
        (staging / GRAPH_FILE).write_bytes(model.graph_bytes())
        with (staging / model.data_file).open("wb") as file:
            file.write(data)  # type: ignore[arg-type]
            file.flush()
            os.fsync(file.fileno())
        (staging / ORIGIN_FILE).write_text(json.dumps(origin, indent=1) + "\n")
        _replace(staging, folder)
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def _replace(staging: Path, folder: Path) -> None:
    staging.chmod(0o755)
    if folder.exists():
        old = Path(tempfile.mkdtemp(prefix=".old-", dir=folder.parent))
        os.replace(folder, old / folder.name)
        os.replace(staging, folder)
        shutil.rmtree(old, ignore_errors=True)
    else:
        os.replace(staging, folder)


def remove(name: str) -> bool:
    """Take a model out of the cache; False if it was not there."""
    model = model_named(name)
    folder = cache_folder() / "models" / model.name
    with _locked(name):
        if not folder.exists():
            return False
        old = Path(tempfile.mkdtemp(prefix=".old-", dir=folder.parent))
        os.replace(folder, old / folder.name)
        shutil.rmtree(old)
    return True


def verify(name: str) -> Installed:
    """Hash a model's files anew and compare with what was noted when it was made.

    Raises
    ------
    ModelError
        If a byte differs.
    """
    found = installed(name)
    assert found.folder is not None
    found.checked_data()
    try:
        graph = file_sha256(found.folder / GRAPH_FILE)
    except OSError as error:
        raise ModelError(
            f"model {name!r}: {error}: the folder is damaged: {_repair(found.model, found.folder)}"
        ) from error
    if graph != found.origin["graph_sha256"]:
        raise ModelError(
            f"model {name!r}: {found.folder / GRAPH_FILE} is damaged: its sha256 is {graph[:16]}..., "
            f"{found.origin['graph_sha256'][:16]}... when it was made: {_repair(found.model, found.folder)}"
        )
    return found


def export(name: str, destination: str | Path) -> Path:
    """Copy a model, graph and data, into a new folder for another ONNX runtime.

    Raises
    ------
    FileExistsError
        If the folder exists.
    OSError
        If it cannot be written.
    """
    found = verify(name)
    assert found.folder is not None
    folder = Path(destination)
    if folder.exists():
        raise FileExistsError(f"{folder} exists: name a new folder")
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        staging = Path(tempfile.mkdtemp(prefix=".staging-", dir=folder.parent))
        try:
            shutil.copytree(found.folder, staging, dirs_exist_ok=True)
            _replace(staging, folder)
        finally:
            shutil.rmtree(staging, ignore_errors=True)
    except shutil.Error as error:  # a list of the files that could not be copied
        raise OSError(f"{folder} cannot be written: {error.args[0][0][2]}") from error
    except OSError as error:  # in the name that the caller knows, not the temporary one
        raise OSError(error.errno, error.strerror, str(folder)) from error
    return folder


def _sha256(data: Any) -> str:
    return hashlib.sha256(data).hexdigest()


def file_sha256(path: str | Path) -> str:
    """SHA-256 of a file, as hexadecimal digits."""
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextlib.contextmanager
def _locked(name: str) -> Iterator[None]:
    """Hold a lock that other processes honour too; the system lets go of it when a process dies."""
    folder = cache_folder() / "locks"
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / f"{name}.lock").open("a+b") as file:
        if sys.platform == "win32":
            import msvcrt

            file.seek(0)
            while True:
                with contextlib.suppress(OSError):
                    msvcrt.locking(file.fileno(), msvcrt.LK_LOCK, 1)
                    break
            try:
                yield
            finally:
                file.seek(0)
                msvcrt.locking(file.fileno(), msvcrt.LK_UNLCK, 1)
        else:
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX)
            yield


# ---- download -----------------------------------------------------------------------------------------------------


def offline() -> bool:
    """Whether ``PIXELGAUGE_OFFLINE`` forbids the network."""
    return os.environ.get("PIXELGAUGE_OFFLINE", "").strip().lower() not in ("", "0", "false", "no")


def address_of(source: Source) -> str:
    """Address to fetch a file from: the official one, or the file of that name at ``PIXELGAUGE_MIRROR``."""
    mirror = os.environ.get("PIXELGAUGE_MIRROR")
    if not mirror:
        return source.address
    try:
        sound = urllib.parse.urlsplit(mirror).scheme in ("http", "https")
    except ValueError:  # such as half an IPv6 address
        sound = False
    if not sound:
        raise ModelError(f"PIXELGAUGE_MIRROR={mirror!r} must be an http or https address of a folder")
    return f"{mirror.rstrip('/')}/{source.file}"


def pull(name: str, *, progress: bool = True, timeout: float = 30.0) -> Installed:
    """Download a model's official checkpoints, check them and convert them into the cache.

    Parameters
    ----------
    name : str
    progress : bool, default True
        Show a progress bar when standard error is a terminal.
    timeout : float, default 30
        Seconds without progress after which a connection is given up and resumed.

    Raises
    ------
    ModelError
        If the network is switched off or fails, or the bytes are not the manifest's.
    """
    model = model_named(name)
    folder = cache_folder() / "models" / name
    with _locked(name):
        if (folder / ORIGIN_FILE).exists():
            with contextlib.suppress(ModelError):
                found = verify(name)
                if found.official:  # another process was faster, or it was there already
                    return found
        if offline():
            files = " ".join(source.file for source in model.sources)
            raise ModelError(
                f"PIXELGAUGE_OFFLINE is set, so {name} is not downloaded: unset it, or "
                f"pixelgauge models add {name} {files}"
            )
        paths = []
        for source in model.sources:
            path = cache_folder() / "downloads" / source.file
            address = address_of(source)
            try:
                download(address, path, size=source.bytes, sha256=source.sha256, progress=progress, timeout=timeout)
            except ModelError as error:
                files = " ".join(source.file for source in model.sources)
                raise ModelError(
                    f"{error}. Without that server: set PIXELGAUGE_MIRROR, or pixelgauge models add {name} {files}"
                ) from error
            paths.append(path)
        data, origin = _converted(model, paths, [source.sha256 for source in model.sources])
        _write(model, data, origin, folder)
        for path in paths:
            path.unlink(missing_ok=True)
    return _open(model, folder)


class _Redirects(urllib.request.HTTPRedirectHandler):
    """Follows redirects to http and https only, and never from https to http."""

    def redirect_request(
        self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str, headers: HTTPMessage, newurl: str
    ) -> urllib.request.Request | None:
        before, after = urllib.parse.urlsplit(req.full_url).scheme, urllib.parse.urlsplit(newurl).scheme
        if after not in ("http", "https") or (before, after) == ("https", "http"):
            raise ModelError(f"{req.full_url} redirects to {newurl}: refused")
        return super().redirect_request(req, fp, code, msg, headers, newurl)


class _Interrupted(Exception):
    """A transfer that broke off and may be resumed."""


def download(
    address: str,
    path: Path,
    *,
    size: int | None,
    sha256: str,
    progress: bool = True,
    timeout: float = 30.0,
    attempts: int = 5,
    pause: float = 0.5,
) -> None:
    """Fetch a file of known SHA-256, resuming what an earlier attempt or process left in ``path.part``.

    Parameters
    ----------
    address : str
        http or https.
    path : Path
        Appears only once the file is whole and its hash is right.
    size : int or None
        Bytes; None if unknown.
    sha256 : str
    progress : bool, default True
        Show a progress bar when standard error is a terminal.
    timeout : float, default 30
        Seconds without at least a kilobyte a second after which the connection is given up.
    attempts : int, default 5
        Attempts without any new byte before giving up.
    pause : float, default 0.5
        Seconds before the second attempt, doubled each time.

    Raises
    ------
    ModelError
        With the address and the reason.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(path.name + ".part")
    inherited = part.exists()
    failures = 0
    while True:
        before = part.stat().st_size if part.exists() else 0
        try:
            _transfer(address, part, size, progress, timeout)
            break
        except _Interrupted as error:
            after = part.stat().st_size if part.exists() else 0
            failures = 1 if after > before else failures + 1
            if failures >= attempts:
                raise ModelError(
                    f"{address}: {error}; {after} bytes are kept, and the next pull resumes there"
                ) from error
            time.sleep(min(pause * 2 ** (failures - 1), 30.0))
    found = file_sha256(part)
    if found != sha256:
        part.unlink()
        if inherited:  # what an earlier process left may be to blame: once more, from the start
            return download(
                address,
                path,
                size=size,
                sha256=sha256,
                progress=progress,
                timeout=timeout,
                attempts=attempts,
                pause=pause,
            )
        raise ModelError(f"{address}: sha256 is {found}, the manifest says {sha256}: not the official file, discarded")
    os.replace(part, path)
    return None


def _transfer(address: str, part: Path, size: int | None, progress: bool, timeout: float) -> None:
    offset = part.stat().st_size if part.exists() else 0
    if size is not None and offset > size:
        part.unlink()
        offset = 0
    if size is not None and offset == size:
        return
    headers = {"User-Agent": f"pixelgauge/{__version__}", "Accept-Encoding": "identity"}
    if offset:
        headers["Range"] = f"bytes={offset}-"
    opener = urllib.request.build_opener(_Redirects)
    try:
        with opener.open(urllib.request.Request(address, headers=headers), timeout=timeout) as response:
            if offset and response.status != 206:
                offset = 0
            length = response.headers.get("Content-Length")
            total = offset + int(length) if length is not None else None
            if offset:
                span = response.headers.get("Content-Range", "")
                if not span.startswith(f"bytes {offset}-"):
                    part.unlink()
                    raise _Interrupted(f"asked for bytes from {offset} on, the server sent {span!r}")
            if size is not None and total is not None and total != size:
                raise ModelError(
                    f"{address}: the server offers {total} bytes, the manifest says {size}: not the official file"
                )
            _receive(response, part, offset, total if size is None else size, address, progress, timeout)
    except urllib.error.HTTPError as error:
        error.close()
        if error.code == 416:
            part.unlink(missing_ok=True)
            raise _Interrupted("the server does not have the rest of the file") from error
        if error.code >= 500 or error.code in (408, 429):
            raise _Interrupted(f"HTTP status {error.code} {error.reason}") from error
        raise ModelError(f"{address}: HTTP status {error.code} {error.reason}") from error
    except (TimeoutError, OSError, HTTPException) as error:
        # URLError and ConnectionError are OSErrors; full disks are too, and retrying would not help those.
        if isinstance(error, OSError) and error.filename is not None:
            raise
        reason = error.reason if isinstance(error, urllib.error.URLError) else error
        stalled = isinstance(reason, TimeoutError)
        raise _Interrupted(f"no data for {timeout:g} s" if stalled else f"{type(error).__name__}: {reason}") from error
    except ValueError as error:
        raise ModelError(f"{address}: {error}") from error


def _receive(
    response: Any, part: Path, offset: int, total: int | None, address: str, progress: bool, timeout: float
) -> None:
    from tqdm import tqdm

    limit = total if total is not None else _MOST_UNKNOWN_BYTES
    received = offset
    window_start, window_bytes = time.monotonic(), 0
    bar = tqdm(
        total=total,
        initial=offset,
        unit="B",
        unit_scale=True,
        unit_divisor=1024,
        desc=urllib.parse.urlsplit(address).path.rpartition("/")[2],
        disable=None if progress else True,  # None: off unless standard error is a terminal
    )
    with bar, part.open("ab" if offset else "wb") as file:
        while chunk := response.read1(_CHUNK):
            received += len(chunk)
            if received > limit:
                file.close()
                part.unlink()
                raise ModelError(
                    f"{address}: the server sends more than {limit} bytes: not the official file, discarded"
                )
            file.write(chunk)
            bar.update(len(chunk))
            window_bytes += len(chunk)
            elapsed = time.monotonic() - window_start
            if elapsed > timeout:
                if window_bytes < 1024 * elapsed:
                    raise _Interrupted(f"only {window_bytes} bytes in {elapsed:.0f} s")
                window_start, window_bytes = time.monotonic(), 0
    if total is not None and received < total:
        raise _Interrupted(f"the connection ended after {received} of {total} bytes")
