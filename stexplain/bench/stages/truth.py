"""Explanations against two truths of generated data: what was planted, and what this model used of it."""

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from stexplain.bench.claims import Claim, scope
from stexplain.bench.figures import Figures
from stexplain.bench.html import count, items, listed, number, paragraph, table
from stexplain.bench.run import FORECASTING, Run, Task
from stexplain.bench.shared.all_methods import every_method_claim, paired_with_each
from stexplain.bench.shared.by_class import FOUND
from stexplain.bench.shared.method_scores import problems_of
from stexplain.bench.shared.samples import groups_of
from stexplain.bench.shared.truth_rows import (
    BOUNDS,
    as_array,
    best_of,
    classes_found,
    digits,
    kept_by_class,
    mean_of,
    name_of,
    titles_of,
    told_by_absence,
)
from stexplain.bench.shared.truths import (
    DETAILS,
    SCORES,
    Options,
    draw_samples,
    has_counterfactual,
    measure_effect,
    rows,
    score_row,
)
from stexplain.bench.stage import Card, Parts, Results, RunResults, Stage, Table, TextTable
from stexplain.bench.wording import with_names, within
from stexplain.intervals.bootstrap import interval
from stexplain.viz import truths
from stexplain.wording import an

JUDGED = "effect_positions"
"""The score that methods are judged by."""
COLUMNS = ("dataset", "model", "seed", "method", "baseline")
PAPER, GRADIENT = "STGGradCAM", "InputGradient"
"""The method whose classes stand in the summary, beside those of the best, and the simplest one that uses the model."""


class TruthStage(Stage[Options]):
    """Which methods find what was planted, and which what the model used."""

    title = "What was planted, and what the model used"
    Options = Options

    def needs(self, task: Task) -> tuple[str, ...]:
        """The predictions, or the events, of which samples are drawn."""
        return ("train", "events" if task == FORECASTING else "accuracy")

    def check(self, run: Run) -> Iterator[str]:
        """Methods, their options and baselines must exist."""
        options = self.options
        explainers = {"baseline_explainers": options.baseline_explainers or []}
        yield from problems_of(options, explainers, {f"baselines.{name}": name for name in options.baselines})

    def compute(self, run: Run, results: Results, parts: Parts) -> Mapping[str, Any]:
        """Measures the effect once, then scores each method; nothing where the data has no counterfactual."""
        if not has_counterfactual(run):
            return {"rows": None}
        # A weak model may forecast no event, and then used nothing of any.
        if run.task == FORECASTING and not results["events"]["explained"]:
            return {"rows": None, "why": "The model forecast no event, so what it used of one cannot be measured."}
        options = self.options
        drawn = parts("samples", partial(draw_samples, run, results, options))
        effect = parts("effect", partial(measure_effect, run, results, drawn, options))
        scored = [
            # A part each: all methods take long, and an interrupted stage resumes after the last finished one.
            (row, parts(row.name, partial(score_row, run, results, row, drawn, options)))
            for row in rows(run, options)
        ]
        # Samples of one person, or of one day, are not independent of each other.
        groups = groups_of(run, results, drawn["indices"])
        names = run.clips("test").classes if drawn["labels"] else ()
        labels = [names[label] for label in drawn["labels"]]
        body = [
            {
                "method": row.method,
                "baseline": row.baseline,
                "baseline_explainer": row.baseline_explainer,
                "absolute": row.method in options.absolute,
                "inferences": found["inferences"],
                "scores": {name: as_array(values).tolist() for name, values in found["scores"].items()},
                "intervals": {
                    name: interval(
                        as_array(found["scores"][name]), groups=groups, seed=run.seed, bounds=BOUNDS.get(name, (0, 1))
                    ).to_dict()
                    for name in SCORES
                },
            }
            for row, found in scored
            if "scores" in found
        ]
        return {
            "dataset": f"{run.card.name}/{run.protocol}" if run.protocol else run.card.name,
            "model": run.model_card.name,
            "seed": run.seed,
            "samples": len(drawn["indices"]),
            "left_out": drawn["left_out"],
            "labels": labels,
            "used": interval(as_array(effect["used"]), groups=groups, seed=run.seed, bounds=(0, 1)).to_dict(),
            "used_by_sample": effect["used"],
            "same_without_cause": kept_by_class(effect.get("kept", []), labels),
            "effect_inferences": effect["inferences"],
            "rows": body,
            "excluded": {row.name: found["excluded"] for row, found in scored if "excluded" in found},
            "paired": paired_with_each(
                {name_of(row): as_array(row["scores"][JUDGED]) for row in body},
                [name_of(row) for row in body if row["baseline_explainer"]],
                groups,
                seed=run.seed,
            ),
        }

    def figures(self, run: Run, results: Results, figures: Figures) -> None:
        """Both truths by method."""
        result = results[self.name]
        if result["rows"]:
            frame = pd.DataFrame(
                [
                    {
                        "method": name_of(row),
                        "baseline_explainer": row["baseline_explainer"],
                        "truth": truth,
                        "value": mean_of(row, score),
                    }
                    for row in result["rows"]
                    for truth, score in (("planted", "planted_positions"), ("effect", JUDGED))
                ]
            )
            title = f"Planted truth and effect, {run.label}"
            figures.add(
                "",
                f"What was planted and what the model used, {run.label}",
                f"{run.card.title}: AUROC over positions of each method, "
                f"{result['samples']} {'explained events' if run.task == FORECASTING else 'test samples'}. "
                "Lines: the best baseline explainer.",
                truths(with_names(frame), title=title),
                narrow=truths(with_names(frame), width=180, title=title),
            )

    def section(self, runs: Sequence[RunResults]) -> str:
        """What effect is, how much of what was planted was used, and a table per run."""
        shown = [run for run in runs if run.stages[self.name]["rows"]]
        if not shown:
            unknown = "This data has no counterfactual, so what the model used of it cannot be measured."
            return paragraph(*dict.fromkeys(run.stages[self.name].get("why") or unknown for run in runs))
        forecasts = [run.about.get("task") == FORECASTING for run in shown]
        falls = "its margin (the logit of the class against all others) falls"
        if any(forecasts):
            falls = "its forecast rises" if all(forecasts) else "its margin falls, or its forecast rises,"
        words = paragraph(
            "Planted is where the classes or events of the data differ. Effect is what this model used of it: how far "
            f"{falls} when {an(shown[0].node)} in one of {self.options.windows} windows of time is replaced "
            "by what the generator would have made without the cause. A region counts as used where that is above 5% "
            "of the sample's largest effect. Columns are AUROC (chance level 0.5), effect rank is Spearman's "
            "correlation with the effect within what was planted (chance level 0), inferences are passes through the "
            "model per sample, one forward and one backward counting two. Baseline explainers use no model.",
            f"By absolute value, as where something was used has no sign: {listed(self.options.absolute)}; by all "
            "others, their positive part."
            if self.options.absolute
            else "",
        )
        return words + "".join(self._table(run) for run in shown)

    def _table(self, run: RunResults) -> str:
        result = run.stages[self.name]
        forecasts = run.about.get("task") == FORECASTING
        what = "events that it forecast" if forecasts else "test samples that it classifies correctly"
        used = paragraph(
            f"{run.label}: of the planted regions this model used {number(result['used'])}, measured on "
            f"{count(result['samples'])} {what}.",
            told_by_absence(result.get("same_without_cause") or {}),
            f"Excluded, as no {run.node} is planted, or every one: {listed(result['left_out'])}."
            if result["left_out"]
            else "",
        )
        best = {name: best_of(result["rows"], name) for name in SCORES}
        body = [
            [
                row["method"],
                row["baseline"] or "–",
                *(
                    f"{number(row['intervals'][name]) if name == JUDGED else digits(mean_of(row, name))}"
                    f"{' ★' if best[name] is row else ''}"
                    for name in SCORES
                ),
                digits(mean_of(row, "effect_precision")),
                f"{row['inferences']:.3g}",
            ]
            for row in result["rows"]
        ]
        caption = (
            f"{run.label}: means over {count(result['samples'])} {run.units} (of effect "
            "positions with 95% interval); ★: the best of methods"
        )
        return used + table(
            ["method", "baseline", *titles_of(run).values(), "effect AP", "inferences"], body, caption=caption
        )

    def summary(self, runs: Sequence[RunResults]) -> Card | None:
        """Of which classes the nodes are found, by the paper's method and the best one."""
        lines: list[str] = []
        for run in runs:
            result = run.stages[self.name]
            body = [row for row in result["rows"] or [] if not row["baseline_explainer"]]
            best = best_of(body, JUDGED)
            lines += _beside_gradient(run, self.name)
            shown = {
                id(row): row for row in [*(row for row in body if row["method"] == PAPER), *([best] if best else [])]
            }
            for row in shown.values() if result.get("labels") else ():
                most = ", the best method against the effect," if row is best else ""
                for score, words in (("planted_nodes", "planted"), ("effect_nodes", "used")):
                    lines.append(
                        f"{run.label}: {name_of(row)}{most} {classes_found(row, score, result['labels'], words)}"
                    )
            if lines_of_absence := told_by_absence(result.get("same_without_cause") or {}):
                lines.append(f"{run.label}: {within(lines_of_absence)}")
        each = max((run.stages[self.name]["samples"] for run in runs if run.stages[self.name]["rows"]), default=0)
        units = f"{count(each)} {runs[0].units}"
        which = " Classes are of the first training of each run." if any(len(run.trainings) > 1 for run in runs) else ""
        note = paragraph(f"Found: a mean AUROC over {runs[0].node}s of at least {FOUND}; {units} at most.{which}")
        return Card("Found, by class and by the plain gradient", items(lines) + note, wide=True) if lines else None

    def claims(self, run: RunResults) -> Iterator[Claim]:
        """Does every method find what the model used better than every baseline explainer, each by its paired test?"""
        trainings = [training.stages[self.name] for training in run.trainings if self.name in training.stages]
        results = [result for result in trainings if result["rows"] and result["paired"]]
        if not results:
            return
        means = {name_of(row): _over_trainings(results, name_of(row)) for row in results[0]["rows"]}
        claim = every_method_claim(
            [result["paired"] for result in results],
            {name: mean for name, mean in means.items() if not np.isnan(mean)},
            [name_of(row) for row in results[0]["rows"] if row["baseline_explainer"]],
            verb="find",
            what="what the model used",
            measure="AUROC against the effect over positions",
            samples=results[0]["samples"],
            units=run.units,
        )
        if claim:
            yield claim

    def caveats(self, runs: Sequence[RunResults]) -> Iterator[str]:
        """What effects can tell."""
        if any(run.stages[self.name]["rows"] for run in runs):
            yield (
                "Effect is measured one node and window at a time: what matters only together with another, or is "
                "redundant, has a smaller effect than its part in the decision."
            )
        for run in runs:
            for method, why in (run.stages[self.name].get("excluded") or {}).items():
                yield f"{method} has no scores against what was planted and used ({run.label}): {why}"

    def tables(self, runs: Sequence[RunResults]) -> Mapping[str, Table]:
        """A row per run, method and baseline; the same by class; and further scores."""
        whole, by_class, detail = [], [], []
        for run in runs:
            result = run.stages[self.name]
            labels = np.array(result.get("labels") or [])
            for row in result["rows"] or []:
                about = {**{name: result[name] for name in COLUMNS[:3]}, **{name: row[name] for name in COLUMNS[3:]}}
                whole.append(
                    {**about, **{name: mean_of(row, name) for name in SCORES}, "inferences": row["inferences"]}
                )
                excluded = {f"{name}_excluded": int(np.isnan(as_array(row["scores"][name])).sum()) for name in SCORES}
                further = {name: mean_of(row, name) for name in DETAILS}
                baseline_explainer = {
                    "baseline_explainer": row["baseline_explainer"],
                    "absolute": row["absolute"],
                    "n": result["samples"],
                }
                detail.append({**about, **baseline_explainer, **further, **excluded, "used": result["used"]["value"]})
                for name in dict.fromkeys(labels.tolist()):
                    chosen = labels == name
                    own = {score: mean_of(row, score, chosen) for score in SCORES}
                    counted = {"class": name, "n": int(chosen.sum())}
                    by_class.append({**about, **counted, **own, "inferences": row["inferences"]})
        if not whole:
            return {}
        tables = {"truth": Table("Methods against the planted truth and the effect", pd.DataFrame(whole), "%.4g")}
        if by_class:
            tables["truth_by_class"] = Table("The same by class", pd.DataFrame(by_class), "%.4g")
        tables["truth_detail"] = Table("Further scores against both truths", pd.DataFrame(detail), "%.4g")
        return tables

    def measures(self, run: RunResults) -> Mapping[str, Any]:
        """Every score of every method."""
        result = run.stages[self.name]
        shares = {"planted regions used": result["used"]} if result["rows"] else {}
        return shares | {
            f"{titles_of(run)[score]}, {name_of(row)}": row["intervals"][score]
            for row in result["rows"] or []
            for score in SCORES
        }

    def terminal(self, run: RunResults) -> Iterator[TextTable]:
        """The means of every method."""
        result = run.stages[self.name]
        if not result["rows"]:
            return
        names = ("planted_nodes", "planted_positions", "effect_nodes", "effect_positions", "effect_rank")
        body = [
            [name_of(row), *(digits(mean_of(row, name), 2) for name in names), f"{row['inferences']:.3g}"]
            for row in result["rows"]
        ]
        title = (
            f"{run.label}: truths, {result['samples']} {run.units}; {result['used']['value']:.2f} of the planted used"
        )
        yield TextTable(title, ["method", *(titles_of(run)[name] for name in names), "inferences"], body)


def _beside_gradient(run: RunResults, stage: str) -> Iterator[str]:
    """Whether the plain gradient scores higher than the paper's method, on either truth, over all trainings."""
    results = [each.stages[stage] for each in run.trainings if stage in each.stages and each.stages[stage]["rows"]]
    for score, words in (("planted_positions", "what was planted"), (JUDGED, "what the model used")) if results else ():
        ours, gradient = (_over_trainings(results, name, score) for name in (PAPER, GRADIENT))
        # As shown: what no reader could see is no lead. NaN, of a method that is not among them, is not greater.
        if round(gradient, 2) > round(ours, 2):
            yield (
                f"{run.label}: the plain gradient finds {words} better than {PAPER} (AUROC over positions "
                f"{gradient:.2f} against {ours:.2f}; {scope(len(results)).lower()}, not tested)."
            )


def _over_trainings(results: Sequence[Mapping[str, Any]], name: str, score: str = JUDGED) -> float:
    """The mean of a method's score over trainings; NaN where one of them has no such method."""
    return float(
        np.mean(
            [
                next((mean_of(row, score) for row in result["rows"] if name_of(row) == name), float("nan"))
                for result in results
            ]
        )
    )
