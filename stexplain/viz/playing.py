"""Charts that play: which signal a play button moves, from where to where, and how fast."""

import math
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
        still: what is said of the picture where nothing can move, as on paper; empty: nothing.
    """

    signal: str
    stops: list[float]
    rate: float
    still: str


def plays(chart: Any, signal: str, stops: Sequence[float], *, seconds: float | None = None, opens: str = "") -> None:
    """Notes in a chart what its play button moves; Vega itself ignores the note.

    Args:
        chart: of which a parameter is moved.
        signal: the parameter's signal.
        stops: its values, in order.
        seconds: how long the clip lasts, its last stop included; none: not known. Where it is known the chart plays in
            real time; of more than `FASTEST` stops a second every second one is shown, or fewer. What lasts less than a
            second plays at `FASTEST` at most.
        opens: the time at which the chart opens, in words, where that is the time of greatest importance.

    Example:
        >>> import altair as alt
        >>> chart = alt.Chart().mark_point()
        >>> plays(chart, "at", [0, 1, 2, 3, 4, 5, 6, 7, 8, 9])
        >>> play_of(chart.to_dict(validate=False))
        {'signal': 'at', 'stops': [0, 1, 2, 3, 4, 5, 6, 7, 8, 9], 'rate': 2.0, 'still': ''}
    """
    count, rate = len(stops), len(stops) / (seconds or SECONDS)
    if seconds and seconds >= 1:
        # Not slowed down: a clip of 120 frames a second would last four times as long. In less than a second nothing is
        # seen.
        every = math.ceil(rate / FASTEST - 1e-6)
        stops, rate = stops[:: max(every, 1)], rate / max(every, 1)
    rate = min(max(rate, SLOWEST), FASTEST)
    # Of one picture there is no other.
    still = ""
    if opens and len(stops) > 1:
        shown = f"all {count}" if len(stops) == count else f"{len(stops)} of {count}"
        still = f"On paper: {opens}, where importance is greatest. On a screen {shown} times play."
    chart.usermeta = {"play": Play(signal=signal, stops=list(stops), rate=round(rate, 3), still=still)}


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
