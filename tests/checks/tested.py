"""A small model as if trained, and a batch with gaps, for the tests of the self-test."""

import torch

from stexplain.data.samples import Batch
from stexplain.graph import STGraph
from stexplain.nn.stgcn import STGCN
from tests.explainers.small_models import signals

GRAPH = STGraph.from_edges("abcd", [("a", "b"), ("b", "c"), ("b", "d")], center="b", groups={"arm": ["a", "b"]})


def model(padding="masked"):
    """As if trained: all weights differ, edge importance and statistics included."""
    torch.manual_seed(0)
    made = STGCN(GRAPH, classes=3, channels=(4, 4), strides=(1, 2), temporal_kernel=3, padding=padding)
    for name, value in made.state_dict().items():
        if name.endswith(("running_var", "importance")):
            value.uniform_(0.5, 1.5)
        elif value.is_floating_point():
            value.normal_(0, 0.5)
    return made.double()


def batch(samples=3):
    valid = torch.ones(samples, 2, 8, dtype=torch.bool)
    valid[0, 1] = False
    valid[1, :, 6:] = False
    x = signals(samples, 2, 8, 4, 3).double() * valid[..., None, None]
    return Batch(x, valid, torch.zeros(samples, dtype=torch.int64), ("one", "two", "three")[:samples])
