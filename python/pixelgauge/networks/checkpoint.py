"""Reads PyTorch, NumPy and safetensors state dicts without PyTorch and without running anything a file asks for.

A pickle is walked by an interpreter that knows tensors over storages and nothing else: every other global, call or
opcode is refused by name before any effect. A file's bytes are read once and tensors are views of them, so a file
cannot make its reader allocate more than it holds.
"""

from __future__ import annotations

import hashlib
import io
import math
import os
import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from pixelgauge.files.archive import Archive, read_array
from pixelgauge.files.pickles import Named, Refused, Vocabulary, interpret
from pixelgauge.files.reading import MOST_JSON, FileError, parse_json, read_regular, shown

Tensor = npt.NDArray[Any]


class CheckpointError(FileError):
    """A checkpoint that is damaged, hostile or not the one wanted; the message names the file and what is wrong."""


# By the name of torch's storage class. bfloat16 has no NumPy dtype: its 16 bits are the upper half of a float32.
_STORAGES: Mapping[str, str] = {
    "FloatStorage": "f4",
    "DoubleStorage": "f8",
    "HalfStorage": "f2",
    "BFloat16Storage": "bf16",
    "LongStorage": "i8",
    "IntStorage": "i4",
    "ShortStorage": "i2",
    "CharStorage": "i1",
    "ByteStorage": "u1",
    "BoolStorage": "?",
}
_SAFETENSORS: Mapping[str, str] = {
    "F32": "f4",
    "F64": "f8",
    "F16": "f2",
    "BF16": "bf16",
    "I64": "i8",
    "I32": "i4",
    "I16": "i2",
    "I8": "i1",
    "U8": "u1",
    "BOOL": "?",
}
_LEGACY_MAGIC, _LEGACY_PROTOCOL = 0x1950A86A20F9469CFC6C, 1001
_MOST_PICKLE_BYTES = 4 << 20  # the largest official state dict's pickle has 60 kB
_MOST_DIMENSIONS = 32
_MOST_TENSORS = 20_000
"""That one pickle may make: each is an array of its own, of more bytes than its opcodes. Large networks have 2000."""
_MOST_PLACE = 1000
"""Characters of a tensor's dotted place."""

Order = Literal["<", ">"]


@dataclass(frozen=True)
class Checkpoint:
    """A state dict, and the hash of the very bytes that it was made of."""

    path: str
    sha256: str
    tensors: Mapping[str, Tensor]


def read_checkpoint(path: str | os.PathLike[str]) -> dict[str, Tensor]:
    """Read a state dict.

    Parameters
    ----------
    path : str or path-like
        A ``.pth``/``.pt`` file (zip archive or the legacy stream), ``.npz`` or ``.safetensors``; the content decides,
        not the name.

    Returns
    -------
    dict of str to numpy.ndarray
        In the file's order; read-only views of the file's bytes, with the strides they were saved with. bfloat16
        becomes float32.

    Raises
    ------
    CheckpointError
        If the file is no regular file, is truncated or damaged, expands beyond bounds, asks for any Python global other
        than tensors, storages and ordered dicts, or holds anything but tensors.
    OSError
        If the file cannot be opened.

    Examples
    --------
    >>> import numpy as np, tempfile, pathlib
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "weights.npz"
    >>> np.savez(path, bias=np.ones(3, np.float32))
    >>> read_checkpoint(path)["bias"].shape
    (3,)
    """
    return _parse(read_regular(path, kind=CheckpointError), os.fsdecode(path))


def read_hashed(path: str | os.PathLike[str]) -> Checkpoint:
    """Read a state dict and the SHA-256 of its file: of the bytes that were read, which are read once.

    Raises
    ------
    CheckpointError, OSError
        As :func:`read_checkpoint`.
    """
    return parse_checkpoint(read_regular(path, kind=CheckpointError), os.fsdecode(path))


def parse_checkpoint(data: bytes, path: str, names: Mapping[str, str] | None = None) -> Checkpoint:
    """Read a state dict from the bytes of a file.

    Parameters
    ----------
    data : bytes
    path : str
        What errors call it.
    names : mapping of str to str, optional
        New names of the tensors wanted, by their dotted places: ``trunk.0.weight`` is the ``weight`` of the first entry
        of ``trunk``. Dicts and lists may then be nested and hold other things, which are left out.

    Raises
    ------
    CheckpointError
        As :func:`read_checkpoint`; and if a tensor that is wanted is not there.
    """
    tensors = _parse(data, path, nested=names is not None)
    if names is not None:
        missing = next((place for place in names if place not in tensors), None)
        if missing is not None:
            raise CheckpointError(path, f"has no tensor {shown(missing)!r}")
        tensors = {name: tensors[place] for place, name in names.items()}
    return Checkpoint(path, hashlib.sha256(data).hexdigest(), tensors)


def _parse(data: bytes, path: str, nested: bool = False) -> dict[str, Tensor]:
    try:
        if data[:4] == b"PK\x03\x04":
            archive = Archive(io.BytesIO(data), path, CheckpointError)
            if archive.names and all(name.endswith(".npy") for name in archive.names):
                return _read_npz(archive, data)
            return _read_zip(archive, data, nested)
        # Before the pickle: a header of 128 bytes also begins with 0x80, and torch's magic number has no brace there.
        if data[8:9] == b"{":
            return _read_safetensors(data, path)
        if data[:1] == b"\x80":
            return _read_legacy(data, path, nested)
    except Refused as refusal:
        raise CheckpointError(path, str(refusal)) from None
    if not data:
        raise CheckpointError(path, "the file is empty", "copy it again")
    raise CheckpointError(
        path,
        "neither a PyTorch state dict (zip or legacy stream) nor .npz nor .safetensors: "
        f"it begins with {data[:8]!r}; an interrupted download or an HTML page?",
    )


# ---- zip archives -------------------------------------------------------------------------------------------------


def _read_npz(archive: Archive, data: bytes) -> dict[str, Tensor]:
    tensors = {}
    for member in archive.names:
        name = member.removesuffix(".npy")
        array = read_array(archive, member, CheckpointError, whole=data)
        if array.dtype.kind not in "fiub":
            raise Refused(f"tensor {shown(name)!r} has dtype {array.dtype}: use floats or integers")
        array.flags.writeable = False
        tensors[name] = array
    return tensors


def _read_zip(archive: Archive, data: bytes, nested: bool) -> dict[str, Tensor]:
    names = set(archive.names)
    pickles = [name for name in archive.names if name.count("/") == 1 and name.endswith("/data.pkl")]
    if len(pickles) != 1:
        raise Refused("the zip archive has no data.pkl: neither torch.save nor numpy.savez wrote it")
    root = pickles[0].removesuffix("data.pkl")
    if f"{root}constants.pkl" in names:
        raise CheckpointError(
            archive.path, "a TorchScript archive, which is a program", "save model.state_dict() instead"
        )
    for name in archive.names:
        if not archive.is_stored(name):
            raise Refused(f"entry {shown(name)!r} is compressed, which torch.save never does: refused")
    order = bytes(archive.view(f"{root}byteorder", data)) if f"{root}byteorder" in names else b"little"
    if order not in (b"little", b"big"):
        raise Refused(f"byteorder is {order[:20]!r}: use little or big")
    if archive.size(pickles[0]) > _MOST_PICKLE_BYTES:
        raise Refused(f"data.pkl has {archive.size(pickles[0])} bytes: too many for a state dict")
    pickled = io.BytesIO(archive.view(pickles[0], data))
    state = interpret(pickled, archive.path, _vocabulary(), CheckpointError)
    state = _unnested(state) if nested else state

    def storage(ref: _Storage) -> memoryview:
        if (name := f"{root}data/{ref.key}") not in names:
            raise Refused(f"has no member {shown(name)!r}: it is truncated")
        return archive.view(name, data)

    return _tensors(state, storage, "<" if order == b"little" else ">")


# ---- the legacy stream --------------------------------------------------------------------------------------------


def _read_legacy(data: bytes, path: str, nested: bool) -> dict[str, Tensor]:
    file = io.BytesIO(data)

    def next_pickle() -> Any:
        start = file.tell()
        found = interpret(file, path, _vocabulary(), CheckpointError)
        if file.tell() - start > _MOST_PICKLE_BYTES:
            raise Refused(f"a pickle of {file.tell() - start} bytes is too large for a state dict")
        return found

    if next_pickle() != _LEGACY_MAGIC:
        raise Refused("a pickle, but not one that torch.save wrote")
    if next_pickle() != _LEGACY_PROTOCOL:
        raise Refused("an unknown version of the legacy format: only 1001 is known")
    system = next_pickle()
    little = system.get("little_endian") if isinstance(system, dict) else None
    if not isinstance(little, bool):
        raise Refused("the legacy header does not say its byte order")
    order: Order = "<" if little else ">"
    state = next_pickle()
    state = _unnested(state) if nested else state
    keys = next_pickle()
    if not isinstance(keys, list) or not all(isinstance(key, str) for key in keys):
        raise Refused("the legacy stream has no list of storages")
    items = _storage_kinds(state)
    storages: dict[str, memoryview] = {}
    whole, at = memoryview(data), file.tell()
    for key in keys:
        if key not in items or key in storages:
            what = "stands there twice" if key in storages else "belongs to no tensor"
            raise Refused(f"storage {shown(key)!r} {what}")
        if len(data) < at + 8:
            raise Refused(f"truncated before storage {shown(key)!r}")
        (count,) = struct.unpack_from(f"{order}q", data, at)
        at, claimed = at + 8, count * _itemsize(items[key])
        if not 0 <= claimed <= len(data) - at:
            raise Refused(f"truncated: storage {shown(key)!r} claims {claimed} bytes, {len(data) - at} are left")
        storages[key] = whole[at : at + claimed]
        at += claimed

    def storage(ref: _Storage) -> memoryview:
        if ref.key not in storages:
            raise Refused(f"storage {shown(ref.key)!r} is missing from the stream")
        return storages[ref.key]

    return _tensors(state, storage, order)


# ---- safetensors --------------------------------------------------------------------------------------------------


def _read_safetensors(data: bytes, path: str) -> dict[str, Tensor]:
    length = int.from_bytes(data[:8], "little")
    if length > len(data) - 8:
        raise Refused(f"truncated: the header claims {length} bytes, the file has {len(data)}")
    if length > MOST_JSON:
        raise Refused(f"the safetensors header has {length} bytes, and at most {MOST_JSON} are read")
    header = parse_json(data[8 : 8 + length], path, "the safetensors header is not JSON", CheckpointError)
    metadata = header.pop("__metadata__", {})  # an object, since it begins with a brace
    if not isinstance(metadata, dict) or not all(isinstance(text, str) for text in metadata.values()):
        raise Refused("the safetensors header has __metadata__ that is not text by name")
    values = memoryview(data)[8 + length :]
    tensors: dict[str, Tensor] = {}
    spans: list[tuple[int, int, str]] = []
    for name, entry in header.items():
        kind, shape, begin, end = _safetensors_entry(entry, shown(name))
        if end > len(values):
            raise Refused(f"tensor {shown(name)!r} truncated: it ends at byte {end} of {len(values)}")
        if math.prod(shape) * _itemsize(kind) != end - begin:
            raise Refused(f"tensor {shown(name)!r}: shape {shown(shape)} does not fill its {end - begin} bytes")
        spans.append((begin, end, name))
        tensors[name] = _shaped(_elements(values[begin:end], kind, "<"), shape, shown(name))
    position = 0
    for begin, end, name in sorted(spans):
        if begin != position:
            what = "overlaps another" if begin < position else f"leaves {begin - position} bytes before it"
            raise Refused(f"tensor {shown(name)!r} {what}, which the safetensors format forbids")
        position = end
    if position != len(values):
        raise Refused(f"{len(values) - position} bytes after the last tensor, which the safetensors format forbids")
    return tensors


def _safetensors_entry(entry: Any, name: str) -> tuple[str, tuple[int, ...], int, int]:
    fields = entry if isinstance(entry, dict) else {}
    kind, shape, offsets = (fields.get(key) for key in ("dtype", "shape", "data_offsets"))
    if not (isinstance(kind, str) and isinstance(shape, list) and isinstance(offsets, list) and len(offsets) == 2):
        raise Refused(f"tensor {name!r}: a header entry needs dtype, shape and data_offsets")
    if kind not in _SAFETENSORS:
        raise Refused(f"tensor {name!r} has dtype {shown(kind)!r}: use one of {', '.join(_SAFETENSORS)}")
    if len(shape) > _MOST_DIMENSIONS or not all(type(n) is int and 0 <= n < 2**63 for n in (*shape, *offsets)):
        raise Refused(f"tensor {name!r}: shape or data_offsets is not a list of sizes")
    if offsets[0] > offsets[1]:
        raise Refused(f"tensor {name!r}: data_offsets {offsets} end before they begin")
    return _SAFETENSORS[kind], tuple(shape), offsets[0], offsets[1]


# ---- what a state dict's pickle may say ---------------------------------------------------------------------------


@dataclass(frozen=True)
class _Storage:
    key: str
    kind: str
    offset: int = 0
    """First element, for the views of views that the legacy format can hold."""


@dataclass(frozen=True)
class _TensorRef:
    storage: _Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]


_STORAGE_NAMES = {f"torch{part}.{name}": kind for part in ("", ".storage") for name, kind in _STORAGES.items()}


def _vocabulary() -> Vocabulary:
    made = 0

    def tensor(arguments: tuple[Any, ...]) -> _TensorRef:
        nonlocal made
        made += 1
        if made > _MOST_TENSORS:
            raise Refused(f"the pickle makes more than {_MOST_TENSORS} tensors")
        return _tensor_ref(arguments)

    calls: dict[str, Callable[[tuple[Any, ...]], Any]] = {
        "torch._utils._rebuild_tensor_v2": tensor,
        "torch._utils._rebuild_tensor": tensor,
        "torch._utils._rebuild_parameter": _parameter,
    }
    return Vocabulary("state dict", calls, frozenset(_STORAGE_NAMES), persistent=_storage_of)


def _tensor_ref(arguments: tuple[Any, ...]) -> _TensorRef:
    if len(arguments) >= 4 and type(arguments[0]) is _Storage:
        storage, offset, shape, strides = arguments[:4]
        if type(shape) is tuple and type(strides) is tuple and len(shape) == len(strides) <= _MOST_DIMENSIONS:
            sizes = (offset, *shape, *strides)
            if all(type(n) is int and 0 <= n < 2**63 for n in sizes):
                return _TensorRef(storage, offset, shape, strides)
    raise Refused("the pickle calls torch._utils._rebuild_tensor_v2 with arguments that no state dict has: refused")


def _parameter(arguments: tuple[Any, ...]) -> _TensorRef:
    if arguments and type(arguments[0]) is _TensorRef:
        return arguments[0]
    raise Refused("the pickle calls torch._utils._rebuild_parameter with arguments that no state dict has: refused")


def _storage_of(identifier: Any) -> _Storage:
    """Meaning of ('storage', type, key, device, count[, view]): the device tag is where it was, and does not matter."""
    if not (type(identifier) is tuple and len(identifier) in (5, 6) and identifier[0] == "storage"):
        raise Refused("the pickle has a persistent id that is not a storage")
    kind, key, view = identifier[1], identifier[2], identifier[5] if len(identifier) == 6 else None
    if type(kind) is not Named or kind.name not in _STORAGE_NAMES:
        what = kind.name if type(kind) is Named else repr(kind) if type(kind) is str else f"a {type(kind).__name__}"
        raise Refused(f"the pickle has a storage of an unknown type: {shown(what)}")
    if type(key) is not str:
        raise Refused(f"the pickle has a storage whose key is a {type(key).__name__}")
    offset = 0
    if view is not None:
        if not (type(view) is tuple and len(view) == 3 and type(view[1]) is int and 0 <= view[1] < 2**63):
            raise Refused(f"storage {shown(key)!r} has a view that is not (key, offset, size)")
        offset = view[1]
    return _Storage(key, _STORAGE_NAMES[kind.name], offset)


def _storage_kinds(state: Any) -> dict[str, str]:
    """Type of each storage, which has one: read as several it would be held several times."""
    kinds: dict[str, str] = {}
    for ref in state.values() if isinstance(state, dict) else ():
        if type(ref) is _TensorRef and kinds.setdefault(ref.storage.key, ref.storage.kind) != ref.storage.kind:
            raise Refused(f"storage {shown(ref.storage.key)!r} is of two types, which torch.save never writes")
    return kinds


def _unnested(state: Any) -> dict[str, _TensorRef]:
    """Tensors of nested dicts, lists and tuples by dotted places; a container that stands in many counts in each."""
    found: dict[str, _TensorRef] = {}
    waiting: list[tuple[str, Any]] = [("", state)]
    seen = 0
    while waiting:
        place, value = waiting.pop()
        if type(value) is _TensorRef:
            if found.setdefault(place, value) is not value:
                raise Refused(f"two tensors are at {shown(place)!r}")
        elif isinstance(value, dict | list | tuple):
            items = value.items() if isinstance(value, dict) else enumerate(value)
            seen += len(value)
            if seen > _MOST_TENSORS:
                raise Refused(f"nests more than {_MOST_TENSORS} entries")
            for key, item in items:
                inner = f"{place}.{key}" if place else str(key)
                if len(inner) > _MOST_PLACE:
                    raise Refused(f"has an entry whose place has more than {_MOST_PLACE} characters")
                waiting.append((inner, item))
    return found


# ---- bytes to arrays ----------------------------------------------------------------------------------------------


def _itemsize(kind: str) -> int:
    return 2 if kind == "bf16" else np.dtype(kind).itemsize


def _elements(data: memoryview, kind: str, order: Order) -> Tensor:
    whole = data[: len(data) // _itemsize(kind) * _itemsize(kind)]
    if kind == "bf16":
        elements: Tensor = (np.frombuffer(whole, f"{order}u2").astype(np.uint32) << 16).view(np.float32)
    else:
        elements = np.frombuffer(whole, np.dtype(kind).newbyteorder(order))
        if not elements.dtype.isnative:
            elements = elements.astype(elements.dtype.newbyteorder("="))
    elements.flags.writeable = False
    return elements


def _shaped(elements: Tensor, shape: tuple[int, ...], name: str) -> Tensor:
    """Shape of elements that fill it; NumPy multiplies sizes beside a 0 too."""
    _require_countable(shape, elements.itemsize, name)
    return elements.reshape(shape)


def _require_countable(shape: tuple[int, ...], itemsize: int, name: str) -> None:
    if math.prod(n for n in shape if n) * itemsize >= 2**63:
        raise Refused(f"tensor {name!r} of shape {shown(shape)} is larger than any array")


def _tensors(state: Any, read: Callable[[_Storage], memoryview], order: Order) -> dict[str, Tensor]:
    """Resolve tensors to views of their storages, bounds checked."""
    if not isinstance(state, dict):
        raise Refused(f"holds a {type(state).__name__}, not a state dict: save model.state_dict()")
    for name, ref in state.items():
        if type(ref) is not _TensorRef:
            raise Refused(f"{shown(name)!r} is a {type(ref).__name__}, not a tensor: save model.state_dict() alone")
    _storage_kinds(state)
    storages: dict[str, Tensor] = {}
    tensors = {}
    for name, ref in state.items():
        key = ref.storage.key
        if key not in storages:
            storages[key] = _elements(read(ref.storage), ref.storage.kind, order)
        tensors[name] = _tensor(storages[key], ref, shown(name))
    return tensors


def _tensor(elements: Tensor, ref: _TensorRef, name: str) -> Tensor:
    _require_countable(ref.shape, elements.itemsize, name)
    if 0 in ref.shape:
        empty: Tensor = np.empty(ref.shape, elements.dtype)
        empty.flags.writeable = False
        return empty
    first = ref.storage.offset + ref.offset
    reach = sum((n - 1) * stride for n, stride in zip(ref.shape, ref.strides, strict=True))
    if first + reach >= len(elements):
        raise Refused(
            f"tensor {name!r} of shape {shown(ref.shape)} reaches element {first + reach} of a storage of "
            f"{len(elements)}: truncated or forged"
        )
    # A stride along one element is never taken, and may be of any size.
    strides = [(stride if n > 1 else 1) * elements.itemsize for n, stride in zip(ref.shape, ref.strides, strict=True)]
    return np.lib.stride_tricks.as_strided(elements[first:], ref.shape, strides, writeable=False)
