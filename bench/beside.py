"""A case beside its contenders in one process, taking turns: the comparison for a machine that others use too.

    python -m bench.beside 'ssim/*/1920x1080'
    python -m bench.beside ssim/wang2004/1920x1080 --only pixelgauge --threads 1 --threads 2

Every round runs each contender once, so that noise meets all alike, and the table shows medians, with the ratio first.
Results are held against each other before anything is timed. Contenders that are not installed are left out, in words.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import warnings
from collections.abc import Callable, Sequence
from fnmatch import fnmatchcase

from bench import machine
from bench.catalogue import CASES, select
from bench.contest import OURS, Contest, WrongResultError
from bench.inputs import forget_inputs
from bench.machine import Setting
from bench.programs import MissingError
from bench.timing import Seconds, duration, measure, table

HEADER = ("contender", "wall", "processor", "best run", "time", "off by at most", "over the limit")


def entries_of(name: str, settings: Sequence[Setting], only: str) -> list[tuple[str, Contest, str]]:
    """Label, contest and contender of each row: ours in every setting, the others with every number of threads."""
    found = []
    seen = set()
    for setting in settings:
        contest = Contest(CASES[name], setting)
        for contender in contest.names:
            key = (contender, setting.threads, setting.isa if contender == OURS else "")
            if key in seen or not fnmatchcase(contender, only):
                continue
            seen.add(key)
            label = contender
            if len({s.isa for s in settings}) > 1 and contender == OURS:
                label += f", {setting.isa}"
            if len({s.threads for s in settings}) > 1:
                label += f", {setting.threads} threads"
            found.append((label, contest, contender))
    return found


def compare(name: str, settings: Sequence[Setting], only: str, rounds: int, budget_s: float) -> None:
    """Measure one case and print its table.

    Raises
    ------
    WrongResultError
        If a contender computes something else.
    """
    calls: dict[str, Callable[[], object]] = {}
    enter: dict[str, Callable[[], object]] = {}
    off: dict[str, float] = {}
    limits: dict[str, float | None] = {}
    for label, contest, contender in entries_of(name, settings, only):
        try:
            call = contest.prepare(contender)
            off[label] = contest.check(contender, call())
        except MissingError as error:
            print(f"  {label} is left out: {error}")
            continue
        calls[label], enter[label], limits[label] = call, contest.setting.enter, contest.limit
    if not calls:
        return
    title = [f"{key} {value}" for key, value in CASES[name].parameters.items()]
    limit = CASES[name].limit
    if limit is not None:
        title.append(f"the limit is {limit.why}")
    times = measure(calls, enter, rounds, budget_s)
    table("; ".join([name, *title]), HEADER, [row_of(label, times, off[label], limits[label]) for label in times])


def row_of(label: str, times: dict[str, Seconds], off: float, limit: float | None) -> list[str]:
    """Ratios to the first contender, the time, and what it is of the limit."""
    ours, mine = next(iter(times.values())), times[label]
    return [
        label,
        f"{mine.wall / ours.wall:.2f}x",
        f"{mine.processor / ours.processor:.2f}x" if ours.processor > 0.1 * ours.wall else "-",  # of a child process
        f"{mine.best / ours.best:.2f}x",
        duration(mine.wall),
        f"{off:.1e}",
        "" if limit is None else f"{mine.wall / limit:.2f}x of {duration(limit)}",
    ]


def main(arguments: Sequence[str] | None = None) -> int:
    """Print a table a case: 1 if a result was wrong."""
    parser = argparse.ArgumentParser(prog="python -m bench.beside", description=__doc__.split("\n\n")[0])
    add = parser.add_argument
    add("cases", metavar="CASE", nargs="*", help="names or globs (default: all but the long ones)")
    add("--list", action="store_true", help="print the cases and who is beside each, and end")
    add("--only", default="*", metavar="GLOB", help="contenders to run (default: all; pixelgauge is ours)")
    add("--threads", type=int, action="append", help="of each contender; several times for several (default: 1)")
    add("--isa", action="append", help="instruction set of ours; several times for several (default: the best)")
    add("--rounds", type=int, default=9, help="turns of each contender (default: %(default)s)")
    add("--budget", type=float, default=60.0, metavar="S", help="no new round after so long (default: %(default)s)")
    options = parser.parse_intermixed_args(arguments)
    if options.list:
        for name, case in CASES.items():
            print(name, *case.contenders)
        return 0
    try:
        names = select(options.cases or ["*"])
        settings = machine.settings(options.threads or [1], options.isa or [Setting.found().isa])
    except ValueError as error:
        parser.error(str(error))
    facts = machine.facts()
    print(f"{facts['cpu_model']}, {facts['processors']} processors; {facts['pixelgauge']}")
    print(f"NumPy {facts['numpy']}, {', '.join(' '.join(peer) for peer in facts['peers'].items())}")
    wrong = 0
    with tempfile.TemporaryDirectory(prefix="pixelgauge-bench-") as cache:
        os.environ["PIXELGAUGE_CACHE"] = cache  # converted weights belong to this run
        for name in names:
            try:
                with warnings.catch_warnings(action="ignore"):  # the peers' own
                    compare(name, settings, options.only, options.rounds, options.budget)
            except WrongResultError as error:
                print(f"\nWRONG {error}")
                wrong = 1
            forget_inputs()
    return wrong


if __name__ == "__main__":
    sys.exit(main())
