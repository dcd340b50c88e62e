"""Checkpoints made opcode by opcode, without PyTorch, and safetensors files made from their specification."""

from __future__ import annotations

import json
import pickle
import struct
import zipfile
from pathlib import Path
from typing import Literal

import numpy as np

VALUES = np.arange(24, dtype=np.float32)


def text(value: str) -> bytes:
    data = value.encode()
    return b"X" + struct.pack("<I", len(data)) + data


def integer(value: int) -> bytes:
    return b"J" + struct.pack("<i", value) if abs(value) < 2**31 else b"\x8a\x10" + value.to_bytes(16, "little")


def tuple_(*items: bytes) -> bytes:
    return b"(" + b"".join(items) + b"t"


def global_(module: str, name: str) -> bytes:
    return f"c{module}\n{name}\n".encode()


def storage(key: str, kind: str, count: int, device: str = "cpu", view: bytes | None = None) -> bytes:
    last = [] if view is None else [view]
    return tuple_(text("storage"), global_("torch", kind), text(key), text(device), integer(count), *last) + b"Q"


def tensor(source: bytes, shape: tuple[int, ...], strides: tuple[int, ...] | None = None, offset: int = 0) -> bytes:
    if strides is None:
        strides = tuple(int(np.prod(shape[i + 1 :])) for i in range(len(shape)))
    sizes = [tuple_(*map(integer, values)) for values in (shape, strides)]
    empty = global_("collections", "OrderedDict") + b")R"
    arguments = tuple_(source, integer(offset), *sizes, b"\x89", empty)
    return global_("torch._utils", "_rebuild_tensor_v2") + arguments + b"R"


def state_dict(**tensors: bytes) -> bytes:
    """An OrderedDict with the attribute that PyTorch gives it."""
    items = b"".join(text(name) + value for name, value in tensors.items())
    metadata = b"}" + text("_metadata") + global_("collections", "OrderedDict") + b")Rs"
    return b"\x80\x02" + global_("collections", "OrderedDict") + b")R(" + items + b"u" + metadata + b"b."


def zip_file(path: Path, pickled: bytes, storages: dict[str, bytes], **entries: bytes) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("model/data.pkl", pickled)
        for key, data in storages.items():
            archive.writestr(f"model/data/{key}", data)
        for name, data in entries.items():
            archive.writestr(f"model/{name}", data)
    return path


def legacy_file(path: Path, pickled: bytes, storages: dict[str, np.ndarray], little: bool = True) -> Path:
    order: Literal["<", ">"] = "<" if little else ">"
    stream = b"".join(
        pickle.dumps(part, 2)
        for part in (0x1950A86A20F9469CFC6C, 1001, {"protocol_version": 1001, "little_endian": little})
    )
    stream += pickled + pickle.dumps(list(storages), 2)
    for data in storages.values():
        stream += struct.pack(f"{order}q", data.size) + data.astype(data.dtype.newbyteorder(order)).tobytes()
    path.write_bytes(stream)
    return path


def safetensors(path: Path, header: object, data: bytes) -> Path:
    text_ = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text_)) + text_ + data)
    return path
