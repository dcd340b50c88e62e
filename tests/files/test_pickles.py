"""Pickles of arrays, read without running anything: every protocol that Python writes, and what is refused by name."""

from __future__ import annotations

import os
import pickle
import struct
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pixelgauge.files.pickles import MOST_NESTING, MOST_OPCODES, read_arrays_pickle
from pixelgauge.files.reading import FileError
from tests.files.bounded import Outcome, outcomes_of
from tests.files.payload import Payload

READER = "pixelgauge.files.pickles:read_arrays_pickle"


@pytest.fixture
def statistics(rng: np.random.Generator) -> dict[str, Any]:
    return {
        "fid": {"mu": rng.normal(size=64), "sigma": rng.normal(size=(64, 64))},
        "fd_dinov2": {"mu": rng.normal(size=8).astype(np.float32), "sigma": np.asfortranarray(rng.normal(size=(8, 8)))},
        "counts": {"images": np.int64(50_000), "rate": np.float64(0.25), "flag": True, "none": None, "name": "ünïcode"},
        "empty": np.zeros((0, 3)),
        "scalar": np.array(2.5),
        "big-endian": np.arange(5, dtype=">f8"),
        "bytes": np.arange(256, dtype=np.uint8),
        "flags": np.array([True, False]),
        "strided": np.arange(20.0)[::2],
        "ordered": OrderedDict(a=1, b=np.arange(3)),
        "integer": -(2**63),
        "float": 1e300,
    }


def same(found: Any, expected: Any) -> None:
    if isinstance(expected, dict):
        assert list(found) == list(expected)
        for name in expected:
            same(found[name], expected[name])
    elif isinstance(expected, np.ndarray):
        assert found.dtype == expected.dtype
        np.testing.assert_array_equal(found, expected)
        assert not found.flags.writeable
    else:
        assert found == expected
        assert type(found) in (type(expected), int, float)


def written(path: Path, value: object, protocol: int = 4) -> Path:
    path.write_bytes(pickle.dumps(value, protocol))
    return path


@pytest.mark.oracle
@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_every_protocol(statistics: dict[str, Any], tmp_path: Path, protocol: int) -> None:
    same(read_arrays_pickle(written(tmp_path / "a.pkl", statistics, protocol)), statistics)


@pytest.mark.oracle
@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
@pytest.mark.parametrize("dtype", ["f2", "f4", "f8", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "?"])
def test_every_dtype(rng: np.random.Generator, tmp_path: Path, protocol: int, dtype: str) -> None:
    value = {"a": rng.integers(0, 2, (3, 4)).astype(dtype), "s": np.dtype(dtype).type(1)}
    found = read_arrays_pickle(written(tmp_path / "a.pkl", value, protocol))
    same(found["a"], value["a"])
    assert found["s"] == 1


@pytest.mark.oracle
@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_names_of_numpy_1(statistics: dict[str, Any], tmp_path: Path, protocol: int) -> None:
    data = pickle.dumps(statistics["fid"], protocol)
    if protocol == 4:  # numpy._core.x is two characters longer, which its length tells
        data = data.replace(b"\x8c\x16numpy._core.multiarray", b"\x8c\x15numpy.core.multiarray")
        data = data[:2] + b"" + data[11:]  # without the frame's length
    elif protocol == 5:
        data = data.replace(b"\x8c\x13numpy._core.numeric", b"\x8c\x12numpy.core.numeric")
        data = data[:2] + data[11:]
    else:
        data = data.replace(b"numpy._core", b"numpy.core")
    assert b"numpy._core" not in data
    (tmp_path / "a.pkl").write_bytes(data)
    same(read_arrays_pickle(tmp_path / "a.pkl"), statistics["fid"])


@pytest.mark.property
def test_one_array_in_many_places_is_held_once(rng: np.random.Generator, tmp_path: Path) -> None:
    one = rng.normal(size=(50, 50))
    found = read_arrays_pickle(written(tmp_path / "a.pkl", {"a": one, "b": {"c": one}}))
    assert np.shares_memory(found["a"], found["b"]["c"])


@pytest.mark.boundary
@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_a_pickle_that_calls_something_is_named_and_not_run(tmp_path: Path, protocol: int) -> None:
    path = written(tmp_path / "a.pkl", {"mu": Payload(os.mkdir, str(tmp_path / "witness"))}, protocol)
    with pytest.raises(FileError, match=rf"asks for {os.mkdir.__module__}\.mkdir, which no file of arrays needs"):
        read_arrays_pickle(path)
    assert not (tmp_path / "witness").exists()


@pytest.mark.boundary
@pytest.mark.parametrize(
    ("value", "match"),
    [
        ([1, 2], "is a pickle of a list, and a dict of arrays is wanted"),
        (np.ones(3), "is a pickle of a Array"),
        ({"a": [1, 2]}, "'a' is a list"),
        ({"a": {"b": (1, 2)}}, "'b' is a tuple"),
        ({3: 1}, "a key is a int, not a name"),
        ({(1, 2): 1}, "a key is a tuple, not a name"),
        ({"a": np.array([{}], object)}, "dtype 'O8'"),
        ({"a": np.array(["text"])}, "dtype 'U4'"),
        ({"a": np.ones(3, complex)}, "dtype 'c16'"),
        ({"a": np.zeros(3, "M8[s]")}, "dtype 'M8'"),
        ({"a": np.zeros(3, [("x", "f4")])}, "dtype 'V4'"),
        ({"a": np.ma.masked_array([1.0, 2.0], [True, False])}, r"asks for numpy\.ma"),
        ({"a": 2**200}, "an integer of 201 bits"),
        ({"a": {1, 2}}, "opcode EMPTY_SET|asks for"),
        ({"a": Path("x")}, r"asks for pathlib"),
        ({f"k{i}": None for i in range(10_001)}, "more than 10000 values"),
    ],
    ids=lambda value: value if isinstance(value, str) else type(value).__name__,
)
def test_what_is_no_dict_of_arrays(tmp_path: Path, value: object, match: str) -> None:
    for protocol in (2, 4):
        with pytest.raises(FileError, match=match) as caught:
            read_arrays_pickle(written(tmp_path / "a.pkl", value, protocol))
        assert caught.value.path == str(tmp_path / "a.pkl")


@pytest.mark.boundary
def test_nesting(tmp_path: Path) -> None:
    value: dict[str, Any] = {}
    for _ in range(MOST_NESTING - 1):
        value = {"d": value}
    read_arrays_pickle(written(tmp_path / "a.pkl", value))
    with pytest.raises(FileError, match="nests more than 100 levels deep"):
        read_arrays_pickle(written(tmp_path / "a.pkl", {"d": value}))


@pytest.mark.boundary
def test_more_after_the_end(tmp_path: Path) -> None:
    path = written(tmp_path / "a.pkl", {"a": 1})
    path.write_bytes(path.read_bytes() + b"more")
    with pytest.raises(FileError, match="holds 4 bytes more"):
        read_arrays_pickle(path)


def forged(**changes: Any) -> bytes:
    """Pickle of an array by its state, any part of which is something else."""
    state = {"version": 1, "shape": (3,), "dtype": np.dtype("f8"), "fortran": False, "data": bytes(24), **changes}

    class Forged:
        def __reduce__(self) -> Any:
            from numpy._core.multiarray import _reconstruct

            return _reconstruct, (np.ndarray, (0,), b"b"), tuple(state.values())

    return pickle.dumps({"a": Forged()}, 3)


ENCODE = b"c_codecs\nencode\n"
HOSTILE: dict[str, bytes] = {
    "too few bytes": forged(data=bytes(16)),
    "too many bytes": forged(data=bytes(32)),
    "no bytes": forged(data=[1.0, 2.0, 3.0]),
    "a text as data": forged(data="x" * 24),
    "a negative shape": forged(shape=(-3,)),
    "a shape of 2^70": forged(shape=(2**70,)),
    "a shape that overflows": forged(shape=(2**32, 2**32, 0), data=b""),
    "a shape of 2^62 beside 0": forged(shape=(0, 2**62), data=b""),
    "a list as shape": forged(shape=[3]),
    "fifty dimensions": forged(shape=(1,) * 50 + (3,)),
    "a text as dtype": forged(dtype="f8"),
    "an array as dtype": forged(dtype=np.ones(3)),
    "an array filled twice": forged()[:-2] + b"}b" + forged()[-2:],
    "an array without state": b"\x80\x03}X\x01\x00\x00\x00acnumpy._core.multiarray\n_reconstruct\n"
    b"cnumpy\nndarray\nK\x00\x85C\x01b\x87Rs.",
    "a subclass": b"\x80\x03cnumpy._core.multiarray\n_reconstruct\n(cnumpy\ndtype\nK\x00\x85C\x01btR.",
    "a dtype of ten million characters": b"\x80\x03cnumpy\ndtype\nX" + struct.pack("<I", 10**7) + b"f" * 10**7 + b"\x85R.",
    "a number of the wrong size": b"\x80\x03cnumpy._core.multiarray\nscalar\ncnumpy\ndtype\nX\x02\x00\x00\x00f8\x85RC\x03abc\x86R.",
    "two megabytes of text, made bytes 60,000 times": b"\x80\x03X" + struct.pack("<I", 2 << 20) + b"x" * (2 << 20)
    + b"q\x00X\x06\x00\x00\x00latin1q\x01" + ENCODE + b"q\x02" + b"h\x02h\x00h\x01\x86R" * 60_000 + b".",
    "a dict that doubles a hundred times": b"\x80\x03}" + b"".join(
        b"r" + struct.pack("<I", i) + b"}(X\x01\x00\x00\x00aj" + struct.pack("<I", i)
        + b"X\x01\x00\x00\x00bj" + struct.pack("<I", i) + b"u" for i in range(90)
    ) + b".",
    "a million dicts": b"\x80\x03" + b"}" * (MOST_OPCODES + 1) + b".",
    "out of band buffers": b"\x80\x05\x97.",
    "an extension": b"\x80\x02\x82\x01.",
    "an object made by NEWOBJ": b"\x80\x02cnumpy\nndarray\n)\x81.",
    "an object made by INST": b"(inumpy\nndarray\n.",
    "a persistent id": b"\x80\x02X\x01\x00\x00\x00aQ.",
    "a persistent name": b"Pname\n.",
    "nothing": b"",
    "a global without a name": b"\x80\x02cnumpy\n.",
    "text of an unknown escape": b"V\\u12\n.",
}  # fmt: skip


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Outcome]:
    folder = tmp_path_factory.mktemp("pickles")
    paths = []
    for number, data in enumerate(HOSTILE.values()):
        paths.append(folder / f"{number}.pkl")
        paths[-1].write_bytes(data)
    return dict(zip(HOSTILE, outcomes_of(READER, paths), strict=True))


@pytest.mark.boundary
@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_pickles(outcomes: dict[str, Outcome], name: str) -> None:
    outcomes[name].require_refused("FileError")


@pytest.mark.property
@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_damaged_bytes_never_raise_anything_else(tmp_path: Path, protocol: int) -> None:
    small = {"fid": {"mu": np.arange(4.0), "sigma": np.ones((2, 2), np.float32)}, "n": np.int64(3), "s": "x"}
    source = pickle.dumps(small, protocol)
    rng = np.random.default_rng(protocol)
    path = tmp_path / "damaged.pkl"
    refused = 0
    for _ in range(400):
        data = bytearray(source)
        for at in rng.integers(0, len(data), rng.integers(1, 5)):
            data[at] = rng.integers(0, 256)
        if rng.random() < 0.2:
            data = data[: rng.integers(0, len(data))]
        path.write_bytes(data)
        try:
            found = read_arrays_pickle(path)
        except FileError as error:
            refused += str(path) in str(error)
        else:
            assert type(found) is dict
    assert refused > 150


@pytest.mark.property
@pytest.mark.parametrize("protocol", [2, 4, 5])
def test_statistics_of_a_real_size_are_held_once(rng: np.random.Generator, tmp_path: Path, protocol: int) -> None:
    value = {"fid": {"mu": np.zeros(2048), "sigma": rng.normal(size=(2048, 2048))}}
    path = written(tmp_path / "a.pkl", value, protocol)
    (found,) = outcomes_of(READER, [path])
    assert found.error is None, found
    found.require_peak()
    same(read_arrays_pickle(path), value)
