"""The model of a long call: where it is found, and what tells it from another."""

import pytest
import torch
from torch import nn

from stexplain.cards import Recipe
from stexplain.errors import CardError, InputError
from stexplain.graph import STGraph
from stexplain.metrics.dataset.models import model_hash, model_of, place_of
from stexplain.nn import STGCN, save_model


def small(seed=0):
    torch.manual_seed(seed)
    graph = STGraph.from_edges(["a", "b", "c"], [("a", "b"), ("b", "c")], center="b")
    return STGCN(graph, classes=2, channels=[4], strides=[1])


def test_a_folder_a_factory_and_a_module(tmp_path):
    model = small()
    # A colon in the name of a folder that exists does not make it a factory.
    for name in ("model", "run:3"):
        save_model(tmp_path / name, model)
        for place in (tmp_path / name, str(tmp_path / name)):
            assert model_hash(model_of(place)) == model_hash(model)
    assert model_of(model) is model
    assert isinstance(model_of("torch.nn:Identity"), nn.Identity)


@pytest.mark.parametrize(
    ("model", "error", "words"),
    [
        ("no_such_folder", CardError, "no_such_folder"),
        ("torch.nn:NoSuchModule", InputError, "cannot be imported"),
        ("no_such_package:Model", InputError, "cannot be imported"),
        ("math:pi", InputError, "is or makes a float; expected an nn.Module"),
        ("builtins:dict", InputError, "is or makes a dict; expected an nn.Module"),
        (3, InputError, "model: got 3; expected a module"),
    ],
)
def test_what_is_no_model(model, error, words):
    with pytest.raises(error, match=words):
        model_of(model)


def test_a_hash_is_of_class_weights_buffers_and_recipe():
    model = small()
    assert model_hash(model) == model_hash(small()) == model_hash(model.train())
    with torch.no_grad():
        other, moved, shaped = small(), nn.BatchNorm1d(2), nn.Linear(2, 3)
        next(other.parameters()).view(-1)[0] += 1e-6
        assert model_hash(other) != model_hash(model)
        moved.running_mean[0] += 1
        assert model_hash(moved) != model_hash(nn.BatchNorm1d(2))
        # The same numbers in another shape, type or class, or under another name.
        turned = nn.Linear(3, 2)
        turned.weight.copy_(shaped.weight.view(2, 3))
        turned.bias, shaped.bias = None, None
        assert model_hash(turned) != model_hash(shaped)
        zeros = [nn.Linear(2, 2, bias=False), nn.Linear(2, 2, bias=False).double(), nn.Bilinear(1, 2, 2, bias=False)]
        for one in zeros:
            one.weight.zero_()
        assert len({model_hash(one) for one in [*zeros, nn.Sequential(zeros[0])]}) == 4
    assert model_hash(nn.Linear(2, 2).to(torch.bfloat16).requires_grad_(False))
    model.recipe = Recipe(summary="short", epochs=1, batch=4, rate=0.1, frames=16, sampling="pad")
    once = model_hash(model)
    model.recipe = Recipe(summary="short", epochs=2, batch=4, rate=0.1, frames=16, sampling="pad")
    assert len({once, model_hash(model), model_hash(small())}) == 3


def test_other_processes_find_a_model_where_it_is_or_in_the_folder(tmp_path):
    model = small()
    save_model(tmp_path / "saved", model)
    assert place_of(tmp_path / "saved" / ".." / "saved", tmp_path) == str((tmp_path / "saved").resolve())
    assert place_of("torch.nn:Identity", tmp_path) == "torch.nn:Identity"
    assert model_hash(model_of(place_of(model, tmp_path / "out"))) == model_hash(model)
    with pytest.raises(InputError, match="a Bilinear that other processes cannot load"):
        place_of(nn.Bilinear(1, 1, 1), tmp_path / "other")
