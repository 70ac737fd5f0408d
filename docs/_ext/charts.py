"""Altair charts in executed examples: drawn offline, by the script that is written beside the pages once."""

import json
from itertools import count
from pathlib import Path

import altair as alt

SCRIPT = "vega.js"
_numbers = count()


def as_html(chart: alt.TopLevelMixin) -> str:
    """A chart as a figure of the page. It takes the page's colour for its text, in the light as in the dark."""
    spec = json.dumps(chart.to_dict()).replace("</", "<\\/")
    name = f"chart-{next(_numbers)}"
    return (
        f'<div class="stx-chart" id="{name}"></div><script>document.addEventListener("DOMContentLoaded", () => '
        f'stxChart("{name}", {spec}));</script>'
    )


def thumbnail(block, block_vars, gallery_conf) -> str:
    """Keeps the last chart of an example as the picture by which the gallery shows it; the page has the chart."""
    chart = block_vars["example_globals"].get("___")
    if isinstance(chart, alt.TopLevelMixin):
        chart.save(next(block_vars["image_path_iterator"]), scale_factor=1.5)
    return ""


def _get_sg_image_scraper():
    """The name by which sphinx-gallery asks this module for its scraper."""
    return thumbnail


def write_script(app) -> None:
    """Vega, Vega-Lite and vega-embed as one file of the site: nothing is loaded from elsewhere."""
    import vl_convert

    version = ".".join(alt.SCHEMA_VERSION.removeprefix("v").split(".")[:2])
    folder = Path(app.outdir) / "_static"
    folder.mkdir(parents=True, exist_ok=True)
    draw = Path(__file__).with_name("charts.js").read_text("utf-8")
    script = vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;", vl_version=version)
    # In a scope of its own: the bundle's short names clash with those of the site's other scripts.
    (folder / SCRIPT).write_text(f"(() => {{{script}\n}})();\n{draw}", "utf-8")


def only_where_needed(app, pagename, templatename, context, doctree) -> None:
    """Adds the script, which is large, to the pages that were run."""
    if pagename.startswith("tutorials/"):
        app.add_js_file(SCRIPT)


def setup(app):
    alt.TopLevelMixin._repr_html_ = as_html  # type: ignore[method-assign]  # what a notebook shows needs a network
    app.connect("builder-inited", write_script)
    app.connect("html-page-context", only_where_needed)
    return {"parallel_read_safe": True}
