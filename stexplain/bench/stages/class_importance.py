"""Importance of each node for each class, and contrastivity; writes `class_importance.csv` and `explanations.nc`.

Importance is Eq. 6 of Das & Ortega (2022); `class_importance-das2022.csv` follows the code that they released.
"""

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from pydantic import Field
from scipy.stats import spearmanr

from stexplain.bench.figures import Figures
from stexplain.bench.html import count, listed, number, paragraph, percent, table, text
from stexplain.bench.run import CLASSIFICATION, Run
from stexplain.bench.stage import Card, Parts, Results, RunResults, Stage, Table, as_figure, as_table
from stexplain.cards import DatasetCard, Part
from stexplain.errors import suggest
from stexplain.explainers.explanation import Explanation
from stexplain.explainers.joined import joined
from stexplain.explainers.methods.layer.grad_cam import STGGradCAM
from stexplain.explainers.methods.layer.one_pass import one_pass
from stexplain.explainers.targets import Predicted
from stexplain.files import atomic_write
from stexplain.graph import STGraph
from stexplain.metrics.contrastivity import contrastivity, contrastivity_detail
from stexplain.metrics.importance import ClassImportance
from stexplain.progress import tracked
from stexplain.viz import class_bodies, importance_map
from stexplain.viz.maps.class_bodies import MOST

BATCH = 32
"""Clips explained at a time."""
SAVED = 1000
"""Clips whose whole explanations are saved; importance per class is over all."""
IMPORTANCE, PARITY = "class_importance.csv", "class_importance-das2022.csv"
BODY = 80
"""Of more nodes than this a drawing of a body is no longer read."""
SHOWN = 3
"""Nodes named per class in the summary."""
PADDED = 0.05
"""The share of importance on padding from which on the report says so."""


class Options(Part):
    """What the importance map shows.

    Attributes:
        nodes: the order of the nodes; empty: the card's.
        classes: the order of the classes, as ids of the card; empty: the card's.
    """

    nodes: list[str] = Field(default_factory=list)
    classes: list[int | str] = Field(default_factory=list)


class ClassImportanceStage(Stage[Options]):
    """Which nodes contribute most to each class, by STG-Grad-CAM."""

    title = "Most important {node}s per class"
    tasks = (CLASSIFICATION,)
    published = ("contrastivity", "importance_figure")
    Options = Options

    def check(self, run: Run) -> Iterator[str]:
        """Nodes and classes must be the card's."""
        assert isinstance(run.card, DatasetCard)
        known: dict[str, list[Any]] = {
            "nodes": [*run.card.graph.nodes],
            "classes": [entry.id for entry in run.card.classes],
        }
        for field, names in (("nodes", self.options.nodes), ("classes", self.options.classes)):
            for name in names:
                if name not in known[field]:
                    hint = suggest(str(name), map(str, known[field]))
                    yield f"{field}: got {name!r}, which the card {run.card.name!r} lacks. {hint}"

    def compute(self, run: Run, results: Results, parts: Parts) -> Mapping[str, Any]:
        """Explains the predicted class of every test sample, and averages by class over the correct ones."""
        model, clips = run.model(), run.clips("test")
        explain, parity = STGGradCAM(model), STGGradCAM(model, parity="das2022")
        # The same seed gives both the same resamples, so that their intervals can be compared.
        ours = ClassImportance(clips.classes, clips.graph.nodes, seed=run.seed)
        theirs = ClassImportance(clips.classes, clips.graph.nodes, seed=run.seed, parity="das2022")
        saved: list[Explanation] = []
        padding: list[float] = []
        # Which nodes are ever in the ground truth of a class; none where there is no truth.
        truth = np.zeros((len(clips.classes), len(clips.graph.nodes)), np.bool_) if clips.planted else None
        batches = -(-len(clips) // BATCH)  # rounded up
        for index, batch in enumerate(tracked(clips.batches(BATCH), batches, f"explaining {run.name}", run.progress)):
            label = batch.label.numpy()
            # The predicted class is explained, also where it is wrong: `ClassImportance` keeps the correct ones.
            e, released = one_pass([explain, parity], batch, target=Predicted())
            # Clips of one person are not independent; a batch knows its groups where the data does.
            groups = batch.groups or None
            ours.update(e, label, groups=groups)
            padding += e.padding_share.tolist()
            # Whole maps of a large test split would fill the memory; their sums per class do not.
            if index * BATCH < SAVED:
                saved.append(e)
            if truth is not None and batch.truth is not None:
                np.logical_or.at(truth, label, batch.truth.numpy().any((1, 2)))
            theirs.update(released, label, groups=groups)
        run.folder.mkdir(parents=True, exist_ok=True)
        joined(saved).save(run.folder / "explanations.nc")
        # Later stages read the importance back from CSV: it is a result to look at as well.
        for name, importance in ((IMPORTANCE, ours), (PARITY, theirs)):
            with atomic_write(run.folder / name) as temporary:
                importance.to_frame().to_csv(temporary)
        detail = contrastivity_detail(ours.psi)
        return {
            "layer": saved[0].layer,
            "samples": int(ours.counts.sum()),
            "padding_share": float(np.mean(padding)),
            "explanations_saved": sum(len(part) for part in saved),
            "contrastivity": {
                **ours.interval(contrastivity).to_dict(),
                "classes": detail.used,
                "constant": detail.constant,
                "missing": detail.missing,
            },
            "das2022": {
                "contrastivity": contrastivity(theirs.psi),
                "node_rank_correlation": _rank_correlation(ours.psi, theirs.psi),
            },
            # Classes without a correctly classified sample are NaN at every node.
            "top_nodes": _top_nodes(ours.to_frame().dropna(how="all"), 5),
            "truth_nodes": None
            if truth is None
            else {
                name: [clips.graph.nodes[node] for node in np.flatnonzero(row)]
                for name, row in zip(clips.classes, truth, strict=True)
            },
        }

    def figures(self, run: Run, results: Results, figures: Figures) -> None:
        """The importance of every node for every class."""
        assert isinstance(run.card, DatasetCard)
        # A class without a correctly classified sample has no importance, hence an empty row.
        psi = pd.read_csv(run.folder / IMPORTANCE, index_col=0).dropna(how="all")
        names = {entry.id: entry.name for entry in run.card.classes}
        # The order is given as ids, the CSV has names.
        order = [names[key] for key in self.options.classes] or run.card.class_names
        # Without classes that have no row: the order is of all classes of the card.
        shown = [name for name in order if name in psi.index]
        graph = STGraph.from_card(run.card)
        what = (
            f"Mean importance (Eq. 6) over correctly classified test samples of {run.model_card.title}, "
            f"{run.card.protocols[run.protocol].title}."
        )
        if graph.positions is not None and len(graph) <= BODY:
            title = f"A body for each class, {run.label}"
            # As many as one looks at together: of NTU RGB+D 120 all would be a picture of 5,900 pixels.
            for first in range(0, len(shown), MOST):
                page = shown[first : first + MOST]
                part = f", classes {first + 1} to {first + len(page)} of {len(shown)}" if len(shown) > MOST else ""
                bodies = partial(class_bodies, psi, graph, classes=page, title=f"{title}{part}")
                figures.add(
                    f"bodies-{first // MOST + 1}" if first else "bodies",
                    f"{title}{part}",
                    f"{what} Each class is scaled to its own maximum.",
                    bodies(),
                    narrow=bodies(columns=3, width=104, height=140),
                )
        figures.add(
            "",
            f"{as_figure(run, 'importance_figure')}Importance of each node for each class, {run.label}",
            f"{what} Each row is scaled to its own maximum.",
            importance_map(
                psi,
                nodes=self.options.nodes or None,
                classes=shown,
                groups=run.card.graph.groups,
                title=f"Importance of each node for each class, {run.label}",
            ),
        )

    def section(self, runs: Sequence[RunResults]) -> str:
        """How importance is averaged, and its contrastivity."""
        layers = sorted({str(run.stages[self.name].get("layer")) for run in runs})
        intro = paragraph(
            f"Explained is the predicted class of every test sample, by STG-Grad-CAM at layer {listed(layers)}. "
            "Importance is averaged by class over correctly classified samples. Contrastivity is 1 minus the mean "
            "correlation of the importance of pairs of classes: 0 where all classes are alike, 1 where their "
            "importance is unrelated. Parity das2022 follows the code that the paper's authors released."
        )
        published = any("contrastivity" in run.published for run in runs)
        head = ["run", "contrastivity", "parity das2022", "rank correlation with parity", "classes"]
        head += ["constant maps excluded", *(["paper (real data)"] if published else [])]
        body = []
        for run in runs:
            contrast, parity = run.stages[self.name]["contrastivity"], run.stages[self.name]["das2022"]
            row = [run.label, number(contrast)]
            row += [number(parity["contrastivity"]), number(parity["node_rank_correlation"])]
            row += [contrast.get("classes"), contrast.get("constant")]
            body.append([*row, *([number(run.published.get("contrastivity"))] if published else [])])
        return intro + table(head, body, caption="Contrastivity")

    def summary(self, runs: Sequence[RunResults]) -> Card:
        """The most important nodes of each class, of the first run."""
        # The nodes of every run would crowd a summary; the figures below show them all.
        run = runs[0]
        rows = []
        for label, ranked in run.stages[self.name]["top_nodes"].items():
            nodes = [str(node) for node, *_ in ranked[:SHOWN]]
            words = _beside_truth(nodes, (run.stages[self.name].get("truth_nodes") or {}).get(label)) if nodes else ""
            rows.append(f"<li><b>{text(label)}</b>: {text(words or f'every {run.node} alike')}</li>")
        seed = "" if len(run.trainings) == 1 else f", seed {run.about.get('seed')}"
        size = run.stages[self.name].get("samples")
        which = f"the {count(size)} correctly classified" if size else "the correctly classified"
        intro = f"By STG-Grad-CAM, in order, averaged over {which} test samples of {run.label}{seed}:"
        return Card(
            f"Most important {run.node}s per class",
            paragraph(intro) + f'<ul class="columns">{"".join(rows)}</ul>',
            True,
        )

    def caveats(self, runs: Sequence[RunResults]) -> Iterator[str]:
        """Constant maps and importance on padding."""
        constant = sum(int(run.stages[self.name]["contrastivity"].get("constant") or 0) for run in runs)
        if constant:
            which = f"{constant} classes have" if constant > 1 else "1 class has"
            yield f"{which} the same importance at every {runs[0].node}; contrastivity excludes such classes."
        # The worst run: one is enough to limit the conclusions.
        padded = max((float(run.stages[self.name].get("padding_share") or 0.0) for run in runs), default=0.0)
        if padded > PADDED:
            yield f"Up to {percent(padded)} of the importance was on padding or absent instances, and was excluded."

    def tables(self, runs: Sequence[RunResults]) -> Mapping[str, Table]:
        """Table 3 of the paper."""
        rows = []
        for run in runs:
            contrast = run.stages[self.name]["contrastivity"]
            rows.append(
                {
                    "run": run.name,
                    **{key: contrast[key] for key in ("value", "low", "high", "classes")},
                    "constant maps excluded": contrast["constant"],
                    "parity das2022": run.stages[self.name]["das2022"]["contrastivity"],
                    "paper": run.published.get("contrastivity"),
                }
            )
        frame = pd.DataFrame(rows).rename(columns={"value": "contrastivity"})
        return {"contrastivity": Table(f"Contrastivity ({as_table(3, runs)})", frame)} if rows else {}

    def measures(self, run: RunResults) -> Mapping[str, Any]:
        """The contrastivity."""
        return {"contrastivity": run.stages[self.name]["contrastivity"]}

    def headline(self, run: RunResults) -> Mapping[str, str]:
        """The contrastivity."""
        value = run.stages[self.name]["contrastivity"]["value"]
        return {"contrastivity": "-" if value is None else f"{value:.2f}"}


def _beside_truth(nodes: Sequence[str], truth: Sequence[str] | None) -> str:
    """The most important nodes, and which of them the ground truth contradicts; nothing is said where there is none.

    Example:
        >>> _beside_truth(["head", "left hand"], ["neck", "head"])
        'head; contradicted by the ground truth: left hand'
    """
    if truth is None:
        return listed(nodes)
    wrong = [node for node in nodes if node not in truth]
    right = listed([node for node in nodes if node in truth])
    if not wrong:
        return right
    return f"{right or 'none confirmed'}; contradicted by the ground truth: {listed(wrong)}"


def _rank_correlation(ours: Any, theirs: Any) -> float:
    """Mean over classes of Spearman's correlation of the importance of nodes, by our definition and by theirs."""
    found = []
    for one, other in zip(ours, theirs, strict=True):
        # Nodes that were observed in no sample have no importance by ours.
        known = ~(np.isnan(one) | np.isnan(other))
        # A constant row has no ranks.
        if known.any() and np.ptp(one[known]) > 0 and np.ptp(other[known]) > 0:
            found.append(spearmanr(one[known], other[known]).statistic)
    return float(np.mean(found)) if found else float("nan")


def _top_nodes(psi: pd.DataFrame, count: int) -> dict[str, list[list[Any]]]:
    """Class -> its most important nodes, each with its importance; none where all nodes are alike.

    A node whose importance is the lowest of the class is not among its most important ones.

    Example:
        >>> _top_nodes(pd.DataFrame([[0.0, 0.5], [0.0, 0.0]], index=["nod", "hop"], columns=["foot", "head"]), 5)
        {'nod': [['head', 0.5]], 'hop': []}
    """
    # Lists, not tuples: JSON reads back lists, and a resumed run must see the same.
    return {
        str(name): [[node, float(value)] for node, value in row[row > row.min()].nlargest(count).items()]
        for name, row in psi.iterrows()
    }
