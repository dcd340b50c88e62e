"""Formulas as MathML, written when the site is built: browsers draw it themselves, so no page loads a script or a font.

Docutils brings the converter from LaTeX. What it does not know is a warning, and so ends the build.
"""

from __future__ import annotations

from typing import Any

from docutils import nodes
from docutils.utils.math import MathError
from docutils.utils.math.latex2mathml import tex2mathml
from sphinx.application import Sphinx
from sphinx.util import logging

_logger = logging.getLogger(__name__)


def _inline(translator: Any, node: nodes.math) -> None:
    _write(translator, node, as_block=False)


def _block(translator: Any, node: nodes.math_block) -> None:
    translator.body.append(translator.starttag(node, "div", CLASS="formula"))
    if node["number"]:
        translator.body.append(f'<span class="eqno">({node["number"]})</span>')
    _write(translator, node, as_block=True)
    translator.body.append("</div>\n")


def _write(translator: Any, node: nodes.Element, as_block: bool) -> None:
    text = node.astext().strip()
    try:
        translator.body.append(tex2mathml(text, as_block=as_block))
    except MathError as error:
        _logger.warning("the formula %s cannot be drawn: %s", text, error, location=node)
    raise nodes.SkipNode


def setup(app: Sphinx) -> dict[str, Any]:
    """Make it the only way in which pages of HTML get their formulas."""
    app.add_html_math_renderer("mathml", (_inline, None), (_block, None))
    app.config.html_math_renderer = "mathml"
    return {"parallel_read_safe": True, "parallel_write_safe": True}
