"""Motion capture: BVH, whose joints follow from rotations, and C3D, whose markers are positions."""

from importlib.util import find_spec
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from stexplain.data.skeletons.mocap.trc import METRES
from stexplain.data.skeletons.take import XYZ, Take, stated_rate
from stexplain.errors import DataError, InputError
from stexplain.reading import read_text, readable, regular_file
from stexplain.reading.child_process import arrays_in_child

_SCREEN = {f"{sign}{axis}": f"{sign.strip('+')}{axis.lower()}" for sign in ("", "+", "-") for axis in "XYZ"}
"""How a file says in Y_SCREEN which axis points up on a screen, as ours."""
_NEEDS = "needs a package that is not installed: pip install stexplain[mocap]"


def read_bvh(path: Path) -> Take:
    """A BVH file: positions of its joints by forward kinematics, in the file's unit, and its skeleton.

    With parent p of joint j, offset o_j and rotation R_j (in the order of its channels)::

        x_j = x_p + G_p o_j,    G_j = G_p R_j,    x_root = o_root + the root's position

    End sites, the tips of limbs, have no channels and are no joints: they are left out, and drawings end before them.

    Raises:
        InputError: where the package `bvh` is not installed.
        DataError: where the file is broken.
    """
    try:
        from bvh import Bvh
    except ImportError as error:
        raise InputError(f"{path}: BVH {_NEEDS}") from error
    text = read_text(path)
    try:
        motion = Bvh(text if text.endswith("\n") else text + "\n")
        names = motion.get_joints_names()
        parents = [motion.joint_parent(name) for name in names]
        parent_of = [
            names.index(parent.name) if parent is not None and parent.name in names else -1 for parent in parents
        ]
        offsets = np.array([motion.joint_offset(name) for name in names])
        channels = [motion.joint_channels(name) for name in names]
        frames = [row for row in motion.frames if row != [""]]
        rows = np.array(frames, np.float64).reshape(len(frames), -1)
        seconds, stated = float(motion.frame_time), int(motion.nframes)
    except Exception as error:  # the library raises whatever it meets in a damaged file
        raise DataError(
            f"{path} is not a complete BVH file: {type(error).__name__}: {error}. Is it truncated?"
        ) from error
    count = sum(map(len, channels))
    if not len(rows) or rows.shape[1] != count or not np.isfinite(rows).all():
        raise DataError(f"{path}: got {len(rows)} frames of {rows.shape[1]} numbers; expected {count} each, finite.")
    if len(rows) != stated:
        raise DataError(f"{path}: got {len(rows)} frames; expected {stated}, as it says. Is it truncated?")
    positions = _kinematics(rows, parent_of, offsets, channels)
    bones = tuple((names[joint], names[parent]) for joint, parent in enumerate(parent_of) if parent >= 0)
    if not 0 <= seconds < np.inf:
        raise DataError(f"{path}: the Frame Time is {seconds:g}; expected seconds, a finite number above 0.")
    rate = stated_rate(path, 1 / seconds) if seconds else None
    return Take(path.stem, positions[None], XYZ, joints=tuple(names), bones=bones, frame_rate=rate)


def _kinematics(
    rows: NDArray[np.float64], parents: list[int], offsets: NDArray[np.float64], channels: list[list[str]]
) -> NDArray[np.float32]:
    """Positions of all joints, ``[T, N, 3]``; parents come before their children, as in the file."""
    frames = len(rows)
    positions = np.zeros((len(parents), frames, 3))
    turned: list[Rotation] = []
    at = 0
    for joint, (parent, names) in enumerate(zip(parents, channels, strict=True)):
        values = rows[:, at : at + len(names)]
        at += len(names)
        moved = np.tile(offsets[joint], (frames, 1))
        for column, name in enumerate(names):
            if name.endswith("position"):
                # A joint that has positions is placed by them, and not by its offset.
                axis = "XYZ".index(name[0])
                moved[:, axis] = values[:, column] + (offsets[joint][axis] if parent < 0 else 0)
        axes = "".join(name[0] for name in names if name.endswith("rotation"))
        own = Rotation.identity(frames)
        if axes:
            angles = values[:, [column for column, name in enumerate(names) if name.endswith("rotation")]]
            # Upper-case letters: each about the axes as turned before it, in the order of the channels.
            own = Rotation.from_euler(axes, angles, degrees=True)
        if parent < 0:
            positions[joint] = moved
            turned.append(own)
        else:
            positions[joint] = positions[parent] + turned[parent].apply(moved)
            turned.append(turned[parent] * own)
    return positions.transpose(1, 0, 2).astype(np.float32)


def read_c3d(path: Path) -> Take:
    """A C3D file: positions of its markers, in metres. Y_SCREEN among its parameters says which axis points up.

    A marker with a negative residual was not seen, nor was one in the origin itself, as programs write where
    it is lost.

    Raises:
        InputError: where the package `ezc3d` is not installed.
        DataError: where the file is broken, or holds no markers.
    """
    if find_spec("ezc3d") is None:
        raise InputError(f"{path}: C3D {_NEEDS}")
    # In another process: a damaged file may crash the library.
    with readable(path, "C3D"), regular_file(path).open("rb") as file:
        start = file.read(2)
    # What is none may be read for as long as its size allows.
    if start[1:] != b"\x50":
        raise DataError(f"{path} could not be read as C3D: it begins like none. Fetch the file again.")
    found = arrays_in_child("stexplain.data.skeletons.mocap.c3d_file", path, "C3D")
    points, residuals = (np.asarray(found[name], np.float64) for name in ("points", "residuals"))
    labels, unit, rate = found["labels"].tolist(), str(found["unit"]), float(found["rate"])
    if points.ndim != 3 or not points.shape[1]:
        raise DataError(f"{path} holds no markers; expected their positions. Export them from the capture software.")
    scale = METRES.get(unit)
    if scale is None:
        raise DataError(f"{path}: got positions in {unit!r}; expected mm, cm or m.")
    # [4, N, T] -> [T, N, 3]; the fourth row is one.
    values = points[:3].transpose(2, 1, 0) * scale
    unseen = (residuals[0].T < 0) if residuals.ndim == 3 else np.zeros(values.shape[:2], bool)
    values[unseen | (values == 0).all(2)] = np.nan
    return Take(
        path.stem,
        values[None].astype(np.float32),
        XYZ,
        joints=tuple(labels),
        frame_rate=stated_rate(path, rate),
        unit="m",
        up=_SCREEN.get(str(found["up"]).strip().upper(), ""),
    )
