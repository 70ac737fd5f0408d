"""Accuracy as nodes are masked: by one class importance, or by several towards several baselines in one go."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple, Unpack

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor, nn

from stexplain.axes import BATCH, check_shape
from stexplain.checking import checked
from stexplain.checking.labels import refuse_booleans
from stexplain.data.baselines import Baseline, as_baseline
from stexplain.data.clips import Clips
from stexplain.errors import InputError
from stexplain.explainers.model.model_input import Signals, Streams
from stexplain.explainers.model.options import CallOptions
from stexplain.explainers.targets import Predicted
from stexplain.metrics.arrays import as_array, names_of
from stexplain.metrics.calls import call_of, parts_of, refuse_observed
from stexplain.metrics.faithfulness import SETS, MaskingCurve, check_sets, node_masks
from stexplain.metrics.importance import ClassImportance
from stexplain.metrics.masked_model import MaskedModel, baseline_name
from stexplain.metrics.masking import MASKINGS, masking_steps

# Of clips that are given as such.
_BATCH = 64


@checked
def masking_curve(
    model: nn.Module,
    batches: "Signals | Streams | Clips | Iterable[Signals | Streams]",
    class_importance: "ArrayLike | ClassImportance",
    *,
    nodes: int,
    masking: Sequence[float] = MASKINGS,
    baseline: "str | Baseline | Tensor | ArrayLike" = "zero",
    seed: int = 0,
    sets: Sequence[str] = SETS,
    labels: ArrayLike | None = None,
    valid: Any = None,
    observed: Any = None,
    shared: Mapping[str, Any] | None = None,
    per_sample: Mapping[str, Any] | None = None,
    **options: Unpack[CallOptions],
) -> MaskingCurve:
    """Masks nodes step by step and counts how many samples stay correctly classified (Das & Ortega, Tables 1-2).

    The nodes are chosen by the class importance (Eq. 6) of the class that the model predicts for the unmasked sample.
    They are masked in all frames and instances, ``x -> (1 - m) x + m baseline``. A sample's random set depends on the
    seed and its name.

    Args:
        model: any classifier, of logits ``[B, K]`` or of a single logit.
        batches: batches, or tensors in the model's own layout, or a single one, gone through once; or `Clips`, which
            are masked in batches. For whole datasets see `stexplain.metrics.dataset`.
        class_importance: psi of Eq. 6, ``[classes, N]``; NaN for classes and nodes that have none. A
            `ClassImportance` remembers how the model was called, but for `valid` and `per_sample`.
        nodes: how many nodes are masked.
        masking: the values of m, ascending; 0 is put first if it is missing.
        baseline: see `deletion_curve`.
        seed: of the random sets.
        sets: only these of `SETS` are masked.
        labels: the class of each sample, ``[n]``, in their order; default: the labels of the batches.
        valid: see `frozen_masked_model`; of all samples, in their order.
        observed: see `frozen_masked_model`; of all samples, in their order.
        shared: see `frozen_masked_model`.
        per_sample: see `frozen_masked_model`; of all samples, in their order.
        **options: how the model is called; see `ModelCaller`.

    Returns:
        Accuracy, in [0, 1], at each strength of masking.

    Raises:
        InputError: if an argument is out of range, a sample has no label, or `batches` is empty.

    Example:
        >>> model = nn.Sequential(nn.Flatten(), nn.Linear(2, 2, bias=False))
        >>> _ = model[1].weight.data.copy_(torch.tensor([[2.0, 0.0], [0.0, 1.0]]))
        >>> curve = masking_curve(model, torch.ones(1, 2), [[0.9, 0.1]] * 2, nodes=1, labels=[0], inputs="b n")
        >>> curve.accuracy()[[0, -1]].tolist()
        [1.0, 0.0]
    """
    chosen = {"": (class_importance, sets)}
    towards = {"": baseline}
    masks = {"valid": valid, "observed": observed}
    more: Any = {"labels": labels, **masks, "shared": shared, "per_sample": per_sample, **options}
    found = curves_of_importances(model, batches, chosen, towards, nodes=nodes, masking=masking, seed=seed, **more)
    return found[""][""]


Importances = Mapping[str, "tuple[ArrayLike | ClassImportance, Sequence[str]]"]
"""By name, importances by which nodes are chosen, each with the sets of `SETS` that are masked by it."""


def curves_of_importances(
    model: nn.Module,
    batches: "Signals | Streams | Clips | Iterable[Signals | Streams]",
    importances: Importances,
    baselines: "Mapping[str, str | Baseline | Tensor | ArrayLike]",
    *,
    nodes: int,
    masking: Sequence[float],
    seed: int = 0,
    labels: ArrayLike | None = None,
    valid: Any = None,
    observed: Any = None,
    shared: Mapping[str, Any] | None = None,
    per_sample: Mapping[str, Any] | None = None,
    **options: Unpack[CallOptions],
) -> dict[str, dict[str, MaskingCurve]]:
    """The `masking_curve` of every baseline and importance, to the bit.

    What all of them need is done once for a batch, not for each: preparing it, measuring how the model is called, and
    the pass without masking.

    Args:
        model: see `masking_curve`.
        batches: see `masking_curve`; gone through once.
        importances: by name; see `Importances`.
        baselines: by name.
        nodes: see `masking_curve`, as for all that follow.
        masking: the values of m.
        seed: of the random sets.
        labels: the class of each sample.
        valid: the padding mask.
        observed: the missing-value mask.
        shared: further arguments of the model's forward.
        per_sample: the same, with an entry per sample.
        **options: how the model is called.

    Returns:
        Baseline -> importance -> its curve.
    """
    if isinstance(batches, Clips):
        batches = batches.batches(_BATCH)
    # Accuracy without masking, a_0 of Eq. 7, is always measured.
    steps = masking_steps(masking)
    # Looked up before the loop: a misspelt name fails at once.
    for baseline in baselines.values():
        as_baseline(baseline)
    chosen = [_Choice.of(name, importance, sets) for name, (importance, sets) in importances.items()]
    classes = min(len(one.importance) for one in chosen)
    refuse_booleans("labels", labels, classes)
    remembered = [one for one, _ in importances.values() if isinstance(one, ClassImportance)]
    call = call_of(remembered[0].call if remembered else None, options, valid, shared, per_sample, observed=observed)
    masked = MaskedModel(model, **call.options)
    correct: dict[str, list[NDArray[np.bool_]]] = {name: [] for name in baselines}
    ids: list[str] = []
    unranked = [0] * len(chosen)
    for batch, part in parts_of(masked, batches, call):
        refuse_observed(batch, observed)
        # One copy per forward pass, so that how samples are batched decides how much memory is used.
        masked.load(batch, part, at_once=1)
        for one in chosen:
            check_shape("x", tuple(masked.batch.x.shape), BATCH, n=one.importance.shape[1])
        # A list as it is: as an array a number beside a name would be text.
        given = labels if labels is None or isinstance(labels, list | tuple) else as_array(labels)
        label = masked.labels(None if given is None else given[len(ids) : len(ids) + len(masked.batch)])
        if (label < 0).any():
            raise InputError(
                f"labels: got none for sample {len(ids) + int((label < 0).argmax())}; expected a class for each. Give "
                "`labels`, or batches that have them."
            )
        names = names_of(masked.batch.ids, len(ids))
        with masked.frozen():
            towards = {name: masked.baseline_values(baseline) for name, baseline in baselines.items()}
            unmasked, predicted = _predictions(masked, chosen, towards, steps, nodes, seed, names)
        if (label >= classes).any():
            first = int((label >= classes).argmax())
            expected = f"expected 0 to {classes - 1}, as class_importance has rows"
            raise InputError(f"labels: got class {label[first]} at sample {len(ids) + first}; {expected}.")
        ids += masked.batch.ids
        unranked = [count + int((~one.ranked[unmasked]).sum()) for count, one in zip(unranked, chosen, strict=True)]
        for name in baselines:
            # [S, A, B] against the labels [B].
            correct[name].append(predicted[name] == label)
    if not ids:
        raise InputError("batches: got none; expected at least one batch.")
    curves: dict[str, dict[str, MaskingCurve]] = {}
    for name, baseline in baselines.items():
        rows = iter(np.concatenate(correct[name], axis=2))
        curves[name] = {
            one.name: MaskingCurve(
                steps, {which: next(rows) for which in one.sets}, tuple(ids), baseline_name(baseline), nodes, count
            )
            for one, count in zip(chosen, unranked, strict=True)
        }
    return curves


class _Choice(NamedTuple):
    """How nodes are chosen: by importance ``[K, N]`` of each class, with `ranked`, which classes have any, ``[K]``."""

    name: str
    importance: NDArray[np.float64]
    ranked: NDArray[np.bool_]
    sets: Sequence[str]

    @classmethod
    def of(cls, name: str, importance: Any, sets: Sequence[str]) -> "_Choice":
        check_sets(sets)
        maps = np.asarray(importance.psi if isinstance(importance, ClassImportance) else importance, np.float64)
        check_shape("class_importance", maps.shape, "k n")
        known = ~np.isnan(maps)
        ranked: NDArray[np.bool_] = np.logical_or.reduce(known, axis=1)
        if not ranked.any():
            raise InputError(
                "class_importance: got NaN in every class; expected at least one class to choose nodes by."
            )
        # A class without importance (never predicted correctly) takes the mean over the other classes, and so does one
        # for a node that was observed in others alone. A node that was observed in none is NaN, and in no set.
        count = known.sum(axis=0)
        means = np.where(known, maps, 0.0).sum(axis=0) / np.where(count, count, np.nan)
        return cls(name, np.where(known, maps, means), ranked, sets)

    def masks(self, classes: NDArray[np.int64], ids: Sequence[str], nodes: int, seed: int) -> list[NDArray[np.bool_]]:
        """The nodes of each set for samples that are predicted to be of some classes, ``[B, N]`` each."""
        known: NDArray[np.bool_] = ~np.logical_or.reduce(np.isnan(self.importance), axis=0)
        if nodes > known.sum() and not known.all():
            raise InputError(
                f"nodes: got {nodes}; expected at most {int(known.sum())}: no sample has an observation of the other "
                f"{int((~known).sum())}, so that nothing is known of their importance."
            )
        masks = {which: np.zeros((len(classes), len(known)), np.bool_) for which in self.sets}
        chosen = node_masks(self.importance[np.ix_(classes, known)], ids, nodes, seed)
        for which, mask in masks.items():
            mask[:, known] = chosen[which]
        return list(masks.values())


def _predictions(
    masked: MaskedModel,
    chosen: Sequence[_Choice],
    towards: Mapping[str, Tensor],
    steps: NDArray[np.float64],
    nodes: int,
    seed: int,
    names: Sequence[str],
) -> tuple[NDArray[np.int64], dict[str, NDArray[np.int64]]]:
    """The classes predicted for the samples, ``[B]``, and by baseline under masking, ``[S, A, B]`` of S node sets."""
    target = Predicted()

    def read(output: Any, rows: slice) -> Tensor:
        return masked.scores(target, output, rows).classes

    # Classes are whole numbers, which float64 holds exactly.
    unmasked = masked.evaluate(lambda _: masked.batch.x, 1, read).astype(np.int64)
    fewest = min(len(one.importance) for one in chosen)
    if unmasked.max() >= fewest:
        raise InputError(
            f"class_importance: got {fewest} classes and the model predicts class {unmasked.max()}; "
            "expected a row for each of the model's classes."
        )
    sets: list[Tensor] = []
    for one in chosen:
        masks = one.masks(unmasked[0], names, nodes, seed)
        sets += [torch.from_numpy(mask).to(masked.batch.x.device) for mask in masks]
    rest = len(steps) - 1
    predicted = {}
    for name, baseline in towards.items():

        def perturbed(index: int, baseline: Tensor = baseline) -> Tensor:
            which, step = divmod(index, rest)
            return masked.moved(sets[which], baseline, float(steps[step + 1]))

        by_set = masked.evaluate(perturbed, len(sets) * rest, read).astype(np.int64) if rest else unmasked[:0]
        # m = 0 is the unmasked sample, which is the same for all sets.
        own = [np.concatenate([unmasked, each]) for each in np.split(by_set, len(sets))]
        predicted[name] = np.stack(own)
    return unmasked[0], predicted
