"""Summaries that are brought together, or travel as bytes, are those of all their rows."""

from __future__ import annotations

import json
import math
import threading
from io import BytesIO

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

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


# ---- any rows, in any parts --------------------------------------------------------------------------------------------

texts = st.text(max_size=8) | st.sampled_from(["\udcff.png", "=1", "a\nb", ""])
states = st.none() | st.builds(FileState, st.integers(0, 2**63 - 1), st.integers(-(2**63), 2**63 - 1))
values = st.floats(-1e6, 1e6) | st.sampled_from([math.inf, -math.inf, 0.0, -0.0, 5e-324, 30.0, 30.0])
any_row = st.builds(
    ScoreRow,
    st.none() | texts,
    st.none() | texts,
    st.sampled_from(["ok", "missing", "ambiguous", "unreadable", "mismatch", "unscorable"]),
    texts,
    st.dictionaries(st.sampled_from(list(KINDS)), values),
    st.tuples(states, states),
    st.integers(0, 2**40),
)


def said(summary: Summary) -> object:
    """All that a summary says; NaN and the sign of zero too."""
    everything = (summary.compute(), dict(summary.statuses), summary.count, summary.failed, summary.pooled_psnr)
    return repr((*everything, [summary.finite(name).tolist() for name in KINDS]))


@pytest.mark.property
@given(st.lists(any_row, max_size=40), st.data())
def test_any_parts_merged_in_their_order_are_the_whole(rows: list[ScoreRow], data: st.DataObject) -> None:
    cuts = sorted(data.draw(st.lists(st.integers(0, len(rows)), max_size=6)))
    parts = [summed(rows[i:j]) for i, j in zip([0, *cuts], [*cuts, len(rows)], strict=True)]
    while len(parts) > 1:  # two neighbours at a time, in any tree, some by way of bytes
        at = data.draw(st.integers(0, len(parts) - 2))
        other = parts.pop(at + 1)
        parts[at].merge(Summary.from_bytes(other.to_bytes()) if data.draw(st.booleans()) else other)
    assert said(parts[0]) == said(summed(rows))
    assert parts[0].to_bytes() == summed(rows).to_bytes()


@pytest.mark.property
@given(st.lists(any_row, max_size=40), st.randoms())
def test_figures_do_not_depend_on_the_order_of_rows(rows: list[ScoreRow], random: object) -> None:
    mixed = list(rows)
    random.shuffle(mixed)  # type: ignore[attr-defined]
    one, other = summed(rows), summed(mixed)
    assert (one.statuses, one.pooled_psnr) == (other.statuses, other.pooled_psnr)
    for a, b in zip(one.compute().values(), other.compute().values(), strict=True):
        assert (a.count, a.infinite, a.mean, a.median, a.std) == (b.count, b.infinite, b.mean, b.median, b.std)
        assert [value for value, _ in a.worst] == [value for value, _ in b.worst]


@pytest.mark.property
@given(st.lists(any_row, max_size=30))
def test_any_state_travels_and_goes_on(rows: list[ScoreRow]) -> None:
    summary = summed(rows)
    data = summary.to_bytes()
    arrived = Summary.from_bytes(data)
    assert said(arrived) == said(summary)
    assert [(row.files, row.samples) for _, row in arrived.compute()["mse"].worst] == [
        (row.files, row.samples) for _, row in summary.compute()["mse"].worst
    ]
    assert arrived.to_bytes() == data
    for part in (arrived, summary):
        for row in rows:
            part.update(row)
        part.merge(summary)
    assert arrived.count == summary.count - len(rows)  # which went into itself


@pytest.mark.property
def test_scores_of_any_size_have_figures() -> None:
    """A file of rows may say any score: figures of them are no overflow."""
    summary = Summary({"mse": False, "psnr": True})
    for value in (1.7e308, 1.7e308, -1.7e308, 1.0):
        summary.update(ScoreRow("a", "a", "ok", "", {"mse": value, "psnr": value}, samples=5))
    found = summary.compute()["mse"]
    assert found.mean == pytest.approx(1.7e308 / 4, rel=1e-15)
    assert found.std == pytest.approx(1.7e308 * math.sqrt(2.75 / 3), rel=1e-14)
    assert summary.pooled_psnr is None


@pytest.mark.property
def test_many_threads_update_merge_and_ask_one_summary() -> None:
    """Each row is counted once, whoever asks meanwhile, and what is asked is of whole rows."""
    whole, done = Summary(KINDS), threading.Event()
    wrong: list[object] = []
    row = ScoreRow("a", "a", "ok", "", {"mse": 1.0, "psnr": 30.0}, samples=10)

    def add() -> None:
        part = Summary(KINDS)
        for i in range(300):
            (whole if i % 2 else part).update(row)
        whole.merge(part)

    def ask() -> None:
        try:
            while not done.is_set():
                found = Summary.from_bytes(whole.to_bytes())
                counts = {found.count, found.statuses["ok"], *(f.count for f in found.compute().values())}
                if len(counts) != 1 or whole.finite("mse").size < found.count or whole.failed:
                    wrong.append(counts)
        except Exception as error:
            wrong.append(error)

    adding = [threading.Thread(target=add) for _ in range(4)]
    asking = [threading.Thread(target=ask) for _ in range(2)]
    for thread in (*adding, *asking):
        thread.start()
    for thread in adding:
        thread.join()
    done.set()
    for thread in asking:
        thread.join()
    assert wrong == []
    assert whole.count == 1200
    assert whole.compute()["psnr"].mean == 30.0
    assert whole.pooled_psnr == pytest.approx(30.0)


@pytest.mark.property
def test_values_that_were_asked_for_hold_nothing_up() -> None:
    summary = summed([ScoreRow("a", "a", "ok", "", {"mse": 1.0})])
    before = summary.finite("mse")
    summary.update(ScoreRow("b", "b", "ok", "", {"mse": 2.0}))
    assert (before.tolist(), summary.finite("mse").tolist()) == ([1.0], [1.0, 2.0])


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
        {"metrics": [["mse", 0, 0], ["psnr", True, 0]]},
        {"metrics": [["mse", "no", 0], ["psnr", True, 0]]},
        {"metrics": [["mse", False, 0], ["mse", False, 0]]},
        {"metrics": [[1, False, 0], ["psnr", True, 0]]},
        {"worst": [[], []]},
        {"worst": None},
        {"pooled": ["f" * 900, 1, 0]},
        {"pooled": ["-1", 1, 0]},
        {"pooled": ["1", 0, 0]},
        {"pooled": ["0x1", 1, 0]},
        {"pooled": [1.5, 1, 0]},
        {"pooled": ["1", 1, 61]},
        {"pooled": ["1", -1, 0]},
        {"pooled": ["1", 1]},
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
@pytest.mark.parametrize(
    "change",
    [{"files": [None]}, {"files": [None, [1, 2], None]}, {"files": [[1.5, 2], None]}, {"files": [[1, None], None]}, {"samples": "3"},
     {"samples": -1}, {"samples": True}, {"ref": 3}, {"status": "fine"}, {"message": None}, {"values": {"mse": "nan"}}, {"values": []},
     {"more": 1}],
)  # fmt: skip
def test_a_row_that_is_none_is_refused(rng: np.random.Generator, change: dict[str, object]) -> None:
    state = read_arrays(BytesIO(summed(rows_of(rng, 60)).to_bytes()), "state")
    facts = json.loads(bytes(state["facts"]))
    facts["worst"][0][0][2] |= change
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
