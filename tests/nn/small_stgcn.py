"""A small STGCN in double precision, a batch with gaps, and the released network of the same weights, for the tests."""

import torch

from stexplain.graph import STGraph
from stexplain.nn.stgcn import STGCN
from tests.nn.released_names import randomise, to_released
from tests.reference.networks import ReleasedSTGCN

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
