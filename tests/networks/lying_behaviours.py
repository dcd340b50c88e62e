"""More than 48 ways in which a server fails: slow in every part, wrong lengths and ranges, endless, garbage.

Each is a function of one connection. What a client must end in stands beside it: the right file, one error, or either.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from tests.networks.lying_server import DATA, HALF, Talk


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
