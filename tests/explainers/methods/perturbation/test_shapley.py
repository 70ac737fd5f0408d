from itertools import permutations

import captum.attr
import numpy as np
import pytest
import torch
from torch import nn

from stexplain.data.baselines import as_baseline
from stexplain.data.samples import Batch
from stexplain.errors import InputError
from stexplain.explainers.methods.perturbation.regions import Regions
from stexplain.explainers.methods.perturbation.shapley import ShapleyValueSampling
from stexplain.explainers.random_generator import own_generator
from stexplain.explainers.targets import Class, Custom
from stexplain.graph import STGraph
from tests.explainers.our_models import NODES, batch, small_model
from tests.explainers.small_models import PlainSTGCN, linear, signals
from tests.reference.maps import exact_shapley


def one_frame(*values):
    return torch.tensor(values).view(1, 1, 1, -1, 1)


def game(function):
    """A model whose score is a function of the node's values, ``[B, N]``."""
    return Custom(lambda output: function(output))


def test_an_additive_game_in_closed_form():
    weight, x, baseline = signals(2, 6, 3, 2, seed=1), signals(3, 2, 6, 3, 2), signals(3, 2, seed=2)
    part = (weight * (x - baseline)).sum(-1)
    with ShapleyValueSampling(linear(weight), inputs="b m t n c", window=1, baseline=baseline, orders=1) as explain:
        np.testing.assert_allclose(explain(x, target=Class(1)).values, part, atol=1e-5)
    with ShapleyValueSampling(
        linear(weight), inputs="b m t n c", groups=[[0, 2]], baseline=baseline, orders=2
    ) as explain:
        values = explain(x, target=Class(1)).values
    shared = part[..., [0, 2]].mean((2, 3))[:, :, None, None].expand(-1, -1, 6, 2)
    np.testing.assert_allclose(values[..., [0, 2]], shared, atol=1e-5)
    np.testing.assert_allclose(values[..., 1], part[..., 1].mean(2)[..., None].expand(-1, -1, 6), atol=1e-5)


@pytest.mark.parametrize(
    ("function", "known"),
    [
        # The glove game: the one left glove is worth as much as the two right ones are together, and more.
        (lambda v: torch.minimum(v[:, 0], v[:, 1] + v[:, 2]), [2 / 3, 1 / 6, 1 / 6]),
        # A majority of three decides.
        (lambda v: (v.sum(1) >= 2).float(), [1 / 3, 1 / 3, 1 / 3]),
        # The first is a dictator, the others do nothing.
        (lambda v: v[:, 0], [1.0, 0.0, 0.0]),
    ],
    ids=["gloves", "majority", "dictator"],
)
def test_known_games(function, known, monkeypatch):
    """Over each order once."""
    monkeypatch.setattr(ShapleyValueSampling, "_orders", lambda *_: lambda *_: permutations(range(3)))
    e = ShapleyValueSampling(nn.Flatten())(one_frame(1.0, 1.0, 1.0), target=game(function))
    np.testing.assert_allclose(e.values.flatten(), known, atol=1e-6)
    assert np.isclose(
        exact_shapley(lambda shown: float(function(torch.tensor([shown], dtype=torch.float32))), 3), known
    ).all()


def test_is_exact_over_all_orders(monkeypatch):
    model, x = PlainSTGCN(nodes=4).double().eval(), signals(1, 3, 8, 4, 1).double()
    captum_exact = captum.attr.ShapleyValues(model).attribute(
        x, target=2, feature_mask=torch.arange(4).view(1, 1, 1, 4, 1)
    )[0, 0, 0, :, 0]

    def worth(shown):
        with torch.no_grad():
            return model(x * torch.tensor(shown).view(1, 1, 1, 4, 1))[0, 2].item()

    exact = exact_shapley(worth, 4)
    np.testing.assert_allclose(captum_exact, exact, atol=1e-5 * np.abs(exact).max())
    monkeypatch.setattr(ShapleyValueSampling, "_orders", lambda *_: lambda *_: permutations(range(4)))
    with ShapleyValueSampling(model, inputs="b c t n m") as explain:
        e = explain(x, target=Class(2))
    np.testing.assert_allclose(e.values.sum((0, 1, 2)), exact, atol=1e-5 * np.abs(exact).max())


def test_equals_captum_with_the_same_orders():
    model, x = PlainSTGCN(nodes=3).eval(), signals(2, 3, 8, 3, 2)
    with ShapleyValueSampling(model, inputs="b c t n m", window=4, orders=3, copies=5) as explain:
        e = explain(x, target=Class([1, 3]))
    # Players are numbered by instance, node and window, as in captum's mask.
    mask = torch.arange(12).view(2, 3, 2).repeat_interleave(4, 2).permute(2, 1, 0)[None, None].contiguous()
    direct = captum.attr.ShapleyValueSampling(model)
    direct.permutation_generator = orders_of(model, 12, 3)
    result = direct.attribute(x, target=torch.tensor([1, 3]), feature_mask=mask, n_samples=3)
    np.testing.assert_allclose(e.values, result[:, 0].permute(0, 3, 1, 2) / 4, atol=1e-5)


def orders_of(model, players, count):
    explain = ShapleyValueSampling(model, window=4)
    drawn = explain._orders(
        ["0", "1", "2"], Regions([[0], [1], [2]], {"m": 2, "t": 8, "n": 3}, window=4), torch.arange(players)
    )
    return lambda *_: drawn(players, count)


@pytest.mark.parametrize("options", [{}, {"groups": [["n0", "n3"], ["n1"]], "window": 5}, {"baseline": "mean"}])
def test_values_sum_to_what_the_sample_adds_to_the_baseline(options):
    model, samples = small_model(), batch()
    with ShapleyValueSampling(model, orders=4, **options) as explain:
        e = explain(samples, target=Class(1))
    start = as_baseline(options.get("baseline", "zero"))(samples.x, samples.valid, model.graph)
    with torch.no_grad():
        change = (model.eval()(samples.x, samples.valid) - model(start, samples.valid))[:, 1].numpy()
    np.testing.assert_allclose(e.values.sum((1, 2, 3)), change, rtol=1e-5)


def test_orders_follow_from_the_seed():
    model, samples = small_model(), batch()
    result = []
    for seed, state in ((0, 0), (0, 1), (1, 0)):
        torch.manual_seed(state)
        with ShapleyValueSampling(model, orders=2, seed=seed) as explain:
            result.append(explain(samples, target=Class(1)).values)
    assert np.array_equal(result[0], result[1])
    assert np.abs(result[2] - result[0]).max() > 1e-3 * np.abs(result[0]).max()


def test_players_without_a_reading_change_nothing():
    """Also with windows: those on padding play, and the orders of the others stay."""
    model, samples = small_model(), batch()
    x, valid = torch.zeros(3, 3, 21, NODES, 3, dtype=torch.float64), torch.zeros(3, 3, 21, dtype=torch.bool)
    x[:, :2, :12], valid[:, :2, :12] = samples.x, samples.valid
    with ShapleyValueSampling(model, window=4, orders=2) as explain:
        shorter = explain(samples, target=Class(1)).values
        longer = explain(Batch(x, valid, samples.label, samples.ids), target=Class(1)).values
        alone = explain(samples[1:2], target=Class(1)).values
    np.testing.assert_allclose(longer[:, :2, :12], shorter, atol=1e-6 * np.abs(shorter).max())
    np.testing.assert_allclose(alone[0], shorter[1], atol=1e-6 * np.abs(shorter).max())
    assert not longer[:, 2].any()


def test_orders_are_permutations_and_all_are_met():
    explain = ShapleyValueSampling(nn.Flatten(), orders=60)
    drawn = explain._orders(["a", "b", "c"], Regions([[0], [1], [2]], {"m": 1, "t": 1, "n": 3}), torch.arange(3))
    assert {tuple(order) for order in drawn(3, 60)} == set(permutations(range(3)))


def test_the_graphs_groups_play_where_it_names_any(monkeypatch):
    nodes = ["a", "b", "c"]
    graph = STGraph(nodes, [(0, 1), (1, 2)], groups={"pair": ["a", "c"]})
    product = game(lambda v: v[:, 0] * v[:, 1] * v[:, 2])
    monkeypatch.setattr(ShapleyValueSampling, "_orders", lambda *_: lambda *_: permutations(range(2)))
    e = ShapleyValueSampling(nn.Flatten(), graph=graph)(one_frame(2.0, 3.0, 5.0), target=product)
    # Two players, and either comes last in half of the orders.
    np.testing.assert_allclose(e.values.flatten(), [7.5, 15.0, 7.5], rtol=1e-6)
    assert e.values[0, 0, 0, 0] == e.values[0, 0, 0, 2]
    overlapping = STGraph(nodes, [(0, 1), (1, 2)], groups={"left": ["a", "b"], "right": ["b", "c"]})
    with (
        ShapleyValueSampling(nn.Flatten(), graph=overlapping) as explain,
        pytest.raises(InputError, match="'left' and 'right'"),
    ):
        explain(one_frame(2.0, 3.0, 5.0), target=product)


def test_wrong_use():
    cases = (({"orders": 0}, "orders: got 0"), ({"window": -1}, "window: got -1"), ({"copies": 0}, "copies"))
    for wrong, message in cases:
        with pytest.raises(InputError, match=message):
            ShapleyValueSampling(PlainSTGCN(), **wrong)


def by_formula(worth, players, count, seed):
    """Values and errors of a game by loops over the orders that are drawn, as `names` of players have it."""
    keys = np.array([own_generator(seed, f"instance 0, window 0, {name}").random(count) for name in players])
    drawn = np.zeros((count, len(players)))
    for number, order in enumerate(np.argsort(keys, axis=0).T.tolist()):
        shown = np.zeros((len(players) + 1, len(players)), np.float32)
        for place, player in enumerate(order):
            shown[place + 1 :, player] = 1
        drawn[number, order] = np.diff(worth(torch.from_numpy(shown)).numpy())
    return drawn.mean(0), drawn


def test_the_standard_error_is_that_of_independent_orders():
    """Over seeds, by loops over orders; the explainer's values and errors are those of the first."""

    def majority(v):
        return (v.sum(1) >= 2).float() + 0.5 * v[:, 0] * v[:, 1]

    x, names = one_frame(1.0, 1.0, 1.0), ["0", "1", "2"]
    found = [by_formula(majority, names, 6, seed) for seed in range(300)]
    values = np.stack([value for value, _ in found])
    errors = np.stack([drawn.std(0, ddof=1) / np.sqrt(6) for _, drawn in found])
    e = ShapleyValueSampling(nn.Flatten(), orders=6)(x, target=game(majority))
    np.testing.assert_allclose(e.values[0, 0, 0], values[0], atol=1e-6)
    np.testing.assert_allclose(e.standard_error[0, 0, 0], errors[0], atol=1e-6)
    # The variance that is estimated is that between maps of other orders: its mean over 300 is right to 10%.
    np.testing.assert_allclose((errors**2).mean(0), values.var(0, ddof=1), rtol=0.2)
    with ShapleyValueSampling(nn.Flatten(), orders=1) as explain:
        assert explain(x, target=game(majority)).standard_error is None


def test_antithetic_orders_come_in_pairs_of_which_the_error_is():
    def pair(v):
        return v[:, 0] * v[:, 1]

    x = one_frame(1.0, 1.0, 1.0)
    with ShapleyValueSampling(nn.Flatten(), orders=10, antithetic=True) as explain:
        drawn = list(
            explain._orders(["a", "b", "c"], Regions([[0], [1], [2]], {"m": 1, "t": 1, "n": 3}), torch.arange(3))(3, 10)
        )
        e = explain(x, target=game(pair))
    assert drawn[0] == drawn[1][::-1]
    assert drawn[2] == drawn[3][::-1]
    # In every pair of orders each of both comes last once: nothing is left to chance.
    assert e.values.flatten().tolist() == [0.5, 0.5, 0.0]
    assert e.standard_error.flatten().tolist() == [0.0, 0.0, 0.0]
    with ShapleyValueSampling(nn.Flatten(), orders=2, antithetic=True) as explain:
        assert explain(x, target=game(pair)).standard_error is None
    with pytest.raises(InputError, match="orders: got 5; expected an even number"):
        ShapleyValueSampling(nn.Flatten(), orders=5, antithetic=True)


def late(v):
    """Three players, of whom a and b count together, and more before c than after it."""
    return v[:, 0] * v[:, 1] * (1 + v[:, 2])


def test_too_few_orders_and_orders_that_are_alike_by_chance_have_no_standard_error():
    """Pairs that coincide gave an error of zero for a value that was wrong."""
    x, fewest = one_frame(1.0, 1.0, 1.0), {True: 10, False: 5}
    for antithetic, orders in fewest.items():
        for few in (orders - 1 - antithetic, orders):
            with ShapleyValueSampling(nn.Flatten(), orders=few, antithetic=antithetic, seed=1) as explain:
                e = explain(x, target=game(late))
            assert (e.standard_error is None) is (few < orders)
            found = [note for note in e.notes if note.startswith("No standard error")]
            assert len(found) == (few < orders)
            assert all(f"give orders={orders} or more" in note for note in found)
    exact, alike = np.array([5 / 6, 5 / 6, 1 / 3]), 0
    # Of 120 seeds 3 and 76 draw pairs that are alike.
    for seed in (*range(8), 75, 76, 77):
        with ShapleyValueSampling(nn.Flatten(), orders=10, antithetic=True, seed=seed) as explain:
            e = explain(x, target=game(late))
        if e.standard_error is None:
            assert "alike by chance" in e.notes[0]
            alike += 1
        elif not e.standard_error.any():
            raise AssertionError((e.values.flatten(), exact, seed))
    assert alike
    # One player, and a pair of orders of two, leave nothing to chance.
    with ShapleyValueSampling(nn.Flatten(), orders=10, antithetic=True) as explain:
        e = explain(one_frame(1.0, 1.0), target=game(lambda v: v[:, 0] * v[:, 1]))
    assert (e.values.flatten().tolist(), e.standard_error.flatten().tolist()) == ([0.5, 0.5], [0.0, 0.0])


def test_the_error_of_channels_is_that_of_their_sum():
    """Against the spread over seeds, by loops over orders of which the explainer's first is one."""

    def worth(y):
        return y[:, 0] * y[:, 1] + y[:, 2] * y[:, 0]

    x = torch.ones(1, 1, 1, 2, 2)
    with ShapleyValueSampling(nn.Flatten(), inputs="b m t n c", orders=40, per_channel=True) as explain:
        e = explain(x, target=Custom(worth))
    assert e.channels.shape == (1, 1, 1, 2, 2)
    names = [f"{node}, channel {channel}" for node in range(2) for channel in range(2)]
    maps = np.stack([by_formula(worth, names, 40, seed)[0].reshape(2, 2) for seed in range(200)])
    np.testing.assert_allclose(e.channels[0, 0, 0], maps[0], atol=1e-6)
    np.testing.assert_allclose(e.standard_error[0, 0, 0], maps[1:].sum(-1).std(0, ddof=1), rtol=0.3)
