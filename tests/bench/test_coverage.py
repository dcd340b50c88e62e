"""The runner of coverage cells: it counts rightly, gives the same numbers for any number of processes, and sees a broken promise."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from bench import coverage, coverage_report
from bench.coverage import Cell, Found, judged, run


def mean_of(count: int, width: float, promised: tuple[float, float] | None) -> Cell:
    """The mean of standard normal numbers, with an interval that is `width` of the right one."""

    def interval(x: np.ndarray) -> tuple[float, float]:
        half = width * 1.959964 / np.sqrt(count)
        return float(x.mean()) - half, float(x.mean()) + half

    return Cell(
        figure="mean",
        population="normal",
        size=f"n{count}",
        truth=0.0,
        draw=lambda rng: (rng.standard_normal(count),),
        methods={"own": interval},
        promised={} if promised is None else {"own": promised},
    )


def test_counts_are_those_of_the_repeats() -> None:
    cell = mean_of(10, 1.0, None)
    (found,) = judged(cell, {"own": [(-1, 1), (0, 0.5), (0.1, 2), (-2, -0.1)]})
    assert (found.covered, found.below, found.above, found.repeats) == (0.5, 0.25, 0.25, 4)
    assert found.width == pytest.approx((2 + 0.5 + 1.9 + 1.9) / 4)


@pytest.mark.parametrize(("width", "kept"), [(1.0, True), (0.7, False), (2.0, False)])
def test_a_promise_is_held_against_what_was_found(width: float, kept: bool) -> None:
    cell = mean_of(5, width, (0.93, 0.97))
    (found,) = judged(cell, run(cell, 2000))
    assert found.kept is kept


def test_parts_are_the_whole() -> None:
    cell = mean_of(5, 1.0, None)
    assert run(cell, 6)["own"] == run(cell, 2)["own"] + run(cell, 4, first=2)["own"]


def test_an_interval_of_nothing_is_an_error() -> None:
    with pytest.raises(ValueError, match="own gave an interval with NaN"):
        judged(mean_of(5, 1.0, None), {"own": [(0.0, float("nan"))]})


def test_cells_have_names_of_their_own_and_a_few_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    cells = coverage.cells()
    assert len({cell.name for cell in cells}) == len(cells) > 300
    assert any(cell.promised for cell in cells)
    file = tmp_path / "found.jsonl"
    command = ["roc_auc/normal-0.7/n100-p50", "--repeats", "40", "--processes", "2", "--found", str(file)]
    code = coverage.main(command)
    found = {line.method: line for line in coverage.read(file)["roc_auc/normal-0.7/n100-p50"]}
    assert set(found) == {"score", "newcombe", "delong", "logit"}
    assert found["score"].repeats == 40
    assert code == int(not found["score"].kept)
    capsys.readouterr()
    pytest.importorskip("matplotlib", reason="matplotlib, the plot extra, is not installed")
    assert coverage_report.main([str(file), str(tmp_path / "pictures")]) == 0
    page = (tmp_path / "pictures" / "roc_auc.md").read_text(encoding="utf-8")
    assert "40 samples a cell" in page
    assert "| n100-p50 | score | 1 |" in page
    assert (tmp_path / "pictures" / "roc_auc.png").read_bytes().startswith(b"\x89PNG")


def test_what_is_kept_is_not_run_again(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(coverage, "cells", lambda: [mean_of(5, 1.0, (0.0, 1.0)), mean_of(7, 0.1, (0.9, 1.0))])
    ran: list[str] = []

    def measure(chosen: list[Cell], repeats: int, processes: int) -> Iterator[list[Found]]:
        for cell in chosen:
            ran.append(cell.name)
            yield judged(cell, run(cell, repeats))

    monkeypatch.setattr(coverage, "measure", measure)
    file = str(tmp_path / "found.jsonl")
    assert coverage.main(["*/n5", "--repeats", "20", "--found", file]) == 0
    for command in (["--repeats", "20"], ["--repeats", "10"], ["--repeats", "30"], ["--repeats", "30"]):
        assert coverage.main([*command, "--found", file]) == 1
        assert "1 of 2 intervals" in capsys.readouterr().out
    assert ran == ["mean/normal/n5", "mean/normal/n7", "mean/normal/n5", "mean/normal/n7"]
    assert [line.repeats for of_cell in coverage.read(Path(file)).values() for line in of_cell] == [30, 30]


def test_unknown_cells_are_named(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        coverage.main(["no/such"])
    assert stop.value.code == 2
    assert "no cell is called no/such" in capsys.readouterr().err
