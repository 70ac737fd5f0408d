"""Tensors are named by their memory: whole, turned, or one part of a stack by its first index."""

import pytest
import torch
from torch import nn

from stexplain.explainers.model.adjacency.names import TensorNames, tensors_in


class Holds(nn.Module):
    def __init__(self):
        super().__init__()
        self.road = nn.Parameter(torch.rand(3, 5, 5))
        self.register_buffer("square", torch.rand(4, 4))
        self.supports = [torch.rand(2, 5, 5), {"near": torch.rand(5, 5), "deep": [[torch.rand(1, 2)]]}]
        self.again = self.road
        self.inner = nn.ModuleList([nn.Linear(2, 3)])
        self.inner[0].mask = torch.rand(3)
        self.sparse = torch.eye(5).to_sparse()
        self.scalar = torch.tensor(2.0)


def test_every_way_to_hold_a_tensor():
    model = Holds()
    names = TensorNames(model)
    names.add_arguments({"edge_index": torch.arange(6).view(2, 3), "further": (edges := torch.rand(7),)})
    for tensor, expected in (
        (model.road, ("road", "parameter")),
        (model.road.transpose(1, 2), ("road", "parameter")),
        (model.road.detach(), ("road", "parameter")),
        (model.square, ("square", "buffer")),
        (model.square.T, ("square", "buffer")),
        (model.supports[0], ("supports[0]", "attribute")),
        (model.supports[1]["near"], ("supports[1]['near']", "attribute")),
        (model.inner[0].weight, ("inner.0.weight", "parameter")),
        (model.inner[0].mask, ("inner.0.mask", "attribute")),
        (model.sparse, ("sparse", "attribute")),
        (model.scalar, ("scalar", "attribute")),
        (edges, ("further[0]", "argument")),
    ):
        assert names.of(tensor) == expected
    # Lists in lists in a list, and no deeper.
    assert names.of(model.supports[1]["deep"][0][0]) is None
    assert names.of(torch.rand(5, 5)) is None
    assert names.of(model.road * 1) is None


@pytest.mark.parametrize("part", [0, 1, 2])
def test_a_part_by_its_first_index(part):
    model = Holds()
    names = TensorNames(model)
    assert names.of(model.road[part]) == (f"road[{part}]", "parameter")
    assert names.of(model.road[part].T) == (f"road[{part}]", "parameter")
    # Of another axis, of several, or across them: the whole is named.
    for other in (
        model.road[:, part],
        model.road[:2],
        model.road[:, :, part],
        model.road[part, part],
        model.road.view(-1)[5:30],
    ):
        assert names.of(other) == ("road", "parameter")
    # A stack that is itself a part of something has parts of its own.
    whole = torch.rand(4, 3, 5, 5)
    model.held = whole[1]
    assert TensorNames(model).of(model.held[part]) == (f"held[{part}]", "attribute")


def test_an_empty_tensor_is_known_by_itself_alone():
    model = nn.Identity()
    model.empty, other = torch.zeros(0, 3), torch.zeros(0, 3)
    assert TensorNames(model).of(model.empty) == ("empty", "attribute")
    assert TensorNames(model).of(other) is None


def test_tensors_in_lists_and_dicts_as_deep_as_three():
    one = torch.zeros(1)
    assert [name for name, _ in tensors_in([one, {"a": (one,), 2: one}], "x")] == ["x[0]", "x[1]['a'][0]", "x[1][2]"]
    assert [name for name, _ in tensors_in([[[one]]], "x")] == ["x[0][0][0]"]
    assert list(tensors_in([[[[one]]]], "x")) == []
    assert list(tensors_in("text", "x")) == []
