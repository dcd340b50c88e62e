"""JUnit reports parse, whatever names and messages hold, and their counts are those of their test cases."""

from __future__ import annotations

import os
import xml.etree.ElementTree as ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pixelgauge.engine.gates import Verdict
from pixelgauge.engine.junit import junit_report, require_junit_writable
from pixelgauge.engine.rows import ScoreRow
from pixelgauge.files.reading import FileError, printable
from pixelgauge.files.writing import PREFIX

# Attributes and children of the schema that the JUnit plugin of Jenkins publishes, which GitLab's page on unit test
# reports and the readers of GitHub's marketplace name as what they read: rules of our own from it, not its text.
ATTRIBUTES = {
    "testsuites": {"name", "tests", "failures", "errors", "skipped", "time", "disabled"},
    "testsuite": {"name", "tests", "failures", "errors", "skipped", "time", "timestamp", "hostname", "id", "package"},
    "properties": set(),
    "property": {"name", "value"},
    "testcase": {"name", "classname", "time", "file", "status", "assertions"},
    "failure": {"message", "type"},
    "skipped": {"message", "type"},
}
CHILDREN = {
    "testsuites": {"testsuite"},
    "testsuite": {"properties", "testcase"},
    "properties": {"property"},
    "testcase": {"failure", "skipped"},
}
NEEDED = {"testsuite": {"name"}, "testcase": {"name", "classname"}, "property": {"name"}}


def verdict(gate, passed, reason=""):
    return Verdict(gate, "ssim", "mean", 0.5, passed, 3, 0, 0.25, reason)


def checked(path):
    """Read a report that keeps to the rules; the cases of each suite."""
    root = ElementTree.parse(path).getroot()
    assert root.tag == "testsuites"
    for element in root.iter():
        assert set(element.attrib) <= ATTRIBUTES[element.tag]
        assert NEEDED.get(element.tag, set()) <= set(element.attrib)
        assert {child.tag for child in element} <= CHILDREN.get(element.tag, set())
    for suite in (root, *root):
        cases = list(suite.iter("testcase"))
        counts = {"tests": len(cases), "errors": 0}
        counts |= {"failures": len(list(suite.iter("failure"))), "skipped": len(list(suite.iter("skipped")))}
        assert {name: int(suite.attrib[name]) for name in counts} == counts
    assert all(len(case) <= 1 for case in root.iter("testcase"))
    return {suite.attrib["name"]: list(suite) for suite in root}


def test_a_case_a_pair_and_one_a_gate(tmp_path):
    path = tmp_path / "out.xml"
    with junit_report(path, "pixelgauge ssim=wang2004") as report:
        report.add("a.png", ScoreRow("r", "t", "ok", ""), [])
        report.add("b.png", ScoreRow("r", "t", "ok", ""), ["ssim 0.1 is under 0.5", "psnr 3 is under 5"])
        report.add("c.png", ScoreRow("r", None, "missing", "no partner"), [])
        report.finish(
            [verdict("--fail-under ssim=0.5", True), verdict("x", False, "low"), verdict("y", None, "stopped")]
        )
        assert not path.exists()
    suites = checked(path)
    properties, *pairs = suites["pairs"]
    assert properties[0].attrib == {"name": "settings", "value": "pixelgauge ssim=wang2004"}
    assert [case.attrib["name"] for case in pairs] == ["a.png", "b.png", "c.png"]
    assert [[child.tag for child in case] for case in pairs] == [[], ["failure"], ["skipped"]]
    assert pairs[1][0].attrib["message"] == pairs[1][0].text == "ssim 0.1 is under 0.5; psnr 3 is under 5"
    assert pairs[2][0].text == "missing: no partner"
    assert [[child.tag for child in case] for case in suites["gates"]] == [[], ["failure"], ["skipped"]]


@pytest.mark.property
@given(st.lists(st.tuples(st.text() | st.binary().map(os.fsdecode), st.text() | st.sampled_from(["]]>", "<![CDATA[", "&#0;", '"\'<>&\x00\x1b\ud800\ufffe\u2028']))))  # fmt: skip
def test_any_name_is_escaped(tmp_path_factory, cases):
    path = tmp_path_factory.mktemp("junit") / "out.xml"
    with junit_report(path, "<settings>") as report:
        for name, message in cases:
            report.add(name, ScoreRow("r", "t", "ok", ""), [message])
        report.finish([verdict(name, False, message) for name, message in cases])
    suites = checked(path)
    for found in (suites["pairs"][1:], suites["gates"]):
        assert [case.attrib["name"] for case in found] == [printable(name) for name, _ in cases]
        assert [case[0].attrib["message"] for case in found] == [printable(message) for _, message in cases]


@pytest.mark.boundary
def test_an_error_leaves_what_was_there(tmp_path):
    path = tmp_path / "out.xml"
    path.write_text("<testsuites/>")

    def interrupted():
        with junit_report(path, "") as report:
            report.add("a", ScoreRow("r", "t", "ok", ""), [])
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert path.read_text() == "<testsuites/>"
    assert not [entry for entry in os.listdir(tmp_path) if entry.startswith(PREFIX)]


@pytest.mark.boundary
def test_only_a_report_is_replaced(tmp_path):
    path = tmp_path / "out.xml"
    require_junit_writable(path, [])
    for text in ('<?xml version="1.0"?>\n<testsuites name="x">', "<testsuite>", ""):
        path.write_text(text)
        require_junit_writable(path, [])
    path.write_text("precious")
    with pytest.raises(FileError, match="exists and is no JUnit report: name another file, or delete it"):
        require_junit_writable(path, [])
    path.write_text("<testsuite>")
    with pytest.raises(FileExistsError, match="read by this very command"):
        require_junit_writable(path, [str(path)])
    with pytest.raises(OSError, match="No such file"):
        require_junit_writable(tmp_path / "no" / "out.xml", [])
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(OSError, match="no regular file"):
        require_junit_writable(tmp_path / "pipe", [])
