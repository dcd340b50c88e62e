"""The cases of the benchmarks: each is named once, runs, and is wrong where its result is."""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
from importlib.util import find_spec

import numpy as np
import pytest

from bench import beside, catalogue, peak_memory
from bench.agreement import arrays_of, difference
from bench.case import Case, Contender
from bench.catalogue import ALL, CASES, select
from bench.contest import OURS, Contest, WrongResultError
from bench.inputs import forget_inputs
from bench.limits import Limit
from bench.machine import Setting, settings
from bench.networks import cases as of_networks
from bench.programs import MissingError, program
from tests.places import ROOT

TINY = "mse/uint8/64x64"
SMALL = [name for name in CASES if name.endswith(("/64x64", "/1e4", "/64", "/1000x64", "/2000x64"))]


@pytest.fixture
def setting(restored_threads):
    yield Setting.found()
    forget_inputs()


@pytest.mark.property
def test_every_case_is_named_once_and_something_decides_its_result():
    assert len(CASES) == len(ALL) > 150
    for name, case in CASES.items():
        assert name == case.name
        judges = [case.oracle] if case.oracle else list(case.contenders.values())
        assert any(judge.tolerance is not None for judge in judges), name
        assert OURS not in case.contenders
        assert case.facts()["function"] == case.function
        assert case.tolerance >= 0
    assert {name.split("/")[0] for name in CASES} >= {"ssim", "roc_auc_score", "lpips", "score_pairs", "import"}


@pytest.mark.property
def test_a_glob_selects_cases_once_each_and_long_ones_by_name():
    assert select([TINY, "mse/*"]) == [TINY, *(n for n in CASES if n.startswith("mse/") and n != TINY)]
    chosen = select(["*"])
    assert not any(CASES[name].long for name in chosen)
    long = next(name for name, case in CASES.items() if case.long)
    assert select([long]) == [long]
    with pytest.raises(ValueError, match="no case is called 'no/such'"):
        select(["no/such"])


@pytest.mark.oracle
@pytest.mark.parametrize("name", SMALL)
def test_small_cases_are_right_and_give_the_same_twice(name, setting, tmp_path, monkeypatch):
    monkeypatch.setenv("PIXELGAUGE_CACHE", str(tmp_path))
    contest = Contest(CASES[name], setting)
    call = contest.prepare(OURS)
    first = call()
    for a, b in zip(contest.numbers(OURS, first), contest.numbers(OURS, call()), strict=True):
        assert np.array_equal(a, b)
    if name.startswith("lpips/"):
        assert np.isfinite(contest.numbers(OURS, first)[0])  # PyTorch decides where it is installed
    else:
        contest.check(OURS, first)


@pytest.mark.parity
@pytest.mark.filterwarnings("ignore")  # the peers' own
@pytest.mark.parametrize("name", SMALL)
def test_small_contenders_agree(name, setting, tmp_path, monkeypatch):
    monkeypatch.setenv("PIXELGAUGE_CACHE", str(tmp_path))
    contest, missing = Contest(CASES[name], setting), []
    for contender in CASES[name].contenders:
        try:
            contest.check(contender, contest.prepare(contender)())
        except MissingError as error:
            missing.append(str(error))
    if missing:
        pytest.skip("; ".join(missing))


def made(ours=1.0, theirs=1.0, tolerance=1e-6, oracle=None, **fields):
    """Make a case whose results are given."""
    contenders = {"theirs": Contender(prepare=lambda: lambda: theirs, tolerance=tolerance)}
    judge = None if oracle is None else Contender(prepare=lambda: lambda: oracle, tolerance=1e-6)
    given = {"function": "f", "variant": "v", "size": "1", "prepare": lambda: lambda: ours, "tolerance": 0.0}
    return Case(**{**given, "contenders": contenders, "oracle": judge, **fields})


@pytest.mark.boundary
@pytest.mark.parametrize(
    ("case", "contender", "says"),
    [
        (made(ours=1.1), OURS, "theirs and pixelgauge give 1.0 and 1.1"),
        (made(ours=1.1, theirs=1.1, oracle=1.0), OURS, "the definition and pixelgauge give 1.0 and 1.1"),
        (made(theirs=1.1, oracle=1.0), "theirs", "pixelgauge and theirs give 1.0 and 1.1"),
        (made(ours=np.nan), OURS, "1.0 and nan"),
        (made(ours=[1.0, 1.0]), OURS, "shapes"),
        (made(ours=None), OURS, "nothing that can be compared"),
        (made(ours=1.0, result=lambda found: found + 1), OURS, "1.0 and 2.0"),
    ],
)
def test_a_wrong_result_is_wrong(case, contender, says, setting):
    contest = Contest(case, setting)
    with pytest.raises(WrongResultError, match=says):
        contest.check(contender, contest.prepare(contender)())


@pytest.mark.property
def test_a_right_result_is_right_and_a_floor_has_none(setting):
    assert Contest(made(theirs=1 + 1e-7), setting).check(OURS, 1.0) == pytest.approx(1e-7, rel=1e-3)
    assert Contest(made(theirs=5.0, oracle=1.0, tolerance=None), setting).check("theirs", 5.0) == 0


@pytest.mark.boundary
def test_what_is_missing_is_said(setting, tmp_path, monkeypatch):
    with pytest.raises(MissingError, match="no_such_program cannot be imported"):
        program("no_such_program")
    with pytest.raises(MissingError, match="nothing here decides about f/v/1"):
        Contest(made(tolerance=None), setting).check(OURS, 1.0)
    monkeypatch.setattr(of_networks, "SHARED", tmp_path)
    with pytest.raises(MissingError, match="PIXELGAUGE_SHARED"):
        CASES["read_checkpoint/pth/heads"].prepare()


@pytest.mark.boundary
def test_settings():
    assert settings([1, 2], ["baseline"]) == [Setting(1, "baseline"), Setting(2, "baseline")]
    with pytest.raises(ValueError, match="threads=0"):
        settings([0], ["baseline"])
    with pytest.raises(ValueError, match="isa='mmx'"):
        settings([1], ["mmx"])


@pytest.mark.property
def test_limits_are_shared_out():
    by_operations = Limit(flop=1e9, why="counted")
    one, two = (by_operations.seconds(threads, "baseline") for threads in (1, 2))
    assert 1e-3 < two == one / 2 < 10
    assert Limit(read=1e9, why="counted").seconds(1, "baseline") > 1e-3
    assert Limit(cycles=1e9, why="counted").seconds(1, "baseline") > 0.05
    assert float(np.float64(5e-324) * 1) > 0  # measuring the machine has not changed its arithmetic


@pytest.mark.property
@pytest.mark.parametrize(
    ("result", "expected"),
    [
        (0.5, [0.5]),
        (np.float32(0.5), [0.5]),
        ((0.5, np.ones((2, 2))), [0.5, np.ones((2, 2))]),
        ([0.25, 0.5], [[0.25, 0.5]]),
        (((1.0, 2.0), [np.zeros(3)]), [[1.0, 2.0], np.zeros(3)]),
        (None, []),
        (object(), []),
    ],
)
def test_numbers_of_a_result(result, expected):
    found = arrays_of(result)
    assert len(found) == len(expected)
    assert difference(found, [np.asarray(array) for array in expected], 0.0) == ""


@pytest.mark.cli
def test_beside_prints_a_table_and_fails_for_a_wrong_result(capsys, monkeypatch, restored_threads):
    monkeypatch.setattr("bench.timing.PAUSE", 0)
    options = ["--rounds", "3", "--threads", "1", "--threads", "2"]
    assert beside.main(["psnr/uint8/64x64", "--only", "[pr]*", *options]) == 0
    printed = capsys.readouterr().out
    assert "pixelgauge, 1 threads" in printed
    assert "reading-both, 2 threads" in printed
    assert "dtype uint8" in printed
    monkeypatch.setitem(catalogue.CASES, "f/v/1", made(ours=1.1))
    assert beside.main(["f/v/1", *options]) == 1
    assert "WRONG f/v/1: theirs and pixelgauge give 1.0 and 1.1" in capsys.readouterr().out
    with pytest.raises(SystemExit):
        beside.main(["no/such"])


@pytest.mark.cli
def test_memory_is_seen(capsys, monkeypatch):
    assert peak_memory.main(["ssim/float32/64x64"]) == 0
    # a map in float32 of each channel
    grown = peak_memory.measure("ssim/full/1920x1080", 1).beyond
    assert 4 * 3 * 1070 * 1900 < grown < 200e6
    monkeypatch.setitem(catalogue.CASES, TINY, dataclasses.replace(CASES[TINY], memory=1))
    assert peak_memory.main([TINY]) == 1
    assert TINY in capsys.readouterr().out


@pytest.mark.cli
@pytest.mark.skipif(find_spec("pytest_benchmark") is None, reason="pytest-benchmark is not installed")
def test_pytest_runs_the_cases_and_records_their_parameters(tmp_path):
    record = tmp_path / "out.json"
    command = [
        sys.executable,
        "-m",
        "pytest",
        "bench/full_reference",
        "-q",
        "-k",
        "ssim/skimage/64x64 and threads2 and pixelgauge",
    ]
    options = ["--threads", "2", "--isa", "baseline", "--benchmark-json", str(record), "--benchmark-max-time", "0.01"]
    done = subprocess.run([*command, *options], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads(record.read_text())
    assert found["machine_info"]["pixelgauge"]["available_isas"]
    (timed,) = found["benchmarks"]
    assert timed["group"] == "ssim/skimage/64x64, threads 2, baseline"
    facts = timed["extra_info"]
    assert (facts["size"], facts["dtype"], facts["threads"], facts["isa"]) == ("64x64", "uint8", 2, "baseline")
    assert facts["limit_seconds"] > 0
