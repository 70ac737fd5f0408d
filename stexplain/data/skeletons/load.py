"""From a file or folder of skeletons, in any of the common formats, to clips."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd

from stexplain.cards import Recipe
from stexplain.checking import SaidOnce, checked, warn_caller
from stexplain.checking.implausible import implausible_body
from stexplain.data.clips import Clips
from stexplain.data.grouping import with_groups
from stexplain.data.recording import Keep, Recording, choose_bodies
from stexplain.data.skeletons.formats import find_format, places, read_takes
from stexplain.data.skeletons.graph_file import graph_given, graph_of, joint_places
from stexplain.data.skeletons.labels import (
    folder_fields,
    numbered_from,
    read_labels,
    recording_names,
    refuse_folders,
    warn_of_alike,
    warn_of_folders,
    warn_of_unread,
    without_point_zero,
)
from stexplain.data.skeletons.left_out import EMPTY, FURTHER, NOBODY, UNLABELLED, refuse_twice, renamed, say_left_out
from stexplain.data.skeletons.suspected import refuse_other_scale, unlikely_joints, unlikely_values
from stexplain.data.skeletons.take import SCORE, Take, checked_names, named_channels, positions
from stexplain.data.store.tracking import persons
from stexplain.data.times.measured import Measured
from stexplain.errors import DataError, InputError, unknown
from stexplain.graph import STGraph
from stexplain.reading import given_path, naming
from stexplain.wording import an

Scores = Literal["mask", "channel"]


@dataclass(frozen=True)
class _Loaded:
    """What is collected of each recording that is kept."""

    takes: list[Take] = field(default_factory=list)
    rows: list[dict[str, Any]] = field(default_factory=list)
    left_out: list[dict[str, str]] = field(default_factory=list)
    other_folders: list[tuple[str, str, str]] = field(default_factory=list)


@checked
def load_skeletons(
    path: str | Path,
    *,
    graph: STGraph | str | Path | None = None,
    labels: "str | Path | Mapping[str, Any] | pd.DataFrame | pd.Series | None" = None,
    classes: Sequence[str] | None = None,
    axes: str | None = None,
    channels: Sequence[str] | None = None,
    instances: int = 2,
    keep: Keep = "energy",
    people: bool = True,
    score: float = 0.0,
    scores: Scores = "mask",
    frame_rate: float | None = None,
    recipe: Recipe | None = None,
    left_out: str | Path | None = None,
) -> Clips:
    r"""Clips of a file or folder of skeletons; its format is seen from names and contents.

    Read are: ``.skeleton`` files of any name, CSV (a row per joint, or a row per frame; DeepLabCut's too), ``.npz`` and
    ``.npy``, pyskl's annotations, the arrays of CTR-GCN and ST-GCN, the JSON of Kinetics-skeleton, OpenPose, COCO,
    AlphaPose, MMPose, MediaPipe and Azure Kinect, the HDF5 of SLEAP and DeepLabCut, VideoPose3D's Human3.6M, BVH, C3D,
    TRC, and the UEA archive's ``.ts``. Nothing is executed. Joints are found by name: ``left_knee``, ``LEFT_KNEE`` and
    ``KneeLeft`` are *left knee*. End sites of BVH, the tips of limbs, are no joints: drawings end before them.

    Args:
        path: of the file or folder; subfolders are searched too.
        graph: a graph, the name of a skeleton (`STGraph.skeleton`), or a CSV ``joint,parent`` with a row for each joint
            in the order of the data, perhaps with its ``x`` and ``y`` in drawings; none: that of the file, where it has
            one, or the one skeleton that has as many joints.
        labels: a CSV or table with a column of recordings and one of classes, and perhaps more (a column ``subject``
            says which clips are not independent); or a mapping. Recordings without a label are left out, and a warning
            says how many. None: those of the files, else the subfolders; subfolders called train, val and test are the
            files' own split. Of two levels of them, such as class and subject, it must be said which: by labels.
        classes: the names of the classes in order; none: in order of their names, numbers as numbers. Where the files
            hold numbers, their names by number.
        axes: of an array, such as ``"b t n c"``, where its shape leaves more than one order; of a ``.ts`` whose
            dimensions are coordinates of joints ``"b (n c) t"``, or ``"b (c n) t"`` where first come all x.
        channels: the names of what the files hold of each joint; none: those of the format, else x, y, z of three, and
            numbers of more. Those called x, y and z are positions, the rest, such as ``ax`` of an accelerometer,
            are not. A last one called ``score``, as in ``["x", "y", "score"]``, is the confidence.
        instances: how many bodies of a recording are kept at most; a warning says where there are more.
        keep: which, where there are more, see `choose_bodies`.
        people: whether bodies of which one ends where another begins are joined, and those that are no persons by the
            usual rules left out, where another stays; see `tracking.furniture`. Where no channel is a position, none.
        score: a joint whose confidence is not above it was not read.
        scores: ``"mask"``: confidence decides which joints were read, and goes; ``"channel"``: it stays, too, as a
            channel.
        frame_rate: frames per second; none: those of the files, where all say the same. Where it is not known, time
            is counted in frames.
        recipe: how clips are sampled; none: each at its own length.
        left_out: a CSV to write, of recordings and bodies that were left out, joined, or linked from frame to frame
            without tracks, and why; it is in place of the warnings that say how many.

    Returns:
        Clips of samples ``[M, T, N, C]``, in the units of the file.

    Raises:
        InputError: where the format, the graph or the axes are not known for certain; with what fits.
        DataError: where a file is broken, two recordings have one name, or no recording can be used.

    Example:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp()) / "steps.csv"
        >>> rows = [f"{s},{t},{j},{t},0,1" for s in ("a", "b") for t in range(3) for j in ("hip", "foot")]
        >>> _ = path.write_text("sample,frame,joint,x,y,score\n" + "\n".join(rows))
        >>> graph = STGraph.from_edges(["hip", "foot"], [("hip", "foot")])
        >>> clips = load_skeletons(path, graph=graph, labels={"a": "up", "b": "down"})
        >>> len(clips), clips[0].x.shape, clips.classes
        (2, (1, 3, 2, 2), ['down', 'up'])
    """
    if hasattr(path, "to_csv") or hasattr(path, "shape"):
        of_table = "Write the table to a file, table.to_csv('poses.csv', index=False), and give its path"
        of_array = "Give Clips.from_arrays(arrays, labels, graph=graph), or the path of what np.save wrote, with axes="
        raise InputError(
            f"path: got {an(type(path).__name__)}; expected the path of a file or folder. "
            f"{of_table if hasattr(path, 'to_csv') else of_array}."
        )
    path = given_path(path, "path")
    if scores not in ("mask", "channel"):
        raise unknown("use of scores", scores, ("mask", "channel"))
    if instances < 1:
        raise InputError(f"instances: got {instances}; expected at least 1.")
    named = None if channels is None else checked_names(channels)
    measured = Measured(frame_rate=frame_rate)
    others = [Path(one) for one in (labels, graph) if isinstance(one, str | Path)]
    found = find_format(path, others, labelled=labels is not None)
    own = graph_given(graph)
    # Elsewhere a file holds many recordings, with names of their own.
    by_folder = path.is_dir() and found.format not in ("pyskl", "ctrgcn", "stgcn", "h36m", "ts")
    names = recording_names(path, places(found, path), one_each=found.one_each) if by_folder else {}
    by_path = any(place.stem != name for place, name in names.items())
    table = None if labels is None else read_labels(labels, by_path=by_path)
    folders = folder_fields(path, names)
    loaded = _Loaded()
    with naming(path, same=True), SaidOnce(path):
        takes = read_takes(found, path, axes=axes, nodes=None if own is None else len(own))
        for read in renamed(takes, list(names.values())) if by_path else takes:
            # What holds no body says nothing of its joints.
            if own is None and read.values.size:
                own = graph_of(read)
            take = _described(read, folders, named, table is None)
            _add(loaded, take, own, table, instances, keep, people, score, scores)
    refuse_twice([take.id for take in loaded.takes], path)
    if left_out is None:
        say_left_out(loaded.left_out, [take.id for take in loaded.takes], path, table)
    else:
        columns = ["sample", "body", "kind", "reason"]
        pd.DataFrame(loaded.left_out, columns=columns).to_csv(left_out, index=False)
    if not loaded.takes or own is None:
        first = loaded.left_out[0] if loaded.left_out else None
        said = f"{first['sample']!r}: {first['reason']}" if first else "it holds none"
        given = f"; labels are given of {', '.join(map(repr, list(table)[:3]))}" if table else ""
        raise DataError(f"{path}: no recording can be used; the first, {said}{given}.")
    if table is None and not any(take.label for take in loaded.takes):
        warn_of_unread(path)
    # A rate that is given says nothing of the unit.
    measured = (
        _measured(loaded.takes)
        if frame_rate is None
        else replace(measured, units=_units(loaded.takes), up=_up(loaded.takes))
    )
    with naming(path, same=True):
        return _clips(loaded, own, classes, recipe, measured)


def _add(
    loaded: _Loaded,
    take: Take,
    graph: STGraph | None,
    table: dict[str, dict[str, Any]] | None,
    instances: int,
    keep: Keep,
    people: bool,
    score: float,
    scores: Scores,
) -> None:
    def leave(kind: str, reason: str, body: str = "") -> None:
        loaded.left_out.append({"sample": take.id, "body": body, "kind": kind, "reason": reason})

    if not take.values.size:
        leave(EMPTY, "it has no frame" if len(take.values) else NOBODY)
        return
    assert graph is not None, "what holds values has a graph"
    row: dict[str, Any] = dict(take.fields)
    label = take.label
    if table is not None:
        if take.id not in table:
            leave(UNLABELLED, "no label is given for it")
            return
        own = dict(table[take.id])
        given = str(own.pop("label", "")) or label
        if label and given != label:
            loaded.other_folders.append((take.id, label, given))
        label = given
        row |= own
    places = joint_places(take, graph)
    values = take.values[:, :, places]
    if take.score is not None:
        confidence = take.score[:, :, places]
        refuse_other_scale(take.id, confidence, score)
        values = np.where(confidence[..., None] > score, values, np.float32(np.nan))
        if scores == "channel":
            kept_score = np.where(np.isnan(values).any(3), np.float32(np.nan), confidence)
            values = np.concatenate([values, kept_score[..., None]], axis=3)
    for one in take.said:
        leave(one.kind, one.reason, str(one.body))
    count = positions(take.channels)
    # Where nothing says which channels are positions, nothing says what a body is.
    if people and count:
        bodies = range(len(values))
        values, stay, said = persons(values, count)
        for one in said:
            leave(one.kind, one.said(bodies), str(one.body))
    else:
        stay = list(range(len(values)))
    recording = Recording(values.astype(np.float32), tuple(stay))
    chosen = choose_bodies(recording, instances, keep, range(count or len(take.channels)))
    for body in sorted(set(range(len(values))) - set(chosen)):
        if not np.isnan(values[body]).any(2).all():
            leave(FURTHER, f"{instances} bodies of a recording are kept", str(stay[body]))
    values = values[chosen]
    if np.isnan(values).any(3).all():
        leave(EMPTY, NOBODY)
        return
    loaded.takes.append(replace(take, values=values.astype(np.float32), label=label))
    loaded.rows.append(row)


def _described(
    take: Take, folders: Mapping[str, Mapping[str, str]], channels: tuple[str, ...] | None, by_folder: bool
) -> Take:
    """A recording with what its folder says, and with the names of its channels where they are given.

    Raises:
        InputError: where it has another number of channels, or its z is a confidence.
    """
    about = dict(folders.get(take.id, {}))
    # What a file says of itself comes before the name of its folder.
    folder, levels = about.pop("label", ""), about.pop("levels", "")
    if by_folder and levels and not take.label:
        refuse_folders(take.id, levels)
    return named_channels(replace(take, label=take.label or folder, fields={**about, **take.fields}), channels)


def _measured(takes: Sequence[Take]) -> Measured:
    """The unit and the frame rate that all recordings state; where rates differ, none, and that is said."""
    # Three decimals, as 1 / 0.033333 s is 30.0003 per second; of less than one a second, six digits.
    stated = [take.frame_rate for take in takes if take.frame_rate is not None]
    rates = {round(rate, 3) if rate >= 1 else float(f"{rate:.6g}") for rate in stated}
    if len(rates) > 1:
        shown = ", ".join(f"{rate:g}" for rate in sorted(rates)[:5])
        warn_caller(
            f"the recordings state different frame rates ({shown}{', ...' if len(rates) > 5 else ''} per second): "
            "their frames are not comparable. Bring them to one rate. Time is counted in frames."
        )
    same = len(rates) == 1 and all(take.frame_rate is not None for take in takes)
    return Measured(_units(takes), frame_rate=rates.pop() if same else None, up=_up(takes))


def _up(takes: Sequence[Take]) -> str:
    """The coordinate that points up, where all recordings say the same."""
    (up, *others) = {take.up for take in takes}
    return "" if others else up


def _units(takes: Sequence[Take]) -> tuple[str, ...]:
    """The unit of each channel, where all recordings state one of their positions; further channels have none."""
    example = takes[0]
    count = positions(example.channels)
    said = bool(example.unit) and {take.unit for take in takes} == {example.unit}
    return (*(example.unit for _ in range(count)), *("" for _ in example.channels[count:])) if said else ()


def _clips(
    loaded: _Loaded, graph: STGraph, classes: Sequence[str] | None, recipe: Recipe | None, measured: Measured
) -> Clips:
    kinds = {take.values.shape[3] for take in loaded.takes}
    if len(kinds) > 1:
        raise DataError(f"the recordings have {sorted(kinds)} channels; expected one number.")
    example = loaded.takes[0]
    channels = [*example.channels, *([SCORE] if kinds.pop() > len(example.channels) else [])]
    named = without_point_zero([take.label for take in loaded.takes])
    warn_of_folders(loaded.other_folders, named)
    given = list(classes) if classes is not None else None
    names = given or sorted({name for name in named if name}, key=_by_number)
    if given is None:
        warn_of_alike(names)
    numbered = given is not None and all(name.isdigit() for name in named if name) and not set(named) & set(names)
    first = numbered_from([int(name) for name in named if name], names) if numbered and any(named) else 0
    indices = []
    for take, name in zip(loaded.takes, named, strict=True):
        if not name:
            indices.append(-1)
        elif numbered and int(name) - first < len(names):
            indices.append(int(name) - first)
        elif name in names:
            indices.append(names.index(name))
        else:
            raise unknown(f"class of {take.id!r}", name, names)
    observed = [np.asarray(~np.isnan(take.values).any(3)) for take in loaded.takes]
    valid = [np.asarray(seen.any(2)) for seen in observed]
    for take, seen in zip(loaded.takes, observed, strict=True):
        # A joint that was not found is in no place.
        where = np.nan_to_num(take.values[..., : positions(example.channels)])
        if where.shape[3] and (wrong := implausible_body(where, np.asarray(seen.all(2)))):
            warn_caller(f"recording {take.id!r}: {wrong}. Exclude it, or correct what wrote it.")
    said = unlikely_joints(loaded.takes, observed, graph.nodes) or unlikely_values(loaded.takes, graph.nodes)
    if said:
        warn_caller(said)
    partial = any((frames[..., None] & ~seen).any() for frames, seen in zip(valid, observed, strict=True))
    columns = {key for row in loaded.rows for key in row}
    fields = {key: [row.get(key, "") for row in loaded.rows] for key in sorted(columns)}
    # Clips of one person are not independent.
    fields = with_groups(fields, named)
    return Clips.from_arrays(
        [np.nan_to_num(take.values) * seen[..., None] for take, seen in zip(loaded.takes, observed, strict=True)],
        indices,
        graph=graph,
        classes=names,
        valid=valid,
        observed=observed if partial else None,
        ids=[take.id for take in loaded.takes],
        channels=channels,
        fields=fields,
        recipe=recipe,
        measured=measured,
    )


def _by_number(name: str) -> tuple[int, int, str]:
    return (0, int(name), "") if name.isdigit() else (1, 0, name)
