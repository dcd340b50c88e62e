"""The directive `c-header`: every function, type and constant of `pixelgauge.h`, with its comment.

The header is written in one manner, and only that is read: a comment before each declaration, and behind constants and
fields where they need one. Anything else in it is an error, so that nothing is left out of the page.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from docutils import nodes
from docutils.statemachine import StringList
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective
from sphinx.util.parsing import nested_parse_to_nodes

_COMMENT = r"/\*(?:(?!\*/).)*\*/"
_FORMS = {
    "heading": r"/\* ---- (?P<title>.*?) ---- \*/",
    "comment": rf"(?P<comment>{_COMMENT})",
    "function": r"PG_API (?P<function>[^;]*);",
    "opaque": r"typedef struct (?P<opaque>\w+) (?P=opaque);",
    "struct": r"typedef struct (?P<struct>\w+) \{(?P<fields>[^}]*)\} (?P=struct);",
    "constants": r"enum \{(?P<constants>[^}]*)\};",
    "type": r"typedef (?P<type>(?:int32_t \w+|void \(\*\w+\)\((?:[^()]|\([^()]*\))*\)(?:[^;]*)?));",
}
_NEXT = re.compile(r"\s*(?:" + "|".join(f"(?P<is_{kind}>{form})" for kind, form in _FORMS.items()) + ")", re.DOTALL)
_BODY = re.compile(r'extern "C" \{\s*#endif\n(.*)#ifdef __cplusplus', re.DOTALL)


@dataclass
class Declaration:
    """A function, a structure or a type, with what stands in it: fields or constants."""

    kind: str
    """As the domain of C in Sphinx calls it: function, struct or type."""
    signature: str
    comment: str = ""
    members: list[Declaration] = field(default_factory=list)

    @property
    def name(self) -> str:
        """Name alone, without types and arguments."""
        return re.findall(r"\w+", re.sub(r"\[.*|(?<=\w)\(.*|(?<=\))\(.*|=.*", "", self.signature, flags=re.DOTALL))[-1]


@dataclass
class Section:
    """Declarations under one heading of the header."""

    title: str
    declarations: list[Declaration] = field(default_factory=list)


def read_header(text: str) -> list[Section]:
    """Sections of the header, in order; a ``ValueError`` names what is written in another manner."""
    found = _BODY.search(text)
    if found is None:
        raise ValueError('the header has no part within extern "C"')
    body, place, sections, comment = found[1].rstrip(), 0, [], ""
    while place < len(body):
        match = _NEXT.match(body, place)
        if match is None:
            raise ValueError(f"the header's reader does not know: {body[place : place + 200].strip()}")
        place = match.end()
        if match["title"]:
            sections.append(Section(match["title"]))
        elif match["comment"]:
            comment = _plain(match["comment"])
        elif match["constants"]:
            sections[-1].declarations[-1].members += _members("enumerator", match["constants"], ",")
        else:
            sections[-1].declarations.append(_declaration(match, comment))
            comment = ""
    return sections


def _declaration(match: re.Match[str], comment: str) -> Declaration:
    if match["struct"]:
        return Declaration("struct", match["struct"], comment, _members("member", match["fields"], ";"))
    if match["opaque"]:
        return Declaration("struct", match["opaque"], comment)
    kind = "function" if match["function"] else "type"
    return Declaration(kind, " ".join(match[kind].split()), comment)


def _members(kind: str, text: str, separator: str) -> list[Declaration]:
    """Fields or constants; a comment belongs to all that was declared just before it."""
    members: list[Declaration] = []
    latest: list[Declaration] = []
    for part in re.findall(rf"{_COMMENT}|[^{separator}/]+", text, re.DOTALL):
        words = " ".join(part.split())
        if words.startswith("/*"):
            for member in latest:
                member.comment = _plain(words)
        elif words:
            latest = [Declaration(kind, each) for each in _apart(words)]
            members += latest
    return members


def _apart(words: str) -> list[str]:
    """Fields that share their type, `int64_t a, b`, each with it."""
    first, *others = words.split(", ")
    kind = first.rpartition(" ")[0]
    return [first, *(f"{kind} {other}" for other in others)]


def _plain(comment: str) -> str:
    lines = comment.removeprefix("/*").removesuffix("*/").splitlines()
    return " ".join(line.strip().removeprefix("* ") for line in lines).strip()


class CHeader(SphinxDirective):
    """The header at the path that is the argument, beside the page, as sections of the page."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        """Sections of entries in Sphinx's domain of C."""
        name, path = self.env.relfn2path(self.arguments[0])
        self.env.note_dependency(name)
        sections = read_header(Path(path).read_text(encoding="utf-8"))
        roles = dict(_roles(sections))
        lines: list[str] = []
        for section in sections:
            title = section.title[0].upper() + section.title[1:]
            lines += [title, "-" * len(title), ""]
            for declaration in section.declarations:
                lines += [*_entry(declaration, roles, ""), ""]
        return nested_parse_to_nodes(self.state, StringList(lines, path), allow_section_headings=True)


def _roles(sections: list[Section]) -> Iterator[tuple[str, str]]:
    """Names of the header, and what leads to the entry of each."""
    for section in sections:
        for declaration in section.declarations:
            kind = "func" if declaration.kind == "function" else declaration.kind
            yield declaration.name, f":c:{kind}:`{declaration.name}`"
            for member in declaration.members:
                if member.kind == "enumerator":
                    yield member.name, f":c:enumerator:`{member.name} <{declaration.name}.{member.name}>`"


def _entry(declaration: Declaration, roles: dict[str, str], indent: str) -> list[str]:
    lines = [f"{indent}.. c:{declaration.kind}:: {declaration.signature}", ""]
    if declaration.comment:
        lines += [f"{indent}   {_linked(declaration.comment, roles)}", ""]
    for member in declaration.members:
        lines += _entry(member, roles, f"{indent}   ")
    return lines


def _linked(text: str, roles: dict[str, str]) -> str:
    """Text for reStructuredText, where names of the header lead to their entries."""

    def written(match: re.Match[str]) -> str:
        quoted, name, sign = match["quoted"], match["name"], match["sign"]
        if sign:
            return f"\\{sign}"
        if quoted or name not in roles:
            return f"``{quoted}``" if quoted else match[0].replace("_", "\\_")
        return f"\\ {roles[name]}\\ "

    return re.sub(r"`(?P<quoted>[^`]*)`|\b(?P<name>(?:pg|PG)_\w+)(?:\(\))?|(?P<sign>[\\*|_<>`])", written, text)


def setup(app: Sphinx) -> dict[str, Any]:
    """Register the directive."""
    app.add_directive("c-header", CHeader)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
