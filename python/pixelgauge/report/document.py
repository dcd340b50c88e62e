"""One self-contained file of HTML: its frame, its sections, and the policy that nothing else runs in it or is loaded.

Sections go to a temporary file as they come, so that a page needs no memory by its size. Styles and scripts are files
of this package, which the page holds and its Content-Security-Policy names by their SHA-256.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib.resources
import json
import os
import re
import shutil
import tempfile
from base64 import b64encode
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import BinaryIO

from pixelgauge._version import __version__
from pixelgauge.checks import ArgumentValueError
from pixelgauge.files.writing import replacing, require_replaceable
from pixelgauge.markup import Markup, element

_SECTIONS = "{sections}"
_ID = re.compile("[a-z][a-z0-9-]*")
_IN_SCRIPT = str.maketrans({c: f"\\u{ord(c):04x}" for c in "<>&"})


def package_text(file: str) -> str:
    """Text of a file of this room, ``page.css`` or ``charts/charts.css``."""
    return importlib.resources.files("pixelgauge.report").joinpath(*file.split("/")).read_text(encoding="utf-8")


def json_text(value: object) -> Markup:
    """JSON that can stand in an element ``script``: nothing in it ends it, or begins a comment."""
    return Markup(json.dumps(value, separators=(",", ":"), allow_nan=False).translate(_IN_SCRIPT))


class Document:
    """A page that is being made; from :func:`document`.

    Parameters
    ----------
    file : binary file
        Where sections wait until the page is whole.
    title : str
        Its heading, and the title of the window; escaped.
    kind : str
        What kind of report it is.
    when : datetime
        With a time zone.
    """

    def __init__(self, file: BinaryIO, title: str, kind: str, when: datetime) -> None:
        self._file, self._title, self._kind, self._when = file, title, kind, when
        self._contents: dict[str, str] = {}
        self._styles = ["page.css"]
        self._scripts: list[str] = []
        self.lead: Markup = Markup("")
        """What stands below the heading; may be set as long as the page is open."""
        self.facts: Mapping[str, object] = {}
        """Fingerprint: what decided the numbers. Mappings within it become facts of their own."""

    @property
    def size(self) -> int:
        """Bytes of the sections and data so far."""
        return self._file.tell()

    def style(self, file: str) -> None:
        """Use a style sheet of this room, after those before it; once, however often it is asked for."""
        if file not in self._styles:
            self._styles.append(file)

    def script(self, *files: str) -> None:
        """Run scripts of this room when the page is read, in this order; each once."""
        self._scripts += [file for file in files if file not in self._scripts]

    def section(self, name: str, heading: str, *body: Markup, note: str = "") -> None:
        """Add a section, and a link to it at the head of the page.

        Parameters
        ----------
        name : str
            Its id: lower-case letters, digits and hyphens.
        heading : str
        *body : Markup
        note : str, optional
            A sentence below the heading.
        """
        with self.open_section(name, heading, note=note):
            self.add(*body)

    @contextlib.contextmanager
    def open_section(self, name: str, heading: str, *, note: str = "") -> Iterator[None]:
        """Add a section whose body is added piece by piece, by :meth:`add`."""
        if not _ID.fullmatch(name) or name in self._contents:
            raise ArgumentValueError("name", repr(name), "must be a new id of a-z, 0-9 and hyphens")
        self._contents[name] = heading
        self._write(Markup('<section id="{0}" aria-labelledby="{0}-heading">\n').format(name))
        self._write(element("h2", heading, id=f"{name}-heading"))
        if note:
            self._write(element("p", note, class_="note"))
        yield
        self._write(Markup("\n</section>\n"))

    def add(self, *body: Markup) -> None:
        """Add markup to the section that is open."""
        for part in body:
            self._write(part)

    def data(self, name: str, value: object, **attributes: object) -> None:
        """Hold JSON for the scripts, as text of the element with the id `name`: a value, or its :func:`json_text`."""
        text = value if isinstance(value, Markup) else json_text(value)
        self._write(element("script", text, type="application/json", id=name, **attributes))
        self._write(Markup("\n"))

    def _write(self, markup: Markup) -> None:
        if not isinstance(markup, Markup):
            raise TypeError(f"{type(markup).__name__} is no Markup: escape it, or build it with element()")
        self._file.write(markup.encode())

    def finish(self, file: BinaryIO) -> None:
        """Write the whole page."""
        style = "\n".join(map(package_text, self._styles))
        scripts = [package_text(name) for name in self._scripts]
        page = package_text("page.html")
        before, _, after = page.partition(_SECTIONS)
        named = {
            "policy": _policy(style, scripts),
            "version": __version__,
            "title": self._title,
            "kind": self._kind,
            "when": self._when.isoformat(timespec="seconds"),
            "day": self._when.isoformat(" ", timespec="minutes").replace("+00:00", "Z"),
            "lead": self.lead,
            "style": Markup(style),
            "contents": Markup("").join(
                element("li", element("a", heading, href=f"#{name}"))
                for name, heading in [*self._contents.items(), ("made-with", "Made with")]
            ),
            "facts": _facts(self.facts),
            "scripts": Markup("\n").join(element("script", Markup(script)) for script in scripts),
        }
        file.write(Markup(before).format(**named).encode())
        self._file.seek(0)
        shutil.copyfileobj(self._file, file)
        file.write(Markup(after).format(**named).encode())


def _policy(style: str, scripts: list[str]) -> str:
    """Content-Security-Policy of a page: these styles and scripts, pictures that it holds, and nothing else."""
    sources = " ".join(map(_sha256, scripts)) or "'none'"
    return (
        f"default-src 'none'; img-src data:; style-src {_sha256(style)}; script-src {sources}; "
        "base-uri 'none'; form-action 'none'"
    )


def _sha256(text: str) -> str:
    return f"'sha256-{b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def _facts(facts: Mapping[str, object], before: str = "") -> Markup:
    found = []
    for key, value in facts.items():
        if isinstance(value, Mapping):
            found.append(_facts(value, f"{before}{key} "))
        else:
            named = element("dt", f"{before}{key}".replace("_", " "))
            found.append(element("div", named, element("dd", element("bdi", _said(value)))))
    return Markup("").join(found)


def _said(value: object) -> object:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "default" if value is None else value


@contextlib.contextmanager
def document(
    path: str | os.PathLike[str], title: str, kind: str, *, when: datetime | None = None
) -> Iterator[Document]:
    """Open a page that appears under its name once it is whole; an error leaves what was there.

    Parameters
    ----------
    path : path
    title : str
    kind : str
        Such as ``"compare"``.
    when : datetime, optional
        Default: now, in UTC.

    Raises
    ------
    OSError
        If it cannot be written.
    """
    when = datetime.now(UTC) if when is None else when
    with replacing(path) as file, tempfile.TemporaryFile(dir=os.path.dirname(os.path.realpath(path))) as waiting:
        found = Document(waiting, title, kind, when)
        yield found
        found.finish(file)


def require_report_writable(path: str, inputs: Iterable[str] = ()) -> None:
    """Raise unless a report can be put there: where nothing is, or in the place of any other, or of an empty file.

    Raises
    ------
    FileError
        If there is a file of another kind.
    OSError
        If it cannot be written, or is an input.
    """
    require_replaceable(path, b'name="generator" content="pixelgauge', "report of pixelgauge", inputs)
