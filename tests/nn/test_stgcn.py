import copy
import pickle

import numpy as np
import pytest
import torch

from stexplain.cards import model_card
from stexplain.errors import InputError
from stexplain.graph import Relations, STGraph
from stexplain.nn.normalisation import NormActivation
from stexplain.nn.packing import valid_positions
from stexplain.nn.stgcn import STGCN
from tests.nn.released_names import randomise, to_released
from tests.reference import ReleasedSTGCN

STRATEGIES = ["uniform", "distance", "spatial", "spatial-stgcn2018", "random_walk", "chebyshev"]
EDGES = [("c", "a"), ("a", "b"), ("c", "d"), ("d", "e"), ("e", "f"), ("d", "f")]
SMALL = {"channels": (4, 4, 6, 6), "strides": (1, 2, 2, 1), "temporal_kernel": 5}


def graph():
    return STGraph(list("abcdef"), [("abcdef".index(a), "abcdef".index(b)) for a, b in EDGES], center="c")


def small(classes=3, seed=0, **hyperparameters):
    model = STGCN(graph(), classes=classes, **{**SMALL, "dropout": 0.0, **hyperparameters}).double()
    randomise(model, seed)
    return model.eval()


def batch(samples=3, instances=2, frames=11, seed=0):
    """A batch with a gap, an early end, and an absent instance."""
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(samples, instances, frames, 6, 3, generator=generator, dtype=torch.float64)
    valid = torch.ones(samples, instances, frames, dtype=torch.bool)
    valid[0, 0, 4:6] = False
    valid[1, -1, 7:] = False
    valid[-1, 1:] = False
    return x * valid[..., None, None], valid


def reference_of(model):
    a = torch.from_numpy(model.relations.matrices(6))
    theirs = ReleasedSTGCN(a, list(SMALL["channels"]), list(SMALL["strides"]), 5, model.classes, 0.0).double()
    missing = theirs.load_state_dict({"A": a, **to_released(model, model.state_dict())})
    assert not missing.missing_keys
    return theirs.train(model.training)


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("padding", ["masked", "counted"])
@pytest.mark.parametrize("strategy", STRATEGIES)
def test_equals_the_dense_network_with_all_gradients(strategy, padding, training):
    model = small(relations=strategy, padding=padding).train(training)
    theirs = reference_of(model)
    x, valid = batch()
    ours_x, theirs_x = x.clone().requires_grad_(), x.permute(0, 4, 2, 3, 1).clone().requires_grad_()
    logits = model(ours_x, valid)
    expected = theirs(theirs_x, valid if padding == "masked" else None)
    torch.testing.assert_close(logits, expected, rtol=1e-10, atol=1e-10)

    upstream = torch.randn(logits.shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    (logits * upstream).sum().backward()
    (expected * upstream).sum().backward()
    torch.testing.assert_close(ours_x.grad, theirs_x.grad.permute(0, 4, 2, 3, 1), rtol=1e-10, atol=1e-10)
    grads = to_released(model, {name: parameter.grad for name, parameter in model.named_parameters()})
    expected_grads = {name: parameter.grad for name, parameter in theirs.named_parameters()}
    assert set(grads) == set(expected_grads)
    assert min(float(x.abs().max()) for name, x in expected_grads.items() if not name.endswith("bias")) > 1e-3
    for name in expected_grads:
        scale = max(1.0, float(expected_grads[name].abs().max()))
        torch.testing.assert_close(grads[name] / scale, expected_grads[name] / scale, rtol=1e-10, atol=1e-10, msg=name)
    if training:
        statistics = to_released(model, model.state_dict())
        for name, value in theirs.state_dict().items():
            if "running" in name:
                torch.testing.assert_close(statistics[name], value, rtol=1e-10, atol=1e-10)


def test_has_the_parameters_of_the_released_network_with_one_importance_per_edge():
    model = STGCN(STGraph.from_card("ntu"), classes=60, **model_card("stgcn10").hyperparameters)
    released = [39_827, *[51_539] * 3, 183_507, *[199_507] * 2, 725_587, *[790_355] * 2]
    blocks = [sum(parameter.numel() for parameter in block.parameters()) for block in model.blocks]
    assert blocks == [count - 3 * 25 * 25 + 73 for count in released]
    assert sum(parameter.numel() for parameter in model.parameters()) == 3_080_812


def test_stgcn7_is_stgcn10_without_blocks_3_6_and_9():
    ten, seven = (
        STGCN(STGraph.from_card("ntu"), classes=60, **model_card(name).hyperparameters)
        for name in ("stgcn10", "stgcn7")
    )
    remaining = [block for i, block in enumerate(ten.blocks, 1) if i not in (3, 6, 9)]
    assert [str(block) for block in seven.blocks] == [str(block) for block in remaining]
    assert seven.stride_at("blocks.6") == ten.stride_at("blocks.9") == 4


def test_width_rounds_to_the_nearest_channel():
    model = STGCN(graph(), classes=2, channels=(64, 5, 3), strides=(1, 1, 1), width=0.3)
    assert [block.temporal.weight.shape[0] for block in model.blocks] == [19, 2, 1]


def test_starts_as_released():
    torch.manual_seed(0)
    model = STGCN(STGraph.from_card("ntu"), classes=60)
    for block in model.blocks:
        assert (block.spatial.importance == 1).all()
        for weight in (block.spatial.weight, block.temporal.weight):
            assert abs(float(weight.detach().std()) / 0.02 - 1) < 6 / np.sqrt(2 * weight.numel())
        assert not block.spatial.bias.any()
        assert not block.temporal.bias.any()
    scales = torch.cat([block.temporal_norm.weight.detach() for block in model.blocks])
    assert abs(float(scales.mean()) - 1) < 0.004
    assert abs(float(scales.std()) - 0.02) < 0.003


def test_the_order_of_nodes_does_not_matter():
    order = [3, 0, 5, 1, 4, 2]
    model = small()
    permuted = STGCN(graph().permute(order), classes=3, **SMALL).double().eval()
    state = model.state_dict()
    for name in ("weight", "bias", "running_mean", "running_var"):
        state[f"data_norm.{name}"] = state[f"data_norm.{name}"].view(6, 3)[order].flatten()

    def edges(model):
        nodes = model.graph.nodes
        relations = model.relations
        return [
            (k, nodes[source], nodes[target])
            for k in range(len(relations))
            for source, target in zip(relations.source[k], relations.target[k], strict=True)
        ]

    for i in range(4):
        named = dict(zip(edges(model), state[f"blocks.{i}.spatial.importance"], strict=True))
        state[f"blocks.{i}.spatial.importance"] = torch.stack([named[edge] for edge in edges(permuted)])
    permuted.load_state_dict(state)
    x, valid = batch()
    torch.testing.assert_close(permuted(x[:, :, :, order], valid), model(x, valid), rtol=1e-12, atol=1e-12)


def test_a_batch_gives_the_same_as_its_samples():
    model = small()
    x, valid = batch()
    single = torch.cat([model(x[i : i + 1], valid[i : i + 1]) for i in range(len(x))])
    torch.testing.assert_close(model(x, valid), single, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("frames", [1, 2, 3, 10])
def test_appended_padding_changes_nothing(frames):
    model = small()
    x, valid = batch()
    more = torch.randn(3, 2, frames, 6, 3, dtype=torch.float64)
    longer = model(torch.cat([x, more], 2), torch.cat([valid, torch.zeros(3, 2, frames, dtype=torch.bool)], 2))
    torch.testing.assert_close(longer, model(x, valid), rtol=1e-12, atol=1e-12)
    unpadded = model(x[1:2, :1])
    padded = torch.cat([valid[1:2, :1], torch.zeros(1, 1, frames, dtype=torch.bool)], 2)
    torch.testing.assert_close(model(torch.cat([x, more], 2)[1:2, :1], padded), unpadded, rtol=1e-12, atol=1e-12)


def test_absent_instances_change_nothing():
    model = small()
    x, valid = batch()
    more = torch.cat([torch.full_like(x[:, :1], 7.0), x], 1)
    more_valid = torch.cat([torch.zeros_like(valid[:, :1]), valid], 1)
    torch.testing.assert_close(model(more, more_valid), model(x, valid), rtol=1e-12, atol=1e-12)


def test_the_values_of_invalid_frames_do_not_matter():
    model = small()
    x, valid = batch()
    filled = torch.where(valid[..., None, None], x, torch.nan)
    assert torch.equal(model(filled, valid), model(x, valid))
    leaf = x.clone().requires_grad_()
    model(leaf, valid).sum().backward()
    assert not leaf.grad[~valid].any()
    assert leaf.grad[valid].any(-1).any(-1).all()  # every valid frame has an effect


def test_a_mask_that_is_true_everywhere_is_no_mask():
    model = small()
    x, valid = batch()
    assert torch.equal(model(x, torch.ones_like(valid)), model(x))


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("padding", ["masked", "counted"])
@pytest.mark.parametrize("training", [False, True])
def test_the_memory_layout_of_the_input_does_not_matter(masked, padding, training):
    model = small(padding=padding, dropout=0.0).train(training)
    x, valid = batch()
    wider = torch.randn(*x.shape[:1], 5, *x.shape[2:], dtype=x.dtype)
    wider[:, :2] = x
    folded = x.permute(4, 3, 2, 1, 0).contiguous().permute(4, 3, 2, 1, 0)
    given = valid if masked else None
    expected = model(x, given)
    for other in (wider[:, :2], folded):
        assert not other.is_contiguous()
        torch.testing.assert_close(model(other, given), expected, rtol=1e-12, atol=1e-12)
    one = model(x[:, :1].contiguous(), None if given is None else given[:, :1])
    torch.testing.assert_close(model(x[:, :1], None if given is None else given[:, :1]), one, rtol=1e-12, atol=1e-12)


def test_counted_padding_ignores_the_mask():
    model = small(padding="counted")
    x, valid = batch()
    assert torch.equal(model(x, valid), model(x))
    assert not torch.allclose(model(x), small()(x, valid))


def test_absent_instances_do_not_change_the_batch_statistics():
    x, _ = batch(instances=1)
    valid = torch.ones(3, 1, 11, dtype=torch.bool)
    one, two = small().train(), small().train()
    logits = one(x, valid)
    absent = torch.cat([x, torch.randn_like(x)], 1), torch.cat([valid, torch.zeros_like(valid)], 1)
    torch.testing.assert_close(two(*absent), logits, rtol=1e-12, atol=1e-12)
    for name, value in one.state_dict().items():
        torch.testing.assert_close(two.state_dict()[name], value, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("frames", range(1, 10))
def test_positions_cover_the_frames(frames):
    shapes = {}
    model = small()
    for name in ("blocks.0", "blocks.1", "blocks.3"):
        model.get_submodule(name).register_forward_hook(
            lambda module, args, output, name=name: shapes.update({name: tuple(output.shape)})
        )
    model(batch(frames=frames)[0])
    positions = {name: -(-frames // model.stride_at(name)) for name in shapes}
    assert shapes == {
        "blocks.0": (6, 6, positions["blocks.0"], 4),
        "blocks.1": (6, 6, positions["blocks.1"], 4),
        "blocks.3": (6, 6, positions["blocks.3"], 6),
    }
    assert valid_positions(torch.ones(frames, dtype=torch.bool), 4).shape == (positions["blocks.3"],)


def test_a_position_is_centred_on_frame_i_times_stride():
    """With weights at the middle tap only, a position depends on its own frame only."""
    model = small()
    for block in model.blocks:
        with torch.no_grad():
            middle = block.temporal.weight[..., 2].clone()
            block.temporal.weight.zero_()[..., 2] = middle
    outputs = []
    model.blocks[3].register_forward_hook(lambda module, args, output: outputs.append(output))
    x = batch(frames=12)[0][:1, :1].requires_grad_()
    model(x)
    for position in range(3):
        grad = torch.autograd.grad(outputs[0][:, :, position].square().sum(), x, retain_graph=True)[0]
        assert grad.abs().amax((0, 1, 3, 4)).nonzero().flatten().tolist() == [position * 4]


def test_a_hook_sees_one_tensor_and_replaces_it():
    model = small()
    x, valid = batch()
    seen = []
    with model.blocks[3].register_forward_hook(lambda module, args, output: seen.append(output)):
        logits = model(x, valid)
    assert [tensor.shape for tensor in seen] == [(6, 6, 3, 6)]
    with model.blocks[3].register_forward_hook(lambda module, args, output: torch.zeros_like(output)):
        assert torch.equal(model(x, valid), model.head.bias.expand(3, 3))
    with model.blocks[3].register_forward_hook(lambda module, args, output: output * 2):
        torch.testing.assert_close(model(x, valid), 2 * logits - model.head.bias)


def test_a_tensor_kept_by_a_hook_is_not_overwritten():
    model = small().train()
    kept = []
    for module in model.modules():
        module.register_forward_hook(lambda module, args, output: kept.append((output, output.detach().clone())))
    model(*batch()).sum().backward()
    assert len(kept) > 20
    assert all(torch.equal(output, then) for output, then in kept)


def test_a_backward_hook_works_on_every_module():
    model = small()
    seen = []
    for name, module in model.named_modules():
        module.register_full_backward_hook(lambda module, into, out, name=name: seen.append(name))
    x, valid = batch()
    model(x.requires_grad_(), valid).sum().backward()
    assert set(seen) == {name for name, _ in model.named_modules() if name != "blocks"}


def test_valid_positions_lose_no_frame():
    valid = torch.tensor([[False, True, False, False, False, False, False, True, False]])
    assert valid_positions(valid, 4).tolist() == [[True, True, False]]
    assert torch.equal(valid_positions(valid_positions(valid, 2), 2), valid_positions(valid, 4))


def test_dropout_keeps_the_share_and_the_mean():
    torch.manual_seed(0)
    layer = NormActivation(8, dropout=0.3).double().train()
    with torch.no_grad():
        layer.weight.zero_()
        layer.bias.fill_(2.0)
    y = layer(torch.randn(5, 10, 50, 8, dtype=torch.float64))
    assert torch.equal(
        y.unique(), torch.tensor([0.0, 2.0], dtype=torch.float64) / torch.tensor(0.7, dtype=torch.float64)
    )
    share = float((y > 0).double().mean())
    assert abs(share - 0.7) < 5 * np.sqrt(0.7 * 0.3 / y.numel())
    assert torch.equal(
        layer.eval()(torch.zeros(1, 1, 1, 8, dtype=torch.float64)), torch.full((1, 1, 1, 8), 2.0, dtype=torch.float64)
    )


def test_dropout_follows_the_seed_and_spares_the_first_block():
    model = small(dropout=0.5).train()
    x, valid = batch()

    def run(seed):
        torch.manual_seed(seed)
        return model(x, valid)

    assert torch.equal(run(1), run(1))
    assert not torch.equal(run(1), run(2))
    assert [block.temporal_norm.dropout for block in model.blocks] == [0.0, 0.5, 0.5, 0.5]


def test_copies_are_equal():
    model = small()
    x, valid = batch()
    logits = model(x, valid)
    for other in (copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        assert torch.equal(other(x, valid), logits)
        assert other.graph == model.graph
    fresh = small(seed=1)
    assert not torch.equal(fresh(x, valid), logits)
    fresh.load_state_dict(model.state_dict())
    assert torch.equal(fresh(x, valid), logits)


def test_takes_relations_and_a_graph_of_one_node():
    model = STGCN(STGraph(["only"], []), classes=2, relations=Relations.from_matrices([[[1.0]]]), **SMALL).eval()
    assert model(torch.randn(2, 1, 5, 1, 3)).shape == (2, 2)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"x": torch.zeros(2, 1, 8, 5, 3)}, "got 5 nodes"),
        ({"x": torch.zeros(2, 1, 8, 6, 2)}, "got 2 channels"),
        ({"x": torch.zeros(2, 8, 6, 3)}, "got 4 dimensions"),
        ({"x": torch.zeros(2, 1, 0, 6, 3)}, "expected at least one along every axis"),
        ({"x": torch.zeros(2, 1, 8, 6, 3, dtype=torch.float64)}, "x: got torch.float64; expected torch.float32"),
        ({"x": torch.full((2, 1, 8, 6, 3), torch.nan)}, "NaN or infinite"),
        ({"x": torch.full((2, 1, 8, 6, 3), torch.inf)}, "NaN or infinite"),
        ({"valid": torch.ones(2, 1, 7, dtype=torch.bool)}, "got 7 frames"),
        ({"valid": torch.ones(2, 1, 8)}, "expected torch.bool"),
        (
            {"valid": torch.tensor([True, False])[:, None, None].expand(2, 1, 8)},
            "got no valid frame in 1 of 2 samples, the first at index 1",
        ),
    ],
)
def test_bad_input(change, message):
    model = STGCN(graph(), classes=3, **SMALL).eval()
    given = {"x": torch.zeros(2, 1, 8, 6, 3), "valid": torch.ones(2, 1, 8, dtype=torch.bool), **change}
    with pytest.raises(InputError, match=message):
        model(**given)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"channels": (4, 4)}, "got 2 channels and 4 strides"),
        ({"temporal_kernel": 4}, "odd"),
        ({"classes": 0}, "at least 1"),
        ({"dropout": 1.0}, "dropout"),
        ({"width": 0.0}, "width"),
        ({"padding": "mask"}, "Did you mean 'masked'"),
        ({"relations": "spatal"}, "Did you mean 'spatial'"),
        ({"relations": Relations.from_matrices(np.ones((1, 7, 7)))}, "up to node 6; expected nodes 0 to 5"),
    ],
)
def test_bad_hyperparameters(change, message):
    with pytest.raises(InputError, match=message):
        STGCN(graph(), **{"classes": 3, **SMALL, **change})


def test_unknown_layer():
    with pytest.raises(InputError, match=r"unknown layer 'block.1'. Did you mean 'blocks.1'"):
        small().stride_at("block.1")
