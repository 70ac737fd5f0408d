"""Known models: their truth is what they compute, and every explainer finds of it what it can."""

import math

import numpy as np
import pytest
import torch
from torch import nn

from stexplain.checks.known import KNOWN_GRAPHS, SEEN, known_models, limits_of, score_table
from stexplain.checks.known.catalogue import kinds_by_name
from stexplain.checks.known.table import scores
from stexplain.checks.selftest import selftest
from stexplain.errors import InputError
from stexplain.explainers.explainer import Explainer, Maps
from stexplain.explainers.methods.baselines.base import BaselineExplainer
from stexplain.explainers.methods.gradient.input_gradient import InputGradient
from stexplain.explainers.methods.layer.layer_explainer import LayerExplainer
from tests.explainers.every_explainer import EXPLAINERS

KINDS = {"one position", "together", "order", "message", "absence", "decoy", "second person"}
MODELS = known_models(samples=4)


@pytest.fixture(params=MODELS, ids=lambda known: known.name)
def known(request):
    return request.param


def test_every_kind_lies_on_every_graph():
    assert set(kinds_by_name()) == KINDS
    assert {(known.kind, known.over) for known in MODELS} == {(kind, over) for kind in KINDS for over in KNOWN_GRAPHS}
    with pytest.raises(InputError, match="Did you mean 'decoy'"):
        known_models("decoi")


@pytest.mark.parametrize("seed", [0, 5])
def test_the_truth_is_what_the_model_computes(known, seed):
    """Position by position: zero in its place changes the score where the truth says so, in its direction."""
    (known,) = [one for one in known_models(known.kind, samples=4, seed=seed) if one.over == known.over]
    rows, which = torch.arange(len(known.x)), torch.tensor(known.classes)
    with torch.no_grad():
        whole = known.model(known.x)[rows, which]
        fall = torch.zeros(known.truth.shape)
        for m, t, n in np.ndindex(*known.truth.shape[1:]):
            without = known.x.clone()
            without[:, m, t, n] = 0
            fall[:, m, t, n] = whole - known.model(without)[rows, which]
    # Sums over all positions are rounded in float32; the smallest effect of a true position is a thousand times that.
    assert torch.equal(fall.abs() > 1e-3, torch.from_numpy(known.truth))
    assert torch.equal(fall.sign().int() * torch.from_numpy(known.truth), torch.from_numpy(known.sign).int())
    assert known.truth.any((1, 2, 3)).all()


def test_samples_follow_from_the_seed():
    one, other, third = (known_models("order", seed=seed)[0].x for seed in (1, 1, 2))
    assert torch.equal(one, other)
    assert not torch.equal(one, third)


@pytest.mark.filterwarnings("ignore:.*contributions do not add up:UserWarning")
@pytest.mark.parametrize("kind", [one for one in EXPLAINERS if not issubclass(one, BaselineExplainer)])
def test_every_explainer_sees_all_but_its_limits(kind, known):
    limits = limits_of(kind)
    if kind.__name__ == "GraphAblated":
        with pytest.raises(InputError, match="no graph convolution"):
            score_table(kind, [known])
        assert set(limits) == KINDS
        return
    found = score_table(kind, [known]).auroc[0]
    # Both ways: a limit that is none any more is taken off the list.
    assert bool(found >= SEEN) is (known.kind not in limits), f"{kind.__name__}, {known.name}: AUROC {found:.2f}"


def test_a_layer_shows_where_a_message_arrived():
    assert set(limits_of(LayerExplainer)) == {"message", "order"}


def test_scores_of_maps_that_are_known(known):
    right = scores(known.sign.astype(np.float32), known)
    assert (right["auroc"], right["average_precision"], right["rivals"], right["top_share"]) == (1, 1, 1, 1)
    # Only the kind with positions against a class has negative values, whose sign can be told.
    assert math.isnan(right["sign"]) is not bool((known.sign < 0).any())
    wrong = scores(-known.sign.astype(np.float32), known)
    assert (wrong["auroc"], wrong["sign"]) == (0, 0)
    constant = scores(np.ones(known.sign.shape, np.float32), known)
    assert constant["auroc"] == 0.5


@pytest.mark.parametrize("kind", ["one position", "decoy", "second person"])
def test_a_map_of_what_is_active_is_no_explanation(kind):
    for known in known_models(kind):
        assert scores(known.x[..., 0].numpy(), known)["rivals"] < SEEN


class OwnMethod(Explainer):
    """A method without a known equation: the size of the gradient, changed by `change`."""

    def _maps(self, model_input, score_fn):
        maps = InputGradient._maps_of_targets(InputGradient(self.model, **self.options), model_input, [score_fn])[0]
        return Maps(self.change(maps.values), maps.scores)

    def change(self, values):
        return values


@pytest.mark.parametrize(
    ("change", "sound"),
    [
        (lambda v: v, True),
        (lambda v: v.square(), True),
        (lambda v: v.mean(2, keepdim=True).expand_as(v), True),
        (lambda v: -v, False),
        (lambda v: v.flip(3), False),
        (lambda v: v.flip(2), False),
        (lambda v: v.roll(1, 2), False),
        (lambda v: v.roll(-1, 2), False),
        (lambda v: v.flip(0), False),
        (torch.zeros_like, False),
    ],
    ids=["itself", "squared", "mean over time", "sign", "nodes", "time", "late", "early", "samples", "nothing"],
)
def test_a_method_of_ones_own_is_judged_by_what_it_finds(change, sound):
    kind = type("Own", (OwnMethod,), {"change": lambda self, values: change(values)})
    torch.manual_seed(0)
    model = nn.Sequential(nn.Flatten(), nn.Linear(60, 8), nn.Tanh(), nn.Linear(8, 4))
    result = selftest(model, kind, torch.randn(3, 1, 10, 3, 2), draws=1)
    assert result["equation"].passed is None
    assert result["known models"].passed is sound
