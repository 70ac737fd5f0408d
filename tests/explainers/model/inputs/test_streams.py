"""Several streams explained together: against one tensor that holds the same channels beside each other."""

import numpy as np
import pytest
import torch
from torch import nn

from stexplain.errors import InputError
from stexplain.explainers.explain import explain
from stexplain.explainers.methods import Motion, Random
from stexplain.explainers.methods.gradient.gradient_shap import GradientSHAP
from stexplain.explainers.methods.gradient.input_gradient import InputGradient
from stexplain.explainers.methods.gradient.integrated_gradients import IntegratedGradients
from stexplain.explainers.methods.layer.grad_cam import STGGradCAM
from stexplain.explainers.methods.perturbation.learned_mask import LearnedMask
from stexplain.explainers.methods.perturbation.occlusion import Occlusion
from stexplain.explainers.methods.perturbation.shapley import ShapleyValueSampling
from stexplain.explainers.methods.perturbation.temporal_rescaling import TemporalRescaling
from stexplain.explainers.targets import Class, Predicted
from tests.explainers.small_models import signals

JOINT, BONE = signals(2, 4, 5, 3), signals(2, 4, 5, 2, seed=1)


class Whole(nn.Module):
    """x ``[B, T, N, C]``: joints, then bones."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.mix, self.head = nn.Linear(5, 6), nn.Linear(6, 3)

    def forward(self, x):
        return self.head(torch.tanh(self.mix(x)).mean((1, 2)))


class ByName(Whole):
    def forward(self, joint, bone, scale=1.0):
        assert joint.is_contiguous()
        return super().forward(torch.cat([joint * scale, bone], -1))


class OtherLayouts(Whole):
    def forward(self, *, bone, joint):
        return super().forward(torch.cat([joint, bone.permute(0, 2, 3, 1)], -1))


class Mapped(Whole):
    def forward(self, batch):
        return super().forward(torch.cat([batch["joint"] * batch.get("scale", 1.0), batch["bone"]], -1))


class AnyName(Whole):
    def forward(self, **streams):
        return super().forward(torch.cat([streams["joint"], streams["bone"]], -1))


class Second(Mapped):
    def forward(self, flag, batch):
        return super().forward({**batch, "scale": flag})


LAYOUTS = {"joint": "b t n c", "bone": "b c t n"}
CASES = {
    "by name": (ByName(), "b t n c", {}),
    "other layouts": (OtherLayouts(), LAYOUTS, {}),
    "dict": (Mapped(), "b t n c", {}),
    "any name": (AnyName(), "b t n c", {}),
    "dict as second": (Second(), "b t n c", {"shared": {"flag": 1.0}}),
    "dict with more inside": (Mapped(), "b t n c", {"shared": {"scale": 1.0}}),
    "named argument": (Mapped(), "b t n c", {"argument": "batch"}),
}


def streams(case="by name"):
    return {"joint": JOINT, "bone": BONE.permute(0, 3, 1, 2) if case == "other layouts" else BONE}


def both(kind, case, **options):
    """The explanation of each stream, and that of one tensor of both."""
    model, inputs, call = CASES[case]
    call = dict(call)
    argument = {"argument": call.pop("argument")} if "argument" in call else {}
    found = kind(model, inputs=inputs, **argument, **options)(streams(case), target=Class(1), **call)
    return found, kind(Whole(), inputs="b t n c", **options)(torch.cat([JOINT, BONE], -1), target=Class(1))


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("reduce", ["sum", "norm", "positive"])
def test_gradients_are_those_of_all_streams_together(case, reduce):
    found, whole = both(InputGradient, case, reduce=reduce)
    assert list(found) == ["joint", "bone"]
    np.testing.assert_allclose(found["joint"].channels, whole.channels[..., :3], rtol=1e-5)
    np.testing.assert_allclose(found["bone"].channels, whole.channels[..., 3:], rtol=1e-5)
    assert found["bone"].channel_names == ("0", "1")
    if reduce == "sum":
        np.testing.assert_allclose(found["joint"].values + found["bone"].values, whole.values, rtol=1e-4, atol=1e-7)
    else:
        np.testing.assert_allclose(
            np.hypot(found["joint"].values, found["bone"].values), whole.values, rtol=1e-4, atol=1e-7
        )


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("kind", [IntegratedGradients, GradientSHAP])
def test_contributions_add_up_over_streams(kind, case):
    found, whole = both(kind, case)
    np.testing.assert_allclose(found["joint"].values + found["bone"].values, whole.values, rtol=1e-3, atol=1e-5)
    np.testing.assert_allclose(found["joint"].score, whole.score, rtol=1e-5)


@pytest.mark.parametrize("case", CASES)
def test_occlusion_masks_one_stream_and_leaves_the_other(case):
    model, inputs, call = CASES[case]
    argument = {"argument": call["argument"]} if "argument" in call else {}
    call = {name: value for name, value in call.items() if name != "argument"}
    found = Occlusion(model, inputs=inputs, window=1, **argument)(streams(case), target=Class(1), **call)
    whole = Whole()
    for name, channels in (("joint", slice(0, 3)), ("bone", slice(3, 5))):
        masked = torch.cat([JOINT, BONE], -1)
        score = whole(masked)[:, 1]
        masked[:, 2, 4, channels] = 0
        np.testing.assert_allclose(found[name].values[:, 0, 2, 4], (score - whole(masked)[:, 1]).detach(), atol=1e-6)


@pytest.mark.parametrize("kind", [ShapleyValueSampling, LearnedMask])
def test_other_methods_perturb_a_stream_at_a_time(kind):
    model = nn.Sequential(nn.Flatten(), nn.Linear(4 * 5 * 5, 2))
    with torch.no_grad():
        # Bones do not matter.
        model[1].weight.view(2, 4, 5, 5)[..., 3:] = 0

    class OnJoints(nn.Module):
        def forward(self, joint, bone):
            return model(torch.cat([joint, bone], -1))

    found = kind(OnJoints(), inputs="b t n c")(streams(), target=Class(0))
    assert np.abs(found["joint"].values).max() > 0
    np.testing.assert_allclose(found["bone"].values, 0, atol=1e-6)


def test_a_rescaled_gradient_of_streams():
    found = TemporalRescaling(InputGradient(ByName(), inputs="b t n c"), window=2)(streams(), target=Class(0))
    assert set(found) == {"joint", "bone"}
    assert np.abs(found["joint"].values - found["bone"].values).max() > 0


@pytest.mark.parametrize("kind", [Random, Motion])
def test_baselines_look_at_each_stream_by_itself(kind):
    found = kind(ByName(), inputs="b t n c")(streams())
    np.testing.assert_array_equal(found["bone"].values, kind(inputs="b t n c")(BONE).values)


def test_the_map_of_a_layer_is_the_same_for_each_stream():
    found = STGGradCAM(ByName(), layer="mix", layout="b t n c", inputs="b t n c")(streams(), target=Class(0))
    np.testing.assert_array_equal(found["joint"].values, found["bone"].values)
    assert any("same for each" in note for note in found["joint"].notes)


def test_several_targets_chunks_and_one_call():
    chunked = InputGradient(ByName(), inputs="b t n c", chunk=1)(streams(), target=[Class(0), Class(1)])
    single = InputGradient(ByName(), inputs="b t n c")(streams(), target=Class(1))
    assert [set(each) for each in chunked] == [{"joint", "bone"}] * 2
    np.testing.assert_allclose(chunked[1]["bone"].values, single["bone"].values, rtol=1e-5)
    found = explain(ByName(), streams(), target=Predicted(), method="InputGradient", inputs="b t n c")
    assert set(found) == {"joint", "bone"}


def test_one_tensor_after_streams():
    explainer = InputGradient(Mapped(), inputs="b t n c")
    explainer(streams(), target=Class(0))
    with pytest.raises(InputError, match="Mapped raised"):
        explainer(JOINT, target=Class(0))
    assert explainer.inputs.pattern == "b t n c"


def test_streams_that_do_not_fit_are_named():
    explainer = InputGradient(ByName(), inputs="b t n c")
    with pytest.raises(InputError, match="stream 'bone' of x has 3 frames and 'joint' 4"):
        explainer({"joint": JOINT, "bone": BONE[:, :3]}, target=Class(0))
    with pytest.raises(InputError, match="stream 'bone' of x: a tensor of shape"):
        explainer({"joint": JOINT, "bone": BONE[0]}, target=Class(0))
    with pytest.raises(InputError, match="no parameter for the stream 'bones'; its parameters are 'joint', 'bone'"):
        explainer({"joint": JOINT, "bones": BONE}, target=Class(0))
    with pytest.raises(InputError, match="needs the argument 'bone'"):
        explainer({"joint": JOINT}, target=Class(0))
    with pytest.raises(InputError, match=r"inputs: got the layouts of \['joint'\]; expected one for 'bone'"):
        InputGradient(ByName(), inputs={"joint": "b t n c"})(streams(), target=Class(0))
    with pytest.raises(InputError, match="got one tensor; expected a dict of the streams 'joint', 'bone'"):
        InputGradient(ByName(), inputs=LAYOUTS)(JOINT, target=Class(0))
    with pytest.raises(InputError, match="layout 'b t x'"):
        InputGradient(ByName(), inputs={"joint": "b t x"})
