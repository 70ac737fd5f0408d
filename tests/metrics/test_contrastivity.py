import os
from pathlib import Path

import numpy as np
import pytest

import stexplain as stx
from stexplain.errors import InputError
from stexplain.metrics import contrastivity, contrastivity_detail
from tests.reference.scores import slow_contrastivity


def test_closed_forms():
    base = np.array([1.0, 2.0, 4.0])
    assert contrastivity([base, 3 * base + 1, 0.5 * base]) == pytest.approx(0.0, abs=1e-9)
    assert contrastivity([base, -base]) == pytest.approx(2.0)
    # Rows that are orthogonal after centring are unrelated.
    assert contrastivity([[1, -1, 1, -1], [1, 1, -1, -1], [1, -1, -1, 1]]) == pytest.approx(1.0)


@pytest.mark.parametrize("seed", range(3))
def test_equals_numpy_by_pairs(seed):
    psi = np.random.default_rng(seed).random((7, 12))
    assert contrastivity(psi) == pytest.approx(slow_contrastivity(psi), abs=1e-9)


def test_constant_and_missing_maps_are_counted_and_left_out():
    psi = np.random.default_rng(0).random((6, 12))
    psi[1] = 0.1
    psi[2] = 0
    psi[4] = np.nan
    detail = contrastivity_detail(psi)
    assert (detail.used, detail.constant, detail.missing) == (3, 2, 1)
    assert detail.value == pytest.approx(slow_contrastivity(psi[[0, 3, 5]]), abs=1e-9)
    assert np.isnan(detail.correlation[1]).all()
    assert detail.correlation[0, 3] == pytest.approx(np.corrcoef(psi[0], psi[3])[0, 1])


def test_fewer_than_two_maps_have_none():
    assert np.isnan(contrastivity([[1.0, 2.0], [3.0, 3.0]]))


def test_a_scale_of_its_own_per_class_does_not_matter():
    psi = np.random.default_rng(0).random((5, 9))
    assert contrastivity(psi * np.array([[1e-9], [1], [3], [1e9], [7]])) == pytest.approx(contrastivity(psi), abs=1e-9)


def test_wrong_shapes():
    with pytest.raises(InputError, match=r"\[k, n\]"):
        contrastivity([1.0, 2.0])
    with pytest.raises(InputError, match="infinite"):
        contrastivity([[1.0, np.inf], [0.0, 1.0]])


@pytest.mark.skipif("STEXPLAIN_REAL_DATA" not in os.environ, reason="STEXPLAIN_REAL_DATA names no folder of real data")
def test_known_answer_of_the_published_map():
    path = Path(os.environ["STEXPLAIN_REAL_DATA"]) / "paper" / "joint_importance_published.csv"
    psi = np.loadtxt(path, delimiter=",", comments="#")
    assert psi.shape == (60, 25)
    assert stx.metrics.contrastivity(psi) == pytest.approx(0.5671, abs=5e-5)


@pytest.mark.parametrize("scale", [1e-300, 1e-160, 1e160, 1e300])
def test_no_scale_is_too_large_or_too_small(scale):
    maps = np.array([[1.0, 2.0, 3.0, 1.5], [3.0, 1.0, 2.0, 2.5]])
    expected = contrastivity(maps)
    assert contrastivity(maps * [[scale], [1.0]]) == pytest.approx(expected)
    assert contrastivity_detail(np.array([[scale] * 4, maps[0]])).constant == 1


def test_no_correlation_is_beyond_one_by_rounding():
    maps = np.random.default_rng(0).random((60, 5))
    found = contrastivity_detail(np.concatenate([maps, 1 - maps, 3 * maps])).correlation
    assert (found.max(), found.min()) == (1.0, -1.0)
