"""Tables of labels and scores (CSV, TSV, JSON Lines, Parquet, .npz): as many of one as of the other, and no NaN."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Callable, Sequence
from random import Random
from typing import Any

import numpy as np

import pixelgauge

from .. import readers
from ..mutations import below, blind, json_value, with_tokens
from ..target import Target, placed
from .arrays import npz_mutations


def _reader(suffix: str) -> Callable[[bytes], Any]:
    return lambda data: readers.read_table(placed(data, f"table{suffix}"))


def _same(a: Any, b: Any) -> bool:
    return all(x.dtype == y.dtype and x.tolist() == y.tolist() for x, y in zip(a, b, strict=True))


def _right(table: Any, data: bytes) -> None:
    labels, scores = table
    assert labels.ndim == scores.ndim == 1
    assert len(labels) == len(scores)
    if scores.dtype.kind not in "biufO":  # as a file of arrays may hold: the metrics refuse them
        return
    assert not any(isinstance(score, float) and math.isnan(score) for score in scores.tolist())
    if len(labels) and set(labels.tolist()) == {0, 1}:
        value = pixelgauge.roc_auc_score(labels, scores)
        assert 0 <= value <= 1, value
        assert abs(value - _pairs(labels.tolist(), scores.tolist())) < 1e-9


def _pairs(labels: list[Any], scores: list[Any]) -> float:
    """AUROC by its definition, over every pair, in Python's exact comparisons."""
    positive = [s for label, s in zip(labels, scores, strict=True) if label == 1]
    negative = [s for label, s in zip(labels, scores, strict=True) if label != 1]
    won = sum((p > n) + (p == n) / 2 for p in positive for n in negative)
    return float(won / (len(positive) * len(negative)))


def _right_csv(delimiter: str) -> Callable[[Any, bytes], None]:
    def right(table: Any, data: bytes) -> None:
        _right(table, data)
        text = data.decode("utf-8-sig")
        rows = [cells for cells in csv.reader(io.StringIO(text, newline=""), delimiter=delimiter) if cells]
        assert len(table[0]) == len(rows) - 1, "rows are lost"
        at = [cell.strip() for cell in rows[0]].index("score")
        for cells, score in zip(rows[1:], table[1].tolist(), strict=True):
            assert float(cells[at].strip()) == float(score), (cells, score)

    return right


def _right_jsonl(table: Any, data: bytes) -> None:
    _right(table, data)
    lines = [line for line in io.StringIO(data.decode("utf-8-sig"), newline=None) if line.strip()]
    assert len(lines) == len(table[0])
    for line, score in zip(lines, table[1].tolist(), strict=True):
        value = json.loads(line)["score"]
        assert float(value.strip() if isinstance(value, str) else value) == float(score)


def _json_lines(data: bytes, rng: Random, others: Sequence[bytes] = ()) -> bytes:
    lines = data.split(b"\n")
    at = below(rng, len(lines))
    if rng.random() < 0.6:
        try:
            lines[at] = json.dumps(json_value(json.loads(lines[at]), rng)).encode("utf-8", "surrogatepass")
        except (ValueError, RecursionError):
            return blind(data, rng, others)
        return b"\n".join(lines)
    return _json_blind(data, rng, others)


_CELLS = (b",", b"\t", b'"', b"\n", b"\r", b"\r\n", b"\0", b"label", b"score", b"nan", b"NA", b"null", b"inf", b"-inf", b"1e999", b"1_0",
          b"9007199254740993", b"18446744073709551616", b"1e-320", b"0x10", b" 1", b"1 ", b"\xef\xbb\xbf", b"\xff", b'""', b"True", b"1.0",
          b"\xc2\xa0", b"\xe2\x80\xa8", b"\x0c", b"\x1c", "١".encode(), b"1" * 400, b"=1+1")  # fmt: skip
_csv_blind = with_tokens(*_CELLS)
_json_blind = with_tokens(
    *_CELLS, b"{", b"}", b":", b"[", b"]", b"NaN", b"Infinity", b"true", b"\\u0000", b"[" * 3000, b"1" * 5000
)


def _right_parquet(table: Any, data: bytes) -> None:
    import pyarrow.parquet

    _right(table, data)
    with pyarrow.parquet.ParquetFile(io.BytesIO(data)) as file:
        assert file.metadata.num_rows == len(table[0])


def _right_numpy(table: Any, data: bytes) -> None:
    _right(table, data)
    assert np.asarray(table[1]).nbytes <= 16 * len(data) + 4096


TARGETS = [
    Target("csv", _reader(".csv"), _right_csv(","), _csv_blind, readers.TABLE, _same),
    Target("tsv", _reader(".tsv"), _right_csv("\t"), _csv_blind, readers.TABLE, _same),
    Target("jsonl", _reader(".jsonl"), _right_jsonl, _json_lines, readers.TABLE, _same),
    Target("table-npz", _reader(".npz"), _right_numpy, npz_mutations, readers.TABLE, _same),
    Target("parquet", _reader(".parquet"), _right_parquet, blind, readers.TABLE, _same),
]
