"""`data prepare regions` and `data prepare eeg`: what is read, is in the store; what is missing is asked for."""

import json

import numpy as np
import pytest
from typer.testing import CliRunner

import stexplain as stx
from stexplain.cli.main import app
from stexplain.data.signals.prepare import prepare_eeg, prepare_regions
from stexplain.data.store.check import check_store
from stexplain.errors import InputError, StexplainError

REGIONS = ["v1", "m1", "a1", "s1"]


def write_regions(folder, subjects=5, rate=True):
    folder.mkdir()
    random = np.random.default_rng(0)
    lines = ["participant_id\tdiagnosis"]
    for number in range(subjects):
        signals = random.normal(size=(20 + number, 4))
        signals[:, 1:] += signals[:, :1]
        path = folder / f"sub-0{number}_bold.tsv"
        rows = ["\t".join(REGIONS), *("\t".join(f"{value:.5f}" for value in row) for row in signals)]
        path.write_text("\n".join(rows) + "\n")
        if rate:
            path.with_suffix(".json").write_text(json.dumps({"RepetitionTime": 0.8}))
        lines.append(f"sub-0{number}\t{'mdd' if number % 2 else 'hc'}")
    table = folder.parent / "participants.tsv"
    table.write_text("\n".join(lines) + "\n")
    return table


def run(*arguments):
    return CliRunner().invoke(app, ["data", "prepare", *map(str, arguments)])


def test_regions_are_prepared_as_they_are_loaded(tmp_path):
    table = write_regions(tmp_path / "runs")
    (tmp_path / "train.txt").write_text("sub-00\nsub-01\nsub-02\n")
    out = tmp_path / "store"
    options = ["--labels", table, "--train", tmp_path / "train.txt", "--density", 1.0, "--unit", "%"]
    done = run("regions", tmp_path / "runs", *options, "--out", out)
    assert done.exit_code == 0, done.output
    train = ["sub-00", "sub-01", "sub-02"]
    expected = stx.load_regions(tmp_path / "runs", labels=table, train=train, density=1.0, unit="%")
    clips = stx.load_dataset(out, out)
    assert (clips.ids, clips.classes, clips.labels.tolist()) == (
        expected.ids,
        ["hc", "mdd"],
        expected.labels.tolist(),
    )
    for one, other in zip(clips, expected, strict=True):
        np.testing.assert_array_equal(one.x, other.x)
        assert one.measured == other.measured == stx.data.samples.Measured(("%",), 1.25)
    assert clips.graph.edges.tolist() == expected.graph.edges.tolist()
    np.testing.assert_allclose(clips.graph.weight, expected.graph.weight)
    parts = {name: stx.load_dataset(out, out, f"own/{name}").ids for name in ("train", "validation", "test")}
    assert parts == {
        "train": ["sub-00_bold", "sub-01_bold"],
        "validation": ["sub-02_bold"],
        "test": ["sub-03_bold", "sub-04_bold"],
    }
    check_store(out)


def test_what_a_store_of_regions_needs_is_asked_for(tmp_path):
    table = write_regions(tmp_path / "runs", rate=False)
    out = tmp_path / "store"
    done = run("regions", tmp_path / "runs", "--labels", table, "--out", out)
    assert "a graph of correlations is made of training subjects alone" in str(done.exception)
    done = run(
        "regions", tmp_path / "runs", "--labels", table, "--train", "sub-00,sub-01", "--density", 1, "--out", out
    )
    assert "does not say the repetition time" in str(done.exception)
    with pytest.raises(InputError, match="labels: 'sub-00_bold' has none. Give labels: a table"):
        prepare_regions(tmp_path / "runs", out, train="all", tr=2.0, density=1.0)
    assert not out.exists()
    prepare_regions(tmp_path / "runs", out, train="all", tr=2.0, labels=table, density=1.0)
    assert stx.load_dataset(out, out)[0].measured.seconds(3).tolist() == [0, 2, 4]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (
            ["regions", "x", "--picks", "eeg"],
            "--picks: got it for `regions`; it is an option of `stexplain data prep",
        ),
        (["ntu", "x", "--train", "all"], "--train: got it for a dataset's card; it is an option of"),
        (["eeg", "x", "--labels", "a.csv"], "--labels: got it for `eeg`; it is an option of"),
        (["skeletons", "x", "--tr", "2"], "--tr: got it for `skeletons`"),
    ],
)
def test_an_option_of_another_kind_is_refused(tmp_path, arguments, words):
    done = run(*arguments, "--out", tmp_path / "store")
    assert isinstance(done.exception, InputError)
    assert words in str(done.exception)


def write_epochs(folder, subjects=("01", "02", "03"), split=True):
    mne = pytest.importorskip("mne")
    folder.mkdir()
    names = ["Fz", "C3", "Cz", "C4", "Pz", "Oz"]
    info = mne.create_info(names, 100.0, "eeg", verbose="error").set_montage("colin27_1020")
    random = np.random.default_rng(0)
    kinds = {"left": 1, "right": 2}
    for subject in subjects:
        for part in range(1 + split):
            events = np.stack([np.arange(4) * 50, np.zeros(4, int), np.array([1, 2, 1, 2])], 1)
            made = mne.EpochsArray(
                random.normal(size=(4, 6, 30)) * 1e-5, info, events, tmin=-0.1, event_id=kinds, verbose="error"
            )
            made.save(folder / f"sub-{subject}_run-{part}-epo.fif", verbose="error")


def test_epochs_of_a_folder_are_prepared_by_subject(tmp_path):
    write_epochs(tmp_path / "epochs")
    out = tmp_path / "store"
    done = run("eeg", tmp_path / "epochs", "--unit", "uV", "--out", out)
    assert done.exit_code == 0, done.output
    clips, expected = stx.load_dataset(out, out), stx.load_eeg(tmp_path / "epochs", unit="uV")
    assert len(clips) == len(expected) == 24
    assert (clips.classes, clips.graph.nodes) == (["left", "right"], expected.graph.nodes)
    np.testing.assert_array_equal(clips.batch(range(24)).x, expected.batch(range(24)).x)
    assert clips[0].measured.units == ("uV",)
    np.testing.assert_allclose(clips[0].measured.seconds(30)[[0, 10]], [-0.1, 0.0], atol=1e-9)
    assert sorted(set(clips.table["subject"])) == ["sub-01", "sub-02", "sub-03"]
    assert len(set(clips.groups)) == 3
    held = stx.load_dataset(out, out, "by-subject/test")
    assert set(held.table["subject"]) == {"sub-03"}
    check_store(out)


def test_files_that_are_no_epochs_are_named(tmp_path):
    pytest.importorskip("mne")
    (tmp_path / "rest_raw.fif").write_bytes(b"no fif")
    with pytest.raises(InputError, match=r"holds no file of epochs.*rest_raw.fif is a recording that is not cut"):
        prepare_eeg(tmp_path, tmp_path / "store")
    (tmp_path / "sub-01-epo.fif").write_bytes(b"no fif")
    with pytest.raises(StexplainError, match=r"sub-01-epo.fif could not be read as epochs of EEG or MEG"):
        prepare_eeg(tmp_path, tmp_path / "store")
    assert not (tmp_path / "store").exists()
