"""States of summaries, which travel between processes: what is restored is sound, and the same after a round trip."""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from random import Random
from typing import Any

import numpy as np

from pixelgauge.files.archive import read_arrays, write_arrays

from .. import formats, readers
from ..mutations import json_text
from ..target import Target


def _same(a: Any, b: Any) -> bool:
    return bool(repr(_said(a)) == repr(_said(b)))


def _said(summary: Any) -> Any:
    return summary.compute(), dict(summary.statuses), summary.pooled_psnr


def _right(summary: Any, data: bytes) -> None:
    again = readers.Summary.from_bytes(summary.to_bytes())
    assert _same(again, summary), "a round trip changes it"
    assert again.to_bytes() == summary.to_bytes()
    assert 0 <= summary.failed <= summary.count
    for name, found in summary.compute().items():
        assert found.infinite <= found.count <= summary.count
        assert all(math.isfinite(value) for value, _ in found.worst)
        assert summary.finite(name).size == found.count - found.infinite
    pooled = summary.pooled_psnr
    assert pooled is None or not math.isnan(pooled)
    again.merge(summary)
    assert again.count == 2 * summary.count
    again.update(readers.ScoreRow("new", "new", "ok", "", {}))
    assert again.count == 2 * summary.count + 1


def _mutate(data: bytes, rng: Random, others: Sequence[bytes] = ()) -> bytes:
    """Change the facts as JSON, or the archive."""
    if rng.random() < 0.6:
        try:
            arrays = read_arrays(io.BytesIO(data), "data")
            arrays["facts"] = np.frombuffer(json_text(bytes(arrays["facts"]), rng), np.uint8)
            buffer = io.BytesIO()
            write_arrays(buffer, arrays)
            return buffer.getvalue()
        except Exception:  # it is no state any more
            pass
    return formats.zip_mutations(lambda name, held, state, more: formats.npy(held, state))(data, rng, others)


TARGETS = [Target("summary", readers.Summary.from_bytes, _right, _mutate, readers.SUMMARY, _same)]
