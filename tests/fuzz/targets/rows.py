"""ScoreRow files that a run resumes: rows of the run's own pairs, each once, and the file it leaves is read as the same."""

from __future__ import annotations

import contextlib
import math
import os
from collections.abc import Callable
from typing import Any

from .. import readers
from ..mutations import blind, with_tokens
from ..target import Target, folder, placed

COMPARISON = readers.prepare(readers.CompareOptions(("ssim", "psnr")))
PAIRS = {(f"a/{i}.png", f"b/{i}.png") for i in range(4)} | {('a/",\n.png', "b/=1.png"), ("a/é.png", "b/\r.png")}


def _taken_up(path: str) -> list[Any]:
    file = readers.RowFile(path, COMPARISON, resume=PAIRS)
    file.close()
    return file.rows


def _reader(suffix: str) -> Callable[[bytes], Any]:
    def read(data: bytes) -> Any:
        path = placed(data, f"rows{suffix}")
        rows = _taken_up(path)
        with open(path, "rb") as file:
            return rows, file.read()

    return read


def _same(a: Any, b: Any) -> bool:
    return repr(a) == repr(b)  # NaN is NaN here


def _right(suffix: str) -> Callable[[Any, bytes], None]:
    def right(result: Any, data: bytes) -> None:
        rows, left = result
        keys = [(row.ref, row.test) for row in rows]
        assert set(keys) <= PAIRS
        assert len(set(keys)) == len(keys), "a pair is counted twice"
        for row in rows:
            assert row.status == "ok"
            assert set(row.values) == set(COMPARISON.metrics), "ok, without a value"
            assert not any(math.isnan(value) for value in row.values.values())
        path = placed(left, f"again{suffix}")
        again = _taken_up(path)
        assert repr(again) == repr(rows), "what it leaves is read as other rows"
        with open(path, "rb") as file:
            assert file.read() == left, "a second time changes it"
        missing = next(pair for pair in sorted(PAIRS) if pair not in keys) if len(keys) < len(PAIRS) else None
        if missing:
            file = readers.RowFile(path, COMPARISON, resume=PAIRS)
            file.append(readers.ScoreRow(*missing, "ok", "", {"ssim": 0.5, "psnr": math.inf}))
            file.close()
            assert len(_taken_up(path)) == len(rows) + 1, "a row that was added is lost"

    return right


_mutate = with_tokens(b",", b'"', b'""', b"\n", b"\r", b"\r\n", b"ok", b"missing", b"nan", b"inf", b"-inf", b"1_0", b" 1", b"", b"a/0.png",
                      b"a/1.png", b"b/0.png", b"b/1.png", b"null", b"true", b"{", b"}", b"[", b"]", b":", b"NaN", b"1e999", b"\0", b"\xff",
                      b"\xe2\x80\xa8", b"\x0c", b"1" * 400, b"1" * 5000, b"[" * 3000, b'"ok"')  # fmt: skip


def _read_store(suffix: str) -> Callable[[bytes], Any]:
    """Take up a file that is no text, and bring it into its last shape."""

    def read(data: bytes) -> Any:
        path = placed(data, f"rows{suffix}")
        for end in (".jsonl", "-wal", "-shm", "-journal"):
            with contextlib.suppress(FileNotFoundError):
                os.remove(path + end)
        with contextlib.closing(readers.RowFile(path, COMPARISON, resume=PAIRS)) as file:
            file.finish()
            return file.rows

    return read


def _right_store(suffix: str) -> Callable[[Any, bytes], None]:
    def right(rows: Any, data: bytes) -> None:
        keys = [(row.ref, row.test) for row in rows]
        assert set(keys) <= PAIRS
        assert len(set(keys)) == len(keys), "a pair is counted twice"
        assert all(row.status == "ok" and set(row.values) == set(COMPARISON.metrics) for row in rows)
        assert not any(math.isnan(value) for row in rows for value in row.values.values())
        path = f"{folder()}/rows{suffix}"  # as it was left
        assert repr(_taken_up(path)) == repr(rows), "what it leaves is read as other rows"
        missing = next((pair for pair in sorted(PAIRS) if pair not in keys), None)
        if missing:
            with contextlib.closing(readers.RowFile(path, COMPARISON, resume=PAIRS)) as file:
                file.append(readers.ScoreRow(*missing, "ok", "", {"ssim": 0.5, "psnr": math.inf}))
                file.finish()
            assert len(_taken_up(path)) == len(rows) + 1, "a row that was added is lost"

    return right


_mutate_store = with_tokens(b"CREATE TABLE rows", b"CREATE VIEW rows", b"ok", b"a/0.png", b"a/1.png", b"inf", b"\0", b"\xff", b"psnr", b"samples",
                            b"REAL", b"\x0d", b"\x05", b"\x02", b"\x0a")  # fmt: skip

TARGETS = [
    Target("rows-csv", _reader(".csv"), _right(".csv"), _mutate, readers.ROWS, _same),
    Target("rows-jsonl", _reader(".jsonl"), _right(".jsonl"), _mutate, readers.ROWS, _same),
    Target("rows-parquet", _read_store(".parquet"), _right_store(".parquet"), blind, readers.ROWS, _same),
    Target("rows-sqlite", _read_store(".sqlite"), _right_store(".sqlite"), _mutate_store, readers.DATABASE, _same),
]
