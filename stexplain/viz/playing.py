"""Charts that play: which signal a play button moves, from where to where, and how fast."""

from collections.abc import Mapping, Sequence
from typing import Any, TypedDict

SECONDS = 5.0
"""How long a clip plays at normal speed, where its frame rate is not known."""
SLOWEST, FASTEST = 1.5, 30.0
"""Frames a second at normal speed: slower is no movement, faster is not seen."""


class Play(TypedDict):
    """What moves a chart.

    Attributes:
        signal: the name of the Vega signal that a button steps through.
        stops: its values, in order.
        rate: how many a second, at normal speed.
    """

    signal: str
    stops: list[float]
    rate: float


def plays(chart: Any, signal: str, stops: Sequence[float], *, seconds: float | None = None) -> None:
    """Notes in a chart what its play button moves; Vega itself ignores the note.

    Args:
        chart: of which a parameter is moved.
        signal: the parameter's signal.
        stops: its values, in order.
        seconds: how long the clip lasts; none: not known.

    Example:
        >>> import altair as alt
        >>> chart = alt.Chart().mark_point()
        >>> plays(chart, "at", [0, 1, 2, 3, 4, 5, 6, 7, 8, 9])
        >>> play_of(chart.to_dict(validate=False))
        {'signal': 'at', 'stops': [0, 1, 2, 3, 4, 5, 6, 7, 8, 9], 'rate': 2.0}
    """
    rate = min(max(len(stops) / (seconds or SECONDS), SLOWEST), FASTEST)
    chart.usermeta = {"play": Play(signal=signal, stops=list(stops), rate=round(rate, 3))}


def play_of(spec: Mapping[str, Any]) -> Play | None:
    """What moves the chart of a specification; none where it stands still."""
    noted: Play | None = (spec.get("usermeta") or {}).get("play")
    return noted


def at_stop(spec: Mapping[str, Any], stop: float) -> dict[str, Any]:
    """The specification of a chart that plays, opened at another stop.

    Example:
        >>> spec = {"params": [{"name": "at", "value": 0}], "usermeta": {"play": {"signal": "at"}}}
        >>> at_stop(spec, 3)["params"]
        [{'name': 'at', 'value': 3}]
    """
    play = play_of(spec)
    assert play is not None
    params = []
    for param in spec["params"]:
        if param["name"] == play["signal"]:
            param = {**param, "value": stop}
        elif f"{param['name']}_{_field(param)}" == play["signal"]:
            # A selection's signal has the name of its field.
            param = {**param, "value": [{_field(param): stop}]}
        params.append(param)
    return {**spec, "params": params}


def _field(param: Mapping[str, Any]) -> str:
    select = param.get("select")
    fields = select.get("fields") if isinstance(select, dict) else None
    return str(fields[0]) if fields else ""
