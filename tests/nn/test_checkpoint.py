import json
import subprocess
import sys
import textwrap

import numpy as np
import pytest
import torch

from stexplain.cards import model_card
from stexplain.data.scaler import Scaler
from stexplain.errors import CardError, DataError, InputError
from stexplain.files import digest
from stexplain.graph import Relations, STGraph
from stexplain.nn.checkpoint import load_model, load_stgcn_checkpoint, save_model
from stexplain.nn.stgcn import STGCN
from stexplain.nn.traffic import without_message_passing
from tests.nn.released_names import randomise
from tests.reference import ReleasedSTGCN

NTU = STGraph.from_card("ntu")
THIN = {"width": 0.0625, "channels_in": 3}


def thin(seed=0):
    model = load_model("stgcn7", graph=NTU, classes=["wave", "nod", "kick"], recipe="stgcn2018", **THIN)
    randomise(model, seed)
    return model.eval()


def released(channels=(8, 8, 16, 16), strides=(1, 1, 2, 1), classes=5, seed=0):
    a = torch.from_numpy(NTU.relations("spatial-stgcn2018").matrices(25)).float()
    model = ReleasedSTGCN(a, list(channels), list(strides), 9, classes, 0.5)
    randomise(model, seed)
    return model.eval()


def clips(samples=2, instances=2, dtype=torch.float32):
    x = torch.randn(samples, instances, 21, 25, 3, generator=torch.Generator().manual_seed(3)).to(dtype)
    x[-1, 1] = 0
    return x


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


@pytest.mark.parametrize("prefix", ["", "module.", "_orig_mod.", "_orig_mod.module.", "module._orig_mod.", "model."])
def test_a_released_checkpoint_gives_the_same_logits(prefix):
    theirs = released()
    ours = load_stgcn_checkpoint({prefix + key: value for key, value in theirs.state_dict().items()}, graph=NTU)
    x = clips()
    expected = theirs(x.permute(0, 4, 2, 3, 1))
    torch.testing.assert_close(ours(x), expected, rtol=1e-4, atol=1e-4)
    assert expected.abs().max() > 0.1
    assert [ours.stride_at(f"blocks.{i}") for i in range(4)] == [1, 1, 2, 2]
    assert not ours.training


def test_a_released_checkpoint_is_exact_in_double_precision():
    theirs = released().double()
    ours = load_stgcn_checkpoint(theirs.state_dict(), graph=NTU)
    x = clips(dtype=torch.float64)
    torch.testing.assert_close(ours(x), theirs(x.permute(0, 4, 2, 3, 1)), rtol=1e-10, atol=1e-10)
    # An absent person counts there; it does not where padding is masked.
    masked = load_stgcn_checkpoint(theirs.state_dict(), graph=NTU, padding="masked")
    valid = (x != 0).flatten(3).any(-1)
    torch.testing.assert_close(masked(x, valid)[1:], masked(x[1:, :1]), rtol=1e-10, atol=1e-10)
    assert not torch.allclose(masked(x, valid)[1], ours(x, valid)[1])


def test_the_full_release_has_172_entries_and_loads_from_a_file(tmp_path):
    card = model_card("stgcn10").hyperparameters
    theirs = released(card["channels"], card["strides"], classes=60)
    assert len(theirs.state_dict()) == 172
    assert sum(parameter.numel() for parameter in theirs.parameters()) == 3_098_832
    torch.save(theirs.state_dict(), tmp_path / "st_gcn.ntu-xsub.pt")
    ours = load_stgcn_checkpoint(tmp_path / "st_gcn.ntu-xsub.pt")
    assert sum(parameter.numel() for parameter in ours.parameters()) == 3_080_812
    assert len(ours.graph) == 25
    assert len(ours.graph.edges) == 24
    x = clips(samples=1)
    torch.testing.assert_close(ours(x), theirs(x.permute(0, 4, 2, 3, 1)), rtol=1e-4, atol=1e-4)


def test_a_loaded_release_can_be_saved(tmp_path):
    ours = load_stgcn_checkpoint(released().state_dict(), graph=NTU)
    save_model(tmp_path, ours)
    assert torch.equal(load_model(tmp_path)(clips()), ours(clips()))


@pytest.mark.parametrize("name", ["state_dict", "model_state_dict", "model"])
def test_weights_are_found_beside_an_optimisers_state(tmp_path, name):
    state = released().state_dict()
    whole = {"epoch": 7, name: state, "optimizer": {"state": {}, "param_groups": [{"lr": 0.1}]}}
    torch.save(whole, tmp_path / "last.pt")
    for source in (whole, tmp_path / "last.pt"):
        model = load_stgcn_checkpoint(source, graph=NTU)
        torch.testing.assert_close(model(clips()), load_stgcn_checkpoint(state, graph=NTU)(clips()), rtol=0, atol=0)


def test_weights_that_are_not_numbers_are_refused():
    state = released().state_dict()
    state["fcn.bias"][2] = torch.nan
    with pytest.raises(InputError, match=r"fcn\.bias holds NaN or infinity"):
        load_stgcn_checkpoint(state, graph=NTU)


def test_counters_may_be_missing():
    state = {key: value for key, value in released().state_dict().items() if "num_batches" not in key}
    assert load_stgcn_checkpoint(state, graph=NTU)(clips()).shape == (2, 5)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"A": None}, r"A \(missing\)"),
        ({"fcn.weight": torch.zeros(5, 16)}, r"fcn.weight of shape \(5, 16\)"),
        ({"A": torch.zeros(3, 25, 24)}, r"A of shape \(3, 25, 24\)"),
        ({"data_bn.bias": None, "fcn.bias": None}, "2 missing: data_bn.bias, fcn.bias"),
        ({"extra": torch.zeros(1)}, "1 unknown: extra"),
        (
            {"edge_importance.2": torch.zeros(3, 20, 20)},
            r"edge_importance.2 \(3, 20, 20\), expected \(3, 25, 25\)",
        ),
        ({"st_gcn_networks.2.residual.0.weight": None}, "1 missing: .*residual.0.weight"),
        (
            {"st_gcn_networks.1.gcn.conv.weight": None, "more": torch.zeros(1)},
            "1 missing: .*; 1 unknown: more",
        ),
        ({"fcn.bias": "a word"}, "expected a mapping of names to tensors"),
    ],
)
def test_wrong_checkpoints_are_refused(change, message):
    state = {**released().state_dict(), **change}
    with pytest.raises(InputError, match=message):
        load_stgcn_checkpoint({key: value for key, value in state.items() if value is not None}, graph=NTU)


def test_refuses_a_graph_of_another_size_and_an_unreadable_file(tmp_path):
    with pytest.raises(InputError, match="graph: got 20 nodes; expected 25"):
        load_stgcn_checkpoint(released().state_dict(), graph=STGraph.from_card("nw-ucla"))
    (tmp_path / "no.pt").write_bytes(b"not a checkpoint")
    for path in (tmp_path / "no.pt", tmp_path / "nowhere.pt"):
        with pytest.raises(DataError, match="could not be read"):
            load_stgcn_checkpoint(path)


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


@pytest.mark.parametrize(
    ("key", "change", "message"),
    [
        ("fcn.bias", lambda value: value * float("nan"), "fcn.bias holds NaN or infinity"),
        ("fcn.bias", lambda value: value[:-1], "this is not a checkpoint of ST-GCN as released; 1 of a wrong shape"),
        ("A", lambda value: value[0], "this is not a checkpoint of ST-GCN as released: A of shape"),
    ],
)
def test_a_released_file_that_does_not_fit_is_named(tmp_path, key, change, message):
    state = released().state_dict()
    torch.save({**state, key: change(state[key])}, tmp_path / "weights.pt")
    with pytest.raises(DataError, match=rf"weights\.pt: .*{message}"):
        load_stgcn_checkpoint(tmp_path / "weights.pt")


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="limits of memory are of Linux")
def test_a_file_that_asks_for_gigabytes_gets_none(tmp_path):
    # The protocol, then two gigabytes of bytes of which there are none.
    (tmp_path / "weights.pt").write_bytes(b"\x80\x02B\xff\xff\xff\x7f.")
    code = f"""
        import resource
        from pathlib import Path
        from stexplain.errors import DataError
        from stexplain.nn import released
        pages = int(Path("/proc/self/statm").read_text().split()[0])
        resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + (1 << 30), resource.RLIM_INFINITY))
        try:
            released.load_stgcn_checkpoint({str(tmp_path / "weights.pt")!r})
        except DataError as error:
            print(error)
    """
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, check=True)
    assert "weights.pt could not be read as a checkpoint of tensors" in done.stdout
    assert "memory" not in done.stdout
