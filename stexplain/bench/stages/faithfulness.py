"""Accuracy as important nodes are masked, and the faithfulness of Eq. 7 of Das & Ortega (2022)."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from stexplain.bench.figures import Figures
from stexplain.bench.html import number, paragraph, table
from stexplain.bench.run import CLASSIFICATION, Run, Task, tracked
from stexplain.bench.shared.samples import without_absent_instances
from stexplain.bench.stage import Parts, Results, RunResults, Stage, Table
from stexplain.bench.stages.class_importance import IMPORTANCE
from stexplain.bench.verdicts import Outcome, compare_intervals, known, outcome
from stexplain.cards import Count, Part, Share
from stexplain.data.baselines import baseline
from stexplain.errors import InputError
from stexplain.metrics.faithfulness import SETS, masking_curve
from stexplain.viz import masking_curves

BATCH = 64
"""Clips masked at a time."""


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
        """The importance of nodes per class."""
        return ("train", "class_importance")

    def check(self, run: Run) -> Iterator[str]:
        """Baselines must exist."""
        for name in self.options.baselines:
            try:
                baseline(name)
            except InputError as error:
                yield f"baselines: {error}"

    def compute(self, run: Run, results: Results, parts: Parts) -> Mapping[str, Any]:
        """Accuracy at every masking value, by baseline and set of nodes."""
        options, clips = self.options, run.clips("test")
        model = run.model()
        psi = pd.read_csv(run.folder / IMPORTANCE, index_col=0).to_numpy()  # [K, N]
        if options.clips is not None and options.clips < len(clips):
            # Every baseline masks the same clips, so that the curves can be compared.
            drawn = np.random.default_rng(run.seed).permutation(len(clips))[: options.clips]
            clips = clips.subset(np.sort(drawn))
        # Clips of few instances come together, so that one clip of two persons does not double a whole batch's work.
        clips = clips.subset(np.argsort(clips.table["instances"].to_numpy(), kind="stable"))
        curves: dict[str, dict[str, Any]] = {}
        for name in options.baselines:
            batches = map(without_absent_instances, clips.batches(BATCH))
            # A generator each time: the batches of one baseline are used up.
            what = f"masking {run.name} towards {name}"
            curve = masking_curve(
                model,
                tracked(batches, -(-len(clips) // BATCH), what, run.progress),
                psi,
                nodes=options.nodes,
                masking=options.values,
                baseline=name,
                seed=run.seed,
            )
            curves[name] = {
                which: {
                    "masking": curve.masking.tolist(),
                    "accuracy": [accuracy._asdict() for accuracy in curve.accuracy_interval(which, seed=run.seed)],
                    "beta": curve.faithfulness(which, seed=run.seed)._asdict(),
                }
                for which in SETS
            }
        return {"faithfulness": curves, "nodes": options.nodes, "samples": len(clips)}

    def figures(self, run: Run, results: Results, figures: Figures) -> None:
        """Accuracy against masking."""
        result = results[self.name]
        psi = pd.read_csv(run.folder / IMPORTANCE, index_col=0).dropna(how="all")
        figures.add(
            "",
            f"Accuracy under masking, {run.name}",
            f"Accuracy of {result['samples']} test samples as {result['nodes']} nodes move towards a baseline: the "
            "most important ones (highlighted), the least important ones, and as many at random. Bands are 95% "
            "bootstrap intervals.",
            masking_curves(
                curves_table(result["faithfulness"]), chance=1 / len(psi), title=f"Accuracy under masking, {run.name}"
            ),
        )

    def section(self, runs: Sequence[RunResults]) -> str:
        """Eq. 7 for every run, baseline and set of nodes."""
        sets = ("highlighted", "random", "least")
        body = [
            [run.label, name, *(number(curves[which]["beta"]) for which in sets)]
            for run in runs
            for name, curves in run.stages[self.name]["faithfulness"].items()
        ]
        # The set "least" shows whether masking any nodes costs as much.
        head = ["run", "baseline", "β highlighted", "β random nodes", "β least important"]
        intro = paragraph(
            "The highlighted nodes are those of highest importance for the predicted class. Each set of nodes moves "
            "towards a baseline, and accuracy is measured again. β sums the loss of accuracy over the masking values "
            "(Eq. 7 of the paper): the larger, the more those nodes matter to the model."
        )
        return intro + table(head, body, caption="Faithfulness β (95% interval)")

    def verdicts(self, run: RunResults) -> Iterator[tuple[str, Outcome]]:
        """Does masking the highlighted nodes cost more accuracy than masking random ones, for every baseline?"""
        signs, details = [], []
        for name, sets in run.stages[self.name]["faithfulness"].items():
            curves = (sets.get(which) or {} for which in ("highlighted", "random"))
            ours, theirs = ([*zip(c.get("masking", ()), c.get("accuracy", ()), strict=False)] for c in curves)
            pairs = [(m, a, b) for (m, a), (_, b) in zip(ours, theirs, strict=False) if known(a) and known(b)]
            if not pairs:
                continue
            # Where m is small nothing can differ yet, and at the largest all may be at chance: any clear gap counts.
            # Positive where accuracy is lower with the highlighted nodes masked.
            gaps = [compare_intervals(random, highlighted) for _, highlighted, random in pairs]
            # Gaps both ways contradict each other.
            signs.append(0 if max(gaps) > 0 > min(gaps) else max(gaps, key=abs))
            # Quoted in the text is the largest gap of the means.
            m, a, b = max(pairs, key=lambda pair: abs(pair[2]["value"] - pair[1]["value"]))
            details.append(f"{name}: {a['value']:.0%} against {b['value']:.0%} at m = {m:g}")
        if not signs:
            return
        judged = outcome(signs)
        count = f"for {sum(sign > 0 for sign in signs)} of {len(signs)} baselines"
        relation = {
            "supported": f"costs more accuracy than masking random ones, {count}",
            "not supported": "costs less accuracy than masking random ones",
            "inconclusive": f"clearly costs more accuracy than masking random ones {count} only",
        }[judged]
        yield f"Masking the highlighted {run.node}s {relation} ({'; '.join(details)}).", judged

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
                "Accuracy under masking of highlighted nodes (Table 1 of the paper)",
                self._table(runs, ("highlighted",), first),
            ),
            "masking": Table(
                "Accuracy under masking, all sets and baselines (Table 2 of the paper)",
                self._table(runs, SETS, self.options.baselines),
            ),
        }

    def _table(self, runs: Sequence[RunResults], sets: Sequence[str], baselines: Sequence[str]) -> pd.DataFrame:
        rows = []
        for run in runs:
            for name in baselines:
                for which in sets:
                    curve = run.stages[self.name]["faithfulness"][name][which]
                    row: dict[str, Any] = {"run": run.name, "baseline": name, "set": which}
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
            for which in SETS
        }

    def headline(self, run: RunResults) -> Mapping[str, str]:
        """Eq. 7 for the highlighted nodes and the first baseline."""
        # The paper's baseline comes first in the options.
        first = next(iter(run.stages[self.name]["faithfulness"].values()))
        return {"beta": f"{first['highlighted']['beta']['value']:.2f}"}


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
