"""The list of formats: what it names exists."""

import json
import tomllib
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

import stexplain as stx
from stexplain.cli.main import app
from stexplain.data.signals.formats import FORMATS
from stexplain.data.skeletons.formats import FORMATS as SKELETONS
from tests.fuzz import corpus

EXTRAS = tomllib.loads((Path(stx.__file__).parents[1] / "pyproject.toml").read_text())["project"]


@pytest.mark.parametrize("each", FORMATS, ids=lambda each: each.name)
def test_a_line_names_a_call_and_an_extra_that_exist(each):
    assert callable(getattr(stx, each.call.partition("(")[0]))
    assert not each.extra or each.extra in EXTRAS["optional-dependencies"]
    assert each.files
    assert len(each.files) < 80


def test_every_skeleton_format_is_listed_once():
    names = [each.name for each in FORMATS]
    assert len(set(names)) == len(names)
    assert {each.name for each in FORMATS if each.content == "skeletons"} == set(SKELETONS)


def test_the_command_shows_all_of_them():
    runner = CliRunner()
    shown = runner.invoke(app, ["data", "list"], env={"COLUMNS": "200"}).stdout
    for each in FORMATS:
        assert each.name in shown
        assert each.files in shown
    assert "stexplain[eeg]" in shown
    listed = json.loads(runner.invoke(app, ["data", "list", "--json"]).stdout)
    assert [each["name"] for each in listed["formats"]] == [each.name for each in FORMATS]
    assert {"name", "title", "path"} == set(listed["cards"][0])


def test_the_command_shows_the_skeletons_that_are_known_by_name():
    runner = CliRunner()
    shown = runner.invoke(app, ["data", "list"], env={"COLUMNS": "200"}).stdout
    listed = json.loads(runner.invoke(app, ["data", "list", "--json"]).stdout)["skeletons"]
    named = {"kinect-v1", "kinect-v2", "coco-17", "openpose-18", "openpose-25", "mediapipe-33", "h36m-17", "smpl-24"}
    assert {one["name"] for one in listed} == {*named, "hand-21", "azure-kinect"}
    for one in listed:
        assert one["name"] in shown
        assert one["title"] in shown
        assert tuple(one["joints"]) == stx.STGraph.skeleton(one["name"]).nodes
        assert {joint for pair in one["pairs"] for joint in pair} <= set(one["joints"])
        assert one["up"] in ("y", "-y", "z")


def eeg_file(folder):
    mne = pytest.importorskip("mne")
    info = mne.create_info(["Fz", "Cz", "Pz", "Oz"], 100.0, "eeg")
    events = np.stack([np.arange(6) * 100, np.zeros(6, int), np.arange(6) % 2 + 1], 1)
    signals = np.random.default_rng(0).normal(size=(6, 4, 40)) * 1e-5
    made = mne.EpochsArray(signals, info, events, event_id={"a": 1, "b": 2}, verbose="error")
    places = {"Fz": (0.0, 0.06, 0.08), "Cz": (0.0, 0.0, 0.1), "Pz": (0.0, -0.06, 0.08), "Oz": (0.0, -0.1, 0.01)}
    made.set_montage(mne.channels.make_dig_montage(places, coord_frame="head"))
    made.save(folder / "one-epo.fif", verbose="error")


WRITERS = {
    "eeg-files": eeg_file,
    "regions": corpus.region_arrays,
    "region-tables": corpus.region_tables,
    "libcity": corpus.libcity,
    "basicts": corpus.basicts,
    "tsl": corpus.metr_la,
    "netcdf": corpus.netcdf_4,
    "zarr": corpus.zarr_2,
    "pems": corpus.pems,
    "pems-stations": corpus.pems_stations,
    "wide-csv": corpus.speeds_csv,
    "two-row-csv": corpus.two_row_csv,
}
"""A small file of each format that is none of skeletons; those are in `tests/fuzz/test_fuzz.py`."""


def test_each_format_of_files_has_a_small_file_here():
    in_memory = {"mne-epochs", "mne-evoked", "mne-raw", "in-memory"}
    assert set(WRITERS) == {each.name for each in FORMATS if each.content != "skeletons"} - in_memory


@pytest.mark.parametrize("name", WRITERS)
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_the_small_file_of_a_format_is_read_by_the_call_that_the_list_names(name, tmp_path):
    (tmp_path / "data").mkdir()
    try:
        WRITERS[name](tmp_path / "data")
    except ImportError as error:
        pytest.skip(str(error))
    (each,) = (each for each in FORMATS if each.name == name)
    if each.call.startswith("load_regions"):
        (file,) = (tmp_path / "data").glob("*.npz") if name == "regions" else [tmp_path / "data"]
        found = stx.load_regions(file, train="all", tr=2.0, density=0.5)
    elif each.call.startswith("load_eeg"):
        found = stx.load_eeg(tmp_path / "data" / "one-epo.fif")
    else:
        found = stx.load_sensors(tmp_path / "data", window=3, horizon=2, links=None if name != "pems" else "distances")
    assert len(found)
    assert found.graph is not None
    assert np.isfinite(found[0].x).all()
