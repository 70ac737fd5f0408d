from functools import partial
from itertools import permutations

import numpy as np
import pytest
import torch
from torch import nn

from stexplain.checks.selftest import selftest
from stexplain.errors import InputError
from stexplain.explainers.methods.perturbation.owen import OwenValueSampling
from stexplain.explainers.methods.perturbation.shapley import ShapleyValueSampling
from stexplain.explainers.targets import Class, Custom
from stexplain.graph import STGraph
from tests.explainers.our_models import batch, small_model

X = torch.ones(1, 1, 1, 4, 1)
UNIONS = [[0, 1], [2], [3]]


def worth(v):
    """A game of four in which pairs, a triple and single players count."""
    return 3 * v[:, 0] * v[:, 1] + 2 * v[:, 0] * v[:, 1] * v[:, 2] + 2 * v[:, 0] * v[:, 3] + v[:, 2]


def exact(function, players, unions):
    """Owen values by all orders in which unions stay together."""
    total, count = np.zeros(players), 0
    for order in permutations(range(players)):
        if any(max(map(order.index, union)) - min(map(order.index, union)) >= len(union) for union in unions):
            continue
        shown, count = torch.zeros(1, players), count + 1
        for player in order:
            before = float(function(shown))
            shown[0, player] = 1
            total[player] += float(function(shown)) - before
    return total / count


def test_equals_owen_values_of_a_small_game():
    known = exact(worth, 4, UNIONS)
    # By hand: of 3 v0 v1 both have half; of 2 v0 v1 v2 their union has half, and each half of that; of 2 v0 v3 half.
    assert known[0] == pytest.approx(1.5 + 0.5 + 1)
    assert known[2] == pytest.approx(1 + 1)
    with OwenValueSampling(nn.Flatten(), groups=UNIONS, window=None, orders=2000) as explain:
        e = explain(X, target=Custom(worth))
    np.testing.assert_allclose(e.values.flatten(), known, atol=0.06)
    # Within three standard errors, each of which is small and none zero by mistake.
    distance = np.abs(e.values.flatten() - known)
    assert (distance <= 3 * e.standard_error.flatten() + 1e-6).all()
    assert e.values.sum() == pytest.approx(8.0)


def test_unions_matter_and_without_them_these_are_shapley_values():
    known, shapley = exact(worth, 4, UNIONS), exact(worth, 4, [])
    assert np.abs(known - shapley).max() > 0.1
    with OwenValueSampling(nn.Flatten(), window=None, orders=2000) as explain:
        np.testing.assert_allclose(explain(X, target=Custom(worth)).values.flatten(), shapley, atol=0.08)


def test_members_of_a_union_come_one_after_the_other():
    graph = STGraph(list("abcd"), [(0, 1), (1, 2), (2, 3)], groups={"arm": ["d", "a"], "leg": ["c", "b"]})
    union = {0: "arm", 3: "arm", 1: "leg", 2: "leg"}
    seen = []

    def shown(output):
        # [B, frames x nodes]: which of both windows of each node are shown.
        seen.extend(output.view(-1, 2, 4).tolist())
        return output.sum(1)

    with OwenValueSampling(nn.Flatten(), graph=graph, inputs="b t n", window=1, orders=6) as explain:
        explain(torch.ones(1, 2, 4), target=Custom(shown))
    for state in seen:
        # At no time are two unions shown in part.
        parts = [
            (frame, name)
            for frame in range(2)
            for name in ("arm", "leg")
            if len({state[frame][node] for node in range(4) if union[node] == name}) > 1
        ]
        assert len(parts) <= 1


def test_values_sum_to_the_score_and_unions_to_their_own_shapley_value():
    model, samples = small_model(), batch()
    groups = {"left": [0, 1], "right": [2, 3, 4, 5]}
    target, each = Class(1), []
    for kind in (OwenValueSampling, ShapleyValueSampling):
        with kind(model, groups=groups, window=None, orders=400, antithetic=True, baseline="mean") as explain:
            each.append(explain(samples, target=target).values.sum((1, 2)))
    owen, shapley = each
    np.testing.assert_allclose(owen.sum(1), shapley.sum(1), rtol=1e-5)
    # Both unions in both orders alike: with antithetic orders exactly.
    np.testing.assert_allclose(owen[:, :2].sum(1), shapley[:, :2].sum(1), rtol=1e-4)


def test_the_self_test_knows_its_equation():
    kind = partial(OwenValueSampling, groups={"left": ["n0", "n1"]}, window=6, orders=2, baseline="mean")
    result = selftest(small_model(), kind, batch(), target=Class(1))
    result.raise_for_failure()
    equation = next(check for check in result.checks if check.name == "equation")
    assert equation.passed


def test_wrong_use():
    with pytest.raises(InputError, match="'left' and 'right'"):
        OwenValueSampling(nn.Flatten(), groups={"left": [0, 1], "right": [1, 2]})(X, target=Custom(worth))
    with pytest.raises(InputError, match="orders: got 3"):
        OwenValueSampling(nn.Flatten(), orders=3)
