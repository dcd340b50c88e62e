"""Files of kept features and unfinished ones: finite float32 of the widths that they say, and the same after a round trip."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from random import Random
from typing import Any

import numpy as np

from .. import readers
from ..mutations import below, blind, json_value
from ..target import Target, folder, placed
from .arrays import npz_mutations

ABOUT = readers.About({"2048": 2}, {"preset": "pytorch-fid", "weights_sha256": "0" * 64})
NAMES = [f"{i}.png" for i in range(6)]
STATES = [readers.FileState(10 + i, 1000 + i) for i in range(6)]
ROWS = np.arange(12, dtype=np.float32).reshape(6, 2)
JOURNAL = "run.npz.partial"


def _reader(name: str) -> Callable[[bytes], Any]:
    def read(data: bytes) -> Any:
        kept = readers.FeatureSet.load(placed(data, name))
        return kept.features.copy(), kept.names, kept.fingerprint, kept.outputs  # the file will be another

    return read


def _same(a: Any, b: Any) -> bool:
    return a[0].tobytes() == b[0].tobytes() and repr(a[1:]) == repr(b[1:])


def _right(kept: Any, data: bytes) -> None:
    features, names, made, outputs = kept
    assert features.dtype.kind == "f"
    assert features.ndim == 2
    assert features.size > 0
    assert np.isfinite(features).all()
    assert features.shape[1] == sum(outputs.values())
    assert features.nbytes <= 10 * len(data) + (64 << 20)
    assert names is None or len(names) == len(features)
    if features.dtype != np.float32:
        return
    path = f"{folder()}/again.npz"
    readers.FeatureSet(features, names, made, outputs).save(path)
    again = readers.FeatureSet.load(path)
    assert _same(kept, (again.features, again.names, again.fingerprint, again.outputs)), "a round trip changes it"


def _take_up(data: bytes) -> Any:
    path = placed(data, JOURNAL).removesuffix(".partial")
    with readers.Journal(path, ABOUT, resume=True, overwrite=False) as journal:
        count = journal.keep(NAMES, STATES)
        rows = np.concatenate([ROWS[:0], *journal.blocks()])
        overwrites = journal.overwrites
    return count, rows, overwrites, Path(path + ".partial").read_bytes()


def _right_rows(found: Any, data: bytes) -> None:
    count, rows, overwrites, left = found
    assert len(rows) == count <= len(NAMES)
    again = _take_up(left)
    assert repr(again) == repr(found), "what it leaves is read as other rows"
    with readers.Journal(
        placed(left, JOURNAL).removesuffix(".partial"), ABOUT, resume=True, overwrite=False
    ) as journal:
        journal.append(NAMES[count:], STATES[count:], ROWS[count:])
        assert journal.overwrites == overwrites
    all_rows = _take_up(Path(folder(), JOURNAL).read_bytes())[1]
    assert np.array_equal(all_rows[:count], rows, equal_nan=True), "rows that were there are lost"
    assert np.array_equal(all_rows[count:], ROWS[count:]), "rows that were added are lost"


def _lines(data: bytes, rng: Random, others: Sequence[bytes] = ()) -> bytes:
    """Another value of a line of JSON, or blind changes."""
    lines = data.split(b"\n")
    at = below(rng, len(lines))
    start = lines[at].find(b"{")
    if start >= 0 and rng.random() < 0.6:
        try:
            text = json.dumps(json_value(json.loads(lines[at][start:]), rng))
            lines[at] = lines[at][:start] + text.encode("utf-8", "surrogatepass")
            return b"\n".join(lines)
        except (ValueError, RecursionError):
            pass
    return blind(data, rng, others)


TARGETS = [
    Target("features", _reader("x.npz"), _right, npz_mutations, readers.FEATURES, _same),
    Target("features-parquet", _reader("x.parquet"), _right, blind, readers.FEATURES, _same),
    Target("features-run", _take_up, _right_rows, _lines, readers.FEATURES, lambda a, b: repr(a) == repr(b)),
]
