"""Skeletons in arrays: CTR-GCN's npz, and a user's own npz or npy with stated axes."""

from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stexplain.axes import Layout
from stexplain.checking import warn_caller
from stexplain.data.skeletons.labels import as_label
from stexplain.data.skeletons.take import XY, XYZ, Take, class_number, numbers, without_zeros
from stexplain.errors import DataError, InputError
from stexplain.reading.npy import load_npy, opened_npz

NTU = ("kinect-v2",)
_PARTS = ("train", "val", "test")
# What files of SMPL call the angles of joints.
_ROTATIONS = ("poses", "smpl_poses", "pose", "thetas", "body_pose", "rotations", "fullpose")
_VALUES, _LABELS, _IDS = ("x", "data", "keypoints", "keypoint", "skeletons"), ("y", "label", "labels"), ("ids", "names")


def read_ctrgcn(path: Path) -> Iterator[Take]:
    """CTR-GCN's npz: ``x_train`` ``[samples, T, 150]`` (two persons of 25 joints of x, y, z) and ``y_train``, one-hot.

    Which part a sample is of is its field ``split``.

    Raises:
        DataError: where arrays are missing or do not fit each other.
    """
    with opened_npz(path) as arrays:
        for part in _PARTS:
            if f"x_{part}" not in arrays.names:
                continue
            x, y = arrays[f"x_{part}"], arrays[f"y_{part}"]
            if x.ndim != 3 or x.shape[2] % 75:
                raise DataError(f"{path}, x_{part}: got shape {x.shape}; expected [samples, T, persons x 25 x 3].")
            if y.ndim not in (1, 2) or len(y) != len(x) or not y.size or y.dtype.kind not in "iufb":
                raise DataError(
                    f"{path}, y_{part}: got {y.dtype} of shape {y.shape}; expected the class of each of the {len(x)} "
                    "samples, as a number or one-hot."
                )
            classes = _one_hot(path, f"y_{part}", y) if y.ndim == 2 else y
            for number, (sample, label) in enumerate(zip(x, classes, strict=True)):
                # [T, M * V * C] -> [M, T, V, C]
                values = sample.reshape(len(sample), -1, 25, 3).transpose(1, 0, 2, 3)
                where = f"x_{part}, sample {number + 1}"
                shown = _cut(without_zeros(numbers(path, where, values, "[M, T, V, C]")))
                yield Take(
                    f"{part} {number}",
                    shown,
                    XYZ,
                    label=class_number(path, where, label),
                    fields={"split": part},
                    skeletons=NTU,
                )


def is_ctrgcn(path: Path) -> bool:
    """Whether an npz has CTR-GCN's names."""
    with opened_npz(path) as arrays:
        return any(f"x_{part}" in arrays.names for part in _PARTS)


def read_arrays(path: Path, axes: str | None, nodes: int | None) -> Iterator[Take]:
    """An npy, or an npz with one array of values and perhaps ``y`` (labels) and ``ids``.

    Args:
        path: of the file.
        axes: the order of its axes, such as ``"b t n c"``: b samples, m persons, t frames, n joints, c channels.
        nodes: of the graph, where known.

    Raises:
        InputError: where the axes are not given and more than one order is possible.
        DataError: where the file is broken.
    """
    labels: NDArray[Any] | None = None
    names: list[str] | None = None
    further: dict[str, list[Any]] = {}
    key, ids = "", None
    if path.suffix.lower() == ".npz":
        with opened_npz(path) as arrays:
            key = next((name for name in _VALUES if name in arrays.names), "")
            if not key and len(arrays.names) == 1:
                key = arrays.names[0]
            if not key and (angles := [name for name in arrays.names if name.lower() in _ROTATIONS]):
                key = angles[0]
            if objects := next((name for name in arrays.names if arrays.pickled(name)), None):
                raise DataError(
                    f"{path}: {objects!r} holds objects of Python, such as a dictionary, which may run code; expected "
                    "numbers. Where you trust who wrote it, see what they are, np.load(path, allow_pickle=True)"
                    f"[{objects!r}].tolist(), and save the positions of joints: np.save('x.npy', positions)."
                )
            if not key:
                raise DataError(f"{path} holds {', '.join(arrays.names)}; expected the values as one of {_VALUES}.")
            if key.lower() in _ROTATIONS:
                raise InputError(
                    f"{path}: {key!r} holds rotations of joints, as of SMPL, and no positions; expected these. Compute "
                    "them by the body model, such as smplx, and save them as x."
                )
            x = arrays[key]
            if label := next((name for name in _LABELS if name in arrays.names), None):
                labels = np.atleast_1d(arrays[label])
            ids = next((name for name in _IDS if name in arrays.names), None)
            if ids:
                names = [str(name) for name in arrays[ids].reshape(-1).tolist()]
            rest = {name: arrays.shape(name) for name in arrays.names if name not in (key, label, ids)}
            # A number or word of each recording, such as its subject.
            further = {name: arrays[name].tolist() for name, shape in rest.items() if shape == x.shape[:1]}
            if gone := [name for name in rest if name not in further]:
                warn_caller(f"{path}: of the arrays {', '.join(arrays.names)} are not used: {', '.join(gone)}.")
    else:
        whole = (
            "Recordings of several lengths, which numpy saves as objects, go to stx.Clips.from_arrays as a list. Of a "
            "dictionary, where you trust who wrote it: np.save('x.npy', np.load(path, allow_pickle=True).item()"
            "['skel_body0'])."
        )
        x = load_npy(path, mapped=True, remedy=whole)
    if x.dtype.kind not in "fiu":
        raise DataError(f"{path}: got values of type {x.dtype}; expected numbers.")
    layout = Layout(axes or _found_axes(path, x.shape, nodes, several=labels is not None or names is not None))
    if "b" not in layout.letters:
        if path.suffix.lower() == ".npz":
            _refuse_end_to_end(path, key, {**further, **({} if ids is None else {ids: names})}, layout, x.shape)
        layout, x = Layout(f"b {layout.pattern}"), x[None]
    if labels is not None and (labels.ndim > 2 or not labels.size):
        raise DataError(f"{path}, y: got shape {labels.shape}; expected the class of each sample, or rows one-hot.")
    for key, each in (("y", labels), ("ids", names)):
        if each is not None and len(each) != len(x):
            raise DataError(f"{path}, {key}: got {len(each)}; expected {len(x)}, one for each sample.")
    if labels is not None and labels.ndim == 2:
        labels = _one_hot(path, "y", labels)
    further = {name: each for name, each in further.items() if len(each) == len(x)}
    import torch

    for number, sample in enumerate(x):
        where = f"sample {number + 1}"
        batch = layout.to_batch(torch.from_numpy(np.array(sample, np.float32))[None])[0].numpy()
        values = _cut(without_zeros(numbers(path, where, batch, "[M, T, N, C]")))
        channels = {1: ("value",), 2: XY, 3: XYZ}.get(values.shape[3]) or tuple(map(str, range(values.shape[3])))
        name = names[number] if names else path.stem if len(x) == 1 else str(number)
        yield Take(
            name,
            values,
            channels,
            label="" if labels is None else as_label(labels[number]),
            fields={key: as_label(each[number]) for key, each in further.items()},
        )


def _refuse_end_to_end(path: Path, key: str, further: dict[str, Any], layout: Layout, shape: tuple[int, ...]) -> None:
    """Refuses frames of several recordings, one after the other, which an array beside them names; says other ones.

    Raises:
        DataError: with the lines that save each recording.
    """
    letters = layout.pattern.split()
    if letters[0] != "t":
        return
    columns = {name: column for name, column in further.items() if len(column) == shape[0]}
    # Times and numbers of frames differ from frame to frame.
    named = {name: len(set(column)) for name, column in columns.items() if 1 < _runs(column) <= shape[0] / 2}
    if named:
        name = max(named, key=named.__getitem__)
        raise DataError(
            f"{path}: {name!r} names {named[name]} recordings, whose frames are one after the other in {key!r}; "
            "expected one recording, or an axis of them. Save each in a file of its own: a = np.load(path); "
            f"[np.save(f'{{one}}.npy', a[{key!r}][a[{name!r}] == one]) for one in np.unique(a[{name!r}])]. Where "
            f"{name!r} is none of recordings, leave it out of the file."
        )
    if columns:
        warn_caller(f"{path}: not used, as they are of frames: {', '.join(columns)}.")


def _runs(column: Sequence[Any]) -> int:
    """How many times a column changes, and one more."""
    return 1 + sum(bool(one != other) for one, other in pairwise(column))


def _found_axes(path: Path, shape: tuple[int, ...], nodes: int | None, *, several: bool) -> str:
    """The order of axes where only one is possible: joints by the graph, channels by being few.

    Args:
        path: of the file, for the message.
        shape: of the array.
        nodes: of the graph, where known.
        several: whether the first axis is known to be that of samples, as they have labels or names.
    """
    orders = {5: ["b m t n c", "b c t n m"], 4: ["b t n c", "b c t n"], 3: ["t n c", "c t n"]}.get(len(shape), [])
    if len(shape) == 4 and not several:
        # One clip of two persons.
        orders += ["m t n c"]
    if nodes is not None and len(shape) in (3, 4):
        # Joints before frames fit only where there are as many of both.
        orders += {3: ["n t c"], 4: ["b n t c", "b c n t"]}[len(shape)]
    fitting = []
    for order in orders:
        sizes = dict(zip(order.split(), shape, strict=True))
        if (
            sizes["c"] <= 4
            and sizes.get("m", 1) <= (8 if "b" in sizes else 2)
            and nodes in (None, sizes["n"])
            and sizes["n"] > sizes["c"]
        ):
            fitting.append(order)
    if len(fitting) == 1:
        return fitting[0]
    raise InputError(
        f"axes: {path} has shape {shape}, and its axes are not known for certain"
        f"{f': {fitting} fit' if fitting else ''}. Say them, such as axes='b t n c': b samples, m persons, t frames, n "
        "joints, c channels."
    )


def _cut(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """Without persons that are in no frame, and frames at the end that hold nobody: padding."""
    present = np.asarray(~np.isnan(values).all(axis=(2, 3)))
    persons = present.any(1)
    if not persons.any():
        return values[:1, :1]
    last = int(np.flatnonzero(present.any(0))[-1])
    return values[persons, : last + 1]


def _one_hot(path: Path, where: str, rows: NDArray[Any]) -> NDArray[np.int64]:
    """The class of each row of zeros and one 1.

    Raises:
        DataError: where a row is anything else: several classes, none, or probabilities.
    """
    if rows.dtype.kind not in "iufb" or not rows.size:
        raise DataError(f"{path}, {where}: got {rows.dtype} of shape {rows.shape}; expected rows one-hot.")
    wrong = ((rows != 0) & (rows != 1)).any(1) | (rows.sum(1) != 1)
    if wrong.any():
        row = int(np.flatnonzero(wrong)[0])
        raise DataError(
            f"{path}, {where}: row {row + 1} is {rows[row][:6].tolist()}{', ...' if rows.shape[1] > 6 else ''}; "
            "expected one-hot, a single 1 among zeros, or the number of a class."
        )
    return np.asarray(rows.argmax(1), np.int64)
