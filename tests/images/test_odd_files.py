"""The patience script: what is read, what is refused, and that each kind of finding is one."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.images import odd_files
from tests.images.encoded import pixels, png_bytes, tiff_bytes


@pytest.mark.cli
def test_a_folder_of_odd_files(tmp_path: Path) -> None:
    folder = tmp_path / "odd"
    folder.mkdir()
    files = {
        "a.png": png_bytes(pixels(3)),
        "b.png": png_bytes(pixels(4)),
        "c.png": png_bytes(pixels(3))[:-9],
        "d.tif": tiff_bytes(pixels(1), bits=12),
        "e.txt": b"no image",
    }
    for name, data in files.items():
        (folder / name).write_bytes(data)
    os.mkfifo(folder / "f.png")
    lines = tmp_path / "lines.jsonl"
    command = [sys.executable, "-m", "tests.images.odd_files", str(folder), "--workers", "1", "--jsonl", str(lines)]
    ran = subprocess.run(command, cwd=odd_files.REPOSITORY, capture_output=True, text=True, check=False, timeout=300)
    assert "findings: 0\n" in ran.stdout, ran.stdout
    assert (ran.returncode, ran.stderr) == (0, "")
    found = {os.path.basename(result["path"]): result for result in map(json.loads, lines.read_text().splitlines())}
    assert found["a.png"]["compare"]["status"] == "ok"
    assert found["b.png"]["image"]["transparent"]
    assert found["d.tif"]["image"]["refused"] == "has 12-bit gray samples"
    assert found["f.png"]["image"]["refused"] == "is a pipe"
    for line in ("6 files", "scored: 2", "refused: 4", "1  is a pipe", "1  has N-bit gray samples"):
        assert line in ran.stdout


@pytest.mark.boundary
def test_whoever_hangs_or_dies_is_found_and_the_rest_is_done(monkeypatch: pytest.MonkeyPatch) -> None:
    code = """
import json, os, sys, time
for line in sys.stdin:
    path = json.loads(line)
    if path == "hang":
        time.sleep(60)
    if path == "crash":
        os.abort()
    print(json.dumps({"path": path, "findings": []}), flush=True)
"""
    popen = subprocess.Popen

    def started(command, **options):
        return popen([sys.executable, "-c", code], **options)

    monkeypatch.setattr(odd_files.subprocess, "Popen", started)
    paths = ["a", "crash", "b", "hang", "c", "crash"]
    found = list(odd_files.results(paths, workers=2, seconds=5, megabytes=1000))
    assert sorted(result["path"] for result in found) == sorted(paths)
    by_path = {result["path"]: result["findings"] for result in found}
    assert by_path["a"] == by_path["b"] == by_path["c"] == []
    assert by_path["crash"][0].startswith("crash: exit status -")
    assert by_path["hang"] == ["hang: more than 5 s"]
    out = io.StringIO()
    assert odd_files.report(found, out) == 3


@pytest.mark.boundary
def test_each_kind_of_finding(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.png").write_bytes(png_bytes(pixels(3)))
    monkeypatch.setattr(odd_files, "compare", lambda path, transparent: {"status": "ok", "wrong": ["ssim is 0.9"]})
    monkeypatch.setattr(odd_files, "distance_source", lambda path: os.write(2, b"a line") and {})

    def failing(path):
        raise KeyError("tag")

    monkeypatch.setattr(odd_files, "read", failing)
    with open(tmp_path / "stderr", "w+b") as file:
        kept = os.dup(2)
        os.dup2(file.fileno(), 2)
        try:
            found = odd_files.one(str(tmp_path / "a.png"))["findings"]
        finally:
            os.dup2(kept, 2)
            os.close(kept)
    assert found == ["image: KeyError: 'tag'", "compare: ssim is 0.9", "distance: on stderr: a line"]
    assert odd_files.checked_message(ValueError("x" * 3000)) == {
        "finding": "a message of 3000 characters, printable: True"
    }
    assert odd_files.checked_message(ValueError("a\x1b[31m")) == {
        "finding": "a message of 6 characters, printable: False"
    }
    assert odd_files.grouped("has 12-bit 'x' at 0x1f") == "has N-bit '...' at N"
