"""Altair charts in executed tutorials, drawn offline by one script that is written beside the pages."""

from itertools import count
from pathlib import Path

import altair as alt

from stexplain.viz.page import chart_style, player, script_json
from stexplain.viz.theme import styled

SCRIPT, STYLE = "vega.js", "charts.css"
_numbers = count()
ORDER = [
    *("skeletons", "two_groups", "traffic", "own_forecaster", "eeg_trials", "own_graph", "pyg_and_dgl"),
    *("from_captum_and_pyg", "choosing_a_method", "many_machines"),
]
"""The tutorials as the front page names them: its four ways in, then what is for all of them."""


class FrontPageOrder:
    """The order of the gallery; a tutorial that `ORDER` does not name comes last."""

    def __init__(self, src_dir: str) -> None:
        """sphinx-gallery gives the folder of the tutorials."""

    def __call__(self, filename: str) -> tuple[int, str]:
        name = Path(filename).stem
        return (ORDER.index(name) if name in ORDER else len(ORDER), name)


def as_html(chart: alt.TopLevelMixin) -> str:
    """A chart as a figure of the page; its text has the page's colour, light or dark."""
    spec = script_json(chart.to_dict())
    name = f"chart-{next(_numbers)}"
    return (
        f'<div class="chart" id="{name}"></div><script>document.addEventListener("DOMContentLoaded", () => '
        f'stxChart("{name}", {spec}));</script>'
    )


def thumbnail(block, block_vars, gallery_conf) -> str:
    """Saves the last chart of a tutorial as its picture in the gallery; the page itself has the interactive chart."""
    chart = block_vars["example_globals"].get("___")
    if isinstance(chart, alt.TopLevelMixin):
        if isinstance(chart, alt.VConcatChart) and "params" not in chart.to_dict():
            # Of charts below each other the first: all of them would be too small to be made out. Those that share a
            # slider stay together: one alone would not know the frame.
            chart = styled(chart.vconcat[0].copy(), chart.vconcat[0].title)
        chart.save(next(block_vars["image_path_iterator"]), scale_factor=1.5)
    return ""


def _get_sg_image_scraper():
    """sphinx-gallery calls this name to get a module's scraper."""
    return thumbnail


def write_script(app) -> None:
    """Writes Vega, Vega-Lite, vega-embed and the player as one file of the site: pages load nothing from elsewhere."""
    import vl_convert

    version = ".".join(alt.SCHEMA_VERSION.removeprefix("v").split(".")[:2])
    folder = Path(app.outdir) / "_static"
    folder.mkdir(parents=True, exist_ok=True)
    draw = player() + Path(__file__).with_name("charts.js").read_text("utf-8")
    script = vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;", vl_version=version)
    # In its own scope: the bundle's short names clash with those of the site's other scripts.
    (folder / SCRIPT).write_text(f"(() => {{{script}\n}})();\n{draw}", "utf-8")
    (folder / STYLE).write_text(chart_style(), "utf-8")


def only_where_needed(app, pagename, templatename, context, doctree) -> None:
    """Adds the script, which is large, and its styles to tutorials alone."""
    if pagename.startswith("tutorials/"):
        app.add_js_file(SCRIPT)
        app.add_css_file(STYLE)


def setup(app):
    alt.TopLevelMixin._repr_html_ = as_html  # type: ignore[method-assign]  # altair's own loads its scripts from a network
    app.connect("builder-inited", write_script)
    app.connect("html-page-context", only_where_needed)
    return {"parallel_read_safe": True}
