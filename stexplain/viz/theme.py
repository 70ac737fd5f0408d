"""The look of every chart (palettes, text sizes, titles), and data embedded in charts.

Colour-blind readers can tell the colours apart: Okabe and Ito's set for categories, viridis for magnitudes, blue-orange
centred on zero for signed values. Text and lines keep Vega's default colour unless a page overrides it, so that one
chart serves a light page, a dark page and paper.
"""

import json
from collections.abc import Sequence
from textwrap import wrap
from typing import Any, TypeVar, cast

import altair as alt
import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from stexplain.viz.directions import isolated
from stexplain.viz.own_saving import saves_itself

# Okabe & Ito (2008), without black (invisible on a dark page) and yellow (invisible on a white one).
CATEGORIES = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
MUTED = "#8c8c8c"
"""Grey for bones, edges, baselines and reference lines: visible on black and on white."""
SEQUENTIAL = "viridis"
DIVERGING = "blueorange"

AnyChart = TypeVar("AnyChart", bound=alt.TopLevelMixin)


def rows(table: pd.DataFrame) -> alt.InlineData:
    """Embeds a table in a chart, in full; NaN becomes null.

    Altair refuses a data frame of more than 5,000 rows unless a global switch is set. It does not count inline data, so
    no global state is touched.

    Args:
        table: any number of rows; columns of numbers, strings, or lists of them.

    Example:
        >>> rows(pd.DataFrame({"a": [1.0, float("nan")]})).values
        [{'a': 1.0}, {'a': None}]
    """
    # pandas counts decimals, not digits: with its default of 10 an importance of 1e-8 would keep two digits.
    text = table.to_json(orient="records", double_precision=15)
    return alt.InlineData(values=json.loads(text or "[]"))


def short(values: ArrayLike, digits: int = 5) -> list[Any]:
    """Nested lists of numbers rounded to significant digits, which make the chart of a clip several times smaller.

    Example:
        >>> short(np.array([[0.123456789, 1234.56789]]))
        [[0.12346, 1234.6]]
    """
    array = np.asarray(values, dtype=np.float64)
    flat = [float(f"{value:.{digits}g}") if np.isfinite(value) else None for value in array.ravel()]
    # dtype object, so that None stays None and is written as null.
    shaped = np.empty(len(flat), dtype=object)
    shaped[:] = flat
    nested: list[Any] = shaped.reshape(array.shape).tolist()
    return nested


HEAD_WIDTH = 76
"""Letters in a line of a title."""
NOTE_WIDTH = 90
"""Letters in a line of a note: Vega does not wrap titles."""


def layered(*charts: alt.Chart, data: alt.InlineData | None = None) -> alt.LayerChart:
    """Charts drawn over each other, with a precise type: `altair.layer` also takes facets and returns a union."""
    return cast(alt.LayerChart, alt.layer(*charts, data=alt.Undefined if data is None else data))


def literal(values: Sequence[str | int | float]) -> str:
    r"""A list as a literal of Vega's expression language; names with quotes are safe in it.

    Example:
        >>> literal(["hip", 'a "b"'])
        '["hip", "a \\"b\\""]'
    """
    return json.dumps(list(values))


def one_line(text: str) -> str:
    r"""A text of the caller's as the title of an axis, a legend or a tooltip.

    Vega-Lite writes these into expressions and escapes quotes alone: a new line, or a backslash before a quote, would
    end the text there.

    Example:
        >>> one_line('speed\n"a" \\ b')
        'speed "a" ⧵ b'
    """
    return isolated(" ".join(text.split()).replace("\\", "⧵"))


def titled(text: str, *subtitle: str) -> alt.TitleParams:
    """A title that says what is drawn, above lines that say how to read it; empty lines are left out."""
    # Line by line: a mark must not reach into the next.
    lines = [isolated(line) for line in subtitle if line]
    # Vega does not wrap titles: a long one, as of a sensor with a long name, would make the chart wider.
    head: str | list[str] = (
        [isolated(line) for line in wrap(text, HEAD_WIDTH)] if len(text) > HEAD_WIDTH else isolated(text)
    )
    return alt.TitleParams(text=head, subtitle=lines) if lines else alt.TitleParams(text=head)


def noted(notes: Sequence[str], width: int = NOTE_WIDTH) -> list[str]:
    """The notes of an explanation as lines below a title: what a reader must know about a map belongs to its chart.

    Example:
        >>> noted(["The layer has no nodes."])
        ['Note: The layer has no nodes.']
    """
    said = (f"Note: {note}" for note in notes)
    return [line for note in said for line in wrap(note, width, subsequent_indent="    ")]


def in_words(title: alt.TitleParams, seen: str = "") -> str:
    """The title, its lines and what is seen, as sentences.

    Example:
        >>> in_words(titled("Deletion", "Lower is better."), "Random is best.")
        'Deletion. Lower is better. Random is best.'
    """
    lines = title.subtitle if isinstance(title.subtitle, list) else []
    head = (" ".join(map(str, title.text)) if isinstance(title.text, list) else str(title.text)).strip()
    # Lines are cut where they are wide, not where a sentence ends.
    return " ".join(" ".join([head if head.endswith((".", "?", "!")) else f"{head}.", *map(str, lines), seen]).split())


def styled(chart: AnyChart, title: alt.TitleParams, seen: str = "") -> AnyChart:
    """The finished chart: with its title, text sizes and quiet axes. It saves itself offline, as `save` does.

    Altair refuses a chart with a configuration inside another chart. Set ``chart.config = alt.Undefined`` before you
    concatenate finished charts.

    Args:
        chart: of altair.
        title: what is drawn, and how to read it.
        seen: what a reader sees in it first, in a sentence, for those who do not see it; a screen reader says it after
            the title.
    """
    saves_itself(chart)
    chart.title = title  # type: ignore[attr-defined]  # every top-level chart has one
    chart.description = in_words(title, isolated(seen))  # type: ignore[attr-defined]  # every top-level chart has one
    chart.config = alt.Config(  # type: ignore[attr-defined]  # every top-level chart has one
        font="sans-serif",
        title=alt.TitleConfig(
            anchor="start", fontSize=16, subtitleFontSize=12.5, subtitlePadding=4, offset=12, frame="group"
        ),
        axis=alt.AxisConfig(
            labelFontSize=12, titleFontSize=12.5, titleFontWeight="normal", gridOpacity=0.35, labelSeparation=6
        ),
        header=alt.HeaderConfig(labelFontSize=12.5, titleFontSize=12.5, labelFontWeight="bold"),
        legend=alt.LegendConfig(
            labelFontSize=12, titleFontSize=12.5, titleFontWeight="normal", labelLimit=220, symbolStrokeColor=MUTED
        ),
        view=alt.ViewConfig(strokeOpacity=0.25),
        text=alt.MarkConfig(fontSize=12),
        range=alt.RangeConfig(category=list(CATEGORIES)),
    )
    return chart


def magnitude(values: ArrayLike, signed: bool | None = None) -> tuple[list[float], str]:
    """The colour domain and palette for values: from zero, or centred on zero where values have a sign.

    NaN is ignored. Where all values are zero, the domain is [0, 1], so that a scale exists.

    Args:
        values: to draw.
        signed: whether they have a sign, also where none happens to be negative; none: where some are.

    Example:
        >>> magnitude([0.0, 2.0])
        ([0.0, 2.0], 'viridis')
        >>> magnitude([-3.0, 2.0])
        ([-3.0, 3.0], 'blueorange')
        >>> magnitude([0.0, 2.0], signed=True)
        ([-2.0, 2.0], 'blueorange')
    """
    array = np.asarray(values, dtype=np.float64)
    finite = array[np.isfinite(array)]
    # `or 1.0`: a domain [0, 0] would have no scale.
    top = float(np.abs(finite).max(initial=0.0)) or 1.0
    if signed or (finite.size and float(finite.min()) < 0):
        return [-top, top], DIVERGING
    return [0.0, top], SEQUENTIAL


def colour_scale(values: ArrayLike, signed: bool | None = None, *, clamp: bool = False) -> alt.Scale:
    """The colour scale for values; see `magnitude`. With `clamp`, what lies beyond has the colour of the end."""
    domain, scheme = magnitude(values, signed)
    more: dict[str, Any] = {"clamp": True} if clamp else {}
    if domain[0] < 0:
        return alt.Scale(domain=domain, domainMid=0, scheme=scheme, **more)  # type: ignore[arg-type]  # altair lists the schemes' names; ours are two of them
    return alt.Scale(domain=domain, scheme=scheme, **more)  # type: ignore[arg-type]  # altair lists the schemes' names; ours are two of them


def beyond(values: ArrayLike, summed: ArrayLike) -> str:
    """What is said of a row of sums that would make all other rows pale: it goes beyond their colours; else empty.

    Example:
        >>> beyond([0.5, -1.0], [3.0, -7.25]), beyond([0.5, -1.0], [1.5])
        ('The last row goes beyond the colours, to -7.25.', '')
    """
    array, sums = (np.nan_to_num(np.asarray(each, np.float64)).ravel() for each in (values, summed))
    top = float(np.abs(array).max(initial=0.0))
    furthest = float(sums[np.abs(sums).argmax()]) if sums.size else 0.0
    return f"The last row goes beyond the colours, to {furthest:+.3g}." if top and abs(furthest) > 2 * top else ""


def in_powers(title: str, top: float, shape: str = ".3~r") -> tuple[str, str]:
    """The title of a scale with the power of ten of its numbers, where they need one, and Vega's expression for these.

    In steps of a thousand, as people say them; up to 0.001 to 9,999 there is none.

    Args:
        title: the name or unit of the values.
        top: the largest of them in size.
        shape: d3's format of a number.

    Example:
        >>> in_powers("importance", 2.7e-5)[0], in_powers("importance", 0.4)[0], in_powers("mph", 0.0)[0]
        ('importance, in 10⁻⁶', 'importance', 'mph')
    """
    power = 0 if top == 0 or 1e-3 <= top < 1e4 else 3 * int(np.floor(np.log10(top) / 3))
    words = f"{one_line(title)}, in 10{str(power).translate(_RAISED)}" if power else one_line(title)
    return words, f"datum.value === 0 ? '0' : format(datum.value * {10.0**-power!r}, '{shape}')"


def colour_legend(title: str, values: ArrayLike, signed: bool | None = None, **options: Any) -> alt.Legend:
    """The legend of `colour_scale`: its numbers reach both ends, and are short enough to read.

    Args:
        title: the name or unit of the values.
        values: those that the scale is for.
        signed: as for the scale.
        **options: of the legend, such as ``orient="bottom"``.

    Example:
        >>> legend = colour_legend("importance", [0.0, 2.7e-5])
        >>> legend.title, legend.values
        ('importance, in 10⁻⁶', [0.0, 1.35e-05, 2.7e-05])
    """
    domain, _ = magnitude(values, signed)
    top = domain[1]
    stops = [-top, 0.0, top] if domain[0] < 0 else [0.0, top / 2, top]
    shape = "+.3~r" if domain[0] < 0 else ".3~r"
    # d3 writes a plus before zero, too.
    words, text = in_powers(title, top, shape)
    more: dict[str, Any] = {"gradientLength": 140, **options}
    return alt.Legend(title=words, values=stops, labelExpr=text, labelOverlap=False, **more)


_RAISED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
BELOW: dict[str, Any] = {"orient": "bottom", "direction": "horizontal", "titleOrient": "left", "titleLimit": 260}
"""Options of a legend below the drawing: beside it, it would make the chart too wide for a phone."""
