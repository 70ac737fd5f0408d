"""Which axis of an output follows the samples: wherever it lies, alone or folded; what mixes samples is noticed."""

import itertools
import math
import re

import pytest
import torch

from stexplain.errors import InputError
from stexplain.explainers.outputs.measure import _difference, measured_axes
from stexplain.explainers.outputs.sample_axis import SampleAxis

PATTERNS = ["b n h", "n b h", "n h b", "(b n) h", "(n b) h", "n (b h)", "n (h b)", "(n b h)", "(b n h)", "(n h b)"]


def signals(samples, seed=0, nodes=4):
    return torch.rand(samples, 1, 6, nodes, 2, generator=torch.Generator().manual_seed(seed))


def per_sample(x, horizon=3):
    """``[B, N, H]``: every entry depends on all of its sample's values, and on no other sample's."""
    nodes = x.square().sum((1, 2, 4)) + x.sum((1, 2, 3, 4))[:, None]
    return nodes[..., None] * torch.arange(1.0, horizon + 1)


def laid_out(y, pattern):
    """``[B, N, H]`` with its axes in another order, and folded; and which axis is then the samples'."""
    groups = [group.strip("()").split() for group in re.findall(r"\(.*?\)|\w", pattern)]
    sizes = dict(zip("bnh", y.shape, strict=True))
    letters = [letter for group in groups for letter in group]
    tensor = y.permute(["bnh".index(letter) for letter in letters])
    dim = next(dim for dim, group in enumerate(groups) if "b" in group)
    place = groups[dim].index("b")
    outer, inner = (math.prod(sizes[one] for one in part) for part in (groups[dim][:place], groups[dim][place + 1 :]))
    shape = [math.prod(sizes[letter] for letter in group) for group in groups]
    return tensor.reshape(shape), SampleAxis(dim, outer, inner)


@pytest.mark.parametrize("samples", [1, 2, 3, 4, 12])
@pytest.mark.parametrize("used", [1, torch.tensor([0, 1, 1, 0])[:, None], torch.tensor([0, 1, 1])])
@pytest.mark.parametrize("pattern", PATTERNS)
def test_wherever_it_lies(pattern, used, samples):
    """Also where other axes are as long: four nodes, or three steps of a horizon, of which some may tell nothing."""
    axes = measured_axes(lambda x: laid_out(per_sample(x) * used, pattern)[0], signals(samples))
    # A single sample is measured as two copies of itself.
    tensor, expected = laid_out(per_sample(signals(max(samples, 2))), pattern)
    assert axes.axes == {(): expected}
    assert (axes.shapes, axes.samples) == ({(): tuple(tensor.shape)}, max(samples, 2))
    assert not axes.mixed
    assert axes.witness is None


@pytest.mark.parametrize("transposed", [False, True])
def test_of_two_axes_that_change_alike_the_one_that_follows_other_samples_too(transposed):
    """Entries ``[B, B]`` that are zero but for columns 1, 2, 4 and 7, the very samples that are changed at first."""
    columns = torch.tensor([float(index.bit_count() % 2) for index in range(8)])

    def run(x):
        y = x.sum((1, 2, 3, 4))[:, None] * columns
        return y.T if transposed else y

    assert measured_axes(run, signals(8)).axes[()] == SampleAxis(int(transposed))


def test_an_axis_that_changes_where_samples_were_changed_comes_before_one_that_changes_at_some_of_them():
    """Entries ``[B, B]`` of which one row alone is not zero; four passes tell."""
    passes = []

    def run(x):
        passes.append(x)
        return x.sum((1, 2, 3, 4)) * (torch.arange(8) == 1)[:, None]

    assert measured_axes(run, signals(8)).axes[()] == SampleAxis(1)
    assert len(passes) == 4


def test_what_has_entries_of_a_sample_that_do_not_change():
    """Flat at some samples: those that change are still changed samples, and no others."""

    def run(x):
        return per_sample(x) * (torch.arange(len(x)) % 2)[:, None, None]

    assert measured_axes(run, signals(8)).axes[()] == SampleAxis(0)


@pytest.mark.parametrize(
    "mixing",
    [
        lambda y: y - y.mean(0),
        lambda y: y.softmax(0),
        lambda y: y.roll(1, 0),
        lambda y: y.sum(0),
        lambda y: y / y.std(0),
    ],
)
def test_samples_that_influence_each_other(mixing):
    """With what shows it: two outputs, before and after, and which samples were left as they were."""
    seen = []

    def run(x):
        seen.append(x)
        return {"mixed": mixing(per_sample(x)), "alone": per_sample(x)}

    x = signals(6)
    axes = measured_axes(run, x)
    assert axes.mixed == {("mixed",)}
    assert axes.axes == {("alone",): SampleAxis(0)}
    before, after, unchanged = axes.witness
    assert torch.equal(before["alone"], per_sample(x))
    same = (before["alone"] == after["alone"]).flatten(1).all(1)
    assert same.nonzero().flatten().tolist() == list(unchanged)
    assert 0 in unchanged
    assert len(unchanged) < 6


def test_what_differs_though_nothing_was_changed_is_not_taken_for_mixed():
    """A model's own stream of random numbers."""
    own = itertools.count()
    axes = measured_axes(lambda x: {"y": per_sample(x), "drawn": torch.full((len(x), 2), float(next(own)))}, signals(4))
    assert axes.axes == {("y",): SampleAxis(0)}
    assert not axes.mixed
    assert axes.witness is None


def test_what_does_not_depend_on_the_input_has_no_axis():
    axes = measured_axes(lambda x: {"y": per_sample(x), "adjacency": torch.eye(4), "none": torch.zeros(0)}, signals(4))
    assert list(axes.axes) == [("y",)]
    assert set(axes.shapes) == {("y",), ("adjacency",), ("none",)}


def test_nan_is_like_itself_and_another_shape_is_not_compared():
    def run(x):
        y = per_sample(x)
        return torch.cat([y, torch.full_like(y[:, :1], torch.nan)], 1)

    assert measured_axes(run, signals(4)).axes == {(): SampleAxis(0)}
    calls = itertools.count()
    ragged = measured_axes(lambda x: {"y": per_sample(x), "some": torch.zeros(4, 1 + next(calls))}, signals(4))
    assert list(ragged.axes) == [("y",)]


@pytest.mark.parametrize("rounding", [0.0, 0.01])
def test_what_is_rounded_by_the_whole_batch(rounding):
    """A part of what samples differ by, everywhere: no change where so much is rounding, mixed where it is not."""

    def run(x):
        y = per_sample(x)
        return y + 1e-4 * y.sum()

    axes = measured_axes(run, signals(4), rounding=rounding)
    assert axes.axes == ({(): SampleAxis(0)} if rounding else {})
    assert bool(axes.mixed) == (not rounding)


@pytest.mark.parametrize("values", ["several", "one"])
def test_an_index_of_a_table_stays_one(values):
    """A model that looks entries up takes none that is no sample's; of all alike, none below 0 or above."""
    x = torch.randint(0, 7, (4, 1, 6, 4, 2), generator=torch.Generator().manual_seed(0)).float()
    x = x if values == "several" else torch.full_like(x, 5)
    seen = []

    def run(x):
        seen.append(x.detach())
        return torch.arange(7.0).square()[x.long()].sum((1, 2, 4))

    assert measured_axes(run, x).axes[()] == SampleAxis(0)
    for each in seen:
        if values == "several":
            assert set(each.flatten().tolist()) <= set(x.flatten().tolist())
        else:
            assert 4.5 <= float(each.min()) <= float(each.max()) <= 5


def test_of_samples_of_zeros_some_rise():
    """There is no other value: towards one, a tenth of the way at most."""
    seen = []

    def run(x):
        seen.append(x.detach())
        return per_sample(x)

    assert measured_axes(run, torch.zeros(4, 1, 6, 4, 2)).axes[()] == SampleAxis(0)
    assert min(float(each.min()) for each in seen) >= 0
    assert 0 < max(float(each.max()) for each in seen) <= 0.1


def test_what_is_no_observation_stays_and_so_do_the_callers_random_numbers():
    """Some samples are changed, then the others; and at last the samples go through as they are."""
    x, seen = signals(5), []
    present = torch.rand(5, 1, 6, 4, generator=torch.Generator().manual_seed(3)) > 0.3

    def run(x):
        seen.append(x.detach().clone())
        torch.rand(3)
        return per_sample(x)

    state, before = torch.random.get_rng_state(), x.clone()
    assert measured_axes(run, x, present).axes[()] == SampleAxis(0)
    assert torch.equal(torch.random.get_rng_state(), state)
    assert torch.equal(x, before)
    changed = [(each != x).flatten(1).any(1).tolist() for each in seen]
    assert changed == [[False] * 5, [False, True, True, False, True], [True, False, False, True, False], [False] * 5]
    for each in seen:
        assert torch.equal(each[~present], x[~present])


def test_every_pass_draws_the_same_random_numbers():
    """Dropout, say: else it would seem that samples which were not changed differ."""
    axes = measured_axes(lambda x: per_sample(x) * (torch.rand(len(x), 4, 3) > 0.5), signals(6))
    assert axes.axes == {(): SampleAxis(0)}


def test_a_model_that_takes_one_sample_alone_has_its_shapes_told():
    def run(x):
        if len(x) > 1:
            raise InputError("a single graph")
        return per_sample(x)[0]

    axes = measured_axes(run, signals(1))
    assert not axes.axes
    assert (axes.shapes, axes.samples) == ({(): (4, 3)}, 1)


def test_features_feed_what_is_computed_from_them():
    """In a tuple or a list; not where shapes are alike, as of logits and shares, nor in a dict, whose keys tell."""

    def features(x):
        y = per_sample(x).flatten(1)
        return y, y @ torch.ones(12, 2)

    assert measured_axes(features, signals(3)).feeds == {(0,)}
    assert measured_axes(lambda x: list(features(x))[::-1], signals(3)).feeds == {(1,)}
    assert not measured_axes(lambda x: dict(enumerate(features(x))), signals(3)).feeds
    assert not measured_axes(lambda x: ((y := features(x)[1]), y.softmax(1)), signals(3)).feeds
    assert not measured_axes(lambda x: (features(x)[0], features(x)[1]), signals(3)).feeds
    assert not measured_axes(lambda x: tuple(one.detach() for one in features(x)), signals(3)).feeds


def test_each_of_several_features_feeds_what_follows():
    """Gradients are asked for one after the other through the same steps, some of which keep what they need once."""

    def features(x):
        first = per_sample(x).flatten(1)
        second = (first @ torch.ones(12, 5)).tanh()
        return first, second, second.square() @ torch.ones(5, 2)

    assert measured_axes(features, signals(3)).feeds == {(0,), (1,)}


def passes(run, x):
    """How many inferences measuring takes."""
    seen = []
    measured_axes(lambda each: seen.append(len(each)) or run(each), x)
    return sum(seen)


@pytest.mark.parametrize(
    ("run", "samples", "expected"),
    [
        (per_sample, 5, 20),
        # As itself, as two copies, with one of them changed, and with gradients.
        (per_sample, 1, 6),
        # Two axes of one size: the other copy is changed too, by other signals than it was made of.
        (lambda x: torch.diag_embed(x.sum((1, 2, 3, 4))), 1, 12),
        # What hardly depends on its input is tried by all signals.
        (lambda x: torch.ones(len(x), 2), 5, 5 * 7),
        # That of the changed ones is followed by that of the others, and by one without a change.
        (lambda x: per_sample(x) - per_sample(x).mean(0), 5, 20),
    ],
)
def test_inferences_are_as_many_as_it_takes(run, samples, expected):
    assert passes(run, signals(samples)) == expected


def test_what_is_not_a_number_is_like_itself_alone():
    nan = math.nan
    one = torch.tensor([nan, nan, 1.0, 1.0, 2.0, math.inf, math.inf])
    other = torch.tensor([nan, 1.0, nan, 1.0, 3.0, math.inf, 1.0])
    for rounding in (0, 0.1):
        assert _difference(one, other, rounding).tolist() == [False, True, True, False, True, False, True]
