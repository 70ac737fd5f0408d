"""The figures of a run: saved as charts that open anywhere, and drawn into the report by one script."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from stexplain.bench.html import text
from stexplain.files import read_json
from stexplain.viz import save
from stexplain.viz.page import script_json

FORMATS = ("json", "html", "png", "svg")


class Figures:
    """Saves the charts of one stage of one run under `figures/`, and keeps what the report needs to know of them.

    Args:
        folder: of the experiment's run.
        stage: whose figures they are.
        run: of which run.
        synthetic: whether its data was generated: titles then say so, as a picture may be seen without its report.
    """

    def __init__(self, folder: Path, stage: str, run: str, *, synthetic: bool = False) -> None:
        self.folder, self.stage, self.run, self.synthetic = folder, stage, run, synthetic
        self.records: list[dict[str, Any]] = []

    def add(self, name: str, title: str, caption: str, chart: Any, still: Any = None) -> None:
        """Saves a chart.

        Args:
            name: of this figure among those of the stage and run; may be empty.
            title: in the report.
            caption: what is shown, of which data.
            chart: the chart, interactive where it can be.
            still: what PNG and SVG show, where a picture on paper must differ from the interactive chart.
        """
        # A run's name may hold slashes, which a file's name may not.
        key = "-".join(filter(None, [self.stage, re.sub(r"[^\w.-]+", "-", self.run), name]))
        if self.synthetic:
            title = _of_synthetic(title)
            for each in (chart, still):
                if getattr(getattr(each, "title", None), "text", None):
                    each.title.text = _of_synthetic(str(each.title.text))
        files = {}
        for ending in FORMATS:
            # A slider or a tooltip is worth nothing on paper.
            shown = chart if ending in ("json", "html") or still is None else still
            path = save(shown, self.folder / "figures" / f"{key}.{ending}")
            # Relative, so that the run folder can be moved.
            files[ending] = path.relative_to(self.folder).as_posix()
        self.records.append(
            {"id": key, "stage": self.stage, "run": self.run, "title": title, "caption": caption, **files}
        )


def _of_synthetic(title: str) -> str:
    """A title that names generated data as such.

    Example:
        >>> _of_synthetic("Confusion matrix"), _of_synthetic("As Fig. 2, on synthetic data: importance")
        ('Confusion matrix (synthetic data)', 'As Fig. 2, on synthetic data: importance')
    """
    return title if "synthetic" in title else f"{title} (synthetic data)"


def figure_html(folder: Path, figure: Mapping[str, Any]) -> str:
    """A figure with its heading, how to read it, and its caption.

    The chart's own title becomes text of the page: it then wraps on a narrow screen and is read aloud.

    Raises:
        DataError: where the specification is there but is not JSON.
    """
    name, file = str(figure.get("id")), str(figure.get("json"))
    path = folder / file
    title, caption = str(figure.get("title") or name), str(figure.get("caption") or "")
    if not path.is_file():
        return f"<figure><h3>{text(title)}</h3><p>{text(file)} is missing from the run folder.</p></figure>"
    spec = read_json(path)
    # The heading above says the title; the subtitle says how to read the chart.
    chart_title = spec.pop("title", None)
    how = " ".join(_lines(chart_title.get("subtitle"))) if isinstance(chart_title, dict) else ""
    key = text(f"chart-{name}")
    return (
        f'<figure aria-labelledby="{key}-title"><h3 id="{key}-title">{text(title)}</h3>'
        + (f'<p class="how">{text(how)}</p>' if how else "")
        + f'<div class="chart" data-chart="{key}" role="group" aria-label="{text(caption or title)}"></div>'
        + (f"<figcaption>{text(caption)}</figcaption>" if caption else "")
        + f'<script type="application/json" id="{key}">{script_json(spec)}</script></figure>'
    )


def _lines(value: Any) -> list[str]:
    return [] if value is None else [value] if isinstance(value, str) else [str(line) for line in value]
