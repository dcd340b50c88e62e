"""Strangers' text in HTML: what goes in as text comes out as the same text, and brings no element with it."""

from __future__ import annotations

from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pixelgauge.files.reading import printable
from pixelgauge.markup import Markup, attributes, element, escape, name, table

HOSTILE = [
    "<script>alert(1)</script>",
    "</td></table><img src=x onerror=alert(1)>",
    '" onmouseover="alert(1)',
    "' autofocus onfocus='alert(1)",
    "a & b &lt; &#60;script&#62;",
    "<!-- -->]]>",
    "{0.__class__} {x!r} %s",
    "gpj.exe\u202etxt",  # a mark that turns the direction
    "\u2066\u2069\u200f\u200b",
    "שלום.png",
    "two\nlines\r\x00\x1b[31m",
    "\udc80\ud800",  # halves of a pair, as undecodable names have
    "x" * 4096,
]


class Seen(HTMLParser):
    """What a browser would make of a fragment."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.text = ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.mark.boundary
@pytest.mark.parametrize("text", HOSTILE, ids=ascii)
def test_hostile_text_is_text(text: str) -> None:
    for built in (
        escape(text),
        Markup("{}").format(text),
        Markup("{:>1}").format(text),
        Markup("{x!s}").format(x=text),
        Markup("").join([text]),
        Markup() + text,
        text + Markup(),
    ):
        assert isinstance(built, Markup)
        seen = Seen(built)
        assert seen.tags == []
        assert seen.text == printable(text)
        assert built.isprintable()
        built.encode()
    assert Seen(element("b", title=text)).attributes == [("title", printable(text))]


@given(st.text(alphabet=st.characters()))
@pytest.mark.hypothesis
def test_any_text_is_text(text: str) -> None:
    seen = Seen(table([text], [[text, text]], text))
    assert set(seen.tags) == {"table", "thead", "tbody", "tr", "th", "td"} | ({"caption"} if text else set())
    assert seen.text == printable(text) * (3 + bool(text))


def test_markup_stays_as_it_is() -> None:
    bold = element("b", "<")
    assert bold == "<b>&lt;</b>"
    assert escape(bold) is bold
    assert Markup("{} {}").format(bold, "<") == "<b>&lt;</b> &lt;"
    assert Markup(", ").join([bold, "<"]) == "<b>&lt;</b>, &lt;"
    assert bold + "<" == "<b>&lt;</b>&lt;"
    assert "<" + bold == "&lt;<b>&lt;</b>"
    assert bold * 2 == bold + bold
    assert isinstance(bold * 2, Markup)
    assert bold.__html__() == bold


def test_an_f_string_makes_text_of_markup() -> None:
    assert escape(f"{element('b')}") == "&lt;b&gt;&lt;/b&gt;"


def test_attributes() -> None:
    assert attributes(class_="a", aria_label='"', hidden=True, title=None, open=False, data_row=0) == (
        ' class="a" aria-label="&quot;" hidden data-row="0"'
    )


def test_names_are_cut_and_keep_their_direction_to_themselves() -> None:
    cut = name("x" * 4096)
    assert len(cut) < 250
    assert " ... " in cut
    assert name("שלום") == "<bdi>שלום</bdi>"
