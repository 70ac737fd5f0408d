"""The model of a long call: where it is found, and what tells it from another."""

import pytest
import torch
from torch import nn

from stexplain.errors import CardError, InputError
from stexplain.graph import STGraph
from stexplain.metrics.dataset.models import model_hash, model_of
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
