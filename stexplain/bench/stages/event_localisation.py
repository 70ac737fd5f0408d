"""Localisation of the ground truth by explanations of events, beside the baseline explainers."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from stexplain.bench.figures import Figures
from stexplain.bench.html import listed
from stexplain.bench.run import FORECASTING, Run, Task
from stexplain.bench.shared.events import event_groups, events_of, lowering, saved_explanations
from stexplain.bench.shared.localised import auroc_measures, localised, scores_html, scores_table
from stexplain.bench.stage import NoOptions, Parts, Results, RunResults, Stage, TextTable
from stexplain.bench.verdicts import SERIES_BASELINES, Outcome, compare_intervals, known, outcome, too_few
from stexplain.metrics.localisation import localisation as score
from stexplain.viz import localisation

OVER = {"nodes": "sensors", "frames": "lags"}


class EventLocalisationStage(Stage[NoOptions]):
    """What lowered the forecast against the planted cause, beside the baseline explainers."""

    title = "Localisation against ground truth"
    tasks = (FORECASTING,)

    def needs(self, task: Task) -> tuple[str, ...]:
        """The explanations of events."""
        return ("events",)

    def compute(self, run: Run, results: Results, parts: Parts) -> Mapping[str, Any]:
        """Scores of every method over sensors, lags and both; none where there is no ground truth or no event."""
        events = results["events"]
        # Falls that are found in real observations have no known cause.
        if not events["explained"] or not run.windows("test").planted:
            return {"localisation": None}
        # Only observed positions take part: nothing can be said of a missing one.
        batch = events_of(run, events["explained"]).batch
        return {
            "localisation": {
                name: localised(score(values, batch.truth, batch.observed), run.seed, event_groups(events["explained"]))
                for name, values in lowering(saved_explanations(run, events["methods"])).items()
            }
        }

    def figures(self, run: Run, results: Results, figures: Figures) -> None:
        """All scores with their intervals."""
        scores = results[self.name]["localisation"]
        if scores:
            figures.add(
                "",
                "Localisation against ground truth",
                "Scores over sensors (nodes), over lags (frames), and over positions (sensor x lag). The baseline "
                "explainers use no model. Bars are 95% bootstrap intervals.",
                localisation(scores_table(scores), title="Localisation against ground truth"),
            )

    def section(self, runs: Sequence[RunResults]) -> str:
        """All scores."""
        scores = {run.label: run.stages[self.name]["localisation"] for run in runs}
        return scores_html(scores, {"nodes": "sensors", "frames": "lags", "positions": "sensors × lags"})

    def verdicts(self, run: RunResults) -> Iterator[tuple[str, Outcome]]:
        """Is each explainer better than every baseline explainer, over sensors and over lags?"""
        scores = run.stages[self.name]["localisation"] or {}
        events = len(run.stages["events"]["explained"])
        for method in scores:
            if method not in SERIES_BASELINES:
                judged = _judged(method, scores)
                if judged is not None:
                    yield too_few(*judged, events)

    def measures(self, run: RunResults) -> Mapping[str, Any]:
        """AUROC of every method over sensors, lags and positions."""
        return auroc_measures(run.stages[self.name]["localisation"] or {})

    def terminal(self, run: RunResults) -> Iterator[TextTable]:
        """AUROC of every method."""
        by_method = run.stages[self.name]["localisation"] or {}
        axes = ("nodes", "frames", "positions")
        rows = [
            [name, *(f"{scores[axis]['auroc']['value']:.2f}" for axis in axes)] for name, scores in by_method.items()
        ]
        if rows:
            yield TextTable("", ["explanation", "AUROC sensors", "lags", "positions"], rows)


def _judged(method: str, scores: Mapping[str, Any]) -> tuple[str, Outcome] | None:
    # Baseline explainer -> a sign over sensors and one over lags; positions would count both again.
    signs: dict[str, list[int]] = {}
    details = []
    for over, name in OVER.items():
        ours = scores[method].get(over, {}).get("auroc")
        others = {baseline: scores.get(baseline, {}).get(over, {}).get("auroc") for baseline in SERIES_BASELINES}
        # All or none on an axis: a relation to one baseline explainer alone would read like one to both.
        if not known(ours) or not all(known(theirs) for theirs in others.values()):
            continue
        for baseline, theirs in others.items():
            signs.setdefault(baseline, []).append(compare_intervals(ours, theirs))
        # In the order of the baseline explainers, which the relation names.
        against = listed([f"{theirs['value']:.2f}" for theirs in others.values()])
        details.append(f"over {name} {ours['value']:.2f} against {against}")
    if not signs:
        return None
    judged = {baseline: outcome(over_axes) for baseline, over_axes in signs.items()}
    nowhere = [baseline for baseline, over_axes in signs.items() if max(over_axes) <= 0]
    better = [baseline for baseline, result in judged.items() if result == "supported"]
    in_part = [baseline for baseline in signs if baseline not in better and baseline not in nowhere]
    ways = {"more accurately than": better, "only in part more accurately than": in_part, "no better than": nowhere}
    relation = " and ".join(
        f"{way} {listed([SERIES_BASELINES[name] for name in names])}" for way, names in ways.items() if names
    )
    # Better than each baseline explainer on every axis, or no better than one of them on any: else it is open.
    conclusion: Outcome = "supported" if len(better) == len(signs) else "not supported" if nowhere else "inconclusive"
    text = f"{method} localises the ground truth {relation} (AUROC {'; '.join(details)})."
    return text, conclusion
