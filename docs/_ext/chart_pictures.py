"""The reference shows what each function of `stexplain.viz` draws: the chart of its own example, as a picture.

The picture is drawn while the pages are built and lies in the page, in its colours; nothing is loaded.
"""

import doctest
import io
import sys
from base64 import b64encode

import altair as alt

from stexplain.explainers.results.pictures import picture

PACKAGE = "stexplain.viz."


def drawn_by(text: str, space: dict) -> str:
    """The markup of what an example draws last, as `chart` or into `ax`; empty where it draws nothing.

    Args:
        text: a docstring.
        space: the names that its example may use; those that it makes are added.
    """
    for example in doctest.DocTestParser().get_examples(text):
        try:
            exec(compile(example.source, "<example>", "single"), space)
        # What an example shows to be refused is no fault of it; whether it says so is tested elsewhere.
        except Exception:
            if example.exc_msg is None:
                raise
    chart, axes = space.get("chart"), space.get("ax", space.get("axes"))
    if isinstance(chart, alt.TopLevelMixin):
        return picture(chart, str(chart.to_dict().get("description") or "the chart of the example"))
    if axes is None:
        return ""
    into, first = io.BytesIO(), axes if hasattr(axes, "figure") else axes.flat[0]
    first.figure.savefig(into, format="png", dpi=80, bbox_inches="tight")
    pixels = b64encode(into.getvalue()).decode("ascii")
    return f'<img alt="what the example draws" style="max-width:100%" src="data:image/png;base64,{pixels}">'


def add(app, what, name, obj, options, lines) -> None:
    """Adds the picture below the example."""
    if what != "function" or not name.startswith(PACKAGE):
        return
    # A random example is the same in every build.
    import torch

    torch.manual_seed(0)
    quiet, sys.stdout = sys.stdout, io.StringIO()
    try:
        markup = drawn_by("\n".join(lines), dict(vars(sys.modules[obj.__module__])))
    finally:
        sys.stdout = quiet
    if markup:
        one_line = " ".join(markup.splitlines())
        lines += ["", ".. raw:: html", "", f'   <div class="example-picture">{one_line}</div>', ""]


def setup(app):
    # After napoleon, for which the example would not end.
    app.connect("autodoc-process-docstring", add, priority=700)
    return {"parallel_read_safe": True}
