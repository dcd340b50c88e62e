"""Summaries that are brought together, or travel as bytes, are those of all their rows."""

from __future__ import annotations

import json
import math
from io import BytesIO

import numpy as np
import pytest

from pixelgauge.engine.rows import FileState, ScoreRow
from pixelgauge.engine.summary import Summary
from pixelgauge.files.archive import read_arrays, write_arrays

KINDS = {"mse": False, "psnr": True}


def rows_of(rng: np.random.Generator, count: int) -> list[ScoreRow]:
    """Rows with ties, infinities, failures and odd names."""
    rows = []
    for i in range(count):
        if rng.random() < 0.2:
            rows.append(ScoreRow(f"r/{i}", None, "missing", 'no "partner"\n'))
            continue
        value = float(rng.integers(0, 6)) if rng.random() < 0.8 else math.inf
        states = (FileState(10, i), None)
        rows.append(ScoreRow(f"r/é{i}", f"t/{i}", "ok", "", {"mse": float(rng.random()), "psnr": value}, states))
    return rows


def summed(rows: list[ScoreRow]) -> Summary:
    summary = Summary(KINDS)
    for row in rows:
        summary.update(row)
    return summary


@pytest.mark.property
@pytest.mark.parametrize("cuts", [(0, 0), (3, 40), (50, 100), (100, 100)])
def test_merged_parts_are_the_whole(rng: np.random.Generator, cuts: tuple[int, int]) -> None:
    rows = rows_of(rng, 100)
    whole = summed(rows)
    first, second, third = (summed(part) for part in (rows[: cuts[0]], rows[cuts[0] : cuts[1]], rows[cuts[1] :]))
    first.merge(second)
    first.merge(third)
    assert (first.compute(), first.statuses, first.count) == (whole.compute(), whole.statuses, 100)


@pytest.mark.property
@pytest.mark.parametrize("count", [0, 1, 200])
def test_what_travels_arrives(rng: np.random.Generator, count: int) -> None:
    summary = summed(rows_of(rng, count))
    arrived = Summary.from_bytes(summary.to_bytes())
    assert (arrived.compute(), arrived.statuses) == (summary.compute(), summary.statuses)
    for part in (arrived, summary):
        part.merge(summed(rows_of(np.random.default_rng(1), 50)))
    assert arrived.compute() == summary.compute()


@pytest.mark.boundary
def test_other_metrics_do_not_merge() -> None:
    with pytest.raises(ValueError, match="does not go into one of"):
        Summary(KINDS).merge(Summary({"mse": True, "psnr": True}))


@pytest.mark.boundary
@pytest.mark.parametrize(
    "change",
    [
        {"statuses": {"odd": 3}},
        {"statuses": {"ok": -1}},
        {"statuses": {"ok": 1}},
        {"statuses": {"ok": 10.5}},
        {"metrics": [["mse", False, 0]]},
        {"metrics": [["mse", False, -1], ["psnr", True, 0]]},
        {"metrics": [["mse", True, 0], ["psnr", True, 0]]},
        {"worst": [[], []]},
        {"worst": None},
    ],
)
def test_a_state_that_contradicts_itself_is_refused(rng: np.random.Generator, change: dict[str, object]) -> None:
    state = read_arrays(BytesIO(summed(rows_of(rng, 60)).to_bytes()), "state")
    facts = json.loads(bytes(state["facts"])) | change
    buffer = BytesIO()
    write_arrays(buffer, {**state, "facts": np.frombuffer(json.dumps(facts).encode(), np.uint8)})
    with pytest.raises(ValueError, match="is not a Summary"):
        Summary.from_bytes(buffer.getvalue())


@pytest.mark.boundary
def test_cut_and_changed_bytes_are_refused_or_sound(rng: np.random.Generator) -> None:
    data = summed(rows_of(rng, 20)).to_bytes()
    for size in range(0, len(data), 7):
        with pytest.raises(ValueError, match="data: "):
            Summary.from_bytes(data[:size])
    with pytest.raises(TypeError, match="data"):
        Summary.from_bytes(3)  # type: ignore[arg-type]
