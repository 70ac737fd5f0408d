"""Saved models come back as they were; folders and calls that do not fit are refused in words."""

import json

import numpy as np
import pytest
import torch

from stexplain.cards import model_card
from stexplain.data.scaler import Scaler
from stexplain.errors import CardError, DataError, InputError
from stexplain.files import digest
from stexplain.graph import Relations, STGraph
from stexplain.nn.checkpoint import load_model, save_model
from stexplain.nn.stgcn import STGCN
from stexplain.nn.traffic import without_message_passing
from tests.nn.ntu_clips import NTU, clips
from tests.nn.released_names import randomise

THIN = {"width": 0.0625, "channels_in": 3}


def thin(seed=0):
    model = load_model("stgcn7", graph=NTU, classes=["wave", "nod", "kick"], recipe="stgcn2018", **THIN)
    randomise(model, seed)
    return model.eval()


@pytest.fixture
def saved(tmp_path):
    model = thin()
    card = model_card("stgcn7")
    save_model(tmp_path / "run", model, card=card, recipe="stgcn2018", seed=4, extra={"dataset": "planted"})
    return model, tmp_path / "run"


def test_a_saved_model_comes_back(saved):
    model, folder = saved
    (folder / "history.csv").write_text("kept")
    save_model(folder, model, card=model_card("stgcn7"), recipe="stgcn2018", seed=4)
    loaded = load_model(folder)
    assert torch.equal(loaded(clips()), model(clips()))
    assert not loaded.training
    assert loaded.class_names == ["wave", "nod", "kick"]
    assert loaded.recipe == model_card("stgcn7").recipe("stgcn2018")
    assert loaded.graph == NTU
    assert loaded.hyperparameters == model.hyperparameters
    assert sorted(path.name for path in folder.iterdir()) == ["history.csv", "model.json", "model.safetensors"]
    save_model(folder, loaded)
    assert load_model(folder).recipe == model.recipe


def test_the_content_of_the_metadata(saved):
    metadata = json.loads((saved[1] / "model.json").read_text())
    assert metadata["architecture"] == "stexplain.nn.stgcn:STGCN"
    assert metadata["card"] == {"name": "stgcn7", "hash": model_card("stgcn7").hash}
    assert metadata["seed"] == 4
    assert metadata["extra"] == {"dataset": "planted"}
    assert metadata["hyperparameters"]["relations"] == "spatial"
    assert set(metadata["versions"]) == {"python", "stexplain", "torch", "dgl"}


def test_double_precision_and_given_relations_come_back(tmp_path):
    relations = Relations.from_matrices(np.random.default_rng(0).random((2, 25, 25)))
    model = STGCN(NTU, classes=3, channels=(4, 8), strides=(1, 2), relations=relations).double()
    randomise(model)
    save_model(tmp_path, model)
    assert torch.equal(load_model(tmp_path)(clips(dtype=torch.float64)), model.eval()(clips(dtype=torch.float64)))


def test_the_recipe_overrides_the_card_and_arguments_both():
    card = model_card("stgcn10")
    recipe = card.recipe("stgcn2018").model_copy(update={"hyperparameters": {"dropout": 0.1, "width": 0.25}})
    model = load_model(card, graph=NTU, classes=2, recipe=recipe, width=0.125)
    assert model.hyperparameters["width"] == 0.125
    assert [block.temporal_norm.dropout for block in model.blocks[:2]] == [0.0, 0.1]
    assert model.training
    assert model.class_names is None
    assert model.recipe == recipe


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda folder: load_model("stgcn01", graph=NTU, classes=2), "neither a card nor a folder. Did you mean"),
        (lambda folder: load_model(folder.parent), "holds neither model.json"),
        (lambda folder: load_model("stgcn10", graph=NTU), "needs graph=... and classes"),
        (lambda folder: load_model("stgcn10", graph=NTU, classes=2, recipe="stgcn2019"), "Did you mean 'stgcn2018'"),
        (
            lambda folder: load_model("stgcn10", graph=NTU, classes=2, widht=2),
            "no hyperparameter 'widht'. Did you mean 'width'",
        ),
        (lambda folder: load_model(folder, width=2), "with its own recipe and hyperparameters. Leave them out"),
        (lambda folder: load_model(folder, classes=4), "classes: got 4; expected 3"),
        (lambda folder: load_model(folder, classes=["wave", "nodd", "kick"]), "unknown class .* Did you mean 'nod'"),
        (lambda folder: load_model(folder, classes=["nod", "wave", "kick"]), "in another order"),
        (lambda folder: load_model(folder, graph=STGraph.from_card("nw-ucla")), "graph: got 20 nodes; expected 25"),
        (lambda folder: load_model(folder, graph=NTU.permute(range(24, -1, -1))), "graph: got .* as node 0; expected"),
        (lambda folder: save_model(folder, torch.nn.Linear(1, 1)), "got a Linear without the attribute 'graph'"),
        (lambda folder: save_model(folder, thin(), recipe="stgcn2018"), "got the name 'stgcn2018' without a card"),
    ],
)
def test_wrong_calls(saved, call, message):
    with pytest.raises(InputError, match=message):
        call(saved[1])


def test_no_folder_is_a_card_error(saved):
    with pytest.raises(CardError, match="neither a card nor a folder"):
        load_model(saved[1] / "nothing")


def _truncate(folder):
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-10])


def _drop_relations(folder):
    metadata = json.loads((folder / "model.json").read_text())
    del metadata["relations"]
    (folder / "model.json").write_text(json.dumps(metadata))


def _widen(folder):
    metadata = json.loads((folder / "model.json").read_text())
    metadata["hyperparameters"]["width"] = 0.125
    metadata["sha256"] = digest({name: value for name, value in metadata.items() if name != "sha256"})
    (folder / "model.json").write_text(json.dumps(metadata))


def _change(folder):
    metadata = json.loads((folder / "model.json").read_text())
    metadata["seed"] = 5
    (folder / "model.json").write_text(json.dumps(metadata))


def _of_an_earlier_version(folder):
    """Without a checksum, as models saved before there was one."""
    metadata = json.loads((folder / "model.json").read_text())
    del metadata["sha256"]
    (folder / "model.json").write_text(json.dumps(metadata))


def test_a_model_without_a_checksum_is_read(saved):
    _of_an_earlier_version(saved[1])
    assert torch.equal(load_model(saved[1])(clips()), saved[0](clips()))


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda folder: (folder / "model.json").unlink(), "model.json is missing"),
        (lambda folder: (folder / "model.json").write_text("{"), "not valid JSON"),
        (lambda folder: (folder / "model.json").write_text('{"format": 99}'), "got format 99; expected 1"),
        (lambda folder: (folder / "model.safetensors").unlink(), "saving was interrupted"),
        (_truncate, "saving was interrupted"),
        (_drop_relations, "relations is missing"),
        (_widen, "does not fit"),
        (_change, "model.json has changed since it was written"),
    ],
)
def test_broken_folders(saved, damage, message):
    damage(saved[1])
    with pytest.raises(DataError, match=message):
        load_model(saved[1])


def forecaster(**changes):
    graph = STGraph.from_edges(list("abcd"), [("a", "b"), ("b", "c"), ("d", "b")])
    model = load_model("stgcn-roads", graph=graph, recipe="quick", **changes)
    model.set_scaler(Scaler([54.0], [20.5]))
    return model.eval()


@pytest.mark.parametrize("changes", [{}, {"relations": "chebyshev", "horizon": 3}])
def test_a_saved_forecaster_comes_back_with_its_scaler(tmp_path, changes):
    model = forecaster(**changes)
    assert model.hyperparameters["blocks"] == model.recipe.hyperparameters["blocks"]
    save_model(tmp_path, model, card=model_card("stgcn-roads"), recipe="quick", seed=1)
    loaded = load_model(tmp_path, graph=model.graph)
    x = 60 + torch.randn(2, 1, 12, 4, 1)
    assert torch.equal(loaded(x), model(x))
    assert loaded.scaler == model.scaler == Scaler([54.0], [20.5])
    assert loaded.hyperparameters == model.hyperparameters
    assert loaded.relations.names == model.relations.names
    assert loaded.recipe == model_card("stgcn-roads").recipe("quick")
    assert not hasattr(loaded, "class_names")
    with pytest.raises(InputError, match="is not a classifier"):
        load_model(tmp_path, classes=3)


def test_a_forecaster_without_message_passing_comes_back_without_it(tmp_path):
    ablated = without_message_passing(forecaster()).eval()
    save_model(tmp_path, ablated)
    loaded = load_model(tmp_path)
    x = 60 + torch.randn(2, 1, 12, 4, 1)
    assert torch.equal(loaded(x), ablated(x))
    for source, target in zip(loaded.relations.source, loaded.relations.target, strict=True):
        assert (source == target).all()


def test_a_fresh_forecaster_needs_a_graph_and_no_classes():
    with pytest.raises(InputError, match=r"a fresh stgcn-roads needs graph=\.\.\.\."):
        load_model("stgcn-roads")
    with pytest.raises(InputError, match="is not a classifier"):
        load_model("stgcn-roads", graph=NTU, classes=3)


@pytest.mark.parametrize(
    ("architecture", "message"),
    [
        ("os:system", "a module outside stexplain. Nothing was imported"),
        ("subprocess:Popen", "a module outside stexplain. Nothing was imported"),
        ("torch:load", "which is not a class of torch.nn.Module. It was not called"),
        ("torch.hub:load", "which is not a class of torch.nn.Module. It was not called"),
        ("stexplain.nn", "a module; expected a class of torch.nn.Module"),
        ("no_such_package_of_ours:Net", "a module outside stexplain. Nothing was imported"),
        ("stexplain.__main__", "expected the name of a module"),
    ],
)
def test_a_folder_cannot_name_what_runs(tmp_path, architecture, message):
    save_model(tmp_path / "model", load_model("stgcn7", graph=STGraph.from_card("ntu"), classes=2, width=0.1))
    about = tmp_path / "model" / "model.json"
    # As somebody else would write it: with a checksum that fits, or none.
    metadata = {**json.loads(about.read_text()), "architecture": architecture, "sha256": None}
    about.write_text(json.dumps(metadata))
    with pytest.raises(CardError, match=message):
        load_model(tmp_path / "model")


@pytest.mark.parametrize("changes", [{"width": 500.0}, {"temporal_kernel": 10**9 + 1}, {"channels": [10**6] * 7}])
def test_a_small_file_asks_for_no_more_memory_than_it_holds(saved, changes):
    """Its checksums are those of whoever wrote it."""
    path = saved[1] / "model.json"
    metadata = json.loads(path.read_text("utf-8"))
    del metadata["sha256"]
    metadata["hyperparameters"] |= changes
    path.write_text(json.dumps(metadata), "utf-8")
    with pytest.raises(DataError, match=r"model.safetensors does not fit .*:STGCN: model.json asks for far larger"):
        load_model(path.parent)
