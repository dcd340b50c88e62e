"""A server on loopback that answers by raw bytes, over TLS too: what `lying_behaviours` and other tests make it say."""

from __future__ import annotations

import contextlib
import hashlib
import re
import socket
import ssl
import struct
import threading
from collections.abc import Callable, Iterator

import numpy as np
import pytest

DATA = np.random.default_rng(1).integers(0, 256, 200_000, np.uint8).tobytes()
DIGEST = hashlib.sha256(DATA).hexdigest()
HALF = 100_000


class Talk:
    """One connection, whose request has been read."""

    def __init__(self, server: LyingServer, connection: socket.socket, request: bytes, number: int) -> None:
        self.server, self.connection, self.number = server, connection, number
        """`number` counts the requests of this server from 1."""
        self.path = request.split(b" ")[1].decode()
        found = re.search(rb"\r\nRange: bytes=(\d+)-\r\n", request, re.IGNORECASE)
        self.start = int(found[1]) if found else 0

    def send(self, data: bytes) -> None:
        self.connection.sendall(data)

    def head(self, status: str = "200 OK", **headers: object) -> None:
        lines = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in headers.items())
        self.send(f"HTTP/1.1 {status}\r\n{lines}\r\n".encode("latin-1"))

    def rest(self) -> bytes:
        """Answer the head of a good server, and return the bytes that it would send."""
        if self.start:
            self.head(
                "206 Partial Content",
                Content_Range=f"bytes {self.start}-{len(DATA) - 1}/{len(DATA)}",
                Content_Length=len(DATA) - self.start,
            )
        else:
            self.head(Content_Length=len(DATA))
        return DATA[self.start :]

    def drip(self, data: bytes, seconds: float = 0.05) -> None:
        for i in range(len(data)):
            self.send(data[i : i + 1])
            if self.server.stop.wait(seconds):
                return

    def flood(self, data: bytes) -> None:
        while not self.server.stop.is_set():
            self.send(data)

    def wait(self) -> None:
        self.server.stop.wait(30)

    def reset(self) -> None:
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()


class LyingServer:
    """Answers every connection by one behaviour, each in a thread."""

    def __init__(self, behaviour: Callable[[Talk], object], tls: ssl.SSLContext | None = None) -> None:
        self.behaviour, self.tls = behaviour, tls
        self.stop = threading.Event()
        self.requests = 0
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.threads = [threading.Thread(target=self._accept, daemon=True)]
        self.threads[0].start()

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.listener.getsockname()[1]}"

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self.listener.accept()
                if self.stop.is_set():
                    connection.close()
                    return
                thread = threading.Thread(target=self._serve, args=(connection,), daemon=True)
                self.threads.append(thread)
                thread.start()

    def _serve(self, connection: socket.socket) -> None:
        # A client that gives up closes, and a send then fails.
        with contextlib.suppress(OSError), connection:
            if self.tls is not None:
                connection = self.tls.wrap_socket(connection, server_side=True)
            with connection:
                self._answer(connection)

    def _answer(self, connection: socket.socket) -> None:
        with contextlib.suppress(OSError):
            connection.settimeout(30)
            request = b""
            while b"\r\n\r\n" not in request:
                received = connection.recv(65536)
                if not received:
                    return
                request += received
            self.requests += 1
            self.behaviour(Talk(self, connection, request, self.requests))
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_WR)

    def close(self) -> None:
        self.stop.set()
        with contextlib.suppress(OSError), socket.create_connection(self.listener.getsockname(), timeout=1):
            pass
        self.listener.close()
        for thread in self.threads:
            thread.join(5)


@pytest.fixture
def serving() -> Iterator[Callable[..., LyingServer]]:
    """Starts a server of one behaviour; all are closed after the test."""
    servers: list[LyingServer] = []

    def start(behaviour: Callable[[Talk], object], tls: ssl.SSLContext | None = None) -> LyingServer:
        servers.append(LyingServer(behaviour, tls))
        return servers[-1]

    yield start
    for server in servers:
        server.close()
