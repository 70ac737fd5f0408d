"""Compares the explanations of two groups of samples, per node and over time."""

from collections.abc import Hashable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stexplain.checking import checked
from stexplain.checking.words import shown
from stexplain.errors import InputError, unknown
from stexplain.explainers.explanation import Explanation
from stexplain.intervals.groups import group_names, is_missing
from stexplain.metrics.groups.accuracy import accuracy_of, notes_on
from stexplain.metrics.groups.designs import Tested, between, within
from stexplain.metrics.groups.features import means_by_cluster, node_means, shares, window_means, window_names
from stexplain.metrics.groups.result import GroupComparison


@checked
def compare_groups(
    explanations: Explanation | Sequence[Explanation],
    groups: Sequence[Any],
    *,
    clusters: Sequence[Any] | None = None,
    labels: Any = None,
    predicted: Any = None,
    reference: Any = None,
    windows: int = 8,
    share: bool = False,
    signed: bool = False,
    permutations: int = 9999,
    confidence: float = 0.95,
    seed: int = 0,
) -> GroupComparison:
    """Where and when do the explanations of two groups of samples differ, such as those of patients and controls?

    For each node the mean importance over a sample's observations, and for each of some equal parts of a sample's
    course the mean over nodes; where all samples have the same times, the parts are named by them. One value per
    cluster, the mean over its samples, is what is compared; each cluster counts once. p is that of a permutation test
    by Welch's t, which exchanges groups between whole clusters; where every cluster has samples of both groups, by the
    paired t, which exchanges them within clusters. All tests of a result are corrected together, by maxima over the
    same permutations (Westfall & Young 1993). Between few clusters, where one group varies three times as much as
    the other, any difference is found in up to 17 of 100 cases without one, in place of 5 (decision 0332).

    Args:
        explanations: of one model, method and target; several may be of unlike length.
        groups: a label of each sample, two different ones in all, such as ``["patient", "control", ...]``.
        clusters: a label of each sample, such as its subject: samples of one cluster are not independent; or nested,
            ``[n, levels]``, of which the outermost, first, decides. Default: each sample by itself.
        labels: the true class of each sample, number or name, where the network is a classifier: its accuracy is then
            said beside what differs. Groups may differ by the maps of a network that has learned nothing.
        predicted: the class that it predicts for each sample; default: the explained one, where that is the predicted.
        reference: the group that the other is compared with; default: the one whose label comes first in order.
        windows: equal parts of each sample's course; 0 compares nodes alone.
        share: compare each sample's importance as shares of its own total, whatever the size of its score.
        signed: compare signed values, such as contributions to a forecast; else their positive part.
        permutations: the largest number of permutations; all of them, and an exact p, where there are no more.
        confidence: of the intervals, which are Student's over clusters, each by itself.
        seed: of permutations that are drawn.

    Returns:
        A table of means, differences, intervals and p values; see `GroupComparison`.

    Raises:
        InputError: where labels do not fit the samples, there are not two groups, a group has fewer than two clusters,
            or some clusters have samples of both groups and others of one.

    Example:
        >>> import numpy as np
        >>> values = np.random.default_rng(0).random((12, 1, 16, 3))
        >>> values[6:, ..., 2] += 2
        >>> e = Explanation(values, np.ones((12, 1, 16), bool), ("hip", "knee", "hand"))
        >>> result = compare_groups(e, ["control"] * 6 + ["patient"] * 6, windows=0)
        >>> result.to_frame()[["name", "difference", "p_corrected"]].round(3).values.tolist()
        [['hip', -0.047, 0.366], ['knee', -0.038, 0.377], ['hand', 1.972, 0.002]]
    """
    parts = [explanations] if isinstance(explanations, Explanation) else list(explanations)
    _check_alike(parts)
    count = sum(len(part) for part in parts)
    of_groups = _labels(groups, count)
    names = sorted(set(of_groups), key=str)
    if len(names) != 2:
        raise InputError(f"groups: got {len(names)} different labels, {names[:4]}; expected two.")
    # Of an array, whether it is among them has no answer.
    if reference is not None and (not np.isscalar(reference) or reference not in names):
        raise unknown("reference", str(reference), [str(name) for name in names])
    first = names[0] if reference is None else reference
    other = next(name for name in names if name != first)
    in_other = np.array([label == other for label in of_groups])
    subjects = list(range(count)) if clusters is None else group_names(clusters, count, "clusters").tolist()
    if windows < 0:
        raise InputError(f"windows: got {windows}; expected 0, for none, or more.")
    if not 0 < confidence < 1:
        raise InputError(f"confidence: got {confidence}; expected a share between 0 and 1.")
    if permutations < 1:
        raise InputError(f"permutations: got {permutations}; expected at least 1.")
    accuracy = accuracy_of(parts, labels, predicted, subjects, confidence=confidence, seed=seed)
    blocks = [np.concatenate([node_means(part, signed=signed) for part in parts])]
    if windows:
        blocks.append(np.concatenate([window_means(part, windows, signed=signed) for part in parts]))
    ids = [name for part in parts for name in part.ids]
    if share:
        blocks = [shares(block, ids) for block in blocks]
    features = np.concatenate(blocks, axis=1)
    kinds = ["node"] * len(parts[0].node_names) + ["time"] * windows
    of = [*parts[0].node_names, *window_names(parts, windows)]
    result = _tested(features, in_other, subjects, permutations, confidence, seed)
    table = result.table.assign(kind=kinds, name=of)
    return GroupComparison(
        _table=table[["kind", "name", *result.table.columns]],
        clusters=result.clusters,
        paired=result.paired,
        permutations=result.permutations,
        smallest_p=result.smallest_p,
        reference=str(first),
        other=str(other),
        samples=(int((~in_other).sum()), int(in_other.sum())),
        method=parts[0].method,
        target=parts[0].target,
        unit="share of importance" if share else "contribution" if signed else "importance",
        confidence=confidence,
        graph=parts[0].graph,
        notes=(*notes_on(accuracy, parts, labels), *_notes(parts)),
        accuracy=accuracy,
    )


def _tested(
    features: NDArray[np.float64],
    in_other: NDArray[np.bool_],
    subjects: Sequence[Any],
    permutations: int,
    confidence: float,
    seed: int,
) -> Tested:
    """The tests of all features, ``[B, F]``, between clusters or within them, as what the labels allow."""
    numbers = {subject: number for number, subject in enumerate(dict.fromkeys(subjects))}
    codes = np.array([numbers[subject] for subject in subjects], np.int64)
    has_other = np.bincount(codes, in_other) > 0
    has_first = np.bincount(codes, ~in_other) > 0
    both = has_other & has_first
    if both.all():
        first = means_by_cluster(features[~in_other], codes[~in_other])
        other = means_by_cluster(features[in_other], codes[in_other])
        return within(first, other, permutations=permutations, confidence=confidence, seed=seed)
    if both.any():
        names = list(numbers)
        raise InputError(
            f"clusters: {names[int(np.flatnonzero(both)[0])]!r} has samples of both groups, "
            f"{names[int(np.flatnonzero(~both)[0])]!r} of one. Expected all of the one kind or all of the other: leave "
            "out those that differ."
        )
    means = means_by_cluster(features, codes)
    return between(means, has_other, permutations=permutations, confidence=confidence, seed=seed)


def _check_alike(parts: Sequence[Explanation]) -> None:
    if not parts or not all(isinstance(part, Explanation) for part in parts):
        kinds = sorted({type(part).__name__ for part in parts}) or "an empty list"
        raise InputError(f"explanations: got {kinds}; expected an Explanation or a list of them.")
    for name in ("node_names", "method", "layer", "reduce"):
        different = {getattr(part, name) for part in parts}
        if len(different) > 1:
            shown = sorted(map(str, different))[:2]
            raise InputError(f"explanations: got different {name}, {shown}; expected the same in all.")


def _notes(parts: Sequence[Explanation]) -> tuple[str, ...]:
    """What may make the groups differ although the model treats them alike."""
    explained = {int(of) for part in parts for of in part.targets}
    if len(explained) < 2:
        return ()
    known = parts[0].classes
    names = [known[of] if 0 <= of < len(known) else f"class {of}" for of in sorted(explained)]
    shown = ", ".join(names[:4]) + (", ..." if len(names) > 4 else "")
    return (
        f"Samples are explained for different classes ({shown}): what differs between the groups may be what differs "
        "between these. Explain all for one class, by `target`.",
    )


def _labels(groups: Any, count: int) -> list[Hashable]:
    """One label per sample, as Python's own values."""
    if isinstance(groups, str) or not hasattr(groups, "__len__"):
        raise InputError(f"groups: got {groups!r}; expected a list of {count} labels, one for each sample.")
    values = groups.tolist() if hasattr(groups, "tolist") else list(groups)
    if len(values) != count:
        raise InputError(f"groups: got {len(values)} labels; expected {count}, one for each sample.")
    for row, value in enumerate(values):
        if not isinstance(value, Hashable):
            raise InputError(f"groups: got {shown(value)} for sample {row}; expected one label of each.")
        if is_missing(value):
            raise InputError(f"groups: sample {row} has no label; expected one of each. Leave out samples without one.")
    return values
