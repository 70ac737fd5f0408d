"""What a model holds is found however deep, and every kind of change to it is seen and put back."""

import types
from collections import OrderedDict, deque

import pytest
import torch
from torch import nn

from stexplain.explainers.model.running.attribute_walk import (
    Container,
    attributes_of,
    is_alike,
    kept_tensor,
    version_of,
)

ONE, TWO, THREE = torch.ones(1), torch.zeros(2), object()


class Holds:
    def __init__(self, **held):
        vars(self).update(held)


def changes_of(holder):
    """Every kind of change, by a name."""
    if isinstance(holder, dict):
        return {
            "another value": lambda: holder.update(a=TWO),
            "an equal value that is another": lambda: holder.update(a=ONE.clone()),
            "a key more": lambda: holder.update(new=THREE),
            "a key less": lambda: holder.pop("b"),
            "a key for another": lambda: (holder.pop("b"), holder.update(new=TWO)),
            "emptied": holder.clear,
        }
    if isinstance(holder, set):
        return {"more": lambda: holder.add(THREE), "less": lambda: holder.remove(ONE), "emptied": holder.clear}
    return {
        "another value": lambda: holder.__setitem__(0, TWO),
        "more": lambda: holder.append(THREE),
        "less": holder.pop,
        "another order": holder.reverse,
        "emptied": holder.clear,
    }


HOLDERS = {
    "dict": lambda: {"a": ONE, "b": TWO},
    "ordered": lambda: OrderedDict(a=ONE, b=TWO),
    "list": lambda: [ONE, TWO],
    "deque": lambda: deque([ONE, TWO]),
    "set": lambda: {ONE, TWO},
}


@pytest.mark.parametrize("kind", HOLDERS)
def test_a_container_is_put_back(kind):
    made = HOLDERS[kind]()
    for name in changes_of(made):
        holder = HOLDERS[kind]()
        before = list(holder.items()) if isinstance(holder, dict) else list(holder)
        container = Container(holder)
        assert container.is_as_before
        assert container.undo_of_changes() == []
        assert list(container.new_values()) == []
        changes_of(holder)[name]()
        assert not container.is_as_before, name
        assert not container.is_still_there, name
        new = [value for _, value in container.new_values()]
        values = holder.values() if isinstance(holder, dict) else holder
        assert [id(each) for each in new] == [id(each) for each in values if each is not ONE and each is not TWO]
        for undo in container.undo_of_changes():
            undo()
        after = list(holder.items()) if isinstance(holder, dict) else list(holder)
        if isinstance(holder, dict):
            assert dict(after).keys() == dict(before).keys()
            assert all(holder[key] is value for key, value in before)
        else:
            assert {id(each) for each in after} == {id(each) for each in before}
            if not isinstance(holder, set):
                assert container.is_as_before


def test_what_is_new_goes_by_its_key_or_place():
    holder, row = {"a": ONE}, [ONE]
    of_dict, of_list = Container(holder), Container(row)
    holder["b"] = THREE
    row.append(THREE)
    assert list(of_dict.new_values()) == [("b", THREE)]
    assert list(of_list.new_values()) == [("1", THREE)]


def test_an_object_that_has_other_attributes_altogether_is_not_as_before():
    owner = Holds(a=1)
    container = Container(vars(owner), owner)
    assert container.is_still_there
    owner.__dict__ = dict(vars(owner))
    assert container.is_as_before
    assert not container.is_still_there


def test_keys_that_others_change_meanwhile_are_left_alone():
    holder = {"a": ONE, "b": TWO}
    container = Container(holder)
    holder["a"] = TWO
    undo = container.undo_of_changes()
    holder["c"] = THREE
    for one in undo:
        one()
    assert holder["a"] is ONE
    assert holder["c"] is THREE


def written(tensor):
    tensor.mul_(2)


def by_data(tensor):
    tensor.data.mul_(2)


def replaced(tensor):
    tensor.data = torch.full_like(tensor, 7)


def written_and_replaced(tensor):
    tensor.mul_(2)
    tensor.data = torch.full_like(tensor, 7)


@pytest.mark.parametrize("change", [written, by_data, replaced, written_and_replaced])
@pytest.mark.parametrize("clone", [True, False])
def test_a_tensor_is_put_back(change, clone):
    """Where its values were kept; of others it is known that they were written into."""
    tensor = torch.tensor([1.0, torch.nan, 3.0])
    memory = tensor.data_ptr()
    kept = kept_tensor(tensor, clone=clone)
    assert kept.is_as_before
    assert kept.undo_of_change() is None
    change(tensor)
    # A write by way of the data is not counted by torch: the values alone tell.
    assert kept.is_as_before == (change is by_data and not clone)
    assert kept.was_written == (change in (written, written_and_replaced) or (change is by_data and clone))
    if (undo := kept.undo_of_change()) is not None:
        undo()
    assert tensor.data_ptr() == memory
    if clone:
        assert is_alike(tensor, torch.tensor([1.0, torch.nan, 3.0]))


def test_tensors_of_inference_mode_count_no_writes():
    with torch.inference_mode():
        tensor = torch.ones(2)
    assert version_of(tensor) is None
    kept = kept_tensor(tensor, clone=True)
    with torch.inference_mode():
        tensor.add_(1)
    assert kept.was_written
    kept.undo_of_change()()
    assert tensor.tolist() == [1, 1]


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        (torch.ones(2), torch.ones(2), True),
        (torch.ones(2), torch.ones(3), False),
        (torch.ones(2), torch.ones(2).double(), False),
        (torch.tensor([1.0, torch.nan]), torch.tensor([1.0, torch.nan]), True),
        (torch.tensor([1.0, torch.nan]), torch.tensor([torch.nan, 1.0]), False),
        (torch.tensor([1.0, 2.0]), torch.tensor([1.0, torch.nan]), False),
        (torch.eye(2).to_sparse(), torch.eye(2).to_sparse(), True),
        (torch.ones(2, device="meta"), torch.ones(2, device="meta"), True),
        (torch.arange(2), torch.arange(2), True),
        (torch.zeros(0), torch.zeros(0), True),
    ],
)
def test_values_that_are_alike(one, other, expected):
    assert is_alike(one, other) == expected


def test_all_that_a_model_holds_is_found_once():
    inner, model = nn.Linear(2, 1), nn.Module()
    tensors = [torch.zeros(number + 1) for number in range(8)]
    shared = [tensors[0]]
    model.inner, model.again, model.row, model.same = inner, inner, shared, shared
    model.pair = (tensors[1], frozenset({tensors[2]}))
    model.queue, model.kinds = deque([tensors[3]]), {tensors[4]}
    model.held = Holds(deep={"x": [Holds(y=tensors[5])]}, itself=model)
    model.register_buffer("buffer", tensors[6])
    model.held.back = model.held
    model.names = types.SimpleNamespace(z=tensors[7])
    containers, found = attributes_of(model)
    assert {id(each) for each in found} == {id(each) for each in [*tensors, inner.weight, inner.bias]}
    assert len(found) == len({id(each) for each in found})
    held = [id(one.holder) for one in containers]
    assert len(held) == len(set(held))
    for one in (vars(model), vars(inner), shared, model.queue, model.kinds, vars(model.held), model.held.deep):
        assert id(one) in held
    assert containers[0].holder is vars(model)


def test_hooks_functions_and_other_libraries_are_not_looked_into():
    model, secret = nn.Linear(2, 1), torch.zeros(9)
    model.register_forward_hook(lambda *_, held=[secret]: None)
    model.function = lambda: secret
    model.kind = type("Kind", (), {"held": secret})
    model.other = torch.Generator()
    model.module = types
    assert {id(each) for each in attributes_of(model)[1]} == {id(model.weight), id(model.bias)}
