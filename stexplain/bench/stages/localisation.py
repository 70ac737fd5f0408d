"""Localisation of the ground truth by explanations of clips, beside the baseline explainers."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from stexplain.bench.figures import Figures
from stexplain.bench.run import CLASSIFICATION, Run, tracked
from stexplain.bench.shared.localised import auroc_measures, localised, scores_html, scores_table
from stexplain.bench.stage import NoOptions, Parts, Results, RunResults, Stage
from stexplain.bench.verdicts import BASELINES, Outcome, compare_intervals, known, outcome
from stexplain.explainers.explainer import Explainer
from stexplain.explainers.methods import Motion, Random
from stexplain.explainers.methods.gradient.input_gradient import InputGradient
from stexplain.explainers.methods.layer.grad_cam import STGGradCAM
from stexplain.explainers.targets import Predicted
from stexplain.metrics.localisation import Localisation
from stexplain.metrics.localisation import localisation as score
from stexplain.viz import localisation

BATCH = 32
"""Clips explained at a time."""
JUDGED = "STGGradCAM"
"""The explainer that verdicts are about."""
# Without "positions", which would count both again.
OVER = {"nodes": "nodes", "frames": "frames"}


class LocalisationStage(Stage[NoOptions]):
    """STG-Grad-CAM and the input gradient against the ground truth, beside the baseline explainers."""

    title = "Localisation against ground truth"
    tasks = (CLASSIFICATION,)

    def compute(self, run: Run, results: Results, parts: Parts) -> Mapping[str, Any]:
        """Scores of every explainer over nodes, frames and positions; none where the data has no ground truth."""
        clips = run.clips("test")
        if not clips.planted:
            return {"localisation": None}
        # The first is judged; the gradient stands beside it, as the simplest explainer that uses the model.
        model = run.model()
        explainers: dict[str, Explainer] = {
            "STGGradCAM": STGGradCAM(model),
            "InputGradient": InputGradient(model),
            "Motion": Motion(model),
            "Random": Random(model, seed=run.seed),
        }
        scores: dict[str, list[Localisation]] = {name: [] for name in explainers}
        batches = -(-len(clips) // BATCH)
        # Batches go through all explainers at once: the clips are read only once.
        for batch in tracked(clips.batches(BATCH), batches, f"localisation, {run.name}", run.progress):
            for name, explainer in explainers.items():
                e = explainer(batch, target=Predicted())
                # A gradient says by its magnitude what matters, a class activation map by what is positive.
                values = np.abs(e.values) if name == "InputGradient" else e.importance
                scores[name].append(score(values, batch.truth, batch.valid))
        return {
            "localisation": {
                name: localised(Localisation.joined(by_batch), run.seed) for name, by_batch in scores.items()
            }
        }

    def figures(self, run: Run, results: Results, figures: Figures) -> None:
        """All scores with their intervals."""
        scores = results[self.name]["localisation"]
        if scores:
            figures.add(
                "",
                f"Localisation against ground truth, {run.name}",
                "Scores over nodes, over frames, and over positions (node x frame). The baseline explainers use no "
                "model. Bars are 95% bootstrap intervals.",
                localisation(scores_table(scores), title=f"Localisation against ground truth, {run.name}"),
            )

    def section(self, runs: Sequence[RunResults]) -> str:
        """All scores."""
        scores = {run.label: run.stages[self.name]["localisation"] for run in runs}
        return scores_html(scores, {"nodes": "nodes", "frames": "frames", "positions": "nodes × frames"})

    def verdicts(self, run: RunResults) -> Iterator[tuple[str, Outcome]]:
        """Is the explainer better than each baseline explainer, over nodes and over frames?"""
        scores = run.stages[self.name]["localisation"] or {}
        for baseline, words in BASELINES.items():
            signs, details = [], []
            for over, name in OVER.items():
                ours, theirs = (scores.get(method, {}).get(over, {}).get("auroc") for method in (JUDGED, baseline))
                if known(ours) and known(theirs):
                    signs.append(compare_intervals(ours, theirs))
                    details.append(f"over {name} {ours['value']:.2f} against {theirs['value']:.2f}")
            # Without intervals nothing is judged.
            if not signs:
                continue
            judged = outcome(signs)
            relation = {
                "supported": f"more accurately than {words}",
                "not supported": f"less accurately than {words}",
                "inconclusive": f"more accurately than {words} in part only"
                if max(signs) > 0
                else f"not clearly more accurately than {words}",
            }[judged]
            yield f"{JUDGED} localises the ground truth {relation} (AUROC {'; '.join(details)}).", judged

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
