"""``python -m tests.fuzz [TARGET...]``: run targets, each in a process that is watched, and print what was found.

A death, a hang (nothing counted for a while), and every broken rule is a finding: its input and its traceback are saved,
and the exit code is 1.
"""

from __future__ import annotations

import argparse
import importlib.util
import mmap
import os
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from . import worker
from .target import CORPUS, MOST_SECONDS

_PATIENCE = 8 * MOST_SECONDS
"""Without one execution more, until a worker is ended: its own clock has failed, as in a loop of C."""
_IMPORTING = 120
"""Seconds before patience begins."""
_MOST_DEATHS = 20


@dataclass
class Figures:
    """Of one target."""

    executions: int = 0
    accepted: int = 0
    seconds: float = 0.0
    broken: str = ""


def run_target(name: str, args: argparse.Namespace, seconds: float, folder: Path) -> Figures:
    """Run one target for its share of the time, in as many processes as deaths make necessary."""
    figures = Figures()
    path = folder / f"{name}.state"
    log = path.with_suffix(".log")
    path.write_bytes(bytes(worker.STATE_BYTES))
    begin, deaths = time.monotonic(), 0
    with path.open("r+b") as file, mmap.mmap(file.fileno(), worker.STATE_BYTES) as shared:
        while deaths <= _MOST_DEATHS:
            left = seconds - (time.monotonic() - begin)
            done = worker.state(shared)[0]
            if left <= 0 or done >= args.runs:
                break
            code = _watched(_command(name, args, path, deaths, args.runs - done, left), shared, log)
            _, _, data = worker.state(shared)
            if code != 0:
                if not data:
                    last = log.read_text(errors="replace").splitlines()[-1:]
                    figures.broken = f"its process ended with {code} before an execution: {' '.join(last)}"
                    break
                words = "hangs" if code is None else f"ends the process with {code}"
                text = Path(f"{path}.died").read_text(errors="replace")
                where = next((line.strip() for line in text.splitlines() if "File" in line), "")
                worker.save(args.findings, name, f"{words} {where}", data, text)
                worker.forget(shared)
            deaths += 1
        figures.executions, figures.accepted, _ = worker.state(shared)
    figures.seconds = time.monotonic() - begin
    return figures


def _command(name: str, args: argparse.Namespace, path: Path, deaths: int, runs: int, seconds: float) -> list[str]:
    options = {
        "state": path,
        "findings": args.findings,
        "engine": args.engine,
        "seed": args.seed + 1000 * deaths,
        "runs": runs,
        "seconds": seconds,
    }
    return [
        sys.executable,
        "-m",
        f"{__package__}.worker",
        name,
        *(f"--{key}={value}" for key, value in options.items()),
    ]


def _watched(command: list[str], shared: mmap.mmap, log: Path) -> int | None:
    """Exit code of a worker, None if it was ended because it stood still."""
    with log.open("ab") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output)
    seen, at = -1, time.monotonic() + _IMPORTING
    try:
        while True:
            try:
                return process.wait(0.2)
            except subprocess.TimeoutExpired:
                pass
            now = worker.state(shared)[0]
            if now != seen:
                seen, at = now, max(at, time.monotonic())
            elif time.monotonic() - at > _PATIENCE:
                process.kill()
                process.wait()
                return None
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()


def main() -> int:
    """Run the command line."""
    names = sorted(folder.name for folder in CORPUS.iterdir())
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("targets", nargs="*", metavar="TARGET", help=f"of {', '.join(names)} (default: all)")
    parser.add_argument("--seconds", type=float, help="over all targets (default: 180)")
    parser.add_argument("--runs", type=int, help="executions of each target, instead of a time")
    parser.add_argument("--jobs", type=int, default=1, help="targets at a time (default: 1)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--engine", choices=("auto", "atheris", "mutations"), default="auto",
                        help="what chooses inputs: atheris by branches taken (default where installed), or mutations alone")  # fmt: skip
    parser.add_argument("--findings", type=Path, default=Path("fuzz-findings"), help="where inputs are saved")
    args = parser.parse_args()
    unknown = set(args.targets) - set(names)
    if unknown:
        parser.error(f"there is no target {sorted(unknown)[0]!r}: use {', '.join(names)}")
    if args.engine == "auto":
        args.engine = "atheris" if importlib.util.find_spec("atheris") else "mutations"
    chosen = args.targets or names
    share = 1e6 if args.seconds is None and args.runs else (args.seconds or 180) * args.jobs / len(chosen)
    args.runs = args.runs or 1 << 40
    before = set(args.findings.glob("*.bin"))
    with tempfile.TemporaryDirectory(prefix="pixelgauge-fuzz-") as folder, ThreadPoolExecutor(args.jobs) as pool:
        results = list(pool.map(lambda name: run_target(name, args, share, Path(folder)), chosen))
    found = {
        path: path.with_suffix(".txt").read_text().splitlines()[0]
        for path in sorted(set(args.findings.glob("*.bin")) - before)
    }
    print(f"{'target':16} {'executions':>11} {'a second':>9} {'accepted':>9} {'findings':>9}")
    for name, figures in zip(chosen, results, strict=True):
        count = sum(line.startswith(f"{name}:") for line in found.values())
        rate, share = figures.executions / max(figures.seconds, 1e-9), figures.accepted / max(figures.executions, 1)
        print(f"{name:16} {figures.executions:11} {rate:9.0f} {share:9.1%} {count:9} {figures.broken}")
    print(f"{'all':16} {sum(f.executions for f in results):11} {'':9} {'':9} {len(found):9} (engine: {args.engine})")
    for path, line in found.items():
        print(f"{path} ({path.stat().st_size} bytes): {line}")
    return 1 if found or any(figures.broken for figures in results) else 0


if __name__ == "__main__":
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    sys.exit(main())
