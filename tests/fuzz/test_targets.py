"""Every target of the fuzzer: its corpus, what was once found, and two thousand mutations, the same in each run."""

from __future__ import annotations

import argparse
import subprocess
import sys
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random
from typing import Any

import pytest

from tests.fuzz import __main__ as driver
from tests.fuzz import formats, mutations
from tests.fuzz import target as rules
from tests.fuzz.target import CORPUS, FOUND, MOST_INPUT, Target, forget, limited, timed
from tests.fuzz.targets import TARGETS
from tests.places import ROOT

SECONDS = 20.0
"""Of one execution, on a machine that is busy."""


@pytest.fixture(autouse=True)
def _as_users_run_it() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Pillow's, which are errors in other tests
        yield
    forget()


def test_every_target_has_a_corpus() -> None:
    assert {folder.name for folder in CORPUS.iterdir()} == set(TARGETS)
    assert {folder.name for folder in FOUND.iterdir()} <= set(TARGETS)
    assert (
        sum(file.stat().st_size for folder in (CORPUS, FOUND) for file in folder.rglob("*") if file.is_file()) < 200_000
    )


@pytest.mark.parametrize("name", TARGETS)
class TestTargets:
    @pytest.mark.property
    def test_sound_files_are_accepted(self, name: str) -> None:
        with limited(SECONDS) as require:
            for file in sorted((CORPUS / name).iterdir()):
                accepted = timed(TARGETS[name].check, file.read_bytes(), SECONDS)
                assert accepted or file.name.startswith("refused"), file
                require(file.stat().st_size)

    @pytest.mark.boundary
    def test_what_was_found(self, name: str) -> None:
        with limited(SECONDS) as require:
            for data in TARGETS[name].seeds():
                timed(TARGETS[name].check, data, SECONDS)
                require(len(data))

    @pytest.mark.boundary
    def test_mutations(self, name: str) -> None:
        target, rng = TARGETS[name], Random(f"{name}/tests")
        seeds, accepted = target.seeds(), 0
        with limited(SECONDS) as require:
            for i in range(2000):
                data = target.mutate(rng.choice(seeds), rng, seeds)[:MOST_INPUT]
                try:
                    accepted += timed(target.check, data, SECONDS)
                    require(len(data))
                except BaseException as error:
                    error.add_note(f"{name}, mutation {i}: {data!r}")
                    raise
        assert 0 < accepted < 2000  # otherwise it tests nothing


@pytest.mark.boundary
class TestRules:
    """That what breaks a rule is found."""

    @staticmethod
    def _of(read: object = bytes, right: object = lambda value, data: None) -> Target:
        return Target("json", read, right, refusals=(ValueError,))  # type: ignore[arg-type]

    @pytest.mark.parametrize("message", ["", "a\nb", "\x1b[2J", "a" * 2001])
    def test_messages(self, message: str) -> None:
        def read(data: bytes) -> None:
            raise ValueError(message)

        with pytest.raises(AssertionError, match="message"):
            self._of(read).check(b"a")

    def test_other_errors(self) -> None:
        def read(data: bytes) -> None:
            raise KeyError("a")

        with pytest.raises(KeyError):
            self._of(read).check(b"a")

    def test_refusals_after_reading(self) -> None:
        def right(value: object, data: bytes) -> None:
            raise ValueError("of a value that was accepted")

        with pytest.raises(ValueError, match="that was accepted"):
            self._of(right=right).check(b"a")

    def test_two_results(self) -> None:
        calls = iter(range(1000))
        target = self._of(lambda data: next(calls))
        with pytest.raises(AssertionError, match="different results"):
            all(target.check(bytes([i])) for i in range(100))

    def test_time(self) -> None:
        def read(data: bytes) -> None:
            while True:
                pass

        with limited(0.2), pytest.raises(BaseException, match=r"longer than 0.2 s"):
            timed(self._of(read).check, b"a", 0.2)

    def test_memory(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(rules, "MOST_BYTES_FREE", -1000)
        with limited() as require:
            require(50)
            with pytest.raises(MemoryError, match="49 bytes took"):
                require(49)


class TestMutations:
    @pytest.mark.property
    @pytest.mark.parametrize("name", TARGETS)
    def test_equal_seeds_give_equal_inputs(self, name: str) -> None:
        seeds = TARGETS[name].seeds()
        first, second = (
            [TARGETS[name].mutate(rng.choice(seeds), rng, seeds) for _ in range(50)] for rng in (Random(3), Random(3))
        )
        assert first == second
        assert len(set(first)) > 25

    @pytest.mark.boundary
    @pytest.mark.parametrize("mutate", [mutations.blind, mutations.json_text, formats.npy, formats.png, formats.tiff, formats.riff, formats.pickled, formats.safetensors,
                                        formats.zip_mutations(lambda name, data, rng, others: data)])  # fmt: skip
    def test_any_bytes_can_be_mutated(self, mutate: Callable[..., Any]) -> None:
        rng = Random(4)
        for data in (
            b"",
            b"a",
            b"PK\5\6" + bytes(18),
            b"II*\0\xff\xff\xff\xff" + bytes(9),
            b"\x93NUMPY\1\0\xff\xff" + bytes(9),
            b"\x89PNG\r\n\x1a\n",
            b"\x80\2.",
            b"RIFF",
        ):
            for _ in range(100):
                data = mutate(data, rng, [b"a"])
                assert type(data) is bytes


@pytest.mark.cli
class TestDriver:
    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "tests.fuzz", *arguments], cwd=ROOT, capture_output=True, text=True, timeout=120
        )

    def test_a_table_and_no_findings(self, tmp_path: Path) -> None:
        done = self.run("json", "npy", "--runs", "200", "--engine", "mutations", "--findings", str(tmp_path / "found"))
        assert done.returncode == 0, done.stdout + done.stderr
        lines = done.stdout.splitlines()
        assert [line.split()[0] for line in lines] == ["target", "json", "npy", "all"]
        assert [line.split()[1] for line in lines[1:]] == ["200", "200", "400"]
        assert not (tmp_path / "found").exists()

    def test_wrong_use(self) -> None:
        done = self.run("nothing")
        assert done.returncode == 2
        assert "there is no target 'nothing': use " in done.stderr

    @pytest.mark.parametrize(
        ("does", "words"),
        [
            ("os.abort()", "ends the process with -6"),
            ("os._exit(7)", "ends the process with 7"),
            ("time.sleep(60)", "hangs"),
        ],
    )
    def test_deaths_and_hangs_are_findings(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, does: str, words: str
    ) -> None:
        code = "import os, sys, time; from tests.fuzz import worker; s = open(sys.argv[1], 'r+b'); open(sys.argv[1] + '.died', 'w').close();"
        code += f"s.write(worker._STATE.pack(5, 3, 4) + b'data'); s.flush(); {does}"
        monkeypatch.setattr(driver, "_command", lambda name, args, path, *rest: [sys.executable, "-c", code, path])
        monkeypatch.setattr(driver, "_PATIENCE", 0.5)
        monkeypatch.setattr(driver, "_IMPORTING", 5)
        monkeypatch.setattr(driver, "_MOST_DEATHS", 0)
        monkeypatch.chdir(ROOT)
        figures = driver.run_target("json", argparse.Namespace(runs=100, findings=tmp_path / "found"), 60, tmp_path)
        assert (figures.executions, figures.accepted, figures.broken) == (5, 3, "")
        (found,) = (tmp_path / "found").glob("*.bin")
        assert found.read_bytes() == b"data"
        assert found.with_suffix(".txt").read_text().startswith(f"json: {words}")

    def test_a_worker_that_does_not_start_is_told(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(
            driver, "_command", lambda *args: [sys.executable, "-c", "raise SystemExit('no such module')"]
        )
        figures = driver.run_target("json", argparse.Namespace(runs=100, findings=tmp_path / "found"), 60, tmp_path)
        assert figures.broken == "its process ended with 1 before an execution: no such module"
