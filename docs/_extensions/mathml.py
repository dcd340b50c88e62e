"""Formulas as MathML, written when the site is built: browsers draw it themselves, so no page loads a script or a font.

Docutils brings the converter from LaTeX. What it does not know is a warning, and so ends the build.
"""

from __future__ import annotations

import re
from typing import Any

from docutils import nodes
from docutils.utils.math.latex2mathml import tex2mathml
from sphinx.application import Sphinx
from sphinx.util import logging

_logger = logging.getLogger(__name__)
_ALIASES = {"dots": "ldots", "big": "bigl", "Big": "Bigl", "bigg": "biggl", "Bigg": "Biggl"}
"""What LaTeX has and the converter has not, by what it draws alike."""
_FUNCTION = re.compile(
    r"(\\(?:log|exp)(?:_(?:\w|\{[^}]*\}))?)(?![A-Za-z_])\s*(?=[\w\\])(?!\\(?:[,:;!]|left\b|[bB]igg?l?\b))"
)
"""A function before what is no parenthesis: LaTeX sets a thin space there, browsers none."""


def _inline(translator: Any, node: nodes.math) -> None:
    _write(translator, node, as_block=False)
    raise nodes.SkipNode


def _block(translator: Any, node: nodes.math_block) -> None:
    translator.body.append(translator.starttag(node, "div", CLASS="formula"))
    if node["number"]:
        translator.body.append(f'<span class="eqno">({node["number"]})</span>')
    _write(translator, node, as_block=True)
    translator.body.append("</div>\n")
    raise nodes.SkipNode


def _write(translator: Any, node: nodes.Element, as_block: bool) -> None:
    text = node.astext().strip()
    try:
        translator.body.append(tex2mathml(converters(text), as_block=as_block))
    except Exception as error:  # beside its own, whatever it stumbles over
        _logger.warning("the formula %s cannot be drawn: %s", text, error, location=node)


def converters(text: str) -> str:
    """LaTeX in the converter's words, and with the spaces that it leaves out."""
    known = re.sub(r"\\([A-Za-z]+)", lambda found: "\\" + _ALIASES.get(found[1], found[1]), text)
    return _FUNCTION.sub(r"\1\\,", known)


def setup(app: Sphinx) -> dict[str, Any]:
    """Make it the only way in which pages of HTML get their formulas."""
    app.add_html_math_renderer("mathml", (_inline, None), (_block, None))
    app.config.html_math_renderer = "mathml"
    return {"parallel_read_safe": True, "parallel_write_safe": True}
