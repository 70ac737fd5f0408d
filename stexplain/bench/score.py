"""Explains the test split of a run and scores the explanations."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from rich.progress import track
from scipy.stats import spearmanr
from torch import nn

from stexplain.bench.experiment import Masking
from stexplain.bench.job import Job
from stexplain.data.clips import Clips
from stexplain.data.samples import Batch
from stexplain.explainers.explainer import Explainer
from stexplain.explainers.explanation import Explanation, joined
from stexplain.explainers.methods.baselines import Motion, Random
from stexplain.explainers.methods.gradient.input_gradient import InputGradient
from stexplain.explainers.methods.layer.grad_cam import STGGradCAM
from stexplain.explainers.targets import Predicted
from stexplain.files import atomic_write
from stexplain.metrics.bootstrap import Interval
from stexplain.metrics.contrastivity import contrastivity, contrastivity_detail
from stexplain.metrics.faithfulness import SETS, masking_curve
from stexplain.metrics.importance import ClassImportance
from stexplain.metrics.localisation import OVER, Localisation, localisation
from stexplain.training import evaluate

BATCH = 32
"""Clips explained at a time."""
KEPT = 1000
"""Clips whose whole maps are kept in `maps.nc`; importance per class is of all."""
MEASURES = {"auroc": "auroc", "average_precision": "ap", "pointing": "pointing"}
"""Scores of `stexplain.metrics.localisation` that are reported, and their names in `results.json`."""


def explain_run(job: Job, shown: Sequence[str]) -> Mapping[str, Any]:
    """Asks the model about the test split, explains every answer, and scores the explanations.

    Writes `psi.csv`, `psi-das2022.csv`, `confusion.csv`, `maps.nc` and `clip-K.nc` into the run's folder.

    Args:
        job: the run.
        shown: classes of which one clip each is kept for the figures.
    """
    model, clips = job.model(), job.clips("test")
    evaluation = evaluate(model, clips)
    explainers: dict[str, Explainer] = {
        "STGGradCAM": STGGradCAM(model),
        "InputGradient": InputGradient(model),
        "Motion": Motion(model),
        "Random": Random(model, seed=job.seed),
    }
    ours = ClassImportance(clips.classes, clips.graph.nodes, seed=job.seed)
    theirs = ClassImportance(clips.classes, clips.graph.nodes, seed=job.seed, parity="das2022")
    found: dict[str, list[Localisation]] = {name: [] for name in explainers}
    kept: list[Explanation] = []
    shares: list[float] = []
    start = 0
    parity = STGGradCAM(model, parity="das2022")
    for batch in _tracked(clips.batches(BATCH), len(clips), BATCH, f"explaining {job.run.name}", job.progress):
        label = batch.label.numpy()
        for name, explainer in explainers.items():
            # The controls and the gradient matter only where there is a truth to find.
            if name != "STGGradCAM" and batch.truth is None:
                continue
            e = explainer(batch, target=Predicted())
            if batch.truth is not None:
                # Magnitude is what a gradient says of importance; a CAM says it by what is positive.
                values = np.abs(e.values) if name == "InputGradient" else e.importance
                found[name].append(localisation(values, batch.truth, batch.valid))
            if name == "STGGradCAM":
                ours.update(e, label)
                shares += e.padding_share.tolist()
                if start < KEPT:
                    kept.append(e)
        theirs.update(parity(batch, target=Predicted()), label)
        start += len(batch)
    job.folder.mkdir(parents=True, exist_ok=True)
    joined(kept).save(job.folder / "maps.nc")
    _write(job.folder / "psi.csv", ours.table())
    _write(job.folder / "psi-das2022.csv", theirs.table())
    present = sorted({*evaluation.labels.tolist(), *evaluation.predicted.tolist()})
    names = [clips.classes[index] for index in present]
    confusion = evaluation.confusion[np.ix_(present, present)]
    _write(job.folder / "confusion.csv", pd.DataFrame(confusion, index=names, columns=names))
    for number, name in enumerate(shown):
        _keep_clip(job.folder / f"clip-{number}", model, clips, name, evaluation.correct, evaluation.logits)
    detail = contrastivity_detail(ours.psi)
    low, high = evaluation.interval
    return {
        "test": len(clips),
        "classes": len(clips.classes),
        "accuracy": {"value": evaluation.accuracy, "low": low, "high": high},
        "top5": evaluation.top5,
        "layer": kept[0].layer,
        "padding_share": float(np.mean(shares)),
        "maps_kept": sum(len(part) for part in kept),
        "localisation": _localised(found, job.seed) if found["STGGradCAM"] else None,
        "contrastivity": {
            **_scored(ours.interval(contrastivity)),
            "classes": detail.used,
            "constant": detail.constant,
            "missing": detail.missing,
        },
        "das2022": {
            "contrastivity": contrastivity(theirs.psi),
            "node_rank_correlation": _rank_correlation(ours.psi, theirs.psi),
        },
        "top_nodes": _top_nodes(ours.table().dropna()),
    }


def mask_run(job: Job, masking: Masking) -> Mapping[str, Any]:
    """Hides nodes of test clips, by the importance of the run's `psi.csv`, and counts what is still right.

    Args:
        job: the run.
        masking: how many nodes, by how much, towards what, in how many clips.
    """
    model, clips = job.model(), job.clips("test")
    psi = pd.read_csv(job.folder / "psi.csv", index_col=0).to_numpy()
    if masking.clips is not None and masking.clips < len(clips):
        drawn = np.random.default_rng(job.seed).permutation(len(clips))[: masking.clips]
        clips = clips.subset(np.sort(drawn))
    # Clips of few instances come together, so that one clip of two persons does not double the work for a whole batch.
    clips = clips.subset(np.argsort(clips.table["instances"].to_numpy(), kind="stable"))
    curves: dict[str, dict[str, Any]] = {}
    for name in masking.baselines:
        present = map(_present_instances, clips.batches(2 * BATCH))
        batches = _tracked(present, len(clips), 2 * BATCH, f"masking {job.run.name} towards {name}", job.progress)
        curve = masking_curve(
            model, batches, psi, nodes=masking.nodes, masking=masking.values, baseline=name, seed=job.seed
        )
        curves[name] = {
            which: {
                "masking": curve.masking.tolist(),
                "accuracy": [_scored(entry) for entry in curve.accuracy_interval(which, seed=job.seed)],
                "beta": curve.faithfulness(which, seed=job.seed).value,
                "beta_interval": _scored(curve.faithfulness(which, seed=job.seed)),
            }
            for which in SETS
        }
    return {"faithfulness": curves, "masked_nodes": masking.nodes, "masked_clips": len(clips)}


def _tracked(batches: Iterable[Batch], clips: int, size: int, what: str, progress: bool) -> Iterable[Batch]:
    return track(batches, description=f"{what:<48}", total=-(-clips // size), disable=not progress)


def _present_instances(batch: Batch) -> Batch:
    """The batch without the last instances that none of its clips has: they cost time and change no answer."""
    count = int(batch.valid.any(2).any(0).nonzero().max()) + 1
    truth = None if batch.truth is None else batch.truth[:, :count]
    return Batch(batch.x[:, :count], batch.valid[:, :count], batch.label, batch.ids, truth)


def _keep_clip(path: Path, model: nn.Module, clips: Clips, name: str, correct: Any, logits: Any) -> None:
    """Keeps the explanation of the clip of a class that the model is right about and surest of, and its coordinates."""
    label = clips.classes.index(name)
    candidates = np.flatnonzero(correct & (clips.labels == label))
    if not len(candidates):
        return
    margin = logits[candidates, label] - np.delete(logits[candidates], label, axis=1).max(1)
    sample = clips[int(candidates[margin.argmax()])]
    STGGradCAM(model)(sample, target=Predicted()).save(path.with_suffix(".nc"))
    with atomic_write(path.with_suffix(".npy")) as temporary:
        np.save(temporary, sample.x, allow_pickle=False)


def _localised(found: Mapping[str, Sequence[Localisation]], seed: int) -> dict[str, Any]:
    together = {name: Localisation.joined(parts) for name, parts in found.items()}
    return {
        name: {
            over: {short: _scored(scores.interval(over, measure, seed=seed)) for measure, short in MEASURES.items()}
            for over in OVER
        }
        for name, scores in together.items()
    }


def _scored(interval: Interval) -> dict[str, float]:
    return interval._asdict()


def _rank_correlation(ours: Any, theirs: Any) -> float:
    """Mean over classes of Spearman's correlation of the importance of nodes, by our definition and by theirs."""
    rows = [row for row in range(len(ours)) if np.ptp(ours[row]) > 0 and np.ptp(theirs[row]) > 0]
    return float(np.mean([spearmanr(ours[row], theirs[row]).statistic for row in rows])) if rows else float("nan")


def _top_nodes(psi: pd.DataFrame, count: int = 5) -> dict[str, list[list[Any]]]:
    return {
        str(name): [[node, float(value)] for node, value in row.nlargest(count).items()] for name, row in psi.iterrows()
    }


def _write(path: Path, table: pd.DataFrame) -> None:
    with atomic_write(path) as temporary:
        table.to_csv(temporary)
