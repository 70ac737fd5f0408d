"""Permutations of units: all there are, each once, or as many drawn ones as are asked for, in blocks."""

from itertools import combinations, product

import numpy as np
import pytest

from stexplain.metrics.groups import permutation
from stexplain.metrics.groups.permutation import choices, flips


def rows(blocks) -> list[tuple[bool, ...]]:
    return [tuple(row) for block in blocks for row in block.tolist()]


@pytest.mark.parametrize("block", [3, 512])
def test_all_patterns_and_all_choices_come_once(block, monkeypatch):
    monkeypatch.setattr(permutation, "_BLOCK", block)
    found, count, exact = flips(4, 16, 0)
    assert (count, exact) == (16, True)
    assert sorted(rows(found)) == sorted(product([False, True], repeat=4))
    found, count, exact = choices(5, 2, 10, 0)
    assert (count, exact) == (10, True)
    assert sorted(rows(found)) == sorted(tuple(at in chosen for at in range(5)) for chosen in combinations(range(5), 2))


@pytest.mark.parametrize("block", [7, 512])
def test_drawn_ones_follow_from_the_seed_and_are_as_likely_as_each_other(block, monkeypatch):
    monkeypatch.setattr(permutation, "_BLOCK", block)
    for draw in (lambda seed: flips(12, 2000, seed), lambda seed: choices(12, 4, 400, seed)):
        found, count, exact = draw(1)
        drawn = np.array(rows(found))
        assert (len(drawn), exact) == (count, False)
        np.testing.assert_array_equal(rows(draw(1)[0]), drawn)
        assert (np.array(rows(draw(2)[0])) != drawn).any()
        # Each unit as often as any other: within five standard errors.
        share = drawn.mean()
        assert (np.abs(drawn.mean(0) - share) < 5 * np.sqrt(share * (1 - share) / count)).all()
    assert share == pytest.approx(4 / 12)
