"""Parts of metrics against plain loops and differences: which steps count as a rise, how far a sample moves a share."""

import itertools
import statistics

import numpy as np
import pytest

from stexplain.intervals.bootstrap import ratio_interval
from stexplain.metrics import contrastivity_detail
from stexplain.metrics.fidelity import _characterization, _influence
from stexplain.metrics.masking import beta_interval

MASKING = np.array([0.0, 0.25, 1.0])


def signs(losses: np.ndarray, groups: list[int]) -> list[float]:
    """-1 where accuracy rises by more than chance gives once in a hundred: by plain sums over groups."""
    found = []
    for row in losses.tolist():
        sums = dict.fromkeys(groups, 0.0)
        for value, group in zip(row, groups, strict=True):
            sums[group] += value
        spread = statistics.pstdev(sums.values()) * len(sums) ** 0.5
        found.append(-1.0 if -sum(row) > statistics.NormalDist().inv_cdf(0.99) * spread else 1.0)
    return found


@pytest.mark.parametrize("sizes", [[1] * 20, [2] * 10, [1, 2, 3, 4, 1, 2, 3, 4]])
def test_a_rise_is_what_chance_gives_once_in_a_hundred(sizes: list[int]) -> None:
    groups = [group for group, size in enumerate(sizes) for _ in range(size)]
    turned = set()
    for rises in range(0, 21):
        losses = np.zeros((3, 20))
        losses[1, 7:12] = 0.4
        losses[2, :rises] = -1.0
        expected = signs(losses, groups)
        named = None if sizes == [1] * 20 else groups
        found = beta_interval(MASKING, losses, np.ones(20), published=0.05, signed=False, groups=named)
        plain = ratio_interval((MASKING * expected) @ losses, np.ones(20), groups=named, confidence=0.95)
        assert (found.low, found.high) == (max(plain.low, 0.0), max(plain.high, 0.05))
        turned.add(expected[2])
    # Some are sure, and some are not.
    assert turned == {1.0, -1.0}


@pytest.mark.parametrize("weight", [0.1, 0.5, 0.8])
def test_a_sample_moves_a_characterization_by_its_derivative(weight: float) -> None:
    random = np.random.default_rng(0)
    plus, minus = random.uniform(0.2, 0.9, 15), random.uniform(0.1, 0.6, 15)

    def whole(p: np.ndarray, m: np.ndarray) -> float:
        return float(_characterization(p.mean(), m.mean(), weight))

    found = _influence(plus, minus, weight)
    assert found.mean() == pytest.approx(0, abs=1e-12)
    for sample in range(15):
        # The sample counts a little more, and all others a little less.
        step = 1e-6
        weights = np.full(15, (1 - step) / 15)
        weights[sample] += step
        moved = whole(15 * weights * plus, 15 * weights * minus) - whole(plus, minus)
        assert found[sample] == pytest.approx(moved / step, rel=1e-4)


@pytest.mark.parametrize("weight", [0.25, 0.5, 1.0])
def test_a_characterization_is_the_weighted_harmonic_mean(weight: float) -> None:
    shares = [0.0, 0.25, 1.0]
    for plus, minus in itertools.product(shares, shares):
        found = float(_characterization(np.array(plus), np.array(minus), weight))
        parts = [(weight, plus), (1 - weight, 1 - minus)]
        if all(share > 0 for _, share in parts):
            assert found == pytest.approx(1 / sum(w / share for w, share in parts))
        else:
            assert found == 0
    for plus, minus in ((-0.1, 0.5), (0.5, 1.1), (-0.1, 1.1)):
        assert np.isnan(_characterization(np.array(plus), np.array(minus), weight))


@pytest.mark.parametrize("size", [1e-3, 1.0, 1e3])
def test_a_map_is_constant_to_twelve_digits_of_its_own_size(size: float) -> None:
    base = np.full(4, size)
    for off, constant in ((1e-13, 1), (1e-10, 0), (0.0, 1)):
        nearly = base.copy()
        nearly[2] *= 1 + off
        found = contrastivity_detail([nearly, [1.0, 2.0, 3.0, 5.0], [0.0, 1.0, 0.0, 2.0]])
        assert (found.constant, found.used, found.missing) == (constant, 3 - constant, 0)
        assert np.isnan(found.correlation[0]).all() == bool(constant)
    assert contrastivity_detail([[0.0, 0.0], [-3.0, 1.0]]).constant == 1
    assert contrastivity_detail(np.zeros((2, 0))).missing == 2
