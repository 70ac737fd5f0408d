"""How an explanation was made is a part of it: in its files, in what is joined of it, and in a notebook."""

import json
import platform
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

import stexplain as stx
from stexplain.explainers.by_stream import summed
from stexplain.explainers.joined import joined
from stexplain.explainers.methods.layer.layer_sweep import layer_sweep
from stexplain.explainers.results.made_by import made_by, without_home
from stexplain.explainers.saving.dataset import from_dataset, to_dataset
from stexplain.explainers.saving.formats import READERS


class Small(nn.Sequential):
    pass


MODEL = Small(nn.Conv2d(2, 4, 1), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 3))
X = torch.randn(2, 2, 6, 3, generator=torch.Generator().manual_seed(0))


def zero(x):
    return x * 0


def explained(**options):
    return stx.ExpectedFall(MODEL, inputs="b c t n", draws=4, **options)(X, target=0)


def test_it_names_all_that_makes_it_again():
    about = explained(seed=7).made_by
    assert about["explainer"].startswith("ExpectedFall(Small, draws=4, seed=7")
    assert (about["seed"], about["model"], about["device"], about["dtype"]) == (7, "Small", "cpu", "float32")
    assert about["threads"] == torch.get_num_threads()
    versions = about["versions"]
    assert versions["stexplain"] == stx.__version__
    assert versions["python"] == platform.python_version()
    assert versions["numpy"] == np.__version__
    assert versions["torch"].split("+")[0] == torch.__version__.split("+")[0]
    assert explained().made_by["seed"] == 0, "a default is a setting, too"


@pytest.mark.parametrize("suffix", READERS)
def test_a_file_keeps_it_and_is_saved_again_unchanged(tmp_path, suffix):
    e = explained()
    e.save(tmp_path / f"a{suffix}")
    back = stx.Explanation.load(tmp_path / f"a{suffix}")
    assert back.made_by == e.made_by
    assert back.made_by["versions"]
    back.save(tmp_path / f"b{suffix}")
    assert stx.Explanation.load(tmp_path / f"b{suffix}").made_by == e.made_by
    if suffix == ".nc":
        explained().save(tmp_path / "again.nc")
        contents = {path.read_bytes() for path in tmp_path.iterdir()}
        assert len(contents) == 1, "equal explanations have equal files: no moment of time is in them"


def test_files_of_before_have_none():
    dataset = to_dataset(explained()._fields())
    del dataset.attrs["made_by"]
    e = stx.Explanation(**from_dataset(dataset))
    assert e.made_by == {}
    assert "How it was made" not in e._repr_html_()


def test_a_notebook_shows_it_as_text():
    e = replace(explained(), made_by={"command": "<b>", "versions": {"torch": "2.8", "numpy": "2.3"}})
    shown = e._repr_html_()
    assert "<summary>How it was made</summary>" in shown
    assert "&lt;b&gt;" in shown
    assert "torch 2.8, numpy 2.3" in shown


def test_selections_and_joins_keep_it():
    first, second = explained(seed=1), explained(seed=2)
    assert first[0].made_by == first.made_by
    assert joined([first, first]).made_by == first.made_by
    both = joined([first, second]).made_by
    assert "seed" not in both
    assert "explainer" not in both
    assert both["versions"] == first.made_by["versions"]
    assert summed({"a": first, "b": second}).made_by == both


def test_each_layer_and_what_has_no_model():
    sweep = layer_sweep(MODEL, X, target=0, layers=["0", "1"], inputs="b c t n")
    assert "layer='1'" in sweep["1"].made_by["explainer"]
    assert sweep["1"].made_by["model"] == "Small"
    batch = stx.Motion(inputs="b c t n")(X).made_by
    assert batch["explainer"].startswith("Motion(")
    assert "model" not in batch


def test_nothing_of_one_process_or_of_a_user(monkeypatch):
    home = Path("/home/anna")
    monkeypatch.setattr(Path, "home", lambda: home)
    assert without_home(f"--out {home}/x --data {home}bel/y") == f"--out ~/x --data {home}bel/y"
    explain = stx.Occlusion(MODEL, baseline=zero, inputs="b c t n")
    about = made_by(explain)
    assert " at 0x" in repr(explain)
    assert " at 0x" not in json.dumps(about)
    monkeypatch.setattr(Path, "home", lambda: Path("/"))
    assert without_home("/tmp/x") == "/tmp/x"
