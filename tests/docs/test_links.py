"""Links lead somewhere: those between pages, from the README, and the names of pages that stand in comments."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.docs.pages import DOCS, PAGES, anchors, links, name_of
from tests.places import ROOT

CODE = ["python", "bench", "tests", "examples", "cpp", "models"]


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_links_and_anchors_of_a_page_are_there(page: Path) -> None:
    broken = []
    for path, anchor in links(page):
        target = (page.parent / path).resolve() if path else page
        if not target.exists() or (anchor and target.suffix == ".md" and anchor not in anchors(target)):
            broken.append(f"{path}#{anchor}")
    assert not broken


def test_pages_named_in_code_are_there() -> None:
    named = {
        (name_of(file), name)
        for folder in CODE
        for suffix in ("*.py", "*.hpp", "*.h", "*.cpp", "*.inl")
        for file in (ROOT / folder).rglob(suffix)
        for name in re.findall(r"\bdocs/[\w/-]+\.md\b", file.read_text(encoding="utf-8"))
    }
    assert len(named) > 10
    assert sorted((file, name) for file, name in named if not (ROOT / name).is_file()) == []


def test_no_page_hides_from_the_navigation() -> None:  # what is in none ends the site's build, but for these
    for page in PAGES:
        assert not re.match(r"---\n(?:.*\n)*?orphan:", page.read_text(encoding="utf-8")), page


def test_a_broken_link_and_a_missing_anchor_are_seen(tmp_path: Path) -> None:  # so that the patterns still find them
    page = tmp_path / "page.md"
    page.write_text("# A `b` (c): d\n\n[one](gone.md) ![two](#a-b-c-d) [web](https://example.org/) `[no](link)`\n")
    assert list(links(page)) == [("gone.md", ""), ("", "a-b-c-d")]
    assert anchors(page) == {"a-b-c-d"}
    assert "a-table-of-scores" not in anchors(DOCS / "index.md")
