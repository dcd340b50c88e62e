"""The simple index read without pip: pages of both kinds, logins, redirects, lies; and where its address is set."""

from __future__ import annotations

import base64
import json
import os
import sys
import time
from pathlib import Path

import pytest

from pixelgauge.networks import index_settings, package_index
from pixelgauge.networks.index_settings import configured_indexes
from pixelgauge.networks.manifest import ModelError
from pixelgauge.networks.package_index import download_from_index
from tests.networks.index_server import FILE, JSON, PROJECT, Index
from tests.networks.loopback import Handler, Server, cache, server

__all__ = ["cache", "server"]
pytestmark = pytest.mark.usefixtures("cache")
NONE_NAMED = "names a package index: install pip, .* or set PIP_INDEX_URL"
PAGE, FILES = f"/simple/{PROJECT}/", f"/files/{FILE}"


@pytest.fixture
def index(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Index:
    monkeypatch.setattr(time, "sleep", lambda _: None)
    return Index(server, tmp_path, monkeypatch)


def fetch(index: Index, path: Path, **changes: float) -> bytes:
    download_from_index(index.wheel, path / FILE, progress=False, **{"timeout": 5.0, "seconds": 20.0, **changes})
    return (path / FILE).read_bytes()


# ---- pages --------------------------------------------------------------------------------------------------------


@pytest.mark.property
@pytest.mark.parametrize("kind", ["html", "json"])
@pytest.mark.parametrize("link", ["absolute", f"../../files/{FILE}", f"/files/{FILE}", f"//HOST/files/{FILE}", "query"])
@pytest.mark.parametrize("told", ["right", None])
def test_links_of_every_kind(index: Index, tmp_path: Path, kind: str, link: str, told: str | None) -> None:
    host = index.server.address.removeprefix("http://")
    if link == "query":
        index.server.files[f"{FILES}?key=1"] = index.server.files.pop(FILES)
        link = f"../../files/{FILE}?key=1"
    link = f"{index.server.address}/files/{FILE}" if link == "absolute" else link.replace("HOST", host)
    index.page(link, told, kind)
    assert fetch(index, tmp_path) == index.data


@pytest.mark.property
def test_names_are_normalised_and_base_elements_followed(index: Index, tmp_path: Path) -> None:
    import dataclasses

    index.wheel = dataclasses.replace(index.wheel, project="Small_.weights")
    encoded = FILE.replace("-", "%2D")
    index.server.files[f"/files/{encoded}"] = index.server.files.pop(FILES)
    html = f'<html><head><base href="{index.server.address}/files/x"></head><a href="{encoded}">f</a>'
    index.server.files[PAGE] = html.encode()
    assert fetch(index, tmp_path) == index.data


@pytest.mark.property
@pytest.mark.parametrize(
    "anchor",
    [
        "<A class=x HREF = '../../files/{}' data-requires-python='&gt;=3'>",
        '<a\n  data-dist-info-metadata="sha256=0" href="../../files/{}#egg=x&amp;sha256=SHA">',
        "<a href=../../files/{}>",
        "<a data-href='nowhere' href=\"../../files/{}\">",
    ],
)
def test_anchors_as_servers_write_them(index: Index, tmp_path: Path, anchor: str) -> None:
    page = anchor.replace("{}", FILE).replace("SHA", index.wheel.sha256.upper())
    index.server.files[PAGE] = f"<html><!-- <a> --><body><![x[]>{page}{FILE}</a>".encode()
    assert fetch(index, tmp_path) == index.data


@pytest.mark.boundary
@pytest.mark.parametrize("piece", ["<a ", "<a href", "<!--", "<a href=", "<a href='", "<![CDATA[", "<a href   "])
def test_a_page_of_one_piece_takes_no_time(index: Index, tmp_path: Path, piece: str) -> None:
    index.server.files[PAGE] = (piece * ((2 << 20) // len(piece))).encode()
    start = time.monotonic()
    with pytest.raises(ModelError, match="has no"):
        fetch(index, tmp_path)
    assert time.monotonic() - start < 10


@pytest.mark.property
def test_a_redirected_page_is_where_its_links_start(index: Index, tmp_path: Path) -> None:
    index.server.files[f"/other/{PROJECT}/index.html"] = index.server.files.pop(PAGE)
    index.server.types[f"/other/{PROJECT}/index.html"] = "text/html"
    index.server.files[f"/other/files/{FILE}"] = index.data
    index.page(f"../files/{FILE}")
    index.server.files[f"/other/{PROJECT}/index.html"] = index.server.files.pop(PAGE)

    def redirect(handler: Handler) -> bool:
        if handler.path != PAGE:
            return False
        handler.send_response(301)
        handler.send_header("Location", f"/other/{PROJECT}/index.html")
        handler.send_header("Content-Length", "0")
        handler.end_headers()
        return True

    index.server.behaviour = redirect
    assert fetch(index, tmp_path) == index.data
    assert f"/other/files/{FILE}" in index.server.requests


@pytest.mark.property
def test_a_login_goes_to_the_index_and_its_own_files_alone(
    index: Index, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    host = index.server.address.removeprefix("http://")
    monkeypatch.setenv("PIP_INDEX_URL", f"http://user:p%40ss@{host}/simple")
    expected = "Basic " + base64.b64encode(b"user:p@ss").decode()
    assert fetch(index, tmp_path) == index.data
    assert index.server.logins == [expected, expected]
    index.server.logins.clear()
    index.page(f"http://localhost:{index.server.server_address[1]}/files/{FILE}")  # the same server by another name
    (tmp_path / FILE).unlink()
    assert fetch(index, tmp_path) == index.data
    assert index.server.logins == [expected, None]


@pytest.mark.property
def test_a_login_does_not_follow_a_redirect(index: Index, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    port = index.server.server_address[1]
    monkeypatch.setenv("PIP_INDEX_URL", f"http://user:secret@127.0.0.1:{port}/moved")

    def redirect(handler: Handler) -> bool:
        if not handler.path.startswith("/moved"):
            return False
        handler.send_response(302)
        handler.send_header("Location", f"http://localhost:{port}{PAGE}")
        handler.send_header("Content-Length", "0")
        handler.end_headers()
        return True

    index.server.behaviour = redirect
    assert fetch(index, tmp_path) == index.data
    assert [login is None for login in index.server.logins] == [False, True, True]


@pytest.mark.boundary
@pytest.mark.parametrize(
    ("kind", "page", "match"),
    [
        (JSON, b"{", "is no page of an index"),
        (JSON, b"[]", "has no list of files"),
        (JSON, b'{"files": 5}', "has no list of files"),
        (
            JSON,
            b'{"files": [5, {}, {"filename": 1, "url": 2}, {"filename": "a", "url": "b", "hashes": 3}]}',
            "among 1 f",
        ),
        (JSON, b'{"files": []}', f"has no {FILE}, among 0 files"),
        ("text/html", b"", f"has no {FILE}, among 0 files"),
        ("text/html", b"<a><a href><base><a href='http://[bad'>\xff\xfe", "among 1 files"),
        ("text/html", b"<a href='http://host/" + b"x" * 2_100_000, "a page of more than"),
        ("text/html", f"<a href='ftp://host/{FILE}'>".encode(), "use http or https"),
        ("text/html", f"<a href='file:///etc/{FILE}'>".encode(), "use http or https"),
    ],
)
def test_pages_that_are_none(index: Index, tmp_path: Path, kind: str, page: bytes, match: str) -> None:
    index.server.files[PAGE], index.server.types[PAGE] = page, kind
    with pytest.raises(ModelError, match=match):
        fetch(index, tmp_path)
    assert not any(path.suffix == ".whl" for path in tmp_path.iterdir())


def _head(handler: Handler, **headers: str) -> bool:
    handler.send_response(200)
    for name, value in headers.items():
        handler.send_header(name.replace("_", "-"), value)
    handler.end_headers()
    return True


def _endless(handler: Handler) -> bool:
    _head(handler)
    while not handler.server.stop.is_set():
        handler.wfile.write(b"<a>" * 10_000)
    return True


def _drip(handler: Handler) -> bool:
    _head(handler)
    while not handler.server.stop.wait(0.05):
        handler.wfile.write(b"x")
    return True


def _short(handler: Handler) -> bool:
    _head(handler, Content_Length="1000")
    handler.wfile.write(b"<a>")
    return True


@pytest.mark.boundary
@pytest.mark.parametrize(
    ("behaviour", "match"),
    [
        (_endless, "a page of more than|sends without end"),
        (_drip, "only .* bytes in|too slow|no data"),
        (_short, "ended 997 bytes early|IncompleteRead"),
        (lambda handler: _head(handler, Content_Encoding="gzip", Content_Length="0"), "sent encoded as 'gzip'"),
        (lambda handler: handler.send_error(500) or True, "HTTP status 500"),
        (lambda handler: handler.send_error(401) or True, "HTTP status 401"),
        (lambda handler: handler.send_response(204) or handler.end_headers() or True, "HTTP status 204"),
    ],
)
def test_a_server_that_lies_about_a_page(index: Index, tmp_path: Path, behaviour: object, match: str) -> None:
    index.server.behaviour = behaviour  # type: ignore[assignment]
    start = time.monotonic()
    with pytest.raises(ModelError, match=match):
        fetch(index, tmp_path, timeout=1.0, seconds=3.0)
    assert time.monotonic() - start < 8
    index.server.stop.set()


@pytest.mark.property
def test_a_page_that_breaks_off_once_is_asked_for_again(index: Index, tmp_path: Path) -> None:
    index.server.behaviour = lambda handler: len(index.server.requests) == 1 and _short(handler)
    assert fetch(index, tmp_path) == index.data


@pytest.mark.property
def test_extra_indexes_are_asked_in_turn_and_every_cause_is_told(
    index: Index, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    address = index.server.address
    monkeypatch.setenv("PIP_INDEX_URL", f"{address}/absent?secret")
    monkeypatch.setenv("PIP_EXTRA_INDEX_URL", f"file:///simple {address}/simple")
    assert fetch(index, tmp_path) == index.data
    (tmp_path / FILE).unlink()
    index.server.files.clear()
    with pytest.raises(ModelError) as caught:
        fetch(index, tmp_path)
    message = str(caught.value)
    assert f"{address}/absent/{PROJECT}/: HTTP status 404" in message
    assert "file:///simple: only indexes of http and https are read without pip" in message
    assert f"{address}/simple/{PROJECT}/: HTTP status 404" in message
    assert "secret" not in message


@pytest.mark.property
def test_a_wheel_that_breaks_off_is_resumed(index: Index, tmp_path: Path) -> None:
    def short(handler: Handler) -> bool:
        if handler.path == FILES and not handler.headers.get("Range"):
            handler.whole(keep=70_000)
            return True
        return False

    index.server.behaviour = short
    assert fetch(index, tmp_path) == index.data
    assert "bytes=70000-" in index.server.ranges


# ---- settings -----------------------------------------------------------------------------------------------------


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine where nothing is set."""
    for name in list(os.environ):
        if name.startswith(("PIP_", "UV_", "XDG_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr(sys, "prefix", str(tmp_path / "venv"))
    monkeypatch.setenv("XDG_CONFIG_DIRS", str(tmp_path / "etc"))
    monkeypatch.setattr(index_settings, "_SYSTEM", tmp_path / "system")
    return tmp_path


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


@pytest.mark.property
def test_no_index_is_made_up(home: Path) -> None:
    with pytest.raises(ModelError, match=NONE_NAMED):
        configured_indexes()


@pytest.mark.property
def test_the_most_specific_setting_wins(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """From the least to the most specific, each set beside all before."""
    pip = "[global]\nindex-url = https://{}\nextra-index-url =\n  https://{}-extra\n"
    files = [
        (home / "system" / "uv" / "uv.toml", 'index-url = "https://{}"'),
        (home / ".config" / "uv" / "uv.toml", '[pip]\nindex-url = "https://{}"'),
        (home / "etc" / "pip" / "pip.conf", pip),
        (home / "system" / "pip.conf", pip),
        (home / ".pip" / "pip.conf", pip),
        (home / ".config" / "pip" / "pip.conf", pip),
        (home / "venv" / "pip.conf", "[global]\nindex_url = https://x\n[download]\nindex-url = https://{}\n"),
        (home / "chosen.conf", pip),
    ]
    for at, (path, text) in enumerate(files):
        write(path, text.replace("{}", str(at)))
        if path.name == "chosen.conf":
            monkeypatch.setenv("PIP_CONFIG_FILE", str(path))
        assert configured_indexes()[0] == f"https://{at}", path
    extras = [f"https://{at}-extra" for at in (7, 3, 2)]
    assert configured_indexes() == ["https://7", *extras]
    for name, value, address in (
        ("UV_INDEX_URL", "https://old", "https://old"),
        ("UV_DEFAULT_INDEX", "corp=https://new", "https://new"),
        ("PIP_INDEX_URL", "https://pip", "https://pip"),
    ):
        monkeypatch.setenv(name, value)
        assert configured_indexes() == [address, *extras]
    monkeypatch.setenv("PIP_EXTRA_INDEX_URL", "https://a https://b")
    monkeypatch.setenv("UV_INDEX", "one=https://c https://a")
    assert configured_indexes()[:4] == ["https://pip", "https://a", "https://b", "https://c"]


@pytest.mark.property
def test_uvs_tables(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = '[[index]]\nurl = "https://e"\n[[index]]\nurl = "https://d"\ndefault = true\n'
    write(home / "my.toml", text)
    monkeypatch.setenv("UV_CONFIG_FILE", str(home / "my.toml"))
    assert configured_indexes() == ["https://d", "https://e"]


@pytest.mark.property
def test_settings_that_are_switched_off(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(home / ".config" / "pip" / "pip.conf", "[global]\nindex-url = https://pip\n")
    write(home / ".config" / "uv" / "uv.toml", 'index-url = "https://uv"')
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    assert configured_indexes() == ["https://uv"]
    monkeypatch.setenv("UV_NO_CONFIG", "1")
    with pytest.raises(ModelError, match=NONE_NAMED):
        configured_indexes()
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    with pytest.raises(ModelError, match="PIP_NO_INDEX forbids"):
        configured_indexes()


@pytest.mark.boundary
@pytest.mark.parametrize(
    ("file", "text", "match"),
    [
        ("pip/pip.conf", "index-url = https://user:secret@host\n", r"pip\.conf: is no configuration of pip"),
        ("pip/pip.conf", "[global]\nindex-url = https://a\nindex-url = secret\n", "is no configuration of pip"),
        ("uv/uv.toml", "= secret", r"uv\.toml: is no configuration of uv"),
        ("uv/uv.toml", "a = " + "[" * 100_000, r"uv\.toml: is no configuration of uv"),
        ("uv/uv.toml", "#" * (1 << 20) + "\n", r"uv\.toml: has \d+ bytes"),
    ],
)
def test_settings_that_are_broken(home: Path, file: str, text: str, match: str) -> None:
    write(home / ".config" / file, text)
    with pytest.raises(ModelError, match=match) as caught:
        configured_indexes()
    assert "secret" not in str(caught.value)


@pytest.mark.boundary
@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("pip/pip.conf", "[other]\nindex-url = https://x\n"),
        ("pip/pip.conf", ""),
        ("uv/uv.toml", "index = 5\npip = 6\nindex-url = 7\nextra-index-url = 8"),
        ("uv/uv.toml", 'index = [1, "x"]'),
    ],
)
def test_settings_that_say_nothing(home: Path, file: str, text: str) -> None:
    write(home / ".config" / file, text)
    with pytest.raises(ModelError, match=NONE_NAMED):
        configured_indexes()
    (home / ".config" / file).unlink()
    (home / ".config" / file).mkdir()
    with pytest.raises(ModelError, match=NONE_NAMED):
        configured_indexes()


@pytest.mark.property
def test_a_json_page_beyond_the_bound_is_refused(index: Index, tmp_path: Path) -> None:
    files = [{"filename": f"{at:040}", "url": "x"} for at in range(40_000)]
    index.server.files[PAGE], index.server.types[PAGE] = json.dumps({"files": files}).encode(), JSON
    with pytest.raises(ModelError, match=f"a page of more than {package_index._MOST_PAGE} bytes"):
        fetch(index, tmp_path)
