"""Localisation of the ground truth by explanations of clips, beside the baseline explainers."""

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from torch import nn

from stexplain.bench.claims import Brief, Claim, Outcome, PairedTest, combined, paired_test, relation, scope
from stexplain.bench.figures import Figures
from stexplain.bench.html import count, has_value, items, listed, paragraph, sized
from stexplain.bench.run import CLASSIFICATION, Run
from stexplain.bench.shared.baseline_tests import GRADIENT, LOCALISES, RANDOM, beside_best, must_beat
from stexplain.bench.shared.by_class import FOUND, by_class, class_table, classes_in_words, found
from stexplain.bench.shared.localisation_scores import auroc_measures, scores_html, scores_table, with_intervals
from stexplain.bench.stage import Card, NoOptions, Parts, Results, RunResults, Stage, Table
from stexplain.bench.wording import as_label, in_words, with_names
from stexplain.explainers.by_name import explainer, takes
from stexplain.explainers.explainer import Explainer
from stexplain.explainers.methods import Random
from stexplain.explainers.methods.gradient.input_gradient import InputGradient
from stexplain.explainers.methods.layer.grad_cam import STGGradCAM
from stexplain.explainers.targets import Predicted
from stexplain.metrics.comparison.baselines import BASELINE_EXPLAINERS
from stexplain.metrics.localisation import Localisation
from stexplain.metrics.localisation import localisation as score
from stexplain.progress import tracked
from stexplain.viz import localisation

BATCH = 32
"""Clips explained at a time."""
JUDGED = "STGGradCAM"
"""The explainer that verdicts are about."""
# Without "positions", which would count both again.
OVER = {"nodes": "nodes", "frames": "frames"}
CALLED = {**OVER, "positions": "nodes × frames"}
"""What figure and table call nodes, frames and positions."""
SIGN = (
    "Where something matters has no sign: gradients are ranked by magnitude, class activation maps by what is positive."
)


class LocalisationStage(Stage[NoOptions]):
    """STG-Grad-CAM and the input gradient against the ground truth, beside the baseline explainers."""

    title = "Localisation against ground truth"
    tasks = (CLASSIFICATION,)

    def compute(self, run: Run, results: Results, parts: Parts) -> Mapping[str, Any]:
        """Scores of every explainer over nodes, frames and positions; none where the data has no ground truth."""
        clips = run.clips("test")
        if not clips.planted:
            return {"localisation": None}
        model, groups = run.model(), run.groups("test")
        explainers = _explainers(run, model)
        scores: dict[str, list[Localisation]] = {name: [] for name in explainers}
        labels = []
        batches = -(-len(clips) // BATCH)
        # Batches go through all explainers at once: the clips are read only once.
        for batch in tracked(clips.batches(BATCH), batches, f"localisation, {run.name}", run.progress):
            labels.append(batch.label.numpy())
            for name, explain in explainers.items():
                e = explain(batch, target=Predicted())
                # A gradient says by its magnitude where something matters, a class activation map by what is positive.
                values = np.abs(e.values) if name == GRADIENT else e.importance
                # Only observed positions take part: nothing can be said of a missing one.
                scores[name].append(score(values, batch.truth, batch.present))
        by_method = {name: Localisation.joined(by_batch) for name, by_batch in scores.items()}
        names = [clips.classes[index] for index in np.concatenate(labels)]
        over_nodes = {name: one.scores["nodes"]["auroc"] for name, one in by_method.items()}
        return {
            "samples": len(clips),
            "localisation": {name: with_intervals(one, run.seed, groups) for name, one in by_method.items()},
            "by_class": by_class(over_nodes, names, groups),
            "tests": {
                over: [
                    paired_test(name, ours.scores[over]["auroc"] - other.scores[over]["auroc"], groups, seed=run.seed)
                    for ours in [by_method[JUDGED]]
                    for name, other in by_method.items()
                    if name != JUDGED
                ]
                for over in OVER
            },
        }

    def figures(self, run: Run, results: Results, figures: Figures) -> None:
        """All scores with their intervals."""
        scores = results[self.name]["localisation"]
        if scores:
            table = with_names(scores_table(_shown(scores) or {}, CALLED))
            drawn = partial(
                localisation,
                baseline_explainers=[as_label(name) for name in (*BASELINE_EXPLAINERS, RANDOM)],
                title=f"Localisation against ground truth, {run.label}",
            )
            figures.add(
                "",
                f"Localisation against ground truth, {run.label}",
                f"Scores over nodes, over frames, and over nodes × frames of {results[self.name]['samples']} "
                "test samples. The baseline explainers use no model; motion energy, random and the best are drawn. "
                "Bars are 95% bootstrap intervals.",
                drawn(table),
                # Beside each other only the first of three measures would be seen on a phone.
                narrow=drawn(table[table["measure"] == "auroc"]),
            )

    def section(self, runs: Sequence[RunResults]) -> str:
        """All scores, and those of each class."""
        scores = {run.label: _shown(run.stages[self.name]["localisation"]) for run in runs}
        samples = {run.label: f"{count(run.stages[self.name].get('samples'))} test samples" for run in runs}
        words = scores_html(scores, CALLED, samples, sign=SIGN)
        return words + "".join(class_table(run.label, run.stages[self.name].get("by_class") or {}) for run in runs)

    def summary(self, runs: Sequence[RunResults]) -> Card | None:
        """Of which classes the ground truth is found, and what finds it better."""
        lines = [line for run in runs for line in _findings(run, self.name)]
        which = " Scores are of the first training of each run." if any(len(run.trainings) > 1 for run in runs) else ""
        note = paragraph(f"Found: a mean AUROC over nodes of at least {FOUND}; chance level 0.5.{which}")
        return Card("Localisation of the ground truth", items(lines) + note, True) if lines else None

    def claims(self, run: RunResults) -> Iterator[Claim]:
        """Is the explainer better than chance, than every baseline explainer, and than the plain gradient?"""
        tests: list[PairedTest] = []
        hard: dict[str, tuple[str, ...]] = {}
        for over, name in OVER.items():
            pairs = combined(
                [(training.stages[self.name].get("tests") or {}).get(over, ()) for training in run.trainings]
            )
            found, strongest = must_beat(pairs, f" over {name}")
            tests += found
            hard[over] = strongest
        # Without pairs nothing is judged.
        if not tests:
            return
        samples = run.stages[self.name].get("samples")
        tested = f"; {count(samples)} test samples" if samples else ""

        def words(signs: Sequence[int]) -> tuple[str, Outcome]:
            text, judged = relation(tests, signs, LOCALISES)
            scores = [training.stages[self.name]["localisation"] for training in run.trainings]
            return (
                f"{scope(len(scores))}, {JUDGED} {text} ({_details(scores, hard)}{tested}).",
                judged,
            )

        by_training = [training.stages[self.name]["localisation"] for training in run.trainings]
        # The strongest of what it must beat decides; of several trainings their mean, as in the sentence.
        means = {
            over: {
                name: float(np.mean([scores[name][over]["auroc"]["value"] for scores in by_training]))
                for name in (JUDGED, GRADIENT, _best(by_training[0], over))
                if name and all(has_value(scores.get(name, {}).get(over, {}).get("auroc")) for scores in by_training)
            }
            for over in OVER
        }
        numbers = [beside_best(f"over {OVER[over]}", means[over], JUDGED) for over in OVER if JUDGED in means[over]]
        brief = Brief(
            f"{JUDGED} finds the true {run.node}s and frames better than the gradient and than what uses no model",
            f"AUROC {'; '.join(numbers)}{sized(samples)}",
        )
        yield Claim(tests, words, brief=brief)

    def tables(self, runs: Sequence[RunResults]) -> Mapping[str, Table]:
        """The scores of every class."""
        rows = [
            {"run": run.name, "seed": run.about.get("seed"), "method": method, "class": name, **result}
            for run in runs
            for method, classes in (run.stages[self.name].get("by_class") or {}).items()
            for name, result in classes.items()
        ]
        title = "AUROC over nodes by class, all methods and baseline explainers (synthetic data)"
        return {"localisation-by-class": Table(title, pd.DataFrame(rows))} if rows else {}

    def measures(self, run: RunResults) -> Mapping[str, Any]:
        """AUROC of every method over nodes, frames and positions."""
        return auroc_measures(run.stages[self.name]["localisation"] or {})

    def headline(self, run: RunResults) -> Mapping[str, str]:
        """AUROC of the explainer and of motion energy."""
        scores = run.stages[self.name]["localisation"] or {}
        return {
            f"AUROC {name}{over}": f"{scores[method][over]['auroc']['value']:.2f}"
            for method, name, overs in ((JUDGED, "", ("nodes", "frames", "positions")), ("Motion", "motion ", OVER))
            for over in overs
            if method in scores
        }


def _explainers(run: Run, model: nn.Module) -> dict[str, Explainer]:
    """The explainer that is judged, what it must beat, and the baseline explainers, which call no model."""
    # The plain gradient stands beside it, as the simplest explainer that uses the model.
    explainers: dict[str, Explainer] = {JUDGED: STGGradCAM(model), GRADIENT: InputGradient(model)}
    for name in BASELINE_EXPLAINERS:
        # What is known before a sample is seen is known of the training split alone.
        training = {"training": run.clips("train")} if takes(name, "training") else {}
        explainers[name] = explainer(name, model, **training)
    return {**explainers, RANDOM: Random(model, seed=run.seed)}


def _best(scores: Mapping[str, Any], over: str) -> str | None:
    """The baseline explainer whose AUROC is highest."""
    known_scores = {
        name: axes[over]["auroc"]["value"]
        for name, axes in scores.items()
        if name not in (JUDGED, GRADIENT, RANDOM) and has_value(axes.get(over, {}).get("auroc"))
    }
    return max(known_scores, key=lambda name: known_scores[name]) if known_scores else None


def _shown(scores: Mapping[str, Any] | None) -> Mapping[str, Any] | None:
    """The scores without the baseline explainers that are the best on no axis; the CSV has all."""
    if not scores:
        return scores
    best = {_best(scores, over) for over in (*OVER, "positions")}
    return {name: axes for name, axes in scores.items() if name in (JUDGED, GRADIENT, RANDOM, "Motion", *best)}


def _details(trainings: Sequence[Mapping[str, Any]], hard: Mapping[str, Sequence[str]]) -> str:
    """The mean AUROC of the explainer and of what it is compared with, on each axis."""
    parts = []
    for over, axis in OVER.items():
        # The one that the test found hardest to beat is mostly, but not always, the one of the highest mean.
        strongest = dict.fromkeys([*hard.get(over, ()), _best(trainings[0], over)])
        names = [name for name in (JUDGED, RANDOM, *strongest, GRADIENT) if name]
        means = [
            f"{name} {np.mean([scores[name][over]['auroc']['value'] for scores in trainings]):.2f}"
            for name in names
            if all(name in scores and over in scores[name] for scores in trainings)
        ]
        parts.append(f"over {axis} {', '.join(means)}")
    return f"AUROC {'; '.join(parts)}"


def _findings(run: RunResults, stage: str) -> Iterator[str]:
    """What the summary says of a run: favourable or not."""
    result = run.stages[stage]
    scores, classes = result["localisation"] or {}, (result.get("by_class") or {}).get(JUDGED) or {}
    if classes:
        counts = [
            len(found(by_method))
            for training in run.others
            if (by_method := (training.stages[stage].get("by_class") or {}).get(JUDGED))
        ]
        others = f" In its other trainings: {', '.join(map(str, counts))}." if counts else ""
        yield f"{run.label}: {JUDGED} {classes_in_words(classes, run.node)}{others}"
    for over, name in OVER.items():
        better = [
            f"{in_words(other)} ({scores[other][over]['auroc']['value']:.3f})"
            for other in (GRADIENT, _best(scores, over))
            if other is not None
            and other in scores
            and has_value(ours := scores.get(JUDGED, {}).get(over, {}).get("auroc"))
            and has_value(theirs := scores[other].get(over, {}).get("auroc"))
            and theirs["value"] > ours["value"]
        ]
        if better:
            judged = f"{JUDGED} ({scores[JUDGED][over]['auroc']['value']:.3f})"
            have = "have" if len(better) > 1 else "has"
            yield f"{run.label}: {listed(better)} {have} a higher AUROC over {name} than {judged}."
