"""A report in the form of JUnit, as CI servers read it: a test case a pair, and one a gate.

Test cases are written as rows come, to a file that appears under its name once it is whole. What XML cannot hold of a
name or message, such as control characters, is escaped as in a terminal.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Iterator, Sequence
from typing import BinaryIO
from xml.sax.saxutils import escape, quoteattr

from pixelgauge.engine.gates import Verdict
from pixelgauge.engine.rows import ScoreRow
from pixelgauge.files.reading import cut, printable
from pixelgauge.files.writing import replacing, require_replaceable

_HEAD = '<?xml version="1.0" encoding="UTF-8"?>\n'
_COUNTS = 'tests="{}" failures="{}" errors="0" skipped="{}"'
_ROOM = len(_COUNTS.format(*[2**40] * 3))


def require_junit_writable(path: str, inputs: Iterable[str]) -> None:
    """Raise unless a report can be put there: where nothing is, or in the place of another such, or of an empty file.

    Raises
    ------
    FileError
        If there is a file of another kind.
    OSError
        If it cannot be written, or is an input.
    """
    require_replaceable(path, b"<testsuite", "JUnit report", inputs)


@contextlib.contextmanager
def junit_report(path: str, settings: str) -> Iterator[JUnitReport]:
    """Open a report; an error leaves what was there."""
    with replacing(path) as file:
        yield JUnitReport(file, settings)


class JUnitReport:
    """A report that is being written; from :func:`junit_report`.

    Parameters
    ----------
    file : binary file
        That can be sought in.
    settings : str
        How the scores are made.
    """

    def __init__(self, file: BinaryIO, settings: str) -> None:
        self._file = file
        self._counts_at: list[int] = []
        self._counts = [0, 0, 0]
        self._open("testsuites", "pixelgauge compare")
        self._open("testsuite", "pairs")
        self._write(f'<properties><property name="settings" value={_attribute(settings)}/></properties>\n')

    def add(self, name: str, row: ScoreRow, problems: Sequence[str]) -> None:
        """Write the test case of a pair: failed where it broke gates, skipped where it was not scored."""
        self._counts[0] += 1
        if problems:
            self._counts[1] += 1
            self._case("pairs", name, _element("failure", "; ".join(problems)))
        elif row.status != "ok":
            self._counts[2] += 1
            self._case("pairs", name, _element("skipped", f"{row.status}: {row.message}"))
        else:
            self._case("pairs", name, "")

    def finish(self, verdicts: Sequence[Verdict]) -> None:
        """Write the test cases of the gates, and all counts."""
        of_pairs = self._counts
        self._write("</testsuite>\n")
        self._open("testsuite", "gates")
        of_gates = [len(verdicts), 0, 0]
        for verdict in verdicts:
            kind = {True: "", False: "failure", None: "skipped"}[verdict.passed]
            of_gates[1] += verdict.passed is False
            of_gates[2] += verdict.passed is None
            self._case("gates", verdict.gate, _element(kind, verdict.reason) if kind else "")
        self._write("</testsuite>\n</testsuites>\n")
        totals = [a + b for a, b in zip(of_pairs, of_gates, strict=True)]
        for at, counts in zip(self._counts_at, (totals, of_pairs, of_gates), strict=True):
            self._file.seek(at)
            self._write(_COUNTS.format(*counts))
        self._file.seek(0, os.SEEK_END)

    def _open(self, element: str, name: str) -> None:
        """Begin an element whose counts are filled in at the end."""
        self._write(f"{_HEAD if element == 'testsuites' else ''}<{element} name={_attribute(name)} ")
        self._counts_at.append(self._file.tell())
        self._write(f"{' ' * _ROOM}>\n")

    def _case(self, suite: str, name: str, inside: str) -> None:
        named = f"classname={_attribute(f'pixelgauge.{suite}')} name={_attribute(name)}"
        self._write(f"<testcase {named}>{inside}</testcase>\n" if inside else f"<testcase {named}/>\n")

    def _write(self, text: str) -> None:
        self._file.write(text.encode())


def _attribute(text: str) -> str:
    return quoteattr(printable(text))


def _element(kind: str, message: str) -> str:
    """Element that says what happened twice: some servers show its attribute, others its text."""
    text = cut(printable(message))
    return f"<{kind} message={_attribute(text)}>{escape(text)}</{kind}>"
