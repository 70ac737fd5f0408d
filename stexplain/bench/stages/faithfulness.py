"""Accuracy as important nodes are masked, and the faithfulness of Eq. 7 of Das & Ortega (2022)."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from torch import nn

from stexplain.bench.claims import Brief, Claim, Outcome, PairedTest, combined, paired_test, relation, scope
from stexplain.bench.figures import Figures
from stexplain.bench.html import number, paragraph, rounded, table
from stexplain.bench.run import CLASSIFICATION, Run, Task
from stexplain.bench.shared.predictions import load_predictions
from stexplain.bench.shared.samples import without_absent_instances
from stexplain.bench.stage import Parts, Results, RunResults, Stage, Table, as_table
from stexplain.bench.stages.class_importance import IMPORTANCE
from stexplain.cards import Count, Part, Share
from stexplain.data.baselines import baseline
from stexplain.data.clips import Clips
from stexplain.errors import InputError
from stexplain.explainers.methods import Motion
from stexplain.explainers.methods.gradient.input_gradient import InputGradient
from stexplain.explainers.targets import Predicted
from stexplain.metrics.comparison.scores import AbsoluteAttribution
from stexplain.metrics.faithfulness import SETS
from stexplain.metrics.importance import ClassImportance
from stexplain.metrics.masking import masking_steps
from stexplain.metrics.masking_curves import Importances, curves_of_importances
from stexplain.progress import tracked
from stexplain.viz import masking_curves

BATCH = 64
"""Clips masked at a time."""
MOTION, GRADIENT = "motion", "gradient"
WORDS = {
    "highlighted": "highlighted",
    "random": "random nodes",
    "least": "the least important nodes",
    MOTION: "those of most motion energy",
    GRADIENT: "those of the largest gradient",
}
"""Sets of nodes that are masked -> what they are called."""
ALL = tuple(WORDS)
COSTS = ("costs more accuracy than masking", "is not shown to cost more than masking", "costs less than masking")


class Options(Part):
    """What is masked, by how much, towards what.

    Attributes:
        nodes: how many nodes are in each set.
        values: the masking values m of Eq. 7, without 0, which is always measured.
        baselines: names in `stexplain.data.baselines`; the paper's comes first.
        clips: at most so many test clips are masked, drawn at random; none: all.
    """

    nodes: Count
    values: list[Share]
    baselines: list[str]
    clips: Count | None = None


class FaithfulnessStage(Stage[Options]):
    """Accuracy under masking of the most important nodes, the least important ones, and as many at random."""

    title = "Faithfulness"
    tasks = (CLASSIFICATION,)
    published = ("accuracy_unmasked", "faithfulness", "faithfulness_recomputed")
    Options = Options

    def needs(self, task: Task) -> tuple[str, ...]:
        """The importance of nodes per class, and which samples are classified correctly."""
        return ("train", "accuracy", "class_importance")

    def check(self, run: Run) -> Iterator[str]:
        """Baselines must exist, and values of m ascend."""
        try:
            masking_steps(self.options.values)
        except InputError as error:
            yield f"values: {error}"
        for name in self.options.baselines:
            try:
                baseline(name)
            except InputError as error:
                yield f"baselines: {error}"

    def compute(self, run: Run, results: Results, parts: Parts) -> Mapping[str, Any]:
        """Accuracy at every masking value, by baseline and set of nodes."""
        options, clips = self.options, run.clips("test")
        model, groups = run.model(), run.groups("test")
        psi = pd.read_csv(run.folder / IMPORTANCE, index_col=0).to_numpy()  # [K, N]
        # What the highlighted nodes must beat, beside random and least important ones: nodes by other importance.
        others = parts("others", lambda: _other_importance(run, model, clips))
        rows = np.arange(len(clips))
        if options.clips is not None and options.clips < len(clips):
            # Every baseline masks the same clips, so that the curves can be compared.
            rows = np.sort(np.random.default_rng(run.seed).permutation(len(clips))[: options.clips])
        # Clips of few instances come together, so that one clip of two persons does not double a whole batch's work.
        rows = rows[np.argsort(clips.table["instances"].to_numpy()[rows], kind="stable")]
        clips = clips.subset(rows)
        own_groups = None if groups is None else np.asarray(groups)[rows]
        importances: Importances = {
            run.name: (psi, SETS),
            # JSON holds the importance of a class without a correct clip as null.
            **{name: (np.array(each, np.float64), SETS[:1]) for name, each in others["importance"].items()},
        }
        batches = map(without_absent_instances, clips.batches(BATCH))
        masked = curves_of_importances(
            model,
            tracked(batches, -(-len(clips) // BATCH), f"masking, {run.name}", run.progress),
            importances,
            {name: name for name in options.baselines},
            nodes=options.nodes,
            masking=options.values,
            seed=run.seed,
        )
        curves: dict[str, dict[str, Any]] = {}
        tests: dict[str, list[PairedTest]] = {}
        for name, found in masked.items():
            curve = found[run.name]
            by_set = {which: (curve, which) for which in SETS}
            by_set |= {other: (found[other], SETS[0]) for other in others["importance"]}
            intervals: dict[str, Any] = {"groups": own_groups, "seed": run.seed}
            curves[name] = {
                shown: {
                    "masking": one.masking.tolist(),
                    "accuracy": [accuracy.to_dict() for accuracy in one.accuracy_interval(which, **intervals)],
                    "beta": one.faithfulness(which, **intervals).to_dict(),
                    "area": float(one.areas(which).mean()),
                }
                for shown, (one, which) in by_set.items()
            }
            ours = curve.areas("highlighted")
            tests[name] = [
                # Positive where masking the highlighted nodes costs more.
                paired_test(shown, one.areas(which) - ours, own_groups, seed=run.seed)
                for shown, (one, which) in by_set.items()
                if shown != "highlighted"
            ]
        return {"faithfulness": curves, "tests": tests, "nodes": options.nodes, "samples": len(clips)}

    def figures(self, run: Run, results: Results, figures: Figures) -> None:
        """Accuracy against masking."""
        result = results[self.name]
        # A row for every class, empty where no sample of it is classified correctly: it can be guessed all the same.
        psi = pd.read_csv(run.folder / IMPORTANCE, index_col=0)
        figures.add(
            "",
            f"Accuracy under masking, {run.label}",
            f"Accuracy of {result['samples']} test samples as {result['nodes']} nodes move towards a baseline: the "
            "most important ones (highlighted), the least important ones, as many at random, and those of most motion "
            "energy and of the largest gradient. Bands are 95% bootstrap intervals.",
            masking_curves(
                curves_table(result["faithfulness"]), chance=1 / len(psi), title=f"Accuracy under masking, {run.label}"
            ),
        )

    def section(self, runs: Sequence[RunResults]) -> str:
        """Eq. 7 for every run, baseline and set of nodes."""
        body = [
            [
                run.label,
                name,
                run.stages[self.name].get("samples"),
                *(number((curves.get(w) or {}).get("beta")) for w in ALL),
            ]
            for run in runs
            for name, curves in run.stages[self.name]["faithfulness"].items()
        ]
        # The set "least" shows whether masking any nodes costs as much.
        head = ["run", "baseline", "test samples", *(f"β {WORDS[which]}" for which in ALL)]
        intro = paragraph(
            "The highlighted nodes are those of highest importance for the predicted class, by STG-Grad-CAM. Each set "
            "of nodes moves towards a baseline, and accuracy is measured again. β sums the loss of accuracy over the "
            "masking values (Eq. 7 of the paper): the larger, the more those nodes matter to the model. As many nodes "
            "each are taken at random, from the end of the order, by motion energy, which uses no model, and by the "
            "plain gradient. The test of the claim is on the area between two curves, paired by sample."
        )
        return intro + table(head, body, caption="Faithfulness β (95% interval)")

    def claims(self, run: RunResults) -> Iterator[Claim]:
        """Does masking the highlighted nodes cost more accuracy than masking each other set, for every baseline?"""
        tests: list[PairedTest] = []
        numbers: list[tuple[str, str]] = []
        sets: dict[str, str] = {}
        samples = run.stages[self.name].get("samples")
        tested = f", {samples} samples" if samples else ""
        for name in self.options.baselines:
            found = combined(
                [(training.stages[self.name].get("tests") or {}).get(name, ()) for training in run.trainings]
            )
            for test in found:
                against = f"{WORDS[test['against']]} ({_number(name, test)})"
                tests.append({**test, "against": against})
                sets[against] = f"{WORDS[test['against']]} (baseline {name}{tested})"
            numbers += [(WORDS[test["against"]], _number(name, test)) for test in found]
        if not tests:
            return

        def words(signs: Sequence[int]) -> tuple[str, Outcome]:
            # Each set once, with all of its baselines.
            shown: dict[tuple[str, int], list[str]] = {}
            for (which, value), sign in zip(numbers, signs, strict=True):
                shown.setdefault((which, sign), []).append(value)
            sets: list[PairedTest] = [
                {"against": f"{which} ({', '.join(each)})", "difference": 0.0, "p": None}
                for (which, _), each in shown.items()
            ]
            text, judged = relation(sets, [sign for _, sign in shown], COSTS)
            size = f", {samples} test samples" if samples else ""
            return (
                f"{scope(len(run.trainings))}, masking the highlighted {run.node}s {text} (mean difference of accuracy "
                f"over the curve{size}).",
                judged,
            )

        def number(signs: Sequence[int]) -> str:
            # What decides, towards the baseline where it does: of those that are shown to cost more the one that costs
            # the most; else of those that are not shown to cost less; else the one that is nearest to it.
            decides = min(signs)
            hard = min(
                (test for test, sign in zip(tests, signs, strict=True) if sign == decides),
                key=lambda test: test["difference"],
            )
            way = "more" if hard["difference"] > 0 else "less"
            return f"{abs(hard['difference']):.3f} {way} accuracy than {sets[hard['against']]}"

        yield Claim(tests, words, brief=Brief(f"Masking the highlighted {run.node}s costs the most accuracy", number))

    def caveats(self, runs: Sequence[RunResults]) -> Iterator[str]:
        """The baseline matters."""
        if runs:
            yield "The result of masking depends on the baseline: compare the baselines before relying on one."

    def tables(self, runs: Sequence[RunResults]) -> Mapping[str, Table]:
        """Tables 1 and 2 of the paper."""
        if not runs:
            return {}
        first = self.options.baselines[:1]
        return {
            "masking-highlighted": Table(
                f"Accuracy under masking of highlighted nodes ({as_table(1, runs)})",
                self._table(runs, ("highlighted",), first),
            ),
            "masking": Table(
                f"Accuracy under masking, all sets and baselines ({as_table(2, runs)})",
                self._table(runs, ALL, self.options.baselines),
            ),
        }

    def _table(self, runs: Sequence[RunResults], sets: Sequence[str], baselines: Sequence[str]) -> pd.DataFrame:
        rows = []
        for run in runs:
            for name in baselines:
                for which in sets:
                    curve = run.stages[self.name]["faithfulness"][name].get(which)
                    if curve is None:
                        continue
                    row: dict[str, Any] = {"run": run.name, "baseline": name, "set": which}
                    row["samples"] = run.stages[self.name].get("samples")
                    for m, accuracy in zip(curve["masking"], curve["accuracy"], strict=True):
                        row[f"m={m:g}"] = accuracy["value"]
                    row["beta"] = curve["beta"]["value"]
                    # The paper masks the highlighted nodes towards one baseline.
                    paper = run.published if which == "highlighted" and name == self.options.baselines[0] else {}
                    row["paper: accuracy at m=0"] = paper.get("accuracy_unmasked")
                    row["paper: beta as printed"] = paper.get("faithfulness")
                    row["paper: beta recomputed"] = paper.get("faithfulness_recomputed")
                    rows.append(row)
        return pd.DataFrame(rows)

    def measures(self, run: RunResults) -> Mapping[str, Any]:
        """Eq. 7 for every baseline and set of nodes."""
        return {
            f"β {which}, {name}": curves[which]["beta"]
            for name, curves in run.stages[self.name]["faithfulness"].items()
            for which in ALL
            if which in curves
        }

    def headline(self, run: RunResults) -> Mapping[str, str]:
        """Eq. 7 for the highlighted nodes and the first baseline."""
        # The paper's baseline comes first in the options.
        first = next(iter(run.stages[self.name]["faithfulness"].values()))
        return {"beta": f"{first['highlighted']['beta']['value']:.2f}"}


def _other_importance(run: Run, model: nn.Module, clips: Clips) -> Mapping[str, Any]:
    """The importance of every node for every class by what the highlighted nodes must beat, averaged as Eq. 6."""
    explainers: dict[str, Any] = {MOTION: Motion(model), GRADIENT: AbsoluteAttribution(InputGradient(model))}
    _, correct = load_predictions(run)
    found = {name: ClassImportance(clips.classes, clips.graph.nodes, resamples=0) for name in explainers}
    start = 0
    for batch in tracked(clips.batches(BATCH), -(-len(clips) // BATCH), f"importance, {run.name}", run.progress):
        for name, explain in explainers.items():
            rows = correct[start : start + len(batch)]
            found[name].update(explain(batch, target=Predicted()), batch.label.numpy(), rows)
        start += len(batch)
    return {
        "importance": {
            name: [[None if np.isnan(value) else float(value) for value in row] for row in one.psi]
            for name, one in found.items()
        }
    }


def curves_table(faithfulness: Mapping[str, Mapping[str, Any]]) -> pd.DataFrame:
    """The curves of a run as rows of ``baseline, set, masking, accuracy, low, high``."""
    return pd.DataFrame(
        [
            {"baseline": name, "set": which, "masking": m, "accuracy": a["value"], "low": a["low"], "high": a["high"]}
            for name, sets in faithfulness.items()
            for which, curve in sets.items()
            for m, a in zip(curve["masking"], curve["accuracy"], strict=True)
        ]
    )


def _number(baseline: str, test: PairedTest) -> str:
    """The difference of accuracy, by the baseline that nodes are moved towards."""
    return f"{baseline}: {rounded(test['difference'], 3, '+')}"
