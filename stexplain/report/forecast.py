"""The report of an experiment on forecasters."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from stexplain.report import sections
from stexplain.report.figures import figure_html, place
from stexplain.report.forecast_summary import ahead, forecast_summary
from stexplain.report.html import number, paragraph, percent, table

PLACES = {
    "errors": ("errors", "training"),
    "events": ("event",),
    "deletion": ("deletion", "masking"),
    "localisation": ("localisation",),
}
"""Section -> how the ids of its figures start."""
OVER = {"nodes": "sensors", "frames": "lags", "positions": "sensors × lags"}


def contents(folder: Path, results: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    """The sections of the report of models that forecast: key, title and content of each."""
    runs: Mapping[str, Any] = results.get("runs") or {}
    dataset: Mapping[str, Any] = results.get("dataset") or {}
    placed = place(results.get("figures") or [], PLACES)
    drawn = {key: "".join(figure_html(folder, figure) for figure in found) for key, found in placed.items()}
    return [
        ("summary", "In short", forecast_summary(results)),
        ("errors", "How far off are the forecasts?", errors(runs, dataset) + drawn["errors"]),
        ("events", "Slowdowns, explained", events(runs, dataset) + drawn["events"]),
        (
            "deletion",
            "Does replacing what was highlighted move the forecast?",
            deletion(runs, dataset) + masking(runs, dataset) + drawn["deletion"],
        ),
        ("localisation", "Is the planted cause found?", sections.localisation(runs, OVER) + drawn["localisation"]),
        ("reach", "How much of it lies at other sensors?", reach(runs)),
        ("tables", "Tables", sections.csv_tables(folder, results)),
        ("more", "More figures", drawn["more"]),
        ("data", "The data", data(dataset)),
        ("provenance", "Provenance", sections.provenance(results)),
    ]


def errors(runs: Mapping[str, Any], dataset: Mapping[str, Any]) -> str:
    """Errors at the horizons asked for, of the model, the same without its graph, and the baselines."""
    unit = str(dataset.get("unit") or "")
    parts = []
    for name, run in runs.items():
        body = [
            [
                str(run.get("model_title") or name) if method == "model" else method,
                ahead(step, dataset),
                *(_error(found, measure, step) for measure in ("mae", "rmse")),
                _error(found, "mape", step),
                number((run.get("differences") or {}).get(method, {}).get(str(step))),
            ]
            for method, found in (run.get("errors") or {}).items()
            for step in run.get("horizons") or ()
        ]
        head = [
            "forecast by",
            "ahead",
            f"MAE, {unit}",
            f"RMSE, {unit}",
            "MAPE, %",
            "MAE above the model's (95% interval)",
        ]
        title = str(run.get("model_title") or name)
        parts.append(table(head, body, caption=f"Errors on the test part: {title}"))
        if run.get("recipe_summary"):
            parts.append(paragraph(f"Recipe {run['recipe']}: {run['recipe_summary']}"))
    if not parts:
        return paragraph("No forecast was evaluated in this run.")
    drawn = next((str(run["drawn"]) for run in runs.values() if run.get("drawn")), "blocks of time")
    words = paragraph(
        "Errors are over all observed readings of the test part, which lies after the training part in time. "
        "Persistence repeats the last reading, the historical average is that of the training part at that time of the "
        f"week. Intervals are by a bootstrap over {drawn}, as neighbouring windows share readings."
    )
    return words + "".join(parts)


def events(runs: Mapping[str, Any], dataset: Mapping[str, Any]) -> str:
    """Which events were explained, and how they were chosen."""
    unit = str(dataset.get("unit") or "")
    parts = []
    for run in runs.values():
        found = run.get("events")
        if not found:
            continue
        parts.append(paragraph(str(found["rule"])))
        body = [
            [
                event["target"],
                event.get("start"),
                ahead(event["horizon"], dataset),
                *(f"{event[key]:.1f}" for key in ("before", "observed", "forecast", "usual")),
            ]
            for event in found.get("explained") or ()
        ]
        head = ["sensor", "window begins", "ahead"]
        head += [f"before, {unit}", f"came, {unit}", f"forecast, {unit}", f"usual, {unit}"]
        parts.append(table(head, body[:12], caption=_counted(len(body), 12)))
    return "".join(parts) or paragraph("No slowdown was explained in this run.")


def deletion(runs: Mapping[str, Any], dataset: Mapping[str, Any]) -> str:
    """How far the forecast moves as readings are replaced, beside orders drawn at random."""
    unit = str(dataset.get("unit") or "")
    parts = []
    for name, run in runs.items():
        body = [
            [method, curve, *(number(found.get(which)) for which in ("explained", "random", "gain"))]
            for method, curves in (run.get("deletion") or {}).items()
            for curve, found in curves.items()
        ]
        if body:
            head = ["method", "curve", f"mean change, {unit}", "random order", "gain over random"]
            parts.append(table(head, body, caption=str(run.get("model_title") or name)))
    if not parts:
        return paragraph("Deletion and insertion were not measured in this run.")
    words = paragraph(
        "Readings are replaced by what is usual at their sensor at that time of day, in the order in which a method "
        "ranks them (deletion), or all are replaced and come back in that order (insertion). The change is how far the "
        "forecast is from that of the unaltered window, averaged over the way. Deletion: more is better; insertion: "
        "less is better. The gain is how much better the method's order is than one drawn at random."
    )
    return words + "".join(parts)


def masking(runs: Mapping[str, Any], dataset: Mapping[str, Any]) -> str:
    """The error of the explained forecasts with whole sensors hidden, beside the least important and random ones."""
    unit = str(dataset.get("unit") or "")
    parts = []
    for name, run in runs.items():
        body = [
            [method, *(number(sets[which]["error"][-1]) for which in ("highlighted", "random", "least"))]
            for method, sets in (run.get("masking") or {}).items()
        ]
        if body:
            first = next(iter(run["masking"].values()))["highlighted"]["error"][0]
            head = [
                "method",
                f"error, {unit}, without those ranked first",
                "without as many at random",
                "without the last",
            ]
            caption = f"{run.get('model_title') or name}; with all sensors the error is {number(first)} {unit}"
            parts.append(paragraph(f"And with {run['masked_nodes']} whole sensors set to what is usual:"))
            parts.append(table(head, body, caption=caption))
    return "".join(parts)


def reach(runs: Mapping[str, Any]) -> str:
    """The share of importance that lies at sensors other than the one that is forecast."""
    body = [[method, number(score)] for run in runs.values() for method, score in (run.get("elsewhere") or {}).items()]
    if not body:
        return ""
    words = paragraph(
        "The share of a map's absolute values that lies at sensors other than the one whose forecast is explained. Of "
        "gradients of the model without its graph it would be 0."
    )
    return words + table(["method", "share elsewhere"], body, caption="Importance at other sensors")


def data(dataset: Mapping[str, Any]) -> str:
    """What was read, and how it was split."""
    facts = [
        [words, dataset.get(key)]
        for key, words in (
            ("nodes", "sensors"),
            ("edges", "edges"),
            ("frames", "frames"),
            ("begins", "from"),
            ("ends", "to"),
            ("minutes", "minutes from frame to frame"),
            ("window", "frames that the model sees"),
            ("horizon", "frames that it forecasts"),
        )
    ]
    facts += [[f"windows for {part}", count] for part, count in (dataset.get("windows") or {}).items()]
    if dataset.get("missing") is not None:
        facts.append(["readings that are missing", percent(dataset["missing"])])
    return table(["what", "value"], [fact for fact in facts if fact[1] is not None], kind="facts")


def _counted(there: int, shown: int) -> str:
    return (
        f"The {there} explained"
        if there <= shown
        else f"{shown} of the {there} explained; all of them are under Tables"
    )


def _at(values: Any, step: int) -> float | None:
    return None if not values or len(values) < step else values[step - 1]


def _error(found: Mapping[str, Any], measure: str, step: int) -> str:
    value = _at(found.get(measure), step)
    return "–" if value is None else f"{value:.2f}"
