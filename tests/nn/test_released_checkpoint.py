"""Checkpoints of ST-GCN as released: the same logits, and what does not fit is named."""

import subprocess
import sys
import textwrap

import pytest
import torch

from stexplain.cards import model_card
from stexplain.errors import DataError, InputError
from stexplain.graph import STGraph
from stexplain.nn.checkpoint import load_model, load_stgcn_checkpoint, save_model
from tests.nn.ntu_clips import NTU, clips
from tests.nn.released_names import randomise
from tests.reference.networks import ReleasedSTGCN


def released(channels=(8, 8, 16, 16), strides=(1, 1, 2, 1), classes=5, seed=0):
    a = torch.from_numpy(NTU.relations("spatial-stgcn2018").matrices(25)).float()
    model = ReleasedSTGCN(a, list(channels), list(strides), 9, classes, 0.5)
    randomise(model, seed)
    return model.eval()


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


@pytest.mark.parametrize("kind", [torch.int64, torch.bool, torch.complex64])
@pytest.mark.parametrize("key", ["data_bn.weight", "fcn.weight", "st_gcn_networks.1.tcn.2.weight"])
def test_weights_of_another_type_are_refused(key, kind):
    state = released().state_dict()
    state[key] = state[key].to(kind)
    with pytest.raises(InputError, match=rf"{key} holds {kind}; expected floating point numbers"):
        load_stgcn_checkpoint(state)


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
