"""Which products sizes allow to mix nodes: those alone are measured."""

import pytest
import torch
from torch import nn

from stexplain.explainers.model.adjacency.contraction import contraction_of
from stexplain.explainers.model.adjacency.recorder import Recorder

N = 5


@pytest.mark.parametrize(
    ("equation", "shapes", "mixes"),
    [
        ("uv,bucx->bvcx", [(N, N), (2, N, 3, 4)], True),
        ("bucx,uv->bvcx", [(2, N, 3, 4), (N, N)], True),
        # Nodes and channels, or several relations, on one axis.
        ("uv,bux->bvx", [(3 * N, 2 * N), (2, 3 * N, 4)], True),
        # Nothing that is summed, or nothing that takes its place, is as long as the nodes.
        ("cd,bncx->bndx", [(3, 4), (2, N, 3, 4)], False),
        # By sizes alone the channels that are summed may be the nodes, and the nodes what takes their place.
        ("cd,bncx->bndx", [(N, 4), (2, N, N, 4)], True),
        ("cd,bncx->bndx", [(4, N), (2, N, 4, 4)], False),
        ("uv,bucx->bvcx", [(N, N + 1), (2, N, 3, 4)], False),
        # Both are summed, or both are kept.
        ("uv,buv->b", [(N, N), (2, N, N)], False),
        ("uv,buc->buvc", [(N, N), (2, N, 3)], False),
        ("uv,buv->buv", [(N, N), (2, N, N)], False),
        # Of three operands any two may be signals and adjacency.
        ("uv,buc,cd->bvd", [(N, N), (2, N, 3), (3, 4)], True),
        ("cd,buc,u->bud", [(3, 4), (2, N, 3), (N,)], False),
    ],
)
def test_what_may_mix_nodes_by_its_sizes(equation, shapes, mixes):
    form = contraction_of("einsum", (equation, *(torch.ones(shape) for shape in shapes)), {})
    assert Recorder(nn.Identity(), N, lambda event: event.tensor)._may_mix(form) is mixes
