"""Charts whose own `save`, `to_html` and display need no network, and write names as text.

Altair's pages load their scripts from a network, and a name such as ``</script>`` in the data ends its script there.
The charts of this package are altair's, with these three methods in place of altair's own.
"""

import json
from pathlib import Path
from typing import Any

import altair as alt

from stexplain.checking.words import CONTROL
from stexplain.explainers.results.pictures import picture
from stexplain.files import atomic_write
from stexplain.viz.page import as_text, page_of

_PLAIN = {"scale_factor", "engine", "override_data_transformer"}
"""What altair's `save` takes for other formats: of a page it changes nothing."""
_FROM_A_NETWORK = ("vega_version", "vegalite_version", "vegaembed_version")


class _Encoder(json.JSONEncoder):
    """JSON that is safe inside a script element."""

    def encode(self, o: Any) -> str:
        return as_text(super().encode(o))


class OwnSaving:
    """Altair's chart, which saves and shows itself offline."""

    def to_dict(self, *args: Any, **options: Any) -> dict[str, Any]:
        """The chart's specification; control characters, which end what draws it, become a mark for what is unknown."""
        found: dict[str, Any] = super().to_dict(*args, **options)  # type: ignore[misc]  # of altair's chart
        # The whole alone has a schema: its parts are looked through with it.
        return _drawable(found) if "$schema" in found else found

    def save(self, fp: Any, format: str | None = None, **options: Any) -> None:
        """Writes the chart, as altair does; a page is that of `stexplain.viz.save`, which needs no network.

        Args:
            fp: a path, or an open file.
            format: ``"html"``, ``"png"``, ``"svg"``, ``"pdf"`` or ``"json"``; by default the ending of `fp`.
            **options: of altair's `save`. A page with options of its own, such as ``embed_options``, is altair's with
                the scripts inside, without a play button; ``inline=False`` is altair's that loads them from a network.
        """
        kind = format or (Path(fp).suffix[1:].lower() if isinstance(fp, str | Path) else None)
        given = {name for name, value in options.items() if value is not None and name not in _PLAIN}
        if kind != "html":
            super().save(fp, format, **options)  # type: ignore[misc]  # of altair's chart
        elif given <= {"inline"} and options.get("inline", True):
            page = page_of(self.to_dict())
            if isinstance(fp, str | Path):
                with atomic_write(Path(fp)) as temporary:
                    temporary.write_text(page, "utf-8")
            else:
                fp.write(page)
        else:
            super().save(fp, "html", **_safe(options))  # type: ignore[misc]  # of altair's chart

    def to_html(self, **options: Any) -> str:
        """The chart as a page of altair's, with the scripts inside.

        Args:
            **options: of altair's `to_html`; ``inline=False`` loads the scripts from a network.
        """
        if {"base_url", "requirejs"} & set(options):
            options.setdefault("inline", False)
        return str(super().to_html(**_safe(options)))  # type: ignore[misc]  # of altair's chart

    def _repr_mimebundle_(self, *args: Any, **options: Any) -> Any:
        """What a notebook shows: altair's, above which a still picture stands until the scripts are there."""
        if alt.renderers.active not in _PAGES:
            return super()._repr_mimebundle_(*args, **options)  # type: ignore[misc]  # of altair's chart
        renderer: Any = alt.renderers.get()
        shown = renderer(self.to_dict(), json_kwds={"cls": _Encoder})
        still = picture(self, "chart")  # type: ignore[arg-type]  # it is one of altair's
        return {**shown, "text/html": _NOTEBOOK.format(still=still, altair=shown["text/html"])}


_PAGES = ("default", "html", "colab", "kaggle", "zeppelin")
"""Altair's ways to show a chart that write markup."""
_NOTEBOOK = """<div class="stexplain-chart"><style>
.stexplain-chart:has(.vega-embed canvas, .vega-embed svg.marks) > .still {{ display: none; }}
.stexplain-chart .error {{ display: none; }}
</style><div class="still">{still}</div>{altair}</div>"""


def _drawable(value: Any) -> Any:
    """The same with other text where it holds control characters."""
    if isinstance(value, str):
        return CONTROL.sub("\ufffd", value)
    if isinstance(value, dict):
        return {_drawable(key): _drawable(one) for key, one in value.items()}
    return [_drawable(one) for one in value] if isinstance(value, list) else value


def _safe(options: dict[str, Any]) -> dict[str, Any]:
    """Altair's options, with its scripts inside and names as text where nothing else is given."""
    inline = not any(options.get(name) for name in _FROM_A_NETWORK)
    return {
        **options,
        "inline": options.get("inline", inline),
        "json_kwds": {"cls": _Encoder, **(options.get("json_kwds") or {})},
    }


class Chart(OwnSaving, alt.Chart):  # type: ignore[misc]  # options of altair's by name
    """Altair's, which saves itself offline."""


class LayerChart(OwnSaving, alt.LayerChart):  # type: ignore[misc]  # options of altair's by name
    """Altair's, which saves itself offline."""


class VConcatChart(OwnSaving, alt.VConcatChart):  # type: ignore[misc]  # options of altair's by name
    """Altair's, which saves itself offline."""


class HConcatChart(OwnSaving, alt.HConcatChart):  # type: ignore[misc]  # options of altair's by name
    """Altair's, which saves itself offline."""


class FacetChart(OwnSaving, alt.FacetChart):  # type: ignore[misc]  # options of altair's by name
    """Altair's, which saves itself offline."""


class ConcatChart(OwnSaving, alt.ConcatChart):  # type: ignore[misc]  # options of altair's by name
    """Altair's, which saves itself offline."""


_OWN = {kind.__name__: kind for kind in (Chart, LayerChart, VConcatChart, HConcatChart, FacetChart, ConcatChart)}


def saves_itself(chart: Any) -> None:
    """Gives a chart of altair's its class of this module; the chart stays the same object."""
    own = _OWN.get(type(chart).__name__)
    if own is not None and not isinstance(chart, OwnSaving):
        # Altair takes an assignment for a part of the specification.
        object.__setattr__(chart, "__class__", own)
