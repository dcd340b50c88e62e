"""Checkpoints made to crash, hang or fill their reader: one error each, within bounds of time, memory and message."""

from __future__ import annotations

import io
import json
import os
import socket
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from pixelgauge import FileError
from pixelgauge.networks.checkpoint import CheckpointError, read_checkpoint, read_hashed
from tests.files.bounded import Outcome, outcomes_of
from tests.networks.checkpoint_files import (
    VALUES,
    global_,
    integer,
    legacy_file,
    safetensors,
    state_dict,
    storage,
    tensor,
    text,
    tuple_,
    zip_file,
)

READER = "pixelgauge.networks.checkpoint:read_checkpoint"
ORDERED_DICT = global_("collections", "OrderedDict")
PROTOCOL = b"\x80\x02"


def put(index: int) -> bytes:
    return b"r" + struct.pack("<I", index)


def get(index: int) -> bytes:
    return b"j" + struct.pack("<I", index)


def memo_bomb(levels: int = 30, wide: int = 10) -> bytes:
    """A tuple of 10 of a tuple of 10 of ... a text, whose text would be longer than any memory."""
    stream = text("boom") + put(0)
    for level in range(levels):
        stream += b"(" + get(level) * wide + b"t" + put(level + 1)
    return stream


def entries(count: int) -> bytes:
    """A dict of so many names."""
    return b"}" + put(7) + b"(" + b"".join(text(str(i)) + b"N" for i in range(count)) + b"u"


PICKLES: dict[str, bytes] = {
    # B1: the C stack
    "a million tuples, each in the next, as a key": b"}" + b")" + b"\x85" * 1_000_000 + b"Ns.",
    "a million tuples, each in the next": b")" + b"\x85" * 1_000_000 + b".",
    "a million lists, each in the next": b"]" * 1_000_000 + b"a" * 999_999 + b".",
    "lists put into their parents before they are filled": b"]" + put(0) + b"".join(
        get(i) + b"]" + put(i + 1) + b"a0" for i in range(150_000)
    ) + get(0) + b".",
    "dicts put into their parents before they are filled": b"}" + put(0) + b"".join(
        get(i) + text("k") + b"}" + put(i + 1) + b"s0" for i in range(100_000)
    ) + get(0) + b".",
    "ordered dicts, each in the next": ORDERED_DICT + put(0) + b"0" + b"}" + b"".join(
        put(1) + get(0) + b"(" + text("k") + get(1) + b"dtR" for _ in range(1)
    ) + b".",
    "a list in itself": b"]" + put(0) + get(0) + b"a.",
    "a dict in itself": b"}" + put(0) + text("k") + get(0) + b"s.",
    "a list as a key": b"}]Ns.",
    "a number as a key": b"}K\x05Ns.",
    "a tuple as a key": b"})Ns.",
    # B2: memory
    "32 MB of dicts": b"}" * (4 << 20) + b".",
    "32 MB of lists": b"]" * (4 << 20) + b".",
    "4 MB of marks": b"(" * (4 << 20) + b".",
    "20,000 copies of a dict of 20,000": entries(20_000) + ORDERED_DICT + put(8) + (
        b"".join(get(8) + get(7) + b"\x85R" for _ in range(20_000)) + b"."
    ),
    "copies of a list of pairs": b"]" + put(7) + b"(" + b"".join(
        b"(" + text(str(i)) + b"Nt" for i in range(10_000)
    ) + b"e" + ORDERED_DICT + put(8) + b"".join(get(8) + get(7) + b"\x85R" for _ in range(10_000)) + b".",
    "a memo of a million names": b"".join(b"N" + put(i) for i in range(500_000)) + b".",
    "a memo index of four thousand million": b"N" + put(2**32 - 1) + b".",
    "a text that claims two gigabytes": b"X\xff\xff\xff\x7fabc",
    "bytes that claim 2^63": b"\x8e" + struct.pack("<Q", 2**63) + b"abc",
    "an integer of two million bits": b"\x8b" + struct.pack("<i", 1 << 18) + bytes((1 << 18) - 1) + b"\x01.",
    "an integer of 200,000 digits": b"L" + b"9" * 200_000 + b"L\n.",
    # B3: memo bombs
    "a memo bomb as a key": b"}" + memo_bomb() + b"Ns.",
    "a memo bomb as a value": b"}" + text("w") + memo_bomb() + b"s.",
    "a memo bomb as a storage's type": tuple_(
        text("storage"), memo_bomb(), text("0"), text("cpu"), integer(24)
    ) + b"Q.",
    "a memo bomb as a storage's key": tuple_(
        text("storage"), global_("torch", "FloatStorage"), memo_bomb(), text("cpu"), integer(24)
    ) + b"Q.",
    "a memo bomb as a persistent id": memo_bomb() + b"Q.",
    "a memo bomb as a global's name": text("torch") + memo_bomb() + b"\x93.",
    "a memo bomb as a global's module": memo_bomb() + text("x") + b"\x93.",
    "a memo bomb as arguments": ORDERED_DICT + memo_bomb() + b"R.",
    "a memo bomb that is called": memo_bomb() + b")R.",
    "a memo bomb as a shape": global_("torch._utils", "_rebuild_tensor_v2") + tuple_(
        storage("0", "FloatStorage", 24), integer(0), memo_bomb(), memo_bomb()
    ) + b"R.",
    "a name of three million characters": b"}" + text("w" * 3_000_000) + b"Ns.",
    "a global's name of three million characters": global_("os", "x" * 3_000_000) + b".",
    "a global's name of line ends": text("os") + text("a\x1b[2J\r" * 1000) + b"\x93.",
    "a storage key of a million characters": tuple_(
        text("storage"), global_("torch", "FloatStorage"), text("9" * 1_000_000), text("cpu"), integer(24)
    ) + b"Q.",
}  # fmt: skip


KINDS = ("zip", "legacy")


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, str], Outcome]:
    """All of them in one process, whose peak of memory begins anew with each."""
    folder = tmp_path_factory.mktemp("pickles")
    paths = {}
    for number, (name, pickled) in enumerate(PICKLES.items()):
        paths[name, "zip"] = zip_file(folder / f"{number}.zip.pth", PROTOCOL + pickled, {"0": VALUES.tobytes()})
        paths[name, "legacy"] = legacy_file(folder / f"{number}.legacy.pth", PROTOCOL + pickled, {"0": VALUES})
    return dict(zip(paths, outcomes_of(READER, paths.values()), strict=True))


@pytest.mark.boundary
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", PICKLES)
def test_hostile_pickles(outcomes: dict[tuple[str, str], Outcome], name: str, kind: str) -> None:
    outcomes[name, kind].require_refused("CheckpointError")


@pytest.mark.property
def test_a_pickle_within_the_limits_is_read(tmp_path: Path) -> None:
    """A state dict of 5000 tensors, five times those of the largest diffusion networks."""
    names = [f"layers.{i}.weight" for i in range(5000)]
    made = b"".join(text(name) + tensor(storage("0", "FloatStorage", 24), (4, 6)) for name in names)
    path = zip_file(tmp_path / "a.pth", PROTOCOL + ORDERED_DICT + b")R(" + made + b"u.", {"0": VALUES.tobytes()})
    assert list(read_checkpoint(path)) == names


# ---- archives -----------------------------------------------------------------------------------------------------


def overlapping(path: Path, members: int, size: int) -> None:
    """A zip whose directory gives one stored member many names."""
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        archive.writestr("m/data.pkl", state_dict(w=tensor(storage("0", "FloatStorage", 24), (24,))))
        archive.writestr("m/data/0", bytes(size))
    whole = data.getvalue()
    start = whole.rindex(b"PK\x01\x02")
    end = whole.index(b"PK\x05\x06")
    entry = whole[start:end]
    directory = whole[whole.index(b"PK\x01\x02") : start]
    directory += b"".join(entry.replace(b"m/data/0", f"m/data/{i}".encode()[:8].ljust(8, b"x")) for i in range(members))
    tail = struct.pack(
        "<4sHHHHIIH", b"PK\x05\x06", 0, 0, members + 1, members + 1, len(directory), whole.index(b"PK\x01\x02"), 0
    )
    path.write_bytes(whole[: whole.index(b"PK\x01\x02")] + directory + tail)


@pytest.mark.boundary
def test_overlapping_stored_members(tmp_path: Path) -> None:
    overlapping(tmp_path / "a.pth", 9, 10 << 20)
    (found,) = outcomes_of(READER, [tmp_path / "a.pth"])
    message = found.require_refused("CheckpointError")
    assert "within another" in message or "claims to hold" in message


@pytest.mark.boundary
@pytest.mark.parametrize("name", ["", ".", "//.", "..", "a/../../b", "\\..\\b"])
def test_members_without_a_place_of_their_own(tmp_path: Path, name: str) -> None:
    with zipfile.ZipFile(tmp_path / "a.pth", "w") as archive:
        archive.writestr("m/data.pkl", state_dict())
        info = zipfile.ZipInfo("x")
        info.filename = name
        archive.writestr(info, b"")
    with pytest.raises(CheckpointError, match="a name of no file within the archive"):
        read_checkpoint(tmp_path / "a.pth")


@pytest.mark.boundary
def test_archive_that_expands(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.npz", "w", zipfile.ZIP_DEFLATED) as archive:
        array = io.BytesIO()
        np.save(array, np.zeros(1 << 22, np.float32))
        for i in range(6):
            archive.writestr(f"w{i}.npy", array.getvalue())
    (found,) = outcomes_of(READER, [tmp_path / "a.npz"])
    assert "claims to hold" in found.require_refused("CheckpointError")


@pytest.mark.boundary
def test_one_storage_of_two_types(tmp_path: Path) -> None:
    """Each type would be a copy of its own where bytes are turned or widened."""
    pickled = state_dict(
        a=tensor(storage("0", "BFloat16Storage", 24), (24,)), b=tensor(storage("0", "HalfStorage", 24), (24,))
    )
    for path in (
        zip_file(tmp_path / "a.pth", pickled, {"0": bytes(48)}),
        legacy_file(tmp_path / "b.pth", pickled, {"0": VALUES.astype(np.float16)}),
    ):
        with pytest.raises(CheckpointError, match="storage '0' is of two types"):
            read_checkpoint(path)


@pytest.mark.boundary
def test_a_storage_that_stands_in_the_stream_twice(tmp_path: Path) -> None:
    pickled = state_dict(w=tensor(storage("0", "FloatStorage", 24, view=b"N"), (24,)))
    path = legacy_file(tmp_path / "a.pth", pickled, {"0": VALUES})
    data = path.read_bytes()
    once = b"\x80\x02]q\x00X\x01\x00\x00\x000q\x01a."
    assert once in data
    path.write_bytes(data.replace(once, b"\x80\x02](X\x01\x00\x00\x000X\x01\x00\x00\x000e."))
    with pytest.raises(CheckpointError, match="storage '0' stands there twice"):
        read_checkpoint(path)


HEADERS = {
    "a broken tuple": "'shape': (4, 2, }",
    "a sum": "'shape': (1+1+1,), }",
    "a sum of 30,000 terms": f"'shape': ({'1+' * 30_000}1,), }}",
    "nested": f"'shape': {'(' * 30_000}",
    "2^70": f"'shape': ({2**70},), }}",
    "1e11 values": "'shape': (100000000000,), }",
    "a negative size": "'shape': (-4,), }",
    "mixed keys": "'shape': (24,), 3: 4, }",
    "a call": "'shape': (len('x'),), }",
    "two shapes": "'shape': (24,), 'shape': (24,), }",
    "a hundred dimensions": f"'shape': ({'1,' * 100}), }}",
}


@pytest.mark.boundary
@pytest.mark.parametrize("name", HEADERS)
@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED], ids=["stored", "deflated"])
def test_npy_headers_within_a_checkpoint(tmp_path: Path, name: str, method: int) -> None:
    text_ = ("{'descr': '<f4', 'fortran_order': False, " + HEADERS[name]).encode()
    member = b"\x93NUMPY\x02\x00" + struct.pack("<I", len(text_)) + text_ + VALUES.tobytes()
    with zipfile.ZipFile(tmp_path / "a.npz", "w", method) as archive:
        archive.writestr("w.npy", member)
    with pytest.raises(CheckpointError, match=r"a\.npz: has a member 'w' that") as caught:
        read_checkpoint(tmp_path / "a.npz")
    assert len(str(caught.value)) <= 2000
    assert caught.value.path == str(tmp_path / "a.npz")


@pytest.mark.boundary
def test_a_flipped_bit_in_either_kind_of_member(tmp_path: Path) -> None:
    for save in (np.savez, np.savez_compressed):
        save(tmp_path / "a.npz", w=np.random.default_rng(0).normal(size=1000).astype(np.float32))
        data = bytearray((tmp_path / "a.npz").read_bytes())
        data[len(data) // 2] ^= 1
        (tmp_path / "a.npz").write_bytes(data)
        with pytest.raises(CheckpointError, match=r"damaged member 'w\.npy'"):
            read_checkpoint(tmp_path / "a.npz")


# ---- safetensors --------------------------------------------------------------------------------------------------


def entry(dtype: object = "F32", shape: object = (24,), offsets: object = (0, 96)) -> dict[str, object]:
    return {"dtype": dtype, "shape": shape, "data_offsets": offsets}


TENSORS: dict[str, object] = {
    "a list as dtype": {"w": entry(dtype=[])},
    "an object as dtype": {"w": entry(dtype={})},
    "a number as dtype": {"w": entry(dtype=4)},
    "shape [0, 2^62]": {"w": entry(shape=[0, 2**62], offsets=[0, 0]), "v": entry()},
    "shape [2^62, 0, 2^62]": {"w": entry(shape=[2**62, 0, 2**62], offsets=[0, 0]), "v": entry()},
    "shape [2^32, 2^32]": {"w": entry(shape=[2**32, 2**32])},
    "shape of texts": {"w": entry(shape=["24"])},
    "shape of flags": {"w": entry(shape=[True, 24])},
    "a text as shape": {"w": entry(shape="24")},
    "fifty dimensions": {"w": entry(shape=[1] * 50 + [24])},
    "offsets that end before they begin": {"w": entry(offsets=[96, 0])},
    "three offsets": {"w": entry(offsets=[0, 96, 96])},
    "offsets of 2^80": {"w": entry(offsets=[2**80, 2**80 + 96])},
    "tensors that overlap": {"w": entry(), "v": entry(shape=[12], offsets=[48, 96])},
    "tensors of the same bytes": {"w": entry(), "v": entry()},
    "a hole": {"w": entry(shape=[12], offsets=[0, 48]), "v": entry(shape=[6], offsets=[72, 96])},
    "bytes after the last": {"w": entry(shape=[12], offsets=[0, 48])},
    "bytes before the first": {"w": entry(shape=[12], offsets=[48, 96])},
    "metadata of numbers": {"__metadata__": {"a": 1}, "w": entry()},
    "metadata that is a list": {"__metadata__": [], "w": entry()},
    "an entry that is a list": {"w": [1]},
    "a name of control characters": {"\x1b[2J\n" * 3000: entry(dtype=[])},
}


@pytest.mark.boundary
@pytest.mark.parametrize("name", TENSORS)
def test_safetensors_entries(tmp_path: Path, name: str) -> None:
    require_one_error(safetensors(tmp_path / "a.safetensors", TENSORS[name], VALUES.tobytes()))


RAW_HEADERS: dict[str, bytes] = {
    "an integer of 4300 digits": b'{"w": {"dtype": "F32", "shape": [' + b"9" * 4301 + b'], "data_offsets": [0, 96]}}',
    "an integer of 400 digits": b'{"w": {"dtype": "F32", "shape": [' + b"9" * 400 + b'], "data_offsets": [0, 96]}}',
    "deep lists": b'{"w": ' + b"[" * 100_000 + b"}",
    "deep objects": b'{"w":' * 100_000,
    "two tensors of one name": b'{"w": %s, "w": %s}' % ((json.dumps(entry()).encode(),) * 2),
    "NaN": b'{"w": {"dtype": "F32", "shape": [NaN], "data_offsets": [0, 96]}}',
    "1e3": b'{"w": {"dtype": "F32", "shape": [2.4e1], "data_offsets": [0, 96]}}',
    "no UTF-8": b'{"\xff\xfe": 3}',
    "bytes after the object": json.dumps({"w": entry()}).encode() + b" x",
    "2 MiB of objects": b'{"__metadata__": {}, "w": [' + b"{}," * 690_000 + b"{}]}",
    "8 MiB": b'{"w": "' + b"x" * (8 << 20) + b'"}',
}


@pytest.mark.boundary
def test_safetensors_headers(tmp_path: Path) -> None:
    paths = []
    for number, header in enumerate(RAW_HEADERS.values()):
        paths.append(tmp_path / f"{number}.safetensors")
        paths[-1].write_bytes(struct.pack("<Q", len(header)) + header + VALUES.tobytes())
    for found in outcomes_of(READER, paths):
        found.require_refused("CheckpointError")


@pytest.mark.boundary
def test_safetensors_header_that_claims_more_than_there_is(tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    for length in (2**63, 2**64 - 1, 500):
        path.write_bytes(struct.pack("<Q", length) + json.dumps({"w": entry()}).encode() + VALUES.tobytes())
        require_one_error(path)


@pytest.mark.property
def test_safetensors_without_values_and_in_any_order(tmp_path: Path) -> None:
    header = {
        "last": entry(shape=[12], offsets=[48, 96]),
        "first": entry(shape=[3, 4], offsets=[0, 48]),
        "empty": entry(shape=[0, 2**40], offsets=[48, 48]),
        "scalar": entry(dtype="U8", shape=[], offsets=[96, 97]),
    }
    found = read_checkpoint(safetensors(tmp_path / "a.safetensors", header, VALUES.tobytes() + b"\x07"))
    np.testing.assert_array_equal(found["first"], VALUES[:12].reshape(3, 4))
    np.testing.assert_array_equal(found["last"], VALUES[12:])
    assert found["empty"].shape == (0, 2**40)
    assert found["scalar"] == 7


@pytest.mark.parity
def test_safetensors_refuses_what_its_own_package_refuses(tmp_path: Path) -> None:
    package = pytest.importorskip("safetensors.numpy", reason="the safetensors package is not installed")
    for name, header in TENSORS.items():
        path = safetensors(tmp_path / "a.safetensors", header, VALUES.tobytes())
        try:
            package.load_file(path)
        except Exception:
            with pytest.raises(CheckpointError):
                read_checkpoint(path)
        else:  # NumPy's own limit is 64
            assert name == "fifty dimensions"


def require_one_error(path: Path) -> None:
    with pytest.raises(CheckpointError) as caught:
        read_checkpoint(path)
    assert isinstance(caught.value, FileError)
    assert caught.value.path == str(path)
    assert caught.value.reason
    assert len(str(caught.value)) <= 2000
    assert str(caught.value).isprintable()


# ---- shapes -------------------------------------------------------------------------------------------------------


@pytest.mark.boundary
@pytest.mark.parametrize(
    ("shape", "strides"),
    [
        ((2**62, 2**62), (0, 0)),
        ((2**31, 2**31, 2**31), (0, 0, 0)),
        ((0, 2**62), (1, 1)),
        ((2**61,), (0,)),
        ((2, 2**62), (2**62, 0)),
    ],
)
def test_shapes_whose_sizes_overflow(tmp_path: Path, shape: tuple[int, ...], strides: tuple[int, ...]) -> None:
    pickled = state_dict(w=tensor(storage("0", "FloatStorage", 24), shape, strides))
    require_one_error(zip_file(tmp_path / "a.pth", pickled, {"0": VALUES.tobytes()}))


@pytest.mark.property
def test_strides_that_are_never_taken_may_be_of_any_size(tmp_path: Path) -> None:
    pickled = state_dict(
        w=tensor(storage("0", "FloatStorage", 24), (1, 24, 1), (2**62, 1, 2**62)),
        empty=tensor(storage("0", "FloatStorage", 24), (0, 5), (5, 1)),
    )
    found = read_checkpoint(zip_file(tmp_path / "a.pth", pickled, {"0": VALUES.tobytes()}))
    np.testing.assert_array_equal(found["w"], VALUES.reshape(1, 24, 1))
    assert found["empty"].shape == (0, 5)


# ---- what is no file ----------------------------------------------------------------------------------------------


def fifo(path: Path) -> None:
    os.mkfifo(path)


def device(path: Path) -> None:
    path.symlink_to("/dev/zero")


def terminal(path: Path) -> None:
    path.symlink_to("/dev/tty")


def unix_socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))


@pytest.mark.boundary
@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
@pytest.mark.parametrize("make", [fifo, device, unix_socket])
def test_what_is_no_regular_file(tmp_path: Path, make: Callable[[Path], None]) -> None:
    make(tmp_path / "a.pth")
    (found,) = outcomes_of(READER, [tmp_path / "a.pth"], seconds=20)
    assert found.error == "CheckpointError"
    assert "only regular files are read" in found.message


@pytest.mark.boundary
def test_folders_and_absent_files_are_the_systems_errors(tmp_path: Path) -> None:
    with pytest.raises(IsADirectoryError, match=str(tmp_path)):
        read_checkpoint(tmp_path)
    with pytest.raises(FileNotFoundError, match="absent"):
        read_checkpoint(tmp_path / "absent")
    with pytest.raises(CheckpointError, match="null"):
        read_checkpoint(str(tmp_path / "a\0b"))


# ---- sound files --------------------------------------------------------------------------------------------------


@pytest.mark.property
@pytest.mark.parametrize("kind", ["zip", "legacy", "npz", "safetensors"])
def test_a_sound_file_is_held_once(tmp_path: Path, kind: str) -> None:
    """64 MiB of weights: beyond the interpreter's own 35 MB there is the file, once."""
    values = np.random.default_rng(0).standard_normal(16 << 20, np.float32)
    path = tmp_path / "a"
    pickled = state_dict(w=tensor(storage("0", "FloatStorage", values.size, view=b"N"), (values.size,)))
    if kind == "zip":
        zip_file(path, pickled, {"0": values.tobytes()})
    elif kind == "legacy":
        legacy_file(path, pickled, {"0": values})
    elif kind == "npz":
        with path.open("wb") as file:
            np.savez(file, w=values)
    else:
        safetensors(path, {"w": entry(shape=[values.size], offsets=[0, values.nbytes])}, values.tobytes())
    (found,) = outcomes_of(READER, [path])
    assert found.error is None
    assert found.peak <= 1.5 * values.nbytes + (40 << 20)
    np.testing.assert_array_equal(read_checkpoint(path)["w"], values)


@pytest.mark.property
def test_the_hash_is_of_the_bytes_that_were_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import hashlib

    from pixelgauge.networks import checkpoint as checkpoints

    pickled = state_dict(w=tensor(storage("0", "FloatStorage", 24), (24,)))
    path = zip_file(tmp_path / "a.pth", pickled, {"0": VALUES.tobytes()})
    before = path.read_bytes()
    plain = checkpoints.read_regular

    def changed_after(name, **arguments):
        data = plain(name, **arguments)
        zip_file(path, pickled, {"0": (VALUES + 1).tobytes()})
        return data

    monkeypatch.setattr(checkpoints, "read_regular", changed_after)
    found = read_hashed(path)
    assert found.sha256 == hashlib.sha256(before).hexdigest()
    np.testing.assert_array_equal(found.tensors["w"], VALUES)
