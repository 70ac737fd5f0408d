"""Time series of the regions of an atlas, by subject, as clips on a graph of correlations."""

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from stexplain.checking import checked, takes_masks, warn_caller
from stexplain.checking.values import as_numbers
from stexplain.data.clips import Clips
from stexplain.data.signals.region_files import ENDINGS, Run, runs_of
from stexplain.data.skeletons.labels import as_label, read_labels
from stexplain.data.times.measured import Measured
from stexplain.errors import DataError, InputError, unknown
from stexplain.graph import STGraph
from stexplain.graph.given.correlation import is_correlation
from stexplain.graph.labels import is_table, points_of
from stexplain.wording import agree

_TURNED = 4
"""Hardly any recording has so many times as many regions as frames."""
_NUMBERED = re.compile(r"(?:sub-)?(\d+)")
_LONG = r"\d{5,}"
"""Of so many digits a part of a file's name is the number of a subject."""


@checked
@takes_masks("data", in_lists=True)
def load_regions(
    data: Any,
    *,
    labels: "str | Path | Mapping[str, Any] | Sequence[Any] | pd.DataFrame | pd.Series | None" = None,
    classes: Sequence[str] | None = None,
    subjects: Sequence[str] | None = None,
    tr: float | None = None,
    names: Sequence[str] | None = None,
    positions: Any = None,
    unit: str = "",
    graph: STGraph | None = None,
    train: Sequence[Any] | str | None = None,
    density: float | None = None,
    threshold: float | None = None,
) -> Clips:
    r"""Clips of atlas time series: a run of a subject each, its regions as nodes of a correlation graph.

    Args:
        data: an array ``[subjects, time, regions]``; a list of ``[time, regions]``, or a mapping from subjects to
            those, of any lengths; frames and xarray arrays, too, whose regions may come in another order; an ``.npy``
            or ``.npz``; or a folder with a ``.csv``, ``.tsv``, ``.txt``, ``.1D`` or ``.npy`` for each run, as
            fMRIPrep's and nilearn's users write them. NaN, n/a and what a masked array masks were not read.
        labels: a value for each run, in order; a mapping from subjects or runs to classes; or a table with a column of
            them and one of classes, such as ``participants.tsv``.
        classes: their names, in order; none: those that occur, sorted.
        subjects: of each run; none: ``sub-...`` of the file's name, else its name. They are the groups of clips.
        tr: repetition time in seconds, of the time axis of explanations; none: what a JSON beside the file, or the
            npz, says, else not known.
        names: of the regions; none: the header's, else "0" to "R-1".
        positions: where regions lie, ``[R, 2]`` or ``[R, 3]`` (as in MNI space; drawn from above), or by name.
        unit: of the signals, such as ``"% change"``; empty: not said.
        graph: over the regions; none: `STGraph.from_correlation` of the training subjects.
        train: the subjects of training, by name, or a bool for each run: the graph is of theirs alone, and the field
            ``split`` says which clips they are. ``"all"``: of all, where nothing is to be tested.
        density: the share of pairs that are edges; none: 0.1, or what `threshold` leaves.
        threshold: or the least correlation of an edge.

    Returns:
        Clips of samples ``[1, T, N, 1]``, in the unit given.

    Raises:
        InputError: where sizes or names differ, data are correlations and no signals, or neither `graph` nor `train` is
            given.
        DataError: where a file is broken.

    Example:
        >>> signals = np.random.default_rng(0).normal(size=(4, 50, 3))
        >>> signals[..., 1:] += signals[..., :1]
        >>> clips = load_regions(signals, labels=["hc", "mdd", "hc", "mdd"], train=["0", "1"], density=0.67, tr=2.0)
        >>> clips[3].x.shape, clips.classes, clips.graph.edges.tolist(), clips.table["split"].tolist()
        ((1, 50, 3, 1), ['hc', 'mdd'], [[0, 1], [0, 2]], ['train', 'train', 'test', 'test'])
        >>> clips[0].measured.seconds(3).tolist()
        [0.0, 2.0, 4.0]
    """
    runs = runs_of(data)
    if subjects is not None:
        if len(subjects) != len(runs):
            raise InputError(f"subjects: got {len(subjects)} for {len(runs)} runs; expected one each.")
        for run, subject in zip(runs, subjects, strict=True):
            # A run that no file names is called after its subject.
            run.id = str(subject) if run.id == run.subject and len(set(subjects)) == len(runs) else run.id
            run.subject = str(subject)
    for run in runs:
        if is_correlation(run.values.astype(np.float64), run.shown):
            raise InputError(
                f"data: {run.shown} is a matrix of correlations, {run.values.shape}, and no signal over time; "
                "expected [time, regions]. Of correlations give graph=STGraph.from_correlation(matrices, density=0.1)."
            )
    regions = _regions(runs, names)
    turned = next((run for run in runs if not run.names and len(run.values) * _TURNED < len(regions)), None)
    if turned is not None:
        warn_caller(
            f"data: {turned.shown} has {len(turned.values)} times of {len(regions)} regions: is it turned round? "
            "Expected [time, regions]; else give its transpose."
        )
    found = _labels(runs, labels)
    known = [str(one) for one in classes] if classes is not None else sorted({each for each in found if each})
    for run, label in zip(runs, found, strict=True):
        if label and label not in known:
            raise unknown(f"class of {run.id!r}", label, known)
    training, rate = _training(runs, train), _repetition_time(runs, tr)
    where = None if positions is None else _positions(positions, regions)
    if graph is None:
        if training is None:
            raise InputError(
                "train: a graph of correlations is made of training subjects alone, or it knows of those that are "
                f"tested. Give train=[{runs[0].subject!r}, ...], a graph=, or train='all' where nothing is tested."
            )
        share = 0.1 if density is None and threshold is None else density
        graph = _correlated(runs, training, regions, share, threshold, where)
    elif tuple(graph.nodes) != regions and set(graph.nodes) != set(regions):
        raise InputError(f"graph: its nodes are {', '.join(graph.nodes[:3])}, ...; expected {', '.join(regions[:3])}.")
    order = [regions.index(node) for node in graph.nodes]
    observed = [~np.isnan(run.values[:, order])[None] for run in runs]
    fields: dict[str, list[Any]] = {"subject": [run.subject for run in runs], "group": [run.subject for run in runs]}
    if training is not None and not all(training):
        fields["split"] = ["train" if inside else "test" for inside in training]
    return Clips.from_arrays(
        [np.nan_to_num(run.values[:, order])[None, :, :, None] for run in runs],
        [known.index(label) if label else -1 for label in found],
        graph=graph,
        classes=known,
        observed=None if all(mask.all() for mask in observed) else observed,
        ids=[run.id for run in runs],
        channels=["signal"],
        fields=fields,
        measured=Measured((unit,) if unit else (), None if rate is None else 1 / rate),
    )


def _regions(runs: Sequence[Run], names: Sequence[str] | None) -> tuple[str, ...]:
    """The names of the regions, which all runs have in one order."""
    counts = {run.values.shape[1] for run in runs}
    if len(counts) > 1:
        odd = next(run for run in runs if run.values.shape[1] != runs[0].values.shape[1])
        hint = " Is it transposed? Expected [time, regions]." if odd.values.shape[0] == runs[0].values.shape[1] else ""
        raise InputError(
            f"data: {odd.shown} has {odd.values.shape[1]} regions, {runs[0].shown} {runs[0].values.shape[1]}; expected "
            f"one number.{hint}"
        )
    count = counts.pop()
    named = [run for run in runs if run.names]
    for run in named[1:]:
        # The same regions in another order: a column goes where its name is.
        if run.names != named[0].names and sorted(run.names) == sorted(named[0].names) and len(set(run.names)) == count:
            run.values = run.values[:, [run.names.index(name) for name in named[0].names]]
            run.names = named[0].names
    said = {run.names for run in named}
    if len(said) > 1 and names is None:
        odd = next(run for run in named if run.names != named[0].names)
        differing = next(pair for pair in zip(named[0].names, odd.names, strict=True) if pair[0] != pair[1])
        raise DataError(
            f"data: the runs name their regions differently, such as {differing[0]!r} (of {named[0].shown}) and "
            f"{differing[1]!r} (of {odd.shown}); expected one order. Give names= if only the names differ."
        )
    chosen = tuple(map(str, names)) if names is not None else next(iter(said), tuple(map(str, range(count))))
    if len(chosen) != count:
        turned = " The data may be [subjects, regions, time]: transpose it." if len(chosen) in {
            run.values.shape[0] for run in runs
        } else ""  # fmt: skip
        raise InputError(f"names: got {len(chosen)} for {count} regions; expected one each.{turned}")
    return chosen


def _labels(runs: Sequence[Run], labels: Any) -> list[str]:
    """The class of each run; empty where none is known."""
    if labels is None:
        return [run.label for run in runs]
    if hasattr(labels, "__array__") and not isinstance(labels, pd.DataFrame | pd.Series):
        # A column of a table, such as of categories, or a tensor.
        labels = np.asarray(labels, object if hasattr(labels, "dtype") and hasattr(labels, "isna") else None).tolist()
    if isinstance(labels, Sequence) and not isinstance(labels, str):
        if len(labels) != len(runs):
            raise InputError(f"labels: got {len(labels)} for {len(runs)} runs; expected one each.")
        if len({run.where for run in runs if run.where.lower().endswith(ENDINGS)}) > 1:
            warn_caller(
                f"labels: a list is taken in the order of the files: the first, {runs[0].id!r}, is {labels[0]!r}, and "
                f"the last, {runs[-1].id!r}, {labels[-1]!r}. A mapping or a table from subjects to classes is joined "
                "by names."
            )
        return [as_label(label) for label in labels]
    table = read_labels(labels, subjects=True)
    # An index that pandas counts names places, and no subjects.
    counted = isinstance(labels, pd.Series) and labels.index.name is None and labels.index.dtype.kind in "iu"
    others = {} if counted else _named_otherwise(runs, table)
    found = [table.get(run.id) or table.get(run.subject) or table.get(others.get(run.id, "")) for run in runs]
    lacking = [run.id for run, row in zip(runs, found, strict=True) if row is None]
    if lacking:
        numbered = [run.id for run in runs] == [str(number) for number in range(len(runs))]
        raise InputError(
            f"labels: got none for {lacking[0]!r} ({len(lacking)} of {len(runs)} runs); expected one for each run or "
            "subject. "
            + (
                "The runs have no names: give them, such as subjects=table['participant_id'], or labels in order, "
                "labels=table['label'].tolist()."
                if numbered
                else f"Labels are given of {', '.join(map(repr, list(table)[:3]))}. Leave its file out, or add it."
            )
        )
    joined = [run for run in runs if run.id not in table and run.subject not in table]
    if joined:
        warn_caller(
            f"labels: {len(joined)} of {len(runs)} runs {agree(len(joined), 'is', 'are')} joined by a number or "
            "the beginning of a name, such as "
            f"{joined[0].id!r} with {others[joined[0].id]!r}."
        )
    return [str((row or {}).get("label", "")) for row in found]


def _named_otherwise(runs: Sequence[Run], names: Iterable[str]) -> dict[str, str]:
    """Names of a table by the runs that they are of, where the two are written differently.

    ``50002`` is ``sub-0050002`` and ``Pitt_0050002_rois_aal``, and so is ``Pitt_0050002``. Where a number stands for
    several names or subjects, nothing is joined by it.

    Example:
        >>> runs = [Run("Pitt_0050002_rois_aal", "Pitt_0050002_rois_aal", np.zeros((1, 1), np.float32))]
        >>> _named_otherwise(runs, ["50002"]), _named_otherwise(runs, ["Pitt_0050002"])
        ({'Pitt_0050002_rois_aal': '50002'}, {'Pitt_0050002_rois_aal': 'Pitt_0050002'})
    """
    names = list(names)
    numbered: dict[int, set[str]] = {}
    subjects: dict[int, set[str]] = {}
    for name in names:
        if (match := _NUMBERED.fullmatch(name)) is not None:
            numbered.setdefault(int(match[1]), set()).add(name)
    own: dict[str, int] = {}
    for run in runs:
        match = _NUMBERED.fullmatch(run.subject)
        long = {int(part) for part in re.split("[_-]", run.id) if re.fullmatch(_LONG, part)}
        if match is not None or len(long) == 1:
            own[run.id] = int(match[1]) if match is not None else long.pop()
            subjects.setdefault(own[run.id], set()).add(run.subject if match is not None else run.id)
    found: dict[str, str] = {}
    for run in runs:
        begins = [name for name in names if run.id.startswith(f"{name}_")]
        known = numbered.get(own.get(run.id, -1), set())
        if len(begins) == 1:
            found[run.id] = begins[0]
        elif len(known) == 1 and len({one.lstrip("0") for one in subjects[own[run.id]]}) == 1:
            found[run.id] = next(iter(known))
    return found


def _training(runs: Sequence[Run], train: Sequence[Any] | str | None) -> list[bool] | None:
    """Which runs are of training."""
    if train is None:
        return None
    if isinstance(train, str):
        if train != "all":
            raise InputError(f"train: got {train!r}; expected the names of subjects, a bool for each run, or 'all'.")
        return [True] * len(runs)
    if len(train) == len(runs) and all(isinstance(one, bool | np.bool_) for one in train):
        return [bool(one) for one in train]
    subjects = [run.subject for run in runs]
    chosen = {str(one) for one in train}
    for one in chosen:
        if one not in subjects:
            raise unknown("subject of training", one, list(dict.fromkeys(subjects)))
    return [subject in chosen for subject in subjects]


def _correlated(
    runs: Sequence[Run],
    training: Sequence[bool],
    regions: Sequence[str],
    density: float | None,
    threshold: float | None,
    positions: Any,
) -> STGraph:
    chosen = [run for run, inside in zip(runs, training, strict=True) if inside]
    if not chosen:
        raise InputError("train: got no run; expected at least one, of which the graph is made.")
    gaps = next((run for run in chosen if np.isnan(run.values).any()), None)
    if gaps is not None:
        place = int(np.isnan(gaps.values).any(0).argmax())
        raise InputError(
            f"data: {gaps.shown}, region {regions[place]!r}, has missing values, and a graph of correlations "
            "needs all. Leave the region out, give a graph=, or take other subjects for train."
        )
    return STGraph.from_correlation(
        [run.values for run in chosen], regions, density=density, threshold=threshold, positions=positions
    )


def _point(name: Any, point: Any) -> Any:
    numbers = as_numbers(f"positions[{name!r}]", point).astype(np.float64)
    if numbers.shape not in ((2,), (3,)):
        raise InputError(f"positions[{name!r}]: got shape {numbers.shape}; expected a point, of 2 or 3 numbers.")
    return numbers[:2]


def _positions(positions: Any, regions: Sequence[str]) -> Any:
    """Points for drawing, from above."""
    if isinstance(positions, Mapping):
        return {name: _point(name, point) for name, point in positions.items()}
    if is_table(positions):
        positions = points_of(positions, regions)
    points = as_numbers("positions", positions).astype(np.float64)
    if points.ndim != 2 or points.shape[0] != len(regions) or points.shape[1] not in (2, 3):
        raise InputError(f"positions: got shape {points.shape}; expected [{len(regions)}, 2] or [{len(regions)}, 3].")
    return points[:, :2]


def _repetition_time(runs: Sequence[Run], tr: float | None) -> float | None:
    if tr is not None:
        # Its inverse, the frame rate, is such a number too.
        if not 0 < tr < math.inf or not 0 < 1 / tr < math.inf:
            raise InputError(f"tr: got {tr}; expected seconds, a finite number above 0.")
        return float(tr)
    other = next((run for run in runs if run.tr != runs[0].tr), None)
    if other is not None:
        raise InputError(
            f"data: got the repetition times {runs[0].tr or 'not said'} (of {runs[0].shown}) and "
            f"{other.tr or 'not said'} (of {other.shown}); expected one. Give tr=."
        )
    return runs[0].tr
