"""The model store, its pulls from a server on loopback, and its command line."""

from __future__ import annotations

import hashlib
import json
import multiprocessing
import os
import shutil
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pixelgauge import cli
from pixelgauge.networks import manifest, sources
from pixelgauge.networks import store as model_store
from pixelgauge.networks.checkpoint import CheckpointError
from pixelgauge.networks.store import ModelError, ModelMissingError
from tests.networks.loopback import Server, cache, server
from tests.networks.models import MODEL, checkpoints

__all__ = ["cache", "server"]
pytestmark = pytest.mark.usefixtures("cache")


@pytest.fixture
def mirror(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """A mirror of a model whose manifest entry is changed to files that the test made."""
    import dataclasses

    paths = checkpoints(tmp_path)
    model = model_store.model_named(MODEL)
    official = tuple(
        dataclasses.replace(source, bytes=path.stat().st_size, sha256=model_store.file_sha256(path))
        for source, path in zip(model.sources, paths, strict=True)
    )
    changed = {**manifest.manifest(), MODEL: dataclasses.replace(model, sources=official, weights_sha256=None)}
    monkeypatch.setattr(manifest, "manifest", lambda: changed)
    for source, path in zip(official, paths, strict=True):
        server.files[f"/weights/{source.file}"] = path.read_bytes()
    monkeypatch.setenv("PIXELGAUGE_MIRROR", f"{server.address}/weights/")
    return paths


@pytest.mark.property
def test_pull_from_a_mirror(server: Server, mirror: list[Path], cache: Path) -> None:
    found = model_store.pull(MODEL)
    assert found.official
    assert sorted(p.name for p in found.folder.iterdir()) == ["model.onnx", "origin.json", "weights.bin"]
    assert found.weights_sha256 == hashlib.sha256((found.folder / "weights.bin").read_bytes()).hexdigest()
    assert list((cache / "downloads").iterdir()) == []
    assert len(server.requests) == 2
    model_store.pull(MODEL)  # there already: no request
    assert len(server.requests) == 2


def _pull_in_a_child(start: Any, results: Any) -> None:
    start.wait(20)
    try:
        results.put(model_store.pull(MODEL, progress=False).weights_sha256)
    except Exception as error:
        results.put(repr(error))


@pytest.mark.property
@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork, to share the changed manifest with the children")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_two_processes_pull_at_once(server: Server, mirror: list[Path], cache: Path) -> None:
    context = multiprocessing.get_context("fork")
    start, results = context.Event(), context.Queue()
    children = [context.Process(target=_pull_in_a_child, args=(start, results)) for _ in range(2)]
    for child in children:
        child.start()
    start.set()
    answers = {results.get(timeout=60) for _ in children}
    for child in children:
        child.join(60)
    assert answers == {model_store.verify(MODEL).weights_sha256}
    assert len(server.requests) == 2  # the second waited for the first
    assert [p.name for p in (cache / "models").iterdir()] == [MODEL]


@pytest.mark.property
def test_pull_continues_after_a_break(
    server: Server, mirror: list[Path], cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.behaviour = lambda handler: handler.whole(keep=0 if handler.headers.get("Range") else 9000) or True
    monkeypatch.setattr(time, "sleep", lambda _: None)
    with pytest.raises(ModelError, match="9000 bytes are kept"):
        model_store.pull(MODEL)
    assert not (cache / "models").exists()
    server.behaviour = None
    server.ranges.clear()
    assert model_store.pull(MODEL).official
    assert server.ranges[0] == "bytes=9000-"


@pytest.mark.boundary
def test_a_mirrors_secrets_are_neither_shown_nor_kept(
    server: Server, mirror: list[Path], cache: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    host = server.address.removeprefix("http://")
    monkeypatch.setenv("PIXELGAUGE_MIRROR", f"http://user:secret@{host}/weights?token=secret")
    plain = dict(server.files)
    server.files.clear()
    server.files.update({f"{path}?token=secret": data for path, data in plain.items()})
    assert run("pull", MODEL) == 0
    assert all(b"secret" not in path.read_bytes() for path in cache.rglob("*") if path.is_file())
    assert run("remove", MODEL) == 0
    server.files.clear()
    assert run("pull", MODEL) == 1
    captured = capsys.readouterr()
    assert "HTTP status 404" in captured.err
    assert "secret" not in captured.out + captured.err


@pytest.mark.boundary
def test_official_files_that_become_other_weights(
    server: Server, mirror: list[Path], cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import dataclasses

    changed = dict(manifest.manifest())
    changed[MODEL] = dataclasses.replace(changed[MODEL], weights_sha256="0" * 64)
    monkeypatch.setattr(manifest, "manifest", lambda: changed)
    with pytest.raises(ModelError, match=r"became weights of sha256 [0-9a-f]{64}, which the manifest does not know"):
        model_store.pull(MODEL)
    assert not (cache / "models" / MODEL).exists()


@pytest.mark.boundary
def test_downloads_that_change_on_the_disk_are_not_official(
    server: Server, mirror: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is hashed is what is converted: a file that is swapped after its download was checked."""
    plain = sources.download

    def swapped(address, path, **arguments):
        plain(address, path, **arguments)
        if path.name.startswith("lpips"):
            with np.load(path) as arrays:
                np.savez(path.with_suffix(".npz"), **{name: array * 2 for name, array in arrays.items()})
            os.replace(path.with_suffix(".npz"), path)

    monkeypatch.setattr(sources, "download", swapped)
    with pytest.raises(ModelError, match="the files changed on this disk, or the conversion is at fault"):
        model_store.pull(MODEL)


@pytest.mark.boundary
def test_offline(server: Server, mirror: list[Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIXELGAUGE_OFFLINE", "1")
    with pytest.raises(ModelError, match=r"PIXELGAUGE_OFFLINE is set.*pixelgauge models add lpips-squeeze"):
        model_store.pull(MODEL)
    assert server.requests == []
    monkeypatch.setenv("PIXELGAUGE_OFFLINE", "0")
    assert model_store.pull(MODEL).official


@pytest.mark.boundary
def test_bad_mirror(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIXELGAUGE_MIRROR", "/some/folder")
    with pytest.raises(ModelError, match="PIXELGAUGE_MIRROR='/some/folder' must be an http"):
        model_store.pull(MODEL)


@pytest.mark.property
def test_add_replaces_and_remove_removes(tmp_path: Path, cache: Path) -> None:
    first = model_store.add(MODEL, checkpoints(tmp_path))
    assert not first.official
    second = model_store.add(MODEL, checkpoints(tmp_path, seed=2))
    assert second.weights_sha256 != first.weights_sha256
    assert model_store.installed(MODEL).weights_sha256 == second.weights_sha256
    assert [p.name for p in (cache / "models").iterdir()] == [MODEL]
    assert model_store.remove(MODEL)
    assert not model_store.remove(MODEL)
    with pytest.raises(ModelMissingError):
        model_store.installed(MODEL)


@pytest.mark.property
def test_values_land_where_the_graph_looks(tmp_path: Path) -> None:
    paths = checkpoints(tmp_path)
    found = model_store.add(MODEL, paths)
    backbone, heads = (np.load(path) for path in paths)
    for row in found.model.rows:
        stored = np.frombuffer(found.data, "<f4", int(np.prod(row.shape)), row.offset).reshape(row.shape)
        source = {"backbone": backbone, "heads": heads}.get(row.role)
        expected = np.full(row.shape, row.value, "<f4") if source is None else source[row.tensor].reshape(row.shape)
        np.testing.assert_array_equal(stored, expected, err_msg=row.name)


@pytest.mark.property
def test_exported_folder_runs_in_plain_onnxruntime(tmp_path: Path) -> None:
    ort = pytest.importorskip("onnxruntime", reason="onnxruntime, the cpu extra, is not installed")
    from pixelgauge.perceptual.lpips import LPIPS

    paths = checkpoints(tmp_path)
    model_store.add(MODEL, paths)
    folder = model_store.export(MODEL, tmp_path / "out" / "here")
    shutil.rmtree(model_store.cache_folder())
    session = ort.InferenceSession(folder / "model.onnx", providers=["CPUExecutionProvider"])
    x, y = np.random.default_rng(0).uniform(-1, 1, (2, 1, 3, 40, 50)).astype(np.float32)
    distance = session.run(["distance"], {"x": x, "y": y})[0]
    ours = LPIPS("squeeze", weights=paths)(x, y, data_range=(-1, 1), channel_axis=1)
    assert distance[0] == pytest.approx(ours[0], rel=1e-6)  # only the graph's unused branches differ


@pytest.mark.property
def test_own_files_are_converted_once(tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    paths = checkpoints(tmp_path)
    first = model_store.from_files(MODEL, paths)
    assert first.folder.parent == cache / "custom"
    monkeypatch.setattr(model_store, "read_hashed", None)
    assert model_store.from_files(MODEL, paths).weights_sha256 == first.weights_sha256


@pytest.mark.property
def test_cache_that_cannot_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    paths = checkpoints(tmp_path)
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("PIXELGAUGE_CACHE", str(tmp_path / "file" / "cache"))
    with pytest.warns(RuntimeWarning, match="the cache cannot be written"):
        found = model_store.from_files(MODEL, paths)
    assert found.folder is None
    assert found.data.size == found.model.data_bytes


@pytest.mark.boundary
@pytest.mark.parametrize("text", ["[]", "null", "5", "{}", "[" * 200_000])
def test_a_record_that_is_no_record_is_damage(tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str) -> None:
    folder = model_store.add(MODEL, checkpoints(tmp_path)).folder
    (folder / "origin.json").write_text(text)
    for call in (model_store.installed, model_store.verify):
        with pytest.raises(ModelError, match=f"damaged.*pixelgauge models.*{MODEL}"):
            call(MODEL)
    assert cli.main(["models", "list"]) == 0
    assert "damaged" in capsys.readouterr().out


@pytest.mark.boundary
def test_variables_that_cannot_be_used_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIXELGAUGE_MIRROR", "http://[bad")
    with pytest.raises(ModelError, match=r"PIXELGAUGE_MIRROR='http://\[bad' must be"):
        sources.mirror_address(model_store.model_named(MODEL).sources[0])
    monkeypatch.setenv("PIXELGAUGE_CACHE", "~no-such-user/x")
    with pytest.raises(ModelError, match=r"PIXELGAUGE_CACHE='~no-such-user/x'"):
        model_store.cache_folder()


@pytest.mark.boundary
@pytest.mark.parametrize("victim", ["weights.bin", "origin.json", "model.onnx"])
def test_damage_is_found(tmp_path: Path, victim: str) -> None:
    folder = model_store.add(MODEL, checkpoints(tmp_path)).folder
    data = bytearray((folder / victim).read_bytes())
    (folder / victim).write_bytes(data[: len(data) // 2])
    with pytest.raises(ModelError, match="damaged"):
        model_store.verify(MODEL)
    if victim != "origin.json":
        data[100] ^= 1
        (folder / victim).write_bytes(data)
        with pytest.raises(ModelError, match="damaged"):
            model_store.verify(MODEL)


@pytest.mark.boundary
@pytest.mark.parametrize("own", [False, True])
def test_weights_changed_in_place_are_refused_at_every_load(tmp_path: Path, cache: Path, own: bool) -> None:
    from pixelgauge import LPIPS

    paths = checkpoints(tmp_path)
    if not own:
        model_store.add(MODEL, paths)
    weights = {"weights": paths} if own else {}
    LPIPS("squeeze", **weights)
    (victim,) = cache.rglob("weights.bin")
    data = np.fromfile(victim, np.float32)
    recorded = model_store.file_sha256(victim)[:16]
    data[: data.size // 2] *= 3
    data.tofile(victim)
    found = model_store.file_sha256(victim)[:16]
    repair = (
        f"delete that folder, {victim.parent}" if own else f"pixelgauge models pull {MODEL}, or .*models add {MODEL}"
    )
    with pytest.raises(ModelError, match=rf"{MODEL}.*weights\.bin: is damaged.*{found}.*{recorded}.*{repair}"):
        LPIPS("squeeze", **weights)
    if own:
        shutil.rmtree(victim.parent)
    else:
        model_store.add(MODEL, paths)
    LPIPS("squeeze", **weights)


@pytest.mark.property
def test_a_file_changed_after_loading_does_not_reach_the_session(tmp_path: Path, cache: Path) -> None:
    from pixelgauge import LPIPS

    model_store.add(MODEL, checkpoints(tmp_path))
    x, y = np.random.default_rng(2).integers(0, 256, (2, 40, 40, 3), np.uint8)
    expected = LPIPS("squeeze")(x, y)
    metric = LPIPS("squeeze")  # nothing has been run, so nothing has been rearranged yet
    (victim,) = cache.rglob("weights.bin")
    (np.fromfile(victim, np.float32) * 3).tofile(victim)
    assert metric(x, y) == expected


@pytest.mark.boundary
def test_wrong_files(tmp_path: Path, cache: Path) -> None:
    backbone, heads = checkpoints(tmp_path)
    for files, error, match in (
        ([backbone], ValueError, "made of 2 file"),
        ([heads, backbone], CheckpointError, "missing"),
        ([backbone, tmp_path / "absent.pth"], FileNotFoundError, "absent"),
        ([backbone, heads, heads], ValueError, "made of 2 file"),
    ):
        with pytest.raises(error, match=match):
            model_store.add(MODEL, files)
    assert not (cache / "models").exists()
    with pytest.raises(ValueError, match="model 'vgg' is not known"):
        model_store.add("vgg", [backbone])


# ---- command line -------------------------------------------------------------------------------------------------


def run(*arguments: object) -> int:
    return cli.main(["models", *map(str, arguments)])


@pytest.mark.cli
def test_life_of_a_model(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    backbone, heads = checkpoints(tmp_path)
    assert run("list") == 0
    assert capsys.readouterr().out.count("missing") == 4
    assert run("path", MODEL) == 1
    assert "pixelgauge models pull lpips-squeeze" in capsys.readouterr().err
    assert run("add", MODEL, backbone, heads) == 0
    captured = capsys.readouterr()
    assert "own files" in captured.out
    assert "not the official files" in captured.err
    assert run("list", "--json") == 0
    listed = {model["name"]: model for model in json.loads(capsys.readouterr().out)["models"]}
    assert listed[MODEL]["state"] == "own files"
    assert listed[MODEL]["checked"] == "size"
    assert len(listed[MODEL]["weights_sha256"]) == 64
    assert listed["lpips-alex"]["addresses"][0].endswith("alexnet-owt-7be5be79.pth")
    assert run("list") == 0
    assert "only sizes checked" in capsys.readouterr().out
    assert run("verify") == 0
    assert "only sizes" not in capsys.readouterr().out
    assert run("verify", MODEL) == 0
    capsys.readouterr()
    assert run("path", MODEL) == 0
    assert Path(capsys.readouterr().out.strip()).is_file()
    assert run("export", MODEL, tmp_path / "out") == 0
    assert run("export", MODEL, tmp_path / "out") == 2
    capsys.readouterr()
    assert run("export", MODEL, "/proc/x") == 2
    assert capsys.readouterr().err.endswith("No such file or directory: '/proc/x'\n")
    assert (tmp_path / "out" / "weights.bin").is_file()
    (model_store.installed(MODEL).folder / "weights.bin").write_bytes(b"")
    assert run("verify") == 1
    assert run("list") == 0
    assert "damaged" in capsys.readouterr().out
    assert run("remove", MODEL) == 0
    assert run("remove", MODEL, "--json") == 0
    assert "was not there" in capsys.readouterr().err


@pytest.mark.cli
def test_pull_command(
    server: Server, mirror: list[Path], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert run("pull", MODEL) == 0
    captured = capsys.readouterr()
    assert "official" in captured.out
    # No progress bar in a pipe, and who served of each role.
    found = {source.role: f"{server.address}/weights/{source.file}" for source in manifest.manifest()[MODEL].sources}
    assert captured.err == f"{MODEL}: from {found['backbone']} (backbone), {found['heads']} (heads)\n"
    run("remove", MODEL)
    server.files.clear()
    assert run("pull", MODEL) == 1
    assert "HTTP status 404" in capsys.readouterr().err


@pytest.mark.cli
def test_wrong_use(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for arguments in (("pull", "vgg"), ("frob",), (), ("add", MODEL)):
        with pytest.raises(SystemExit) as caught:
            run(*arguments)
        assert caught.value.code == 2
    assert run("add", MODEL, tmp_path / "absent.pth", tmp_path / "absent2.pth") == 2
    (tmp_path / "bad.pth").write_text("hello")
    assert run("add", MODEL, tmp_path / "bad.pth", tmp_path / "bad.pth") == 1
    assert "bad.pth" in capsys.readouterr().err


@pytest.mark.cli
def test_info_shows_providers_and_models(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["info", "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["models"] == dict.fromkeys(manifest.manifest(), "missing")
    assert facts["precisions"]["float32"].endswith("ExecutionProvider")
    assert cli.main(["info"]) == 0
    assert "lpips-alex: missing" in capsys.readouterr().out
