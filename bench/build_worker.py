"""The process in which one build is measured: it takes orders as JSON lines on standard input and answers each with one.

Started by :mod:`bench.compare_builds` with the build first on its path. What a library prints goes to standard error, so
that answers are all there is on standard output. An order that fails is answered by its error; the process goes on.
"""

from __future__ import annotations

import gc
import json
import os
import resource
import site
import sys
import sysconfig
import time
from pathlib import Path
from typing import Any


def processor_seconds() -> float:
    """Return processor time of all threads of this process and of the processes it waited for.

    `getrusage` of a running process lags by up to a tick of the scheduler, `process_time` does not.
    """
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + children.ru_utime + children.ru_stime


def require_installed(found: Path, build: Path | None) -> None:
    """Refuse a package that is not the build's own: not below its folder or, for an interpreter, its site-packages."""
    if build is not None:
        places = [build]
    else:
        places = [Path(sysconfig.get_path(name)) for name in ("purelib", "platlib")]
        places += [Path(folder) for folder in site.getsitepackages()]
    if not any(found.is_relative_to(place.resolve()) for place in places):
        raise RuntimeError(
            f"pixelgauge was imported from {found}, which is not below {places[0]}: install the build (not in editable mode)"
        )


def describe(build: Path | None) -> dict[str, Any]:
    """Import the package, check where it came from, and say what it is."""
    import pixelgauge

    if pixelgauge.__file__ is None:  # a folder of that name without the package in it
        raise RuntimeError(f"pixelgauge in {list(pixelgauge.__path__)} is a folder without the package")
    found = Path(pixelgauge.__file__).resolve()
    require_installed(found, build)
    info = pixelgauge.build_info()
    keys = ("version", "isa", "build_type", "compiler", "threads", "python", "numpy")
    return {"path": str(found.parent), **{key: info.get(key, "unknown") for key in keys}}


class Worker:
    """One case at a time: prepared, measured again and again, then replaced by the next."""

    def __init__(self) -> None:
        self.call: Any = None

    def prepare(self, case: str, results: str) -> dict[str, Any]:
        """Make the call, leave its result's arrays in the file `results`, and say what one call takes."""
        import numpy as np

        # from the folder above, which is last on the path
        from bench.agreement import arrays_of
        from bench.catalogue import CASES
        from bench.inputs import forget_inputs

        self.call = None
        forget_inputs()
        gc.collect()
        self.call = CASES[case].prepare()
        np.savez(results, *arrays_of(CASES[case].result(self.call())))
        start = time.perf_counter()
        self.call()
        return {"seconds": time.perf_counter() - start}

    def measure(self, warm: int, batches: int, calls: int) -> dict[str, Any]:
        """Wall-clock and processor seconds of each of `batches` of `calls` calls, after `warm` calls."""
        call, clock = self.call, time.perf_counter
        for _ in range(warm):
            call()
        gc.collect()
        gc.disable()
        try:
            wall, processor = [], []
            for _ in range(batches):
                began, start = processor_seconds(), clock()
                for _ in range(calls):
                    call()
                wall.append(clock() - start)
                processor.append(processor_seconds() - began)
            return {"wall": wall, "processor": processor}
        finally:
            gc.enable()


def main() -> None:
    """Answer orders until standard input ends."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    sys.path.append(str(Path(__file__).resolve().parents[1]))
    build = Path(sys.argv[1]).resolve() if len(sys.argv) > 1 else None
    worker = Worker()
    orders = {"describe": lambda: describe(build), "prepare": worker.prepare, "measure": worker.measure}
    for line in sys.stdin:
        order = json.loads(line)
        try:
            answer = orders[order.pop("order")](**order)
        except Exception as error:
            answer = {"error": f"{type(error).__name__}: {error}"}
        print(json.dumps(answer), file=answers, flush=True)


if __name__ == "__main__":
    main()
