"""Downloads of known SHA-256, resumed after breaks, in bounded time and bytes whatever the server does.

Every read of the socket, status line, headers and chunk sizes included, waits no longer than what is left of the time;
addresses are shown without what may be secret in them.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import http.client
import io
import os
import re
import socket
import ssl
import stat
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from email.message import Message
from pathlib import Path
from typing import IO, Any, BinaryIO

from pixelgauge._version import __version__
from pixelgauge.files.reading import CAREFULLY, NO_LINK, FileError, cause, open_regular, shown
from pixelgauge.networks.manifest import ModelError, Source

_CHUNK = 1 << 16
MOST_UNKNOWN_BYTES = 1 << 30
"""Cap on a download whose size the manifest does not know."""
_LEAST_RATE = 1024
"""Bytes a second, below which a connection is given up."""
_LEAST_GAIN = 1 << 16
"""Bytes that an attempt must add to the most there ever were, for the count of attempts to begin anew."""
_MOST_REDIRECTS = 10
_WHOLE_RATE, _WHOLE_FREE = 1 << 16, 600.0
"""Bytes a second that the default of `most_seconds` reckons with, and seconds more."""


def offline() -> bool:
    """Whether ``PIXELGAUGE_OFFLINE`` forbids the network."""
    return os.environ.get("PIXELGAUGE_OFFLINE", "").strip().lower() not in ("", "0", "false", "no")


def file_sha256(path: str | os.PathLike[str], kind: type[FileError] = FileError) -> str:
    """SHA-256 of a regular file, as hexadecimal digits."""
    digest = hashlib.sha256()
    with open_regular(path, kind) as file:
        while chunk := file.read(1 << 20):
            digest.update(chunk)
    return digest.hexdigest()


# ---- addresses ----------------------------------------------------------------------------------------------------


def shown_address(address: str) -> str:
    """Address for a message: without user, password, query and fragment, which may be secret, printable and cut."""
    plain = re.split(r"[?#]", address, maxsplit=1)[0]
    scheme, separator, rest = plain.rpartition("://") if "://" in plain else ("", "", plain)
    return shown(scheme + separator + rest.rpartition("@")[2])


def address_of(source: Source) -> str:
    """Address to fetch a file from: the official one, or the file of that name at ``PIXELGAUGE_MIRROR``."""
    mirror = os.environ.get("PIXELGAUGE_MIRROR")
    if not mirror:
        return source.address
    parts = _split(mirror)
    if parts is None:
        raise ModelError(f"PIXELGAUGE_MIRROR={shown_address(mirror)!r} must be an http or https address of a folder")
    return urllib.parse.urlunsplit(parts._replace(path=f"{parts.path.rstrip('/')}/{source.file}", fragment=""))


def _split(address: str) -> urllib.parse.SplitResult | None:
    """Parts of an http or https address, None if it is none."""
    try:
        parts = urllib.parse.urlsplit(address)
        _ = parts.port, parts.username
    except ValueError:  # such as half an IPv6 address
        return None
    sound = parts.scheme in ("http", "https") and parts.hostname and not re.search(r"[\x00-\x20\x7f]", address)
    return parts if sound else None


def _request(address: str, headers: dict[str, str]) -> urllib.request.Request:
    """Request of an address; a user and password in it become a header, which no redirect takes along."""
    parts = _split(address)
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


class _Interrupted(Exception):
    """A transfer that broke off and may be resumed."""


class _Clock:
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
        self.until = self.deadline
        self._window = time.monotonic(), 0
        self.gained()

    def gained(self) -> None:
        """Note that a byte of the file came, not of what is sent around it."""
        self._last_gain = time.monotonic()

    def left(self) -> float:
        left = self.until - time.monotonic()
        if left <= 0:
            raise TimeoutError("out of time")
        return min(self.timeout, left)

    def count(self, received: int) -> None:
        self._bytes_left -= received
        if self._bytes_left < 0:
            raise _Endless
        if self._window is not None:  # here, since a chunk's size or trailers may trickle as the bytes do
            start, before = self._window
            now = time.monotonic()
            if now - self._last_gain > self.timeout:
                raise _Interrupted(f"no byte of the file for {self.timeout:g} s")
            elapsed = now - start
            self._window = start, before + received
            if elapsed > self.timeout:
                if before + received < _LEAST_RATE * elapsed:
                    raise _Interrupted(f"only {before + received} bytes in {elapsed:.0f} s")
                self._window = time.monotonic(), 0


class _Endless(Exception):
    """More bytes than any encoding of the file takes."""


class _TimedReader(io.RawIOBase):
    """A socket's stream whose every read waits no longer than the clock allows."""

    def __init__(self, connected: socket.socket, clock: _Clock) -> None:
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

    def __init__(self, connected: socket.socket, clock: _Clock) -> None:
        self._socket, self._clock = connected, clock

    def makefile(self, *_: Any, **__: Any) -> BinaryIO:
        return io.BufferedReader(_TimedReader(self._socket, self._clock), _CHUNK)


def _opener(clock: _Clock) -> urllib.request.OpenerDirector:
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
        before, after = urllib.parse.urlsplit(req.full_url).scheme, _split(newurl)
        where = f"{shown_address(req.full_url)} redirects to {shown_address(newurl)}"
        if after is None or (before, after.scheme) == ("https", "http"):
            raise ModelError(f"{where}: refused")
        hops = getattr(req, "hops", 0) + 1
        if hops > _MOST_REDIRECTS:
            raise ModelError(f"{where}, and {_MOST_REDIRECTS} redirects went before (HTTP status {code}): refused")
        made = _request(newurl, dict(req.headers))
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


# ---- transfers ----------------------------------------------------------------------------------------------------


def download(
    address: str,
    path: Path,
    *,
    size: int | None,
    sha256: str,
    progress: bool = True,
    timeout: float = 30.0,
    attempts: int = 5,
    pause: float = 0.5,
    most_seconds: float | None = None,
) -> None:
    """Fetch a file of known SHA-256, resuming what an earlier attempt or process left in ``path.part``.

    A file that is there already, with that hash, is kept.

    Parameters
    ----------
    address : str
        http or https.
    path : Path
        Appears only once the file is whole and its hash is right.
    size : int or None
        Bytes; None if unknown, and then at most 1 GiB are taken.
    sha256 : str
    progress : bool, default True
        Show a progress bar when standard error is a terminal.
    timeout : float, default 30
        Seconds within which the head of an answer must be here, redirects included; and seconds without at least a
        kilobyte a second after which a connection is given up.
    attempts : int, default 5
        Attempts that add less than 64 KiB to the most there ever were, one after another, before giving up.
    pause : float, default 0.5
        Seconds before the second attempt, doubled each time.
    most_seconds : float, optional
        Seconds in all, whatever the server does. By default 10 minutes and a second for each 64 KiB of `size` (of
        1 GiB where that is unknown): two and a half hours for the largest official file. Looking up a host's name is
        the system's, and not counted.

    Raises
    ------
    ModelError
        With the address, without what may be secret in it, and the reason.
    OSError
        If the file cannot be written.
    """
    most = MOST_UNKNOWN_BYTES if size is None else size
    seconds = _WHOLE_FREE + most / _WHOLE_RATE if most_seconds is None else most_seconds
    deadline = time.monotonic() + seconds
    name = shown_address(address)
    path.parent.mkdir(parents=True, exist_ok=True)
    if _size_of(path) and file_sha256(path) == sha256:  # of a run that ended before it used it
        return
    part = path.with_name(path.name + ".part")
    inherited = _size_of(part) > 0
    failures, best = 0, _size_of(part)
    while True:
        try:
            _transfer(address, part, size, progress, _Clock(timeout, deadline, 8 * most + (16 << 20)))
        except _Interrupted as error:
            kept = _size_of(part)
            failures = 1 if kept >= best + _LEAST_GAIN else failures + 1
            best = max(best, kept)
            late = time.monotonic() >= deadline
            if failures >= attempts or late:
                spent = f"; the {seconds:g} s that it may take are over" if late else ""
                raise ModelError(
                    f"{name}: {error}{spent}; {kept} bytes are kept, and the next pull resumes there"
                ) from error
            time.sleep(max(0.0, min(pause * 2 ** (failures - 1), 30.0, deadline - time.monotonic())))
            continue
        found = file_sha256(part)
        if found == sha256:
            os.replace(part, path)
            return
        part.unlink()
        if not inherited:
            raise ModelError(f"{name}: sha256 is {found}, the manifest says {sha256}: not the official file, discarded")
        # What an earlier process left may be to blame: once more from the start.
        inherited, failures, best = False, 0, 0


def _size_of(path: Path) -> int:
    """Bytes of what is there already; what is no regular file is not ours."""
    try:
        found = os.lstat(path)
    except FileNotFoundError:
        return 0
    if not stat.S_ISREG(found.st_mode):
        raise ModelError(f"{path} is a link or no regular file: remove it")
    return found.st_size


def _transfer(address: str, part: Path, size: int | None, progress: bool, clock: _Clock) -> None:
    offset = _size_of(part)
    if size is not None and offset > size:
        part.unlink()
        offset = 0
    if size is not None and offset == size:
        return
    headers = {"User-Agent": f"pixelgauge/{__version__}", "Accept-Encoding": "identity"}
    if offset:
        headers["Range"] = f"bytes={offset}-"
    with _explained(address, part, clock):
        opened = _opener(clock).open(_request(address, headers), timeout=clock.left())
        with contextlib.closing(opened) as response:
            clock.begin_body()
            start, total = _promised(response, address, part, offset, size)
            _receive(response, part, start, total, address, progress, clock)


@contextlib.contextmanager
def _explained(address: str, part: Path, clock: _Clock) -> Iterator[None]:
    """Tell failures that may pass, which are worth another attempt, from those that will not."""
    name = shown_address(address)
    try:
        yield
    except urllib.error.HTTPError as error:
        error.close()
        status = f"HTTP status {error.code} {shown(error.reason or '')}".rstrip()
        if error.code == 416:
            part.unlink(missing_ok=True)
            raise _Interrupted("the server does not have the rest of the file") from error
        if error.code >= 500 or error.code in (408, 429):
            raise _Interrupted(status) from error
        raise ModelError(f"{name}: {status}") from error
    except _Endless as error:
        part.unlink(missing_ok=True)
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
            raise _Interrupted("the server is too slow" if late else f"no data for {clock.timeout:g} s") from error
        text = cause(reason) if isinstance(reason, BaseException) else shown(reason)
        raise _Interrupted(f"{type(error).__name__}: {text}") from error
    except ValueError as error:  # what the standard library finds wrong with a header, or a file that is no file
        raise ModelError(f"{name}: {cause(error)}") from error


def _promised(response: Any, address: str, part: Path, offset: int, size: int | None) -> tuple[int, int | None]:
    """First byte that an answer has, and bytes of the whole file if it or the manifest says; lies are refused."""
    name = shown_address(address)
    if response.status not in (200, 206):
        raise ModelError(f"{name}: HTTP status {response.status}, and a file was asked for")
    encoding = response.headers.get("Content-Encoding", "identity").strip().lower()
    if encoding not in ("", "identity"):
        raise ModelError(f"{name}: the server sends it encoded as {shown(encoding)!r}, which was not asked for")
    start, total = 0, None
    if response.status == 206:
        span = response.headers.get("Content-Range", "")
        match = re.fullmatch(r"bytes ([0-9]{1,18})-([0-9]{1,18})/([0-9]{1,18}|\*)", span.strip())
        if match is None or int(match[1]) != offset or int(match[2]) < offset:
            part.unlink(missing_ok=True)
            raise _Interrupted(f"asked for bytes from {offset} on, the server sent {shown(span)!r}")
        start, total = offset, None if match[3] == "*" else int(match[3])
    lengths = set(response.headers.get_all("Content-Length", []))
    if lengths and response.headers.get("Transfer-Encoding") is None:
        if len(lengths) > 1 or not re.fullmatch(r"[0-9]{1,18}", length := lengths.pop().strip()):
            raise ModelError(f"{name}: the server's Content-Length is no number")
        if response.status == 200:
            total = int(length)
        elif total is not None and offset + int(length) > total:
            raise ModelError(f"{name}: the server offers bytes beyond the {total} of the file")
    if size is not None and total is not None and total != size:
        raise ModelError(f"{name}: the server offers {total} bytes, the manifest says {size}: not the official file")
    if total is not None and total > MOST_UNKNOWN_BYTES and size is None:
        raise ModelError(f"{name}: the server offers {total} bytes, and at most {MOST_UNKNOWN_BYTES} are taken")
    return start, total if size is None else size


def _receive(
    response: Any, part: Path, offset: int, total: int | None, address: str, progress: bool, clock: _Clock
) -> None:
    from tqdm import tqdm

    limit = total if total is not None else MOST_UNKNOWN_BYTES
    received = offset
    bar = tqdm(
        total=total,
        initial=offset,
        unit="B",
        unit_scale=True,
        unit_divisor=1024,
        desc=shown_address(address).rpartition("/")[2],
        disable=None if progress else True,  # None: off unless standard error is a terminal
    )
    with bar, _open_part(part, offset) as file:
        while chunk := response.read1(_CHUNK):
            received += len(chunk)
            if received > limit:
                file.close()
                part.unlink()
                raise ModelError(
                    f"{shown_address(address)}: the server sends more than {limit} bytes: not the official file, "
                    "discarded"
                )
            _write(file, chunk, part)
            bar.update(len(chunk))
            clock.gained()
            clock.left()
    if total is not None and received < total:
        raise _Interrupted(f"the connection ended after {received} of {total} bytes")


def _write(file: BinaryIO, chunk: bytes, part: Path) -> None:
    left = memoryview(chunk)
    try:
        while left:
            left = left[file.write(left) :]
    except OSError as error:  # a full disk, which asking again does not help
        raise OSError(error.errno, error.strerror, str(part)) from error


def _open_part(part: Path, offset: int) -> BinaryIO:
    """Open to append, or to write from the start; no link of that name is followed, no pipe waited for."""
    flags = os.O_WRONLY | os.O_CREAT | (os.O_APPEND if offset else os.O_TRUNC) | CAREFULLY | NO_LINK
    return os.fdopen(os.open(part, flags, 0o644), "wb", buffering=0)
