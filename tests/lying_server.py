"""A server on loopback of more than 48 ways to fail: slow in every part, wrong lengths and ranges, endless, garbage.

`BEHAVIOURS` lists them; each is a function of one connection. What a client must end in stands beside it: the right
file, one error, or either.
"""

from __future__ import annotations

import contextlib
import hashlib
import re
import socket
import ssl
import struct
import threading
from collections.abc import Callable, Iterator
from typing import NamedTuple

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


# ---- behaviours ---------------------------------------------------------------------------------------------------


class Behaviour(NamedTuple):
    act: Callable[[Talk], object]
    ends: str
    """``file``, ``error`` or ``either``."""
    timeout: float


BEHAVIOURS: dict[str, Behaviour] = {}
Act = Callable[[Talk], object]


def behaviour(name: str, ends: str, timeout: float | None = None) -> Callable[[Act], Act]:
    def listed(act: Act) -> Act:
        # What ends in the file has time on a busy machine; what must be given up is given up soon.
        BEHAVIOURS[name] = Behaviour(act, ends, timeout or (5.0 if ends == "file" else 0.2))
        return act

    return listed


def chunked(data: bytes, size: int) -> bytes:
    return b"".join(b"%x\r\n%s\r\n" % (len(part := data[i : i + size]), part) for i in range(0, len(data), size))


def whole(talk: Talk) -> None:
    talk.send(talk.rest())


behaviour("sound", "file")(whole)


@behaviour("sound, and the connection stays open", "file", 2.0)
def _(talk: Talk) -> None:
    whole(talk)
    talk.wait()


@behaviour("without a length", "file")
def _(talk: Talk) -> None:
    talk.head()
    talk.send(DATA)


@behaviour("without a length, and the connection stays open", "either")
def _(talk: Talk) -> None:
    talk.head()
    talk.send(DATA)
    talk.wait()


@behaviour("chunked", "file")
def _(talk: Talk) -> None:
    talk.head(Transfer_Encoding="chunked")
    talk.send(chunked(DATA, 10_000) + b"0\r\n\r\n")


@behaviour("chunks of seven bytes", "either", 5.0)
def _(talk: Talk) -> None:
    talk.head(Transfer_Encoding="chunked")
    talk.send(chunked(DATA, 7) + b"0\r\n\r\n")


@behaviour("chunked and a wrong length", "either", 5.0)
def _(talk: Talk) -> None:
    talk.head(Transfer_Encoding="chunked", Content_Length=10)
    talk.send(chunked(DATA, 10_000) + b"0\r\n\r\n")


@behaviour("chunked without an end", "either", 5.0)
def _(talk: Talk) -> None:
    talk.head(Transfer_Encoding="chunked")
    talk.send(chunked(DATA, 10_000))


@behaviour("chunk sizes that are none", "error")
def _(talk: Talk) -> None:
    talk.head(Transfer_Encoding="chunked")
    talk.send(b"many\r\n" + DATA)


@behaviour("chunk sizes below 0", "error")
def _(talk: Talk) -> None:
    talk.head(Transfer_Encoding="chunked")
    talk.send(b"-5\r\n" + DATA[:HALF])


@behaviour("a chunk of 2^60", "either")
def _(talk: Talk) -> None:
    talk.head(Transfer_Encoding="chunked")
    talk.send(b"1000000000000000\r\n" + DATA)


@behaviour("a chunk size without end", "error")
def _(talk: Talk) -> None:
    talk.head(Transfer_Encoding="chunked")
    talk.flood(b"0" * 10_000)


@behaviour("a slow chunk size", "error")
def _(talk: Talk) -> None:
    talk.head(Transfer_Encoding="chunked")
    talk.drip(b"0" * 10_000)


@behaviour("chunk extensions without end", "error")
def _(talk: Talk) -> None:
    talk.head(Transfer_Encoding="chunked")
    talk.send(b"10;")
    talk.flood(b"x" * 10_000)


@behaviour("trailers without end", "error")
def _(talk: Talk) -> None:
    talk.head(Transfer_Encoding="chunked")
    talk.send(chunked(DATA[:HALF], HALF) + b"0\r\n")
    talk.flood(b"a: b\r\n" * 1000)


@behaviour("slow trailers", "error")
def _(talk: Talk) -> None:
    talk.head(Transfer_Encoding="chunked")
    talk.send(chunked(DATA[:HALF], HALF) + b"0\r\n")
    talk.drip(b"a: b\r\n" * 1000)


@behaviour("breaks off, and resumes", "file")
def _(talk: Talk) -> None:
    talk.send(talk.rest()[:70_000])


@behaviour("resets in the middle, and resumes", "file")
def _(talk: Talk) -> None:
    if talk.number > 1:
        whole(talk)
    else:
        talk.send(talk.rest()[:HALF])
        talk.reset()


@behaviour("stalls in the middle, and resumes", "file", 0.5)
def _(talk: Talk) -> None:
    if talk.number > 1:
        whole(talk)
    else:
        talk.send(talk.rest()[:HALF])
        talk.wait()


@behaviour("breaks off, and knows no ranges", "file")
def _(talk: Talk) -> None:
    talk.head(Content_Length=len(DATA))
    talk.send(DATA[: HALF if talk.number == 1 else None])


@behaviour("always breaks off, and knows no ranges", "error")
def _(talk: Talk) -> None:
    talk.head(Content_Length=len(DATA))
    talk.send(DATA[:HALF])


@behaviour("one byte a connection", "error")
def _(talk: Talk) -> None:
    talk.send(talk.rest()[:1])


@behaviour("a thousand bytes a connection", "error")
def _(talk: Talk) -> None:
    talk.send(talk.rest()[:1000])


@behaviour("no byte a connection", "error")
def _(talk: Talk) -> None:
    talk.rest()


@behaviour("silence", "error")
def _(talk: Talk) -> None:
    talk.wait()


@behaviour("closes at once", "error")
def _(talk: Talk) -> None:
    pass


@behaviour("resets at once", "error")
def _(talk: Talk) -> None:
    talk.reset()


@behaviour("a slow status line", "error")
def _(talk: Talk) -> None:
    talk.drip(b"HTTP/1.1 200 " + b"O" * 1000)


@behaviour("a status line without end", "error")
def _(talk: Talk) -> None:
    talk.send(b"HTTP/1.1 200 ")
    talk.flood(b"O" * 10_000)


@behaviour("a status line of garbage", "error")
def _(talk: Talk) -> None:
    talk.send(b"\x00\xff\x1b[2J\r\n\r\n" + DATA)


@behaviour("a status that is no number", "error")
def _(talk: Talk) -> None:
    talk.send(b"HTTP/1.1 OK 200\r\n\r\n" + DATA)


@behaviour("a status of a million", "error")
def _(talk: Talk) -> None:
    talk.send(b"HTTP/1.1 1000000 OK\r\n\r\n" + DATA)


@behaviour("the file without a head", "error")
def _(talk: Talk) -> None:
    talk.send(DATA)


@behaviour("another protocol", "error")
def _(talk: Talk) -> None:
    talk.send(b"SSH-2.0-OpenSSH_9.2\r\n")
    talk.wait()


@behaviour("slow headers", "error")
def _(talk: Talk) -> None:
    talk.send(b"HTTP/1.1 200 OK\r\n")
    talk.drip(b"A: b\r\n" * 1000)


@behaviour("headers without end", "error")
def _(talk: Talk) -> None:
    talk.send(b"HTTP/1.1 200 OK\r\n")
    talk.flood(b"A: b\r\n" * 1000)


@behaviour("a header of ten megabytes", "error")
def _(talk: Talk) -> None:
    talk.send(b"HTTP/1.1 200 OK\r\nA: " + b"b" * 10_000_000 + b"\r\n\r\n")


@behaviour("slow between head and body", "error")
def _(talk: Talk) -> None:
    talk.rest()
    talk.wait()


@behaviour("100 Continue without end", "error")
def _(talk: Talk) -> None:
    talk.flood(b"HTTP/1.1 100 Continue\r\n\r\n")


@behaviour("a slow body", "error")
def _(talk: Talk) -> None:
    talk.drip(talk.rest())


@behaviour("a body without end or length", "error")
def _(talk: Talk) -> None:
    talk.head()
    talk.flood(DATA)


@behaviour("a chunked body without end", "error")
def _(talk: Talk) -> None:
    talk.head(Transfer_Encoding="chunked")
    talk.flood(chunked(DATA, 10_000))


@behaviour("a body beyond its length", "file")
def _(talk: Talk) -> None:
    talk.send(talk.rest() + b"more")


@behaviour("an empty body", "error")
def _(talk: Talk) -> None:
    talk.head(Content_Length=0)


LENGTHS = {
    "10^13": 10**13,
    "of 2^63": 2**63,
    "below 0": -5,
    "of 5000 digits": "9" * 5000,
    "that is a word": "many",
    "with an underscore": "200_000",
    "in other digits": "\xb2\xb3",
    "one too small": len(DATA) - 1,
    "one too large": len(DATA) + 1,
}


def length(value: object) -> Act:
    def act(talk: Talk) -> None:
        talk.head(Content_Length=value)
        talk.send(DATA)

    return act


for _name, _value in LENGTHS.items():
    behaviour(f"a length {_name}", "error")(length(_value))


@behaviour("two lengths", "error")
def _(talk: Talk) -> None:
    talk.send(f"HTTP/1.1 200 OK\r\nContent-Length: {len(DATA)}\r\nContent-Length: 5\r\n\r\n".encode() + DATA)


def ranged(span: str, start: int | None = None) -> Act:
    """First half, then a part whose Content-Range is a lie."""

    def act(talk: Talk) -> None:
        if not talk.start:
            talk.send(talk.rest()[:HALF])
            return
        talk.head("206 Partial Content", Content_Range=span, Content_Length=len(DATA) - HALF)
        talk.send(DATA[HALF:])

    return act


for _name, _span in {
    "from 0 by turns": f"bytes 0-{len(DATA) - 1}/{len(DATA)}",
    "from elsewhere": f"bytes 7-{len(DATA) - 1}/{len(DATA)}",
    "that is a word": "some",
    "of 5000 digits": f"bytes {'9' * 5000}-5/6",
    "that ends before it begins": f"bytes {HALF}-5/{len(DATA)}",
    "of another file": f"bytes {HALF}-{len(DATA)}/{len(DATA) + 1}",
    "that is empty": "",
}.items():
    behaviour(f"a range {_name}", "error")(ranged(_span))


@behaviour("a range without a total", "file")
def _(talk: Talk) -> None:
    ranged(f"bytes {HALF}-{len(DATA) - 1}/*")(talk)


@behaviour("the wrong part under the right range", "error")
def _(talk: Talk) -> None:
    if not talk.start:
        talk.send(talk.rest()[:HALF])
    else:
        talk.rest()
        talk.send(DATA[: len(DATA) - talk.start])


@behaviour("a part that nobody asked for", "file")
def _(talk: Talk) -> None:
    talk.head("206 Partial Content", Content_Range=f"bytes 0-{len(DATA) - 1}/{len(DATA)}", Content_Length=len(DATA))
    talk.send(DATA)


@behaviour("parts in multipart/byteranges", "error")
def _(talk: Talk) -> None:
    talk.head("206 Partial Content", Content_Type="multipart/byteranges; boundary=x")
    talk.send(b"--x\r\n" + DATA)


@behaviour("no rest, always", "error")
def _(talk: Talk) -> None:
    if talk.start:
        talk.head("416 Range Not Satisfiable", Content_Length=0)
    else:
        talk.send(talk.rest()[:HALF])


@behaviour("no rest of nothing", "error")
def _(talk: Talk) -> None:
    talk.head("416 Range Not Satisfiable", Content_Length=0)


@behaviour("wrong bytes of the right length", "error")
def _(talk: Talk) -> None:
    talk.head(Content_Length=len(DATA))
    talk.send(bytes(len(DATA)))


@behaviour("compressed", "error")
def _(talk: Talk) -> None:
    talk.head(Content_Encoding="gzip", Content_Length=len(DATA))
    talk.send(DATA)


@behaviour("a redirect to itself", "error")
def _(talk: Talk) -> None:
    talk.head("302 Found", Location="/file.pth", Content_Length=0)


@behaviour("redirects without end", "error")
def _(talk: Talk) -> None:
    talk.head("307 Temporary Redirect", Location=f"/file{talk.number}.pth", Content_Length=0)


@behaviour("five redirects", "file")
def _(talk: Talk) -> None:
    if talk.number < 6:
        talk.head("301 Moved Permanently", Location=f"/file{talk.number}.pth?token=secret", Content_Length=0)
    else:
        whole(talk)


@behaviour("a redirect whose body has no end", "file")
def _(talk: Talk) -> None:
    if talk.path.startswith("/file"):
        talk.head("302 Found", Location="/there")
        talk.flood(DATA)
    else:
        whole(talk)


@behaviour("slow redirects", "error")
def _(talk: Talk) -> None:
    talk.server.stop.wait(0.1)
    talk.head("302 Found", Location=f"/file{talk.number}.pth", Content_Length=0)


for _name, _target in {
    "to a file": "file:///etc/passwd",
    "to ftp": "ftp://user:secret@127.0.0.1/file.pth",
    "to nowhere": "http://",
    "to half an address": "http://[secret",
    "to a port that is none": "http://user:secret@127.0.0.1:port/file.pth?token=secret",
    "to control characters": "/a\x1b[2J b?secret",
    "of 60,000 characters": "/" + "a" * 60_000,
    "with a password": "http://user:secret@127.0.0.1:9/file.pth?token=secret#secret",
    "to javascript": "javascript:alert(1)",
}.items():
    behaviour(f"a redirect {_name}", "error")(
        lambda talk, target=_target: talk.head("302 Found", Location=target, Content_Length=0)
    )


@behaviour("a redirect without a target", "error")
def _(talk: Talk) -> None:
    talk.head("302 Found", Content_Length=0)


for _status in ("201 Created", "204 No Content", "304 Not Modified", "401 Unauthorized", "404 Not Found", "503 Busy"):
    behaviour(f"status {_status}", "error")(lambda talk, status=_status: talk.head(status, Content_Length=0))


@behaviour("busy once", "file")
def _(talk: Talk) -> None:
    if talk.number > 1:
        whole(talk)
    else:
        talk.head("503 Busy", Content_Length=0)


@behaviour("an error page without end", "error")
def _(talk: Talk) -> None:
    talk.head("404 Not Found")
    talk.flood(DATA)


@behaviour("a reason of control characters and 60,000 letters", "error")
def _(talk: Talk) -> None:
    talk.head("404 \x1b[2J\x07" + "a" * 60_000, Content_Length=0)


@behaviour("two hundred headers", "error")
def _(talk: Talk) -> None:
    talk.send(b"HTTP/1.1 200 OK\r\n" + b"A: b\r\n" * 200 + b"\r\n" + DATA)


@behaviour("headers of bytes that are no text", "either", 5.0)
def _(talk: Talk) -> None:
    talk.send(b"HTTP/1.1 200 OK\r\n\xff\xfe\x00: \x80\r\nContent-Length: %d\r\n\r\n" % len(DATA) + DATA)
