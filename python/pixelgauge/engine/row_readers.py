"""Rows of a file that some run made, whatever its metrics were, in any of the formats."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Sequence

from pixelgauge.engine.row_columns import known_columns, metrics_among
from pixelgauge.engine.row_database import DatabaseRecords, opened_for_reading, table_columns
from pixelgauge.engine.row_files import FORMATS, FORMATS_TEXT
from pixelgauge.engine.row_parquet import ParquetRecords, opened_parquet
from pixelgauge.engine.row_records import MOST_RECORD, LineRecords, Records
from pixelgauge.files.reading import FileError, open_regular, parse_json

_FOREIGN = "is not a file of pixelgauge compare"


@contextlib.contextmanager
def stored_rows(path: str) -> Iterator[tuple[Records, list[str]]]:
    """Open a file of rows: its records, and the metrics that it has scores of.

    Raises
    ------
    FileError
        If it is no such file.
    OSError
        If it cannot be opened.
    """
    extension = os.path.splitext(path)[1].lower()
    if extension not in FORMATS:
        raise FileError(path, "has an unknown extension", f"give a file that ends in {FORMATS_TEXT}")
    with open_regular(path) as file:
        if extension in (".csv", ".jsonl"):
            jsonl = extension == ".jsonl"
            first = file.readline(MOST_RECORD)
            columns = _keys(first, path) if jsonl else first.decode("utf-8", "replace").rstrip("\r\n").split(",")
            metrics = _metrics(columns, path)
            yield LineRecords(file, path, jsonl, known_columns(metrics), "", _FOREIGN), metrics
        elif extension == ".sqlite":
            with opened_for_reading(path) as database:
                metrics = _metrics(table_columns(database, path, _FOREIGN) or [], path)
                yield DatabaseRecords(database, path, known_columns(metrics), _FOREIGN), metrics
        else:
            with opened_parquet(path, _FOREIGN) as opened:
                metrics = _metrics(opened.schema_arrow.names, path)
            yield ParquetRecords(path, known_columns(metrics), _FOREIGN), metrics


def _keys(line: bytes, path: str) -> list[str]:
    record = parse_json(line, path, f"{_FOREIGN}: line 1 is not JSON")
    return list(record) if isinstance(record, dict) else []


def _metrics(columns: Sequence[str], path: str) -> list[str]:
    metrics = metrics_among(columns)
    if metrics is None:
        raise FileError(path, _FOREIGN, "name a file that compare --output wrote")
    return metrics
