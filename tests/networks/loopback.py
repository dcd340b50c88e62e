"""A server on loopback with files, which a test may tell to truncate, stall, redirect or lie; and a cache of its own."""

from __future__ import annotations

import contextlib
import hashlib
import http.server
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

DATA = np.random.default_rng(0).integers(0, 256, 300_000, np.uint8).tobytes()
DIGEST = hashlib.sha256(DATA).hexdigest()


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "cache"
    monkeypatch.setenv("PIXELGAUGE_CACHE", str(folder))
    monkeypatch.delenv("PIXELGAUGE_OFFLINE", raising=False)
    monkeypatch.delenv("PIXELGAUGE_MIRROR", raising=False)
    for proxy in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(proxy, raising=False)
    return folder


class Server(http.server.ThreadingHTTPServer):
    """Serves ``files``; ``behaviour`` is called with the handler and may answer instead."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.files = {"/file.pth": DATA}
        self.requests: list[str] = []
        self.types: dict[str, str] = {}
        """Content types, by path."""
        self.ranges: list[str | None] = []
        self.logins: list[str | None] = []
        self.behaviour: Callable[[Handler], object] | None = None
        self.stop = threading.Event()

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class Handler(http.server.BaseHTTPRequestHandler):
    server: Server

    def log_message(self, *_: object) -> None:
        pass

    def do_GET(self) -> None:
        self.server.requests.append(self.path)
        self.server.ranges.append(self.headers.get("Range"))
        self.server.logins.append(self.headers.get("Authorization"))
        with contextlib.suppress(ConnectionError):
            if self.server.behaviour is None or not self.server.behaviour(self):
                self.whole()

    def whole(self, keep: int | None = None, ranges: bool = True) -> None:
        """Answer as a good server does; `keep`: stop after so many bytes."""
        data = self.server.files.get(self.path)
        if data is None:
            self.send_error(404)
            return
        start = 0
        if ranges and (asked := self.headers.get("Range")):
            start = int(asked.removeprefix("bytes=").removesuffix("-"))
            self.send_response(206)
            self.send_header("Content-Range", f"bytes {start}-{len(data) - 1}/{len(data)}")
        else:
            self.send_response(200)
        if (kind := self.server.types.get(self.path)) is not None:
            self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(data) - start))
        self.end_headers()
        self.wfile.write(data[start:] if keep is None else data[start : start + keep])


@pytest.fixture
def server() -> Iterator[Server]:
    instance = Server()
    thread = threading.Thread(target=instance.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    yield instance
    instance.stop.set()
    instance.shutdown()
    instance.server_close()
    thread.join()
