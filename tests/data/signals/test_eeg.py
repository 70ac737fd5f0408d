"""EEG through MNE: values, seconds, labels, bad channels and spans, and the graph of the montage."""

import gzip
import warnings

import numpy as np
import pandas as pd
import pytest
import torch

import stexplain as stx
from stexplain.errors import DataError, InputError
from tests.fuzz import corpus

mne = pytest.importorskip("mne")
mne.set_log_level("ERROR")

NAMES = ["Fz", "C3", "Cz", "C4", "Pz", "Oz"]


def info(rate=100.0, bads=(), names=NAMES, kind="eeg", montage=True):
    made = mne.create_info(list(names), rate, kind)
    if montage:
        made.set_montage("colin27_1020")
    made["bads"] = list(bads)
    return made


def trials(count=6, frames=40, seed=0):
    return np.random.default_rng(seed).normal(size=(count, len(NAMES), frames)) * 1e-5


def epochs(**options):
    signals = trials()
    events = np.stack([np.arange(6) * 100, np.zeros(6, int), np.array([1, 2, 1, 2, 2, 1])], 1)
    return mne.EpochsArray(signals, info(**options), events, tmin=-0.1, event_id={"left": 1, "right": 2}), signals


def test_epochs_become_clips_with_the_same_values_and_the_events_names():
    made, signals = epochs()
    clips = stx.load_eeg(made, nearest=2)
    assert (len(clips), clips.classes, clips.channels) == (6, ["left", "right"], ["eeg"])
    assert clips.labels.tolist() == [0, 1, 0, 1, 1, 0]
    for number in range(6):
        np.testing.assert_allclose(clips[number].x[0, :, :, 0], signals[number].T, rtol=1e-6)
    assert clips.graph.nodes == tuple(NAMES)
    assert clips.measured.units == ("V",)
    assert clips.ids == ["0", "1", "2", "3", "4", "5"]


def test_a_unit_converts():
    made, signals = epochs()
    clips = stx.load_eeg(made, unit="uV")
    np.testing.assert_allclose(clips[2].x[0, :, :, 0], signals[2].T * 1e6, rtol=1e-6)
    assert clips.measured.units == ("uV",)


def test_seconds_from_the_event_are_the_time_axis_of_an_explanation():
    clips = stx.load_eeg(epochs()[0])
    model = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(40 * 6, 2))
    with stx.InputGradient(model, graph=clips.graph) as explain:
        e = explain(clips.batch([0, 1]), target=stx.Class(0))
    np.testing.assert_allclose(e.time, -0.1 + np.arange(40) / 100, atol=1e-9)
    assert e.time_unit == "s"
    assert e.to_xarray()["time"].values[10] == 0.0
    with stx.InputGradient(model, graph=clips.graph) as explain:
        assert explain(clips.batch([0]).x, target=stx.Class(0)).time_unit == "frame"


def test_a_bad_channel_is_not_observed():
    clips = stx.load_eeg(epochs(bads=["Cz"])[0])
    sample = clips[0]
    assert sample.observed is not None
    assert sample.observed.all((0, 1)).tolist() == [True, True, False, True, True, True]
    assert not sample.x[:, :, 2].any()


def test_an_epoch_over_a_bad_annotation_is_left_out_and_said():
    rate = 100.0
    raw = mne.io.RawArray(np.random.default_rng(1).normal(size=(6, 1000)) * 1e-5, info(rate))
    events = np.array([[100 * i, 0, 1] for i in range(1, 9)])
    raw.set_annotations(mne.Annotations([3.1, 5.0], [0.2, 0.1], ["BAD_motion", "blink"]))
    # Kept by MNE itself: the annotation is found all the same.
    made = mne.Epochs(raw, events, tmin=0, tmax=0.5, baseline=None, preload=True, reject_by_annotation=False)
    with pytest.warns(UserWarning, match="1 of 8 epochs overlap an annotation that begins with BAD"):
        clips = stx.load_eeg(made)
    assert clips.ids == ["0", "1", "3", "4", "5", "6", "7"]


def test_neighbours_are_the_nearest_electrodes_and_the_nose_is_up():
    graph = stx.load_eeg(epochs()[0], nearest=1).graph
    places = dict(zip(graph.nodes, graph.positions, strict=True))
    assert places["Fz"][1] > places["Cz"][1] > places["Pz"][1] > places["Oz"][1]
    assert places["C3"][0] < places["Cz"][0] < places["C4"][0]
    # By distances on the head, worked out again.
    ch_pos = info().get_montage().get_positions()["ch_pos"]
    points = np.array([ch_pos[name] for name in NAMES])
    distance = np.linalg.norm(points[:, None] - points[None], axis=-1) + np.eye(6) * 9
    expected = {tuple(sorted((i, int(distance[i].argmin())))) for i in range(6)}
    assert {tuple(edge) for edge in graph.edges.tolist()} == expected


def test_subjects_are_groups_and_metadata_are_fields():
    one, two = epochs()[0], epochs()[0]
    one.metadata = pd.DataFrame({"rt": np.arange(6.0), "label": list("abcdef")})
    clips = stx.load_eeg({"s1": one, "s2": two})
    assert len(clips) == 12
    assert clips.table["subject"].tolist() == ["s1"] * 6 + ["s2"] * 6
    assert len(set(clips.groups)) == 2
    assert clips.table["rt"].tolist()[:3] == [0.0, 1.0, 2.0]
    assert clips.table["label (metadata)"].tolist()[:2] == ["a", "b"]
    assert clips.labels.tolist()[:2] == [0, 1]


def test_a_recording_becomes_a_series_in_its_time_without_its_bad_spans():
    signals = np.random.default_rng(2).normal(size=(6, 300)) * 1e-5
    raw = mne.io.RawArray(signals, info(250.0, bads=["Oz"]))
    raw.set_meas_date(1_330_560_000)
    raw.set_annotations(mne.Annotations([0.4], [0.04], ["bad segment"], orig_time=raw.info["meas_date"]))
    with pytest.warns(UserWarning, match="windows overlap an annotation"):
        series = stx.load_eeg(raw, window=10, horizon=2)
    assert series.time[0] == pd.Timestamp("2012-03-01", tz="UTC")
    assert series.time[1] - series.time[0] == pd.Timedelta(milliseconds=4)
    # Frames 100 to 109 are bad: the windows are those that touch none of them, all the others are there.
    expected = [start for start in range(300 - 11) if start + 12 <= 100 or start >= 110]
    assert series.starts.tolist() == expected
    batch = series.batch([0])
    np.testing.assert_allclose(batch.x[0, 0, :, :5, 0], signals.T[:10, :5], rtol=1e-6)
    assert not batch.observed[..., 5].any()
    assert batch.observed[..., :5].all()
    assert batch.measured.units == ("V",)
    assert batch.measured.frame_rate == 250.0


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: 7, r"got int; expected mne.Epochs.*give its path"),
        (lambda: "subject-epo.fif", r"there is no subject-epo.fif. Give a file of epochs, a folder of them"),
        (lambda: epochs(montage=False)[0], r"got no position of 6 of 6 channels \(Fz, C3, Cz\).*set_montage"),
        (lambda: epochs(kind=["eeg"] * 4 + ["mag"] * 2, montage=False)[0], r"kinds eeg, mag.*picks='eeg'"),
        (
            lambda: {"a": epochs()[0], "b": epochs(rate=50.0)[0]},
            r"the sampling rate of 'b' is 50.0, of the first .* 100",
        ),
    ],
)
def test_what_does_not_fit_is_said(make, message):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        data = make()
    with pytest.raises(InputError, match=message):
        stx.load_eeg(data)


def test_a_graph_of_ones_own_gives_the_order_and_leaves_channels_out():
    made, signals = epochs(montage=False)
    graph = stx.STGraph.from_edges(["Pz", "Cz"], [("Pz", "Cz")])
    clips = stx.load_eeg(made, graph=graph)
    np.testing.assert_allclose(clips[0].x[0, :, :, 0], signals[0][[4, 2]].T, rtol=1e-6)
    with pytest.raises(InputError, match="its node 'Qz' is not a channel"):
        stx.load_eeg(made, graph=stx.STGraph.from_edges(["Pz", "Qz"], [("Pz", "Qz")]))


def test_a_dead_channel_is_named_unless_it_is_marked():
    made, _ = epochs()
    made._data[:, 2] = 0
    dead = made.ch_names[2]
    with pytest.warns(UserWarning, match=rf"EEG: 1 of {len(made.ch_names)} channels never changes \('{dead}'\)"):
        stx.load_eeg(made)
    made.info["bads"] = [dead]
    assert not stx.load_eeg(made)[0].observed[:, :, 2].any()


def test_epochs_of_eeglab_are_read_to_the_last_digit(tmp_path):
    corpus.trials_of_eeglab(tmp_path)
    epochs = mne.io.read_epochs_eeglab(tmp_path / "sub-3.set")
    clips = stx.load_eeg(tmp_path, nearest=2)
    signals = epochs.get_data()
    assert (len(clips), clips.classes, clips.ids) == (3, ["tone"], ["sub-3/0", "sub-3/1", "sub-3/2"])
    for number in range(3):
        np.testing.assert_allclose(clips[number].x[0, :, :, 0], signals[number].T, rtol=2e-7)
    assert clips.graph.nodes == tuple(epochs.ch_names)
    assert clips.measured.seconds(20)[[0, 10]].tolist() == pytest.approx([-0.1, 0.0])


def test_damaged_epochs_of_eeglab_end_no_process_and_take_no_memory(tmp_path):
    corpus.trials_of_eeglab(tmp_path)
    path = tmp_path / "sub-3.set"
    content = path.read_bytes()
    # The 1920 bytes of values (type 9: double) say that they are two gigabytes.
    before, after = content.split(b"\x09\0\0\0\x80\x07\0\0")
    path.write_bytes(before + b"\x09\0\0\0\xff\xff\xff\x7f" + after)
    with pytest.raises(DataError, match=r"sub-3\.set could not be read as epochs of EEG or MEG"):
        stx.load_eeg(tmp_path)
    for cut in range(128, len(content), 997):
        path.write_bytes(content[:cut])
        with pytest.raises(DataError, match=r"sub-3\.set could not be read as epochs of EEG or MEG"):
            stx.load_eeg(tmp_path)


def test_a_packed_file_that_unpacks_to_far_more_is_refused(tmp_path):
    path = tmp_path / "sub-1-epo.fif.gz"
    with gzip.open(path, "wb") as packed:
        for _ in range(80):
            packed.write(bytes(1 << 20))
    with pytest.raises(DataError, match=r"sub-1-epo\.fif\.gz unpacks to more than 67 MB, and holds 0\.08\d+ MB"):
        stx.load_eeg(path)


@pytest.mark.parametrize("value", [np.nan, np.inf, 1e39])
def test_an_observed_value_that_is_no_number_is_refused_and_a_bad_channels_is_not(value, tmp_path):
    made, signals = epochs()
    signals[3, 2, 5] = value
    made = mne.EpochsArray(signals, made.info, made.events, tmin=-0.1, event_id=made.event_id)
    said = r"data: channel 'Cz' holds NaN or infinity in 1 of 6 epochs, the first number 3; expected numbers"
    with pytest.raises(InputError, match=said):
        stx.load_eeg(made, nearest=2)
    made.save(tmp_path / "a-epo.fif", fmt="double")
    with pytest.raises(DataError, match=r"a-epo\.fif: data: channel 'Cz' holds"):
        stx.load_eeg(tmp_path / "a-epo.fif", nearest=2)
    made.info["bads"] = ["Cz"]
    assert len(stx.load_eeg(made, nearest=2)) == 6


def test_a_file_whose_electrodes_have_no_place_is_named(tmp_path):
    made = mne.EpochsArray(trials(), info(montage=False))
    made.save(tmp_path / "a-epo.fif")
    with pytest.raises(DataError, match=r"a-epo\.fif: data: got no position of 6 of 6 channels"):
        stx.load_eeg(tmp_path / "a-epo.fif")
