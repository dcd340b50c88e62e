"""The pages of the documentation: the README and every page under `docs/`, their blocks, headings and links."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from tests.places import ROOT

DOCS = ROOT / "docs"
PAGES = [ROOT / "README.md", *sorted(DOCS.rglob("*.md"))]

_BLOCK = re.compile(
    r"^(?P<marks>(?:<!-- [^\n]* -->\n\n?)*)```(?P<language>[\w+-]*)\n(?P<text>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)
_MARK = re.compile(r"<!-- (?P<kind>not run|needs|file): (?P<value>[^\n]*) -->")


@dataclass(frozen=True)
class Block:
    """A block of code or output, where it stands, and what the marks before it say."""

    page: Path
    line: int
    language: str
    text: str
    not_run: str
    """Why it is not run; empty where it is."""
    needs: str
    """The model without whose published weights it is not run, or the package; empty where it needs none."""
    file: str
    """Name of the file that the reader saves it as; empty where it is none."""

    @property
    def place(self) -> str:
        """Page and line, as tests call it."""
        return f"{name_of(self.page)}:{self.line}"


def name_of(page: Path) -> str:
    """Path of a page within the repository."""
    return page.relative_to(ROOT).as_posix()


@cache
def blocks(page: Path) -> list[Block]:
    """Blocks of a page in order, directives of the site left out."""
    text = page.read_text(encoding="utf-8")
    found = []
    for match in _BLOCK.finditer(text):
        marks = {mark["kind"]: mark["value"] for mark in _MARK.finditer(match["marks"])}
        line = text.count("\n", 0, match.end("marks")) + 1
        kinds = (marks.get(kind, "") for kind in ("not run", "needs", "file"))
        found.append(Block(page, line, match["language"], match["text"], *kinds))
    return found


def without_blocks(page: Path) -> str:
    """Text of a page, its blocks and inline code left out."""
    text = re.sub(r"^```.*?^```$", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    return re.sub(r"`[^`\n]*`", "", text)


def links(page: Path) -> Iterator[tuple[str, str]]:
    """Targets and anchors of a page's links and pictures, those on the web left out."""
    for target in re.findall(r"\]\(([^)\s]+)\)", without_blocks(page)):
        if not re.match(r"[a-z]+:", target):
            path, _, anchor = target.partition("#")
            yield path, anchor


@cache
def anchors(page: Path) -> frozenset[str]:
    """Anchors of a page's headings, as GitHub and the site make them."""
    text = re.sub(r"^```.*?^```$", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    found: list[str] = []
    for title in re.findall(r"^#{1,6} (.*)$", text, re.MULTILINE):
        plain = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", title).replace("`", "")
        slug = re.sub(r"[^\w\- ]", "", plain.strip().lower()).replace(" ", "-")
        found.append(slug if slug not in found else f"{slug}-{found.count(slug)}")
    return frozenset(found)
