"""Reads PyTorch, NumPy and safetensors state dicts without PyTorch and without running anything a file asks for.

A pickle is walked by an interpreter that knows tensors over storages and nothing else: every other global, call or
opcode is refused by name before any effect. Tensors are views of the file's bytes, so a file cannot make its reader
allocate more than it holds.
"""

from __future__ import annotations

import io
import json
import math
import pickletools
import struct
import zipfile
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Literal

import numpy as np
import numpy.typing as npt

Tensor = npt.NDArray[Any]


class CheckpointError(ValueError):
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
# Deflate cannot exceed about 1030; real weights stay below 2, and a file of zeros is not weights.
_MOST_EXPANSION, _EXPANSION_FREE_BYTES = 100, 1 << 20
_MOST_PICKLE_BYTES = 64 << 20  # the largest official state dict's pickle has 60 kB
_MOST_DIMENSIONS = 32


def read_checkpoint(path: str | Path) -> dict[str, Tensor]:
    """Read a state dict.

    Parameters
    ----------
    path : str or Path
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
        If the file is truncated or damaged, is a zip bomb, asks for any Python global other than tensors, storages and
        ordered dicts, or holds anything but tensors.
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
    path = Path(path)
    with path.open("rb") as file:
        try:
            return _read(file, path)
        except CheckpointError as error:
            raise CheckpointError(f"{path}: {error}") from error
        except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, UnicodeError, struct.error) as error:
            raise CheckpointError(f"{path}: damaged or truncated: {error}") from error


def _read(file: BinaryIO, path: Path) -> dict[str, Tensor]:
    size = path.stat().st_size
    head = file.read(16)
    file.seek(0)
    if head[:4] == b"PK\x03\x04":
        with zipfile.ZipFile(file) as archive:
            _require_sane_archive(archive, size)
            names = archive.namelist()
            if names and all(name.endswith(".npy") for name in names):
                return _read_npz(archive)
            return _read_zip(archive)
    # Before the pickle: a header of 128 bytes also begins with 0x80, and torch's magic number has no brace there.
    if head[8:9] == b"{":
        return _read_safetensors(file, size)
    if head[:1] == b"\x80":
        return _read_legacy(file, size)
    if size == 0:
        raise CheckpointError("the file is empty")
    raise CheckpointError(
        "neither a PyTorch state dict (zip or legacy stream) nor .npz nor .safetensors: "
        f"it begins with {head[:8]!r}; an interrupted download or an HTML page?"
    )


# ---- zip archives -------------------------------------------------------------------------------------------------


def _require_sane_archive(archive: zipfile.ZipFile, size: int) -> None:
    infos = archive.infolist()
    if len({info.filename for info in infos}) != len(infos):
        raise CheckpointError("the archive has two entries of one name")
    for info in infos:
        if info.flag_bits & 1:
            raise CheckpointError(f"entry {info.filename!r} is encrypted")
        if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise CheckpointError(f"entry {info.filename!r} is compressed by method {info.compress_type}: use deflate")
    total = sum(info.file_size for info in infos)
    if total > _MOST_EXPANSION * size + _EXPANSION_FREE_BYTES:
        raise CheckpointError(f"the archive of {size} bytes claims to hold {total}: refused as a zip bomb")


def _entry(archive: zipfile.ZipFile, name: str) -> bytes:
    try:
        return archive.read(name)
    except KeyError:
        raise CheckpointError(f"entry {name!r} is missing from the archive") from None
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, NotImplementedError, ValueError) as error:
        raise CheckpointError(f"entry {name!r} is damaged: {error}") from error


def _read_npz(archive: zipfile.ZipFile) -> dict[str, Tensor]:
    tensors = {}
    for info in archive.infolist():
        name = info.filename.removesuffix(".npy")
        data = io.BytesIO(_entry(archive, info.filename))
        try:
            array = np.lib.format.read_array(data, allow_pickle=False, max_header_size=10_000)
        except (ValueError, EOFError, MemoryError) as error:
            raise CheckpointError(f"tensor {name!r}: {error}") from error
        if array.dtype.kind not in "fiub":
            raise CheckpointError(f"tensor {name!r} has dtype {array.dtype}: use floats or integers")
        array.flags.writeable = False
        tensors[name] = array
    return tensors


def _read_zip(archive: zipfile.ZipFile) -> dict[str, Tensor]:
    names = archive.namelist()
    pickles = [name for name in names if name.count("/") == 1 and name.endswith("/data.pkl")]
    if len(pickles) != 1:
        raise CheckpointError("the zip archive has no data.pkl: neither torch.save nor numpy.savez wrote it")
    root = pickles[0].removesuffix("data.pkl")
    if f"{root}constants.pkl" in names:
        raise CheckpointError("a TorchScript archive, which is a program: save model.state_dict() instead")
    for info in archive.infolist():
        # torch.save never compresses, and stored entries cannot expand.
        if info.compress_type != zipfile.ZIP_STORED or info.compress_size != info.file_size:
            raise CheckpointError(f"entry {info.filename!r} is compressed, which torch.save never does: refused")
    order = _entry(archive, f"{root}byteorder") if f"{root}byteorder" in names else b"little"
    if order not in (b"little", b"big"):
        raise CheckpointError(f"byteorder is {order[:20]!r}: use little or big")
    if archive.getinfo(pickles[0]).file_size > _MOST_PICKLE_BYTES:
        raise CheckpointError(f"data.pkl has {archive.getinfo(pickles[0]).file_size} bytes: too many for a state dict")
    state = _interpret(io.BytesIO(_entry(archive, pickles[0])))

    storages: dict[str, bytes] = {}

    def storage(ref: _Storage) -> bytes:
        if ref.key not in storages:
            storages[ref.key] = _entry(archive, f"{root}data/{ref.key}")
        return storages[ref.key]

    return _tensors(state, storage, "<" if order == b"little" else ">")


# ---- the legacy stream --------------------------------------------------------------------------------------------


def _read_legacy(file: BinaryIO, size: int) -> dict[str, Tensor]:
    if _interpret(file) != _LEGACY_MAGIC:
        raise CheckpointError("a pickle, but not one that torch.save wrote")
    if _interpret(file) != _LEGACY_PROTOCOL:
        raise CheckpointError("an unknown version of the legacy format: only 1001 is known")
    system = _interpret(file)
    little = system.get("little_endian") if isinstance(system, dict) else None
    if not isinstance(little, bool):
        raise CheckpointError("the legacy header does not say its byte order")
    order: Literal["<", ">"] = "<" if little else ">"
    state = _interpret(file)
    keys = _interpret(file)
    if not isinstance(keys, list) or not all(isinstance(key, str) for key in keys):
        raise CheckpointError("the legacy stream has no list of storages")
    items = {ref.key: ref.itemsize for ref in _storages_in(state)}
    data: dict[str, bytes] = {}
    for key in keys:
        if key not in items:
            raise CheckpointError(f"storage {key!r} belongs to no tensor")
        header = file.read(8)
        if len(header) < 8:
            raise CheckpointError(f"truncated before storage {key!r}")
        (count,) = struct.unpack(f"{order}q", header)
        left = size - file.tell()
        if count < 0 or count * items[key] > left:
            raise CheckpointError(f"truncated: storage {key!r} claims {count * items[key]} bytes, {left} are left")
        data[key] = file.read(count * items[key])

    def storage(ref: _Storage) -> bytes:
        if ref.key not in data:
            raise CheckpointError(f"storage {ref.key!r} is missing from the stream")
        return data[ref.key]

    return _tensors(state, storage, order)


# ---- safetensors --------------------------------------------------------------------------------------------------


def _read_safetensors(file: BinaryIO, size: int) -> dict[str, Tensor]:
    (length,) = struct.unpack("<Q", file.read(8))
    if length > min(size - 8, _MOST_PICKLE_BYTES):
        raise CheckpointError(f"truncated: the header claims {length} bytes, the file has {size}")
    try:
        header = json.loads(file.read(length))  # an object, since it begins with a brace
    except (ValueError, RecursionError) as error:
        raise CheckpointError(f"the safetensors header is not JSON: {error}") from error
    data = file.read()
    tensors: dict[str, Tensor] = {}
    for name, entry in header.items():
        if name == "__metadata__":
            continue
        try:
            kind, shape, (begin, end) = entry["dtype"], tuple(entry["shape"]), entry["data_offsets"]
        except (KeyError, TypeError, ValueError):
            raise CheckpointError(f"tensor {name!r}: a header entry needs dtype, shape and data_offsets") from None
        if kind not in _SAFETENSORS:
            raise CheckpointError(f"tensor {name!r} has dtype {kind!r}: use one of {', '.join(_SAFETENSORS)}")
        if not all(type(n) is int and n >= 0 for n in (*shape, begin, end)) or len(shape) > _MOST_DIMENSIONS:
            raise CheckpointError(f"tensor {name!r}: shape {shape} or data_offsets is not a list of sizes")
        if not begin <= end <= len(data):
            raise CheckpointError(f"tensor {name!r} truncated: it ends at byte {end} of {len(data)}")
        if math.prod(shape) * _itemsize(_SAFETENSORS[kind]) != end - begin:
            raise CheckpointError(f"tensor {name!r}: shape {shape} does not fill its {end - begin} bytes")
        flat = _elements(data[begin:end], _SAFETENSORS[kind], "<")
        tensors[name] = flat.reshape(shape)
    return tensors


# ---- the pickle ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Global:
    name: str


@dataclass(frozen=True)
class _Storage:
    key: str
    kind: str
    offset: int = 0
    """First element, for the views of views that the legacy format can hold."""

    @property
    def itemsize(self) -> int:
        return _itemsize(self.kind)


@dataclass(frozen=True)
class _TensorRef:
    storage: _Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]


class _Mark:
    pass


_MARK = _Mark()
_TENSORS = ("torch._utils._rebuild_tensor_v2", "torch._utils._rebuild_tensor")
_PARAMETER = "torch._utils._rebuild_parameter"
_ORDERED_DICT = "collections.OrderedDict"
_GLOBALS = frozenset(
    [*_TENSORS, _PARAMETER, _ORDERED_DICT, *(f"torch{part}.{name}" for part in ("", ".storage") for name in _STORAGES)]
)

_PUSH_ARGUMENT = frozenset(
    [
        "INT",
        "BININT",
        "BININT1",
        "BININT2",
        "LONG",
        "LONG1",
        "LONG4",
        "FLOAT",
        "BINFLOAT",
        "STRING",
        "BINSTRING",
        "SHORT_BINSTRING",
        "UNICODE",
        "BINUNICODE",
        "SHORT_BINUNICODE",
        "BINUNICODE8",
    ]
)
_PUSH_CONSTANT: Mapping[str, Callable[[], Any]] = {
    "NONE": lambda: None,
    "NEWTRUE": lambda: True,
    "NEWFALSE": lambda: False,
    "EMPTY_LIST": list,
    "EMPTY_TUPLE": tuple,
    "EMPTY_DICT": dict,
    "MARK": lambda: _MARK,
}
_TUPLES = {"TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}


def _interpret(file: BinaryIO) -> Any:
    """Run one pickle up to its STOP; the file is left behind it."""
    try:
        return _Machine().run(file)
    except CheckpointError:
        raise
    # pickletools reports a truncated or malformed stream as ValueError (UnicodeDecodeError is one); a stack that the
    # opcodes misuse shows as the others.
    except (ValueError, IndexError, KeyError, TypeError, AttributeError, OverflowError, MemoryError) as error:
        raise CheckpointError(f"the pickle is damaged or truncated: {error}") from error


class _Machine:
    """The pickle opcodes that a state dict needs. Nothing here calls what a stream names."""

    def __init__(self) -> None:
        self.stack: list[Any] = []
        self.memo: dict[int, Any] = {}

    def run(self, file: BinaryIO) -> Any:
        for opcode, argument, _ in pickletools.genops(file):
            if opcode.name == "STOP":
                return self.stack.pop()
            self.step(opcode.name, argument)
        raise CheckpointError("the pickle ends without STOP")

    def to_mark(self) -> list[Any]:
        items: list[Any] = []
        while (item := self.stack.pop()) is not _MARK:
            items.append(item)
        return items[::-1]

    def step(self, name: str, argument: Any) -> None:
        stack = self.stack
        if name in _PUSH_ARGUMENT:
            stack.append(argument)
        elif name in _PUSH_CONSTANT:
            stack.append(_PUSH_CONSTANT[name]())
        elif name in ("BINPUT", "LONG_BINPUT", "PUT"):
            self.memo[argument] = stack[-1]
        elif name == "MEMOIZE":
            self.memo[len(self.memo)] = stack[-1]
        elif name in ("BINGET", "LONG_BINGET", "GET"):
            stack.append(self.memo[argument])
        elif name in _TUPLES:
            items = tuple(stack[-_TUPLES[name] :])
            del stack[-_TUPLES[name] :]
            stack.append(items)
        elif name == "TUPLE":
            stack.append(tuple(self.to_mark()))
        elif name == "LIST":
            stack.append(self.to_mark())
        elif name == "APPEND":
            item = stack.pop()
            self.top(list).append(item)
        elif name == "APPENDS":
            items_ = self.to_mark()
            self.top(list).extend(items_)
        elif name in ("SETITEM", "SETITEMS", "DICT"):
            pairs = [stack.pop(-2), stack.pop()] if name == "SETITEM" else self.to_mark()
            if name == "DICT":
                stack.append({})
            self.top(dict).update(zip(pairs[::2], pairs[1::2], strict=True))
        elif name in ("GLOBAL", "STACK_GLOBAL", "INST"):
            if name == "STACK_GLOBAL":
                argument = f"{stack.pop(-2)} {stack.pop()}"
            dotted = ".".join(argument.split(" "))
            if dotted not in _GLOBALS or name == "INST":
                raise CheckpointError(f"the pickle asks for {dotted}, which no state dict needs: refused, not run")
            stack.append(_Global(dotted))
        elif name == "REDUCE":
            arguments = stack.pop()
            stack.append(self.call(stack.pop(), arguments))
        elif name == "BUILD":  # an ordered dict's attributes, such as the versions of its modules: not needed
            stack.pop()
            self.top(dict)
        elif name == "BINPERSID":
            stack.append(_storage_of(stack.pop()))
        elif name not in ("PROTO", "FRAME"):
            raise CheckpointError(f"the pickle uses opcode {name}, which no state dict needs: refused")

    def top(self, kind: type[Any]) -> Any:
        if type(self.stack[-1]) is not kind:
            raise CheckpointError(f"the pickle fills a {type(self.stack[-1]).__name__} as if it were a {kind.__name__}")
        return self.stack[-1]

    @staticmethod
    def call(function: Any, arguments: Any) -> Any:
        name = function.name if isinstance(function, _Global) else type(function).__name__
        if not isinstance(arguments, tuple):
            raise CheckpointError(f"the pickle calls {name} with a {type(arguments).__name__}")
        if name == _ORDERED_DICT:
            return dict(*arguments)
        if name == _PARAMETER and arguments and isinstance(arguments[0], _TensorRef):
            return arguments[0]
        if name in _TENSORS and len(arguments) >= 4 and isinstance(arguments[0], _Storage):
            storage, offset, shape, strides = arguments[:4]
            sizes = (offset, *shape, *strides)
            if len(shape) == len(strides) <= _MOST_DIMENSIONS and all(type(n) is int and n >= 0 for n in sizes):
                return _TensorRef(storage, offset, tuple(shape), tuple(strides))
        raise CheckpointError(f"the pickle calls {name} with arguments that no state dict has: refused")


def _storage_of(identifier: Any) -> _Storage:
    """Meaning of ('storage', type, key, device, count[, view]): the device tag is where it was, and does not matter."""
    if not (isinstance(identifier, tuple) and len(identifier) in (5, 6) and identifier[0] == "storage"):
        raise CheckpointError("the pickle has a persistent id that is not a storage")
    kind, key, view = identifier[1], identifier[2], identifier[5] if len(identifier) == 6 else None
    if not isinstance(kind, _Global) or (type_name := kind.name.rpartition(".")[2]) not in _STORAGES:
        raise CheckpointError(f"the pickle has a storage of an unknown type: {kind!r}")
    if not isinstance(key, str):
        raise CheckpointError(f"the pickle has a storage whose key is a {type(key).__name__}")
    offset = 0
    if view is not None:
        if not (isinstance(view, tuple) and len(view) == 3 and type(view[1]) is int and view[1] >= 0):
            raise CheckpointError(f"storage {key!r} has a view that is not (key, offset, size)")
        offset = view[1]
    return _Storage(key, _STORAGES[type_name], offset)


def _storages_in(state: Any) -> list[_Storage]:
    return (
        [value.storage for value in state.values() if isinstance(value, _TensorRef)] if isinstance(state, dict) else []
    )


# ---- bytes to arrays ----------------------------------------------------------------------------------------------


def _itemsize(kind: str) -> int:
    return 2 if kind == "bf16" else np.dtype(kind).itemsize


def _elements(data: bytes, kind: str, order: Literal["<", ">"]) -> Tensor:
    whole = data[: len(data) // _itemsize(kind) * _itemsize(kind)]
    if kind == "bf16":
        elements: Tensor = (np.frombuffer(whole, f"{order}u2").astype(np.uint32) << 16).view(np.float32)
    else:
        elements = np.frombuffer(whole, np.dtype(kind).newbyteorder(order))
        if not elements.dtype.isnative:
            elements = elements.astype(elements.dtype.newbyteorder("="))
    elements.flags.writeable = False
    return elements


def _tensors(state: Any, read: Callable[[_Storage], bytes], order: Literal["<", ">"]) -> dict[str, Tensor]:
    """Resolve tensors to views of their storages, bounds checked."""
    if not isinstance(state, dict):
        raise CheckpointError(f"holds a {type(state).__name__}, not a state dict: save model.state_dict()")
    cache: dict[tuple[str, str], Tensor] = {}
    tensors = {}
    for name, ref in state.items():
        if not isinstance(name, str):
            raise CheckpointError(f"a key of the state dict is a {type(name).__name__}, not a name")
        if not isinstance(ref, _TensorRef):
            raise CheckpointError(f"{name!r} is a {type(ref).__name__}, not a tensor: save model.state_dict() alone")
        key = (ref.storage.key, ref.storage.kind)
        if key not in cache:
            cache[key] = _elements(read(ref.storage), ref.storage.kind, order)
        elements = cache[key]
        first = ref.storage.offset + ref.offset
        reach = sum((n - 1) * stride for n, stride in zip(ref.shape, ref.strides, strict=True))
        if 0 not in ref.shape and first + reach >= len(elements):
            raise CheckpointError(
                f"tensor {name!r} of shape {ref.shape} reaches element {first + reach} of a storage of "
                f"{len(elements)}: truncated or forged"
            )
        if 0 in ref.shape:
            tensors[name] = np.empty((0,) * len(ref.shape), elements.dtype)
            continue
        strides = [stride * elements.itemsize for stride in ref.strides]
        try:
            tensors[name] = np.lib.stride_tricks.as_strided(elements[first:], ref.shape, strides, writeable=False)
        except (ValueError, OverflowError) as error:
            raise CheckpointError(f"tensor {name!r} of shape {ref.shape}: {error}") from error
    return tensors
