"""Whether a forecaster is worth explaining, and whether its explanations hold up, as numbers and intervals say."""

from collections.abc import Mapping
from typing import Any

from stexplain.report.verdicts import CONTROLS, Verdict, beyond, known, together

BASELINES = ("persistence", "historical average")
"""Forecasts that learn nothing of the roads; a model that does not beat them is not worth explaining."""
FEWEST = 10
"""Of fewer explained slowdowns nothing is said to hold."""
OVER = {"nodes": "which sensors", "frames": "how long before"}


def forecast_verdicts(run: Mapping[str, Any], *, unit: str = "mph", minutes: float = 5.0) -> list[Verdict]:
    """Judges one run of a ``results.json`` of the kind forecast.

    Something holds only beyond the intervals: a difference whose interval does not reach zero, or two intervals that do
    not overlap. What is asked: are the forecasts better than persistence and than the historical average; does the
    model use its graph; does each explainer find the planted cause better than Motion and Random; does replacing what
    it ranks first move the forecast more than replacing readings at random; does hiding the sensors that it ranks
    first cost the forecast more than hiding others? Of fewer than 10 explained slowdowns, the last three are left open.

    Args:
        run: one of the ``runs``.
        unit: of the forecasts.
        minutes: from one step of the horizon to the next.

    Example:
        >>> gain = {"value": 0.5, "low": 0.2, "high": 0.8}
        >>> run = {"model_title": "STGCN", "differences": {"persistence": {"3": gain}}}
        >>> forecast_verdicts(run)[0]["text"]
        'STGCN forecasts better than persistence (its mean error is 0.50 mph lower 15 min ahead).'
    """
    name = str(run.get("model_title") or run.get("model") or "the model")
    differences: Mapping[str, Any] = run.get("differences") or {}
    found = [_better(name, other, differences.get(other) or {}, unit, minutes) for other in BASELINES]
    found.append(_graph(name, differences.get("without its graph") or {}, unit, minutes))
    scored = [_finds(method, run["localisation"]) for method in _explainers(run.get("localisation"))]
    scored.append(_moves(run.get("deletion") or {}, unit))
    scored.append(_hides(run.get("masking") or {}, int(run.get("masked_nodes") or 0), unit))
    count = len((run.get("events") or {}).get("explained") or range(FEWEST))
    found += scored if count >= FEWEST else [_of_few(verdict, count) for verdict in scored if verdict]
    return [verdict for verdict in found if verdict is not None]


def _of_few(verdict: Verdict, count: int) -> Verdict:
    """Intervals of a handful of samples are too narrow, and of one sample nothing at all."""
    few = f"Only {count} slowdown{'s were' if count > 1 else ' was'} explained, which is too few to tell."
    return {"text": f"{verdict['text']} {few}", "holds": None}


def _better(name: str, other: str, by_horizon: Mapping[str, Any], unit: str, minutes: float) -> Verdict | None:
    signs, told = _told(by_horizon, unit, minutes)
    if not signs:
        return None
    holds = together(signs)
    says = {True: "better than", False: "worse than", None: "only in part better than"}[holds]
    if holds is None and max(signs) <= 0:
        says = "no better than"
    return {"text": f"{name} forecasts {says} {other} ({told}).", "holds": holds}


def _graph(name: str, by_horizon: Mapping[str, Any], unit: str, minutes: float) -> Verdict | None:
    signs, told = _told(by_horizon, unit, minutes, more="higher", less="lower")
    if not signs:
        return None
    if min(signs) > 0:
        return {"text": f"{name} uses its graph: trained without it, {told}.", "holds": True}
    distrust = "what an explanation says of a sensor's neighbours is to be distrusted"
    if max(signs) > 0:
        return {
            "text": f"{name} gains from its graph at some horizons only: trained without it, {told}. "
            f"Elsewhere {distrust}.",
            "holds": None,
        }
    return {
        "text": f"{name} does not gain from its graph: trained without it, {told}. So {distrust}.",
        "holds": False,
    }


def _told(
    by_horizon: Mapping[str, Any], unit: str, minutes: float, more: str = "lower", less: str = "higher"
) -> tuple[list[int], str]:
    """At each horizon 1 where the difference lies above zero, -1 where below, else 0; and all in words."""
    signs: list[int] = []
    words: list[str] = []
    for step, score in by_horizon.items():
        if step.isdigit() and known(score):
            signs.append(beyond(score, {"low": 0.0, "high": 0.0}))
            way = more if score["value"] >= 0 else less
            sure = "" if signs[-1] else ", which may be chance"
            words.append(f"{abs(score['value']):.2f} {unit} {way} {minutes * int(step):g} min ahead{sure}")
    return signs, f"its mean error is {'; '.join(words)}"


def _explainers(localisation: Mapping[str, Any] | None) -> list[str]:
    return [method for method in localisation or {} if method not in CONTROLS]


def _finds(method: str, localisation: Mapping[str, Any]) -> Verdict | None:
    signs: dict[str, list[int]] = {}
    told: list[str] = []
    for over, words in OVER.items():
        ours = localisation[method].get(over, {}).get("auroc")
        others = {control: localisation.get(control, {}).get(over, {}).get("auroc") for control in CONTROLS}
        if not known(ours) or not all(known(score) for score in others.values()):
            continue
        for control, theirs in others.items():
            signs.setdefault(control, []).append(beyond(ours, theirs))
        against = " and ".join(f"{theirs['value']:.2f}" for theirs in others.values())
        told.append(f"{words} {ours['value']:.2f} against {against}")
    if not signs:
        return None
    judged = {control: together(found) for control, found in signs.items()}
    nowhere = [control for control, found in signs.items() if max(found) <= 0]
    holds = True if all(judged.values()) else False if nowhere else None
    ways = {
        "better than": [control for control, better in judged.items() if better],
        "only in part better than": [c for c, better in judged.items() if not better and c not in nowhere],
        "no better than": nowhere,
    }
    says = " and ".join(f"{way} {' and '.join(controls)}" for way, controls in ways.items() if controls)
    against = " and ".join(signs)
    return {
        "text": f"{method} finds the planted cause {says} (AUROC against {against}: {'; '.join(told)}).",
        "holds": holds,
    }


def _moves(deletion: Mapping[str, Any], unit: str) -> Verdict | None:
    told: dict[bool, list[str]] = {True: [], False: []}
    for method, found in _judged(deletion):
        words = f"{method} {found['explained']['value']:.2f} against {found['random']['value']:.2f}"
        told[found["gain"]["low"] > 0].append(words)
    if not any(told.values()):
        return None
    holds = True if not told[False] else False if not told[True] else None
    first = "replacing what is ranked first moves the forecast more than replacing readings at random"
    says = {
        True: f"For every explainer, {first} ({'; '.join(told[True])}",
        False: f"For no explainer, {first} ({'; '.join(told[False])}",
        None: f"For some explainers only, {first} ({'; '.join(told[True])}; but not {'; '.join(told[False])}",
    }[holds]
    text = f"{says}: mean change in {unit} on the way to all replaced)."
    motion: Mapping[str, Any] = ((deletion.get("Motion") or {}).get("deletion") or {}).get("explained") or {}
    if known(motion):
        above = [name for name, curves in _judged(deletion) if beyond(curves["explained"], motion) > 0]
        whom = " and ".join(above) if above else "none of them"
        text += f" Beyond Motion, which asks no model ({motion['value']:.2f}): {whom}."
        if holds and len(above) < len(told[True]):
            holds = None
    return {"text": text, "holds": holds}


def _hides(masking: Mapping[str, Any], nodes: int, unit: str) -> Verdict | None:
    def error(method: str, which: str) -> Mapping[str, Any]:
        found: Mapping[str, Any] = masking[method][which]["error"][-1]
        return found

    told: dict[bool, list[str]] = {True: [], False: []}
    for method in masking:
        if method in CONTROLS:
            continue
        ours, others = error(method, "highlighted"), [error(method, "random")]
        others += [error(control, "highlighted") for control in CONTROLS if control in masking]
        if not all(known(score) for score in (ours, *others)):
            continue
        against = " and ".join(f"{score['value']:.2f}" for score in others)
        told[all(beyond(ours, score) > 0 for score in others)].append(f"{method} {ours['value']:.2f} against {against}")
    if not any(told.values()):
        return None
    holds = True if not told[False] else False if not told[True] else None
    names = ["as many at random", *(f"those that {control} ranks first" for control in CONTROLS if control in masking)]
    first = f"hiding the {nodes} sensors that it ranks first costs the forecast more than hiding {' or '.join(names)}"
    said = "; ".join(told[True] or told[False])
    lost = f"; but not {'; '.join(told[False])}" if holds is None else ""
    whom = {True: "For every explainer", False: "For no explainer", None: "For some explainers only"}[holds]
    return {"text": f"{whom}, {first} ({said}{lost}: error in {unit}).", "holds": holds}


def _judged(deletion: Mapping[str, Any]) -> list[tuple[str, Mapping[str, Any]]]:
    """The deletion of every explainer that is no control and was measured."""
    found = [(method, curves.get("deletion") or {}) for method, curves in deletion.items() if method not in CONTROLS]
    return [(method, curves) for method, curves in found if known(curves.get("gain"))]
