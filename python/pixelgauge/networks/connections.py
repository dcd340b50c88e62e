"""Connections over http and https that keep time and bytes whatever the server does, and addresses without secrets.

Every read of the socket, status line, headers and chunk sizes included, waits no longer than what is left of the time.
"""

from __future__ import annotations

import base64
import contextlib
import http.client
import io
import re
import socket
import ssl
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from email.message import Message
from typing import IO, Any, BinaryIO

from pixelgauge._version import __version__
from pixelgauge.files.reading import cause, shown
from pixelgauge.networks.manifest import ModelError

USER_AGENT = f"pixelgauge/{__version__}"
CHUNK = 1 << 16
"""Bytes of a read."""
_LEAST_RATE = 1024
"""Bytes a second, below which a connection is given up."""
_MOST_REDIRECTS = 10


# ---- addresses ----------------------------------------------------------------------------------------------------


def shown_address(address: str) -> str:
    """Address for a message: without user, password, query and fragment, which may be secret, printable and cut."""
    plain = re.split(r"[?#]", address, maxsplit=1)[0]
    scheme, separator, rest = plain.rpartition("://") if "://" in plain else ("", "", plain)
    return shown(scheme + separator + rest.rpartition("@")[2])


def split_address(address: str) -> urllib.parse.SplitResult | None:
    """Parts of an http or https address, None if it is none."""
    try:
        parts = urllib.parse.urlsplit(address)
        _ = parts.port, parts.username
    except ValueError:  # such as half an IPv6 address
        return None
    sound = parts.scheme in ("http", "https") and parts.hostname and not re.search(r"[\x00-\x20\x7f]", address)
    return parts if sound else None


def request_of(address: str, headers: dict[str, str]) -> urllib.request.Request:
    """Request of an address; a user and password in it become a header, which no redirect takes along."""
    parts = split_address(address)
    if parts is None:
        raise ModelError(f"{shown_address(address)}: unknown url type or no sound address: use http or https")
    user, _, host = parts.netloc.rpartition("@")
    path = urllib.parse.quote(parts.path, safe="/%:=&~+,;!$*()'@")
    request = urllib.request.Request(
        urllib.parse.urlunsplit(parts._replace(netloc=host, path=path, fragment="")), headers=headers
    )
    if user:
        token = base64.b64encode(urllib.parse.unquote(user).encode()).decode()
        request.add_unredirected_header("Authorization", f"Basic {token}")
    return request


# ---- connections that keep time ------------------------------------------------------------------------------------


class Interrupted(Exception):
    """A transfer that broke off and may be resumed."""


class Clock:
    """What is left of a transfer: seconds, for each wait and in all, and bytes."""

    def __init__(self, timeout: float, deadline: float, most_bytes: int) -> None:
        self.timeout, self.deadline = timeout, deadline
        self.until = min(deadline, time.monotonic() + timeout)
        """By when the answer's head must be here, redirects included; later the deadline of all."""
        self._bytes_left = most_bytes
        self._last_gain = 0.0
        self._window: tuple[float, int] | None = None
        """Start of the seconds whose rate is being measured, and bytes since; None before the body."""

    def begin_body(self) -> None:
        """Note that the answer's head is here."""
        self.until = self.deadline
        self._window = time.monotonic(), 0
        self.gained()

    def gained(self) -> None:
        """Note that a byte of the file came, not of what is sent around it."""
        self._last_gain = time.monotonic()

    def left(self) -> float:
        """Seconds that the next wait may take; raises ``TimeoutError`` where there are none."""
        left = self.until - time.monotonic()
        if left <= 0:
            raise TimeoutError("out of time")
        return min(self.timeout, left)

    def count(self, received: int) -> None:
        """Note bytes that came, whatever they were; raises for too many, or too few in the time."""
        self._bytes_left -= received
        if self._bytes_left < 0:
            raise Endless
        if self._window is not None:  # here, since a chunk's size or trailers may trickle as the bytes do
            start, before = self._window
            now = time.monotonic()
            if now - self._last_gain > self.timeout:
                raise Interrupted(f"no byte of the file for {self.timeout:g} s")
            elapsed = now - start
            self._window = start, before + received
            if elapsed > self.timeout:
                if before + received < _LEAST_RATE * elapsed:
                    raise Interrupted(f"only {before + received} bytes in {elapsed:.0f} s")
                self._window = time.monotonic(), 0


class Endless(Exception):
    """More bytes than any encoding of the file takes."""


class _TimedReader(io.RawIOBase):
    """A socket's stream whose every read waits no longer than the clock allows."""

    def __init__(self, connected: socket.socket, clock: Clock) -> None:
        self._socket, self._clock = connected, clock
        self._raw: Any = connected.makefile("rb", buffering=0)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        self._socket.settimeout(self._clock.left())
        received: int | None = self._raw.readinto(buffer)
        self._clock.count(received or 0)
        return received

    def close(self) -> None:
        self._raw.close()
        super().close()


class _TimedSocket:
    """What `http.client` needs of a socket to read an answer from it."""

    def __init__(self, connected: socket.socket, clock: Clock) -> None:
        self._socket, self._clock = connected, clock

    def makefile(self, *_: Any, **__: Any) -> BinaryIO:
        return io.BufferedReader(_TimedReader(self._socket, self._clock), CHUNK)


def opener(clock: Clock) -> urllib.request.OpenerDirector:
    """Make an opener of addresses whose every wait is on the clock; proxies are those of the environment."""

    class Response(http.client.HTTPResponse):
        def __init__(self, sock: Any, *args: Any, **kwargs: Any) -> None:
            super().__init__(_TimedSocket(sock, clock), *args, **kwargs)  # type: ignore[arg-type]

    def connect(address: tuple[str, int], _timeout: object = None, source: Any = None) -> socket.socket:
        """Try each address of a host, as many as there is time for."""
        last: OSError = OSError("no address")
        for family, kind, protocol, _name, place in socket.getaddrinfo(*address, type=socket.SOCK_STREAM):
            made = socket.socket(family, kind, protocol)
            try:
                made.settimeout(clock.left())
                made.connect(place)
                return made
            except OSError as error:
                made.close()
                last = error
            except BaseException:
                made.close()
                raise
        raise last

    class Plain(http.client.HTTPConnection):
        response_class = Response

        def __init__(self, *args: Any, **kwargs: Any) -> None:
            super().__init__(*args, **kwargs)
            self._create_connection = connect  # what connect() calls; the timeout is an address's, the clock is not

    class Secure(http.client.HTTPSConnection):
        response_class = Response

        def __init__(self, *args: Any, **kwargs: Any) -> None:
            super().__init__(*args, **kwargs)
            self._create_connection = connect

    class PlainHandler(urllib.request.HTTPHandler):
        def http_open(self, request: urllib.request.Request) -> http.client.HTTPResponse:
            return self.do_open(Plain, request)

    class SecureHandler(urllib.request.HTTPSHandler):
        def https_open(self, request: urllib.request.Request) -> http.client.HTTPResponse:
            return self.do_open(Secure, request, context=ssl.create_default_context())

    return urllib.request.build_opener(PlainHandler, SecureHandler, _Redirects)


class _Redirects(urllib.request.HTTPRedirectHandler):
    """Follows ten redirects, to http and https only and never from https to http; their bodies are not read."""

    def redirect_request(
        self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str, headers: Message, newurl: str
    ) -> urllib.request.Request:
        before, after = urllib.parse.urlsplit(req.full_url).scheme, split_address(newurl)
        where = f"{shown_address(req.full_url)} redirects to {shown_address(newurl)}"
        if after is None or (before, after.scheme) == ("https", "http"):
            raise ModelError(f"{where}: refused")
        hops = getattr(req, "hops", 0) + 1
        if hops > _MOST_REDIRECTS:
            raise ModelError(f"{where}, and {_MOST_REDIRECTS} redirects went before (HTTP status {code}): refused")
        made = request_of(newurl, dict(req.headers))
        made.hops = hops  # type: ignore[attr-defined]
        return made

    def http_error_302(
        self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str, headers: Message
    ) -> IO[bytes] | None:
        target = headers.get("Location")
        fp.close()
        if not target:
            raise ModelError(f"{shown_address(req.full_url)}: HTTP status {code} without a Location")
        try:
            target = urllib.parse.urljoin(req.full_url, target)
        except ValueError:
            raise ModelError(f"{shown_address(req.full_url)} redirects to no address: refused") from None
        made = self.redirect_request(req, fp, code, msg, headers, target)
        opened: IO[bytes] = self.parent.open(made, timeout=req.timeout)
        return opened

    http_error_301 = http_error_303 = http_error_307 = http_error_308 = http_error_302


# ---- failures -----------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def explained(address: str, clock: Clock, discard: Callable[[], None] = lambda: None) -> Iterator[None]:
    """Tell failures that may pass, which are worth another attempt, from those that will not.

    `discard` is called where what has been received so far is of no use.
    """
    name = shown_address(address)
    try:
        yield
    except urllib.error.HTTPError as error:
        error.close()
        status = f"HTTP status {error.code} {shown(error.reason or '')}".rstrip()
        if error.code == 416:
            discard()
            raise Interrupted("the server does not have the rest of the file") from error
        if error.code >= 500 or error.code in (408, 429):
            raise Interrupted(status) from error
        raise ModelError(f"{name}: {status}") from error
    except Endless as error:
        discard()
        raise ModelError(f"{name}: the server sends without end: not the official file, discarded") from error
    except http.client.InvalidURL as error:
        raise ModelError(f"{name}: no sound address") from error
    except (OSError, http.client.HTTPException) as error:
        # URLError and ConnectionError are OSErrors; full disks are too, and retrying would not help those.
        if isinstance(error, OSError) and error.filename is not None:
            raise
        reason = error.reason if isinstance(error, urllib.error.URLError) else error
        if isinstance(reason, ssl.SSLCertVerificationError):
            raise ModelError(f"{name}: its certificate is not trusted ({cause(reason)})") from error
        if isinstance(reason, TimeoutError):
            late = time.monotonic() >= clock.deadline
            raise Interrupted("the server is too slow" if late else f"no data for {clock.timeout:g} s") from error
        text = cause(reason) if isinstance(reason, BaseException) else shown(reason)
        raise Interrupted(f"{type(error).__name__}: {text}") from error
    except ValueError as error:  # what the standard library finds wrong with a header, or a file that is no file
        raise ModelError(f"{name}: {cause(error)}") from error
