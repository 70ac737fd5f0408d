"""Centred, turned and scaled by loops over samples: about the first observation of the centre, gaps left as zeros."""

import numpy as np
import pytest

from stexplain.data.transforms.alignment import center_and_augment, facing_angle, horizontal_channels, sides_of
from stexplain.data.transforms.frames import Augmentation
from stexplain.errors import InputError

RANDOM = np.random.default_rng(0)
X = RANDOM.normal(size=(3, 2, 4, 3, 3)).astype(np.float32)
VALID = np.ones((3, 2, 4), bool)
VALID[1, 0, :2] = VALID[2, 0] = VALID[2, 1, 0] = False
OBSERVED = VALID[..., None] & (RANDOM.random(X.shape[:4]) > 0.3)
OBSERVED[:, 1, 3] = True


def by(angle, scale) -> Augmentation:
    return Augmentation(np.ones(3), np.zeros(3), np.array(angle, np.float64), np.array(scale, np.float64))


AUGMENT = by([0.3, 0.0, -1.2], [1.0, 2.0, 0.5])


def first(seen):
    """The first instance that is ever true, and its first true frame."""
    return next((m, t) for m in range(2) for t in range(4) if seen[m, t])


def turned(point, angle):
    x, y, z = point
    return np.array([x * np.cos(angle) + z * np.sin(angle), y, z * np.cos(angle) - x * np.sin(angle)])


def facing(b, observed):
    seen = VALID[b] if observed is None else observed[b][..., 0] & observed[b][..., 2]
    m, t = first(seen)
    line = X[b, m, t, 2].astype(float) - X[b, m, t, 0]
    return np.arctan2(line[2], line[0])


@pytest.mark.parametrize("observed", [None, OBSERVED])
@pytest.mark.parametrize("remove", [True, False])
@pytest.mark.parametrize("augment", [None, AUGMENT])
@pytest.mark.parametrize("across", [None, (0, 2)])
def test_by_loops(observed, remove, augment, across):
    x = np.where(VALID[..., None, None] if observed is None else observed[..., None], X, 0).astype(np.float32)
    found = center_and_augment(
        x.copy(), VALID, center=1, remove=remove, vertical=(0, 2), across=across, augmentation=augment,
        observed=observed,
    )  # fmt: skip
    for b in range(3):
        m, t = first(VALID[b] if observed is None else observed[b][..., 1])
        pivot = x[b, m, t, 1].astype(float)
        angle = (0.0 if augment is None else augment.angle[b]) + (0.0 if across is None else facing(b, observed))
        scale = 1.0 if augment is None else augment.scale[b]
        for place in np.ndindex(2, 4, 3):
            there = VALID[b][place[:2]] if observed is None else observed[b][place]
            expected = np.zeros(3)
            if there:
                expected = turned(x[b][place] - pivot, angle) * scale + (0 if remove else pivot)
            np.testing.assert_allclose(found[b][place], expected, atol=2e-6)


def test_without_a_rotation_about_the_vertical_only_sizes_change():
    found = center_and_augment(X.copy(), VALID, center=0, remove=True, augmentation=AUGMENT)
    for b in range(3):
        m, t = first(VALID[b])
        expected = (X[b] - X[b, m, t, 0]) * AUGMENT.scale[b] * VALID[b][..., None, None]
        np.testing.assert_allclose(found[b], expected, atol=2e-6)


def test_nothing_to_do_needs_no_centre_and_anything_else_does():
    same = center_and_augment(X, VALID, center=None, remove=False)
    assert same is X
    still = by([0, 0, 0], [1, 1, 1])
    assert center_and_augment(X, VALID, center=None, remove=False, vertical=(0, 2), augmentation=still) is X
    for options in (
        {"remove": True},
        {"remove": False, "augmentation": by([0, 0, 0], [1, 1, 2])},
        {"remove": False, "vertical": (0, 2), "augmentation": by([1, 1, 1], [1, 1, 1])},
    ):
        with pytest.raises(InputError, match="center: centring, rotation and scaling need a centre node"):
            center_and_augment(X, VALID, center=None, **options)


def test_after_it_the_right_lies_at_a_larger_x_than_the_left():
    angle = facing_angle(X, VALID, across=(0, 2), vertical=(0, 2))
    for b in range(3):
        m, t = first(VALID[b])
        line = turned(X[b, m, t, 2].astype(float) - X[b, m, t, 0], angle[b])
        assert line[0] > 0
        assert line[2] == pytest.approx(0, abs=1e-6)


def test_names_of_sides_and_of_what_is_up():
    nodes = ["spine", "right hip", "left hip", "left knee"]
    assert sides_of("hip", nodes, ["x", "y", "z"]) == (2, 1)
    for joint, channels in (("knee", ["x", "y", "z"]), ("hip", ["x", "y"]), ("hip", ["x", "z", "score"])):
        with pytest.raises(InputError, match=f"recipe: align is '{joint}', which needs the nodes 'left {joint}'"):
            sides_of(joint, nodes, channels)
    assert horizontal_channels(["z", "y", "x"]) == (2, 0)
    assert horizontal_channels(["score", "x", "y", "z"]) == (1, 3)
    assert horizontal_channels(["x", "z"]) is None
