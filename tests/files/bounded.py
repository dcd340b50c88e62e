"""Runs a reader on files in a process of its own: how each ended, in what time, and the most memory that it held."""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

import pytest

EXPANSION, FREE_BYTES = 20, 200 << 20
"""Most that a hostile file may cost: so many times its bytes, and so many bytes more, the interpreter included."""

PROGRAM = """
import gc, importlib, json, re, sys, time
from pixelgauge.files.reading import FileError

module, name = sys.argv[1:]
read = getattr(importlib.import_module(module), name)
for line in sys.stdin:
    path = json.loads(line)
    gc.collect()
    open("/proc/self/clear_refs", "w").write("5")  # the peak begins anew
    error = message = None
    start = time.perf_counter()
    try:
        read(path)
    except FileError as caught:
        error, message = type(caught).__name__, str(caught)
    except Exception as caught:
        error, message = "undocumented " + type(caught).__name__, str(caught)[:500]
    seconds = time.perf_counter() - start
    # Not ru_maxrss: a child that is started by vfork inherits its parent's, and it cannot begin anew.
    peak = re.search(r"VmHWM:\\s+(\\d+) kB", open("/proc/self/status").read())
    print(json.dumps([error, message, seconds, int(peak[1]) << 10]), flush=True)
"""


@dataclasses.dataclass(frozen=True)
class Outcome:
    path: Path
    error: str | None
    message: str
    seconds: float
    peak: int

    def require_refused(self, error: str, seconds: float = 10.0) -> str:
        """Message of the one error that a hostile file must lead to, within the bounds of memory, time and length."""
        assert self.error == error, self
        assert len(self.message) <= 2000
        assert self.message.isprintable()
        assert str(self.path) in self.message
        assert self.seconds < seconds
        self.require_peak()
        return self.message

    def require_peak(self) -> None:
        size = self.path.stat().st_size
        assert self.peak <= EXPANSION * size + FREE_BYTES, f"{self.peak >> 20} MiB for a file of {size} bytes"


def outcomes_of(reader: str, paths: Iterable[Path], seconds: float = 120.0) -> list[Outcome]:
    """Outcome of ``module:function`` on each file; a signal that ends the process fails, and names the file."""
    if not sys.platform.startswith("linux"):
        pytest.skip("reads the peak of memory from /proc")
    files = list(paths)
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, *reader.split(":")],
        input="".join(f"{json.dumps(str(path))}\n" for path in files),
        capture_output=True,
        text=True,
        timeout=seconds,
        check=False,
    )
    lines = done.stdout.splitlines()
    ended = files[len(lines)] if len(lines) < len(files) else "the end"
    assert done.returncode == 0, (done.returncode, ended, done.stderr[-2000:])
    return [
        Outcome(path, error, message or "", took, peak)
        for path, (error, message, took, peak) in zip(files, map(json.loads, lines), strict=True)
    ]
