"""From a run folder to its report: a first screen for any reader, a section per stage, tables, and provenance."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from importlib.resources import files
from pathlib import Path
from string import Template
from typing import Any

from stexplain.bench.figures import figure_html
from stexplain.bench.html import folded, listed, text
from stexplain.bench.page.facts import data, provenance, tables
from stexplain.bench.page.first import answering, claim_sentences, first_screen
from stexplain.bench.records import read_results
from stexplain.bench.spread import spread_html
from stexplain.bench.stage import RunResults, Stage
from stexplain.bench.stages import stage_types
from stexplain.cards.files import read_part
from stexplain.errors import DataError, suggest
from stexplain.files import atomic_write
from stexplain.viz.page import bundle, chart_style, player

BESIDE = 8
"""Up to so many lines of findings stand beside a figure; more take the width of the page below it, in columns."""


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
    answer = answering(folder, results)
    sections = [
        (
            stage.name,
            stage.title.format(node=results.get("node") or "node"),
            _section(folder, results, runs, stage, answer),
        )
        for stage in _claims_first(stages, results)
    ]
    sections += [
        ("tables", "Tables", tables(folder, results, runs)),
        ("data", "Data", data(results)),
        ("provenance", "Provenance", folded("How to run it again", provenance(results, runs))),
    ]
    # A section without content is not listed in the contents either.
    shown = [section for section in sections if section[2]]
    question = str(results.get("question") or "")
    seen_first = first_screen(folder, results, runs, stages, answer)
    # `Template`, as the page's CSS and JavaScript are full of braces.
    page = Template(files("stexplain.bench.page").joinpath("page.html").read_text("utf-8")).substitute(
        title=text(results.get("title") or "stexplain report"),
        lead=text(question or listed([_titled(name, dataset) for name, dataset in _datasets(results).items()])),
        contents="".join(f'<li><a href="#{key}">{text(title)}</a></li>' for key, title, _ in shown),
        main=f'<section id="summary" aria-label="Summary">{seen_first}</section>'
        + "".join(
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


def _claims_first(stages: Sequence[Stage[Any]], results: Mapping[str, Any]) -> list[Stage[Any]]:
    """Stages with a verdict come first, each group in the order of the experiment."""
    judged = {verdict.get("stage") for verdict in results.get("verdicts") or []}
    return sorted(stages, key=lambda stage: stage.name not in judged)


def _section(
    folder: Path,
    results: Mapping[str, Any],
    runs: Sequence[RunResults],
    stage: Stage[Any],
    answer: Mapping[str, Any] | None,
) -> str:
    """A figure beside what it shows; further figures, tables and how it was measured are folded."""
    # An experiment may hold runs of both tasks; a stage shows those that it was computed on.
    of_stage = [run for run in runs if stage.name in run.stages]
    drawn = [each for each in results.get("figures") or [] if each.get("stage") == stage.name and each is not answer]
    verdicts = [each for each in results.get("verdicts") or [] if each.get("stage") == stage.name]
    words, below = claim_sentences(verdicts, runs), ""
    card = stage.summary(of_stage) if of_stage else None
    if card is not None:
        heading = "" if card.title == stage.title else f"<h3>{text(card.title)}</h3>"
        # Of several runs they are many: beside the figure they would leave half of the page empty below it.
        long = card.html.count("<li>") > BESIDE
        found = f'<div class="found{" long" if long else ""}">{heading}{card.html}</div>'
        words, below = (words, found) if long else (words + found, "")
    # One run a card, whatever the number of its trainings; their spread stands below its numbers.
    details = stage.section(of_stage) + spread_html(stage, of_stage) if of_stage else ""
    first = [figure_html(folder, each) for each in drawn[: stage.figures_shown]]
    more = "".join(figure_html(folder, each) for each in drawn[stage.figures_shown :])
    if not (words or below or first or details):
        return ""
    if not (words or below or first):
        return details
    side = f'<div class="words">{words}</div>' if words else ""
    shown = f'<div class="beside{"" if words and first else " alone"}">{"".join(first)}{side}</div>{below}'
    folds = folded("Numbers, and how they were measured", details) if details else ""
    count = len(drawn) - len(first)
    return shown + folds + (folded(f"{count} more figure{'s' if count > 1 else ''}", more) if more else "")


def _datasets(results: Mapping[str, Any]) -> Mapping[str, Any]:
    return results.get("datasets") or {}
