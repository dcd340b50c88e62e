"""Patience with odd files: reads and scores every file of a folder, each within limits, and lists what came of it.

``python -m tests.images.odd_files FOLDER`` reads each file with `read_image`, compares it with itself, and opens and decodes it
as `distance` does. A file is either read, and equal to itself, or refused by one documented error. Everything else is a
finding: a hang, a crash, another exception, a message beyond 2000 characters, a line on stderr, memory beyond the bound,
or a file that differs from itself. The exit code is 1 if there is one.
"""

from __future__ import annotations

import argparse
import collections
import contextlib
import io
import json
import math
import os
import re
import resource
import selectors
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, TextIO

REPOSITORY = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
MOST_MESSAGE = 2000
MEGABYTE = 1 << 20
Outcome = dict[str, Any]
"""What came of a file, or of a step of its reading: as JSON has it."""


# ---- in a process of its own -----------------------------------------------------------------------------------------


def read(path: str) -> Outcome:
    """What `read_image` makes of a file: read, or refused; transparent ones by each way of asking."""
    from pixelgauge.images import ImageFileError, read_image

    try:
        pixels = read_image(path)
    except ImageFileError as error:
        told = checked_message(error)
        if error.reason != "has transparent pixels":
            return {"refused": error.reason, **told}
        shapes = {read_image(path, alpha=alpha).shape for alpha in ("drop", "black", "white")}
        return {"transparent": True, "pixels": math.prod(next(iter(shapes))[:2]), **told}
    return {"read": True, "pixels": pixels.shape[0] * pixels.shape[1]}


def checked_message(error: BaseException) -> Outcome:
    text = str(error)
    if len(text) > MOST_MESSAGE or not text.isprintable():
        return {"finding": f"a message of {len(text)} characters, printable: {text.isprintable()}"}
    if "MemoryError" in text:
        return {"finding": "out of memory"}
    return {}


def compare(path: str, transparent: bool) -> Outcome:
    """Score a file against itself by the command."""
    from pixelgauge.cli import main

    out = io.StringIO()
    command = ["compare", path, path, "--metrics", "mse,ssim", "--json", "--workers", "1"]
    with contextlib.redirect_stdout(out):
        code = main([*command, *(["--alpha", "black"] if transparent else [])])
    (row,) = json.loads(out.getvalue())["rows"]
    wrong = [
        f"{name} against itself is {row[name]}"
        for name, perfect in (("mse", 0.0), ("ssim", 1.0))
        if row.get(name) not in (None, perfect)
    ]
    if len(row["message"]) > MOST_MESSAGE:
        wrong.append("a row's message is too long")
    if code != (0 if row["status"] == "ok" else 1):
        wrong.append(f"exit code {code} with status {row['status']}")
    return {"status": row["status"], "message": row["message"], "wrong": wrong}


def distance_source(path: str) -> Outcome:
    """Open and decode a file as `distance` does on its way to the network."""
    from pixelgauge.engine.feature_sources import FeatureSource
    from pixelgauge.networks.preprocess import read_rgb

    try:
        assert len(FeatureSource([path], "real")) == 1
        return {"read": True, "shape": read_rgb(path).shape}
    except (OSError, ValueError) as error:
        return {"refused": str(error), **checked_message(error)}


def one(path: str) -> Outcome:
    """All of a file, as JSON has it."""
    result: Outcome = {"path": path, "findings": []}
    try:
        size = os.stat(path).st_size
    except OSError:
        size = 0
    steps: tuple[tuple[str, Callable[[], Outcome]], ...] = (
        ("image", lambda: read(path)),
        ("compare", lambda: compare(path, result.get("image", {}).get("transparent", False))),
        ("distance", lambda: distance_source(path)),
    )
    for name, step in steps:
        told, start = os.fstat(2).st_size, time.perf_counter()
        reset_peak()
        before = peak()
        try:
            result[name] = step()
        except Exception as error:
            result["findings"].append(f"{name}: {type(error).__name__}: {str(error)[:300]}")
            result[name] = {}
        sys.stderr.flush()
        result[name]["seconds"] = time.perf_counter() - start
        if os.fstat(2).st_size > told:
            with open("/proc/self/fd/2", "rb") as file:
                file.seek(told)
                result["findings"].append(f"{name}: on stderr: {file.read(300).decode(errors='replace')}")
        if finding := result[name].pop("finding", None):
            result["findings"].append(f"{name}: {finding}")
        result["findings"] += [f"{name}: {wrong}" for wrong in result[name].pop("wrong", [])]
        # As docs/reference/files.md has it: for each pixel, for each byte of the file, and beside them.
        most = 32 * result["image"].get("pixels", 0) * (2 if name == "compare" else 1) + 6 * size + 64 * MEGABYTE
        if name != "distance" and peak() - before > most:
            result["findings"].append(f"{name}: {(peak() - before) // MEGABYTE} MiB for {size} bytes")
    image, scored = result["image"], result["compare"].get("status") in ("ok", "unscorable")
    if not result["findings"] and bool(image.get("read") or image.get("transparent")) != scored:
        result["findings"].append(f"compare: {result['compare']}, and read_image: {image}")
    return result


def reset_peak() -> None:
    with contextlib.suppress(OSError), open("/proc/self/clear_refs", "w") as file:
        file.write("5")


def peak() -> int:
    with contextlib.suppress(OSError), open("/proc/self/status") as file:
        found = re.search(r"VmHWM:\s*(\d+)", file.read())
        return 1024 * int(found[1]) if found else 0
    return 0


def work(megabytes: int) -> None:
    """Take paths from stdin, a line of JSON each, and give a line for each."""
    resource.setrlimit(resource.RLIMIT_AS, (megabytes * MEGABYTE, megabytes * MEGABYTE))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    one(os.path.join(REPOSITORY, "README.md"))  # imports
    for line in sys.stdin:
        print(json.dumps(one(json.loads(line))), file=answers, flush=True)


# ---- over all files --------------------------------------------------------------------------------------------------


class Worker:
    """A process that takes files one at a time, and is replaced when it dies or takes too long."""

    def __init__(self, megabytes: int) -> None:
        self.said = tempfile.TemporaryFile()  # noqa: SIM115 - lives as long as the process
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.images.odd_files", "--worker", str(megabytes)],
            cwd=REPOSITORY,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.said,
            env={**os.environ, "PIXELGAUGE_NUM_THREADS": "1"},
        )
        assert self.process.stdin
        assert self.process.stdout
        self.input, self.output = self.process.stdin, self.process.stdout
        self.path, self.since = "", 0.0

    def give(self, path: str) -> None:
        self.path, self.since = path, time.monotonic()
        self.input.write(json.dumps(path).encode() + b"\n")
        self.input.flush()

    def take(self) -> Outcome:
        if line := self.output.readline():
            result: Outcome = json.loads(line)
            return result
        return {"path": self.path, "findings": [f"crash: exit status {self.process.wait()}"]}

    def end(self) -> None:
        self.process.kill()
        self.process.wait()
        for file in (self.input, self.output, self.said):
            with contextlib.suppress(OSError):
                file.close()


def results(paths: Iterable[str], *, workers: int, seconds: float, megabytes: int) -> Iterator[Outcome]:
    """A result for each file, in the order in which they come."""
    waiting = collections.deque(paths)
    pool: list[Worker] = []
    with selectors.DefaultSelector() as ready:

        def start() -> None:
            worker = Worker(megabytes)
            pool.append(worker)
            ready.register(worker.output, selectors.EVENT_READ, worker)
            worker.give(waiting.popleft())

        def drop(worker: Worker) -> None:
            ready.unregister(worker.output)
            pool.remove(worker)
            worker.end()

        try:
            while waiting or pool:
                while waiting and len(pool) < workers:
                    start()
                for key, _ in ready.select(timeout=0.5):
                    worker = key.data
                    result = worker.take()
                    yield result
                    if worker.process.poll() is not None or not waiting:
                        drop(worker)
                    else:
                        worker.give(waiting.popleft())
                for worker in [w for w in pool if time.monotonic() - w.since > seconds]:
                    yield {"path": worker.path, "findings": [f"hang: more than {seconds} s"]}
                    drop(worker)
        finally:
            for worker in list(pool):
                drop(worker)


def files_below(folder: str) -> Iterator[str]:
    for here, folders, names in os.walk(folder):
        folders.sort()
        yield from (os.path.join(here, name) for name in sorted(names))


def grouped(reason: str) -> str:
    """A reason without its numbers and names, to count it by."""
    reason = re.sub(r"'[^']*'|\"[^\"]*\"", "'...'", reason)
    return re.sub(r"0x[0-9a-f]+|\d+(\.\d+)?", "N", reason)[:140]


def report(found: Sequence[Outcome], out: TextIO) -> int:
    refused, scored = collections.Counter[str](), collections.Counter[str]()
    for result in found:
        image = result.get("image", {})
        if "refused" in image:
            refused[grouped(image["refused"])] += 1
        elif image:
            kind = "transparent, scored over black" if image.get("transparent") else "opaque"
            scored[f"{kind}: {result.get('compare', {}).get('status')}"] += 1
    print(f"{len(found)} files", file=out)
    for title, counts in (("scored", scored), ("refused", refused)):
        print(f"\n{title}: {counts.total()}", file=out)
        for reason, count in counts.most_common():
            print(f"{count:6}  {reason}", file=out)
    findings = [(result["path"], finding) for result in found for finding in result["findings"]]
    print(f"\nfindings: {len(findings)}", file=out)
    for path, finding in findings:
        print(f"  {path}: {finding}", file=out)
    slow = sorted(found, key=lambda r: -r.get("image", {}).get("seconds", 0))[:3]
    print("\nslowest to read", file=out)
    for result in slow:
        print(f"  {result.get('image', {}).get('seconds', 0):.2f} s  {result['path']}", file=out)
    return len(findings)


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m tests.images.odd_files", description=(__doc__ or "").partition("\n")[0]
    )
    parser.add_argument("folder", nargs="?")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--seconds", type=float, default=60, help="for one file")
    parser.add_argument("--megabytes", type=int, default=6000, help="of address space of one process")
    parser.add_argument("--jsonl", help="write what came of each file to this file")
    parser.add_argument("--worker", type=int, help=argparse.SUPPRESS)
    args = parser.parse_args(argv)
    if args.worker:
        work(args.worker)
        return 0
    if args.folder is None:
        parser.error("name a folder")
    limits: dict[str, Any] = {"workers": args.workers, "seconds": args.seconds, "megabytes": args.megabytes}
    found = sorted(results(files_below(os.path.abspath(args.folder)), **limits), key=lambda result: result["path"])
    if args.jsonl:
        with open(args.jsonl, "w") as file:
            file.writelines(json.dumps(result) + "\n" for result in found)
    return 1 if report(found, sys.stdout) else 0


if __name__ == "__main__":
    sys.exit(main())
