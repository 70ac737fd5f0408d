"""Sampled Shapley values by loops over the orders that are drawn: of groups, windows, channels, with padding."""

import numpy as np
import pytest
import torch
from torch import nn

from stexplain.errors import InputError
from stexplain.explainers import Class, OwenValueSampling, ShapleyValueSampling
from stexplain.explainers.methods.perturbation.regions import Regions
from stexplain.explainers.random_generator import own_generator

X = torch.rand(2, 2, 4, 3, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64) + 0.5
VALID = torch.ones(2, 2, 4, dtype=torch.bool)
VALID[1, 1, 2:] = False
X = X * VALID[..., None, None]
WEIGHT = torch.rand(2, 4, 3, 2, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


class Product(nn.Module):
    """One logit, ``[B, M, T, N, C]`` to ``[B, 1]``, to which no observation adds by itself: a square of their sum."""

    def forward(self, x):
        return ((x * WEIGHT).sum((1, 2, 3, 4)) ** 2)[:, None]


def order_of(seed, names, count, unions=None):
    """Players by the number that each draws; those of a union stay together, by the number of the union."""
    keys = np.array([own_generator(seed, name).random(count) for name in names])
    if unions is None:
        return [np.argsort(keys[:, at]).tolist() for at in range(count)]
    of_unions = np.array([own_generator(seed, name).random(count) for name in unions])
    return [sorted(range(len(names)), key=lambda p: (of_unions[p, at], keys[p, at])) for at in range(count)]


def by_loops(row, players, orders, cells):
    """What each player adds to those before it in each order, ``[orders, players]``."""
    x = X[row]

    def score(shown):
        kept = torch.zeros_like(x)
        for player in shown:
            for place in cells(player):
                kept[place] = x[place]
        return float(Product()(kept[None]))

    found = np.zeros((len(orders), len(players)))
    for number, order in enumerate(orders):
        for place, player in enumerate(order):
            found[number, player] = score(players[p] for p in order[: place + 1]) - score(
                players[p] for p in order[:place]
            )
    return found


GROUPS = {"pair": [0, 2], "node 1": [1]}


@pytest.mark.parametrize("copies", [3, 16])
@pytest.mark.parametrize("per_channel", [False, True])
@pytest.mark.parametrize("antithetic", [False, True])
def test_values_and_errors(per_channel, antithetic, copies):
    # Of fewer than five independent orders, or pairs, there is no error.
    orders, window = 12, 3
    e = ShapleyValueSampling(
        Product(), inputs="b m t n c", groups={"pair": [0, 2]}, window=window, baseline="zero", orders=orders, seed=3,
        per_channel=per_channel, antithetic=antithetic, copies=copies, signals=[0, 1],
    )(X, target=Class(1), valid=VALID)  # fmt: skip
    channels = range(2) if per_channel else [None]
    names = [(m, f"{g}, channel {c}" if per_channel else g, c, w)
             for m in range(2) for g in GROUPS for c in channels for w in range(2)]  # fmt: skip

    def cells(player):
        m, g, c, w = player
        frames = [t for t in range(4) if t // window == w]
        nodes = GROUPS[g.split(",")[0]]
        return [(m, t, n) if c is None else (m, t, n, c) for t in frames for n in nodes]

    half = orders // 2 if antithetic else orders
    drawn = order_of(3, [f"instance {m}, window {w}, {g}" for m, g, _, w in names], half)
    drawn = [one for order in drawn for one in ((order, order[::-1]) if antithetic else (order,))]
    for row in range(2):
        each = by_loops(row, names, drawn, cells)
        values, error = np.zeros((*X.shape[1:4], 2)), np.zeros(X.shape[1:4])
        independent = each.reshape(-1, 2, len(names)).mean(1) if antithetic else each
        for number, player in enumerate(names):
            m, g, c, w = player
            held = [place for place in cells(player) if VALID[row, m, place[1]]]
            for place in held:
                values[place[:3]][0 if c is None else c] = each.mean(0)[number] / len(held)
            if c in (None, 0):
                together = independent[:, [number]] if c is None else independent[:, [
                    other for other, (m2, g2, _, w2) in enumerate(names)
                    if (m2, g2.split(",")[0], w2) == (m, g.split(",")[0], w)
                ]]  # fmt: skip
                spread = together.sum(1).std(ddof=1) / np.sqrt(len(independent))
                for place in held:
                    error[place[:3]] = spread / len(held)
        np.testing.assert_allclose(e.values[row], values.sum(-1), rtol=1e-4, atol=1e-5)
        np.testing.assert_allclose(e.standard_error[row], error, rtol=1e-3, atol=1e-4)
        if per_channel:
            np.testing.assert_allclose(e.channels[row], values, rtol=1e-4, atol=1e-5)


def test_unions_stay_together_by_a_number_of_their_own():
    e = OwenValueSampling(
        Product(), inputs="b m t n c", groups={"pair": [0, 2]}, window=2, baseline="zero", orders=2, antithetic=False,
        seed=5, signals=[0, 1],
    )(X, target=Class(1), valid=VALID)  # fmt: skip
    names = [(m, n, w) for m in range(2) for n in range(3) for w in range(2)]
    unions = [f"union {'node 1' if n == 1 else 'pair'}, instance {m}, window {w}" for m, n, w in names]
    drawn = order_of(5, [f"instance {m}, window {w}, {n}" for m, n, w in names], 2, unions)
    # In the second sample nothing was observed of the second instance's second window: it is no player.
    cells = lambda player: [(player[0], t, player[1]) for t in (2 * player[2], 2 * player[2] + 1)]  # noqa: E731
    for row in range(2):
        each = by_loops(row, names, drawn, cells).mean(0)
        for number, player in enumerate(names):
            for place in cells(player):
                expected = each[number] / 2 if VALID[row, player[0], place[1]] else 0.0
                assert e.values[(row, *place)] == pytest.approx(expected, rel=1e-4, abs=1e-5)


def test_what_is_left_out():
    shapley, owen = ShapleyValueSampling(nn.Flatten()), OwenValueSampling(nn.Flatten())
    assert (shapley.orders, shapley.antithetic, shapley.window, shapley.seed) == (25, False, None, 0)
    assert (owen.orders, owen.antithetic, owen.window, owen.seed) == (4, True, 8, 0)
    assert not shapley.per_channel
    assert not owen.per_channel
    with pytest.raises(InputError, match="orders: got -1"):
        ShapleyValueSampling(nn.Flatten(), orders=-1)


def test_no_players_have_no_orders():
    explain = ShapleyValueSampling(nn.Flatten(), orders=3)
    regions = Regions([[0], [1]], {"m": 1, "t": 2, "n": 2})
    assert list(explain._orders(["a", "b"], regions, torch.arange(0))(0, 3)) == [[], [], []]
