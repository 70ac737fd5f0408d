"""Expected fall against its closed form and simulation; what its noise follows from; standard errors against seeds."""

import numpy as np
import pytest
import torch
from scipy.stats import norm
from torch import nn

from stexplain.data.samples import Batch
from stexplain.errors import InputError
from stexplain.explainers import (
    Class,
    Custom,
    ExpectedFall,
    Forecast,
    Margin,
    Output,
    PerSample,
    Predicted,
)
from stexplain.explainers.methods.gradient.expected_fall import expected_fall
from stexplain.explainers.methods.gradient.expected_gradients import collapsed_standard_error
from stexplain.explainers.random_generator import node_noise
from stexplain.graph import STGraph

X = torch.randn(3, 1, 6, 4, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
WEIGHT = torch.randn(6, 4, 2, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
LINEAR = Custom(lambda y: y @ WEIGHT.flatten().to(y))
CUBE = Custom(lambda y: y.pow(3).sum(1))


def by_hand(x, weight, spread=1.0):
    """Of a linear score, whose gradient is the weight, whatever noise there is."""
    away = x - x.mean(2, keepdim=True)
    deviation = spread * away.square().mean((1, 2, 3), keepdim=True).sqrt()
    a, w = (weight * away).numpy(), (weight.abs() * deviation).numpy()
    return a * norm.cdf(a / w) + w * norm.pdf(a / w)


def test_of_a_linear_score_it_is_the_closed_form():
    e = ExpectedFall(nn.Flatten(), draws=2, rises=False)(X, target=LINEAR)
    np.testing.assert_allclose(e.channels, by_hand(X, WEIGHT), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(e.values, by_hand(X, WEIGHT).sum(-1), rtol=1e-5, atol=1e-6)
    # Nothing is left to chance.
    assert e.standard_error.max() < 1e-6
    other = ExpectedFall(nn.Flatten(), draws=2, spread=0.5, rises=False)(X, target=LINEAR)
    np.testing.assert_allclose(other.channels, by_hand(X, WEIGHT, 0.5), rtol=1e-5, atol=1e-6)


def test_it_is_the_mean_fall_over_redrawn_readings():
    """Of a linear score the first order is all: readings are redrawn one at a time, and rises count as none."""
    e = ExpectedFall(nn.Flatten(), rises=False)(X[:1], target=LINEAR)
    both = ExpectedFall(nn.Flatten())(X[:1], target=LINEAR)
    mean = X[:1].mean(2, keepdim=True)
    deviation = (X[:1] - mean).square().mean((0, 1, 2, 3)).sqrt()
    generator = torch.Generator().manual_seed(2)
    redrawn = mean + deviation * torch.randn(40_000, *X.shape[1:], generator=generator, dtype=torch.float64)
    falls = (WEIGHT * (X[:1] - redrawn)).clamp(min=0)
    np.testing.assert_allclose(e.channels[0], falls.mean(0), rtol=0.03, atol=0.01)
    # Of a score of no class rises count as well, which a note says.
    changes = (WEIGHT * (X[:1] - redrawn)).abs()
    np.testing.assert_allclose(both.channels[0], changes.mean(0), rtol=0.03, atol=0.01)
    assert any("a rise counts as a fall does" in note for note in both.notes)
    assert not any("a rise counts" in note for note in e.notes)


def test_what_speaks_for_the_target_comes_before_what_speaks_against_it():
    """Two nodes that differ from their mean alike, one with each sign, a third that is at its mean and matters."""
    x = torch.tensor([[1.0, 1.0, 0.0], [-1.0, -1.0, 0.0]]).view(1, 1, 2, 3, 1)
    model = Custom(lambda y: y @ torch.tensor([2.0, -2.0, 2.0, 0, 0, 0]))
    speaks_for, against, still = ExpectedFall(nn.Flatten(), rises=False)(x, target=model).values[0, 0, 0]
    assert speaks_for > still > against > 0
    # Which is what the score falls by in the mean: 2 more where it speaks for it.
    assert speaks_for - against == pytest.approx(2, abs=1e-5)


def test_whether_rises_count_follows_from_the_score():
    """Of a class, what speaks against it hardly counts; of a number, what lowers it counts as what raises it."""
    x = torch.tensor([[1.0, 1.0], [-1.0, -1.0]]).view(1, 1, 2, 2, 1).repeat(2, 1, 1, 1, 1)
    model = nn.Sequential(nn.Flatten(), nn.Linear(4, 2))
    model[1].weight.data = torch.tensor([[0.0, 0, 0, 0], [2.0, -2.0, 0, 0]])
    model[1].bias.data = torch.tensor([0.0, 5.0])
    for target in (Class(1), Predicted(), Margin(1, 0)):
        up, down = ExpectedFall(model)(x, target=target).values[0, 0, 0]
        assert up > 5 * down, target
    for target in (Custom(lambda y: y[:, 1]), Output(1), Forecast(0, horizon=2, layout="b t")):
        up, down = ExpectedFall(model)(x, target=target).values[0, 0, 0]
        assert up == pytest.approx(down, rel=1e-5)
    mixed = ExpectedFall(model)(x, target=PerSample([Class(1), Output(1)])).values[:, 0, 0]
    assert mixed[0, 0] > 5 * mixed[0, 1]
    assert mixed[1, 0] == pytest.approx(mixed[1, 1], rel=1e-5)


def test_the_cause_of_a_low_forecast_is_found():
    """A sensor that is slow, and so lowers what is forecast of another, weighs most."""
    x = torch.full((1, 12, 5), 60.0) + torch.randn(1, 12, 5, generator=torch.Generator().manual_seed(0))
    x[0, 3, 2] = 20.0

    class Slow(nn.Module):
        def forward(self, x):
            return 60 + (x[:, 3:4, 2:3] - 60) + 0.05 * (x[:, 11:12] - 60)

    e = ExpectedFall(Slow(), inputs="b t n")(x, target=Forecast(0, horizon=1))
    assert np.unravel_index(e.values[0, 0].argmax(), (12, 5)) == (3, 2)


def test_a_still_node_matters_and_a_still_sample_has_no_map():
    """Spread is of the sample: a still node among others may move as they do; of a still sample nothing is known."""
    x = torch.cat([torch.zeros(1, 1, 6, 1, 2), X[:1, :, :, 1:].float()], 3)
    weight = WEIGHT.float()
    assert (ExpectedFall(nn.Flatten())(x, target=Custom(lambda y: y @ weight.flatten())).values[0, 0, :, 0] > 0).all()
    still = torch.ones(1, 1, 6, 4, 2)
    assert not ExpectedFall(nn.Flatten())(still, target=Custom(lambda y: y @ weight.flatten())).values.any()


def noisy_samples(x, draws=40, **options):
    """Where gradients are taken: of half a sum of squares, which keeps what it is called on, ``[draws, B, ...]``."""
    seen = []

    class Half(nn.Module):
        def forward(self, x):
            # Outside of the module, whose attributes an explainer puts back.
            seen.append(x.detach().clone())
            return x.square().sum((1, 2, 3, 4))[:, None] / 2

    ExpectedFall(Half(), draws=draws, **options)(x, target=Custom(lambda y: y[:, 0]))
    # The last calls: what was measured of the model, and the sample itself, came before.
    return torch.stack(seen[-draws:])


def test_gradients_are_taken_at_noise_of_rising_levels():
    noise = noisy_samples(X) - X.float()
    deviation = (X - X.mean(2, keepdim=True)).square().mean((1, 2, 3)).sqrt()[:, None, None, None]
    # The median, which does not notice that what is out of range is cut off: of a normal variable 0.67.
    levels = (noise / deviation).abs().flatten(1).median(1).values / 0.6745
    by_tens = levels.view(4, 10).mean(1)
    np.testing.assert_allclose(by_tens, [0.125, 0.375, 0.625, 0.875], rtol=0.2)
    # Alike for all samples, but for their own spread and range.
    small = (noise / deviation)[:4]
    assert ((small[:, 0] - small[:, 1]).abs() < 1e-5).float().mean() > 0.9


def test_each_draw_is_in_the_middle_of_its_share_of_the_levels():
    """Draw k of K is x + (k + 1/2) / K of the deviation, times the noise of the nodes, cut off at what was seen."""
    draws = 4
    seen, x = noisy_samples(X, draws=draws).double(), X
    deviation = (x - x.mean(2, keepdim=True)).square().mean((1, 2, 3), keepdim=True).sqrt()
    lowest, highest = x.amin((1, 2, 3), keepdim=True), x.amax((1, 2, 3), keepdim=True)
    noise = node_noise(0, ["0", "1", "2", "3"], X.shape[1:], draws, np.ones(X.shape[1:4], bool))
    for k, one in enumerate(noise):
        expected = x + (2 * k + 1) / (2 * draws) * deviation * torch.from_numpy(one)
        np.testing.assert_allclose(seen[k], expected.clamp(lowest, highest), rtol=1e-5, atol=1e-6)


def test_noise_stays_within_what_each_channel_has():
    seen = noisy_samples(X, spread=5.0)
    for row, sample in enumerate(X.float()):
        for channel in range(2):
            of_channel = seen[:, row, ..., channel]
            assert of_channel.min() == sample[..., channel].min()
            assert of_channel.max() == sample[..., channel].max()


def test_noise_belongs_to_the_names_of_nodes():
    """Renumbered, nodes keep their noise; without names it is of their numbers."""
    order = [2, 0, 3, 1]
    names = ["a", "b", "c", "d"]
    here = STGraph(names, [(0, 1), (1, 2), (2, 3)])
    there = here.permute(order)

    def explained(x, graph):
        valid = torch.ones(x.shape[:3], dtype=torch.bool)
        batch = Batch(x, valid, torch.zeros(len(x), dtype=torch.long), tuple("xyz"))
        return ExpectedFall(nn.Flatten(), graph=graph, draws=4)(batch, target=CUBE).values

    one, other = explained(X, here), explained(X[:, :, :, order], there)
    np.testing.assert_allclose(one[..., order], other, rtol=1e-6)
    assert np.abs(explained(X, None)[..., order] - explained(X[:, :, :, order], None)).max() > 1e-3


def test_standard_errors_cover_the_spread_over_seeds():
    """By the formula, as it takes long else; the explainer's map and error are those of the first seed."""
    draws, x = 16, X
    away = x - x.mean(2, keepdim=True)
    deviation = away.square().mean((1, 2, 3), keepdim=True).sqrt()
    lowest, highest = x.amin((1, 2, 3), keepdim=True), x.amax((1, 2, 3), keepdim=True)
    levels = ((torch.arange(draws) + 0.5) / draws).view(-1, 1, 1, 1, 1, 1)
    values, errors = [], []
    for seed in range(200):
        noise = np.stack([*node_noise(seed, ["0", "1", "2", "3"], X.shape[1:], draws, np.ones(X.shape[1:4], bool))])
        gradient = 3 * (x + levels * deviation * torch.from_numpy(noise)[:, None]).clamp(lowest, highest) ** 2
        both = [expected_fall(sign * gradient * away, gradient.abs() * deviation) for sign in (1, -1)]
        each = sum(both).sum(-1)
        values.append(each.mean(0).numpy())
        errors.append(collapsed_standard_error(each).numpy())
    e = ExpectedFall(nn.Flatten())(X, target=CUBE)
    np.testing.assert_allclose(e.values, values[0], rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(e.standard_error, errors[0], rtol=1e-3, atol=1e-5)
    values, errors = np.stack(values), np.stack(errors)
    spread = values.std(0, ddof=1)
    said = np.sqrt((errors**2).mean(0))
    assert (said > 0.85 * spread).mean() > 0.95
    # Not just large.
    assert np.median(said / spread) < 1.6


def test_the_positive_part_of_a_normal_variable():
    mean, deviation = torch.tensor([0.3, -2.0, -60.0, 5.0, -1.0]), torch.tensor([1.0, 0.7, 1.0, 0.0, 0.0])
    draws = mean + deviation * torch.randn(400_000, 5, generator=torch.Generator().manual_seed(0))
    np.testing.assert_allclose(expected_fall(mean, deviation), draws.clamp(min=0).mean(0), atol=3e-3)
    assert (expected_fall(mean, deviation) >= 0).all()


def test_other_settings_have_another_name():
    assert ExpectedFall(nn.Flatten()).method == "expected fall"
    assert ExpectedFall(nn.Flatten(), draws=8).method == "expected fall (draws 8)"
    assert ExpectedFall(nn.Flatten(), spread=0.5).method == "expected fall (spread 0.5)"


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"draws": 3}, "draws: got 3; expected an even number"),
        ({"draws": 0}, "draws: got 0"),
        ({"spread": 0}, "spread: got 0; expected a number of standard deviations above 0"),
        ({"spread": float("nan")}, "spread: got nan"),
    ],
)
def test_wrong_options(wrong, message):
    with pytest.raises(InputError, match=message):
        ExpectedFall(nn.Flatten(), **wrong)
