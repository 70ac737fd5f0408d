"""From a run folder to its report: a summary for any reader, a section per stage, tables, and provenance."""

import csv
from collections.abc import Mapping, Sequence
from dataclasses import replace
from importlib.resources import files
from pathlib import Path
from string import Template
from typing import Any

from stexplain.bench.figures import figure_html
from stexplain.bench.html import count, items, listed, paragraph, percent, table, text
from stexplain.bench.records import read_results
from stexplain.bench.run import FORECASTING
from stexplain.bench.spread import spread_html
from stexplain.bench.stage import Card, RunResults, Stage
from stexplain.bench.stages import stage_types
from stexplain.cards.files import read_part
from stexplain.errors import DataError, suggest
from stexplain.files import atomic_write
from stexplain.viz.page import bundle, chart_style, player

MARKS = {"supported": ("yes", "✓"), "not supported": ("no", "✗"), "inconclusive": ("open", "?")}
"""Verdict -> the CSS class and the sign that it is shown with."""


def write_report(run_folder: Path | str) -> Path:
    """Writes `report.html` into a run folder, from the `results.json` there and the files that it names.

    The page holds all it needs: numbers, charts as data, and the script that draws them; it loads nothing.

    Args:
        run_folder: with ``results.json``; figures are Vega-Lite specifications, tables CSV, both named in it relative
            to the folder.

    Returns:
        The path of the page.

    Raises:
        DataError: where ``results.json`` or a figure is not readable, a stage is not known, or the page cannot be
            written.
    """
    folder = Path(run_folder)
    results, trainings = results_of(folder)
    runs = first_trainings(trainings)
    stages = stages_of(folder, results)
    sections = [("summary", "Summary", _summary(results, runs, stages))]
    for stage in stages:
        # An experiment may hold runs of both tasks; a stage shows those that it was computed on.
        runs_with_stage = [run for run in runs if stage.name in run.stages]
        drawn = "".join(
            figure_html(folder, figure) for figure in results.get("figures") or [] if figure.get("stage") == stage.name
        )
        # One run a card, whatever the number of its trainings; their spread stands below its numbers.
        words = stage.section(runs_with_stage) + spread_html(stage, runs_with_stage) if runs_with_stage else ""
        parts = [words, drawn]
        title = stage.title.format(node=results.get("node") or "node")
        sections.append((stage.name, title, "".join(reversed(parts) if stage.figures_first else parts)))
    sections += [
        ("tables", "Tables", _tables(folder, results)),
        ("data", "Data", _data(results)),
        ("provenance", "Provenance", _provenance(results, runs)),
    ]
    # A section without content is not listed in the contents either.
    shown = [section for section in sections if section[2]]
    # `Template`, as the page's CSS and JavaScript are full of braces.
    page = Template(files("stexplain.bench").joinpath("page.html").read_text("utf-8")).substitute(
        title=text(results.get("title") or "stexplain report"),
        lead=text(listed([_titled(name, dataset) for name, dataset in (results.get("datasets") or {}).items()])),
        contents="".join(f'<li><a href="#{key}">{text(title)}</a></li>' for key, title, _ in shown),
        main="".join(
            f'<section id="{key}" aria-labelledby="{key}-h"><h2 id="{key}-h">{text(title)}</h2>{content}</section>'
            for key, title, content in shown
        ),
        style=chart_style(),
        bundle=bundle(),
        player=player(),
    )
    # Nothing is loaded from elsewhere, so that the page opens offline and years from now.
    path = folder / "report.html"
    with atomic_write(path) as temporary:
        temporary.write_text(page, "utf-8")
    return path


def _titled(name: str, dataset: Mapping[str, Any]) -> str:
    """The title of a dataset, which says where it was generated."""
    return f"{dataset.get('title') or name}{' (synthetic data)' if dataset.get('planted') else ''}"


def results_of(folder: Path) -> tuple[dict[str, Any], list[RunResults]]:
    """The results of a run folder, as a whole and run by run."""
    results = read_results(folder)
    return results, run_results(results)


def run_results(results: Mapping[str, Any]) -> list[RunResults]:
    """What `results.json` holds of each run."""
    datasets = results.get("datasets") or {}
    return [
        RunResults(name, about, datasets.get(about.get("dataset")) or {}, str(results.get("node") or "node"))
        for name, about in (results.get("runs") or {}).items()
    ]


def first_trainings(runs: Sequence[RunResults]) -> list[RunResults]:
    """The first training of every run, which knows the others: what sections and verdicts are made of."""
    others: dict[str, list[RunResults]] = {}
    for run in runs:
        if first := run.about.get("first"):
            others.setdefault(str(first), []).append(run)
    return [replace(run, others=tuple(others.get(run.name, ()))) for run in runs if not run.about.get("first")]


def stages_of(folder: Path, results: Mapping[str, Any]) -> list[Stage[Any]]:
    """The stages of an experiment, as its results name them."""
    types, source, stages = stage_types(), folder / "results.json", []
    for name, options in (results.get("stages") or {}).items():
        if name not in types:
            raise DataError(f"{source}: there is no stage {name!r}. {suggest(name, types)}")
        # The options that the experiment had, and not those of today's file.
        stages.append(types[name](read_part(options, types[name].Options, source=source, at=f"stages.{name}")))
    return stages


def _summary(results: Mapping[str, Any], runs: Sequence[RunResults], stages: Sequence[Stage[Any]]) -> str:
    """The question, a card of each stage that has one, the evidence, and its limitations."""
    cards = [Card("Question", _question(results, runs))]
    for stage in stages:
        runs_with_stage = [run for run in runs if stage.name in run.stages]
        card = stage.summary(runs_with_stage) if runs_with_stage else None
        cards += [card] if card else []
    # Results first, then how far they can be trusted.
    cards.append(Card("Evidence", _evidence(results.get("verdicts") or [], runs), wide=True))
    cards.append(Card("Limitations", items(_caveats(results, runs, stages)), wide=True))
    shown = "".join(
        f'<div class="card{" full" if card.wide else ""}"><h3>{text(card.title)}</h3>{card.html}</div>'
        for card in cards
    )
    return f'<div class="cards">{shown}</div>'


def _question(results: Mapping[str, Any], runs: Sequence[RunResults]) -> str:
    lines = []
    for name, dataset in (results.get("datasets") or {}).items():
        synthetic = "synthetic " if dataset.get("planted") else ""
        size = f": {dataset['samples']:,} {synthetic}samples" if dataset.get("samples") else ""
        if dataset.get("nodes") and dataset.get("frames"):
            size = f": {dataset['frames']:,} {synthetic}observations at each of {dataset['nodes']:,} sensors"
        truth = "The ground truth is known." if synthetic else ""
        lines.append(paragraph(f"Data: {dataset.get('title') or name}{size}.", truth))
    trained = f"{len(runs)} model{'s were' if len(runs) != 1 else ' was'} trained and explained" if runs else ""
    # All runs have as many, as one call asks for them.
    seeds = max((len(run.trainings) for run in runs), default=1)
    trained += f", {'each ' if len(runs) > 1 else ''}{seeds} times from different seeds" if seeds > 1 else ""
    trained += "." if trained else ""
    for run in runs:
        if run.about.get("task") == FORECASTING and run.dataset.get("window"):
            trained += (
                f" {run.model} reads the last {run.minutes(run.dataset['window'])} at every sensor and forecasts "
            )
            trained += f"the next {run.minutes(run.dataset['horizon'])}."
    # Elsewhere runs go by their names: here is what they are.
    named = items(f"{run.label}: {run.description}" for run in runs if run.label != run.description) if runs else ""
    return paragraph(str(results.get("question") or "")) + "".join(lines) + paragraph(trained) + named


def _evidence(verdicts: Sequence[Mapping[str, Any]], runs: Sequence[RunResults]) -> str:
    """The verdicts, run by run."""
    if not verdicts:
        return paragraph("Nothing was measured that could support a claim.")
    labels = {run.name: run.label for run in runs}
    shown = [
        paragraph(
            "A claim is supported where chance alone would show as much in less than 5% of cases, by tests that were "
            "fixed before any run. Tests are paired, over groups of samples that are not independent, and corrected "
            "over all claims of this report by Holm's method; tests.csv, under Tables, has them all. What is said of "
            "one training need not hold for another."
        )
    ]
    # A dict keeps the order of the runs, which a set would not.
    for name in dict.fromkeys(verdict.get("run") for verdict in verdicts):
        rows = "".join(_claim(verdict) for verdict in verdicts if verdict.get("run") == name)
        # One run needs no name.
        heading = f"<h4>{text(labels.get(str(name), name))}</h4>" if len(labels) > 1 else ""
        shown.append(f'{heading}<ul class="verdicts">{rows}</ul>')
    return "".join(shown)


def _claim(verdict: Mapping[str, Any]) -> str:
    # Colour, sign and word say the same: one of the three reaches every reader.
    kind, mark = MARKS[verdict["verdict"]]
    return (
        f'<li class="{kind}"><span class="mark" aria-hidden="true">{mark}</span>'
        f'<span><b class="word">{text(str(verdict["verdict"]).capitalize())}.</b> {text(verdict["text"])}</span></li>'
    )


def _caveats(results: Mapping[str, Any], runs: Sequence[RunResults], stages: Sequence[Stage[Any]]) -> list[str]:
    datasets = (results.get("datasets") or {}).values()
    lines = ["An explanation says what this model uses, not what causes the outcome in the world."]
    if all(len(run.trainings) == 1 for run in runs):
        lines.append("Each model was trained once: another seed may lead to a model that uses other nodes.")
    if any(dataset.get("planted") for dataset in datasets):
        lines.append("Accuracy and errors on synthetic data say nothing about real data.")
    if not all(dataset.get("planted") for dataset in datasets):
        lines.append("Real data has no ground truth: masking tells whether nodes matter to the model, no more.")
    for stage in stages:
        # Stages and runs may share a limitation: each is listed once.
        lines += stage.caveats([run for run in runs if stage.name in run.stages])
    return list(dict.fromkeys(lines))


def _tables(folder: Path, results: Mapping[str, Any]) -> str:
    return "".join(
        _csv_table(folder / str(entry["file"]), str(entry.get("title") or name))
        for name, entry in (results.get("tables") or {}).items()
    )


def _csv_table(path: Path, caption: str) -> str:
    """A CSV file as it is, number by number."""
    if not path.is_file():
        return paragraph(f"{caption}: {path.name} is missing from the run folder.")
    with path.open(encoding="utf-8", newline="") as file:
        lines = list(csv.reader(file))
    if not lines:
        return paragraph(f"{caption}: {path.name} is empty.")
    full_table = table(lines[0], lines[1:], caption=caption)
    # Long tables would bury what follows; they lie beside the page as CSV, too.
    if len(lines) <= 25:
        return full_table
    return f"<details><summary>{text(caption)}: {len(lines) - 1} rows</summary>{full_table}</details>"


def _data(results: Mapping[str, Any]) -> str:
    """What was read, how it was split, and which samples were excluded."""
    parts = []
    for name, dataset in (results.get("datasets") or {}).items():
        facts = [
            [label, count(dataset[key]) if isinstance(dataset.get(key), int) else dataset.get(key)]
            # Recordings and series have different properties; those that a dataset lacks are dropped below.
            for key, label in (
                ("samples", "samples"),
                ("nodes", "nodes"),
                ("edges", "edges"),
                ("frames", "frames"),
                ("first", "first frame"),
                ("last", "last frame"),
                ("minutes", "minutes per frame"),
                ("window", "frames that the model reads"),
                ("horizon", "frames that it forecasts"),
            )
        ]
        facts += [[f"windows, {part} split", count(value)] for part, value in (dataset.get("windows") or {}).items()]
        if dataset.get("missing") is not None:
            facts.append(["missing observations", percent(dataset["missing"])])
        facts += [[f"excluded: {reason}", count(value)] for reason, value in (dataset.get("excluded") or {}).items()]
        # Where the data lay on the machine that ran this; generated data is in its cache.
        facts.append(["source", dataset.get("source")])
        facts.append(["dataset card (SHA-256)", dataset.get("card_hash")])
        known = [fact for fact in facts if fact[1] is not None]
        parts.append(table(["property", "value"], known, caption=str(dataset.get("title") or name), kind="facts"))
        if dataset.get("obtain"):
            parts.append(f"<p class=keep>How to get the data: {text(str(dataset['obtain']).strip())}</p>")
    return "".join(parts)


def _provenance(results: Mapping[str, Any], runs: Sequence[RunResults]) -> str:
    """All that is needed to run this again."""
    facts = [
        ["command", results.get("command")],
        ["finished", results.get("finished")],
        ["seed", results.get("seed")],
        ["trainings of each run", results.get("seeds")],
        ["threads", results.get("threads")],
        ["after", results.get("citation")],
        *([f"model card, {run.name} (SHA-256)", run.about.get("model_hash")] for run in runs),
    ]
    known = [fact for fact in facts if fact[1] is not None]
    parts = [table(["property", "value"], known, caption="Experiment", kind="facts")]
    parts.append(table(["package", "version"], list((results.get("versions") or {}).items()), caption="Versions"))
    seconds = results.get("seconds") or {}
    if seconds:
        rows = [[stage, f"{value:.1f}"] for stage, value in seconds.items()]
        rows.append(["total", f"{sum(seconds.values()):.1f}"])
        parts.append(table(["stage", "seconds"], rows, caption="Time"))
    return "".join(parts)
