"""The documentation's settings; built with `python -m sphinx -W docs docs/_build`."""

import os

os.environ.setdefault("DGLBACKEND", "pytorch")

from stexplain import __version__  # noqa: E402 - DGL reads the variable when it is imported

project = "stexplain"
author = "The stexplain developers"
copyright = "2026, the stexplain developers"
release = version = __version__

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx.ext.mathjax",
    "sphinx.ext.viewcode",
]
myst_enable_extensions = ["dollarmath", "colon_fence", "deflist"]
myst_heading_anchors = 3
exclude_patterns = ["_build"]
html_theme = "furo"
html_title = "stexplain"
autodoc_typehints = "description"
autodoc_member_order = "bysource"
autodoc_default_options = {"members": True, "show-inheritance": True}
# Two spellings of one attribute (a dataclass field and its line in "Attributes") are one thing.
napoleon_use_ivar = True
suppress_warnings = ["ref.python"]
