"""``.npy`` and ``.npz``: what is read is what NumPy reads, and never objects."""

from __future__ import annotations

import io
import warnings
import zipfile
from typing import Any

import numpy as np

from pixelgauge.files.archive import read_arrays, write_arrays
from pixelgauge.files.npy import parse_npy

from .. import formats
from ..target import Target


def same(a: Any, b: Any) -> bool:
    """Whether two arrays have one type, shape and bytes."""
    return a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()


def same_arrays(a: Any, b: Any) -> bool:
    """Likewise for arrays by name."""
    return list(a) == list(b) and all(same(a[name], b[name]) for name in a)


def require_plain(array: Any, most: int) -> None:
    """Raise unless an array holds plain values, and no more of them than there are bytes."""
    assert not array.dtype.hasobject, array.dtype
    assert array.nbytes == array.size * array.dtype.itemsize <= most, array.shape


def numpy_reads(data: bytes) -> Any:
    """Array as NumPy reads it; None if it does not, or as nothing plain."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # headers of Python 2
            return np.lib.format.read_array(io.BytesIO(data), allow_pickle=False, max_header_size=1 << 16)
    except Exception:  # whatever it may be
        return None


def _right(array: Any, data: bytes) -> None:
    require_plain(array, len(data))
    other = numpy_reads(data)
    assert other is not None, "NumPy does not read it"
    assert same(array, other), f"NumPy reads {other.shape} of {other.dtype}"
    again = io.BytesIO()
    np.save(again, array)
    assert same(parse_npy(io.BytesIO(again.getvalue()), len(again.getvalue()), "again"), array)


def _right_archive(arrays: Any, data: bytes) -> None:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        for name, array in arrays.items():
            member = archive.read(f"{name}.npy")
            require_plain(array, len(member))
            assert same(array, numpy_reads(member)), name
    buffer = io.BytesIO()
    if all("\\" not in name for name in arrays):
        write_arrays(buffer, arrays)
        assert same_arrays(read_arrays(buffer, "again"), arrays)


npz_mutations = formats.zip_mutations(lambda name, data, rng, others: formats.npy(data, rng))

TARGETS = [
    Target("npy", lambda data: parse_npy(io.BytesIO(data), len(data), "data"), _right, formats.npy, same=same),
    Target("npz", lambda data: read_arrays(io.BytesIO(data), "data"), _right_archive, npz_mutations, same=same_arrays),
]
