"""Downloads from a server that lies: in bounded time the right file or one error, and nothing left but a bounded part."""

from __future__ import annotations

import base64
import contextlib
import shutil
import ssl
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from pixelgauge.networks import download as downloads
from pixelgauge.networks.connections import shown_address
from pixelgauge.networks.download import download
from pixelgauge.networks.manifest import ModelError, model_named
from pixelgauge.networks.sources import mirror_address
from tests.networks.lying_behaviours import BEHAVIOURS, whole
from tests.networks.lying_server import DATA, DIGEST, HALF, LyingServer, Talk, serving

__all__ = ["serving"]
Serving = Callable[..., LyingServer]
MOST_SECONDS = 8.0
MOST_UNKNOWN = 1 << 20


@pytest.fixture(autouse=True)
def plain_network(monkeypatch: pytest.MonkeyPatch) -> None:
    for proxy in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(proxy, raising=False)
    monkeypatch.setattr(downloads, "MOST_UNKNOWN_BYTES", MOST_UNKNOWN)


def fetch(host: str, path: Path, size: int | None, **changes: object) -> None:
    arguments = {"timeout": 5.0, "attempts": 3, "pause": 0.01, "most_seconds": MOST_SECONDS, **changes}
    address = f"http://user:secret@{host}/file.pth?token=secret"
    download(address, path, size=size, sha256=DIGEST, progress=False, **arguments)  # type: ignore[arg-type]


def test_there_are_enough_behaviours() -> None:
    assert len(BEHAVIOURS) >= 48


@pytest.mark.boundary
@pytest.mark.parametrize("size", [len(DATA), None], ids=["known", "unknown"])
@pytest.mark.parametrize("name", BEHAVIOURS)
def test_every_behaviour(serving: Serving, tmp_path: Path, name: str, size: int | None) -> None:
    act, ends, timeout = BEHAVIOURS[name]
    server = serving(act)
    start = time.monotonic()
    message = None
    try:
        fetch(server.host, tmp_path / "a", size, timeout=timeout)
    except ModelError as error:
        message = str(error)
    assert time.monotonic() - start < MOST_SECONDS + 4  # a busy machine's share
    left = {entry.name: entry.stat().st_size for entry in tmp_path.iterdir()}
    if message is None:
        assert ends in ("file", "either")
        assert (tmp_path / "a").read_bytes() == DATA
        assert list(left) == ["a"]
    else:
        assert ends in ("error", "either") or size is None, message
        assert left.keys() <= {"a.part"}
        assert sum(left.values()) <= (MOST_UNKNOWN if size is None else size)
        assert "secret" not in message
        assert message.isprintable()
        assert len(message) <= 2000
        assert message.startswith(f"http://{server.host}/"), message
    # What is left does not spoil the next attempt.
    server.behaviour = whole
    server.requests = 0
    if message is not None:
        fetch(server.host, tmp_path / "a", size)
        assert (tmp_path / "a").read_bytes() == DATA


@pytest.mark.boundary
def test_total_time_ends_a_server_that_always_gains(serving: Serving, tmp_path: Path) -> None:
    """Every second enough bytes for the rate, and never the file."""

    def slowly(talk: Talk) -> None:
        data = talk.rest()
        for i in range(0, len(data), 500):
            talk.send(data[i : i + 500])
            if talk.server.stop.wait(0.05):
                return

    server = serving(slowly)
    start = time.monotonic()
    with pytest.raises(ModelError, match=r"the 1\.5 s that it may take are over; \d+ bytes are kept"):
        fetch(server.host, tmp_path / "a", len(DATA), timeout=1.0, most_seconds=1.5)
    assert 1.0 < time.monotonic() - start < 6


@pytest.mark.boundary
def test_many_addresses_that_do_not_answer(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    import socket

    with socket.create_server(("127.0.0.1", 0), backlog=0) as full:
        place = full.getsockname()
        waiting = [socket.socket() for _ in range(8)]  # so that the next one is not answered
        for one in waiting:
            one.setblocking(False)
            one.connect_ex(place)
        found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", place)] * 500
        monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found)
        start = time.monotonic()
        with pytest.raises(ModelError, match="no data for 0"):
            fetch("example.invalid", tmp_path / "a", len(DATA), timeout=0.3, attempts=2)
        assert time.monotonic() - start < 5
        for one in waiting:
            one.close()


# ---- what is secret -----------------------------------------------------------------------------------------------


@pytest.mark.property
def test_user_and_password_become_a_header_for_their_host_alone(serving: Serving, tmp_path: Path) -> None:
    seen: list[tuple[str, bytes | None]] = []

    def serve(self: LyingServer, connection) -> None:
        with connection:
            request = connection.recv(65536)
            line = next((line for line in request.split(b"\r\n") if line.startswith(b"Authorization")), None)
            seen.append((request.split(b" ")[1].decode(), line))
            talk = Talk(self, connection, request, 1)
            if self is first:
                talk.head("302 Found", Location=f"http://{second.host}/there", Content_Length=0)
            else:
                whole(talk)

    first, second = serving(whole), serving(whole)
    for server in (first, second):
        server._serve = lambda connection, server=server: serve(server, connection)  # type: ignore[method-assign]
    fetch(first.host, tmp_path / "a", len(DATA))
    expected = b"Authorization: Basic " + base64.b64encode(b"user:secret")
    assert seen == [("/file.pth?token=secret", expected), ("/there", None)]


@pytest.mark.boundary
@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("https://user:pass@host/a/b.pth?token=x#y", "https://host/a/b.pth"),
        ("https://user:p@ss@host:8080/a?x", "https://host:8080/a"),
        ("user:pass@host/a", "host/a"),
        ("http://[bad", "http://[bad"),
        ("https://host/" + "a" * 5000, None),
        ("https://host/a\x1b[2J", "https://host/a\\x1b[2J"),
    ],
)
def test_addresses_are_shown_without_secrets(address: str, shown: str | None) -> None:
    found = shown_address(address)
    assert len(found) <= 200
    assert found.isprintable()
    assert shown is None or found == shown


@pytest.mark.property
@pytest.mark.parametrize(
    ("mirror", "address"),
    [
        ("https://host/folder/", "https://host/folder/{}"),
        ("https://host", "https://host/{}"),
        ("https://u:p@host/folder?token=x#y", "https://u:p@host/folder/{}?token=x"),
        ("http://host:80//a//", "http://host:80//a/{}"),
    ],
)
def test_a_mirrors_query_stays_behind_the_file(monkeypatch: pytest.MonkeyPatch, mirror: str, address: str) -> None:
    source = model_named("lpips-alex").sources[0]
    monkeypatch.setenv("PIXELGAUGE_MIRROR", mirror)
    assert mirror_address(source) == address.format(source.file)


@pytest.mark.boundary
@pytest.mark.parametrize(
    "mirror",
    [
        "ftp://user:secret@host/a",
        "user:secret@host",
        "https://user:secret@host:port/",
        "http://user:secret@/",
        "https://a b/?secret",
    ],
)
def test_a_bad_mirror_is_named_without_secrets(monkeypatch: pytest.MonkeyPatch, mirror: str) -> None:
    monkeypatch.setenv("PIXELGAUGE_MIRROR", mirror)
    with pytest.raises(ModelError, match=r"PIXELGAUGE_MIRROR=.* must be an http or https address") as caught:
        mirror_address(model_named("lpips-alex").sources[0])
    assert "secret" not in str(caught.value)


# ---- what lies where the part should --------------------------------------------------------------------------------


@pytest.mark.boundary
def test_a_planted_link_is_not_followed(serving: Serving, tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_bytes(b"mine")
    for target in (victim, tmp_path / "absent"):
        (tmp_path / "a.part").symlink_to(target)
        with pytest.raises(ModelError, match=r"a\.part is a link or no regular file: remove it"):
            fetch(serving(whole).host, tmp_path / "a", len(DATA))
        (tmp_path / "a.part").unlink()
    assert victim.read_bytes() == b"mine"
    assert not (tmp_path / "absent").exists()


@pytest.mark.property
def test_a_file_that_is_there_is_asked_for_only_if_it_is_another(serving: Serving, tmp_path: Path) -> None:
    server = serving(whole)
    (tmp_path / "a").write_bytes(DATA)
    fetch(server.host, tmp_path / "a", len(DATA))
    assert server.requests == 0
    (tmp_path / "a").write_bytes(DATA[:-1] + b"x")
    fetch(server.host, tmp_path / "a", len(DATA))
    assert (tmp_path / "a").read_bytes() == DATA


@pytest.mark.property
def test_a_spoiled_part_costs_one_more_attempt_in_the_same_time(serving: Serving, tmp_path: Path) -> None:
    (tmp_path / "a.part").write_bytes(bytes(HALF))
    server = serving(whole)
    fetch(server.host, tmp_path / "a", len(DATA))
    assert (tmp_path / "a").read_bytes() == DATA
    assert server.requests == 2


@pytest.mark.boundary
@pytest.mark.parametrize("silent", [True, False])
def test_https_to_what_does_not_speak_it(serving: Serving, tmp_path: Path, silent: bool) -> None:
    def serve(connection) -> None:
        with connection:
            if silent:
                server.stop.wait(5)
            else:
                connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n" * 100)

    server = serving(whole)
    server._serve = serve  # type: ignore[method-assign]
    start = time.monotonic()
    with pytest.raises(ModelError, match="no data for 0.5 s" if silent else "Error"):
        download(
            f"https://{server.host}/a", tmp_path / "a", size=5, sha256=DIGEST, progress=False, timeout=0.5, attempts=1
        )
    assert time.monotonic() - start < 4


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[ssl.SSLContext, Path]:
    """A server's context, and the file of its certificate, which signs itself."""
    program = shutil.which("openssl")
    if program is None:
        pytest.skip("openssl, which makes a certificate, is not installed")
    folder = tmp_path_factory.mktemp("certificate")
    key, found = folder / "key.pem", folder / "certificate.pem"
    options = "req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost -addext subjectAltName=IP:127.0.0.1"
    subprocess.run(
        [program, *options.split(), "-keyout", str(key), "-out", str(found)], check=True, capture_output=True
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(found, key)
    return context, found


@pytest.mark.property
@pytest.mark.parametrize(
    "name", ["sound", "chunked", "breaks off, and resumes", "a slow body", "slow headers", "silence", "resets at once"]
)
def test_the_same_over_tls(
    serving: Serving,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    certificate: tuple[ssl.SSLContext, Path],
    name: str,
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate[1]))
    act, ends, timeout = BEHAVIOURS[name]
    server = serving(act, certificate[0])
    start = time.monotonic()
    with contextlib.nullcontext() if ends == "file" else pytest.raises(ModelError):
        download(
            f"https://{server.host}/file.pth",
            tmp_path / "a",
            size=len(DATA),
            sha256=DIGEST,
            progress=False,
            timeout=max(timeout, 1.0),
            attempts=2,
            pause=0.01,
            most_seconds=MOST_SECONDS,
        )
    assert time.monotonic() - start < MOST_SECONDS + 4
    assert (tmp_path / "a").exists() == (ends == "file")


@pytest.mark.boundary
def test_a_certificate_that_nobody_trusts_is_not_asked_again(
    serving: Serving, tmp_path: Path, certificate: tuple[ssl.SSLContext, Path]
) -> None:
    server = serving(whole, certificate[0])
    with pytest.raises(ModelError, match="its certificate is not trusted"):
        download(f"https://{server.host}/a", tmp_path / "a", size=5, sha256=DIGEST, progress=False)


@pytest.mark.boundary
def test_from_https_to_http_is_refused(
    serving: Serving, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, certificate: tuple[ssl.SSLContext, Path]
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate[1]))
    plain = serving(whole)
    server = serving(
        lambda talk: talk.head("302 Found", Location=f"http://{plain.host}/a?secret", Content_Length=0), certificate[0]
    )
    with pytest.raises(ModelError, match=rf"redirects to http://{plain.host}/a: refused"):
        download(f"https://{server.host}/a", tmp_path / "a", size=5, sha256=DIGEST, progress=False)
    assert plain.requests == 0
