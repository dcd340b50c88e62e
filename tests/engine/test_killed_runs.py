"""Runs that are ended fifty times at any moment, by any signal, and gone on with have the rows of one that was not."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from tests.engine.runs import typed_records
from tests.pictures import random_pixels
from tests.places import ROOT

pytestmark = pytest.mark.boundary

ENDED = 50
PAIRS = 40

RUNS = f"""
import contextlib, io, os, random, shutil, signal, sys, time
sys.path.insert(0, {str(ROOT)!r})
import pyarrow.parquet
from PIL import Image
from pixelgauge.cli import build_parser, main
from pixelgauge.engine.extraction import Inception
from tests.engine.stand_in import StandIn

build_parser()  # all is imported once, before the children
Image.init()
Inception.extractor = lambda self, output: StandIn(output)
name, argv = sys.argv[1], [*sys.argv[2:], sys.argv[1], "--resume"]
clean = f"clean-{{name}}"
draw = random.Random(17)

def started(*argv):
    child = os.fork()
    if child == 0:
        for number in (signal.SIGINT, signal.SIGTERM):  # as in a terminal
            signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)
        with open(os.devnull, "w") as nowhere, contextlib.redirect_stdout(nowhere), contextlib.redirect_stderr(nowhere):
            try:
                code = main(list(argv))
            except KeyboardInterrupt:  # before the command has begun
                code = 130
        os._exit(code)
    return child

begin = time.monotonic()
assert os.waitpid(started(*argv[:-2], clean), 0)[1] == 0
assert os.path.exists(clean)
whole = time.monotonic() - begin
ended = finished = 0
while ended < {ENDED}:
    if os.path.exists(name) and finished and not ended % 5:
        for entry in os.listdir():
            if entry.startswith(name):
                shutil.rmtree(entry) if os.path.isdir(entry) else os.remove(entry)
        finished = 0
    child = started(*argv)
    time.sleep(draw.uniform(0, 0.7 * whole))
    number = draw.choice([signal.SIGKILL] * 3 + [signal.SIGTERM, signal.SIGINT])
    os.kill(child, number)
    status = os.waitpid(child, 0)[1]
    code = os.waitstatus_to_exitcode(status)
    assert code in (0, 130, -number), code
    ended += code != 0
    finished = code == 0
code = os.waitstatus_to_exitcode(os.waitpid(started(*argv), 0)[1])
assert code == 0, code
"""


def rows_of(path: Path) -> list[dict[str, Any]]:
    if path.suffix in (".parquet", ".sqlite"):
        found = typed_records(path)
    elif path.suffix == ".csv":
        head, *lines = path.read_text().splitlines()
        found = [dict(zip(head.split(","), line.split(","), strict=True)) for line in lines]
    else:
        found = [json.loads(line) for line in path.read_text().splitlines()]
    return sorted(found, key=lambda row: row["ref"])


def ended_runs(folder: Path, name: str, *argv: str) -> None:
    """Make a clean file and one by runs that are ended, of forty pairs of images."""
    for i in range(PAIRS):
        for side, seed in (("ref", i), ("test", 1000 + i)):
            (folder / side).mkdir(exist_ok=True)
            Image.fromarray(random_pixels((32, 32, 3), seed)).save(folder / side / f"{i:02}.png")
    command = [sys.executable, "-c", RUNS, name, *argv]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stderr  # which may tell of an interrupt that came where Python ignores it


@pytest.mark.parametrize("name", ["rows.csv", "rows.jsonl", "rows.parquet", "rows.sqlite"])
def test_rows_survive_an_end_at_any_moment(tmp_path: Path, name: str) -> None:
    ended_runs(tmp_path, name, "compare", "ref", "test", "--quiet", "--workers", "2", "--output")
    assert rows_of(tmp_path / name) == rows_of(tmp_path / f"clean-{name}")
    assert len(rows_of(tmp_path / name)) == PAIRS
    left = {entry.name for entry in tmp_path.iterdir() if not entry.name.startswith(".pixelgauge-")}
    assert left == {"ref", "test", name, f"clean-{name}"}


@pytest.mark.parametrize("name", ["f.npz", "f.parquet", "parts"])
def test_features_survive_an_end_at_any_moment(tmp_path: Path, name: str) -> None:
    """The file, or each of its parts, has the bytes of a run without a break."""
    shards = ["--shard-size", "7"] if name == "parts" else []
    ended_runs(tmp_path, name, "features", "ref", "--quiet", *shards, "-o")
    places = [tmp_path / name, tmp_path / f"clean-{name}"]
    found, clean = (
        {file.name: file.read_bytes() for file in (sorted(place.iterdir()) if place.is_dir() else [place])}
        for place in places
    )
    assert [data for part, data in found.items() if not part.startswith(".pixelgauge-")] == list(clean.values())
    left = {entry for entry in os.listdir(tmp_path) if not entry.startswith(".pixelgauge-")}
    assert left == {"ref", "test", name, f"clean-{name}"}
