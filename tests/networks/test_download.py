"""Downloads from a server on loopback that also truncates, stalls, redirects, lies: what is kept, resumed and refused."""

from __future__ import annotations

import errno
import io
import time
import urllib.request
from pathlib import Path

import pytest

from pixelgauge.networks import connections
from pixelgauge.networks import download as downloads
from pixelgauge.networks.download import download
from pixelgauge.networks.manifest import ModelError
from tests.networks.loopback import DATA, DIGEST, Handler, Server, cache, server

__all__ = ["cache", "server"]
pytestmark = pytest.mark.usefixtures("cache")


def fetch(server: Server, path: Path, **changes: float | None) -> None:
    arguments = {"size": len(DATA), "sha256": DIGEST, "progress": False, "timeout": 5.0, "pause": 0.0, **changes}
    download(f"{server.address}/file.pth", path, **arguments)


@pytest.mark.property
@pytest.mark.parametrize("size", [len(DATA), None])
def test_plain_download(server: Server, tmp_path: Path, size: int | None) -> None:
    fetch(server, tmp_path / "a", size=size)
    assert (tmp_path / "a").read_bytes() == DATA
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a"]


@pytest.mark.property
@pytest.mark.parametrize("size", [len(DATA), None])
def test_truncated_transfers_resume_where_they_broke(server: Server, tmp_path: Path, size: int | None) -> None:
    server.behaviour = lambda handler: handler.whole(keep=100_000) or True
    fetch(server, tmp_path / "a", size=size)
    assert (tmp_path / "a").read_bytes() == DATA
    assert server.ranges == [None, "bytes=100000-", "bytes=200000-"]


@pytest.mark.property
def test_resumes_what_another_process_left(server: Server, tmp_path: Path) -> None:
    (tmp_path / "a.part").write_bytes(DATA[:1234])
    fetch(server, tmp_path / "a")
    assert (tmp_path / "a").read_bytes() == DATA
    assert server.ranges == ["bytes=1234-"]


@pytest.mark.property
@pytest.mark.parametrize("left", [b"x" * 5000, DATA[:-1] + b"?", DATA + b"more"])
def test_spoiled_leftovers_are_fetched_anew(server: Server, tmp_path: Path, left: bytes) -> None:
    (tmp_path / "a.part").write_bytes(left)
    fetch(server, tmp_path / "a")
    assert (tmp_path / "a").read_bytes() == DATA


@pytest.mark.property
def test_server_without_ranges(server: Server, tmp_path: Path) -> None:
    (tmp_path / "a.part").write_bytes(DATA[:1234])
    server.behaviour = lambda handler: handler.whole(ranges=False) or True
    fetch(server, tmp_path / "a")
    assert (tmp_path / "a").read_bytes() == DATA


@pytest.mark.property
def test_stalled_transfer_is_given_up_and_resumed(server: Server, tmp_path: Path) -> None:
    def stall(handler):
        if len(server.requests) == 1:
            handler.whole(keep=50_000)
            server.stop.wait(20)
            return True
        return False

    server.behaviour = stall
    start = time.monotonic()
    fetch(server, tmp_path / "a", timeout=0.3)
    assert time.monotonic() - start < 10
    assert (tmp_path / "a").read_bytes() == DATA
    assert server.ranges[1] == "bytes=50000-"


@pytest.mark.boundary
def test_trickle_counts_as_a_stall(server: Server, tmp_path: Path) -> None:
    def trickle(handler):
        handler.send_response(200)
        handler.send_header("Content-Length", str(len(DATA)))
        handler.end_headers()
        while not server.stop.wait(0.05):
            handler.wfile.write(b"x")
        return True

    server.behaviour = trickle
    with pytest.raises(ModelError, match=r"only . bytes in"):
        fetch(server, tmp_path / "a", timeout=0.2, attempts=1)


@pytest.mark.boundary
def test_server_that_never_answers(server: Server, tmp_path: Path) -> None:
    server.behaviour = lambda handler: server.stop.wait(20) or True
    with pytest.raises(ModelError, match=r"file\.pth: no data for 0\.2 s; 0 bytes are kept"):
        fetch(server, tmp_path / "a", timeout=0.2, attempts=2)
    assert len(server.requests) == 2


@pytest.mark.boundary
def test_truncation_forever_keeps_the_part(server: Server, tmp_path: Path) -> None:
    server.behaviour = lambda handler: handler.whole(keep=0 if handler.headers.get("Range") else 70_000) or True
    with pytest.raises(ModelError, match="ended after 70000 of 300000 bytes; 70000 bytes are kept"):
        fetch(server, tmp_path / "a", attempts=3)
    assert (tmp_path / "a.part").stat().st_size == 70_000
    assert not (tmp_path / "a").exists()


@pytest.mark.boundary
def test_wrong_bytes(server: Server, tmp_path: Path) -> None:
    server.files["/file.pth"] = DATA[:-1] + bytes([DATA[-1] ^ 1])
    with pytest.raises(ModelError, match=f"the manifest says {DIGEST}: not the official file, discarded"):
        fetch(server, tmp_path / "a")
    assert list(tmp_path.glob("a*")) == []


@pytest.mark.boundary
@pytest.mark.parametrize(
    ("data", "match"), [(DATA[:-5], "offers 299995 bytes, the manifest says 300000"), (DATA + b"x", "offers 300001")]
)
def test_wrong_size(server: Server, tmp_path: Path, data: bytes, match: str) -> None:
    server.files["/file.pth"] = data
    with pytest.raises(ModelError, match=match):
        fetch(server, tmp_path / "a")
    assert not (tmp_path / "a").exists()


@pytest.mark.boundary
def test_endless_stream_without_a_length(server: Server, tmp_path: Path) -> None:
    def endless(handler):
        handler.send_response(200)
        handler.end_headers()
        while not server.stop.is_set():
            handler.wfile.write(DATA)
        return True

    server.behaviour = endless
    with pytest.raises(ModelError, match="sends more than 300000 bytes"):
        fetch(server, tmp_path / "a")
    assert list(tmp_path.glob("a*")) == []


@pytest.mark.boundary
def test_lie_about_the_range(server: Server, tmp_path: Path) -> None:
    def lie(handler):
        if handler.headers.get("Range"):
            handler.send_response(206)
            handler.send_header("Content-Range", f"bytes 0-{len(DATA) - 1}/{len(DATA)}")
            handler.send_header("Content-Length", str(len(DATA) - 100))
            handler.end_headers()
            handler.wfile.write(DATA[:-100])
            return True
        return False

    (tmp_path / "a.part").write_bytes(DATA[:100])
    server.behaviour = lie
    fetch(server, tmp_path / "a")
    assert (tmp_path / "a").read_bytes() == DATA


def redirect(handler: Handler, target: str, code: int = 302) -> bool:
    handler.send_response(code)
    handler.send_header("Location", target)
    handler.send_header("Content-Length", "0")
    handler.end_headers()
    return True


@pytest.mark.property
def test_redirects_are_followed(server: Server, tmp_path: Path) -> None:
    server.behaviour = lambda handler: handler.path == "/old.pth" and redirect(handler, f"{server.address}/file.pth")
    download(f"{server.address}/old.pth", tmp_path / "a", size=len(DATA), sha256=DIGEST, progress=False)
    assert (tmp_path / "a").read_bytes() == DATA


@pytest.mark.boundary
@pytest.mark.parametrize("target", ["file:///etc/passwd", "ftp://127.0.0.1/file.pth"])
def test_redirects_elsewhere_are_refused(server: Server, tmp_path: Path, target: str) -> None:
    server.behaviour = lambda handler: redirect(handler, target)
    with pytest.raises(ModelError, match=r"refused|not allowed"):
        fetch(server, tmp_path / "a")


@pytest.mark.boundary
def test_redirects_from_https_to_http_are_refused() -> None:
    request = urllib.request.Request("https://example.org/file.pth")
    follow = connections._Redirects().redirect_request
    with pytest.raises(ModelError, match=r"redirects to http://example\.org/x: refused"):
        follow(request, io.BytesIO(), 302, "Found", {}, "http://example.org/x")
    assert follow(request, io.BytesIO(), 302, "Found", {}, "https://example.org/x") is not None


@pytest.mark.boundary
def test_server_that_has_less_than_what_is_here(server: Server, tmp_path: Path) -> None:
    """What another version of the file left is longer than the file now is: 416, and it is fetched from its start."""
    (tmp_path / "a.part").write_bytes(DATA[:5000])
    server.behaviour = lambda handler: bool(handler.headers.get("Range")) and (handler.send_error(416) or True)
    fetch(server, tmp_path / "a")
    assert (tmp_path / "a").read_bytes() == DATA
    assert server.ranges == ["bytes=5000-", None]


@pytest.mark.boundary
def test_full_disk_is_not_tried_again(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device", str(tmp_path / "a.part"))

    monkeypatch.setattr(downloads, "_receive", full)
    with pytest.raises(OSError, match="No space left"):
        fetch(server, tmp_path / "a")
    assert len(server.requests) == 1


@pytest.mark.boundary
def test_redirect_loop(server: Server, tmp_path: Path) -> None:
    server.behaviour = lambda handler: redirect(handler, f"{server.address}/file.pth")
    with pytest.raises(ModelError, match="302"):
        fetch(server, tmp_path / "a")


@pytest.mark.boundary
def test_http_errors(server: Server, tmp_path: Path) -> None:
    server.files.clear()
    with pytest.raises(ModelError, match="HTTP status 404"):
        fetch(server, tmp_path / "a")
    assert len(server.requests) == 1
    server.behaviour = lambda handler: handler.send_error(503) or True
    with pytest.raises(ModelError, match="HTTP status 503"):
        fetch(server, tmp_path / "a", attempts=3)
    assert len(server.requests) == 4


@pytest.mark.property
def test_busy_server_is_asked_again(server: Server, tmp_path: Path) -> None:
    server.behaviour = lambda handler: len(server.requests) < 3 and (handler.send_error(503) or True)
    fetch(server, tmp_path / "a")
    assert (tmp_path / "a").read_bytes() == DATA


@pytest.mark.boundary
def test_no_server_and_no_address(tmp_path: Path) -> None:
    for address, match in (("http://127.0.0.1:9/x", "URLError|refused"), ("nonsense", "unknown url type")):
        with pytest.raises(ModelError, match=match):
            download(address, tmp_path / "a", size=1, sha256=DIGEST, progress=False, attempts=1)
