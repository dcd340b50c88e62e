"""What `pytest bench` does: a test of each contender of each case, grouped by case, with this machine's facts in the record."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import Any

# Converted weights belong to these runs, not to the user's cache.
os.environ["PIXELGAUGE_CACHE"] = tempfile.mkdtemp(prefix="pixelgauge-bench-")

import pytest

from bench import machine
from bench.case import Case
from bench.contest import OURS, Contest
from bench.inputs import forget_inputs
from bench.machine import Setting

HERE = Path(__file__).resolve().parent
LAST = pytest.StashKey[Contest]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Say what contenders run with, and whether the long cases run."""
    group = parser.getgroup("bench")
    group.addoption(
        "--threads", type=int, action="append", help="threads of each contender; several times for several (1)"
    )
    group.addoption("--isa", action="append", help="instruction set of ours; several times for several (the best)")
    group.addoption("--long", action="store_true", help="cases of minutes and gigabytes too")


def pytest_configure(config: pytest.Config) -> None:
    """Refuse to run without the plugin that times."""
    if not config.pluginmanager.hasplugin("benchmark"):
        raise pytest.UsageError("pytest bench needs pytest-benchmark: pip install '.[bench]' brings it and the peers")


def settings_of(config: pytest.Config) -> list[Setting]:
    """What the options ask for."""
    try:
        return machine.settings(
            config.getoption("threads", None) or [1], config.getoption("isa", None) or [Setting.found().isa]
        )
    except ValueError as error:
        raise pytest.UsageError(f"--{error}") from None


def called(case: Case, setting: Setting) -> str:
    """Name a case and its setting so that -k selects by either."""
    return f"{case.name}-threads{setting.threads}-{setting.isa}"


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Make the tests of a wing from its cases."""
    cases = [case for case in metafunc.module.CASES if metafunc.config.getoption("long", False) or not case.long]
    chosen = settings_of(metafunc.config)
    if "contest" in metafunc.fixturenames:
        entries = [
            pytest.param((case, setting), name, id=f"{called(case, setting)}-{name}")
            for case in cases
            for setting in chosen
            for name in (OURS, *case.contenders)
        ]
        metafunc.parametrize(("contest", "contender"), entries, indirect=["contest"])
    if "limited" in metafunc.fixturenames:
        limited = [(case, setting) for case in cases if case.memory is not None for setting in chosen]
        entries = [pytest.param(entry, id=called(*entry)) for entry in limited]
        if not limited:
            entries = [pytest.param(None, id="none", marks=pytest.mark.skip("those that promise an amount are --long"))]
        metafunc.parametrize("limited", entries)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Leave the peers their warnings, ours stay errors; a contender that is missing or wrong is not timed, and that is no news."""
    for item in items:
        if isinstance(item, pytest.Function) and item.path.is_relative_to(HERE):
            ours = not hasattr(item, "callspec") or item.callspec.params.get("contender", OURS) == OURS
            item.add_marker(pytest.mark.filterwarnings("ignore:Benchmark fixture was not used" if ours else "ignore"))


@pytest.fixture
def contest(request: pytest.FixtureRequest) -> Contest:
    """The case and setting that consecutive tests share, with its inputs and our result."""
    case, setting = request.param
    kept = request.session.stash.get(LAST, None)
    if kept is None or (kept.case.name, kept.setting) != (case.name, setting):
        forget_inputs()
        kept = request.session.stash[LAST] = Contest(case, setting)
    return kept


@pytest.hookimpl(optionalhook=True)
def pytest_benchmark_update_machine_info(machine_info: dict[str, Any]) -> None:
    """Put what decides a time into the record."""
    machine_info.update(machine.facts())
