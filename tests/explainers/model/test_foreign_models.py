"""Models of others, of the kinds that people use: maps are those of captum, and models are left as they were."""

import copy
import warnings

import numpy as np
import pytest
import torch
from einops import rearrange
from torch import nn

from stexplain.errors import InputError
from stexplain.explainers.methods.gradient.input_gradient import InputGradient
from stexplain.explainers.methods.layer.grad_cam import STGGradCAM
from stexplain.explainers.methods.layer.grad_cam_plus_plus import GradCAMPlusPlus
from stexplain.explainers.methods.layer.hires_cam import HiResCAM
from stexplain.explainers.methods.layer.layer_cam import LayerCAM
from stexplain.explainers.targets import Class, Forecast
from tests.explainers.small_models import (
    AdaptiveGraph,
    DiffusionRecurrent,
    PlainSTGCN,
    WaveNet,
    path_adjacency,
    signals,
)


class GraphNet(nn.Module):
    """x ``[B, T, N, C]`` and `edge_index` to logits: graph convolutions of PyG, every frame by itself, and a GRU."""

    def __init__(self, seed=0):
        super().__init__()
        from torch_geometric.nn import GCNConv

        torch.manual_seed(seed)
        self.convs = nn.ModuleList([GCNConv(2, 6), GCNConv(6, 6)])
        self.time = nn.Conv1d(6, 6, 3, padding=1)
        self.head = nn.Linear(6, 4)

    def forward(self, x, edge_index):
        for conv in self.convs:
            x = torch.relu(conv(x, edge_index))
        batch, frames, nodes, channels = x.shape
        x = self.time(x.permute(0, 2, 3, 1).reshape(batch * nodes, channels, frames)).relu()
        return self.head(x.view(batch, nodes, channels, frames).mean((1, 3)))


def path_edges():
    return {"edge_index": path_adjacency(5).nonzero().T}


# A function that makes the model; shape of x; target; layouts of input and layer; names of layers; further arguments.
CASES = {
    "ST-GCN": (PlainSTGCN, (4, 3, 10, 5, 2), Class([0, 3, 1, 2]), "b c t n m", "(b m) c t n", ["first", "second"], {}),
    "adaptive adjacency": (AdaptiveGraph, (4, 3, 9, 5), Class([0, 3, 1, 2]), *["b c t n"] * 2, ["first", "second"], {}),
    "WaveNet": (
        WaveNet,
        (4, 2, 5, 8),
        Forecast(2, [1, 3], layout="b t n c"),
        *["b c n t"] * 2,
        ["start", "layers.0", "layers.1.filter", "layers.1"],
        {"stride": 1},
    ),
    "DCRNN": (
        DiffusionRecurrent,
        (4, 6, 5, 2),
        Forecast([1, 4], 2, layout="b t n"),
        "b t n c",
        "b n c",
        ["encoder"],
        {"calls": "last"},
    ),
    "PyG": (GraphNet, (4, 7, 5, 2), Class([0, 3, 1, 2]), *["b t n c"] * 2, ["convs.0", "convs.1"], {}),
}


@pytest.fixture(params=CASES)
def case(request):
    if request.param == "PyG":
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            pytest.importorskip("torch_geometric")
    return CASES[request.param]


def trained(model, x, shared):
    """The model after a few steps, so that weights and statistics are not those of an initialisation."""
    torch.manual_seed(1)
    target, weights = torch.randn_like(model(x, **shared)), list(model.parameters())
    for _ in range(8):
        loss = nn.functional.mse_loss(model(x, **shared), target)
        gradients = torch.autograd.grad(loss, weights, allow_unused=True)
        with torch.no_grad():
            for weight, gradient in zip(weights, gradients, strict=True):
                if gradient is not None:
                    weight -= 0.03 * gradient
    return model


def turned(model, layer, layout):
    """A copy of the model whose layer's output passes, channels second as captum expects it, through `seen`."""
    model = copy.deepcopy(model).eval()
    theirs = "(b m) c t n" if "m" in layout else "b c " + " ".join(axis for axis in layout.split() if axis not in "bc")
    inner = model.get_submodule(layer)

    class Turned(nn.Module):
        def __init__(self):
            super().__init__()
            self.inner, self.seen = inner, nn.Identity()

        def forward(self, *inputs, **more):
            out = self.inner(*inputs, **more)
            first, *rest = out if isinstance(out, tuple) else (out,)
            sizes = {"m": 2} if "m" in layout else {}
            back = rearrange(
                self.seen(rearrange(first, f"{layout} -> {theirs}", **sizes)),
                f"{theirs} -> {layout}",
                **sizes,
            )
            return (back, *rest) if isinstance(out, tuple) else back

    if "." in layer:
        parent, name = layer.rsplit(".", 1)
        setattr(model.get_submodule(parent), name, Turned())
    else:
        setattr(model, layer, Turned())
    return model, model.get_submodule(layer).seen


def snapshot(model):
    hooks = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")
    return (
        {name: value.clone() for name, value in model.state_dict().items()},
        [parameter.requires_grad for parameter in model.parameters()],
        [None if parameter.grad is None else parameter.grad.clone() for parameter in model.parameters()],
        [module.training for module in model.modules()],
        [len(getattr(module, name)) for module in model.modules() for name in hooks],
    )


def check_untouched(model, before):
    after = snapshot(model)
    assert list(after[0]) == list(before[0])
    for name, value in before[0].items():
        assert torch.equal(after[0][name], value)
    for was, now in zip(before[2], after[2], strict=True):
        assert (was is None) == (now is None)
        assert was is None or torch.equal(was, now)
    assert (after[1], after[3], after[4]) == (before[1], before[3], before[4])


def shared_of(model):
    return path_edges() if isinstance(model, GraphNet) else {}


@pytest.mark.parametrize("steps", ["random weights", "trained weights"])
def test_equals_captum(case, steps):
    from captum.attr import LayerGradCam

    make, shape, target, inputs, layout, layers, options = case
    model, x = make(), signals(*shape)
    shared = shared_of(model)
    if steps == "trained weights":
        model = trained(model, x, shared)
    before = snapshot(model)
    for layer in layers:
        with STGGradCAM(model, layer=layer, inputs=inputs, layout=layout, **options) as explain:
            e = explain(x, target=target, shared=shared)
        check_untouched(model, before)
        other, seen = turned(model, layer, layout)
        scorer = LayerGradCam(lambda signals, other=other: target(other(signals, **shared)), seen)
        result = scorer.attribute(x).detach().numpy().reshape(-1)
        ours = e.layer_values
        if layout == "b c n t":
            ours = ours.swapaxes(2, 3)
        assert np.abs(ours).max() > 1e-4
        assert np.abs(result - ours.reshape(-1)).max() < 1e-5 * np.abs(ours).max()


@pytest.mark.parametrize("kind", [STGGradCAM, HiResCAM, LayerCAM, InputGradient], ids=lambda kind: kind.__name__)
def test_alone_or_in_a_batch_and_by_chunks(case, kind):
    make, shape, target, inputs, layout, layers, options = case
    model, x = make().double(), signals(*shape)
    known = (
        {"inputs": inputs}
        if kind is InputGradient
        else {"inputs": inputs, "layout": layout, "layer": layers[-1], **options}
    )
    with kind(model, **known) as explain, kind(model, chunk=3, **known) as by_chunks:
        together = explain(x, target=target, shared=shared_of(model))
        parts = by_chunks(x, target=target, shared=shared_of(model))
        alone = explain(x[2:3], target=Class(1) if isinstance(target, Class) else target, shared=shared_of(model))
    assert np.abs(together.values).max() > 1e-5
    np.testing.assert_allclose(parts.values, together.values, rtol=1e-6, atol=1e-9)
    np.testing.assert_allclose(alone.values[0], together.values[2], rtol=1e-6, atol=1e-9)


def test_several_targets_are_each_by_itself(case):
    make, shape, target, inputs, layout, layers, options = case
    model, x = make(), signals(*shape)
    other = Class(1) if isinstance(target, Class) else Forecast(0, 1, layout=target.layout.pattern)
    with STGGradCAM(model, layer=layers[0], inputs=inputs, layout=layout, **options) as explain:
        both = explain(x, target=[target, other], shared=shared_of(model))
        each = [explain(x, target=one, shared=shared_of(model)) for one in (target, other)]
    for one, alone in zip(both, each, strict=True):
        np.testing.assert_allclose(one.values, alone.values, rtol=1e-5, atol=1e-7)


def test_a_layout_that_does_not_fit_is_shown_with_shape_and_sizes(case):
    make, shape, target, inputs, layout, layers, options = case
    model, x = make(), signals(*shape)
    wrong = layout.replace("n", "_").replace("c", "n").replace("_", "c")
    with (
        STGGradCAM(model, layer=layers[0], inputs=inputs, layout=wrong, **options) as explain,
        pytest.raises(InputError) as raised,
    ):
        explain(x, target=target, shared=shared_of(model))
    said = str(raised.value)
    kept = []
    handle = model.get_submodule(layers[0]).register_forward_hook(lambda _, __, out: kept.append(out))
    model(x, **shared_of(model))
    handle.remove()
    tensor = kept[-1][0] if isinstance(kept[-1], tuple) else kept[-1]
    assert str(tuple(tensor.shape)) in said
    assert repr(wrong) in said
    assert "n=5" in said


@pytest.mark.parametrize("state", ["train", "frozen", "compiled", "data parallel", "with gradients", "inference mode"])
def test_whatever_state_a_model_is_in(case, state):
    make, shape, target, inputs, layout, layers, options = case
    plain, model, x = make().eval(), make().eval(), signals(*shape)
    shared = shared_of(model)
    given = model
    if state == "train":
        model.train()
    elif state == "frozen":
        model.requires_grad_(False)
    elif state == "compiled":
        given = torch.compile(model, backend="eager")
    elif state == "data parallel":
        given = nn.DataParallel(model)
    elif state == "with gradients":
        model(x, **shared).sum().backward()
    before = snapshot(model)
    known = {"layer": layers[0], "inputs": inputs, "layout": layout, **options}
    with STGGradCAM(plain, **known) as explain:
        expected = explain(x, target=target, shared=shared)
    with torch.inference_mode(state == "inference mode"), STGGradCAM(given, **known) as explain:
        e = explain(x, target=target, shared=shared)
    np.testing.assert_allclose(e.values, expected.values, rtol=1e-6, atol=1e-9)
    check_untouched(model, before)


def test_nothing_is_left_after_an_error(case):
    make, shape, _, inputs, layout, layers, options = case
    model, x = make().train(), signals(*shape)
    before = snapshot(model)

    def fails(output):
        raise ZeroDivisionError

    with (
        pytest.raises(ZeroDivisionError),
        STGGradCAM(model, layer=layers[0], inputs=inputs, layout=layout, **options) as e,
    ):
        e(x, target=fails, shared=shared_of(model))
    check_untouched(model, before)


def test_of_a_shared_layer_the_last_output_is_meant():
    model, x = AdaptiveGraph().double().eval(), signals(2, 3, 9, 5).double()
    with HiResCAM(model, layer="shared", inputs="b c t n", layout="b c t n") as explain:
        e = explain(x, target=Class(1))
    # What follows it is a mean over time and a linear layer.
    np.testing.assert_allclose(e.layer_values.sum((1, 2, 3)), e.score - model.head.bias[1].item(), rtol=1e-6, atol=1e-7)
    assert e.stride == 2


@pytest.mark.parametrize("kind", [STGGradCAM, HiResCAM, LayerCAM, GradCAMPlusPlus], ids=lambda kind: kind.__name__)
def test_what_works_in_place_after_the_layer_makes_no_difference(kind):
    model, x = PlainSTGCN().eval(), signals(2, 3, 10, 5, 2)
    model.first.out, mix, result = nn.Softplus(), model.second.mix, []
    for after in ([nn.Threshold(0.7, 0.1, inplace=True), nn.ReLU(inplace=True)], [nn.Threshold(0.7, 0.1)]):
        model.second.mix = nn.Sequential(*after, mix)
        with kind(model, layer="first", inputs="b c t n m", layout="(b m) c t n") as explain:
            result.append(explain(x, target=Class(2)).layer_values)
    np.testing.assert_array_equal(*result)
    assert np.abs(result[0]).max() > 1e-5


def test_further_inputs_per_sample_are_cut_with_the_chunks():
    model, x, day = WaveNet().double(), signals(4, 2, 5, 8), signals(4, 8, seed=1).double()
    known = {"layer": "layers.1", "inputs": "b c n t", "layout": "b c n t", "stride": 1}
    target = Forecast(0, 1, layout="b t n c")
    with STGGradCAM(model, **known) as explain, STGGradCAM(model, chunk=1, **known) as by_one:
        e, without = explain(x, target=target, per_sample={"day": day}), explain(x, target=target)
        one = by_one(x, target=target, per_sample={"day": day})
    np.testing.assert_allclose(one.values, e.values, rtol=1e-6, atol=1e-9)
    assert not np.allclose(without.values, e.values, rtol=1e-2)
