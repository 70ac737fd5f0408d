"""The calls over whole datasets."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, Unpack

import numpy as np
from numpy.typing import ArrayLike

from stexplain.checking import checked
from stexplain.data.baselines import as_baseline
from stexplain.data.clips import Clips
from stexplain.errors import InputError
from stexplain.explainers.model.options import CallOptions, ModelCall
from stexplain.metrics.dataset.measures import EFFECT, EXPLANATIONS, IMPORTANCE, MASKING, empty_importance
from stexplain.metrics.dataset.models import ModelLike, model_of
from stexplain.metrics.dataset.results import DatasetEffect, SavedExplanations
from stexplain.metrics.dataset.run import WorkOptions, results, sampled
from stexplain.metrics.faithfulness import SETS, MaskingCurve, check_sets
from stexplain.metrics.importance import ClassImportance
from stexplain.metrics.masking import MASKINGS, masking_steps


class DatasetOptions(CallOptions, WorkOptions, total=False):
    """How a dataset is worked through, and how the model is called."""


@checked
def class_importance(
    model: ModelLike,
    clips: Clips,
    *,
    method: str = "STGGradCAM",
    options: Mapping[str, Any] | None = None,
    seed: int = 0,
    resamples: int = 200,
    parity: Literal["das2022"] | None = None,
    out: "str | Path | None" = None,
    **work: Unpack[WorkOptions],
) -> ClassImportance:
    """The importance of every node for every class over a dataset: Eq. 6; see `ClassImportance`.

    Explained is the predicted class of every clip; correctly classified ones count. Clips of one group, such as of one
    person, are resampled together. A model with a recipe gets the clips sampled by it.

    Args:
        model: a module; the folder of a saved model; or ``"package.module:factory"``. Other processes, of `workers` or
            `engine`, load a module of this package from a copy in `out`, and others by folder or factory alone.
        clips: of the dataset; other processes load those of a prepared store.
        method: the name of an explainer class.
        options: of the method.
        seed: of the resamples.
        resamples: see `ClassImportance`.
        parity: see `ClassImportance`.
        out: a folder for the results of the parts, from which a later call with the same arguments resumes; none:
            nothing is kept. Where it holds results of another model, of other clips or of another call, it is refused.
        **work: how the dataset is worked through:

            - ``batch``: clips at a time, 32 by default; memory grows with it.
            - ``part``: clips in a part, 512 by default: what a call that is killed loses at most.
            - ``engine``: who computes the parts: ``"local"``, processes of this machine, or ``"ray"``, a Ray cluster,
              of which every machine sees `out`, the store and the model under the same paths; see
              `stexplain.data.store.prepare`.
            - ``workers``: how many parts at a time; none: one on this machine, in this process, or one for each
              processor of a cluster. Each uses as many threads as this process does.
            - ``progress``: whether a bar is shown on a terminal, after five seconds; by default it is.

    Returns:
        Psi ``[classes, N]``, in units of the explanation, with its intervals.

    Raises:
        InputError: where an argument is out of range, or `out` holds something else.
        DataError: where `out` cannot be written or a part is broken.

    Example:
        >>> import stexplain as stx
        >>> graph = stx.STGraph.from_edges(["a", "b"], [("a", "b")], center="a")
        >>> clips = Clips.from_arrays(np.ones((5, 1, 6, 2, 3)), [0, 1, 0, 1, 1], graph=graph)
        >>> model = stx.nn.STGCN(graph, classes=2, channels=[4], strides=[1])
        >>> int(class_importance(model, clips, part=2).counts.sum()) in (2, 3)
        True
    """
    network = model_of(model)
    clips = sampled(network, clips)
    given: dict[str, Any] = {
        "method": method,
        "of_method": {**(options or {}), **({"parity": parity} if parity else {})},
        "classes": list(clips.classes),
        "nodes": list(clips.graph.nodes),
        "seed": seed,
        "resamples": resamples,
        "parity": parity,
    }
    importance = empty_importance(given)
    for arrays in results(IMPORTANCE, given, model, network, clips, out=out, **work):
        importance.add_arrays(arrays)
    call: Any = {name: value for name, value in (options or {}).items() if name in CallOptions.__annotations__}
    importance.call = ModelCall(call)
    return importance


@checked
def masking_curve(
    model: ModelLike,
    clips: Clips,
    class_importance: "ArrayLike | ClassImportance",
    *,
    nodes: int,
    masking: Sequence[float] = MASKINGS,
    baseline: str = "zero",
    seed: int = 0,
    sets: Sequence[str] = SETS,
    out: "str | Path | None" = None,
    **options: Unpack[DatasetOptions],
) -> MaskingCurve:
    """Accuracy as nodes are masked, over a dataset; `stexplain.metrics.masking_curve` has the definition.

    Args:
        model: see `class_importance` of this module.
        clips: see there.
        class_importance: see `stexplain.metrics.masking_curve`, as for `nodes`, `masking`, `seed` and `sets`.
        nodes: how many are masked.
        masking: the values of m.
        baseline: the name of one.
        seed: of the random sets.
        sets: which are masked.
        out: see `class_importance` of this module.
        **options: how the model is called; see `ModelCaller`. And ``batch``, ``part``, ``engine``, ``workers`` and
            ``progress``; see `class_importance` of this module.

    Returns:
        Accuracy, in [0, 1], at each strength of masking.

    Raises:
        InputError: where an argument is out of range, a clip has no label, or `out` holds something else.

    Example:
        >>> import stexplain as stx
        >>> graph = stx.STGraph.from_edges(["a", "b"], [("a", "b")], center="a")
        >>> clips = Clips.from_arrays(np.ones((4, 1, 6, 2, 3)), [0, 1, 0, 1], graph=graph)
        >>> model = stx.nn.STGCN(graph, classes=2, channels=[4], strides=[1])
        >>> curve = masking_curve(model, clips, [[0.9, 0.1]] * 2, nodes=1, masking=[0, 1])
        >>> float(curve.accuracy()[0])  # clips that are alike, of two classes
        0.5
    """
    network = model_of(model)
    clips = sampled(network, clips)
    check_sets(sets)
    as_baseline(baseline)
    remembered = class_importance if isinstance(class_importance, ClassImportance) else None
    psi = np.asarray(class_importance if remembered is None else remembered.psi, np.float64)
    known = {} if remembered is None or remembered.call is None else remembered.call.options
    steps = masking_steps(masking)
    given: dict[str, Any] = {"importance": psi, "nodes": nodes, "masking": steps.tolist()}
    given |= {"baseline": baseline, "seed": seed}
    work, call = _split(options)
    given |= {"sets": list(sets), "call": {**known, **call}}
    correct: dict[str, list[Any]] = {which: [] for which in sets}
    unranked = 0
    for arrays in results(MASKING, given, model, network, clips, out=out, **work):
        unranked += int(arrays["unranked"])
        for which in sets:
            correct[which].append(arrays[which])
    joined = {which: np.concatenate(each, axis=1) for which, each in correct.items()}
    return MaskingCurve(steps, joined, tuple(clips.ids), baseline, nodes, unranked)


@checked
def effect(
    model: ModelLike,
    clips: Clips,
    *,
    target: int | None = None,
    windows: int = 8,
    groups: Mapping[str, Sequence[int | str]] | None = None,
    out: "str | Path | None" = None,
    **options: Unpack[DatasetOptions],
) -> DatasetEffect:
    """The effect of every region of every clip of generated data; `stexplain.metrics.effect` has the definition.

    The counterfactual is that of the clips, `Clips.counterfactual`.

    Args:
        model: see `class_importance` of this module.
        clips: see there; of generated data.
        target: the class, as an index; none: the predicted one.
        windows: see `stexplain.metrics.effect`.
        groups: see `stexplain.metrics.effect`.
        out: see `class_importance` of this module.
        **options: how the model is called; see `ModelCaller`. And ``batch``, ``part``, ``engine``, ``workers`` and
            ``progress``; see `class_importance` of this module.

    Returns:
        The effect of each region of each clip, in logits.

    Raises:
        InputError: where the clips have no counterfactual, an argument is out of range, or `out` holds something else.

    Example:
        >>> import stexplain as stx
        >>> graph = stx.STGraph.from_edges(["a", "b"], [("a", "b")], center="a")
        >>> clips = Clips.from_arrays(np.ones((2, 1, 6, 2, 3)), [0, 1], graph=graph)
        >>> effect(stx.nn.STGCN(graph, classes=2, channels=[4], strides=[1]), clips)
        Traceback (most recent call last):
        ...
        stexplain.errors.InputError: these clips have no counterfactual: nobody knows what a recording would be ...
    """
    network = model_of(model)
    clips = sampled(network, clips)
    # Refused before anything is computed.
    clips.counterfactual()
    work, call = _split(options)
    given: dict[str, Any] = {"target": target, "windows": windows, "call": call}
    given["groups"] = None if groups is None else {name: list(members) for name, members in groups.items()}
    found: dict[str, list[Any]] = {}
    score, names = "", ()
    for arrays in results(EFFECT, given, model, network, clips, out=out, **work):
        for name in ("values", "before", "after", "classes", "inferences"):
            found.setdefault(name, []).append(arrays[name])
        score, names = str(arrays["score"]), tuple(arrays["groups"].tolist())
    values: dict[str, Any] = {name: np.concatenate(each) for name, each in found.items()}
    return DatasetEffect(**values, ids=tuple(clips.ids), names=names, score=score)


@checked
def explanations(
    model: ModelLike,
    clips: Clips,
    *,
    out: "str | Path",
    method: str = "STGGradCAM",
    options: Mapping[str, Any] | None = None,
    target: int | None = None,
    **work: Unpack[WorkOptions],
) -> SavedExplanations:
    """Explains every clip of a dataset, and saves the maps: a netCDF file for each part.

    A map of a clip of two persons, 300 frames and 25 joints takes 60 kB, before it is compressed.

    Args:
        model: see `class_importance` of this module.
        clips: see there.
        out: a folder for the files; see there.
        method: the name of an explainer class.
        options: of the method.
        target: the class, as an index; none: the predicted one.
        **work: see `class_importance` of this module; a file has as many clips as a part.

    Returns:
        The explanations, part by part, each read when it is taken.

    Raises:
        InputError: where an argument is out of range, or `out` holds something else.

    Example:
        >>> import tempfile
        >>> import stexplain as stx
        >>> graph = stx.STGraph.from_edges(["a", "b"], [("a", "b")], center="a")
        >>> clips = Clips.from_arrays(np.ones((5, 1, 6, 2, 3)), [0, 1, 0, 1, 1], graph=graph)
        >>> model = stx.nn.STGCN(graph, classes=2, channels=[4], strides=[1])
        >>> saved = explanations(model, clips, out=tempfile.mkdtemp(), part=2)
        >>> [len(e) for e in saved]
        [2, 2, 1]
    """
    network = model_of(model)
    clips = sampled(network, clips)
    given: dict[str, Any] = {"method": method, "of_method": dict(options or {}), "target": target}
    found = list(results(EXPLANATIONS, given, model, network, clips, out=out, **work))
    files = tuple(Path(out) / str(arrays["name"]) for arrays in found)
    if lost := [file for file in files if not file.is_file()]:
        raise InputError(f"{lost[0]} is missing, although its part was finished. Remove {out}, and run the same again.")
    return SavedExplanations(files, tuple(int(arrays["samples"]) for arrays in found))


def _split(options: DatasetOptions) -> tuple[WorkOptions, CallOptions]:
    """How the dataset is worked through, and how the model is called."""
    work: Any = {name: value for name, value in options.items() if name in WorkOptions.__annotations__}
    call: Any = {name: value for name, value in options.items() if name not in work}
    return work, call
