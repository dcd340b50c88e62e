"""How the site is built: `python -m sphinx -W --keep-going -n docs build/site`, without a network."""

import sys
from pathlib import Path

import pixelgauge

sys.path.insert(0, str(Path(__file__).parent / "_extensions"))

project = "pixelgauge"
author = "the authors of pixelgauge"
project_copyright = author
version = release = pixelgauge.__version__
language = "en"
smartquotes = False  # quotes and dashes are code as often as not
default_role = "literal"  # what stands between single backticks in docstrings

extensions = [
    "myst_parser",
    "numpydoc",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "c_header",
    "command_help",
    "mathml",
    "public_names",
]
exclude_patterns = ["_extensions"]

myst_enable_extensions = ["dollarmath"]
myst_heading_anchors = 4  # what a link calls `page.md#a-heading`, as GitHub does

html_theme = "furo"
html_title = f"pixelgauge {release}"
pygments_style, pygments_dark_style = "friendly", "github-dark"
html_static_path = ["_static"]
html_css_files = ["pixelgauge.css"]
html_copy_source = False
html_theme_options = {"navigation_with_keys": True}

autodoc_typehints = "none"  # the docstrings say kinds, shapes and units
autosummary_generate = False  # its tables stand above the entries, which are on the same page
numpydoc_show_class_members = False  # autodoc writes the members out

nitpicky = True
nitpick_ignore = [
    # C's own, of <stdint.h>
    *(("c:identifier", name) for name in ("int32_t", "int64_t", "uint8_t", "uint64_t")),
]
