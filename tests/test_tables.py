"""Tables of scores: what was written is read value for value, any bytes are read right or refused by one error."""

from __future__ import annotations

import csv
import io
import json
import math
import subprocess
import sys
import tracemalloc
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import hypothesis
import numpy as np
import pytest
from hypothesis import strategies as st

from pixelgauge import FileError
from pixelgauge.files import cells, tables, text_tables
from pixelgauge.files.tables import Table, read_table


@pytest.fixture(scope="module", params=[7, 1 << 18])
def block(request: pytest.FixtureRequest) -> Iterator[int]:
    """Blocks of a few bytes, so that everything lies on the seam of two; and those of use."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(text_tables, "_BLOCK", request.param)
        yield request.param


def read(path: Path, data: bytes | str, **options: Any) -> Table:
    path.write_bytes(data.encode() if isinstance(data, str) else data)
    return read_table(path, "label", "score", **options)


def columns(table: Table) -> tuple[list[Any], list[Any]]:
    labels = table.labels.tolist()
    return (labels if table.classes is None else [table.classes[at] for at in labels]), table.scores.tolist()


def test_values_of_every_kind(tmp_path: Path, block: int) -> None:
    table = read(tmp_path / "t.csv", "\ufeff label,id,score\r\n 1,a,0.5\r\n\r\n0 ,b, 2\r\n1.0,,-inf\n+0,,1e3")
    assert columns(table) == ([1, 0, 1, 0], [0.5, 2, -math.inf, 1000])
    assert table.dropped == 0
    table = read(tmp_path / "t.csv", "score,label\r1,yes\r2, yes \r3,no\r")
    assert columns(table) == (["yes", "yes", "no"], [1, 2, 3])
    assert table.scores.dtype == np.int64
    table = read(tmp_path / "t.tsv", 'label\tscore\n"a, ""b"""\t1\n"c\n\r\nd" \t2\n5"\t3\n')
    assert columns(table) == (['a, "b"', "c\n\r\nd", '5"'], [1, 2, 3])
    table = read(tmp_path / "t.jsonl", '{"label": true, "score": 1, "x": {}}\r\n\n{"score": 2.5, "label": false}')
    assert columns(table) == ([True, False], [1, 2.5])


TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=12)
LABEL = st.one_of(TEXT, st.sampled_from(['a"b', "a,b", "a\nb", '"', " x", "é", "-", "NA?"])).filter(
    lambda text: (
        not cells.is_missing(text) and text.strip()[:1].isprintable() and text.strip()[-1:].isprintable()
        and cells.number(text) is None and text.strip() != "-"
    )
)  # fmt: skip
SCORE = st.one_of(st.integers(-(2**70), 2**70), st.integers(-5, 5), st.floats(allow_nan=False))


def same_values(found: np.ndarray, expected: list[Any]) -> bool:
    """Equal as numbers without rounding, infinities too."""
    return len(found) == len(expected) and all(
        (a == b) if isinstance(a, float) and math.isinf(a) else Fraction(a) == Fraction(b)
        for a, b in zip(found.tolist(), expected, strict=True)
        if not (isinstance(a, float) and math.isinf(a) and a == b)
    )


@pytest.mark.property
@hypothesis.given(
    rows=st.lists(st.tuples(LABEL, SCORE, TEXT), min_size=1, max_size=12), quoting=st.sampled_from([0, 1, 2]),
    ends=st.sampled_from(["\n", "\r\n", "\r"]), delimiter=st.sampled_from([",", "\t"]),
)  # fmt: skip
@hypothesis.settings(suppress_health_check=[hypothesis.HealthCheck.function_scoped_fixture])
def test_what_csv_writes_is_read(
    tmp_path: Path, block: int, rows: list[tuple[str, Any, str]], quoting: Any, ends: str, delimiter: str
) -> None:
    file = io.StringIO(newline="")
    if ends != "\r\n":  # the writer of some versions quotes the line ends that it writes, and no others
        quoting = quoting or csv.QUOTE_ALL
    writer = csv.writer(file, quoting=quoting, lineterminator=ends, delimiter=delimiter)
    writer.writerow(["label", "score", "of, others"])
    writer.writerows(rows)
    table = read(tmp_path / ("t.tsv" if delimiter == "\t" else "t.csv"), file.getvalue())
    assert same_values(table.scores, [score for _, score, _ in rows])
    assert columns(table)[0] == [label.strip() for label, _, _ in rows]


@pytest.mark.property
@hypothesis.given(
    rows=st.lists(st.tuples(LABEL, SCORE, st.recursive(st.none() | TEXT, st.lists, max_leaves=4)), min_size=1, max_size=12),
    escaped=st.booleans(),
)  # fmt: skip
@hypothesis.settings(suppress_health_check=[hypothesis.HealthCheck.function_scoped_fixture])
def test_what_json_writes_is_read(tmp_path: Path, block: int, rows: list[tuple[str, Any, Any]], escaped: bool) -> None:
    lines = [json.dumps({"label": y, "score": s, "x": x}, ensure_ascii=escaped) + "\n" for y, s, x in rows]
    table = read(tmp_path / "t.jsonl", "".join(lines))
    assert same_values(table.scores, [score for _, score, _ in rows])
    assert columns(table)[0] == [label.strip() for label, _, _ in rows]


@pytest.mark.property
@hypothesis.given(numbers=st.lists(st.integers(-(2**80), 2**80), min_size=1, max_size=6), twice=st.booleans())
@hypothesis.settings(suppress_health_check=[hypothesis.HealthCheck.function_scoped_fixture])
def test_labels_that_are_numbers(tmp_path: Path, block: int, numbers: list[int], twice: bool) -> None:
    texts = [f"{number}.0" if twice and at % 2 else str(number) for at, number in enumerate(numbers)]
    numbers = [number for number in numbers if abs(number) < 1e300]
    table = read(tmp_path / "t.csv", "label,score\n" + "".join(f"{text},1\n" for text in texts))
    assert same_values(table.labels, numbers)


PIECES = st.sampled_from([
    b"label,score\n", b"1,", b"0,", b"0.5", b",", b"\n", b"\r", b"\r\n", b'"', b'""', b'"a"', b" ", b"NA", b"nan", b"-",
    b"inf", b"1e999", b"9007199254740993", b"1_0", b"\0", b"\xff", b"\xef\xbb\xbf", b"\xc3\xa9", b"\t", b"x",
    b'{"label": 1, "score": ', b"}", b"[[", b"NaN", b"Infinity", b"\xff\xfe", b"1" * 400,
])  # fmt: skip


def rows_of_csv(data: bytes, delimiter: str) -> list[list[str]]:
    """Non-empty rows as the standard library reads them, strictly."""
    text = data.decode("utf-8-sig")
    return [row for row in csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True) if row]


@pytest.mark.property
@hypothesis.given(data=st.lists(PIECES, max_size=25).map(b"".join), suffix=st.sampled_from(["csv", "tsv", "jsonl"]))
@hypothesis.example(b'label,score\n1,0.5\n"0,2\n1,3\n', "csv")
@hypothesis.example(b'label,score\n1,0.5\n"0" x,2\n', "csv")
@hypothesis.settings(suppress_health_check=[hypothesis.HealthCheck.function_scoped_fixture], max_examples=400)
def test_any_bytes_are_read_right_or_refused(tmp_path: Path, block: int, data: bytes, suffix: str) -> None:
    data = b"label,score\n" + data if suffix == "csv" else data
    try:
        table = read(tmp_path / f"t.{suffix}", data)
    except FileError as error:
        assert len(str(error)) <= 2000
        assert str(error).isprintable()
        return
    assert len(table.labels) == len(table.scores) > 0
    if suffix == "jsonl":
        expected = [(row["label"], row["score"]) for row in map(json.loads, data.decode("utf-8-sig").split()) if row]
    else:
        header, *rows = rows_of_csv(data, "," if suffix == "csv" else "\t")
        places = [[name.strip() for name in header].index(name) for name in ("label", "score")]
        expected = [(row[places[0]].strip(), row[places[1]]) for row in rows]
    assert same_values(table.scores, [cells.number(score) for _, score in expected])
    assert [str(label) for label in columns(table)[0]] == [
        str(label if table.classes else np.array([cells.number(label)]).astype(table.labels.dtype)[0])
        for label, _ in expected
    ]
