"""The site as it is built: without a warning, whole, and with nothing that a page would load from elsewhere."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote

import pytest

import pixelgauge
from tests.docs.pages import DOCS, PAGES
from tests.places import ROOT

pytest.importorskip("sphinx", reason="Sphinx is not installed: pip install '.[docs]'")
pytest.importorskip("furo", reason="the site's theme is not installed: pip install '.[docs]'")

NOWHERE = {f"{name}_proxy": "http://127.0.0.1:9" for name in ("http", "https", "all")}
"""So that what asks the network while the site is built fails."""
LOADS = {
    "script": "src",
    "link": "href",
    "img": "src",
    "iframe": "src",
    "source": "src",
    "video": "src",
    "embed": "src",
}


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The built site; ``PIXELGAUGE_SITE`` names one that is there."""
    if there := os.environ.get("PIXELGAUGE_SITE"):
        return Path(there)
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "sphinx", "-W", "--keep-going", "-q", "-n", str(DOCS), str(folder)]
    built = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, env=os.environ | NOWHERE)
    assert built.returncode == 0, built.stderr
    return folder


class Page(HTMLParser):
    """What a page loads, where it leads, and the places in it that one can lead to."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.loads: list[str] = []
        self.leads: list[str] = []
        self.places: set[str] = set()
        self.open_divisions = 0
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attrs}
        self.open_divisions += tag == "div"
        self.places |= {values[name] for name in ("id", "name") if name in values}
        if tag == "a" and "href" in values:
            self.leads.append(values["href"])
        if tag in LOADS and LOADS[tag] in values and values.get("rel") not in {"index", "search", "next", "prev"}:
            self.loads.append(values[LOADS[tag]])

    def handle_endtag(self, tag: str) -> None:
        self.open_divisions -= tag == "div"


@pytest.fixture(scope="session")
def html(site: Path) -> dict[Path, Page]:
    return {path.resolve(): Page(path) for path in site.rglob("*.html")}


def test_every_page_is_built(site: Path) -> None:
    missing = [
        page
        for page in PAGES
        if page.is_relative_to(DOCS) and not (site / page.relative_to(DOCS)).with_suffix(".html").exists()
    ]
    assert missing == []


def test_what_a_page_opens_it_closes(html: dict[Path, Page]) -> None:  # the extensions write HTML too
    assert [path.name for path, page in html.items() if page.open_divisions] == []


def test_no_page_loads_anything_from_elsewhere(site: Path, html: dict[Path, Page]) -> None:
    assert html
    for path, page in html.items():
        away = [each for each in page.loads if re.match(r"(?:[a-z]+:)?//", each)]
        assert not away, (path, away)
        for each in page.loads:
            assert each.startswith("data:") or (path.parent / unquote(each.partition("?")[0])).exists(), (path, each)
    for sheet in site.rglob("*.css"):
        assert not re.findall(r"(?:url\(|@import)\s*[\"']?(?:https?:)?//", sheet.read_text(encoding="utf-8")), sheet
    for script in site.rglob("*.js"):
        text = script.read_text(encoding="utf-8")
        assert not re.findall(r"(?:fetch|importScripts|import)\(\s*[\"']https?://", text), script


def test_links_within_the_site_lead_somewhere(html: dict[Path, Page]) -> None:
    broken = []
    for path, page in html.items():
        for link in page.leads:
            if re.match(r"[a-z]+:", link):
                continue
            file, _, anchor = link.partition("#")
            target = (path.parent / unquote(file.partition("?")[0])).resolve() if file else path
            if not target.exists() or (anchor and target in html and unquote(anchor) not in html[target].places):
                broken.append((path.name, link))
    assert broken == []


def test_every_public_name_and_function_has_its_entry(html: dict[Path, Page]) -> None:
    places = set().union(*(page.places for page in html.values()))
    assert {f"pixelgauge.{name}" for name in pixelgauge.__all__} <= places
    header = (ROOT / "cpp/include/pixelgauge/pixelgauge.h").read_text(encoding="utf-8")
    assert {f"c.{name}" for name in re.findall(r"^PG_API [^;(]*?(pg_\w+)\(", header, re.MULTILINE)} <= places


def test_formulas_are_drawn_by_the_browser(site: Path, html: dict[Path, Page]) -> None:
    text = "".join(path.read_text(encoding="utf-8") for path in site.rglob("*.html"))
    assert "<math" in text
    assert not [each for page in html.values() for each in page.loads if "mathjax" in each.lower()]
    assert not re.search(r'class="math[^"]*"[^>]*>\\[(\[]', text)  # LaTeX that was left as it is
    assert "<mi>log</mi>" in text
    assert not re.search(r"<mi>(?:log|exp)</mi>\s*<mo>&ApplyFunction;</mo>\s*<m(?!o|space|row)", text)  # log4
