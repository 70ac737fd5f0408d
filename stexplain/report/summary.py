"""The top of the report, for a reader who knows neither the method nor the data."""

from collections.abc import Mapping, Sequence
from typing import Any

from stexplain.report.html import items, paragraph, percent, text
from stexplain.report.verdicts import Verdict, run_label, verdicts

_MARKS = {True: ("yes", "✓", "Holds"), False: ("no", "✗", "Does not hold"), None: ("open", "?", "Open")}
_SHOWN = 3
"""Nodes named per class in the summary."""


def summary(results: Mapping[str, Any]) -> str:
    """What was asked, how accurate the model is, what decided, whether that holds up, and what to keep in mind."""
    runs: Mapping[str, Any] = results.get("runs") or {}
    return cards(
        _asked(results, runs),
        ("How often the model is right", _accuracy(runs)),
        _decided(runs),
        results.get("verdicts") or verdicts(runs),
        caveats(results, runs),
    )


def _asked(results: Mapping[str, Any], runs: Mapping[str, Any]) -> str:
    dataset = results.get("dataset") or {}
    question = results.get("question") or "Which nodes, and when, made a trained network decide as it did?"
    what = f"Data: {dataset.get('title') or dataset.get('name') or 'not named'}"
    if dataset.get("clips") is not None:
        what += f", {dataset['clips']:,} samples"
    made = (
        "The data is generated, with a known cause in every sample, so that explanations can be checked against it."
        if dataset.get("planted")
        else ""
    )
    nodes = "A node is one point that is measured over time, such as a joint of a body or a sensor on a road."
    trained = f"{len(runs)} network{'s were' if len(runs) != 1 else ' was'} trained and explained." if runs else ""
    return paragraph(question) + paragraph(what + ".", made, trained, nodes)


def _accuracy(runs: Mapping[str, Any]) -> str:
    lines = []
    for name, run in runs.items():
        accuracy = run.get("accuracy") or {}
        if accuracy.get("value") is None:
            continue
        line = f"{run_label(name, run)}: right in {percent(accuracy['value'])}"
        line += f" of {run['test']:,} test samples" if run.get("test") is not None else " of the test samples"
        if accuracy.get("low") is not None and accuracy.get("high") is not None:
            line += f" (95% interval {percent(accuracy['low'])} to {percent(accuracy['high'])})"
        classes = run.get("classes") or 0
        line += f"; guessing among {classes} classes would be right in {percent(1 / classes)}" if classes > 1 else ""
        lines.append(line + ".")
    if not lines:
        return paragraph("No accuracy was measured in this run.")
    return items(lines) + paragraph("The test samples were not used in training.")


def _decided(runs: Mapping[str, Any]) -> str:
    name, run = next(((name, run) for name, run in runs.items() if run.get("top_nodes")), (None, None))
    if name is None or run is None:
        return paragraph("No explanation was computed in this run.")
    rows = []
    for label, ranked in run["top_nodes"].items():
        nodes = [str(node) for node, *_ in ranked[:_SHOWN]]
        said = listed(nodes) if nodes else "no correctly classified sample, so nothing can be said"
        rows.append(f"<li><b>{text(label)}</b>: {text(said)}</li>")
    intro = (
        "The nodes that spoke most for each class, in order, averaged over the samples that "
        f"{run_label(name, run)} got right:"
    )
    return paragraph(intro) + f'<ul class="columns">{"".join(rows)}</ul>'


def held_up(judged: Sequence[Verdict]) -> str:
    """The verdicts as a list whose entries say whether they hold."""
    if not judged:
        return paragraph("Nothing was measured that could tell.")
    rows = []
    for verdict in judged:
        kind, mark, word = _MARKS[verdict.get("holds")]
        rows.append(
            f'<li class="{kind}"><span class="mark" aria-hidden="true">{mark}</span>'
            f'<span><b class="word">{word}.</b> {text(verdict["text"])}</span></li>'
        )
    return f'<ul class="verdicts">{"".join(rows)}</ul>'


def cards(asked: str, right: tuple[str, str], decided: str, judged: Sequence[Verdict], mind: Sequence[str]) -> str:
    """The cards at the top of a report.

    Args:
        asked: what was asked, as HTML.
        right: how good the model is: a heading, and HTML.
        decided: what decided, as HTML.
        judged: whether it holds up.
        mind: what to keep in mind, as plain text.
    """
    parts = [
        f"<div class=card><h3>What was asked</h3>{asked}</div>",
        f"<div class=card><h3>{text(right[0])}</h3>{right[1]}</div>",
        f"<div class='card full'><h3>What decided</h3>{decided}</div>",
        f"<div class='card full'><h3>Does the explanation hold up?</h3>{held_up(judged)}</div>",
        f"<div class='card full'><h3>To keep in mind</h3>{items(mind)}</div>",
    ]
    return '<div class="cards">' + "".join(parts) + "</div>"


def caveats(results: Mapping[str, Any], runs: Mapping[str, Any]) -> list[str]:
    """What limits the conclusions of this run, as far as its numbers tell."""
    dataset = results.get("dataset") or {}
    lines = [
        "An explanation says what this network used, not what causes the class in the world.",
        "One seed was run: another training of the same network may use other nodes.",
    ]
    if dataset.get("planted"):
        lines.append("The data is generated: its accuracy says nothing about recordings of real scenes.")
    else:
        lines.append("Nobody knows the true cause here: masking tells whether nodes matter to the network, no more.")
    lines.append(
        "What a hidden node is replaced by changes the result of masking: compare the baselines before trusting one."
    )
    recipes = {str(run["recipe"]) for run in runs.values() if run.get("recipe")}
    if recipes and any(run.get("paper") for run in runs.values()):
        lines.append(
            f"The paper's numbers stand beside ours for orientation: data, recipe ({listed(sorted(recipes))}) "
            "or both may differ from the paper's."
        )
    constant = sum(int((run.get("contrastivity") or {}).get("constant") or 0) for run in runs.values())
    if constant:
        lines.append(f"{constant} classes have the same importance at every node and are left out of contrastivity.")
    padded = max((float(run.get("padding_share") or 0.0) for run in runs.values()), default=0.0)
    if padded > 0.05:
        lines.append(f"Up to {percent(padded)} of the importance lay on padding or absent instances and was set aside.")
    return lines


def listed(names: list[str]) -> str:
    """Names as a sentence lists them.

    Example:
        >>> listed(["hand", "wrist", "elbow"])
        'hand, wrist and elbow'
    """
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}" if names else ""
