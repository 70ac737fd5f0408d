"""A Kinect that records a planted person: views, sensor faults, and the `.skeleton` file."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from stexplain.data.planted.body import JOINTS, PARENT, Array

VIEWS = {1: 0.0, 2: 45.0, 3: -45.0}
"""The angle in degrees between each camera and the direction that the person faces."""
TRACKED, INFERRED, LOST = 2, 1, 0
# Standard deviations in metres: ends of limbs are small and are tracked worst.
_JITTER = np.full(JOINTS, 0.003)
_JITTER[[5, 6, 9, 10, 13, 14, 17, 18]] = 0.005
_JITTER[[7, 11, 15, 19]] = 0.007
_JITTER[[21, 22, 23, 24]] = 0.010
# Joints that turn about a bone have a direction in the files; the ends of limbs have none.
_DIRECTED = np.ones(JOINTS, dtype=bool)
_DIRECTED[[3, 15, 19, 21, 22, 23, 24]] = False
DIGITS = 4
"""Decimals of a position in a file, in metres."""
# Precision as in the dataset's files, with their line ends.
_ROW = " ".join([f"%.{DIGITS}f"] * 3 + ["%.2f"] * 4 + ["%.4f"] * 4 + ["%d"]) + "\r\n"


@dataclass(frozen=True)
class Place:
    """Where the person stands and how the cameras are mounted; the same for the three cameras of a performance.

    Attributes:
        right: from the middle of the image, in metres; `depth`: from the camera, in metres.
        height: of the camera over the floor, in metres; `tilt`: downwards, in radians.
        facing: how far the person turns away from the first camera, in radians.
    """

    right: float
    depth: float
    height: float
    tilt: float
    facing: float


def random_place(rng: np.random.Generator) -> Place:
    """A place as in the recording rooms: 2.6 to 3.6 m from the camera, nearly facing the first one."""
    return Place(
        right=rng.uniform(-0.4, 0.4),
        depth=rng.uniform(2.6, 3.6),
        height=rng.uniform(0.8, 1.3),
        tilt=np.deg2rad(rng.uniform(0, 6)),
        facing=np.deg2rad(rng.uniform(-8, 8)),
    )


def camera_view(xyz: Array, place: Place, camera: int) -> Array:
    """Joints ``[..., 3]`` of the room in the coordinates of a camera (1, 2 or 3), without noise, in metres.

    A rotation about the vertical through the person, then the camera's place and tilt: distances are kept.
    """
    # Points are rows, so rotations are applied from the right, transposed.
    turned = xyz @ _vertical(np.deg2rad(VIEWS[camera]) + place.facing).T
    moved = turned + np.array([place.right, -place.height, place.depth])
    sine, cosine = np.sin(place.tilt), np.cos(place.tilt)
    return np.asarray(moved @ np.array([[1, 0, 0], [0, cosine, sine], [0, -sine, cosine]]).T)


def _vertical(angle: float) -> Array:
    """A rotation about the vertical, ``[3, 3]``."""
    sine, cosine = np.sin(angle), np.cos(angle)
    return np.array([[cosine, 0.0, sine], [0.0, 1.0, 0.0], [-sine, 0.0, cosine]])


@dataclass(frozen=True)
class Faults:
    """What a sensor does wrong in one clip, independently of what it sees: noise, and joints that it loses.

    Attributes:
        noise: added, ``[T, 25, 3]`` in metres.
        since: the frame whose position is shown, ``[T, 25]``: the frame itself, or the last one before a loss.
        state: `TRACKED`, `INFERRED` or `LOST`, ``[T, 25]``.
    """

    noise: Array
    since: NDArray[np.int64]
    state: NDArray[np.int64]

    def apply(self, xyz: Array) -> Array:
        """Joints ``[T, 25, 3]`` as this sensor shows them."""
        return np.asarray(np.take_along_axis(xyz, self.since[..., None], axis=0) + self.noise)


def random_faults(frames: int, rng: np.random.Generator) -> Faults:
    """White and slow noise, and two to six losses of a limb's joint for 4 to 12 frames."""
    white = rng.normal(size=(frames, JOINTS, 3))
    # Slow noise is an autoregression of order 1 with unit variance from the first frame on.
    slow = np.empty_like(white)
    slow[0] = rng.normal(size=(JOINTS, 3))
    steps = rng.normal(size=white.shape) * np.sqrt(1 - 0.9**2)
    for frame in range(1, frames):
        slow[frame] = 0.9 * slow[frame - 1] + steps[frame]
    noise = (white + 1.2 * slow) * _JITTER[:, None]
    since = np.tile(np.arange(frames)[:, None], (1, JOINTS))
    state = np.full((frames, JOINTS), TRACKED)
    # Any joint of the arms and legs but those next to the trunk, which the sensor does not lose.
    limbs = np.array([5, 6, 7, 9, 10, 11, 13, 14, 15, 17, 18, 19, 21, 22, 23, 24])
    for _ in range(int(rng.integers(2, 7))):
        joint, length = rng.choice(limbs), int(rng.integers(4, 13))
        start = int(rng.integers(1, frames - length))
        lost = slice(start, start + length)
        # A lost joint stays where it was last seen, and trembles more.
        since[lost, joint] = start - 1
        state[lost, joint] = LOST if rng.random() < 0.1 else INFERRED
        noise[lost, joint] *= 2
    return Faults(noise, since, state)


@dataclass(frozen=True)
class Body:
    """One tracked body: `xyz` ``[F, 25, 3]`` and `state` ``[F, 25]`` from frame `start` on, and its `id`."""

    id: int
    start: int
    xyz: Array
    state: NDArray[np.int64]


def random_ghost(frames: int, rng: np.random.Generator) -> Body:
    """A false detection: a piece of furniture that the sensor tracks as a person during some frames."""
    length = int(rng.integers(5, 16))
    start = int(rng.integers(0, frames - length))
    # Joints at random steps from each other, mostly behind the person; almost motionless.
    still = np.cumsum(rng.normal(0, 0.03, (JOINTS, 3)), axis=0) + rng.uniform([-1.4, -0.9, 3.2], [1.4, -0.3, 4.2])
    xyz = still + rng.normal(0, 0.02, (length, JOINTS, 3))
    return Body(body_id(rng), start, xyz, np.full((length, JOINTS), INFERRED))


def body_id(rng: np.random.Generator) -> int:
    """An id like the sensor's own: larger than a float holds exactly."""
    return 72057594037900000 + int(rng.integers(20000, 99999))


def write_skeleton(path: Path, frames: int, bodies: list[Body]) -> None:
    """Writes a recording as NTU RGB+D has it: text with CRLF, 12 values a joint.

    The values are x, y, z in metres, x and y in the depth image and in the colour image in pixels, the direction of
    the bone as a quaternion w, x, y, z (zero for the ends of limbs), and the tracking state. Bodies are listed in the
    given order in every frame in which they are present.
    """
    # All values of a frame are formatted by one call, since a call per line is slow.
    texts = [(body, _rows(body)) for body in bodies]
    lines = [f"{frames}\r\n"]
    for frame in range(frames):
        present = [(body, rows) for body, rows in texts if body.start <= frame < body.start + len(body.xyz)]
        lines.append(f"{len(present)}\r\n")
        for body, rows in present:
            lines.append(rows[frame - body.start])
    path.write_bytes("".join(lines).encode("ascii"))


def _rows(body: Body) -> list[str]:
    """The lines of a body, one text per frame."""
    xyz = body.xyz
    ahead = xyz[..., :2] / xyz[..., 2:]
    # Focal lengths and centres of the Kinect v2, as nominally built.
    depth = ahead * [366.0, -366.0] + [256.0, 208.0]
    colour = ahead * [1056.0, -1056.0] + [970.0, 550.0]
    values = np.concatenate([xyz, depth, colour, _directions(xyz), body.state[..., None]], axis=-1)
    # How far the body leans, to the side and forward, in [-1, 1]: two of the ten values of a body's line.
    lean = np.clip(xyz[:, 20] - xyz[:, 0], -1, 1)
    frame = f"{body.id} 0 1 1 1 1 0 %.4f %.4f 2\r\n{JOINTS}\r\n" + JOINTS * _ROW
    heads = np.stack([lean[:, 0], -lean[:, 2]], axis=-1)
    flat = np.concatenate([heads, values.reshape(len(xyz), -1)], axis=1)
    return [frame % tuple(row) for row in flat.tolist()]


def _directions(xyz: Array) -> Array:
    """The shortest rotation from up to each joint's bone, as a quaternion w, x, y, z ``[F, 25, 4]``."""
    bone = xyz - xyz[:, PARENT]
    # The root has no bone of its own; it points along the spine.
    bone[:, 0] = xyz[:, 1] - xyz[:, 0]
    bone /= np.maximum(np.linalg.norm(bone, axis=-1, keepdims=True), 1e-9)
    # A bone straight down has no single shortest rotation; a little tilt picks one.
    half = np.stack([1.0 + bone[..., 1] + 1e-6, bone[..., 2] + 1e-6, 0 * bone[..., 0], -bone[..., 0]], axis=-1)
    return np.asarray(np.where(_DIRECTED[:, None], half / np.linalg.norm(half, axis=-1, keepdims=True), 0.0))
