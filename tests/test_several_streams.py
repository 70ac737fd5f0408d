"""Models of two streams give what the same function gives whose streams are channels."""

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import stexplain as stx
from stexplain.errors import InputError
from stexplain.metrics import compare
from tests.any_model import FRAMES, NODES, SAMPLES, Plain
from tests.every_function import FIXED
from tests.explainers.small_models import signals


class TwoStreams(Plain):
    def forward(self, joint: Tensor, bone: Tensor) -> Any:  # each b t n
        return self.logits(torch.stack([joint, bone], -1))


def streams() -> tuple[nn.Module, dict[str, Tensor], nn.Module, Tensor]:
    """A model of two streams and its samples, and the same function of two channels."""
    model, x = Plain().eval(), signals(SAMPLES, 1, FRAMES, NODES, 2).double()
    return TwoStreams().eval(), {"joint": x[:, 0, ..., 0], "bone": x[:, 0, ..., 1]}, model, x


def test_of_several_streams_the_explained_one_is_masked():
    model, x, reference, both = streams()
    e = stx.InputGradient(model, inputs="b t n")(x, target=stx.Class(1))
    options = {"target": stx.Class(1), "repeats": 1}
    for channel, name in enumerate(x):
        found = stx.metrics.deletion_curve(model, x, e[name], **options)
        alone = stx.metrics.deletion_curve(reference, both, e[name].values, signals=[channel], **options)
        np.testing.assert_allclose(found.score, alone.score, rtol=1e-6)
    every = stx.metrics.deletion_curve(model, x, e["bone"].values, inputs="b t n", **options)
    expected = stx.metrics.deletion_curve(reference, both, e["bone"].values, **options)
    np.testing.assert_allclose(every.score, expected.score, rtol=1e-6)
    with pytest.raises(InputError, match=r"expected the explanation of one, such as explanation\['joint'\]"):
        stx.metrics.deletion_curve(model, x, e, **options)
    with pytest.raises(InputError, match="got one tensor and the explanation of the stream 'bone'"):
        stx.metrics.fidelity(model, x["bone"], e["bone"])


def test_several_streams_are_compared_each_by_itself():
    model, x, reference, both = streams()
    explain = stx.InputGradient(model, inputs="b t n")
    metrics, options = [stx.metrics.deletion_score(model)], {"target": stx.Class(1), "progress": False}
    found = compare([explain, stx.Random(inputs="b t n")], metrics, x, **options).scores["deletion gain"]
    assert list(found) == ["input gradient, joint", "input gradient, bone", "random, joint", "random, bone"]
    e = explain(x, target=stx.Class(1))["bone"]
    alone = stx.metrics.deletion_curve(reference, both, e.values, target=stx.Class(1), signals=[1]).areas("gain")
    np.testing.assert_allclose(found["input gradient, bone"], alone, rtol=1e-6)
    absolute = stx.metrics.AbsoluteAttribution(explain)
    assert list(compare({"a": absolute}, metrics, x, **options).scores["deletion gain"]) == ["a, joint", "a, bone"]


@pytest.mark.parametrize(
    "kind", [stx.InputGradient, stx.IntegratedGradients, stx.STGGradCAM, stx.Occlusion, stx.Motion]
)
def test_the_selftest_takes_streams(kind):
    model, x, _, _ = streams()
    result = stx.selftest(model, kind, x, inputs="b t n", draws=1)
    result.raise_for_failure()
    assert result["deterministic"].passed
    assert result["batch independence"].passed
    assert result["equation"].passed is (None if kind in (stx.Occlusion, stx.Motion) else True)


def test_the_selftest_sees_streams_that_are_exchanged():
    class Exchanged(stx.InputGradient):
        def _add_streams(self, names, wholes, by_target):
            super()._add_streams(names, wholes, by_target)
            for found in by_target:
                found["joint"], found["bone"] = found["bone"], found["joint"]

    model, x, _, _ = streams()
    assert stx.selftest(model, Exchanged, x, inputs="b t n", draws=1).failed == ("equation",)


def test_nodes_are_masked_in_all_streams():
    model, x, reference, both = streams()
    psi, labels = FIXED["class_importance"], FIXED["labels"]
    found = stx.metrics.masking_curve(model, x, psi, nodes=2, labels=labels, inputs="b t n")
    expected = stx.metrics.masking_curve(reference, both, psi, nodes=2, labels=labels)
    for which, correct in expected.correct.items():
        np.testing.assert_array_equal(found.correct[which], correct)
