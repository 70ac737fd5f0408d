"""Small networks of this package, and batches for them."""

import numpy as np
import torch
from torch import nn

from stexplain.data.samples import Batch
from stexplain.graph import STGraph
from stexplain.nn.stgcn import STGCN
from tests.explainers.small_models import signals

PATH = STGraph.from_edges(list("abcde"), [("a", "b"), ("b", "c"), ("c", "d"), ("d", "e")], center="c")
NODES = 6


def lively(padding="masked", seed=0, graph=PATH):
    """An STGCN whose layers all matter, in eval mode."""
    torch.manual_seed(seed)
    model = STGCN(graph, classes=4, channels=(6, 8, 8), strides=(1, 2, 2), padding=padding, temporal_kernel=3)
    for name, buffer in model.named_buffers():
        if name.endswith("mean"):
            buffer.uniform_(-0.3, 0.3)
    # The init of Yan et al. makes features so small that any two maps would agree.
    for parameter in model.blocks.parameters():
        if parameter.ndim > 1:
            nn.init.normal_(parameter, 0.0, 0.3)
    nn.init.normal_(model.head.weight)
    nn.init.normal_(model.head.bias)
    return model.eval()


def padded():
    """Signals on the path, and which frames are valid: padded clips, and one without its second person."""
    x = signals(3, 2, 17, 5, 3).double()
    valid = torch.ones(3, 2, 17, dtype=torch.bool)
    valid[0, 0, 10:] = False
    valid[1, 1, 5:] = False
    valid[2, 1] = False
    return x * valid[..., None, None], valid


def named():
    """An STGCN with its initial weights and names of classes."""
    torch.manual_seed(0)
    model = STGCN(PATH, classes=3, channels=(4, 6), strides=(1, 2))
    model.class_names = ["throw", "kick", "clap"]
    return model


def graph():
    """A small tree."""
    return STGraph.from_edges(
        [f"n{index}" for index in range(NODES)],
        [("n0", "n1"), ("n1", "n2"), ("n2", "n3"), ("n1", "n4"), ("n4", "n5")],
        center="n1",
    )


def small_model(on=None, seed=0):
    """An STGCN on the tree, with dropout, and normalisations that have seen data."""
    torch.manual_seed(seed)
    model = STGCN(on or graph(), classes=4, channels=(6, 8, 8), strides=(1, 2, 1), temporal_kernel=5, dropout=0.5)
    for module in model.modules():
        if hasattr(module, "running_mean"):
            module.running_mean.normal_(0, 0.1)
            module.running_var.uniform_(0.5, 1.5)
    return model.double()


def batch(frames=12, instances=2, samples=3):
    """Signals on the tree; of different lengths, and one of one person."""
    random = np.random.default_rng(0)
    x = torch.from_numpy(random.normal(size=(samples, instances, frames, NODES, 3)))
    valid = torch.ones(samples, instances, frames, dtype=torch.bool)
    valid[0, 1] = False
    valid[1, 0, 9:] = False
    valid[1, 1, 9:] = False
    x = x * valid[..., None, None]
    return Batch(x, valid, torch.zeros(samples, dtype=torch.int64), tuple(f"s{index}" for index in range(samples)))
