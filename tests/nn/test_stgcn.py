"""STGCN against the dense network as released: logits, gradients, padding, positions, and what is refused."""

import numpy as np
import pytest
import torch

from stexplain.errors import InputError
from stexplain.graph import Relations, STGraph
from stexplain.nn.packing import valid_positions
from stexplain.nn.stgcn import STGCN
from tests.nn.released_names import to_released
from tests.nn.small_stgcn import SMALL, batch, graph, reference_of, small

STRATEGIES = ["uniform", "distance", "spatial", "spatial-stgcn2018", "random_walk", "chebyshev"]


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


def test_valid_positions_lose_no_frame():
    valid = torch.tensor([[False, True, False, False, False, False, False, True, False]])
    assert valid_positions(valid, 4).tolist() == [[True, True, False]]
    assert torch.equal(valid_positions(valid_positions(valid, 2), 2), valid_positions(valid, 4))


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
