"""One target's executions in a process of its own, which the driver watches: see :mod:`tests.fuzz.__main__`.

What it counts and the input that it has in hand lie in a shared file, so that a death loses nothing.
"""

from __future__ import annotations

import argparse
import contextlib
import faulthandler
import hashlib
import importlib
import mmap
import os
import resource
import shutil
import struct
import sys
import tempfile
import time
import traceback
import warnings
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

from . import target as rules

_STATE = struct.Struct("<QQQ")
STATE_BYTES = _STATE.size + rules.MOST_INPUT
INSTRUMENTED = ["pixelgauge", "zipfile", "pickletools", "json", "csv", "PIL", "numpy.lib"]
"""Modules whose branches guide the fuzzer."""
_MOST_ADDRESSES = 16 << 30
_MOST_KEPT, _KEPT_ACCEPTED, _KEPT_REFUSED = 400, 0.01, 0.002
"""Inputs that are mutated further, and the share of those executed that become one."""
_MOST_KINDS = 25
"""Of findings of one run: what has more is not worth more."""


def state(shared: Any) -> tuple[int, int, bytes]:
    """Executions, accepted ones, and the input in hand."""
    executions, accepted, size = _STATE.unpack_from(shared)
    return executions, accepted, bytes(shared[_STATE.size : _STATE.size + size])


def forget(shared: Any) -> None:
    """Have no input in hand."""
    executions, accepted, _ = _STATE.unpack_from(shared)
    _STATE.pack_into(shared, 0, executions, accepted, 0)


def place_of(error: BaseException) -> str:
    """Kind of an error and where it, and what caused it, came up: findings of one place are one finding."""
    parts: list[str] = []
    current: BaseException | None = error
    while current is not None and len(parts) < 6:
        frames = traceback.extract_tb(current.__traceback__)
        at = f"{os.path.basename(frames[-1].filename)}:{frames[-1].lineno}" if frames else "?"
        parts.append(f"{type(current).__name__} at {at}")
        current = current.__cause__
    return ", from ".join(parts)


class Run:
    """Executes inputs of one target, counts, and saves what breaks a rule."""

    def __init__(self, target: rules.Target, shared: Any, findings: Path, require: Callable[[int], None]) -> None:
        self.target, self._shared, self._findings, self._require = target, shared, findings, require
        self._kinds: dict[str, int] = {}
        self.executions, self.accepted, _ = state(shared)

    def execute(self, data: bytes) -> bool:
        """Run one input; whether it was accepted."""
        data = data[: rules.MOST_INPUT]
        self._shared[_STATE.size : _STATE.size + len(data)] = data
        _STATE.pack_into(self._shared, 0, self.executions, self.accepted, len(data))
        self.executions += 1
        try:
            accepted = rules.timed(self.target.check, data)
        except (KeyboardInterrupt, SystemExit):
            raise
        except BaseException as error:  # pyo3's panics are no Exception
            self._keep(data, error)
            return False
        self.accepted += accepted
        try:
            self._require(len(data))
        except MemoryError as error:
            self._keep(data, error)
            _STATE.pack_into(self._shared, 0, self.executions, self.accepted, 0)
            os._exit(0)  # its peak stays: the next process goes on
        return accepted

    def finish(self) -> None:
        """Write the counts down."""
        _STATE.pack_into(self._shared, 0, self.executions, self.accepted, 0)

    def _keep(self, data: bytes, error: BaseException) -> None:
        place = place_of(error)
        if len(data) >= self._kinds.get(place, rules.MOST_INPUT + 1):
            return
        if place not in self._kinds and len(self._kinds) >= _MOST_KINDS:
            return
        if place not in self._kinds and not isinstance(error, MemoryError | rules.Hang):
            data = self._smaller(data, place)
        self._kinds[place] = len(data)
        save(self._findings, self.target.name, place, data, "".join(traceback.format_exception(error)))

    def _smaller(self, data: bytes, place: str) -> bytes:
        """Take parts out for a second, as long as the same goes wrong in the same place."""
        until = time.monotonic() + 1
        part = max(1, len(data) // 2)
        while time.monotonic() < until:
            shorter = False
            for at in range(0, len(data), part):
                candidate = data[:at] + data[at + part :]
                try:
                    rules.timed(self.target.check, candidate)
                except Exception as error:
                    if place_of(error) == place:
                        data, shorter = candidate, True
                        break
                if time.monotonic() > until:
                    break
            if not shorter and part == 1:
                break
            part = max(1, part if shorter else part // 2)
        return data


def save(folder: Path, name: str, place: str, data: bytes, text: str) -> None:
    """Keep the input of a finding, named by its target and place, and what went wrong; of two the shorter one."""
    folder.mkdir(parents=True, exist_ok=True)
    base = folder / f"{name}-{hashlib.sha256(place.encode()).hexdigest()[:10]}"
    kept = base.with_suffix(".bin")
    if not kept.exists() or kept.stat().st_size >= len(data):
        kept.write_bytes(data)
        base.with_suffix(".txt").write_text(f"{name}: {place}\n\n{text[-6000:]}", errors="backslashreplace")


def mutations(run: Run, seed: int, runs: int, seconds: float) -> None:
    """Execute mutations of the corpus and of some of their own; equal seeds give equal inputs."""
    rng = Random(f"{run.target.name}/{seed}")
    seeds = run.target.seeds()
    pool = list(seeds)
    until, first = time.monotonic() + seconds, run.executions
    while run.executions - first < runs and (run.executions % 64 or time.monotonic() < until):
        data = run.target.mutate(rng.choice(pool), rng, seeds)
        if len(data) > rules.MOST_INPUT:
            continue
        accepted = run.execute(data)
        if rng.random() < (_KEPT_ACCEPTED if accepted else _KEPT_REFUSED):
            pool.append(data)
            if len(pool) > _MOST_KEPT:
                del pool[len(seeds) :: 2]
    run.finish()


def guided(run: Run, seed: int, runs: int, seconds: float) -> None:
    """Let atheris choose inputs by the branches that they take; does not return."""
    import atheris

    seeds = run.target.seeds()

    def mutate(data: bytes, most: int, number: int) -> bytes:
        rng = Random(number)
        if rng.random() < 0.25:
            return bytes(atheris.Mutate(data, most))
        return run.target.mutate(bytes(data), rng, seeds)[:most]

    corpus = tempfile.mkdtemp(prefix="pixelgauge-fuzz-corpus-")
    for i, data in enumerate(seeds):
        Path(corpus, str(i)).write_bytes(data)
    arguments = [
        "fuzz",
        f"-seed={seed + 1}",
        f"-runs={runs}",
        f"-max_total_time={max(1, round(seconds))}",
        f"-max_len={rules.MOST_INPUT // 16}",
        "-timeout=0",
        "-rss_limit_mb=0",
        "-verbosity=0",
        f"-artifact_prefix={corpus}/",
        corpus,
    ]

    def one(data: bytes) -> None:
        run.execute(bytes(data))
        if run.executions % 16 == 0:
            run.finish()

    import atexit

    atexit.register(shutil.rmtree, corpus, True)
    atexit.register(rules.forget)
    atheris.Setup(arguments, one, custom_mutator=mutate)
    atheris.Fuzz()


def main() -> None:
    """Run one target as the driver says."""
    parser = argparse.ArgumentParser()
    parser.add_argument("target")
    parser.add_argument("--state", required=True)
    parser.add_argument("--findings", type=Path, required=True)
    parser.add_argument("--engine", choices=("atheris", "mutations"), required=True)
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--runs", type=int, required=True)
    parser.add_argument("--seconds", type=float, required=True)
    args = parser.parse_args()

    if args.engine == "atheris":
        import atheris

        with atheris.instrument_imports(include=INSTRUMENTED):
            targets = importlib.import_module(".targets", __package__).TARGETS
    else:
        targets = importlib.import_module(".targets", __package__).TARGETS
    target = targets[args.target]
    target.seeds()
    resource.setrlimit(resource.RLIMIT_AS, (_MOST_ADDRESSES, _MOST_ADDRESSES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    died = open(f"{args.state}.died", "w")  # noqa: SIM115
    faulthandler.enable(died)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)  # libtiff's own lines, and the warnings of others
    warnings.simplefilter("ignore")
    with open(args.state, "r+b") as file, mmap.mmap(file.fileno(), STATE_BYTES) as shared:
        for data in target.seeds():  # what is imported at first use is not the input's
            with contextlib.suppress(Exception):
                target.check(data)
        with rules.limited() as require:
            run = Run(target, shared, args.findings, require)
            (guided if args.engine == "atheris" else mutations)(run, args.seed, args.runs, args.seconds)
    rules.forget()


if __name__ == "__main__":
    main()
    sys.stdout.flush()
