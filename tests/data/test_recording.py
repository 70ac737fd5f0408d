import numpy as np
import pytest

from stexplain.data.recording import Recording, choose_bodies, motion_energy
from stexplain.errors import InputError


def three_bodies() -> Recording:
    random = np.random.default_rng(0)
    xyz = random.normal(size=(3, 20, 5, 3)).astype(np.float32) * np.array([1, 0.1, 2], np.float32)[:, None, None, None]
    xyz[0, 5:] = np.nan
    return Recording(xyz, (11, 12, 13))


def test_energy_is_the_spread_over_valid_frames_summed_over_axes():
    recording = three_bodies()
    expected = []
    for body in recording.values.astype(float):
        points = [point for frame in body for point in frame if not np.isnan(point).any()]
        expected.append(sum(np.std([point[axis] for point in points]) for axis in range(3)))
    np.testing.assert_allclose(motion_energy(recording), expected, rtol=1e-6)


def test_choices():
    recording = three_bodies()
    assert choose_bodies(recording, 2) == [2, 0]
    assert choose_bodies(recording, 5) == [2, 0, 1]
    assert choose_bodies(recording, 2, "first") == [0, 1]
    with pytest.raises(InputError, match="Did you mean 'first'"):
        choose_bodies(recording, 2, "frist")  # type: ignore[arg-type]


def test_equal_energies_stay_in_order_and_a_body_never_valid_comes_last():
    xyz = np.tile(np.random.default_rng(0).normal(size=(1, 4, 2, 3)).astype(np.float32), (3, 1, 1, 1))
    xyz[0] = np.nan
    assert choose_bodies(Recording(xyz, (1, 2, 3)), 3) == [1, 2, 0]


def test_positions_are_the_values_of_three_channels():
    three = Recording(np.zeros((1, 2, 3, 3), np.float32), (1,))
    assert three.xyz is three.values
    with pytest.raises(InputError, match="has 2 channels, not x, y and z"):
        _ = Recording(np.zeros((1, 2, 3, 2), np.float32), (1,)).xyz
