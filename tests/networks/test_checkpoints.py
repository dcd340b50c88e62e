"""The checkpoint reader on files made here, opcode by opcode, without PyTorch; hostile ones are refused by name."""

from __future__ import annotations

import io
import json
import os
import pickle
import struct
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pixelgauge.networks.checkpoint import CheckpointError, read_checkpoint
from tests.files.payload import Payload
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
from tests.places import SHARED, needs_shared

# ---- what is read -------------------------------------------------------------------------------------------------


@pytest.mark.oracle
def test_zip_with_shared_storage_strides_and_device_tags(tmp_path: Path) -> None:
    source = storage("0", "FloatStorage", 24, device="cuda:3")
    pickled = state_dict(
        whole=tensor(source, (4, 6)),
        turned=tensor(source, (6, 4), (1, 6)),
        corner=tensor(source, (2, 3), (6, 1), offset=7),
        scalar=tensor(source, (), offset=5),
        repeated=tensor(source, (3, 2), (0, 1)),
    )
    tensors = read_checkpoint(zip_file(tmp_path / "a.pth", pickled, {"0": VALUES.tobytes()}, byteorder=b"little"))
    grid = VALUES.reshape(4, 6)
    assert list(tensors) == ["whole", "turned", "corner", "scalar", "repeated"]
    np.testing.assert_array_equal(tensors["whole"], grid)
    np.testing.assert_array_equal(tensors["turned"], grid.T)
    np.testing.assert_array_equal(tensors["corner"], grid[1:3, 1:4])
    np.testing.assert_array_equal(tensors["scalar"], 5)
    np.testing.assert_array_equal(tensors["repeated"], [[0, 1]] * 3)
    assert np.shares_memory(tensors["whole"], tensors["turned"])
    assert not tensors["whole"].flags.writeable


@pytest.mark.oracle
@pytest.mark.parametrize("little", [True, False])
def test_legacy_stream_with_views_and_either_byte_order(tmp_path: Path, little: bool) -> None:
    view = tuple_(text("v"), integer(4), integer(20))
    pickled = state_dict(
        plain=tensor(storage("7", "FloatStorage", 24, "cuda:0", view=b"N"), (4, 6)),
        viewed=tensor(storage("7", "FloatStorage", 24, "cuda:0", view=view), (2, 2), offset=1),
        counts=tensor(storage("8", "LongStorage", 2, view=b"N"), (2,)),
    )
    counts = np.array([3, -(2**40)])
    tensors = read_checkpoint(legacy_file(tmp_path / "a.pth", pickled, {"7": VALUES, "8": counts}, little))
    np.testing.assert_array_equal(tensors["plain"], VALUES.reshape(4, 6))
    np.testing.assert_array_equal(tensors["viewed"], [[5, 6], [7, 8]])
    np.testing.assert_array_equal(tensors["counts"], counts)
    assert tensors["plain"].dtype == np.float32


@pytest.mark.oracle
def test_big_endian_zip(tmp_path: Path) -> None:
    pickled = state_dict(w=tensor(storage("0", "FloatStorage", 24), (24,)))
    path = zip_file(tmp_path / "a.pth", pickled, {"0": VALUES.astype(">f4").tobytes()}, byteorder=b"big")
    np.testing.assert_array_equal(read_checkpoint(path)["w"], VALUES)


@pytest.mark.oracle
@pytest.mark.parametrize(
    ("kind", "dtype"),
    [
        ("DoubleStorage", "f8"),
        ("HalfStorage", "f2"),
        ("IntStorage", "i4"),
        ("ShortStorage", "i2"),
        ("CharStorage", "i1"),
        ("ByteStorage", "u1"),
        ("BoolStorage", "?"),
    ],
)
def test_storage_types(tmp_path: Path, kind: str, dtype: str) -> None:
    values = np.array([0, 1, 1, 0]).astype(dtype)
    path = zip_file(tmp_path / "a.pth", state_dict(w=tensor(storage("0", kind, 4), (4,))), {"0": values.tobytes()})
    read = read_checkpoint(path)["w"]
    np.testing.assert_array_equal(read, values)
    assert read.dtype == dtype


@pytest.mark.oracle
def test_bfloat16_widens_exactly(tmp_path: Path) -> None:
    exact = np.array([1.0, -0.15625, 3.0e38, 0.0], np.float32)
    halves = (exact.view(np.uint32) >> 16).astype(np.uint16)
    path = zip_file(
        tmp_path / "a.pth", state_dict(w=tensor(storage("0", "BFloat16Storage", 4), (4,))), {"0": halves.tobytes()}
    )
    np.testing.assert_array_equal(read_checkpoint(path)["w"].view(np.uint32), halves.astype(np.uint32) << 16)


@pytest.mark.oracle
def test_parameters_and_empty_tensors(tmp_path: Path) -> None:
    source = tensor(storage("0", "FloatStorage", 24), (24,))
    parameter = global_("torch._utils", "_rebuild_parameter") + tuple_(source, b"\x88", b"N") + b"R"
    pickled = state_dict(p=parameter, empty=tensor(storage("0", "FloatStorage", 24), (0,)))
    tensors = read_checkpoint(zip_file(tmp_path / "a.pth", pickled, {"0": VALUES.tobytes()}))
    np.testing.assert_array_equal(tensors["p"], VALUES)
    assert tensors["empty"].size == 0


@pytest.mark.oracle
@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_npz(tmp_path: Path, save: Any) -> None:
    save(tmp_path / "a.npz", w=VALUES.reshape(4, 6), n=np.int64(3))
    tensors = read_checkpoint(tmp_path / "a.npz")
    np.testing.assert_array_equal(tensors["w"], VALUES.reshape(4, 6))
    assert tensors["n"] == 3


@pytest.mark.oracle
def test_safetensors(tmp_path: Path) -> None:
    header = {
        "__metadata__": {"format": "pt"},
        "w": {"dtype": "F32", "shape": [4, 6], "data_offsets": [0, 96]},
        "b": {"dtype": "BF16", "shape": [2], "data_offsets": [96, 100]},
    }
    tensors = read_checkpoint(safetensors(tmp_path / "a.safetensors", header, VALUES.tobytes() + b"\x80\x3f\x00\xc0"))
    np.testing.assert_array_equal(tensors["w"], VALUES.reshape(4, 6))
    np.testing.assert_array_equal(tensors["b"], [1.0, -2.0])


@pytest.mark.property
def test_safetensors_whose_length_looks_like_a_pickle(tmp_path: Path) -> None:
    header = {"w": {"dtype": "F32", "shape": [24], "data_offsets": [0, 96]}, "__metadata__": {"padding": ""}}
    header["__metadata__"]["padding"] = "x" * (128 - len(json.dumps(header)))
    path = safetensors(tmp_path / "a.safetensors", header, VALUES.tobytes())
    assert path.read_bytes()[:2] == b"\x80\x00"
    np.testing.assert_array_equal(read_checkpoint(path)["w"], VALUES)


@pytest.mark.parity
def test_safetensors_of_its_own_package(tmp_path: Path) -> None:
    package = pytest.importorskip("safetensors.numpy", reason="the safetensors package is not installed")
    package.save_file({"w": VALUES, "h": VALUES.astype(np.float16)}, tmp_path / "a.safetensors")
    tensors = read_checkpoint(tmp_path / "a.safetensors")
    np.testing.assert_array_equal(tensors["w"], VALUES)
    np.testing.assert_array_equal(tensors["h"], VALUES)


@pytest.mark.parity
@needs_shared("weights")
def test_official_files() -> None:
    heads = read_checkpoint(SHARED / "weights" / "lpips_v0.1_alex.pth")
    assert {name: tensor.shape for name, tensor in heads.items()} == {
        f"lin{i}.model.1.weight": (1, width, 1, 1) for i, width in enumerate((64, 192, 384, 256, 256))
    }
    features = read_checkpoint(SHARED / "weights" / "alexnet_features.pth")
    # The sum that PyTorch finds, in float64.
    assert float(features["features.0.bias"].astype(np.float64).sum()) == pytest.approx(-24.774700, abs=1e-5)


# ---- what is refused ----------------------------------------------------------------------------------------------


def refuses(path: Path, match: str) -> None:
    with pytest.raises(CheckpointError, match=match) as caught:
        read_checkpoint(path)
    assert str(path) in str(caught.value)


@pytest.mark.boundary
@pytest.mark.parametrize("protocol", [0, 1, 2, 4])
def test_a_pickle_that_calls_something_is_named_and_not_run(tmp_path: Path, protocol: int) -> None:
    witness = tmp_path / "witness"
    pickled = pickle.dumps({"w": Payload(os.mkdir, str(witness))}, protocol)
    refuses(zip_file(tmp_path / "a.pth", pickled, {}), rf"asks for {os.mkdir.__module__}\.mkdir")
    assert not witness.exists()


@pytest.mark.boundary
@pytest.mark.parametrize(
    "name", ["builtins eval", "builtins getattr", "torch load", "torch.jit load", "numpy.core.multiarray _reconstruct"]
)
def test_other_globals_are_refused_by_name(tmp_path: Path, name: str) -> None:
    refuses(zip_file(tmp_path / "a.pth", global_(*name.split(" ")) + b".", {}), name.replace(" ", r"\."))


@pytest.mark.boundary
@pytest.mark.parametrize(
    ("pickled", "match"),
    [
        (b"(ios\nsystem\n.", r"os\.system"),
        (b"\x80\x02" + global_("collections", "OrderedDict") + b")\x81.", "NEWOBJ"),
        (b"\x80\x02\x82\x01.", "EXT1"),
        (b"\x80\x02" + text("a") + b")R.", "calls str"),
        (b"\x80\x02" + global_("torch", "FloatStorage") + b")R.", "torch.FloatStorage"),
        (b"\x80\x02" + global_("torch._utils", "_rebuild_tensor_v2") + b")R.", "_rebuild_tensor_v2"),
        (b"\x80\x02" + tuple_(text("module"), text("x")) + b"Q.", "persistent id"),
        (b"\x80\x02K\x01.", "holds a int"),
        (b"\x80\x02}" + text("w") + b"K\x01s.", "'w' is a int, not a tensor"),
        (b"\x80\x02}K\x05K\x01s.", "is a int, not a name"),
        (b"\x80\x02]" + text("w") + b"K\x01s.", "fills a list"),
        (b"\x80\x02}]K\x01s.", "damaged"),
        (b"\x80\x02", "damaged or truncated"),
        (b"\x80\x02t.", "damaged or truncated"),
        (b"\x80\x02h\x05.", "damaged or truncated"),
        (b"\x80\x02X\xff\xff\xff\x7f", "damaged or truncated"),
        (b"\x80\x02Nr\xff\xff\xff\xff.", "holds a NoneType"),  # a memo index that makes other readers allocate 34 GB
        (b"", "damaged or truncated|without STOP"),
    ],
)
def test_forged_pickles(tmp_path: Path, pickled: bytes, match: str) -> None:
    refuses(zip_file(tmp_path / "a.pth", pickled, {}), match)


@pytest.mark.boundary
@pytest.mark.parametrize(
    ("identifier", "match"),
    [
        (tuple_(text("storage"), text("FloatStorage"), text("0"), text("cpu"), integer(24)), "unknown type: 'FloatSto"),
        (tuple_(text("storage"), global_("torch", "QStorage"), text("0"), text("cpu"), integer(24)), "torch.QStorage"),
        (
            tuple_(text("storage"), global_("torch", "FloatStorage"), integer(0), text("cpu"), integer(24)),
            "key is a int",
        ),
        (
            tuple_(
                text("storage"),
                global_("torch", "FloatStorage"),
                text("0"),
                text("cpu"),
                integer(24),
                tuple_(text("v")),
            ),
            "view that is not",
        ),
    ],
)
def test_forged_storages(tmp_path: Path, identifier: bytes, match: str) -> None:
    refuses(
        zip_file(tmp_path / "a.pth", state_dict(w=tensor(identifier + b"Q", (24,))), {"0": VALUES.tobytes()}), match
    )


@pytest.mark.boundary
def test_calls_without_a_tuple(tmp_path: Path) -> None:
    pickled = b"\x80\x02" + global_("collections", "OrderedDict") + b"]R."
    refuses(zip_file(tmp_path / "a.pth", pickled, {}), "calls collections.OrderedDict with a list")


@pytest.mark.boundary
def test_forged_archives(tmp_path: Path) -> None:
    pickled = state_dict(w=tensor(storage("0", "FloatStorage", 24), (24,)))
    path = tmp_path / "a.pth"
    refuses(zip_file(path, pickled, {"0": VALUES.tobytes()}, byteorder=b"middle"), "byteorder is b'middle'")
    refuses(zip_file(path, pickled + bytes(65 << 20), {}), "data.pkl has .* too many for a state dict")
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("model/data.pkl", pickled)
        with pytest.warns(UserWarning, match="Duplicate name"):
            archive.writestr("model/data.pkl", pickled)
    refuses(path, "model/data.pkl' twice")
    data = bytearray(zip_file(path, pickled, {"0": VALUES.tobytes()}).read_bytes())
    data[data.index(b"PK\x01\x02") + 8] |= 1  # the flag of the first entry in the directory
    path.write_bytes(data)
    refuses(path, "encrypted member 'model/data.pkl'")
    with zipfile.ZipFile(path, "w", zipfile.ZIP_LZMA) as archive:
        archive.writestr("w.npy", VALUES.tobytes())
    refuses(path, "compressed by method 14")


@pytest.mark.boundary
def test_forged_legacy_streams(tmp_path: Path) -> None:
    pickled = state_dict(w=tensor(storage("0", "FloatStorage", 24), (24,)))
    path = tmp_path / "a.pth"
    whole = legacy_file(path, pickled, {"0": VALUES}).read_bytes()
    end = len(whole) - VALUES.nbytes - 8
    for data, match in (
        (whole.replace(pickle.dumps(1001, 2), pickle.dumps(1000, 2)), "unknown version"),
        (whole.replace(b"little_endian", b"middle_endian"), "does not say its byte order"),
        (whole[:end].replace(pickle.dumps(["0"], 2), pickle.dumps({}, 2)), "no list of storages"),
        (whole[:end].replace(pickle.dumps(["0"], 2), pickle.dumps(["1"], 2)), "storage '1' belongs to no tensor"),
        (whole[: end + 5], "truncated before storage '0'"),
        (whole[:end] + struct.pack("<q", -1) + VALUES.tobytes(), "truncated: storage '0'"),
    ):
        assert data != whole
        path.write_bytes(data)
        refuses(path, match)


@pytest.mark.boundary
@pytest.mark.parametrize(
    ("shape", "strides", "offset"),
    [((25,), None, 0), ((4, 6), (6, 2), 0), ((2,), (2**62,), 0), ((1,), None, 24), ((2**40, 2**40), (0, 0), 0)],
)
def test_tensor_beyond_its_storage(
    tmp_path: Path, shape: tuple[int, ...], strides: tuple[int, ...] | None, offset: int
) -> None:
    pickled = state_dict(w=tensor(storage("0", "FloatStorage", 24), shape, strides, offset))
    refuses(zip_file(tmp_path / "a.pth", pickled, {"0": VALUES.tobytes()}), "tensor 'w'")


@pytest.mark.boundary
def test_negative_strides_and_offsets(tmp_path: Path) -> None:
    for strides, offset in (((-1,), 5), ((1,), -5)):
        pickled = state_dict(w=tensor(storage("0", "FloatStorage", 24), (2,), strides, offset))
        refuses(zip_file(tmp_path / "a.pth", pickled, {"0": VALUES.tobytes()}), "arguments that no state dict has")


@pytest.mark.boundary
def test_missing_storage_is_named(tmp_path: Path) -> None:
    pickled = state_dict(w=tensor(storage("5", "FloatStorage", 24), (24,)))
    refuses(zip_file(tmp_path / "a.pth", pickled, {}), "data/5")
    refuses(legacy_file(tmp_path / "b.pth", pickled, {}), "'5' is missing")


@pytest.mark.boundary
@pytest.mark.parametrize("keep", [0.1, 0.5, 0.9, 0.99])
def test_truncated_files(tmp_path: Path, keep: float) -> None:
    pickled = state_dict(w=tensor(storage("0", "FloatStorage", 24), (24,)))
    header = {"w": {"dtype": "F32", "shape": [24], "data_offsets": [0, 96]}}
    for path in (
        zip_file(tmp_path / "a.pth", pickled, {"0": VALUES.tobytes()}),
        legacy_file(tmp_path / "b.pth", pickled, {"0": VALUES}),
        safetensors(tmp_path / "c.safetensors", header, VALUES.tobytes()),
    ):
        data = path.read_bytes()
        path.write_bytes(data[: int(keep * len(data))])
        refuses(path, "truncated|damaged|JSON|neither")


@pytest.mark.boundary
def test_flipped_bit_in_a_zip_is_found(tmp_path: Path) -> None:
    pickled = state_dict(w=tensor(storage("0", "FloatStorage", 24), (24,)))
    path = zip_file(tmp_path / "a.pth", pickled, {"0": VALUES.tobytes()})
    data = bytearray(path.read_bytes())
    data[data.index(VALUES.tobytes()) + 9] ^= 1
    path.write_bytes(data)
    refuses(path, "data/0.*CRC")


@pytest.mark.boundary
def test_zip_bombs(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.npz", "w", zipfile.ZIP_DEFLATED) as archive:
        array = io.BytesIO()
        np.save(array, np.zeros(1 << 22, np.float32))
        for i in range(8):
            archive.writestr(f"w{i}.npy", array.getvalue())
    refuses(tmp_path / "a.npz", "claims to hold")
    with zipfile.ZipFile(tmp_path / "b.pth", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("model/data.pkl", state_dict(w=tensor(storage("0", "FloatStorage", 24), (24,))))
        archive.writestr("model/data/0", VALUES.tobytes() * 100)
    refuses(tmp_path / "b.pth", "compressed")


@pytest.mark.boundary
def test_npz_with_objects(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", w=np.array([{}], object))
    refuses(tmp_path / "a.npz", "'w' .*Python objects, which are never read")
    np.savez(tmp_path / "b.npz", w=np.array(["text"]))
    refuses(tmp_path / "b.npz", "tensor 'w' has dtype")


@pytest.mark.boundary
@pytest.mark.parametrize(
    ("entry", "match"),
    [
        ({"dtype": "F32", "shape": [24]}, "needs dtype"),
        ({"dtype": "F8", "shape": [24], "data_offsets": [0, 96]}, "F8"),
        ({"dtype": "F32", "shape": [25], "data_offsets": [0, 96]}, "does not fill"),
        ({"dtype": "F32", "shape": [-24], "data_offsets": [0, 96]}, "sizes"),
        ({"dtype": "F32", "shape": [48], "data_offsets": [0, 192]}, "truncated"),
        ({"dtype": "F32", "shape": [1, 2.5], "data_offsets": [0, 10]}, "sizes"),
        ("text", "needs dtype"),
    ],
)
def test_forged_safetensors(tmp_path: Path, entry: dict[str, Any] | str, match: str) -> None:
    refuses(safetensors(tmp_path / "a.safetensors", {"w": entry}, VALUES.tobytes()), match)


@pytest.mark.boundary
@pytest.mark.parametrize(("header", "match"), [(b'["w"]   ', "neither"), (b"{'w': 1} ", "not JSON")])
def test_forged_safetensors_headers(tmp_path: Path, header: bytes, match: str) -> None:
    path = tmp_path / "a.safetensors"
    path.write_bytes(struct.pack("<Q", len(header)) + header)
    refuses(path, match)


@pytest.mark.boundary
def test_other_files(tmp_path: Path) -> None:
    path = tmp_path / "a.pth"
    path.write_bytes(b"")
    refuses(path, "empty")
    path.write_bytes(b"<html><body>Not found</body></html>")
    refuses(path, "HTML")
    path.write_bytes(pickle.dumps([1, 2, 3], 2))
    refuses(path, "not one that torch.save wrote")
    refuses(zip_file(tmp_path / "b.pth", b"", {}, **{"constants.pkl": b""}), "TorchScript")
    with zipfile.ZipFile(tmp_path / "c.pth", "w") as archive:
        archive.writestr("readme.txt", "hello")
    refuses(tmp_path / "c.pth", "no data.pkl")
    with pytest.raises(FileNotFoundError):
        read_checkpoint(tmp_path / "absent.pth")


@pytest.mark.boundary
def test_damaged_bytes_never_raise_anything_else(tmp_path: Path) -> None:
    """Random bytes overwritten, random ends cut off: a state dict or a CheckpointError that names the file."""
    pickled = state_dict(w=tensor(storage("0", "FloatStorage", 24, view=b"N"), (4, 6)))
    header = {"w": {"dtype": "F32", "shape": [24], "data_offsets": [0, 96]}}
    np.savez_compressed(tmp_path / "d.npz", w=VALUES, v=np.ones((3, 4)))
    sources = [
        zip_file(tmp_path / "a.pth", pickled, {"0": VALUES.tobytes()}).read_bytes(),
        legacy_file(tmp_path / "b.pth", pickled, {"0": VALUES}).read_bytes(),
        safetensors(tmp_path / "c.safetensors", header, VALUES.tobytes()).read_bytes(),
        (tmp_path / "d.npz").read_bytes(),
    ]
    rng = np.random.default_rng(11)
    path = tmp_path / "damaged"
    refused = 0
    for trial in range(1200):
        data = bytearray(sources[trial % len(sources)])
        for at in rng.integers(0, len(data), rng.integers(1, 5)):
            data[at] = rng.integers(0, 256)
        if rng.random() < 0.2:
            data = data[: rng.integers(0, len(data))]
        path.write_bytes(data)
        try:
            read_checkpoint(path)
        except CheckpointError as error:
            refused += str(path) in str(error)
    assert refused > 600
