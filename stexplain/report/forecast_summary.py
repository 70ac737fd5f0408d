"""The top of the report of a forecaster, for a reader who knows neither the method nor the data."""

from collections.abc import Mapping
from typing import Any

from stexplain.report.forecast_verdicts import BASELINES, forecast_verdicts
from stexplain.report.html import items, paragraph, percent
from stexplain.report.summary import cards, listed
from stexplain.report.verdicts import Verdict

_SHOWN = 4
"""Readings named per event in the summary."""
INCOMPLETE = 0.05
"""The share of a change that a map may miss before the summary says so."""


def forecast_summary(results: Mapping[str, Any]) -> str:
    """What was asked, how far off forecasts are, what made one slowdown expected, and whether that holds up."""
    runs: Mapping[str, Any] = results.get("runs") or {}
    dataset: Mapping[str, Any] = results.get("dataset") or {}
    judged: list[Verdict] = results.get("verdicts") or [
        verdict
        for run in runs.values()
        for verdict in forecast_verdicts(run, unit=str(dataset.get("unit") or ""), minutes=_minutes(dataset))
    ]
    return cards(
        _asked(results, dataset),
        ("How far off the forecasts are", _errors(runs, dataset)),
        _decided(runs, dataset),
        judged,
        _caveats(runs, dataset, judged),
    )


def ahead(step: int, dataset: Mapping[str, Any]) -> str:
    """A step of the horizon as time.

    Example:
        >>> ahead(6, {"minutes": 5})
        '30 min'
    """
    return f"{_minutes(dataset) * int(step):g} min"


def _minutes(dataset: Mapping[str, Any]) -> float:
    return float(dataset.get("minutes") or 5)


def _asked(results: Mapping[str, Any], dataset: Mapping[str, Any]) -> str:
    question = results.get("question") or "Which sensors, and when, made the network expect a slowdown?"
    what = f"Data: {dataset.get('title') or dataset.get('name') or 'not named'}"
    if dataset.get("nodes"):
        what += f", {dataset['nodes']:,} sensors"
    if dataset.get("frames"):
        what += f", {dataset['frames']:,} readings each"
    made = (
        "The data is generated: it is known which sensors, and when, caused each slowdown, so that explanations can be "
        "checked against it."
        if dataset.get("planted")
        else ""
    )
    seen = ""
    if dataset.get("window") and dataset.get("horizon"):
        seen = (
            f"The network sees the last {ahead(dataset['window'], dataset)} at every sensor and forecasts the next "
            f"{ahead(dataset['horizon'], dataset)}."
        )
    return paragraph(str(question)) + paragraph(what + ".", made, seen)


def _errors(runs: Mapping[str, Any], dataset: Mapping[str, Any]) -> str:
    lines = []
    for name, run in runs.items():
        errors: Mapping[str, Any] = run.get("errors") or {}
        for step in run.get("horizons") or ():
            told = [
                f"{_named(method, run, name)} {found['mae'][step - 1]:.2f}"
                for method, found in errors.items()
                if found.get("mae") and found["mae"][step - 1] is not None
            ]
            if told:
                lines.append(f"{ahead(step, dataset)} ahead: {', '.join(told)} {dataset.get('unit') or ''}.")
    if not lines:
        return paragraph("No forecast was evaluated in this run.")
    return paragraph("Mean absolute error on the test part, which was not used in training:") + items(lines)


def _named(method: str, run: Mapping[str, Any], name: str) -> str:
    return str(run.get("model_title") or name) if method == "model" else method


def _decided(runs: Mapping[str, Any], dataset: Mapping[str, Any]) -> str:
    lines, unit = [], str(dataset.get("unit") or "")
    method = ""
    for run in runs.values():
        for event in (run.get("events") or {}).get("shown") or ():
            method = str(event["method"])
            when = f", window from {event['start']}" if event.get("start") else ""
            readings = [_reading(each, unit, _minutes(dataset)) for each in event["readings"][:_SHOWN]]
            lines.append(
                f"Sensor {event['target']}{when}: {ahead(event['horizon'], dataset)} ahead the network expects "
                f"{event['forecast']:.0f} {unit} where {event['usual']:.0f} are usual at that time of day "
                f"({event['observed']:.0f} came). What lowered it most: {listed(readings) or 'nothing'}."
            )
    if not lines:
        return paragraph("No slowdown was explained in this run.")
    return paragraph(f"By {method}, in {unit} of the forecast:") + items(lines)


def _reading(each: Mapping[str, Any], unit: str, minutes: float) -> str:
    ago = minutes * each["frames_before"]
    when = f"{ago:g} min before the last reading" if ago else "at the last reading"
    return f"{each['node']} {when} ({each['value']:+.1f} {unit})"


def _caveats(runs: Mapping[str, Any], dataset: Mapping[str, Any], judged: list[Verdict]) -> list[str]:
    lines = [
        "An explanation says what this network used, not what causes congestion on the road.",
        "One seed was run: another training of the same network may use other sensors.",
    ]
    if dataset.get("planted"):
        lines.append("The data is generated: its errors say nothing about real roads.")
    else:
        lines.append("Nobody knows the true cause here: replacing readings tells what moves the forecast, no more.")
        days = dataset.get("days")
        if days and days < 60:
            lines.append(
                f"{days:.0f} days are little data: errors vary with which days are tested, the historical average has "
                "few days to average over, and weekly rhythm cannot be learnt. Compare with the baselines beside them "
                "and not with published errors on months of data."
            )
    if any(verdict["holds"] is not True and any(name in verdict["text"] for name in BASELINES) for verdict in judged):
        lines.append(
            "A network that does not beat a baseline is not worth explaining: read the maps with that in mind."
        )
    for run in runs.values():
        found = run.get("events") or {}
        if found.get("found") and found.get("foreseen") is not None:
            lines.append(
                f"Of {found['found']} slowdowns, the network foresaw {found['foreseen']}; only those are explained, as "
                "a forecast that misses a slowdown cannot be explained by its cause."
            )
        lines += [
            f"Maps by {method} miss the change of the forecast that they should sum to by {percent(gap['value'])} of "
            "it on average: more steps on the way from usual readings would make them more exact."
            for method, gap in (run.get("incomplete") or {}).items()
            if gap.get("value") is not None and gap["value"] > INCOMPLETE
        ]
    lines.append(
        "What a replaced reading becomes changes the result: here, what is usual at that sensor and time of day."
    )
    return lines
