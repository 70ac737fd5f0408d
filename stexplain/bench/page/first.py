"""The first screen of a report: one figure that answers its question, a line per verdict, how far to trust it."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from stexplain.bench.figures import figure_html, moves
from stexplain.bench.html import folded, items, paragraph, text
from stexplain.bench.run import FORECASTING
from stexplain.bench.stage import RunResults, Stage

MARKS = {"supported": ("yes", "✓"), "not supported": ("no", "✗"), "inconclusive": ("open", "?")}
"""Verdict -> the CSS class and the sign that it is shown with."""
TESTED = (
    "A claim is supported where chance alone would show as much in less than 5% of cases, by tests that were "
    "fixed before any run. Tests are two-sided and paired, over groups of samples that are not independent. All tests "
    "behind the verdicts of this report are one family: Holm's method divides the 5% among claims, Hochberg's what a "
    "claim has among its tests. Each better, worse or more of a verdict is covered; what is not shown is not shown to "
    "be equal. tests.csv, under Tables, has them all. What is said of one training need not hold for another; of "
    "several, both the trainings and the samples must show it."
)
ENOUGH = 5
"""So many trainings may show something: with n of them Student's t test of their means has n - 1 degrees of freedom."""


def answering(folder: Path, results: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The figure of the first screen: the first that is said to answer the question, else the first that moves."""
    figures = results.get("figures") or []
    marked = [figure for figure in figures if figure.get("answers")]
    return next(iter(marked), None) or next((figure for figure in figures if moves(folder, figure)), None)


def first_screen(
    folder: Path,
    results: Mapping[str, Any],
    runs: Sequence[RunResults],
    stages: Sequence[Stage[Any]],
    figure: Mapping[str, Any] | None,
) -> str:
    """All of it but the question, which is the heading of the page."""
    drawn = "" if figure is None else f'<div class="answer">{figure_html(folder, figure, autoplay=True, level=2)}</div>'
    verdicts = (
        f'<div class="card"><h2 id="verdicts-h">Verdicts</h2>{verdict_lines(results.get("verdicts") or [], runs)}</div>'
    )
    trust = f'<div class="card"><h2>How far to trust it</h2>{_trust(results, runs, stages)}</div>'
    setup = f'<div class="card"><h2>What was done</h2>{_setup(results, runs)}</div>'
    return (
        f'<div class="first{"" if drawn else " alone"}">{drawn}<div class="lines">{verdicts}{trust}{setup}</div></div>'
    )


def verdict_lines(verdicts: Sequence[Mapping[str, Any]], runs: Sequence[RunResults]) -> str:
    """A line per claim; of several runs, a line per run below each claim."""
    if not verdicts:
        return paragraph("Nothing was measured that could support a claim.")
    labels = {run.name: run.label for run in runs}
    claims: dict[str, list[Mapping[str, Any]]] = {}
    for verdict in verdicts:
        # Results of an earlier version have the sentence alone.
        claims.setdefault(str(verdict.get("claim") or verdict["text"]), []).append(verdict)
    lines = []
    for claim, found in claims.items():
        # One run needs no name.
        if len(labels) < 2:
            lines += [_line(each, claim, _number(each)) for each in found]
            continue
        agreed = len({each["verdict"] for each in found}) == 1
        named = [(each, str(labels.get(str(each.get("run")), each.get("run")))) for each in found]
        of_runs = "".join(
            _of_run(each, label) if agreed else _line(each, label, _number(each)) for each, label in named
        )
        below = f'<ul class="verdicts">{of_runs}</ul>'
        # A verdict that all runs share is said once.
        lines.append(
            _line(found[0], claim, "", below) if agreed else f'<li class="claim"><p>{text(claim)}</p>{below}</li>'
        )
    return f'<ul class="verdicts">{"".join(lines)}</ul>'


def _number(verdict: Mapping[str, Any]) -> str:
    return str(verdict.get("number") or "")


def _of_run(verdict: Mapping[str, Any], label: str) -> str:
    number = _number(verdict)
    return f"<li>{text(label)}{f': <span class=soft>{text(number)}</span>' if number else ''}</li>"


def _line(verdict: Mapping[str, Any], words: str, number: str, below: str = "") -> str:
    # Colour, sign and word say the same: one of the three reaches every reader.
    kind, mark = MARKS[verdict["verdict"]]
    # The colon is for those who hear the line, or copy it.
    shown = f': <span class="soft">{text(number)}</span>' if number else ""
    return (
        f'<li class="{kind}"><span class="mark" aria-hidden="true">{mark}</span>'
        f'<div><b class="word">{text(str(verdict["verdict"]).capitalize())}.</b> {text(words)}{shown}{below}</div></li>'
    )


def claim_sentences(verdicts: Sequence[Mapping[str, Any]], runs: Sequence[RunResults]) -> str:
    """The verdicts of a section: in one line each, and in full sentences, folded."""
    if not verdicts:
        return ""
    if not any(verdict.get("claim") for verdict in verdicts):
        return _sentences(verdicts, runs)
    return verdict_lines(verdicts, runs) + folded("In full", _sentences(verdicts, runs))


def _sentences(verdicts: Sequence[Mapping[str, Any]], runs: Sequence[RunResults]) -> str:
    labels = {run.name: run.label for run in runs}
    several = len({verdict.get("run") for verdict in verdicts}) > 1
    shown = []
    for each in verdicts:
        name = str(each.get("run"))
        shown.append(_line(each, f"{labels.get(name, name)}: {each['text']}" if several else str(each["text"]), ""))
    return f'<ul class="verdicts">{"".join(shown)}</ul>'


def _trust(results: Mapping[str, Any], runs: Sequence[RunResults], stages: Sequence[Stage[Any]]) -> str:
    lines = []
    for stage in stages:
        of_stage = [run for run in runs if stage.name in run.stages]
        lines += list(stage.trust(of_stage)) if of_stage else []
    datasets = (results.get("datasets") or {}).values()
    # First: what follows is computed of it.
    lines[:0] = [
        f"Implausible data, {dataset.get('title') or 'dataset'}: {text}."
        for dataset in datasets
        for text in dataset.get("implausible") or ()
    ]
    node = runs[0].node if runs else "node"
    if runs and all(len(run.trainings) == 1 for run in runs):
        lines.append(f"Each model was trained once: another seed may lead to a model that uses other {node}s.")
    elif (most := max((len(run.trainings) for run in runs), default=0)) and most < ENOUGH:
        lines.append(
            f"Each model was trained {most} times only. A claim over trainings must hold for others too, and a test "
            "over so few can hardly show it, however large the difference: train "
            f"{ENOUGH} times or more (--seeds {ENOUGH})."
        )
    if any(dataset.get("planted") for dataset in datasets):
        lines.append("Accuracy and errors on synthetic data say nothing about real data.")
    if not all(dataset.get("planted") for dataset in datasets):
        lines.append(f"Real data has no ground truth: masking tells whether {node}s matter to the model, no more.")
    lines.append("An explanation says what this model uses, not what causes the outcome in the world.")
    more: list[str] = []
    for stage in stages:
        more += stage.caveats([run for run in runs if stage.name in run.stages])
    # Stages and runs may share a limitation: each is listed once.
    more = list(dict.fromkeys(more))
    rest = folded(f"{len(more)} more limitation{'s' if len(more) > 1 else ''}", items(more)) if more else ""
    how = folded("How claims are tested", paragraph(TESTED)) if results.get("verdicts") else ""
    return items(lines) + rest + how


def _setup(results: Mapping[str, Any], runs: Sequence[RunResults]) -> str:
    """The data and the models, in short; what each run is, folded."""
    lines = []
    for name, dataset in (results.get("datasets") or {}).items():
        synthetic = "synthetic " if dataset.get("planted") else ""
        size = f": {dataset['samples']:,} {synthetic}samples" if dataset.get("samples") else ""
        if dataset.get("nodes") and dataset.get("frames"):
            size = f": {dataset['frames']:,} {synthetic}observations at each of {dataset['nodes']:,} sensors"
        truth = " The ground truth is known." if synthetic else ""
        lines.append(f"{dataset.get('title') or name}{size}.{truth}")
    trained = f"{len(runs)} model{'s were' if len(runs) != 1 else ' was'} trained and explained" if runs else ""
    # All runs have as many, as one call asks for them.
    seeds = max((len(run.trainings) for run in runs), default=1)
    trained += f", {'each ' if len(runs) > 1 else ''}{seeds} times from different seeds" if seeds > 1 else ""
    lines += [f"{trained}."] if trained else []
    for run in runs:
        if run.about.get("task") == FORECASTING and run.dataset.get("window"):
            lines.append(
                f"{run.label} reads the last {run.minutes(run.dataset['window'])} at every sensor and forecasts the "
                f"next {run.minutes(run.dataset['horizon'])}."
            )
    # Elsewhere runs go by their names: here is what they are.
    named = [f"{run.label} is {run.description}." for run in runs if run.label != run.description]
    return items(lines) + (folded("What each run is", items(named)) if named else "")
