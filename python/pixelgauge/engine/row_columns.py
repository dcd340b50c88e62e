"""Columns of a file of rows, in every format, and how a record of them becomes a row again."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, get_args

from pixelgauge.engine.row_records import Records, plain_path, plain_text, score_of, whole_of
from pixelgauge.engine.rows import FileState, ScoreRow, Status

SCHEMA_VERSION = 2
"""Of rows and of the JSON object; ``schemas/`` holds what it says. Rows of 1 have no `samples`."""

HEAD = ("ref", "test", "status", "message")
STATES = ("ref_bytes", "test_bytes", "ref_mtime_ns", "test_mtime_ns")
NAMES = ("ref_name", "test_name")
PATHS = frozenset({"ref", "test", *NAMES})
WHOLE = frozenset({*STATES, "samples", "schema_version"})
TEXTS = frozenset({*HEAD, *NAMES, "settings"})

Paths = tuple[str | None, str | None]
_STATUSES = frozenset(get_args(Status))
_MOST_SAMPLES = 1 << 53


def row_columns(metrics: Sequence[str]) -> list[str]:
    """Columns that are written."""
    return known_columns(metrics)[0]


def known_columns(metrics: Sequence[str]) -> list[list[str]]:
    """Columns that are read: those of now, of schema version 1, of before there was one, and of version 0.1.0."""
    oldest = [*HEAD, *metrics, "settings"]
    before = [*oldest, *NAMES, *STATES]
    return [[*before, "samples", "schema_version"], [*before, "schema_version"], before, oldest]


def metrics_among(columns: Sequence[str]) -> list[str] | None:
    """Metrics that a file with these columns has scores of, None if they are of no file of rows."""
    if "settings" not in columns:
        return None
    metrics = list(columns[len(HEAD) : columns.index("settings")])
    return metrics if metrics and list(columns) in known_columns(metrics) else None


def names_within(paths: Paths, roots: tuple[str, str]) -> Paths:
    """Paths within their folders, where they begin with them."""
    ref, test = (
        path.removeprefix(os.path.join(root, "")) if path is not None and root else path
        for path, root in zip(paths, roots, strict=True)
    )
    return ref, test


class Record(NamedTuple):
    """What a record says."""

    row: ScoreRow
    names: Paths
    """Paths within their folders."""
    settings: str


def parsed(
    records: Records,
    line: int,
    record: dict[str, Any],
    metrics: Sequence[str],
    check: Callable[[str], None] = lambda settings: None,
    within: Callable[[Paths], Paths] = lambda paths: paths,
) -> Record:
    """Read a record.

    Parameters
    ----------
    records : Records
        Where it is from.
    line : int
    record : dict
    metrics : sequence of str
    check : callable, optional
        Given how the row was made: raises where that is wrong, which is said before anything else is.
    within : callable, optional
        Paths within their folders, of a record that does not say them.

    Raises
    ------
    FileError
        If it is no row: the message names the line.
    """
    is_text = records.is_text
    settings = record["settings"]
    if not isinstance(settings, str):
        raise records.wrong(line, "has settings that are no text")
    check(settings)
    ref, test = record["ref"], record["test"]
    names = record.get("ref_name"), record.get("test_name")
    if is_text:
        ref, test = plain_path(ref or None), plain_path(test or None)
        names = plain_path(names[0] or None), plain_path(names[1] or None)
        record = {**record, "message": plain_text(record["message"])}
    elif not all(path is None or isinstance(path, str) for path in (ref, test, *names)):
        raise records.wrong(line, "has a path that is no text")
    if "ref_name" not in record:
        names = within((ref, test))
    status, message = record["status"], record["message"]
    if not isinstance(status, str) or status not in _STATUSES or not isinstance(message, str):
        raise records.wrong(line, f"has the status {status!r}, which no row has")
    values: dict[str, float] = {}
    whole: dict[str, int | None] = {}
    what = ""
    try:
        for what in metrics:
            if (value := score_of(record[what], is_text=is_text)) is not None:
                values[what] = value
        for what in (*STATES, "samples", "schema_version"):
            whole[what] = whole_of(record.get(what), is_text=is_text)
    except ValueError as error:
        raise records.wrong(line, f"has, as {what}, {error}") from error
    version = SCHEMA_VERSION if "samples" in record else 1
    if "schema_version" in record and whole["schema_version"] != version:
        found = whole["schema_version"]
        raise records.wrong(line, f"has schema_version {found}, and this program reads {version} of these columns")
    samples = whole["samples"]
    if samples is not None and not 0 < samples < _MOST_SAMPLES:
        raise records.wrong(line, f"has, as samples, {samples}, which no pair has")
    states = _state(whole, "ref"), _state(whole, "test")
    row = ScoreRow(ref, test, status, message, values, states, samples or 0)  # type: ignore[arg-type]
    if row.status == "ok" and (ref is None or test is None):
        raise records.wrong(line, "is ok and names no pair")
    if row.status == "ok" and len(values) < len(metrics):
        lacking = next(name for name in metrics if name not in values)
        raise records.wrong(line, f"is ok and has no value of {lacking}")
    return Record(row, names, settings)


def _state(whole: dict[str, int | None], side: str) -> FileState | None:
    size, time = whole[f"{side}_bytes"], whole[f"{side}_mtime_ns"]
    return None if size is None or time is None else FileState(size, time)
