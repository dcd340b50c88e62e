"""Downloads of known SHA-256, resumed after breaks, in bounded time and bytes whatever the server does."""

from __future__ import annotations

import contextlib
import os
import re
import stat
import time
from pathlib import Path
from typing import Any, BinaryIO

from pixelgauge.files.reading import CAREFULLY, NO_LINK, shown
from pixelgauge.networks.connections import (
    CHUNK,
    USER_AGENT,
    Clock,
    Interrupted,
    explained,
    opener,
    request_of,
    shown_address,
)
from pixelgauge.networks.hashing import file_sha256
from pixelgauge.networks.manifest import ModelError

MOST_UNKNOWN_BYTES = 1 << 30
"""Cap on a download whose size the manifest does not know."""
_LEAST_GAIN = 1 << 16
"""Bytes that an attempt must add to the most there ever were, for the count of attempts to begin anew."""
_WHOLE_RATE, _WHOLE_FREE = 1 << 16, 600.0
"""Bytes a second that the default of `most_seconds` reckons with, and seconds more."""


def offline() -> bool:
    """Whether ``PIXELGAUGE_OFFLINE`` forbids the network."""
    return os.environ.get("PIXELGAUGE_OFFLINE", "").strip().lower() not in ("", "0", "false", "no")


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
            _transfer(address, part, size, progress, Clock(timeout, deadline, 8 * most + (16 << 20)))
        except Interrupted as error:
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


def _transfer(address: str, part: Path, size: int | None, progress: bool, clock: Clock) -> None:
    offset = _size_of(part)
    if size is not None and offset > size:
        part.unlink()
        offset = 0
    if size is not None and offset == size:
        return
    headers = {"User-Agent": USER_AGENT, "Accept-Encoding": "identity"}
    if offset:
        headers["Range"] = f"bytes={offset}-"
    with explained(address, clock, lambda: part.unlink(missing_ok=True)):
        opened = opener(clock).open(request_of(address, headers), timeout=clock.left())
        with contextlib.closing(opened) as response:
            clock.begin_body()
            start, total = _promised(response, address, part, offset, size)
            _receive(response, part, start, total, address, progress, clock)


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
            raise Interrupted(f"asked for bytes from {offset} on, the server sent {shown(span)!r}")
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
    response: Any, part: Path, offset: int, total: int | None, address: str, progress: bool, clock: Clock
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
        while chunk := response.read1(CHUNK):
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
        raise Interrupted(f"the connection ended after {received} of {total} bytes")


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
