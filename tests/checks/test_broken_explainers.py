"""Explainers that are broken in one way fail the right test, and what is left on a model is seen."""

import pytest
import torch

from stexplain.checks.selftest import SelfTestError, selftest
from stexplain.explainers.explainer import Maps
from stexplain.explainers.methods.gradient.input_gradient import InputGradient
from stexplain.explainers.methods.layer.grad_cam import STGGradCAM
from stexplain.nn.stgcn import STGCN
from tests.checks.tested import batch, model


class Broken(InputGradient):
    """An explainer whose map is spoilt in one way."""

    def _maps_of_targets(self, model_input, score_fns):
        return [
            Maps(self.spoilt(maps.values, model_input), maps.scores)
            for maps in super()._maps_of_targets(model_input, score_fns)
        ]


class Mixing(Broken):
    def spoilt(self, values, model_input):
        return values / values.sum()


class Numbered(Broken):
    def spoilt(self, values, model_input):
        return values * torch.arange(1, values.shape[3] + 1)


class Padded(Broken):
    def spoilt(self, values, model_input):
        return values / values.shape[2]


class Wavering(Broken):
    def spoilt(self, values, model_input):
        return values * torch.rand(values.shape)


class Sighted(Broken):
    """Looks at the signals, not at the model."""

    def spoilt(self, values, model_input):
        return self.inputs.to_batch(model_input.x, **model_input.sizes).norm(dim=-1)


class Hooking(Broken):
    def spoilt(self, values, model_input):
        self.model.register_forward_hook(lambda *_: None)
        return values


class Training(Broken):
    """Leaves a gradient on a parameter."""

    def spoilt(self, values, model_input):
        first = next(self.model.parameters())
        first.grad = torch.ones_like(first)
        return values


class Added(STGGradCAM):
    def _maps_of_targets(self, model_input, score_fns):
        maps = super()._maps_of_targets(model_input, score_fns)
        return [Maps(each.values, each.scores, each.layer_values + 1, each.stride) for each in maps]


@pytest.mark.parametrize(
    ("broken", "tests"),
    [
        (Mixing, {"batch independence", "chunk independence", "equation"}),
        (Numbered, {"node permutation", "equation"}),
        (Padded, {"padding invariance", "equation"}),
        (
            Wavering,
            {
                "deterministic",
                "batch independence",
                "chunk independence",
                "node permutation",
                "padding invariance",
                "equation",
            },
        ),
        (Sighted, {"parameter randomisation", "equation", "known models"}),
        (Hooking, {"model restored"}),
        (Training, {"model restored"}),
        (Added, {"CAM identity", "completeness", "equation"}),
    ],
)
def test_a_broken_explainer_fails_the_right_test(broken, tests):
    result = selftest(model(), broken, batch())
    assert set(result.failed) == tests
    assert not result.passed
    with pytest.raises(SelfTestError, match="failed"):
        result.raise_for_failure()


def test_a_class_that_refuses_other_models_without_a_word_is_said_not_to_be_checked():
    class Choosy(InputGradient):
        def __init__(self, model, **options):
            if not isinstance(model, STGCN):
                raise TypeError
            super().__init__(model, **options)

    result = selftest(model(), Choosy, batch())
    assert result["known models"].why == "Choosy cannot be made of a model alone: TypeError"


class Setting(Broken):
    """Leaves something on the model, outside of a forward pass."""

    def spoilt(self, values, model_input):
        self.model.seen = values
        return values


def test_an_attribute_that_is_left_on_a_model_is_seen():
    result = selftest(model(), Setting, batch(), draws=1)
    assert result.failed == ("model restored",)
    assert "attributes of STGCN" in result["model restored"].why
