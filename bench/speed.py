"""The two tests of every wing: a contender's result is right and its time recorded; a call stays within its memory.

A wing's `test_speed.py` names its cases and imports these; :mod:`bench.conftest` makes a test of each contender of each case.
"""

from __future__ import annotations

import time

import pytest

from bench.case import Case
from bench.contest import Contest
from bench.machine import Setting
from bench.peak_memory import measure
from bench.programs import MissingError

# Calls that are longer are run a few times instead of for a second.
SLOW = 0.5
ROUNDS = 3


def test_speed(contest: Contest, contender: str, benchmark) -> None:  # type: ignore[no-untyped-def]
    """One contender of one case."""
    try:
        call = contest.prepare(contender)
        start = time.perf_counter()
        result = call()
        seconds = time.perf_counter() - start
        off = contest.check(contender, result)
    except MissingError as error:
        pytest.skip(str(error))
    del result
    contest.setting.enter()  # what checked it may have loaded programs
    benchmark.group = contest.title
    benchmark.extra_info["largest_difference"] = off
    if benchmark.enabled:
        benchmark.extra_info.update(contest.facts(contender))
    if seconds > SLOW:
        benchmark.pedantic(call, rounds=ROUNDS)
    else:
        benchmark(call)


def test_memory(limited: tuple[Case, Setting], record_property) -> None:  # type: ignore[no-untyped-def]
    """One case that promises not to take more beyond its inputs."""
    case, setting = limited
    peak = measure(case.name, setting.threads)
    record_property("peak_bytes", peak.beyond)
    assert case.memory is not None
    assert peak.beyond <= case.memory, f"{peak.beyond / 1e6:.1f} MB beyond the inputs, {case.memory / 1e6:.1f} promised"
