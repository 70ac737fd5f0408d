"""The modules of STGCN as others use them: hooks, dropout, copies, and the parameters that it starts with."""

import copy
import pickle

import numpy as np
import torch

from stexplain.cards import model_card
from stexplain.graph import STGraph
from stexplain.nn.normalisation import NormActivation
from stexplain.nn.stgcn import STGCN
from tests.nn.small_stgcn import batch, graph, small


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
