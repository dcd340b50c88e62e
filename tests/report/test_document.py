"""The frame of a report: one file that holds all it needs, in which nothing of a stranger's runs or ends anything."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import tracemalloc
from datetime import UTC, datetime
from html.parser import HTMLParser
from pathlib import Path

import pytest

from pixelgauge.markup import Markup, element
from pixelgauge.report.document import document, json_text
from tests.places import ROOT

WHEN = datetime(2026, 3, 1, 12, 30, tzinfo=UTC)
HOSTILE = [
    "</script><script>alert(1)</script>",
    "<!--<script>",
    '" onload="alert(1)',
    "' onload='alert(1)",
    "a\nb\r\0",
    "\u202egpj.exe",
    "\udcff\udc80.png",
    "{title}{0.__class__}",
    "]]>&amp;",
    "x" * 4096,
]


class Reader(HTMLParser):
    """Elements with their attributes, and the text within scripts and styles."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.inside: list[tuple[str, dict[str, str | None], str]] = []
        self.open: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag in ("script", "style"):
            self.inside.append((tag, dict(attrs), ""))
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag in ("script", "style"):
            self.open.pop()

    def handle_data(self, data: str) -> None:
        if self.open:
            tag, attrs, text = self.inside[-1]
            self.inside[-1] = tag, attrs, text + data


def made(path: Path, name: str = "plain") -> Reader:
    with document(path, name, "compare", when=WHEN) as page:
        page.facts = {"version": "1", "metrics": {name: name}}
        page.section("first", name, element("p", name, title=name), note=name)
        page.data("rows", json_text({"names": [name]}))
    return Reader(path.read_text(encoding="utf-8"))


def test_a_page_has_its_title_sections_and_contents(tmp_path: Path) -> None:
    path = tmp_path / "a.html"
    page = made(path, "A run")
    text = path.read_text(encoding="utf-8")
    assert text.startswith("<!doctype html>")
    assert ("html", {"lang": "en"}) in page.elements
    assert {"header", "main", "nav", "footer"} <= {tag for tag, _ in page.elements}
    links = [attrs["href"] for tag, attrs in page.elements if tag == "a"]
    assert links == ["#content", "#first", "#made-with"]
    ids = [attrs["id"] for _, attrs in page.elements if "id" in attrs]
    assert len(ids) == len(set(ids))
    assert {link.removeprefix("#") for link in links if link} <= set(ids)
    assert '<time datetime="2026-03-01T12:30:00+00:00">2026-03-01 12:30Z</time>' in text


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_text_changes_nothing(tmp_path: Path, name: str) -> None:
    plain, hostile = made(tmp_path / "a.html"), made(tmp_path / "b.html", name)
    assert [tag for tag, _ in hostile.elements] == [tag for tag, _ in plain.elements]
    assert [list(attrs) for _, attrs in hostile.elements] == [list(attrs) for _, attrs in plain.elements]
    data = [text for tag, attrs, text in hostile.inside if attrs.get("type") == "application/json"]
    assert json.loads(data[0]) == {"names": [name]}


def test_the_policy_names_every_style_and_script_and_nothing_else(tmp_path: Path) -> None:
    page = made(tmp_path / "a.html")
    policy = next(attrs["content"] for tag, attrs in page.elements if attrs.get("http-equiv"))
    assert policy is not None
    assert "unsafe" not in policy
    assert policy.startswith("default-src 'none'; img-src data:; ")
    hashes = set(re.findall(r"'sha256-([^']+)'", policy))
    held = {
        base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        for _, attrs, text in page.inside
        if attrs.get("type") != "application/json"
    }
    assert hashes == held


def test_no_attribute_runs_or_styles_or_loads(tmp_path: Path) -> None:
    page = made(tmp_path / "a.html")
    for _, attrs in page.elements:
        assert not [name for name in attrs if name.startswith("on") or name == "style"]
        assert not [value for name, value in attrs.items() if name in ("src", "href") and "//" in (value or "")]


def test_text_that_is_no_markup_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TypeError, match="no Markup"), document(tmp_path / "a.html", "A", "compare") as page:
        page.section("first", "First", "<p>")  # type: ignore[arg-type]
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["", "A", "a b", "a<", "1"])
def test_an_id_that_is_none_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(ValueError, match="name="), document(tmp_path / "a.html", "A", "compare") as page:
        page.section(name, "First")


def test_an_id_stands_once(tmp_path: Path) -> None:
    with document(tmp_path / "a.html", "A", "compare") as page:
        page.section("first", "First")
        with pytest.raises(ValueError, match="new id"):
            page.section("first", "First")


def test_an_error_leaves_what_was_there(tmp_path: Path) -> None:
    path = tmp_path / "a.html"
    path.write_text("before")
    with pytest.raises(ZeroDivisionError), document(path, "A", "compare"):
        1 / 0
    assert path.read_text() == "before"
    assert list(tmp_path.iterdir()) == [path]


def test_memory_does_not_grow_with_the_page(tmp_path: Path) -> None:
    part = Markup("<p>" + "x" * 100_000 + "</p>")
    tracemalloc.start()
    with document(tmp_path / "a.html", "A", "compare") as page, page.open_section("first", "First"):
        for _ in range(300):
            page.add(part)
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert (tmp_path / "a.html").stat().st_size > 30_000_000
    assert most < 4_000_000


def test_no_style_is_of_nothing() -> None:
    room = ROOT / "python/pixelgauge/report"
    sources = "".join(
        path.read_text(encoding="utf-8") for end in ("py", "js", "html") for path in sorted(room.rglob(f"*.{end}"))
    )
    for sheet in sorted(room.rglob("*.css")):
        rules = re.sub(r"/\*.*?\*/", "", sheet.read_text(encoding="utf-8"), flags=re.DOTALL)
        heads = " ".join(re.findall(r"([^{}]*)\{", rules))
        for name in set(re.findall(r"[.#]([a-zA-Z][\w-]*)", heads)):
            word = name.rpartition("-")[2]  # of chart-dashed and chart-of-3, which are put together
            assert name in sources or (name.startswith("chart-") and (word in sources or word.isdecimal())), name
