"""State dicts (PyTorch's zip and legacy streams, safetensors, .npz): tensors of numbers within the file's bytes."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import Any

import numpy as np
import safetensors.numpy

from .. import formats, readers
from ..mutations import blind
from ..target import Target, placed
from .arrays import npz_mutations, same


def _read(data: bytes) -> Any:
    return readers.read_checkpoint(placed(data, "weights.pth"))


def _small(array: Any) -> bool:
    return bool(array.size <= 1 << 16)


def _same(a: Any, b: Any) -> bool:
    return list(a) == list(b) and all(
        a[k].dtype == b[k].dtype and a[k].shape == b[k].shape and (not _small(a[k]) or a[k].tobytes() == b[k].tobytes())
        for k in a
    )


def _right(tensors: Any, data: bytes) -> None:
    for name, tensor in tensors.items():
        assert type(name) is str
        assert type(tensor) is np.ndarray
        assert tensor.dtype.kind in "fiub", tensor.dtype
        assert not tensor.flags.writeable
        if tensor.size:  # the corners are there: reading them would end the process if they were not
            tensor[(0,) * tensor.ndim], tensor[(-1,) * tensor.ndim]
            if _small(tensor):
                tensor.tobytes()


def _right_safetensors(tensors: Any, data: bytes) -> None:
    _right(tensors, data)
    if data[8:9] != b"{":
        return
    try:
        others = safetensors.numpy.load(data)
    except Exception:  # its own reader has other rules: what it refuses says nothing
        return
    assert others.keys() == tensors.keys()
    for name, other in others.items():
        if other.dtype == tensors[name].dtype:
            assert same(other, tensors[name]), name


def _zip_member(name: str, data: bytes, rng: Random, others: Sequence[bytes]) -> bytes:
    if name.endswith(".pkl"):
        return formats.pickled(data, rng, (), 1)
    return blind(data, rng)


TARGETS = [
    Target("pth-zip", _read, _right, formats.zip_mutations(_zip_member), readers.CHECKPOINT, _same),
    Target("pth-legacy", _read, _right, formats.pickled, readers.CHECKPOINT, _same),
    Target("pth-npz", _read, _right, npz_mutations, readers.CHECKPOINT, _same),
    Target("safetensors", _read, _right_safetensors, formats.safetensors, readers.CHECKPOINT, _same),
]
