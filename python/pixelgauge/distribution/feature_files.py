"""Files of features: an .npz with the images' names and how the features were made, a folder of such, or Parquet.

Features are written as they come and mapped when they are read, so neither takes their memory.
"""

from __future__ import annotations

import io
import json
import mmap
import os
import zipfile
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, BinaryIO, NamedTuple

import numpy as np
import numpy.typing as npt

from pixelgauge.checks import ArgumentValueError
from pixelgauge.distribution.samples import as_features
from pixelgauge.files.archive import Archive, read_array
from pixelgauge.files.npy import map_npy
from pixelgauge.files.reading import FileError, open_regular, parse_json, read_regular, shown
from pixelgauge.files.tables import import_parquet

Float32Array = npt.NDArray[np.float32]

FORMAT = "pixelgauge-features-1"
MANIFEST = "pixelgauge-features.json"
"""What a folder of features is known by, and says of its parts."""
KINDS = (".npz", ".npy", ".parquet")

_ALIGNMENT = 64
_MEMBERS = frozenset({"format", "features", "outputs", "fingerprint"})
_MORE_MEMBERS = frozenset({"names", "part"})


@dataclass(frozen=True)
class About:
    """What features are of: the outputs that stand side by side, by name and width, and what made them."""

    outputs: dict[str, int]
    fingerprint: dict[str, Any]

    @property
    def dim(self) -> int:
        """Values a sample, of all outputs."""
        return sum(self.outputs.values())

    def parts(self) -> dict[str, Any]:
        """As files say it."""
        return {"outputs": self.outputs, "fingerprint": self.fingerprint}


class Part(NamedTuple):
    """Rows `start` to `stop` of `total`."""

    start: int
    stop: int
    total: int


class Stored(NamedTuple):
    """What a file holds: the rows, in one piece or several."""

    pieces: list[npt.NDArray[Any]]
    names: list[str] | None
    about: About


def kind_of(path: str) -> str:
    """Extension of a file of features, or an ``ArgumentValueError`` that lists those there are."""
    kind = os.path.splitext(path)[1].lower()
    if kind not in KINDS:
        raise ArgumentValueError("output", repr(path), f"must end in {', '.join(KINDS[:-1])} or {KINDS[-1]}")
    return kind


def checked_about(outputs: object, fingerprint: object) -> About:
    """Facts of features, or a ``ValueError`` that says what is wrong with them."""
    if not isinstance(outputs, Mapping) or not outputs:
        raise ValueError(f"its outputs are {shown(repr(outputs))}: widths by name are wanted")
    for name, width in outputs.items():
        if not isinstance(name, str) or isinstance(width, bool) or not isinstance(width, int) or width < 1:
            raise ValueError(f"its output {shown(repr(name))} has the width {shown(repr(width))}")
    return About(dict(outputs), plain_facts(fingerprint))


def plain_facts(fingerprint: object) -> dict[str, Any]:
    """Facts of a fingerprint as JSON gives them back, so that they compare with those of files; or a ``ValueError``."""
    if not isinstance(fingerprint, Mapping):
        raise ValueError(f"its fingerprint is {shown(repr(fingerprint))}: facts by name are wanted")
    facts: dict[str, Any] = {}
    for name, fact in fingerprint.items():
        try:
            facts[name] = json.loads(json.dumps(fact, allow_nan=False))
        except (TypeError, ValueError, RecursionError):
            name = None
        if not isinstance(name, str):
            raise ValueError(f"its fingerprint says {shown(repr(fact))}, which is no plain fact of a name")
    return facts


# ---- writing ------------------------------------------------------------------------------------------------------

Blocks = Iterable[Float32Array]


def writer_of(path: str) -> Callable[[BinaryIO, Blocks, int, About, list[str] | None], None]:
    """Find what writes a file of that extension, once it is known that it can."""
    kind = kind_of(path)
    if kind == ".parquet":
        from pixelgauge.distribution.feature_tables import write_parquet

        import_parquet()
        return write_parquet
    return write_npz if kind == ".npz" else _write_npy


def require_names(path: str, names: Iterable[str]) -> None:
    """Raise a ``FileError`` if a file of that extension cannot hold some name."""
    if kind_of(path) != ".parquet":
        return
    for name in names:
        try:
            name.encode()
        except UnicodeEncodeError:
            raise FileError(path, f"cannot hold the name {name!r}, which is no UTF-8", "write an .npz file") from None


def write_npz(
    file: BinaryIO, blocks: Blocks, count: int, about: About, names: list[str] | None, part: Part | None = None
) -> None:
    """Write an .npz archive that holds no dates; its features begin at a multiple of 64 bytes, to be mapped."""
    head = _npy_header(count, about.dim)
    size = len(head) + 4 * count * about.dim
    with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
        member = zipfile.ZipInfo("features.npy")
        member.file_size = size
        large = size * 1.05 > zipfile.ZIP64_LIMIT
        start = 30 + len(member.filename) + 4 + 20 * large
        room = -start % _ALIGNMENT
        member.extra = b"PG" + room.to_bytes(2, "little") + bytes(room)
        with archive.open(member, "w", force_zip64=large) as features:
            features.write(head)
            _write_rows(features, blocks, count)
        texts = {"format": FORMAT, **{name: json.dumps(fact) for name, fact in about.parts().items()}}
        others: dict[str, Any] = {name: np.array(text) for name, text in texts.items()}
        if names is not None:
            others["names"] = np.array(names, dtype=np.str_)
        if part is not None:
            others["part"] = np.array(part, np.int64)
        for name, value in others.items():
            member = zipfile.ZipInfo(f"{name}.npy")
            with archive.open(member, "w", force_zip64=value.nbytes > zipfile.ZIP64_LIMIT // 2) as stream:
                np.lib.format.write_array(stream, value, allow_pickle=False)


def _write_npy(file: BinaryIO, blocks: Blocks, count: int, about: About, names: list[str] | None) -> None:
    file.write(_npy_header(count, about.dim))
    _write_rows(file, blocks, count)


def _npy_header(count: int, dim: int) -> bytes:
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": "<f4", "fortran_order": False, "shape": (count, dim)})
    return header.getvalue()


def _write_rows(file: Any, blocks: Blocks, count: int) -> None:
    written = 0
    for block in blocks:
        file.write(np.ascontiguousarray(block, "<f4").data)
        written += len(block)
    if written != count:
        raise RuntimeError(f"{written} rows were to be written, and there are {count}")


# ---- reading ------------------------------------------------------------------------------------------------------


def is_features_folder(path: str | os.PathLike[str]) -> bool:
    """Whether a folder says that it holds features."""
    return os.path.lexists(os.path.join(path, MANIFEST))


def read_features(path: str) -> Stored:
    """Features of a file or a folder of them, mapped where they lie as they are used.

    Raises
    ------
    FileError
        If it is damaged, of another kind, or a part of a set.
    OSError
        If it cannot be opened.
    """
    if os.path.isdir(path):
        return _read_folder(path)
    with open_regular(path) as file:
        start = file.read(6)
    if start.startswith(b"PAR1"):
        from pixelgauge.distribution.feature_tables import read_parquet

        return read_parquet(path)
    if start == b"\x93NUMPY":
        _, array = map_npy(path, exactly=True)
        features = checked_features(np.asarray(array), path)
        return Stored([features], None, About({"features": features.shape[1]}, {}))
    stored, part = read_npz(path)
    if part is not None and (part.start, part.stop) != (0, part.total):
        said = f"holds rows {part.start} to {part.stop} of {part.total}"
        raise FileError(path, said, "name the folder that holds all parts")
    return stored


def read_npz(path: str) -> tuple[Stored, Part | None]:
    """Features of an .npz file and, of a part of a set, which; see :func:`read_features`."""
    with open_regular(path) as file:
        archive = Archive(file, path)
        held = {name.removesuffix(".npy") for name in archive.names}
        if "format" not in held or "features" not in held:
            raise FileError(path, f"holds {', '.join(sorted(held)) or 'nothing'}, and is no file of features")
        whole = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        arrays = {name: read_array(archive, f"{name}.npy", whole=whole) for name in held & (_MEMBERS | _MORE_MEMBERS)}
    form = _text(arrays["format"], "format", path)
    if form != FORMAT:
        raise FileError(path, f"is of format '{shown(form, 80)}', and this version reads {FORMAT!r}")
    if not held >= _MEMBERS or not held <= _MEMBERS | _MORE_MEMBERS:
        raise FileError(path, f"holds {', '.join(sorted(held))}", f"{', '.join(sorted(_MEMBERS))} are wanted")
    about = about_from({name: _text(arrays[name], name, path) for name in ("outputs", "fingerprint")}, path)
    features = checked_features(arrays["features"], path, about.dim)
    names = None
    if "names" in arrays:
        if arrays["names"].dtype.kind != "U" or arrays["names"].shape != (len(features),):
            said = f"{arrays['names'].shape} of {arrays['names'].dtype}"
            raise FileError(path, f"has names {said}, and should have {len(features)} texts")
        names = checked_names([str(name) for name in arrays["names"]], path)
    part = None
    if "part" in arrays:
        numbers = arrays["part"]
        if numbers.dtype != np.int64 or numbers.shape != (3,):
            raise FileError(path, f"has a part {numbers.shape} of {numbers.dtype}, and should have 3 integers")
        part = Part(*map(int, numbers))
        if part.start < 0 or part.stop - part.start != len(features) or part.stop > part.total:
            raise FileError(
                path, f"says it is rows {part.start} to {part.stop} of {part.total}, and has {len(features)}"
            )
    return Stored([features], names, about), part


def part_name(index: int) -> str:
    """Name of a part of a folder."""
    return f"features-{index:05}.npz"


@dataclass(frozen=True)
class Manifest:
    """What a folder of features says of itself: rows in all and in a part."""

    count: int
    shard_size: int
    about: About

    def parts(self) -> dict[str, Part]:
        """Rows of each part, by its name."""
        starts = range(0, self.count, self.shard_size)
        return {
            part_name(i): Part(start, min(start + self.shard_size, self.count), self.count)
            for i, start in enumerate(starts)
        }

    def to_bytes(self) -> bytes:
        """As it stands in the folder."""
        facts = {"format": FORMAT, "count": self.count, "shard_size": self.shard_size, **self.about.parts()}
        return (json.dumps(facts, indent=1) + "\n").encode()


def read_manifest(folder: str) -> Manifest:
    """Read what a folder says of itself.

    Raises
    ------
    FileError
        If it says it in another way, or does not.
    OSError
        If it cannot be opened.
    """
    path = os.path.join(folder, MANIFEST)
    facts = parse_json(read_regular(path, 1 << 20), path)
    names = {"format", "count", "shard_size", "outputs", "fingerprint"}
    if not isinstance(facts, dict) or facts.get("format") != FORMAT or facts.keys() != names:
        raise FileError(path, f"does not describe a folder of features of format {FORMAT!r}")
    for name in ("count", "shard_size"):
        if isinstance(facts[name], bool) or not isinstance(facts[name], int) or not 0 < facts[name] < 2**53:
            raise FileError(path, f"says {name} is {shown(repr(facts[name]))}")
    return Manifest(facts["count"], facts["shard_size"], _about_of(facts["outputs"], facts["fingerprint"], path))


def _read_folder(folder: str) -> Stored:
    manifest = read_manifest(folder)
    pieces, names = [], []
    if manifest.count // manifest.shard_size > len(os.listdir(folder)):
        raise FileError(folder, f"holds fewer than its {manifest.count} rows", _GO_ON)
    for name, part in manifest.parts().items():
        stored = read_part(folder, name, part, manifest.about)
        if stored is None:
            raise FileError(folder, f"lacks {name}, rows {part.start} to {part.stop} of {part.total}", _GO_ON)
        pieces += stored.pieces
        names += stored.names or []
    return Stored(pieces, names if len(names) == manifest.count else None, manifest.about)


_GO_ON = "go on with the run that was interrupted, by --resume"


def read_part(folder: str, name: str, part: Part, about: About) -> Stored | None:
    """Part of a folder, None where there is none; another one than its name says is a ``FileError``."""
    path = os.path.join(folder, name)
    if not os.path.lexists(path):
        return None
    stored, found = read_npz(path)
    if found != part:
        said = "no part of a set" if found is None else f"rows {found.start} to {found.stop} of {found.total}"
        raise FileError(
            path, f"is {said}, and should be rows {part.start} to {part.stop} of {part.total}", "restore it"
        )
    if stored.about != about:
        raise FileError(path, "was made in another way than its folder says", "restore it, or make the set again")
    return stored


def about_from(texts: Mapping[str, str], path: str) -> About:
    """Facts of features from their JSON."""
    outputs, fingerprint = (
        parse_json(texts.get(name, ""), path, f"has no {name} that can be read") for name in ("outputs", "fingerprint")
    )
    return _about_of(outputs, fingerprint, path)


def _about_of(outputs: object, fingerprint: object, path: str) -> About:
    try:
        return checked_about(outputs, fingerprint)
    except ValueError as error:
        raise FileError(path, f"is not valid: {error}", "make it again") from error


def _text(array: npt.NDArray[Any], name: str, path: str) -> str:
    if array.dtype.kind != "U" or array.ndim:
        raise FileError(path, f"has a {name} {array.shape} of {array.dtype}, and should have one text")
    return str(array)


def checked_names(names: list[str], path: str) -> list[str]:
    """Names of images, none of which holds a null character: an array of texts would lose it at an end."""
    if any("\0" in name for name in names):
        raise FileError(path, "has a name with a null character, as no file has", "make it again")
    return names


def checked_features(array: npt.NDArray[Any], path: str, dim: int | None = None) -> npt.NDArray[Any]:
    """Features (N, D), finite, of floats; float32 where a file of ours says their width."""
    if dim is not None and (array.dtype != np.float32 or array.ndim != 2 or array.shape[1] != dim):
        said = f"{array.shape} of {array.dtype}"
        raise FileError(path, f"has features {said}, and should have rows of {dim} of float32", "make it again")
    if not array.flags.aligned:
        array = array.copy()
    try:
        return as_features(array, "its array")
    except (TypeError, ValueError) as error:
        raise FileError(path, f"is no valid file of features: {error}") from error
