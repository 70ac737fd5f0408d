"""Settings of the documentation; build it with `python -m sphinx -W docs docs/_build`."""

import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent / "_ext"))
os.environ.setdefault("DGLBACKEND", "pytorch")

from stexplain import __version__

project = "stexplain"
author = "The stexplain developers"
copyright = "2026, the stexplain developers"
release = version = __version__

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.napoleon",
    "sphinx.ext.viewcode",
    "sphinx_gallery.gen_gallery",
    "api_pages",
    "charts",
    "licences",
    "mathml",
    "offline",
    "reference",
]
sphinx_gallery_conf = {
    "examples_dirs": "examples",
    "gallery_dirs": "tutorials",
    # In the order of the front page's four ways in, then what is for all of them.
    "within_subsection_order": "charts.FrontPageOrder",
    # Of a tutorial without a chart.
    "default_thumb_file": str(Path(__file__).parent / "_static" / "graph.png"),
    "filename_pattern": r"\.py$",
    "abort_on_example_error": True,
    "image_scrapers": ("charts",),
    "reset_modules": (),
    "capture_repr": ("_repr_html_", "__repr__"),
    "remove_config_comments": True,
    "show_memory": False,
    # Its page of running times loads scripts from elsewhere.
    "write_computation_times": False,
    "download_all_examples": False,
    "plot_gallery": True,
}
myst_enable_extensions = ["dollarmath", "colon_fence", "deflist"]
myst_heading_anchors = 3
exclude_patterns = ["_build", "_ext", "_templates", "examples", "sg_execution_times.rst"]
templates_path = ["_templates"]
autosummary_ignore_module_all = False
html_theme = "furo"
html_title = "stexplain"
html_static_path = ["_static"]
html_css_files = ["tutorials.css"]
autodoc_typehints = "description"
autodoc_member_order = "bysource"
autodoc_default_options = {"members": True, "show-inheritance": True}
# A dataclass field and its line in "Attributes" are the same attribute: without this, autodoc warns of a duplicate.
napoleon_use_ivar = True
suppress_warnings = ["ref.python"]


def literal_equations(app: object, what: str, name: str, obj: object, options: object, lines: list[str]) -> None:
    """Shows an indented paragraph of a docstring literally: it is an equation, not a quotation."""
    shown: list[str] = []
    for line in lines:
        before = next((text for text in reversed(shown) if text.strip()), "")
        begins = line.startswith("    ") and shown and not shown[-1].strip()
        if begins and before and not before.startswith(" ") and not before.endswith("::"):
            shown += ["::", ""]
        shown.append(line)
    lines[:] = shown


def setup(app) -> None:  # type: ignore[no-untyped-def]
    # Before napoleon, which has the default priority of 500.
    app.connect("autodoc-process-docstring", literal_equations, priority=400)
