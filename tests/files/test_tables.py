"""Tables of scores: what was written is read value for value, any bytes are read right or refused by one error."""

from __future__ import annotations

import contextlib
import csv
import io
import json
import math
import re
import subprocess
import sys
import tracemalloc
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import hypothesis
import numpy as np
import pytest
from hypothesis import strategies as st

from pixelgauge import FileError
from pixelgauge.files import cells, parquet_pages, tables, text_tables
from pixelgauge.files.parquet_pages import largest_page
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


@pytest.mark.parametrize("blank", [" ", "\t", "\u3000", "\x1f", "\x85"])
def test_blanks_around_a_label_do_not_count_whatever_they_are(tmp_path: Path, blank: str) -> None:
    assert cells.number(f"{blank}1{blank}") == 1
    label = json.dumps(f"{blank}1{blank}")
    table = read(tmp_path / "t.jsonl", f'{{"label": {label}, "score": 2}}\n{{"label": "0", "score": 3}}\n')
    assert columns(table) == ([1, 0], [2, 3])


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
    b'{"label": 1, "score": ', b"}", b'{"label": 1, "score": 2}\n', b'{"score": 1.5, "label": 0}\r\n', b"[[", b"NaN", b"Infinity", b"\xff\xfe", b"1" * 400,
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
        message = str(error)
    else:
        message = ""
    assert len(message) <= 2000
    assert message.isprintable()
    if message:
        return
    assert len(table.labels) == len(table.scores) > 0
    if suffix == "jsonl":
        lines = [line for line in re.split(r"[\r\n]", data.decode("utf-8-sig")) if line.strip(" \t")]
        expected = [(row["label"], row["score"]) for row in map(json.loads, lines)]
    else:
        header, *rows = rows_of_csv(data, "," if suffix == "csv" else "\t")
        places = [[name.strip() for name in header].index(name) for name in ("label", "score")]
        expected = [(row[places[0]].strip(), row[places[1]]) for row in rows]
    assert same_values(table.scores, [cells.number(score) for _, score in expected])
    assert [str(label) for label in columns(table)[0]] == [
        str(label if table.classes else np.array([cells.number(label)]).astype(table.labels.dtype)[0])
        for label, _ in expected
    ]


@pytest.mark.boundary
@pytest.mark.parametrize(("suffix", "data", "message"), [
    ("csv", 'label,score\n1,2\n\n0,"3\n1,2\n', "row 2: a quote opens and is never closed"),
    ("csv", 'label,score\n"1,2\n0,3\n', "row 1: a quote opens and is never closed"),
    ("csv", 'label,"score\n1,2\n', "header: a quote opens and is never closed"),
    ("tsv", 'label\tscore\n1\t"2', "row 1: a quote opens and is never closed"),
    ("csv", 'label,score\n1,2\n"0"x,3\n', "row 2: 'x' follows a closing quote"),
    ("csv", 'label,score\n1,2\n"0" "x",3\n', "row 2: '\"' follows a closing quote"),
    ("csv", 'label,score\n1, "2"\n', "row 1: ' \"2\"' has a blank before its quote"),
    ("csv", 'label,score\n1,2\n1,2,"3"\n', "row 2: 3 cells, but the header has 2"),
    ("csv", 'label,score\n1,2\n\n""\n', "row 2: 1 cells"),
    ("csv", "label,score\n1,2\n\r\n1,\0", "row 2 holds a NUL byte"),
    ("csv", "label,score\0\n1,2", "its header holds a NUL byte"),
    ("csv", b'label,score\n"a\nb",2\n\n\xffx,2\n', "row 2 holds the byte 0xff"),
    ("csv", "label,score\n0,1\n".encode("utf-16-le"), "its header holds a NUL byte"),
    ("csv", "\nlabel,score\n0,1\n", "has no header"),
    ("csv", "label,score\n\ufeff1,1\n0,2\n", "begins or ends unseen"),
    ("csv", "label,score\nyes\u200b,1\nyes,2\n", "row 1, column 'label': 'yes\\u200b' begins or ends unseen"),
    ("csv", "label,score\n1,2\n1,1e999\n", "row 2, column 'score': '1e999' is not a score"),
    ("csv", "label,score\n1,2\n1,-1e400\n", "row 2, column 'score': '-1e400' is not a score"),
    ("csv", "label,score\n1,2\nill,1\n", "row 2, column 'label', holds numbers, and 'ill'"),
    ("csv", "label," + "a," * 70000 + "score\n", "header of more than 65536 columns"),
    ("csv", "label,score\n1," + "x" * 200_000 + "\n", "row 1, column 'score': 'xxx"),
    ("csv", "label,score\n1," + "1" * 200_000 + "\n", "row 1, column 'score': '111"),
    ("jsonl", '{"label": 1, "score": 1}\n{"label": 0, "score": ' + "1" * 400 + "}", "line 2, column 'score': 111"),
    ("jsonl", '{"label": 0, "score": ' + "1" * 5000 + "}", "line 1: not JSON: Exceeds the limit"),
    ("jsonl", '{"label": 0, "score": -1e999}', "line 1, column 'score': '-1e999' is not a score"),
    ("jsonl", '\n{"label": 0, "score": ' + "[" * 100_000, "line 2: not JSON: it nests more than 100 levels deep"),
    ("jsonl", '{"label": 0, "score": "' + "x" * (4 << 20) + '"}', "line 1: it has 4194329 characters"),
    ("jsonl", '{"label": 0, "score": 1, "x": 1, "x": 2}', "line 1: not JSON: has 2 columns 'x'"),
    ("jsonl", '{"label": 0, "score": 1, "x": {"y": 1, "y": 2}}', "line 1: not JSON: has 2 columns 'y'"),
    ("jsonl", '{"label": 0, "score": 1} {}', "line 1: not JSON: ' {}' follows"),
    ("jsonl", '{"label": [], "score": 1}', "line 1, column 'label': [] is not a label"),
    ("jsonl", '{"label": 1, "score": {}}', "line 1, column 'score': {} is not a score"),
    ("jsonl", b'{"label": 0, "score": 1}\n\n{"\xff": 0}', "line 3 holds the byte 0xff"),
    ("jsonl", '{"label": 0, "score": "NA"}', "line 1, column 'score': 'NA' is not a score"),
    ("npy", np.zeros((0, 2)), "holds no value"), ("npz", {"label": [], "score": []}, "holds no rows"),
    ("npy", np.zeros((2, 2)), None),
    ("npy", np.asfortranarray([[0, 0.1], [1, 0.2], [0, 0.3]]), None),
    ("npz", {"label": [0, 1]}, "has no column 'score': it has 'label'"),
    ("npz", {"label": ["a", "NA"], "score": [1, 2]}, "row 2, column 'label': 'NA' is not a label"),
    ("npz", {"label": [b"a", b"\xff"], "score": [1, 2]}, "cannot be read as a table"),
    ("npz", {"label": [0, 1], "score": [1, np.nan]}, "row 2, column 'score': NaN"),
])  # fmt: skip
def test_what_is_refused_is_named(tmp_path: Path, block: int, suffix: str, data: Any, message: str | None) -> None:
    path = tmp_path / f"t.{suffix}"
    if suffix == "npy":
        np.save(path, data)
    elif suffix == "npz":
        np.savez(path, **data)
    else:
        path.write_bytes(data if isinstance(data, bytes) else data.encode())
    if message is None:
        assert read_table(path, "label", "score").labels.tolist() == data[:, 0].tolist()
        return
    with pytest.raises(FileError) as caught:
        read_table(path, "label", "score")
    assert message in str(caught.value)
    assert str(caught.value).startswith(str(path))
    assert len(str(caught.value)) <= 2000
    assert str(caught.value).isprintable()


@pytest.mark.parametrize("form", ['{"label":0,"score":1,%s}', '{"label":0,"score":1,"more":{%s}}'])
def test_two_equal_keys_of_many_are_found_in_linear_time(tmp_path: Path, form: str) -> None:
    path = tmp_path / "t.jsonl"
    path.write_text(form % ("".join(f'"{i:x}":0,' for i in range(150_000)) + '"last":0,"last":0') + "\n")
    script = (
        "import sys\nfrom pixelgauge.files.tables import read_table\n"
        "try:\n    read_table(sys.argv[1], 'label', 'score')\nexcept ValueError as error:\n    print(error)\n"
    )
    # Half a second, and minutes if each was counted.
    done = subprocess.run([sys.executable, "-c", script, str(path)], capture_output=True, text=True, timeout=30)
    assert done.stdout == f"{path}: line 1: not JSON: has 2 columns 'last'\n"


def test_labels_that_all_differ_are_no_labels(tmp_path: Path, block: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cells, "MOST_CLASSES", 3)
    assert len(read(tmp_path / "t.csv", "label,score\na,1\nb,1\nc,1\na,1\n").classes or ()) == 3
    for fourth in ("d", "0"):
        with pytest.raises(FileError, match="row 5, column 'label' holds more than 3 different labels"):
            read(tmp_path / "t.csv", f"label,score\na,1\nb,1\na,1\nc,1\n{fourth},1\n")


MARKERS = ["NA", "N/A", "NULL", "null", "None", "none", "NaN", "nan", "-NaN", "#N/A", "<NA>", "n/a", "", "  ", " NA "]


@pytest.mark.parametrize("marker", MARKERS)
@pytest.mark.parametrize("quoted", [False, True])
def test_missing_labels_and_scores(tmp_path: Path, block: int, marker: str, quoted: bool) -> None:
    cell = f'"{marker}"' if quoted else marker
    for text, column in ((f"1,.5\n{cell},.4\n0,.3\n", "label"), (f"1,.5\n0,{cell}\n0,.3\n", "score")):
        with pytest.raises(FileError, match=f"row 2, column '{column}'.*--missing drop"):
            read(tmp_path / "t.csv", "label,score\n" + text)
        table = read(tmp_path / "t.csv", "label,score\n" + text, missing="drop")
        assert columns(table) == ([1, 0], [0.5, 0.3])
        assert table.dropped == 1
    texts = f"label,score\nill,1\n{cell},2\nwell,3\n"
    with pytest.raises(FileError, match="row 2, column 'label'"):
        read(tmp_path / "t.csv", texts)
    if marker.strip():
        assert columns(read(tmp_path / "t.csv", texts, missing="keep"))[0] == ["ill", marker.strip(), "well"]
    else:
        with pytest.raises(FileError, match="row 2, column 'label'"):
            read(tmp_path / "t.csv", texts, missing="keep")


@pytest.mark.parity
def test_missing_is_what_pandas_calls_missing() -> None:
    parsers = pytest.importorskip("pandas._libs.parsers", reason="pandas is not installed")
    assert {marker.lower() for marker in parsers.STR_NA_VALUES} <= cells.MARKERS


def test_a_dash_is_missing_among_numbers_and_a_class_among_texts(tmp_path: Path, block: int) -> None:
    assert columns(read(tmp_path / "t.csv", "label,score\n+,1\n-,2\n"))[0] == ["+", "-"]
    for text in ("1,1\n-,2\n0,3\n", "1,1\n0,-\n0,3\n"):
        with pytest.raises(FileError, match=r"row 2, column .* '-' is not a"):
            read(tmp_path / "t.csv", "label,score\n" + text)
        table = read(tmp_path / "t.csv", "label,score\n" + text, missing="drop")
        assert (columns(table), table.dropped) == (([1, 0], [1, 3]), 1)
    table = read(tmp_path / "t.csv", "label,score\n-,NA\n1,1\n-,2\nNA,2\n0,-\n0,3\n-,9\n", missing="drop")
    assert (columns(table), table.dropped) == (([1, 0], [1, 3]), 5)
    with pytest.raises(FileError, match="no row with a label and a score, 2 rows were left out"):
        read(tmp_path / "t.csv", "label,score\nNA,1\n1,NA\n", missing="drop")


def test_missing_values_of_json_and_arrays(tmp_path: Path) -> None:
    lines = '{"label": null, "score": 1}\n{"label": 1, "score": NaN}\n{"label": 0, "score": Infinity}\n{"label": NaN, "score": 1}'
    table = read(tmp_path / "t.jsonl", lines, missing="drop")
    assert (columns(table), table.dropped) == (([0], [math.inf]), 3)
    np.save(tmp_path / "t.npy", [[0, 1], [np.nan, 2], [1, np.nan], [1, 3]])
    table = read_table(tmp_path / "t.npy", "label", "score", "drop")
    assert (columns(table), table.dropped) == (([0, 1], [1, 3]), 2)
    np.savez(tmp_path / "t.npz", label=["NA", "a", "b", "a "], score=[1, 2, np.nan, 4])
    table = read_table(tmp_path / "t.npz", "label", "score", "drop")
    assert (columns(table), table.dropped) == ((["a", "a"], [2, 4]), 2)


HOSTILE: dict[str, bytes] = {
    "commas.csv": b"label,score\n" + b"," * 2_000_000,
    "quoted-commas.csv": b"label,score\n" + b'"",' * 500_000,
    "pairs.csv": b'label,score\n1,"' + b'""' * 2_000_000,
    "cells.csv": b"label,score\n" + b'"\n",' * 1_000_000,
    "long-then-commas.csv": b'label,score\n"' + b"a\n" * 500_000 + b'",1\n' + b"," * 2_000_000,
    "long-then-rows.csv": b'label,score\n"' + b"a\n" * 500_000 + b'",1\n' + b'"a",1\n' * 100_000,
    "rows.csv": b"label,score\n" + b"1,1\n" * 500_000,
    "label.csv": b"label,score\n" + b"a" * 2_000_000 + b",1\n" + b"b,2\n" * 200_000,
    "header.csv": b"label,score," + b"a," * 2_000_000,
    "integers.csv": b"label,score\n1,18446744073709551616\n" + b"1,999\n" * 150_000,
    "lists.jsonl": (b'{"label":1,"score":1,"x":[' + b"[]," * 300_000 + b"1]}\n") * 2,
    "lines.jsonl": b'{"label":1,"score":1}\n' * 50_000,
}


@pytest.mark.property
@pytest.mark.parametrize("name", HOSTILE)
def test_memory_is_bounded_by_the_file(tmp_path: Path, name: str) -> None:
    data = HOSTILE[name]
    (tmp_path / name).write_bytes(data)
    tracemalloc.start()
    try:
        with contextlib.suppress(FileError):
            read_table(tmp_path / name, "label", "score")
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak <= 10 * len(data) + (64 << 20)


def test_cells_of_any_length_and_no_global_limit(tmp_path: Path, block: int) -> None:
    before = csv.field_size_limit()
    long = "x" * 200_000
    note = f'"{long}\n""{long}"'
    table = read(tmp_path / "t.csv", f"label,score,note\n1,.5,{long}\n0,.25,{note}\n1,1,\n")
    assert columns(table) == ([1, 0, 1], [0.5, 0.25, 1])
    assert columns(read(tmp_path / "t.csv", f"label,score\n{long},1\ny,2\n"))[0] == [long, "y"]
    assert csv.field_size_limit() == before


def arrow() -> Any:
    pa = pytest.importorskip("pyarrow", reason="pyarrow, the arrow extra, is not installed")
    import pyarrow.parquet

    return pa, pyarrow.parquet


def test_columns_of_parquet(tmp_path: Path) -> None:
    pa, parquet = arrow()
    path = tmp_path / "t.parquet"
    texts = ["ill", "well ", "ill", "well"]
    for labels in (
        pa.array(texts), pa.array(texts).dictionary_encode(), pa.array(texts, pa.large_string()),
        pa.array([text.encode() for text in texts]), pa.chunked_array([texts[:1], texts[1:]]),
    ):  # fmt: skip
        parquet.write_table(
            pa.table({"label": labels, "score": [4, 2, 3, 1], "other": [[1]] * 4}), path, row_group_size=3
        )
        assert columns(read_table(path, "label", "score")) == (["ill", "well", "ill", "well"], [4, 2, 3, 1])


@pytest.mark.boundary
def test_what_is_missing_in_parquet(tmp_path: Path) -> None:
    pa, parquet = arrow()
    path = tmp_path / "t.parquet"
    parquet.write_table(pa.table({"label": ["a", None, "b", "NA", "a"], "score": [1, 2, None, 4, np.nan]}), path)
    with pytest.raises(FileError, match="row 2, column 'label': null"):
        read_table(path, "label", "score")
    table = read_table(path, "label", "score", "drop")
    assert (columns(table), table.dropped) == ((["a"], [1]), 4)
    parquet.write_table(pa.table({"label": ["a", "b", "NA"], "score": [1, 2, 3]}), path)
    with pytest.raises(FileError, match="row 3, column 'label': 'NA' is not a label"):
        read_table(path, "label", "score")
    assert columns(read_table(path, "label", "score", "keep"))[0] == ["a", "b", "NA"]


@pytest.mark.boundary
@pytest.mark.parametrize(("make", "message"), [
    (lambda pa: pa.array([[1], [2]]), "has dtype list<"), (lambda pa: pa.array([{"x": 1}] * 2), "has dtype struct<"),
    (lambda pa: pa.array([1, 2], pa.duration("s")), "give its integers"),
    (lambda pa: pa.array([1, 2], pa.time32("s")), "give its integers"),
    (lambda pa: pa.array([None, None]), "row 1, column 'score': null"),
    (lambda pa: pa.array(["1", "2"]).dictionary_encode(), "holds text"),
])  # fmt: skip
def test_columns_of_parquet_that_are_no_scores(tmp_path: Path, make: Callable[[Any], Any], message: str) -> None:
    pa, parquet = arrow()
    path = tmp_path / "t.parquet"
    parquet.write_table(pa.table({"label": [0, 1], "score": make(pa)}), path)
    with pytest.raises(FileError, match=message):
        read_table(path, "label", "score")


@pytest.mark.boundary
def test_two_columns_of_one_name_in_parquet(tmp_path: Path) -> None:
    pa, parquet = arrow()
    path = tmp_path / "t.parquet"
    parquet.write_table(pa.Table.from_arrays([pa.array([0, 1])] * 3, ["label", "score", "score"]), path)
    with pytest.raises(FileError, match="2 columns 'score'"):
        read_table(path, "label", "score")


@pytest.mark.property
@hypothesis.given(
    rows=st.lists(st.tuples(LABEL | st.none(), st.integers(-(2**63), 2**63 - 1) | st.none()), min_size=1, max_size=20),
    coded=st.booleans(), group=st.integers(1, 9), compression=st.sampled_from(["none", "snappy", "zstd", "gzip"]),
)  # fmt: skip
@hypothesis.settings(suppress_health_check=[hypothesis.HealthCheck.function_scoped_fixture])
def test_what_arrow_writes_is_read(
    tmp_path: Path, rows: list[tuple[Any, Any]], coded: bool, group: int, compression: str
) -> None:
    pa, parquet = arrow()
    labels, scores = (
        pa.array(column, kind) for column, kind in zip(zip(*rows, strict=True), ("string", "int64"), strict=True)
    )
    table = pa.table(
        {"a": [{"label": 1}] * len(rows), "label": labels.dictionary_encode() if coded else labels, "score": scores}
    )
    parquet.write_table(table, tmp_path / "t.parquet", row_group_size=group, compression=compression)
    whole = [(label.strip(), score) for label, score in rows if label is not None and score is not None]
    if not whole:
        with pytest.raises(FileError):
            read_table(tmp_path / "t.parquet", "label", "score", "drop")
        return
    found = read_table(tmp_path / "t.parquet", "label", "score", "drop")
    assert columns(found) == ([label for label, _ in whole], [score for _, score in whole])
    assert found.dropped == len(rows) - len(whole)


def test_a_small_parquet_of_many_rows_is_refused(tmp_path: Path) -> None:
    pa, parquet = arrow()
    path = tmp_path / "t.parquet"
    constant = np.zeros(20_000_000, np.int8)
    parquet.write_table(pa.table({"label": constant, "score": constant}), path)
    with pytest.raises(FileError, match="tells of 20000000 rows"):
        read_table(path, "label", "score")
    long = pa.DictionaryArray.from_arrays(np.arange(1000, dtype=np.int32) % 2, ["x" * 100_000, "y"])
    parquet.write_table(pa.table({"label": long, "score": np.arange(1000)}), path)
    assert {len(text) for text in read_table(path, "label", "score").classes or ()} == {100_000, 1}


@pytest.mark.parametrize(
    "options",
    [
        {}, {"compression": "none"}, {"compression": "gzip", "row_group_size": 100}, {"use_dictionary": False},
        {"data_page_version": "2.0"}, {"data_page_size": 64}, {"write_statistics": False}, {"write_page_index": True},
        {"write_page_checksum": True}, {"version": "1.0"}, {"store_schema": False}, {"use_byte_stream_split": ["score"], "use_dictionary": ["label"]},
        {"column_encoding": {"score": "PLAIN", "label": "DELTA_BYTE_ARRAY"}, "use_dictionary": False},
    ],
    ids=str,
)  # fmt: skip
def test_pages_of_every_kind_are_followed(tmp_path: Path, options: dict[str, Any]) -> None:
    pa, parquet = arrow()
    path = tmp_path / "t.parquet"
    rng = np.random.default_rng(0)
    texts = [("ill" if i % 3 else "well") + "x" * (5000 if i == 700 else 0) for i in range(1000)]
    scores = rng.random(1000)
    other = pa.array([{"label": ["a"] * (i % 4), "score": {"k": i}} for i in range(1000)])
    parquet.write_table(pa.table({"other": other, "label": texts, "score": scores}), path, **options)
    table = read_table(path, "label", "score")
    assert columns(table) == (texts, scores.tolist())
    metadata = parquet.ParquetFile(path).metadata
    with open(path, "rb") as file:
        for name in ("label", "score"):
            chunks = [
                metadata.row_group(i).column(k)
                for i in range(metadata.num_row_groups)
                for k in range(metadata.num_columns)
                if metadata.row_group(i).column(k).path_in_schema == name
            ]
            largest = largest_page(file, path.stat().st_size, [name])
            assert 0 < largest <= max(chunk.total_uncompressed_size for chunk in chunks)
        assert largest_page(file, path.stat().st_size, ["nowhere"]) == 0


def one_page(claim: bytes, packed: bytes = b"\x04", chunks: int = 1, values: bytes = b"\x04") -> bytes:
    """A column "label" of one page of two values and two bytes, whose header claims to unpack to `claim`, in zigzag."""
    page = b"\x15\0\x15" + claim + b"\x15" + packed + b"\x2c\x15\x04\0\0" + b"xy"
    chunk = b"\x3c\x39\x18\x05label\x26" + values + b"\x26" + bytes([2 * len(page)]) + b"\x26\x08\0\0"
    footer = b"\x49\x1c\x19\xfc" + bytes([chunks]) + chunks * chunk + b"\0\0"
    return b"PAR1" + page + footer + len(footer).to_bytes(4, "little") + b"PAR1"


@pytest.mark.boundary
def test_a_page_that_claims_too_much_is_refused_before_there_is_room_for_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    huge = one_page(b"\xfe\xff\xff\xff\xff\x0f")
    assert largest_page(io.BytesIO(huge), len(huge), ["label"]) == 2**38 - 1
    path = tmp_path / "t.parquet"
    path.write_bytes(huge)
    with pytest.raises(FileError, match=f"has a page that says it unpacks to {2**38 - 1} bytes; at most 2 times its"):
        read_table(path, "label", "score")
    pa, parquet = arrow()
    parquet.write_table(pa.table({"label": np.zeros(9999), "score": np.zeros(9999)}), path, use_dictionary=False)
    assert len(read_table(path, "label", "score", "drop").scores) == 9999
    monkeypatch.setattr(tables, "EXPANSION_FREE", 1 << 10)
    with pytest.raises(FileError, match=r"unpacks to (79|80)[0-9]{3} bytes; at most 2 times"):
        read_table(path, "label", "score")


@pytest.mark.boundary
@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "too short"),
        (b"PAR1" + bytes(20), "no end of a Parquet file"),
        (b"PAR1" + b"\xff\xff\xff\x7fPAR1", "no end of a Parquet file"),
        (b"PAR1" + b"\x19" + b"\x01\0\0\0PAR1", "ends within its metadata"),
        (b"PAR1" + b"\x2c" * 60 + b"\x3c\0\0\0PAR1", "nested more than 32 deep"),
        (b"PAR1" + b"\x15" + b"\xff" * 12 + b"\x0d\0\0\0PAR1", "more than 64 bits"),
        (b"PAR1" + b"\x1f\0" + b"\x02\0\0\0PAR1", "metadata are damaged"),
        # one group of one column "label", which begins at 4 and has 99 bytes
        (b"PAR1\x49\x1c\x19\x1c\x3c\x39\x18\x05label\x46\xc6\x01\x26\x08\0\0\0\0" + b"\x16\0\0\0PAR1", "lies outside"),
        (one_page(b"\x03"), "reaches beyond its column"),
        (one_page(b"\x04", b"\xe0\x0c"), "reaches beyond its column"),
        (one_page(b"\x04", values=b"\xfe\xff\x03"), "metadata|beyond its column|before its values"),
    ],
)  # fmt: skip
def test_metadata_that_cannot_be_followed(data: bytes, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        largest_page(io.BytesIO(data), len(data), ["label"])


@pytest.mark.boundary
def test_columns_that_share_their_bytes_are_not_walked_again_and_again(monkeypatch: pytest.MonkeyPatch) -> None:
    walked = []
    real = parquet_pages._page
    monkeypatch.setattr(parquet_pages, "_page", lambda *rest: walked.append(1) or real(*rest))

    def zigzag(value: int) -> bytes:
        value, out = 2 * value, b""
        while value >= 128:
            value, out = value >> 7, out + bytes([value & 127 | 128])
        return out + bytes([value])

    for pages, count in ((4000, 400), (9, 9000)):
        page = b"\x15\0\x15\0\x15\0\0"
        chunk = b"\x3c\x39\x18\x05label\x26" + zigzag(9**9) + b"\x26" + zigzag(len(page) * pages) + b"\x26\x08\0\0"
        footer = (
            b"\x49\x1c\x19\xfc" + zigzag(count)[:0] + bytes([count & 127 | 128, count >> 7 & 127 | 128, count >> 14])
        )
        footer += chunk * count + b"\0\0"
        data = b"PAR1" + page * pages + footer + len(footer).to_bytes(4, "little") + b"PAR1"
        walked.clear()
        with pytest.raises(ValueError, match=r"share their bytes|before its values|metadata"):
            largest_page(io.BytesIO(data), len(data), ["label"])
        assert 0 < len(walked) < len(data) / 4


def test_what_old_writers_left_uncounted_and_what_follows_the_last_page(tmp_path: Path) -> None:
    pa, parquet = arrow()
    path = tmp_path / "t.parquet"
    parquet.write_table(pa.table({"label": ["a", "b"] * 50, "score": np.arange(100.0)}), path)
    with open(path, "rb") as file:
        whole = largest_page(file, path.stat().st_size, ["label"])
        for change in (-14, -1, 0, 30):  # of the length that the metadata tell
            real = parquet_pages._chunks

            def changed(footer: bytes, change: int = change, real: Any = real) -> Iterator[Any]:
                return (chunk._replace(length=chunk.length + change) for chunk in real(footer))

            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(parquet_pages, "_chunks", changed)
                assert largest_page(file, path.stat().st_size, ["label"]) == whole


def test_encrypted_parquet_is_called_that(tmp_path: Path) -> None:
    arrow()
    path = tmp_path / "t.parquet"
    for data in (b"PAR1" + bytes(20) + b"\4\0\0\0PARE", b"PAR1\x8c\0\0" + b"\x03\0\0\0PAR1"):
        path.write_bytes(data)
        with pytest.raises(FileError, match="is encrypted: decrypt it first"):
            read_table(path, "label", "score")


MUTATIONS = """
import random, sys, warnings
import numpy as np
import pixelgauge
from pixelgauge.files.tables import read_table
path, draw = sys.argv[1], random.Random(5)
data = open(path, "rb").read()
for _ in range(400):
    changed = bytearray(data)
    for _ in range(draw.choice([1, 2, 8])):
        changed[draw.randrange(len(data))] = draw.choice([0, 1, 127, 128, 255, draw.randrange(256)])
    with open(path, "wb") as file:
        file.write(changed)
    try:
        table = read_table(path, "label", "score", "drop")
        assert len(table.labels) == len(table.scores)
    except pixelgauge.FileError as error:
        assert len(str(error)) <= 2000
"""


@pytest.mark.property
@pytest.mark.parametrize("kind", ["text", "numbers"])
def test_damaged_parquet_is_refused_and_ends_nothing(tmp_path: Path, kind: str) -> None:
    pa, parquet = arrow()
    labels = pa.array(["ill", "well", None] * 40) if kind == "text" else pa.array([0, 1, 1] * 40)
    parquet.write_table(pa.table({"label": labels, "score": np.arange(120) / 7}), tmp_path / "t.parquet")
    run = subprocess.run(
        [sys.executable, "-c", MUTATIONS, str(tmp_path / "t.parquet")], capture_output=True, text=True, check=False
    )
    assert (run.returncode, run.stderr) == (0, "")


@pytest.mark.boundary
def test_only_regular_files(tmp_path: Path) -> None:
    import os

    if not hasattr(os, "mkfifo"):
        pytest.skip("no pipes with names here")
    for name in ("t.csv", "t.jsonl", "t.npy", "t.npz", "t.parquet"):
        os.mkfifo(tmp_path / name)
        with pytest.raises(FileError, match="is a pipe"):
            read_table(tmp_path / name, "label", "score")
    (tmp_path / "folder.csv").mkdir()
    with pytest.raises(IsADirectoryError):
        read_table(tmp_path / "folder.csv", "label", "score")
    with pytest.raises(FileError, match="unknown extension"):
        read_table(tmp_path / "t.txt", "label", "score")
