import numpy as np
import pytest
import torch
from torch import nn

from stexplain.data.samples import Batch, Sample
from stexplain.errors import InputError
from stexplain.explainers.methods.layer.grad_cam import STGGradCAM
from stexplain.explainers.targets import Class, Predicted
from stexplain.graph import STGraph
from tests.explainers.our_models import PATH, named
from tests.explainers.small_models import PlainSTGCN, signals

THEIRS = {"layer": "second", "inputs": "b c t n m", "layout": "(b m) c t n"}


def state(model):
    return {
        "modes": [module.training for module in model.modules()],
        "hooks": [len(module._forward_hooks) for module in model.modules()],
        "flags": [parameter.requires_grad for parameter in model.parameters()],
        "grads": [None if p.grad is None else p.grad.clone() for p in model.parameters()],
        "values": {name: value.clone() for name, value in model.state_dict().items()},
    }


def same(before, after):
    for name in ("modes", "hooks", "flags"):
        assert before[name] == after[name]
    for one, other in zip(before["grads"], after["grads"], strict=True):
        assert (one is None) == (other is None)
        assert one is None or torch.equal(one, other)
    for name, value in before["values"].items():
        assert torch.equal(value, after["values"][name])


class Broken(Exception):
    pass


@pytest.mark.parametrize("fails", [False, True])
@pytest.mark.parametrize("within", ["block", "call"])
def test_the_model_is_left_as_it_was(fails, within):
    model, x = PlainSTGCN(), signals(2, 3, 10, 5, 2)
    model(x).sum().backward()
    model.train()
    model.first.norm.eval()
    model.second.requires_grad_(False)
    model.first.mix.weight.grad = None
    before = state(model)

    def target(output):
        if fails:
            raise Broken
        return output[:, 0]

    def run():
        explain = STGGradCAM(model, **THEIRS)
        if within == "call":
            return explain(x, target=target)
        with explain:
            assert not any(module.training for module in model.modules())
            return explain(x, target=target)

    if fails:
        with pytest.raises(Broken):
            run()
    else:
        assert np.isfinite(run().values).all()
    assert torch.is_grad_enabled()
    same(before, state(model))


def test_train_mode_outside_does_not_reach_the_maps():
    model, x = PlainSTGCN(), signals(2, 3, 10, 5, 2)
    with STGGradCAM(model.eval(), **THEIRS) as explain:
        expected = explain(x, target=Class(0)).values
    model.train()
    result = STGGradCAM(model, **THEIRS)(x, target=Class(0)).values
    assert np.array_equal(result, expected)


@pytest.mark.parametrize(
    "around",
    [torch.no_grad, torch.inference_mode, lambda: torch.autocast("cpu", dtype=torch.bfloat16)],
    ids=["no_grad", "inference_mode", "autocast"],
)
def test_what_is_set_around_changes_nothing(around):
    model, x = named(), signals(2, 1, 10, 5, 3)
    expected = STGGradCAM(model)(x, target=Predicted()).values
    with around():
        grad = torch.is_grad_enabled()
        with STGGradCAM(model) as explain:
            assert np.array_equal(explain(x, target=Predicted()).values, expected)
            assert np.array_equal(explain(x.clone(), target=Predicted()).values, expected)
        assert torch.is_grad_enabled() == grad


def test_wrapped_models_are_unwrapped():
    model, x = named().eval(), signals(2, 1, 10, 5, 3)
    expected = STGGradCAM(model)(x, target=Class("kick")).values
    assert np.array_equal(STGGradCAM(nn.DataParallel(model))(x, target=Class("kick")).values, expected)
    assert np.array_equal(STGGradCAM(torch.compile(model, backend="eager"))(x, target=Class("kick")).values, expected)


def test_frozen_and_double_models_and_other_types_of_signals():
    model, x = named().double().requires_grad_(False), signals(2, 1, 10, 5, 3)
    e = STGGradCAM(model)(x, target=Class(1))
    assert e.values.dtype == np.float32
    assert np.array_equal(STGGradCAM(model)(x.numpy(), target=Class(1)).values, e.values)
    assert not any(parameter.requires_grad for parameter in model.parameters())


def test_samples_and_batches_bring_their_names_and_validity():
    model, x = named(), signals(2, 1, 10, 5, 3)
    valid = torch.ones(2, 1, 10, dtype=torch.bool)
    valid[1, 0, 6:] = False
    x = x * valid[..., None, None]
    batch = Batch(x, valid, torch.tensor([0, 1]), ("one", "two"))
    e = STGGradCAM(model)(batch, target=Class("clap"))
    assert e.ids == ("one", "two")
    assert e.classes == ("throw", "kick", "clap")
    assert e.node_names == tuple("abcde")
    assert e.graph is PATH
    assert e.layer == "blocks.1"
    assert e.target == "class 'clap'"
    assert np.array_equal(e.values, STGGradCAM(model)(x, target=Class(2), valid=valid).values)
    sample = Sample(x[1].numpy(), valid[1].numpy(), id="two")
    alone = STGGradCAM(model)(sample, target=Class("clap"))
    assert alone.ids == ("two",)
    assert np.allclose(alone.values[0], e.values[1], atol=1e-7)


def test_what_a_foreign_model_calls_graph_is_not_taken_for_ours():
    model = PlainSTGCN()
    model.graph = "ntu-rgb+d"
    model.inputs = nn.Identity()
    e = STGGradCAM(model, **THEIRS)(signals(1, 3, 10, 5, 2), target=Class(0))
    assert e.graph is None
    assert e.node_names == ("0", "1", "2", "3", "4")


def bad(x=None, valid=None, target=None, ids=None, **options):
    model = named()
    x = signals(2, 1, 10, 5, 3) if x is None else x
    return STGGradCAM(model, **options)(x, target=Predicted() if target is None else target, valid=valid, ids=ids)


NAN = signals(2, 1, 10, 5, 3)
NAN[1, 0, 2, 3, 1] = torch.nan
OTHER_GRAPH = STGraph.from_edges(list("abcd"), [("a", "b"), ("b", "c"), ("c", "d")], center="c")


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"x": NAN}, r"x holds 1 value.*\(1, 0, 2, 3, 1\)"),
        ({"x": NAN.nan_to_num(nan=torch.inf)}, "NaN or infinite"),
        ({"x": signals(2, 1, 10, 4, 3)}, "got 4 for n; expected 5"),
        ({"x": signals(2, 10, 5, 3)}, "got 4 dimensions; expected 5"),
        ({"x": signals(0, 1, 10, 5, 3)}, "nothing to explain"),
        ({"x": [1.0]}, "x: got a list; expected a tensor"),
        ({"valid": torch.ones(2, 1, 9, dtype=torch.bool)}, "t=10"),
        ({"valid": torch.ones(2, 9, dtype=torch.bool)}, "valid has shape"),
        ({"valid": torch.ones(10, dtype=torch.bool)}, "valid has shape"),
        ({"valid": torch.ones(2, 1, 10)}, "float32; expected bool"),
        ({"target": Class("kik")}, "Did you mean 'kick'"),
        ({"target": Class(3)}, "no class 3"),
        ({"target": 3}, "no class 3"),
        ({"target": 0.5}, "target: got 0.5"),
        (
            {"target": [0, 1]},
            r"target: got a list of classes, \[0, 1\]; expected Class\(\[0, 1\]\) for one class per sample, or",
        ),
        ({"ids": ["a"]}, "ids: got 1 names; expected 2"),
        ({"ids": ["a", "a"]}, "ids: got 'a' more than once"),
        ({"ids": "ab"}, "ids: got 'ab'; expected a list of 2"),
        ({"graph": OTHER_GRAPH}, "4"),
        ({"layer": "blocks.7"}, "unknown layer 'blocks.7'"),
        ({"inputs": "b m t n c x"}, "'x'"),
    ],
)
def test_bad_input_is_named(wrong, words):
    with pytest.raises(InputError, match=words):
        bad(**wrong)


def test_a_layout_that_mixes_up_samples_is_noticed():
    with pytest.raises(InputError, match="Is the layout of the input right"):
        STGGradCAM(PlainSTGCN(), layer="second", layout="(b m) c t n", inputs="c b t n m")(
            signals(2, 3, 10, 5, 2), target=Class(0)
        )


def test_folded_instances_need_valid():
    with pytest.raises(InputError, match="Give `valid`"):
        STGGradCAM(PlainSTGCN(), layer="second", layout="(b m) c t n", inputs="(b m) c t n")(
            signals(4, 3, 10, 5), target=Class(0)
        )


def test_no_module_is_refused():
    with pytest.raises(InputError, match=r"expected a torch\.nn\.Module"):
        STGGradCAM(lambda x: x)
