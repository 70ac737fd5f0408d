"""Layers by their names, in wrappers or without, and the tensors that they return."""

import pytest
import torch
from torch import nn

from stexplain.errors import InputError
from stexplain.explainers.model.layer_names import (
    find_layer,
    floating_tensors,
    last_block,
    name_of,
    named_tensor,
    split_name,
    with_tensor,
)


class Wrapped(nn.Module):
    def __init__(self):
        super().__init__()
        self.module = nn.Sequential(nn.Linear(1, 1))
        self.module.conv = nn.Linear(1, 1)
        self.conv = nn.Linear(1, 1)
        self.shared = self.conv


def test_a_name_as_it_is_comes_before_one_without_wrappers():
    model = Wrapped()
    for name in ("conv", "module.conv", "module.0", "shared", "module"):
        found, module = find_layer(model, name)
        assert (found, module) == (name, model.get_submodule(name))
    # In wrappers that this model has not, or without those that it has: the innermost.
    assert find_layer(model, "module.module.0")[1] is model.module[0]
    assert find_layer(model, "_orig_mod.0") == ("module.0", model.module[0])
    assert find_layer(model, "0[1]['x']") == ("module.0[1]['x']", model.module[0])
    assert find_layer(model, "shared[1]") == ("shared[1]", model.conv)


def test_a_module_is_found_by_identity():
    model = Wrapped()
    assert find_layer(model, model.module.conv) == ("module.conv", model.module.conv)
    assert find_layer(model, model.shared)[0] == "conv"
    with pytest.raises(InputError, match="layer Linear is not part of this Wrapped"):
        find_layer(model, nn.Linear(1, 1))
    with pytest.raises(InputError, match="layer Wrapped is not part"):
        find_layer(model, model)
    with pytest.raises(InputError, match="layer: got an int; expected the name"):
        find_layer(model, 3)
    with pytest.raises(InputError, match="Did you mean 'conv'"):
        find_layer(model, "conf")
    with pytest.raises(InputError, match="layer"):
        find_layer(model, "")


@pytest.mark.parametrize("path", [(), (1,), ("hidden",), ("hidden", 1), (0, "a.b", -1)])
def test_names_with_keys_come_apart_again(path):
    assert split_name(name_of("blocks.0", path)) == ("blocks.0", path)


@pytest.mark.parametrize("name", ["encoder[hidden]", "encoder[1+]", "encoder[x][0]"])
def test_keys_that_are_no_number_and_no_text_are_refused(name):
    with pytest.raises(InputError, match="expected a number or a text in quotes"):
        split_name(name)


def test_the_tensor_that_a_name_means():
    first, hidden, cell, whole = torch.zeros(2), torch.ones(3), torch.ones(4), torch.arange(2)
    output = (whole, first, {"state": (hidden, cell), "text": "no"})
    assert list(floating_tensors(output)) == [(1,), (2, "state", 0), (2, "state", 1)]
    assert named_tensor(output, "rnn") == ((1,), first)
    # A tuple means the first tensor in it.
    assert named_tensor(output, "rnn[2]")[1] is hidden
    assert named_tensor(output, "rnn[2]['state'][1]")[1] is cell
    with pytest.raises(InputError, match=r"rnn\[0\]"):
        named_tensor(output, "rnn[0]")
    with pytest.raises(InputError, match="returned torch.int64; expected a floating tensor"):
        named_tensor(whole, "rnn")
    with pytest.raises(InputError, match="returned str; expected a floating tensor"):
        named_tensor("text", "rnn")
    other = with_tensor(output, (2, "state", 0), cell)
    assert other[2]["state"][0] is cell
    assert output[2]["state"][0] is hidden
    assert other[1] is first


def test_packed_sequences_have_no_axes():
    packed = nn.utils.rnn.pack_sequence([torch.ones(3, 2), torch.ones(2, 2)])
    assert floating_tensors(packed) == {}
    hidden = torch.zeros(1, 2, 4)
    assert list(floating_tensors((packed, hidden))) == [(1,)]
    for output in (packed, (packed, hidden)):
        with pytest.raises(InputError, match="returned a packed sequence"):
            named_tensor(output, "rnn")
    assert named_tensor((packed, hidden), "rnn[1]")[1] is hidden


@pytest.mark.parametrize("kind", [nn.ModuleList, nn.Sequential])
def test_the_last_block(kind):
    model = nn.Module()
    assert last_block(model) is None
    model.blocks = kind()
    assert last_block(model) is None
    model.blocks = kind([nn.Linear(1, 1), nn.ReLU()]) if kind is nn.ModuleList else kind(nn.Linear(1, 1), nn.ReLU())
    assert last_block(model) is model.blocks[1]
    model.blocks = nn.Linear(1, 1)
    assert last_block(model) is None
