"""The effect of models whose function is written down: exact, in whatever batch, layout and padding."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

import stexplain as stx
from stexplain.data.samples import Batch
from stexplain.errors import InputError
from stexplain.metrics import Effect, effect, effect_agreement
from stexplain.metrics.truth.effect import used_regions
from stexplain.metrics.truth.margin import MarginOverOthers
from tests.explainers.small_models import signals
from tests.metrics.small_batches import batch, linear, padded


def without(of: Batch) -> Batch:
    """A counterfactual that differs at nodes 1 and 2 of the first instance."""
    x = of.x.clone()
    x[:, 0, :, 1:3] = signals(*x[:, 0, :, 1:3].shape, seed=8).double() * of.valid[:, 0, :, None, None]
    return replace(of, x=x)


@torch.no_grad()
def by_hand(model: nn.Module, of: Batch, other: Batch, members: list[list[int]], windows: int) -> np.ndarray:
    """The effect, one copy at a time."""
    result = np.zeros((len(of), windows, len(members)))
    for row in range(len(of)):
        length = int(of.valid[row].any(0).nonzero().max()) + 1
        logits = model(of.x[row : row + 1])[0]
        label = int(logits.argmax())
        for group, nodes in enumerate(members):
            for window in range(windows):
                x = of.x[row : row + 1].clone()
                for t in range(length):
                    if t * windows // length == window:
                        x[0, :, t, nodes] = other.x[row, :, t, nodes]
                changed = model(x)[0]
                margins = [
                    float(one[label] - torch.cat([one[:label], one[label + 1 :]]).logsumexp(0))
                    for one in (logits, changed)
                ]
                result[row, window, group] = margins[0] - margins[1]
    return result


def test_the_effect_is_the_fall_of_the_margin():
    model, of = linear(), batch()
    found = effect(model, of, without(of), windows=3)
    expected = by_hand(model, of, without(of), [[0], [1], [2], [3]], 3)
    np.testing.assert_allclose(found.values, expected, atol=1e-12)
    # What does not differ has no effect, and needs no forward pass.
    assert not found.values[:, :, [0, 3]].any()
    assert (np.abs(found.values[:, :, 1:3]) > 1e-3).all()
    assert found.inferences.tolist() == [2 + 3 * 2] * len(of)
    assert found.ids == of.ids


def test_before_and_after_are_the_margins_with_nothing_and_all_replaced():
    model, of = linear(), batch()
    found, other = effect(model, of, without(of), windows=2), without(of)
    for values, x in ((found.before, of.x), (found.after, other.x)):
        logits = model(x)
        own = logits.gather(1, torch.tensor(found.classes)[:, None])
        others = logits.scatter(1, torch.tensor(found.classes)[:, None], -torch.inf).logsumexp(1)
        np.testing.assert_allclose(values, (own[:, 0] - others).detach().numpy(), atol=1e-12)
    assert found.classes.tolist() == model(of.x).argmax(1).tolist()


def test_groups_are_replaced_together():
    model, of = linear(), batch()
    graph = stx.STGraph.from_edges(["a", "b", "c", "d"], [("a", "b"), ("b", "c"), ("c", "d")])
    found = effect(model, of, without(of), windows=2, groups={"one": ["a", "b"], "two": [2, "d"]}, graph=graph)
    np.testing.assert_allclose(found.values, by_hand(model, of, without(of), [[0, 1], [2, 3]], 2), atol=1e-12)
    assert found.regions.names == ("one", "two")


def test_padding_chunks_and_batches_change_nothing():
    model, of = linear(frames=9), batch()
    other = without(of)
    whole = effect(model, of, other, windows=3)
    np.testing.assert_allclose(effect(model, padded(of), padded(other), windows=3).values, whole.values, atol=1e-12)
    np.testing.assert_allclose(effect(model, of, other, windows=3, chunk=4).values, whole.values, atol=1e-12)
    np.testing.assert_allclose(effect(model, of, other, windows=3, chunk=13).values, whole.values, atol=1e-12)

    def part(rows: slice) -> Effect:
        # Only the first sample has a second instance: batches of others come without it.
        there = slice(2 if rows.start == 0 else 1)
        each = [
            Batch(one.x[rows, there], one.valid[rows, there], one.label[rows], one.ids[rows]) for one in (of, other)
        ]
        return effect(model, *each, windows=3)

    joined = Effect.joined([part(slice(0, 2)), part(slice(2, 6))])
    np.testing.assert_allclose(joined.values, whole.values, atol=1e-12)
    assert joined.ids == whole.ids
    np.testing.assert_array_equal(joined.regions.window, whole.regions.window)
    np.testing.assert_array_equal(joined.regions.observed, whole.regions.observed)
    assert Effect.joined([whole]).regions.names == whole.regions.names


def test_a_counterfactual_of_clips_may_be_given():
    x, other = signals(3, 1, 6, 4, 2), signals(3, 1, 6, 4, 2, seed=3)
    other[..., [0, 3], :] = x[..., [0, 3], :]
    graph = stx.STGraph.from_edges(["a", "b", "c", "d"], [("a", "b"), ("b", "c"), ("c", "d")])
    clips, counterfactual = (stx.Clips.from_arrays(one.numpy(), graph=graph) for one in (x, other))
    found = effect(linear(), clips, counterfactual, windows=2)
    np.testing.assert_allclose(found.values, effect(linear(), x, other, windows=2).values, atol=1e-6)
    assert found.values[..., 1:3].all()


def test_another_target_is_scored_as_it_is_with_the_sign_of_its_fall():
    # The forecast is the sum of all speeds: without the congestion it is higher, and minus it lower.
    x = torch.tensor([[[30.0, 60.0], [20.0, 60.0]]])
    free = torch.tensor([[[50.0, 60.0], [60.0, 60.0]]])
    for sign in (1, -1):
        found = effect(nn.Flatten(), x, free, windows=2, target=lambda out, s=sign: s * out.sum(1), inputs="b t n")
        assert found.values.tolist() == [[[-sign * 20.0, 0.0], [-sign * 40.0, 0.0]]]
        assert found.used().tolist() == [[[sign < 0, False], [sign < 0, False]]]
    # 2 of 40 is not above a twentieth of the largest.
    assert found.groups().tolist() == [[40.0, 0.0]]


@pytest.mark.parametrize(("share", "expected"), [(0.05, [True, True, False]), (0.5, [True, False, False])])
def test_used_is_above_a_share_of_the_largest(share, expected):
    x = torch.tensor([[[100.0, 6.0, 5.0]]])
    found = effect(nn.Flatten(), x, torch.zeros_like(x), windows=1, target=lambda out: out.sum(1), inputs="b t n")
    assert found.used(share)[0, 0].tolist() == expected


def test_where_no_effect_is_positive_nothing_was_used():
    values = np.array([[[-1.0, 0.0]], [[-3.0, -2.0]], [[0.0, 0.0]], [[-5.0, 0.01]]])
    for share in (0.0, 0.05, 0.9):
        assert used_regions(values, share)[:, 0].tolist() == [[False, False]] * 3 + [[False, True]]
    for wrong in (-0.1, 1.0):
        with pytest.raises(InputError, match="share: got"):
            used_regions(values, wrong)


def test_the_margin_of_logits_of_a_single_logit_and_of_probabilities():
    logits = torch.tensor([[2.0, 0.5, -1.0], [0.0, 0.0, 3.0]], dtype=torch.float64)
    p = logits.softmax(1)
    target = MarginOverOthers(stx.Class([0, 2]))
    expected = torch.stack([p[0, 0].log() - (1 - p[0, 0]).log(), p[1, 2].log() - (1 - p[1, 2]).log()])
    torch.testing.assert_close(target(logits), expected)
    torch.testing.assert_close(target(p), expected)
    torch.testing.assert_close(target(p.log()), expected)
    single = torch.tensor([[1.5], [-2.0]])
    assert MarginOverOthers(stx.Class([1, 0]))(single).tolist() == [1.5, 2.0]
    # Two logits and their difference say the same.
    two = torch.cat([torch.zeros_like(single), single], 1)
    torch.testing.assert_close(MarginOverOthers(stx.Predicted())(two), MarginOverOthers(stx.Predicted())(single))


def test_only_observations_are_replaced():
    of = batch()
    observed = torch.ones(of.x.shape[:-1], dtype=torch.bool)
    observed[:, :, 2, 1] = False
    found = effect(linear(), replace(of, observed=observed), replace(without(of), observed=observed), windows=6 - 2)
    # Six frames in four windows: in the first clip frame 2 is alone in the second window.
    assert found.regions.window[0].tolist() == [0, 0, 1, 2, 2, 3]
    assert not found.regions.present[0, 1, 1]
    assert found.values[0, 1, 1] == 0 != found.values[0, 1, 2]


def test_the_model_and_the_samples_are_left_as_they_were():
    model, of = linear().train(), batch()
    other, x = without(of), of.x.clone()
    state = {name: value.clone() for name, value in model.state_dict().items()}
    effect(model, of, other, windows=2)
    assert model.training
    assert all(bool((value == state[name]).all()) for name, value in model.state_dict().items())
    assert all(parameter.requires_grad for parameter in model.parameters())
    assert torch.equal(of.x, x)


def test_samples_without_a_cause_have_no_effect():
    """A batch of which the truth says that nothing is planted may be its own counterfactual."""
    of = batch()
    bare = replace(of, truth=torch.zeros(of.x.shape[:4], dtype=torch.bool))
    found = effect(linear(), bare, bare, windows=2)
    assert not found.values.any()
    np.testing.assert_array_equal(found.before, found.after)
    scores = effect_agreement(torch.rand(bare.truth.shape), found, planted=bare.truth).scores
    assert all(np.isnan(values).all() for each in scores.values() for values in each.values())


def test_what_cannot_be_is_refused():
    model, of = linear(), batch()
    with pytest.raises(InputError, match=r"counterfactual: got the samples themselves"):
        effect(model, of, of)
    with pytest.raises(InputError, match=r"windows: got 5; expected 1 to 4"):
        effect(model, of, without(of), windows=5)
    with pytest.raises(InputError, match=r"counterfactual: got sample 'other' at index 0"):
        effect(model, of, replace(without(of), ids=("other", *of.ids[1:])), windows=2)
    with pytest.raises(InputError, match="counterfactual"):
        effect(model, of, padded(without(of)), windows=2)
    with pytest.raises(InputError, match="groups: got none"):
        effect(model, of, without(of), windows=2, groups={"empty": []})
