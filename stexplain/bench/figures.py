"""The figures of a run: saved as charts that open anywhere, and drawn into the report by one script."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from stexplain.bench.html import folded, text
from stexplain.files import read_json
from stexplain.reading import is_there
from stexplain.viz import save
from stexplain.viz.page import script_json
from stexplain.viz.playing import play_of

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

    def add(
        self,
        name: str,
        title: str,
        caption: str,
        chart: Any,
        still: Any = None,
        *,
        narrow: Any = None,
        hint: str = "",
        answers: bool = False,
    ) -> None:
        """Saves a chart.

        Args:
            name: of this figure among those of the stage and run; may be empty.
            title: in the report.
            caption: what is shown, of which data.
            chart: the chart, interactive where it can be.
            still: what PNG and SVG show, where a picture on paper must differ from the interactive chart.
            narrow: what the report shows on a phone, where the chart is too wide for it.
            hint: what a reader can do with the chart; said on a screen, not on paper.
            answers: whether it answers the experiment's question: the first such figure opens the report.
        """
        # A run's name may hold slashes, which a file's name may not.
        key = "-".join(filter(None, [self.stage, re.sub(r"[^\w.-]+", "-", self.run), name]))
        if self.synthetic:
            title = _of_synthetic(title)
            for each in (chart, still, narrow):
                if getattr(getattr(each, "title", None), "text", None):
                    each.title.text = _of_synthetic(str(each.title.text))
        files = {}
        for ending in FORMATS:
            # A slider or a tooltip is worth nothing on paper.
            shown = chart if ending in ("json", "html") or still is None else still
            path = save(shown, self.folder / "figures" / f"{key}.{ending}")
            # Relative, so that the run folder can be moved.
            files[ending] = path.relative_to(self.folder).as_posix()
        if narrow is not None:
            path = save(narrow, self.folder / "figures" / f"{key}-narrow.json")
            files["narrow"] = path.relative_to(self.folder).as_posix()
        self.records.append(
            {"id": key, "stage": self.stage, "run": self.run, "title": title, "caption": caption, **files}
            | ({"hint": hint} if hint else {})
            | ({"answers": True} if answers else {})
        )


def _of_synthetic(title: str) -> str:
    """A title that names generated data as such.

    Example:
        >>> _of_synthetic("Confusion matrix"), _of_synthetic("As Fig. 2, on synthetic data: importance")
        ('Confusion matrix (synthetic data)', 'As Fig. 2, on synthetic data: importance')
    """
    return title if "synthetic" in title else f"{title} (synthetic data)"


def figure_html(folder: Path, figure: Mapping[str, Any], *, autoplay: bool = False, level: int = 3) -> str:
    """A figure with its heading, how to read it, and its caption.

    The chart's own title becomes text of the page: it then wraps on a narrow screen and is read aloud.

    Args:
        folder: of the experiment's run.
        figure: as `Figures` records it.
        autoplay: whether a chart that plays starts at once.
        level: of the heading, one below that of what the figure stands in.

    Raises:
        DataError: where the specification is there but is not JSON.
    """
    name, file = str(figure.get("id")), str(figure.get("json"))
    title, caption = str(figure.get("title") or name), str(figure.get("caption") or "")
    spec = _spec(folder, file)
    if spec is None:
        return f"<figure><h{level}>{text(title)}</h{level}><p>{text(file)} is missing from the run folder.</p></figure>"
    # The heading above says the title; the subtitle says how to read the chart.
    chart_title = spec.pop("title", None)
    how, notes = _how(_lines(chart_title.get("subtitle"))) if isinstance(chart_title, dict) else ("", "")
    key = text(f"chart-{name}")
    scripts, attributes = f'<script type="application/json" id="{key}">{script_json(spec)}</script>', ""
    if figure.get("narrow") and (narrow := _spec(folder, str(figure["narrow"]))) is not None:
        narrow.pop("title", None)
        scripts += f'<script type="application/json" id="{key}-narrow">{script_json(narrow)}</script>'
        attributes += f' data-narrow="{key}-narrow"'
    attributes += ' data-autoplay="yes"' if autoplay else ""
    hint = f' <span class="screen">{text(figure["hint"])}</span>' if figure.get("hint") else ""
    return (
        f'<figure aria-labelledby="{key}-title"><h{level} id="{key}-title">{text(title)}</h{level}>'
        + (f'<p class="how">{_on_screen(text(how))}</p>' if how else "")
        + f'<div class="chart" data-chart="{key}"{attributes} role="group" aria-label="{text(caption or title)}"></div>'
        + (f"<figcaption>{text(caption)}{hint}</figcaption>" if caption or hint else "")
        + (folded("Notes on this explanation", f"<p>{text(notes)}</p>") if notes else "")
        + f"{scripts}</figure>"
    )


def _on_screen(how: str) -> str:
    """What is said of a slider is for a screen: on paper there is none.

    Example:
        >>> _on_screen("Orange: raised it. The slider goes back in time.")
        'Orange: raised it.<span class="screen"> The slider goes back in time.</span>'
    """
    return re.sub(r"(?:^|(?<=[.] )|(?<=[.]))[^.]*\bslider\b[^.]*[.]", r'<span class="screen">\g<0></span>', how)


def moves(folder: Path, figure: Mapping[str, Any]) -> bool:
    """Whether a figure plays."""
    spec = _spec(folder, str(figure.get("json")))
    return spec is not None and play_of(spec) is not None


def _spec(folder: Path, file: str) -> dict[str, Any] | None:
    """The specification of a chart; none where its file is missing."""
    path = folder / file
    if not is_there(path):
        return None
    spec: dict[str, Any] = read_json(path)
    return spec


def _lines(value: Any) -> list[str]:
    return [] if value is None else [value] if isinstance(value, str) else [str(line) for line in value]


def _how(lines: Sequence[str]) -> tuple[str, str]:
    """How to read a chart, and the notes of the explanation that it shows, which come last.

    Example:
        >>> _how(["Brighter: more", "important.", "Note: The layer", "    has no nodes."])
        ('Brighter: more important.', 'Note: The layer has no nodes.')
    """
    first = next((number for number, line in enumerate(lines) if line.startswith("Note: ")), len(lines))
    return " ".join(lines[:first]), " ".join(line.strip() for line in lines[first:])
