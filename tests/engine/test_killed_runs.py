"""Runs that are ended fifty times at any moment, by any signal, and gone on with have the rows of one that was not."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from tests.engine.runs import typed_records
from tests.pictures import random_pixels

pytestmark = pytest.mark.boundary

ENDED = 50
PAIRS = 40

RUNS = f"""
import contextlib, io, os, random, signal, sys, time
import pyarrow.parquet
from PIL import Image
from pixelgauge.cli import build_parser, main

build_parser()  # all is imported once, before the children
Image.init()
name, argv = sys.argv[1], ["compare", "ref", "test", "--quiet", "--workers", "2", "--output", sys.argv[1], "--resume"]
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
whole = time.monotonic() - begin
ended = finished = 0
while ended < {ENDED}:
    if os.path.exists(name) and finished and not ended % 5:
        for entry in os.listdir():
            if entry.startswith(name):
                os.remove(entry)
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


@pytest.mark.parametrize("name", ["rows.csv", "rows.jsonl", "rows.parquet", "rows.sqlite"])
def test_rows_survive_an_end_at_any_moment(tmp_path: Path, name: str) -> None:
    for i in range(PAIRS):
        for side, seed in (("ref", i), ("test", 1000 + i)):
            (tmp_path / side).mkdir(exist_ok=True)
            Image.fromarray(random_pixels((32, 32, 3), seed)).save(tmp_path / side / f"{i:02}.png")
    command = [sys.executable, "-c", RUNS, name]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stderr  # which may tell of an interrupt that came where Python ignores it
    assert rows_of(tmp_path / name) == rows_of(tmp_path / f"clean-{name}")
    assert len(rows_of(tmp_path / name)) == PAIRS
    left = {entry.name for entry in tmp_path.iterdir() if not entry.name.startswith(".pixelgauge-")}
    assert left == {"ref", "test", name, f"clean-{name}"}
