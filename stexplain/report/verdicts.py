"""Whether an explanation holds up, in sentences that follow from the numbers and their intervals alone."""

from collections.abc import Mapping, Sequence
from typing import Any, TypedDict

CONTROLS = ("Motion", "Random")
_OVER = {"nodes": "which nodes", "frames": "when"}
_KNOWS = {
    "Motion": "Motion, which only sees how much each node moves",
    "Random": "Random, which guesses",
}


class Verdict(TypedDict):
    """A sentence and whether what it asks for holds: true, false, or null where the intervals leave it open."""

    text: str
    holds: bool | None


def verdicts(runs: Mapping[str, Mapping[str, Any]]) -> list[Verdict]:
    """Judges every run of a ``results.json``: does its explanation beat the controls, does masking confirm it?

    Something holds only beyond the intervals: where the explainer's interval lies above the control's, or the accuracy
    without the highlighted nodes below that without random ones. Where intervals overlap, the sentence says so and
    `holds` is none.

    Args:
        runs: the ``runs`` of a ``results.json``: name of the run -> its results.

    Returns:
        For each run at most one verdict per control, and one on masking.

    Example:
        >>> score = lambda value: {"auroc": {"value": value, "low": value - 0.02, "high": value + 0.02}}
        >>> run = {"localisation": {"STGGradCAM": {"nodes": score(0.9)}, "Random": {"nodes": score(0.5)}}}
        >>> verdicts({"xsub/stgcn10": run})[0]["holds"]
        True
    """
    found: list[Verdict] = []
    for name, run in runs.items():
        label = run_label(name, run)
        found += _against_controls(label, run.get("localisation") or {})
        found += _masking(label, run.get("faithfulness") or {})
    return found


def run_label(name: str, run: Mapping[str, Any]) -> str:
    """What a run is called in a sentence, such as "STGCN-10, cross-subject"."""
    model, protocol = run.get("model_title") or run.get("model"), run.get("protocol_title") or run.get("protocol")
    return f"{model}, {protocol}" if model and protocol else name


def explainer_of(localisation: Mapping[str, Any]) -> str | None:
    """The method that is judged: the first that is no control."""
    return next((method for method in localisation if method not in CONTROLS), None)


def _against_controls(label: str, localisation: Mapping[str, Any]) -> list[Verdict]:
    method = explainer_of(localisation)
    found: list[Verdict] = []
    for control in CONTROLS:
        if method is None or control not in localisation:
            continue
        signs: list[int] = []
        told: list[str] = []
        for over, words in _OVER.items():
            ours = localisation[method].get(over, {}).get("auroc")
            theirs = localisation[control].get(over, {}).get("auroc")
            if known(ours) and known(theirs):
                signs.append(beyond(ours, theirs))
                told.append(f"{words} {ours['value']:.2f} against {theirs['value']:.2f}")
        if not signs:
            continue
        holds = together(signs)
        says = {True: "is better than", False: "is worse than", None: "cannot be told from"}[holds]
        if holds is None and max(signs) > 0:
            says = "is only in part better than"
        found.append(
            {
                "text": f"{label}: at finding the planted truth, {method} {says} {_KNOWS[control]} "
                f"(AUROC: {'; '.join(told)}).",
                "holds": holds,
            }
        )
    return found


def _masking(label: str, faithfulness: Mapping[str, Any]) -> list[Verdict]:
    signs: list[int] = []
    told: list[str] = []
    for baseline, sets in faithfulness.items():
        highlighted, random = sets.get("highlighted"), sets.get("random")
        if not highlighted or not random:
            continue
        pairs = list(zip(highlighted["masking"], highlighted["accuracy"], random["accuracy"], strict=False))
        pairs = [pair for pair in pairs if known(pair[1]) and known(pair[2])]
        if not pairs:
            continue
        # At small masking nothing can differ yet; at the strongest everything may be at chance: any clear gap counts.
        gaps = [beyond(other, ours) for _, ours, other in pairs]
        signs.append(0 if max(gaps) > 0 > min(gaps) else max(gaps, key=abs))
        at, ours, other = max(pairs, key=lambda pair: abs(pair[2]["value"] - pair[1]["value"]))
        told.append(f"{baseline}: {ours['value']:.0%} against {other['value']:.0%} at masking {at:g}")
    if not signs:
        return []
    holds = together(signs)
    count = f"{sum(sign > 0 for sign in signs)} of {len(signs)}"
    says = {
        True: "hiding the highlighted nodes costs more accuracy than hiding random ones, whatever they are replaced by",
        False: "hiding the highlighted nodes costs less accuracy than hiding random ones",
        None: f"hiding the highlighted nodes clearly costs more than hiding random ones for {count} baselines",
    }[holds]
    return [{"text": f"{label}: {says} ({'; '.join(told)}).", "holds": holds}]


def known(score: Any) -> bool:
    """Whether a score has its value and both ends of its interval."""
    return isinstance(score, Mapping) and all(score.get(key) is not None for key in ("value", "low", "high"))


def beyond(ours: Mapping[str, float], theirs: Mapping[str, float]) -> int:
    """1 where our interval lies above theirs, -1 where below, 0 where they overlap."""
    return int(ours["low"] > theirs["high"]) - int(ours["high"] < theirs["low"])


def together(signs: Sequence[int]) -> bool | None:
    """True where all signs are 1, false where all are -1, else none."""
    return True if min(signs) > 0 else False if max(signs) < 0 else None
