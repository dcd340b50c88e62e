"""The table of rows: its rows as data that fit into so many bytes, and the markup that a script fills."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, get_args

from pixelgauge.engine.row_columns import names_within
from pixelgauge.engine.rows import Status
from pixelgauge.files.reading import shown
from pixelgauge.markup import Markup, element
from pixelgauge.metric import Metric
from pixelgauge.report.document import json_text
from pixelgauge.report.selection import Kept, TableRows
from pixelgauge.report.written import counted, in_line

MOST_CHARACTERS = 5_000_000
_STATUSES: tuple[str, ...] = get_args(Status)
_LENGTHS = (10_000, 1_000, 240, 80)
"""Characters of a name or message, until all rows fit."""


@dataclass(frozen=True)
class TableData:
    """Data of a table, and what is to be said of it."""

    json: Markup
    note: str


def table_data(
    table: TableRows, metrics: Mapping[str, Metric[Any]], roots: tuple[str, str], pictures: Mapping[int, str]
) -> TableData:
    """Rows as JSON.

    Parameters
    ----------
    table : TableRows
    metrics : mapping of str to Metric
    roots : (str, str)
        Folders that the rows' paths begin with.
    pictures : mapping of int to str
        Ids of the elements that hold a row's pictures, by its place in the run.
    """
    for most in _LENGTHS:
        line_of = partial(_line, metrics=list(metrics), roots=roots, pictures=pictures, most=most)
        lines, is_whole = _within(table.rows, line_of)
        if is_whole:
            break
    longest = max((len(text) for kept in table.rows for text in _texts(kept)), default=0)
    head = {
        "metrics": [{"name": metric.label, "digits": metric.digits} for metric in metrics.values()],
        "statuses": _STATUSES,
    }
    text = Markup('{}"rows":[{}]}}').format(Markup(json_text(head)[:-1] + ","), Markup(",".join(lines)))
    return TableData(text, _note(table, len(lines), most if longest > most else 0))


def _texts(kept: Kept) -> list[str]:
    return [kept.row.ref or "", kept.row.test or "", kept.row.message, *kept.problems]


def _line(kept: Kept, metrics: list[str], roots: tuple[str, str], pictures: Mapping[int, str], most: int) -> str:
    row = kept.row
    first, second = in_line(names_within((row.ref, row.test), roots), most)
    before = kept.before
    return json_text(
        [
            kept.index,
            first,
            second,
            _STATUSES.index(row.status),
            shown(row.message, most),
            [shown(problem, most) for problem in kept.problems],
            [_number(row.values.get(name)) for name in metrics],
            None if before is None else [_number(before.get(name)) for name in metrics],
            pictures.get(kept.index),
        ]
    )


def _number(value: float | None) -> object:
    return value if value is None or math.isfinite(value) else repr(value)


def _within(rows: list[Kept], line_of: Callable[[Kept], str]) -> tuple[list[str], bool]:
    """Lines that fit, of notable rows first, in the order of the run; and whether they are all."""
    taken: dict[int, str] = {}
    room = MOST_CHARACTERS
    for at in sorted(range(len(rows)), key=lambda i: not rows[i].is_notable):
        line = line_of(rows[at])
        room -= len(line) + 1
        if room < 0:
            break
        taken[at] = line
    return [taken[at] for at in sorted(taken)], len(taken) == len(rows)


def _note(table: TableRows, shown: int, cut_to: int) -> str:
    cut_note = f" Names and messages are cut to {cut_to:,} characters." if cut_to else ""
    if shown == table.total:
        return f"All {counted(shown, 'row')} of the run.{cut_note}" if shown > 1 else cut_note
    notable = f"{counted(table.notable, 'row')} that failed or broke a gate"
    if shown < len(table.rows):
        return f"{shown:,} of {table.total:,} rows, as many as fit into this file, first of the {notable}.{cut_note}"
    if table.notable_shown < table.notable:
        whole = f"a random sample of {table.notable_shown:,} of the {notable}"
    else:
        whole = f"all {notable}" if table.notable else "no row failed or broke a gate"
    others = f"{shown - table.notable_shown:,} of the {table.total - table.notable:,} others"
    return f"{shown:,} of {table.total:,} rows: {whole}, and a random sample of {others}.{cut_note}"


def table_markup(metrics: Mapping[str, Metric[Any]]) -> Markup:
    """Filter, head and place of the table."""
    ranges = [
        element(
            "div",
            element("label", metric.label, for_=f"rows-low-{i}"),
            element(
                "div",
                _end(f"low-{i}", "from", f"{metric.label} from"),
                _end(f"high-{i}", "to", f"{metric.label} to"),
                class_="range",
            ),
        )
        for i, metric in enumerate(metrics.values())
    ]
    search = element("input", id="rows-text", name="text", type="search", autocomplete="off", spellcheck="false")
    options = element("option", "all", value="") + element("option", "failed or broke a gate", value="notable")
    form = element(
        "form",
        element("div", element("label", "Name, message", for_="rows-text"), search),
        element(
            "div",
            element("label", "Status", for_="rows-status"),
            element("select", options, id="rows-status", name="status"),
        ),
        element("details", element("summary", "Ranges of scores"), element("div", *ranges, class_="ranges")),
        element("div", element("button", "Clear", type="reset")),
        id="rows-filter",
        class_="rows-filter",
        role="search",
        aria_label="Filter of rows",
    )
    heads = [_head("index", "#", "place"), _head("name", "pair", "text"), _head("status", "status", "text")]
    heads += [_head(str(i), metric.label, "") for i, metric in enumerate(metrics.values())]
    grid = element(
        "table",
        element("thead", element("tr", *heads)),
        element("tbody", id="rows-body"),
        aria_label="Rows: arrows move, Enter shows all of a row",
    )
    return Markup("").join(
        [
            form,
            element("p", element("span", "", id="rows-count", role="status"), class_="muted"),
            element(
                "div",
                grid,
                id="rows-scroll",
                class_="rows-scroll",
                tabindex=0,
                role="region",
                aria_label="Table of rows",
            ),
            element("div", "", id="rows-detail", class_="detail", hidden=True, aria_live="polite"),
            Markup("<noscript><p>The table needs JavaScript.</p></noscript>"),
        ]
    )


def _end(name: str, placeholder: str, label: str) -> Markup:
    return element(
        "input", id=f"rows-{name}", name=name, type="number", step="any", placeholder=placeholder, aria_label=label
    )


def _head(by: str, title: str, kind: str) -> Markup:
    button = element("button", title, type="button", data_by=by)
    sort = "ascending" if by == "index" else "none"
    return element("th", button, scope="col", class_=kind or None, aria_sort=sort)
