"""Comparison of methods on the same samples: scores against the ground truth, with paired tests."""

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from stexplain.bench.claims import Claim
from stexplain.bench.figures import Figures
from stexplain.bench.html import count, listed, number, off_paper, paragraph, rounded, table, text
from stexplain.bench.run import FORECASTING, Run, Task
from stexplain.bench.shared.all_methods import every_method_claim
from stexplain.bench.shared.method_scores import (
    JUDGED,
    Options,
    compare_scores,
    compared_methods,
    importance_of,
    make_explainer,
    problems_of,
    score_method,
)
from stexplain.bench.shared.samples import draw, groups_of, has_truth, load
from stexplain.bench.stage import Parts, Results, RunResults, Stage, Table, TextTable
from stexplain.bench.wording import as_label, in_words, of_series, with_names
from stexplain.errors import InputError
from stexplain.metrics.localisation import localisation
from stexplain.viz import comparison, network

CHANCE = {"AUROC, nodes": 0.5, "AUROC, frames": 0.5, "AUROC, positions": 0.5, "Deletion gain": 0.0}
"""The value of a guess, where that is known, by the heading of a panel."""
SHOWN = ("auroc, nodes", "auroc, frames", "auroc, positions", "deletion gain")
"""Metrics that fit into eighty columns of a terminal; the report has all."""


CORRECTED = {"holm": "Holm's method", "benjamini-hochberg": "Benjamini and Hochberg's method", "none": "nothing"}
"""Corrections of p values in words."""


class ComparisonStage(Stage[Options]):
    """Which explainers localise the ground truth, and whether the differences are more than chance."""

    title = "Method comparison"
    Options = Options

    def needs(self, task: Task) -> tuple[str, ...]:
        """The predictions, or the events, of which samples are drawn."""
        return ("train", "events" if task == FORECASTING else "accuracy")

    def check(self, run: Run) -> Iterator[str]:
        """Methods, their options and baselines must exist."""
        options = self.options
        yield from problems_of(options, {"baselines": options.baselines}, {"deletion": options.deletion.baseline})

    def check_data(self, run: Run) -> None:
        """There must be a ground truth to score by."""
        if not has_truth(run):
            raise InputError(
                f"the data of {run.card.name!r} carries no ground truth, so no method can be scored by it. Remove "
                "stages.comparison, or take generated data."
            )

    def compute(self, run: Run, results: Results, parts: Parts) -> Mapping[str, Any]:
        """Draws samples, scores each method on them, and tests every method against the baseline explainers."""
        drawn = parts("samples", partial(draw, run, results, self.options.samples))
        scored = {
            # A part each: a comparison of all methods takes long, and resumes after the last finished one.
            name: parts(name, partial(score_method, run, results, name, drawn["indices"], self.options))
            for name in compared_methods(self.options)
        }
        groups = groups_of(run, results, drawn["indices"])
        return {**drawn, **compare_scores(drawn["indices"], scored, self.options.baselines, run.seed, groups)}

    def figures(self, run: Run, results: Results, figures: Figures) -> None:
        """The scores of all methods, and one sample as the best method explains it."""
        result = results[self.name]
        # JSON holds a missing value as null, which pandas takes for an object.
        frame = pd.DataFrame(result["table"]).astype({"value": float, "low": float, "high": float})
        better = {_label(metric, run.task): higher for metric, higher in result["higher_is_better"].items()}
        frame = with_names(frame).assign(metric=[_label(str(metric), run.task) for metric in frame["metric"]])
        chance = {_label(metric, run.task): value for metric, value in CHANCE.items()}
        caption = (
            f"{run.card.title}: {result['samples']} test samples, explained for {_explained(run.task)} of "
            f"{run.model_card.title}. Means with 95% bootstrap intervals; the baseline explainers use no model."
        )

        def chart(metrics: Sequence[str], title: str) -> Any:
            return comparison(
                frame,
                baseline_explainers=[as_label(name) for name in self.options.baselines],
                better=better,
                reference={metric: value for metric, value in chance.items() if metric in metrics},
                metrics=metrics,
                columns=2,
                title=title,
            )

        # The first screen has room for two panels, a phone for one: which node and when at once comes first.
        metrics = sorted(dict.fromkeys(frame["metric"]), key=lambda name: "positions" not in name)
        title = f"All methods, run '{run.label}'"
        narrow = chart(metrics[:1], title)
        figures.add("scores", title, caption, chart(metrics[:2], title), narrow=narrow, answers=True)
        self._example(run, results, figures)
        if rest := metrics[2:]:
            title = f"All methods by other scores, run '{run.label}'"
            figures.add("more-scores", title, caption, chart(rest, title))

    def _example(self, run: Run, results: Results, figures: Figures) -> None:
        """The sample whose score by the best method is the median: neither its best nor its worst."""
        result = results[self.name]
        # A baseline explainer may score highest, but shows nothing about the model.
        method = next(name for name in _ranked(result) if name not in self.options.baselines)
        # All in one batch, so that the row of the median is a row of the explanation.
        # Their batch may be larger than those of `compute`: it goes through one method only.
        samples = load(run, results, result["indices"], size=len(result["indices"]))[0]
        e = make_explainer(run, run.model(), method, samples, self.options)(samples.batch, target=samples.target)
        assert samples.batch.truth is not None
        # The score of each sample by itself: the table holds means only.
        importance = importance_of(method, e, self.options)
        area = localisation(importance, samples.batch.truth, samples.batch.present).scores["positions"]["auroc"]
        # A sample that is all ground truth, or none, has no AUROC; such ones are sorted to the end.
        order = np.argsort(np.where(np.isnan(area), np.inf, area), kind="stable")
        # The middle of those that have a score: the upper one where their number is even.
        row = int(order[int((~np.isnan(area)).sum()) // 2])
        truth: NDArray[np.bool_] = samples.batch.truth[row].numpy()
        # truth is [M, T, N]: its second axis is time, its third the nodes.
        nodes = [str(e.node_names[index]) for index in np.unique(np.nonzero(truth)[2])]
        frames = np.nonzero(truth)[1]
        # A series may come without a graph, and then has nothing to draw on.
        graph = run.dataset("test").graph
        if graph is None:
            return
        named = "nodes are the ground truth, in frames"
        if run.task == FORECASTING:
            named = "sensors are the ground truth, at the window's observations"
        predicted = f", predicted as '{e.classes[int(e.targets[row])]}'" if e.classes and e.targets[row] >= 0 else ""
        figures.add(
            "example",
            f"One sample of the run '{run.label}', explained by {method}",
            f"Sample {e.ids[row]}{predicted}. Framed {named} {frames.min()} to {frames.max()}. Of all samples, this "
            f"one has the median score (AUROC {area[row]:.2f}).",
            network(
                graph,
                importance[row].max(axis=0),  # [M, T, N] to [T, N]: of several instances, the most important
                marked={"ground truth": nodes},
                title=f"Importance over time, {in_words(method)}",
            ),
        )

    def section(self, runs: Sequence[RunResults]) -> str:
        """A table of scores and one of tests per run."""
        tasks = {run.about.get("task") for run in runs}
        samples = {
            (True, False): "slowdowns that the model forecast",
            (False, True): "correctly classified test samples drawn at random",
        }.get((FORECASTING in tasks, tasks != {FORECASTING}), "correctly classified test samples, or slowdowns")
        intro = paragraph(
            f"Every method explains the same samples: {samples}. Every method has one setting, chosen for speed. "
            "Intervals and tests are over groups of samples that are not independent. Tests are two-sided and paired: "
            "they flip the signs of the differences between two methods within a group. p values in the details are "
            "corrected over all tests of a metric and a run; those behind the verdicts over the whole report, in "
            "tests.csv. Localisation (AUROC, average precision, pointing game) asks where, and ranks by magnitude or "
            "by the positive part, as the table says. Deletion asks what contributed to the target, and ranks every "
            "method by its signed values. Gini is the sparsity of a map: 0 where all positions have the same "
            "importance, 1 where one has all."
        )
        return intro + "".join(self._scores(run) + self._tests(run) for run in runs)

    def _scores(self, run: RunResults) -> str:
        result = run.stages[self.name]
        better = result["higher_is_better"]
        rows = {(row["method"], row["metric"]): row for row in result["table"]}
        body = [
            [
                method,
                "magnitude" if method in self.options.absolute else "positive part",
                *(_mean(rows[method, metric], result["best"][metric] == method) for metric in better),
                _milliseconds(result["seconds_per_sample"][method]),
            ]
            for method in result["methods"]
        ]
        head = [
            "method",
            "localised by",
            *(f"{_label(metric, run.about.get('task'))} {'↑' if higher else '↓'}" for metric, higher in better.items()),
        ]
        caption = (
            f"{run.label}: {run.description}, {count(result['samples'])} samples in {count(result['groups'])} groups; "
            "means with 95% bootstrap intervals"
        )
        return table([*head, "ms per sample"], body, caption=caption)

    def _tests(self, run: RunResults) -> str:
        result = run.stages[self.name]
        body = [
            [
                row["method"],
                row["against"],
                _label(row["metric"], run.about.get("task")),
                _difference(row),
                f"{row['p']:.2g}",
                f"{row['p_corrected']:.2g}",
                row["better"] or "inconclusive",
            ]
            for row in result["tests"]
            # The tests of all metrics are in the CSV; one without a p value tells nothing.
            if row["metric"].startswith("auroc") and row["p"] is not None
        ]
        head = ["method", "against", "metric", "difference", "p", "p corrected", "better"]
        caption = (
            f"{run.label}: paired permutation tests, corrected by {CORRECTED[result['correction']]} over each metric "
            "of this run"
        )
        different = sum(row[-1] != "inconclusive" for row in body)
        summary = f"{run.label}: {len(body)} paired tests, of which {different} find a difference"
        rows = off_paper(table(head, body, caption=caption), len(body), "the tests of this run under Tables")
        return f"<details><summary>{text(summary)}</summary>{rows}</details>"

    def claims(self, run: RunResults) -> Iterator[Claim]:
        """Does every method localise the ground truth better than every baseline explainer?"""
        results = [training.stages[self.name] for training in run.trainings]
        claim = every_method_claim(
            [result.get("paired") or {} for result in results],
            _means(results),
            self.options.baselines,
            verb="localise",
            what="the ground truth",
            measure="AUROC over positions",
            samples=results[0]["samples"],
        )
        if claim:
            yield claim

    def caveats(self, runs: Sequence[RunResults]) -> Iterator[str]:
        """What a comparison can tell."""
        if not runs:
            return
        names = listed([in_words(name) for name in self.options.baselines])
        names = f"{names[:1].upper()}{names[1:]}"
        yield f"{names} use no model: an explanation has value only where it scores higher."
        yield (
            "The ground truth is where the data's classes or events differ. A model may use less than that, or "
            "something else; a method that shows what the model uses then scores low although it is right about it."
        )
        yield "A new training of the model may change the order of methods whose intervals overlap."
        if self.options.absolute:
            deletion = "all by their signed values"
            if {run.about.get("task") for run in runs} == {FORECASTING}:
                deletion = "all by their absolute values, since what matters may move a forecast either way"
            yield (
                f"Localisation ranks {listed(self.options.absolute)} by their absolute values and all others by their "
                f"positive part; deletion ranks {deletion}."
            )
        for run in runs:
            for method, why in run.stages[self.name]["excluded"].items():
                yield f"{method} is excluded from the comparison of {run.label}: {why}"

    def tables(self, runs: Sequence[RunResults]) -> Mapping[str, Table]:
        """Scores and tests of each run."""
        tables = {}
        for run in runs:
            for what, words in (("table", "scores of all methods"), ("tests", "tests against baseline explainers")):
                # A run's name is "protocol/model", and a table's name is a file's.
                name = f"{run.name.replace('/', '-')}-{'scores' if what == 'table' else what}"
                tables[name] = Table(f"{run.label}: {words}", pd.DataFrame(run.stages[self.name][what]), "%.5g")
        return tables

    def measures(self, run: RunResults) -> Mapping[str, Any]:
        """Every score of every method."""
        return {f"{row['metric']}, {row['method']}": row for row in run.stages[self.name]["table"]}

    def terminal(self, run: RunResults) -> Iterator[TextTable]:
        """The means of every method, the best of each metric starred."""
        result = run.stages[self.name]
        metrics = [metric for metric in SHOWN if metric in result["higher_is_better"]]
        values = {(row["method"], row["metric"]): row["value"] for row in result["table"]}
        rows = []
        for method in result["methods"]:
            row = [
                "-"
                if values[method, metric] is None
                else f"{values[method, metric]:.2f}{' *' if result['best'][metric] == method else ''}"
                for metric in metrics
            ]
            rows.append([method, *row, _milliseconds(result["seconds_per_sample"][method])])
        # The report says why; a method that is missing here would look forgotten.
        rows += [[method, "excluded", *["-"] * len(metrics)] for method in result["excluded"]]
        title = f"{run.label}: {run.description}, {result['samples']} samples"
        yield TextTable(title, ["method", *metrics, "ms per sample"], rows)


def _explained(task: Task) -> str:
    return "the forecast" if task == FORECASTING else "the predicted class"


def _label(metric: str, task: object) -> str:
    """A metric as the label of a panel or column, in the words of the data: a series has sensors and times.

    Example:
        >>> _label("auroc, nodes", FORECASTING), _label("auroc, nodes", "classification")
        ('AUROC, sensors', 'AUROC, nodes')
    """
    return of_series(as_label(metric)) if task == FORECASTING else as_label(metric)


def _milliseconds(seconds: float) -> str:
    """Of three digits, without an exponent.

    Example:
        >>> _milliseconds(2.2183), _milliseconds(0.00012), _milliseconds(0.0998)
        ('2,218', '0.12', '99.8')
    """
    return f"{1000 * seconds:,.0f}" if seconds >= 0.1 else f"{1000 * seconds:.3g}"


def _mean(row: Mapping[str, Any], best: bool) -> str:
    if row["value"] is None:
        return "–"
    return f"{number(row)}{' ★' if best else ''}"


def _difference(row: Mapping[str, Any]) -> str:
    """A difference with its interval; without one, the scores' table says why."""
    if row["low"] is None or row["high"] is None:
        return rounded(row["difference"], 3, "+")
    return "{} ({} to {})".format(*(rounded(row[key], 3, "+") for key in ("difference", "low", "high")))


def _ranked(result: Mapping[str, Any]) -> list[str]:
    """The methods, the best first."""
    means = {row["method"]: row["value"] for row in result["table"] if row["metric"] == JUDGED}
    # A method without a score comes last.
    return sorted(means, key=lambda name: -(means[name] if means[name] is not None else -np.inf))


def _means(results: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    """Method -> its mean score over trainings; those without a score are left out."""
    by_method: dict[str, list[float]] = {}
    for result in results:
        for row in result["table"]:
            if row["metric"] == JUDGED and row["value"] is not None:
                by_method.setdefault(row["method"], []).append(row["value"])
    return {method: float(np.mean(values)) for method, values in by_method.items()}
