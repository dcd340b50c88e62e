"""How much memory a case takes beyond its inputs, in a fresh process, and how long its first call there takes.

    python -m bench.peak_memory 'ssim/*/3840x2160' roc_auc_score/float32/1e8

The kernel counts the highest number of resident pages; it begins anew once the inputs are there.
"""

from __future__ import annotations

import argparse
import contextlib
import ctypes
import gc
import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


@dataclass(frozen=True)
class Peak:
    """What one process found."""

    beyond: int
    """Bytes of the call at its highest, over what was resident when the inputs were."""
    resident: int
    """Bytes of the process afterwards."""
    first: float
    """Seconds of the first call of the process."""
    later: float
    """The quickest of the three after it."""


def resident(name: str) -> int:
    """VmRSS or VmHWM of this process in bytes."""
    with open("/proc/self/status") as file:
        return 1024 * next(int(line.split()[1]) for line in file if line.startswith(name))


def give_back() -> None:
    """Return what drawing the inputs took to the system: a call that found it free in the process would seem to need nothing."""
    gc.collect()
    if "pyarrow" in sys.modules:
        sys.modules["pyarrow"].default_memory_pool().release_unused()
    with contextlib.suppress(OSError, AttributeError):  # a C library that is not glibc
        ctypes.CDLL(None).malloc_trim(0)


def measure_here(name: str, threads: int) -> Peak:
    """Measure a case in this process, which should be fresh."""
    import pixelgauge
    from bench.catalogue import CASES
    from bench.inputs import forget_inputs

    pixelgauge.set_num_threads(threads)
    call = CASES[name].prepare()
    forget_inputs()
    give_back()
    with open("/proc/self/clear_refs", "w") as file:
        file.write("5")  # the peak begins anew
    before = resident("VmRSS")
    seconds = []
    peak = after = 0
    for turn in range(4):
        start = time.perf_counter()
        call()
        seconds.append(time.perf_counter() - start)
        if turn == 0:
            peak, after = resident("VmHWM") - before, resident("VmRSS")
            if seconds[0] > 10:
                break
    return Peak(peak, after, seconds[0], min(seconds[1:], default=seconds[0]))


def measure(name: str, threads: int) -> Peak:
    """Measure a case in a process of its own.

    Raises
    ------
    RuntimeError
        If that fails.
    """
    command = [sys.executable, "-P", str(Path(__file__).resolve()), "--here", name, "--threads", str(threads)]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"{name}: {done.stderr.strip().splitlines()[-1]}")
    return Peak(**json.loads(done.stdout))


def line_of(name: str, peak: Peak, limit: float | None) -> str:
    """One line of the table."""
    allowed = "" if limit is None else f"{limit / 1e6:.1f}"
    return (
        f"{name:44} {peak.beyond / 1e6:9.1f} {allowed:>9} {peak.resident / 1e6:9.0f}  "
        f"{1e3 * peak.first:10.1f} {1e3 * peak.later:10.1f}"
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure the cases that are named: 1 if one takes more than it may."""
    parser = argparse.ArgumentParser(prog="python -m bench.peak_memory", description=__doc__.split("\n\n")[0])
    parser.add_argument("cases", metavar="CASE", nargs="*", help="names or globs (default: those with a limit)")
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)), help="default: %(default)s")
    parser.add_argument("--here", metavar="CASE", help=argparse.SUPPRESS)
    options = parser.parse_intermixed_args(arguments)
    if options.here:
        print(json.dumps(vars(measure_here(options.here, options.threads))))
        return 0
    from bench.catalogue import CASES, select

    try:
        limited = [name for name, case in CASES.items() if case.memory is not None and not case.long]
        names = select(options.cases) if options.cases else limited
    except ValueError as error:
        parser.error(str(error))
    print(f"{'case':44} {'peak, MB':>9} {'limit':>9} {'in all':>9}  {'first, ms':>10} {'later, ms':>10}")
    beyond = False
    for name in names:
        peak, limit = measure(name, options.threads), CASES[name].memory
        print(line_of(name, peak, limit), flush=True)
        beyond |= limit is not None and peak.beyond > limit
    return int(beyond)


if __name__ == "__main__":
    if str(ROOT) not in sys.path:
        sys.path.append(str(ROOT))
    sys.exit(main())
