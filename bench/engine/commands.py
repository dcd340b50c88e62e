"""Whole commands of two builds in turns: `pixelgauge compare` of 300 JPEG pairs of a megapixel, start and end of the process included.

    python -m bench.engine.commands OLD NEW --pairs 300 --rounds 5

OLD and NEW are builds as `bench.compare_builds` takes them. One worker and one thread each; seconds of the processor, of which
others on the machine disturb least.
"""

from __future__ import annotations

import argparse
import os
import resource
import statistics
import subprocess
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.compare_builds import Build, BuildError
from bench.engine.cases import write_pairs
from bench.engine.rates import METRICS, SHAPE

AT_LEAST = 1.6


def seconds(build: Build, metrics: Sequence[str], folder: str) -> float:
    """Processor seconds of one command."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "PIXELGAUGE"))}
    environment["PIXELGAUGE_NUM_THREADS"] = "1"
    if build.folder is not None:
        environment["PYTHONPATH"] = str(build.folder)
    command = [build.python, "-m", "pixelgauge", "compare", "ref", "test", "--metrics", ",".join(metrics)]
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(
        [*command, "--workers", "1", "--quiet"],
        env=environment,
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode:
        raise SystemExit(f"{build.label}: compare ends with {done.returncode}: {done.stderr}")
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main(arguments: Sequence[str] | None = None) -> int:
    """Print a line for each list of metrics: 1 if NEW is not so many times as quick as OLD."""
    parser = argparse.ArgumentParser(prog="python -m bench.engine.commands", description=__doc__.split("\n\n")[0])
    parser.add_argument("old", metavar="OLD", help="folder with the package, virtual environment or Python executable")
    parser.add_argument("new", metavar="NEW", help="the same")
    parser.add_argument("--pairs", type=int, default=300, help="default: %(default)s")
    parser.add_argument("--rounds", type=int, default=5, help="default: %(default)s")
    parser.add_argument("--at-least", type=float, default=AT_LEAST, help="times as quick; default: %(default)s")
    options = parser.parse_args(arguments)
    try:
        builds = Build.at("OLD", options.old), Build.at("NEW", options.new)
    except BuildError as error:
        parser.error(str(error))
    is_slow = False
    with TemporaryDirectory() as folder:
        write_pairs(Path(folder), options.pairs, SHAPE)
        for metrics in METRICS:
            rounds = [[seconds(build, metrics, folder) for build in builds] for _ in range(options.rounds + 1)][1:]
            old, new = (statistics.median(times) for times in zip(*rounds, strict=True))
            ratios = sorted(before / after for before, after in rounds)
            ratio = statistics.median(ratios)
            is_slow |= ratio < options.at_least
            print(
                f"{','.join(metrics)}: {1e3 * old / options.pairs:.2f} and {1e3 * new / options.pairs:.2f} ms a pair of "
                f"{SHAPE[1]} x {SHAPE[0]}, OLD / NEW {ratio:.2f} ({ratios[0]:.2f} to {ratios[-1]:.2f}; "
                f"{options.at_least:g} is promised)",
                flush=True,
            )
    return int(is_slow)


if __name__ == "__main__":
    raise SystemExit(main())
