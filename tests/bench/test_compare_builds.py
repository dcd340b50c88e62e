"""The runner for two builds: its statistics, that it measures the builds that were named, and what it refuses."""

from __future__ import annotations

import json
import re
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest

import pixelgauge
from bench import build_worker, compare_builds
from bench.catalogue import CASES
from bench.compare_builds import Interval, difference_of, interval_of, main, orders, verdict_of

TINY = "mse/uint8/64x64"


def rounds_of_builds(rng, between, within, sections=8, rounds=25):
    """Seconds of a build beside itself, whose processes differ by `between` and whose rounds by `within`."""
    return [
        (np.exp(rng.normal(rng.normal(0, between), within, rounds)), np.exp(rng.normal(0, within, rounds)))
        for _ in range(sections)
    ]


@pytest.mark.property
def test_the_interval_of_a_constant_ratio_is_that_ratio():
    found = interval_of([([2.0, 4.0, 6.0], [1.0, 2.0, 3.0]), ([8.0], [4.0])])
    assert found == Interval(2.0, 2.0, 2.0)


@pytest.mark.property
def test_the_interval_is_the_same_every_time(rng):
    sections = rounds_of_builds(rng, 0.01, 0.03)
    assert interval_of(sections) == interval_of(sections)


@pytest.mark.property
def test_a_build_beside_itself_is_covered(rng):
    """95 % in the long run: of 30, more than 4 misses have a chance below 2 % (binomial), and the draws are fixed."""
    found = [interval_of(rounds_of_builds(rng, 0.015, 0.03)) for _ in range(30)]
    assert sum(not i.low <= 1 <= i.high for i in found) <= 4
    assert all(i.low <= i.median <= i.high for i in found)


@pytest.mark.property
def test_what_processes_differ_by_widens_the_interval(rng):
    """The same ratios dealt out again, so that no pair of processes stands apart, look more certain than they are."""
    sections = rounds_of_builds(rng, 0.03, 0.005)
    ratios = rng.permutation(np.concatenate([np.asarray(old) / new for old, new in sections]))
    shuffled = [(part, np.ones(25)) for part in np.split(ratios, 8)]
    apart, mixed = interval_of(sections), interval_of(shuffled)
    assert apart.high - apart.low > 1.5 * (mixed.high - mixed.low)


@pytest.mark.property
@pytest.mark.parametrize(
    ("low", "high", "limit", "verdict"),
    [
        (0.99, 1.01, 0.97, "not slower"),
        (0.95, 0.98, 0.97, "not slower"),  # reaches the limit and is narrow enough to say so
        (0.98, 1.50, 0.97, "not slower"),  # wide, and all of it above the limit
        (0.90, 0.969, 0.97, "slower"),
        (0.50, 0.60, 0.97, "slower"),
        (0.90, 1.00, 0.97, "unclear"),
        (0.50, 2.00, 0.97, "unclear"),
        (0.89, 0.92, 1 / 1.1, "not slower"),
        (0.80, 0.90, 1 / 1.1, "slower"),
        (0.80, 1.00, 1 / 1.1, "unclear"),
    ],
)
def test_verdicts(low, high, limit, verdict):
    assert verdict_of(Interval((low + high) / 2, low, high), limit) == verdict


@pytest.mark.property
def test_each_build_goes_first_as_often():
    for rounds in range(1, 40):
        first = orders(rounds)
        assert len(first) == rounds
        assert abs(sum(first) - sum(not f for f in first)) <= 1
        assert all(a != b for a, b in zip(first[::2], first[1::2], strict=False))
    assert len({tuple(orders(10, seed)) for seed in range(20)}) > 5  # by lot


@pytest.mark.property
@pytest.mark.parametrize(
    ("old", "new", "differs"),
    [
        ([1.0], [1.0], ""),
        ([1000.0], [1000.0009], ""),  # within 1e-6 of the value
        ([1000.0], [1000.0011], "1000.0 and 1000.0011, tolerance 1e-06"),
        ([0.0], [9e-7], ""),  # and of 1 for small ones
        ([0.0, 0.0], [2e-6, 3e-6], "0.0 and 3e-06"),
        ([np.nan, np.inf], [np.nan, np.inf], ""),
        ([np.inf], [-np.inf], "inf and -inf"),
        ([1.0], [np.nan], "1.0 and nan"),
        ([1.0, 2.0], [1.0], "shapes [(2,)] and [(1,)]"),
        ([], [], ""),
    ],
)
def test_results_are_compared(tmp_path, old, new, differs):
    for name, values in (("old", old), ("new", new)):
        np.savez(tmp_path / f"{name}.npz", np.asarray(values))
    found = difference_of(tmp_path / "old.npz", tmp_path / "new.npz", 1e-6)
    assert found.startswith(differs)
    assert bool(found) == bool(differs)


@pytest.fixture
def build(tmp_path):
    """Make a folder with a copy of the installed build whose `mse` is changed by a line of code."""

    def copy(name, code=""):
        package = tmp_path / name / "pixelgauge"
        shutil.copytree(Path(pixelgauge.__file__).parent, package, ignore=shutil.ignore_patterns("__pycache__"))
        with open(package / "__init__.py", "a") as file:
            file.write(f"\nfrom pixelgauge.full_reference.pixel_error import mse\n{code}\n")
        return str(package.parent)

    return copy


SLEEP = """
import time
def mse(x, y, mse=mse):
    time.sleep(0.002)
    return mse(x, y)
"""
KILL = """
import os, signal
def mse(x, y):
    os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.cli
def test_a_folder_beside_an_interpreter(tmp_path, build, capsys):
    folder, record = build("copy"), tmp_path / "out.json"
    assert main([folder, sys.executable, TINY, "--rounds", "3", "--target", "1", "--json", str(record)]) == 0
    printed = capsys.readouterr().out
    found = json.loads(record.read_text())
    assert found["builds"]["OLD"]["path"] == str(Path(folder, "pixelgauge").resolve())
    assert found["builds"]["NEW"]["path"] == str(Path(pixelgauge.__file__).resolve().parent)
    for fact in found["builds"].values():
        assert fact["version"] == pixelgauge.__version__
        assert fact["threads"] == 1
        assert fact["path"] in printed
    (outcome,) = found["outcomes"]
    assert outcome["case"] == TINY
    assert outcome["difference"] == ""
    assert outcome["verdict"] in ("not slower", "slower", "unclear")
    for times in outcome["times"].values():
        for sections in times.values():
            assert [len(rounds) for rounds in sections] == [1, 1, 1]  # three pairs of processes
            assert min(map(min, sections)) > 0
    assert "load" in printed
    assert "processors" in printed


@pytest.mark.cli
def test_threads_and_instruction_set_reach_the_builds(tmp_path, capsys):
    record = tmp_path / "out.json"
    options = ["--threads", "2", "--isa", "baseline", "--rounds", "2", "--target", "1", "--json", str(record)]
    assert main([sys.prefix, sys.executable, TINY, *options]) == 0
    for fact in json.loads(record.read_text())["builds"].values():
        assert (fact["threads"], fact["isa"]) == (2, "baseline")


@pytest.mark.cli
@pytest.mark.parametrize(
    ("code", "says"),
    [
        (SLEEP, "  slower"),
        ("del mse, _HOMES['mse']", "broken: NEW: AttributeError"),
        (KILL, "broken: NEW: the process ended with signal 9"),
        ("mse = lambda x, y, mse=mse: mse(x, y) + 1", "RESULTS DIFFER: "),
    ],
)
def test_a_gate_fails_for_what_is_wrong_with_new(build, capsys, code, says):
    assert main([sys.executable, build("new", code), TINY, "--rounds", "2", "--target", "1", "--gate"]) == 1
    assert says in capsys.readouterr().out


@pytest.mark.cli
def test_what_old_lacks_is_skipped_and_what_it_was_slower_at_passes(build, capsys):
    old = build("old", SLEEP + "\ndel _HOMES['psnr']")
    options = ["--rounds", "2", "--target", "1", "--gate"]
    assert main([old, sys.executable, TINY, "psnr/uint8/64x64", *options]) == 0
    printed = capsys.readouterr().out
    assert "not slower" in printed
    assert "skipped: OLD: AttributeError: module 'pixelgauge' has no attribute 'psnr'" in printed
    assert main([old, sys.executable, "psnr/uint8/64x64", *options]) == 1  # nothing was measured: nothing passed
    assert main([sys.executable, old, "psnr/uint8/64x64", *options[:-1]]) == 0  # broken, and no gate


@pytest.mark.boundary
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["{empty}", "{python}", TINY], "holds neither pixelgauge/__init__.py nor pyvenv.cfg"),
        (["{python}", "{hollow}", TINY], "NEW='.*' holds neither"),
        (["{python}", "{empty}/no", TINY], "is no folder and no Python executable"),
        (["{broken}", "{python}", TINY], "OLD: ImportError: made to fail"),
        (["{python}", "{python}", "no/such"], "no case is called 'no/such'"),
        (["{python}", "{python}", TINY, "mse/no*"], "no case is called 'mse/no.'"),
        (["{python}"], "OLD and NEW are needed"),
        (["{python}", "{python}", TINY, "--rounds", "1"], "--rounds 1"),
        (["{python}", "{python}", TINY, "--target", "0"], "--target 0"),
        (["{python}", "{python}", TINY, "--within", "0.9"], "--within 0.9: use a factor above 1"),
        (["{python}", "{python}", TINY, "--pin", "100000"], "--pin 100000: use one of"),
        (["{python}", "{python}", TINY, "--isa", "mmx"], "mmx"),
    ],
)
def test_refusals(tmp_path, capsys, arguments, message):
    for name in ("empty", "hollow/pixelgauge", "broken/pixelgauge"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "broken/pixelgauge/__init__.py").write_text("raise ImportError('made to fail')\n")
    places = {name: tmp_path / name for name in ("empty", "hollow", "broken")} | {"python": sys.executable}
    with pytest.raises(SystemExit) as stopped:
        main([argument.format(**places) for argument in arguments])
    assert stopped.value.code == 2
    assert re.search(message, " ".join(capsys.readouterr().err.split()))


@pytest.mark.boundary
def test_a_package_from_elsewhere_is_refused(tmp_path):
    with pytest.raises(RuntimeError, match="is not below"):
        build_worker.require_installed(Path(pixelgauge.__file__), tmp_path)
    with pytest.raises(RuntimeError, match="editable"):
        build_worker.require_installed(tmp_path / "pixelgauge/__init__.py", None)
    build_worker.require_installed(Path(pixelgauge.__file__).resolve(), None)


@pytest.mark.cli
def test_list_needs_no_build(capsys):
    assert compare_builds.main(["--list"]) == 0
    assert capsys.readouterr().out.split() == list(CASES)
