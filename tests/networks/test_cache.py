"""The cache of models as others may have left it: owners, modes, links and pipes; what is official; what is read once."""

from __future__ import annotations

import hashlib
import json
import os
import stat
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from pixelgauge import FileError, ModelError, cli
from pixelgauge.cli import main
from pixelgauge.networks import convert as conversion
from pixelgauge.networks import manifest
from pixelgauge.networks import store as model_store
from pixelgauge.networks.checkpoint import CheckpointError
from pixelgauge.networks.manifest import ModelDamagedError, ModelMissingError, model_named
from pixelgauge.perceptual import lpips
from tests.networks.models import MODEL, checkpoints
from tests.places import SHARED, needs_shared

posix = pytest.mark.skipif(os.name != "posix", reason="owners and modes are POSIX")
as_root = pytest.mark.skipif(os.name != "posix" or os.geteuid() != 0, reason="only root gives files away")


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PIXELGAUGE_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def paths(tmp_path: Path) -> list[Path]:
    return checkpoints(tmp_path)


@pytest.fixture
def loose_umask() -> Iterator[None]:
    before = os.umask(0o002)
    yield
    os.umask(before)


# ---- trust --------------------------------------------------------------------------------------------------------

LEVELS = (
    "",
    "models",
    f"models/{MODEL}",
    f"models/{MODEL}/origin.json",
    f"models/{MODEL}/weights.bin",
    f"models/{MODEL}/model.onnx",
)


@posix
@pytest.mark.boundary
@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("mode", [0o020, 0o002])
def test_what_others_may_write_is_not_read(cache: Path, paths: list[Path], level: str, mode: int) -> None:
    model_store.add(MODEL, paths)
    place = cache / level
    place.chmod(stat.S_IMODE(place.stat().st_mode) | mode)
    for call in (
        model_store.installed,
        model_store.verify,
        lambda name: model_store.export(name, cache.parent / "out"),
    ):
        with pytest.raises(ModelError, match=rf"{place} may be written by others .*chmod -R go-w {place}"):
            call(MODEL)
    assert not (cache.parent / "out").exists()
    place.chmod(stat.S_IMODE(place.stat().st_mode) & ~0o022)
    model_store.verify(MODEL)


@posix
@pytest.mark.boundary
def test_neither_is_it_written_or_pulled_into(cache: Path, paths: list[Path]) -> None:
    cache.mkdir()
    cache.chmod(0o777)
    for call in (
        lambda: model_store.add(MODEL, paths),
        lambda: model_store.pull(MODEL),
        lambda: model_store.from_files(MODEL, paths),
    ):
        with pytest.raises(ModelError, match="may be written by others"):
            call()
    assert list(cache.iterdir()) == []


@as_root
@pytest.mark.boundary
@pytest.mark.parametrize("level", LEVELS)
def test_what_another_user_owns_is_not_read(cache: Path, paths: list[Path], level: str) -> None:
    model_store.add(MODEL, paths)
    place = cache / level
    os.chown(place, 54321, -1)
    with pytest.raises(ModelError, match=rf"{place} belongs to another user \(number 54321\).*chown -R"):
        model_store.installed(MODEL)


@posix
@pytest.mark.property
def test_a_sticky_folder_is_trusted(cache: Path, paths: list[Path]) -> None:
    cache.mkdir()
    cache.chmod(0o1777)
    model_store.add(MODEL, paths)
    model_store.verify(MODEL)


@posix
@pytest.mark.property
@pytest.mark.usefixtures("loose_umask")
def test_what_is_made_is_trusted_whatever_the_umask(
    tmp_path: Path, paths: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIXELGAUGE_CACHE", str(tmp_path / "a" / "b" / "cache"))
    model_store.add(MODEL, paths)
    model_store.verify(MODEL)
    model_store.from_files(MODEL, paths)
    for place in (tmp_path / "a").rglob("*"):
        assert place.name.endswith(".lock") or not place.stat().st_mode & 0o022, place
    exported = model_store.export(MODEL, tmp_path / "out")
    assert stat.S_IMODE(exported.stat().st_mode) == 0o775  # as any new folder of this user


@posix
@pytest.mark.cli
def test_the_command_says_so(cache: Path, paths: list[Path], capsys: pytest.CaptureFixture[str]) -> None:
    model_store.add(MODEL, paths)
    cache.chmod(0o777)
    assert cli.main(["models", "path", MODEL]) == 1
    assert f"chmod -R go-w {cache}" in capsys.readouterr().err
    assert cli.main(["models", "list", "--json"]) == 0
    listed = {model["name"]: model for model in json.loads(capsys.readouterr().out)["models"]}
    assert "may be written by others" in listed[MODEL]["error"]


# ---- what is official ---------------------------------------------------------------------------------------------


@needs_shared("weights")
@pytest.mark.parity
@pytest.mark.parametrize(
    ("name", "files"),
    [
        ("lpips-alex", ("alexnet_features.pth", "lpips_v0.1_alex.pth")),
        ("lpips-squeeze", ("squeezenet1_1_features.pth", "lpips_v0.1_squeeze.pth")),
    ],
)
def test_the_official_weights_are_known_by_their_hash(name: str, files: tuple[str, str]) -> None:
    """The features alone are all that is used, so that they are official without their file being so."""
    found = model_store.add(name, [SHARED / "weights" / file for file in files])
    assert found.official
    assert hashlib.sha256(found.checked_data()).hexdigest() == model_named(name).weights_sha256


@pytest.mark.boundary
def test_a_record_that_says_official_is_not_believed(cache: Path, paths: list[Path]) -> None:
    folder = model_store.add(MODEL, paths).folder
    assert folder is not None
    record = json.loads((folder / "origin.json").read_text())
    sources = [{"role": s.role, "file": s.file, "sha256": s.sha256} for s in model_named(MODEL).sources]
    (folder / "origin.json").write_text(json.dumps({**record, "official": True, "sources": sources}))
    assert not model_store.installed(MODEL).official
    expected = model_named(MODEL).weights_sha256
    (folder / "origin.json").write_text(json.dumps({**record, "weights_sha256": expected}))
    for call in (model_store.verify, lambda name: model_store.installed(name).checked_data()):
        with pytest.raises(ModelDamagedError, match=r"weights\.bin: is damaged"):
            call(MODEL)


@pytest.mark.property
def test_without_a_hash_in_the_manifest_the_files_decide(paths: list[Path], monkeypatch: pytest.MonkeyPatch) -> None:
    import dataclasses

    model = model_named(MODEL)
    sources = tuple(
        dataclasses.replace(source, sha256=model_store.file_sha256(path))
        for source, path in zip(model.sources, paths, strict=True)
    )
    changed = dataclasses.replace(model, sources=sources, weights_sha256=None)
    monkeypatch.setattr(manifest, "manifest", lambda: {MODEL: changed})
    assert model_store.add(MODEL, paths).official
    assert not model_store.add(MODEL, checkpoints(paths[0].parent, seed=2)).official


# ---- damage is one family of errors -------------------------------------------------------------------------------


@pytest.mark.boundary
@pytest.mark.parametrize("victim", ["origin.json", "weights.bin", "model.onnx"])
@pytest.mark.parametrize("how", ["absent", "empty", "pipe", "folder", "link to a device", "garbage"])
@posix
def test_damage_is_one_kind_of_error(cache: Path, paths: list[Path], victim: str, how: str) -> None:
    folder = model_store.add(MODEL, paths).folder
    assert folder is not None
    place = folder / victim
    place.unlink()
    if how == "empty":
        place.touch()
    elif how == "pipe":
        os.mkfifo(place, 0o600)
    elif how == "folder":
        place.mkdir()
    elif how == "link to a device":
        place.symlink_to("/dev/zero")
    elif how == "garbage":
        place.write_bytes(b"\x80\xff{" * 1000)
    if (victim, how) == ("origin.json", "absent"):  # as if there were none
        with pytest.raises(ModelMissingError):
            model_store.verify(MODEL)
        return
    if how == "link to a device":  # which everybody may write
        with pytest.raises(ModelError):
            model_store.verify(MODEL)
        return
    with pytest.raises(ModelDamagedError) as caught:
        model_store.verify(MODEL)
    assert isinstance(caught.value, FileError)
    assert caught.value.path.startswith(str(folder))
    assert caught.value.remedy.startswith(f"pixelgauge models pull {MODEL}")
    assert caught.value.__cause__ is not None or how in ("empty", "garbage")


@pytest.mark.boundary
@pytest.mark.parametrize(
    "change",
    [
        {"sources": 5},
        {"sources": ["x"]},
        {"sources": {"a": 1}},
        {"weights_sha256": 5},
        {"weights_sha256": None},
        {"graph_sha256": []},
        {"padding": "x" * 100_000},
    ],
)
def test_records_of_other_kinds(cache: Path, paths: list[Path], change: dict[str, object]) -> None:
    folder = model_store.add(MODEL, paths).folder
    assert folder is not None
    record = json.loads((folder / "origin.json").read_text())
    (folder / "origin.json").write_text(json.dumps({**record, **change}))
    with pytest.raises(ModelDamagedError):
        model_store.installed(MODEL)


@pytest.mark.property
def test_sessions_of_one_network_share_its_weights_which_are_hashed_once(
    cache: Path, paths: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("onnxruntime", reason="onnxruntime, the cpu extra, is not installed")
    folder = model_store.add(MODEL, paths).folder
    assert folder is not None
    hashed: list[int] = []
    sha256 = model_store._sha256
    monkeypatch.setattr(model_store, "_sha256", lambda data: hashed.append(len(data)) or sha256(data))
    metric = lpips.LPIPS("squeeze")
    x, y = np.random.default_rng(0).integers(0, 256, (2, 128, 128, 3), np.uint8)
    alone = metric(x, y)
    before = len(hashed)
    (folder / metric._model.model.data_file).write_bytes(b"another run is replacing it")
    together, _ = metric(x, y, spatial=True)  # another session, of the bytes that were hashed
    assert (together, len(hashed)) == (alone, before)
    with pytest.raises(ModelDamagedError):
        lpips.LPIPS("squeeze")


@pytest.mark.cli
@posix
def test_a_pipe_given_as_a_checkpoint_is_an_error_at_once(
    tmp_path: Path, paths: list[Path], capsys: pytest.CaptureFixture[str]
) -> None:
    os.mkfifo(tmp_path / "pipe.pth")
    assert cli.main(["models", "add", MODEL, str(tmp_path / "pipe.pth"), str(paths[1])]) == 1
    assert "pipe.pth: is a pipe: only regular files are read" in capsys.readouterr().err
    with pytest.raises(CheckpointError, match="is a pipe"):
        model_store.from_files(MODEL, [tmp_path / "pipe.pth", paths[1]])


# ---- read once ----------------------------------------------------------------------------------------------------


@pytest.mark.property
@pytest.mark.parametrize("how", ["add", "from_files"])
def test_files_that_change_while_they_are_read(
    tmp_path: Path, paths: list[Path], monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    """The record names the bytes that were converted, not those that stand there before or after."""
    plain = model_store.read_hashed
    (tmp_path / "other").mkdir()
    other = checkpoints(tmp_path / "other", seed=3)

    def swapped(path: Path):
        os.replace(other[[p.name for p in other].index(path.name)], path)  # after from_files hashed it
        read = plain(path)
        path.write_bytes(b"gone")
        return read

    expected = [hashlib.sha256(path.read_bytes()).hexdigest() for path in other]
    heads = dict(np.load(other[1]))
    monkeypatch.setattr(model_store, "read_hashed", swapped)
    found = getattr(model_store, how)(MODEL, paths)
    assert [source["sha256"] for source in found.origin["sources"]] == expected
    row = next(row for row in found.model.rows if row.tensor in heads)
    stored = found.data[row.offset : row.offset + row.bytes].view("<f4")
    np.testing.assert_array_equal(stored, heads[row.tensor].ravel())


@pytest.mark.boundary
def test_the_wrong_file_is_named_by_its_role(paths: list[Path]) -> None:
    with pytest.raises(CheckpointError, match="is missing") as caught:
        model_store.add(MODEL, paths[::-1])
    assert caught.value.path == str(paths[1])
    assert caught.value.remedy == f"give the backbone of {MODEL}, whole and alone"
    state = conversion.read_sources(model_named(MODEL), paths)
    state["heads"]["x" * 5000] = np.zeros(3, np.float32)
    with pytest.raises(CheckpointError, match=rf"^heads of {MODEL}: tensor 'xx.* does not belong") as caught:
        conversion.convert(model_named(MODEL), state)
    assert len(str(caught.value)) < 1000


# ---- export -------------------------------------------------------------------------------------------------------


@posix
@pytest.mark.boundary
def test_export_takes_the_three_files_and_nothing_else(tmp_path: Path, cache: Path, paths: list[Path]) -> None:
    folder = model_store.add(MODEL, paths).folder
    assert folder is not None
    secret = tmp_path / "secret"
    secret.write_text("secret")
    (folder / "link").symlink_to(secret)
    (folder / "more").mkdir()
    os.mkfifo(folder / "pipe")
    weights = (folder / "weights.bin").read_bytes()
    os.replace(folder / "weights.bin", tmp_path / "elsewhere.bin")
    (folder / "weights.bin").symlink_to(tmp_path / "elsewhere.bin")
    out = model_store.export(MODEL, tmp_path / "out")
    assert sorted(path.name for path in out.iterdir()) == ["model.onnx", "origin.json", "weights.bin"]
    assert all(path.is_file() and not path.is_symlink() for path in out.iterdir())
    assert (out / "weights.bin").read_bytes() == weights


@posix
@pytest.mark.boundary
def test_export_follows_no_link_that_stands_in_its_way(tmp_path: Path, paths: list[Path]) -> None:
    model_store.add(MODEL, paths)
    (tmp_path / "out").symlink_to(tmp_path / "absent")
    with pytest.raises(FileExistsError, match="out"):
        model_store.export(MODEL, tmp_path / "out")
    assert not (tmp_path / "absent").exists()
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".pixelgauge-")]


# ---- what is not there --------------------------------------------------------------------------------------------


@pytest.mark.boundary
def test_removing_what_is_not_there_makes_nothing(cache: Path) -> None:
    (cache / "models").mkdir(parents=True)
    assert not model_store.remove(MODEL)
    assert [path.name for path in cache.rglob("*")] == ["models"]


@pytest.mark.boundary
def test_a_cache_that_may_not_be_read_counts_as_one_without_lpips(
    cache: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refused(name: str) -> None:
        raise PermissionError(13, "Permission denied", str(cache / name))

    monkeypatch.setattr(lpips, "installed", refused)
    assert main(["demo", "--json"]) == 0
    assert list(json.loads(capsys.readouterr().out)["fingerprint"]["metrics"]) == [
        "mse",
        "mae",
        "psnr",
        "ssim",
        "ms-ssim",
    ]


@pytest.mark.boundary
def test_a_cache_of_an_odd_name_stays_on_its_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIXELGAUGE_CACHE", "odd\n\x1b[31m")
    with pytest.raises(ModelMissingError) as caught:
        model_store.installed(MODEL)
    assert len(str(caught.value).split("\n")) == 4
    assert r"odd\n\x1b[31m" in str(caught.value)
