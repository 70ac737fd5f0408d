"""Without gradients a block overwrites what its convolutions return: numbers are the same, and nobody's are lost."""

import pytest
import torch
from torch import nn

from stexplain.nn.normalisation import NormActivation
from tests.nn.small_stgcn import batch, small


def overwritten(monkeypatch):
    """The inputs that norms overwrote, as they are counted from now on."""
    seen, overwrite = [], NormActivation._overwritten
    monkeypatch.setattr(NormActivation, "_overwritten", lambda self, x: seen.append(x) or overwrite(self, x))
    return seen


@pytest.mark.parametrize("masked", [True, False])
@pytest.mark.parametrize("kind", [torch.float32, torch.float64])
def test_logits_without_gradients_are_those_with_them_to_the_bit(monkeypatch, masked, kind):
    model = small().to(kind)
    x, valid = batch()
    x, valid, before = x.to(kind), valid if masked else None, x.to(kind).clone()
    expected = model(x, valid).detach()
    seen = overwritten(monkeypatch)
    for without in (torch.no_grad(), torch.inference_mode()):
        with without:
            assert torch.equal(model(x, valid), expected)
    assert len(seen) == 2 * 2 * len(model.blocks)
    assert torch.equal(x, before)


@pytest.mark.parametrize("name", ["blocks.1", "blocks.1.spatial", "blocks.1.temporal", "blocks.1.temporal_norm"])
def test_who_looks_into_a_block_sees_what_is_returned(name):
    model = small()
    x, valid = batch()
    kept, shown = [], []
    handle = model.get_submodule(name).register_forward_hook(
        lambda module, inputs, output: kept.append(output) or shown.append(output.detach().clone())
    )
    model(x, valid)
    with torch.no_grad():
        model(x, valid)
    handle.remove()
    assert torch.equal(shown[0], shown[1])
    assert torch.equal(kept[1], shown[1])


def test_a_module_that_returns_its_input_loses_nothing():
    model = small()
    block = model.blocks[2]
    block.spatial = nn.Identity()
    block.residual = None
    x = torch.randn(6, 2, 11, block.spatial_norm.num_features, dtype=torch.float64)
    before = x.clone()
    with torch.no_grad():
        block(x)
    assert torch.equal(x, before)


def test_neither_training_nor_vmap_overwrites(monkeypatch):
    model = small()
    x, _ = batch()
    seen = overwritten(monkeypatch)
    model(x.requires_grad_()).sum().backward()
    with torch.no_grad():
        model.train()(x)
        norm = model.eval().blocks[1].spatial_norm
        x = torch.randn(2, 6, 2, 11, norm.num_features, dtype=torch.float64)
        each = torch.vmap(lambda one: norm(one, overwrite=True))(x)
        assert not seen
        torch.testing.assert_close(each[1], norm(x[1], overwrite=True))
    assert len(seen) == 1
