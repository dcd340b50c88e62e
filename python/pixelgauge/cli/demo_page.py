"""The page that ``pixelgauge demo --output`` writes: every picture beside its scores, in one HTML file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape

_STYLE = """
body { font: 15px/1.4 system-ui, sans-serif; margin: 2em; color: #222; background: #fff; }
.row { display: flex; gap: 12px; overflow-x: auto; padding-bottom: 8px; }
figure { margin: 0; flex: none; }
img { width: 192px; height: 192px; display: block; }
figcaption { font-size: 13px; white-space: pre; font-variant-numeric: tabular-nums; }
h2 { margin-bottom: 4px; }
"""


def demo_page(title: str, note: str, sections: Mapping[str, Sequence[tuple[str, str]]]) -> str:
    """Lay out pictures and captions.

    Parameters
    ----------
    title, note : str
        Heading, and what made the scores.
    sections : mapping of str to sequence of (str, str)
        By heading: addresses of pictures, relative to the page, and their captions.

    Returns
    -------
    str
        HTML that needs nothing but the pictures.
    """
    parts = [
        '<!doctype html>\n<html lang="en">\n<meta charset="utf-8">',
        f"<title>{escape(title)}</title>\n<style>{_STYLE}</style>",
        f"<h1>{escape(title)}</h1>\n<p>{escape(note)}</p>",
    ]
    for heading, pictures in sections.items():
        parts.append(f'<h2>{escape(heading)}</h2>\n<div class="row">')
        parts += [
            f'<figure><img src="{escape(address)}" alt="{escape(caption.splitlines()[0])}" loading="lazy">'
            f"<figcaption>{escape(caption)}</figcaption></figure>"
            for address, caption in pictures
        ]
        parts.append("</div>")
    return "\n".join(parts) + "\n</html>\n"
