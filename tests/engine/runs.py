"""Comparisons that are ready, of options in one call; rows of files that are not text."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pyarrow.parquet as parquet

from pixelgauge.engine.comparison import CompareOptions, Comparison, prepare


def comparing(metrics: tuple[str, ...] = ("psnr", "ssim"), **options: Any) -> Comparison:
    """What scores pairs by these metrics and options."""
    return prepare(CompareOptions(metrics, **options))


def typed_records(path: str | Path) -> list[dict[str, Any]]:
    """Rows of a Parquet file, or of an SQLite database, as other programs read them; paths as text."""
    if str(path).endswith(".parquet"):
        found = parquet.read_table(path).to_pylist()
    else:
        with closing(sqlite3.connect(path)) as database:
            database.row_factory = sqlite3.Row
            found = [dict(row) for row in database.execute("SELECT * FROM rows")]
    return [{key: os.fsdecode(v) if isinstance(v, bytes) else v for key, v in row.items()} for row in found]
