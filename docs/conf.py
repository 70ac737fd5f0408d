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
    "chart_pictures",
    "charts",
    "docstrings",
    "licences",
    "mathml",
    "offline",
    "pages",
    "reference",
    "signatures",
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
    # How long a page took says what else the machine did that built it.
    "min_reported_time": float("inf"),
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
# A list of all arguments without a word on any would stand below each class whose attributes are described.
autodoc_typehints_description_target = "documented_params"
# In single backquotes; see `_ext/docstrings.py`.
default_role = "named"
autodoc_member_order = "bysource"
# Of bases that have no page themselves; not of those that have one, and of other packages.
NOT_INHERITED = (
    "object, Module, Explainer, Target, Stage, tuple, dict, BaseException, BaseModel, Protocol, Generic, Sequence, "
    "Mapping"
)
autodoc_default_options = {
    "members": True,
    "show-inheritance": True,
    "inherited-members": NOT_INHERITED,
    "special-members": "__call__",
}
# A dataclass field and its line in "Attributes" are the same attribute: without this, autodoc warns of a duplicate.
napoleon_use_ivar = True
suppress_warnings = ["ref.python"]
