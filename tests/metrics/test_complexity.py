import numpy as np
import pytest
import torch

from stexplain.errors import InputError
from stexplain.explainers.explanation import Explanation
from stexplain.metrics import Complexity, complexity, entropy, gini, sparsity
from tests.reference.scores import slow_gini


def maps(samples=5, seed=0):
    random = np.random.default_rng(seed)
    values = random.normal(size=(samples, 2, 6, 3)) ** 3
    valid = random.random((samples, 2, 6)) > 0.3
    valid[:, 0, :3] = True
    return values, valid


@pytest.mark.parametrize("positions", [2, 7, 24])
def test_closed_forms(positions):
    one, all_alike, half = np.zeros((3, 1, 1, 1, positions))
    one[..., 0] = -3.0
    all_alike[:] = 0.2
    half[..., : positions // 2] = 1.0
    several = np.concatenate([one[None], all_alike[None], half[None]]).reshape(3, 1, 1, positions)
    assert gini(several) == pytest.approx([1 - 1 / positions, 0, 1 - (positions // 2) / positions])
    assert entropy(several) == pytest.approx([0, 1, np.log(positions // 2) / np.log(positions)])
    assert sparsity(several) == pytest.approx([1 - 1 / positions, 0, 1 - (positions // 2) / positions])


def test_equals_the_definitions():
    values, valid = maps()
    scores = complexity(values, valid, threshold=0.2).scores
    for row in range(len(values)):
        size = np.abs(values[row][valid[row]]).ravel()
        share = size / size.sum()
        assert scores["gini"][row] == pytest.approx(slow_gini(size), abs=1e-12)
        assert scores["entropy"][row] == pytest.approx(-(share * np.log(share)).sum() / np.log(len(size)), abs=1e-12)
        assert scores["sparsity"][row] == np.mean(size < 0.2 * size.max())


def test_a_hundredth_of_the_largest_value_is_where_sparsity_begins():
    values = np.array([1.0, 0.015, 0.0099, 0.0]).reshape(1, 1, 1, 4)
    assert sparsity(values).tolist() == complexity(values).scores["sparsity"].tolist() == [0.5]


def test_neither_padding_nor_scale_nor_order_matter():
    values, valid = maps()
    whole = complexity(values, valid).scores
    other = values.copy()
    other[~valid] = 1e9
    padded = np.pad(other, ((0, 0), (0, 1), (0, 4), (0, 0)), constant_values=7.0)
    longer = np.pad(valid, ((0, 0), (0, 1), (0, 4)))
    for name, numbers in complexity(padded * 250, longer).scores.items():
        assert np.allclose(numbers, whole[name], atol=1e-12)
    for name, numbers in complexity(values[:, ::-1, ::-1], valid[:, ::-1, ::-1]).scores.items():
        assert np.allclose(numbers, whole[name], atol=1e-12)


def test_parts_join_to_the_whole():
    values, valid = maps()
    whole = complexity(torch.from_numpy(values), torch.from_numpy(valid))
    parts = Complexity.joined([complexity(values[:2], valid[:2]), complexity(values[2:], valid[2:])])
    alone = complexity(values[3], valid[3])
    for name, numbers in whole.scores.items():
        assert np.array_equal(numbers, parts.scores[name])
        assert alone.scores[name][0] == numbers[3]
    assert whole.to_frame().equals(parts.to_frame())


def test_a_map_of_zeros_is_left_out():
    values, valid = maps()
    values[1] = 0
    valid[2] = False
    result = complexity(values, valid)
    table = result.to_frame().set_index("score")
    assert table["excluded"].tolist() == [2, 2, 2]
    assert table["samples"].tolist() == [3, 3, 3]
    kept = complexity(values[[0, 3, 4]], valid[[0, 3, 4]])
    assert kept.interval("gini") == result.interval("gini")


def test_single_readings_and_explanations():
    values, valid = maps()
    positions = np.broadcast_to(valid[..., None], values.shape).copy()
    positions[..., 0] = False
    assert np.allclose(gini(values, positions), gini(values[..., 1:], valid), atol=1e-12)
    explanation = Explanation(values * valid[..., None], valid)
    assert np.allclose(gini(explanation), gini(explanation.values, valid), atol=0)
    # An explanation knows what was not observed: its zeros there are no importance.
    gaps = Explanation(values * positions, valid, observed=positions)
    assert np.allclose(gini(gaps), gini(values, positions), atol=0)
    assert not np.allclose(gini(gaps), gini(gaps.values, valid), atol=1e-3)


def test_wrong_use():
    values, valid = maps()
    with pytest.raises(InputError, match="valid has shape"):
        gini(values, valid[:, :1])
    with pytest.raises(InputError, match=r"threshold: got 0; expected"):
        sparsity(values, valid, threshold=0)
    with pytest.raises(InputError, match="no scores to join"):
        Complexity.joined([])
    values[0, 0, 0] = np.nan
    with pytest.raises(InputError, match="NaN"):
        entropy(values, valid)
