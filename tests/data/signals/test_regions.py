"""Atlas time series: what arrays and folders become, and a graph that knows of training subjects alone."""

import json
import math

import numpy as np
import pandas as pd
import pytest

import stexplain as stx
from stexplain import STGraph
from stexplain.data import load_regions
from stexplain.errors import DataError, InputError, StexplainError

REGIONS = ["v1", "m1", "dmn"]


def signals(count=4, frames=30, seed=0):
    made = np.random.default_rng(seed).normal(size=(count, frames, 3)).astype(np.float32)
    made[..., 1:] += made[..., :1]
    return made


def bids(folder, made):
    """As fMRIPrep's users have it: a table of a run, with a header, and a JSON beside it."""
    for number, one in enumerate(made):
        where = folder / f"sub-0{number}" / "func"
        where.mkdir(parents=True)
        stem = f"sub-0{number}_task-rest_run-1_timeseries"
        pd.DataFrame(one, columns=REGIONS).to_csv(where / f"{stem}.tsv", sep="\t", index=False, na_rep="n/a")
        (where / f"{stem}.json").write_text(json.dumps({"RepetitionTime": 0.8}))
        confounds = where / f"sub-0{number}_task-rest_desc-confounds_timeseries.tsv"
        confounds.write_text("csf\twm\n1\t2\n")
    (folder / "participants.tsv").write_text(
        "participant_id\tdiagnosis\tage\n" + "".join(f"sub-0{n}\t{'mdd' if n % 2 else 'hc'}\t3{n}\n" for n in range(4))
    )


def test_the_graph_is_of_the_training_subjects_alone():
    made = signals()
    made[2:, :, 1] += np.random.default_rng(9).normal(size=(2, 30))
    clips = stx.load_regions(made, train=["0", "1"], threshold=0.3, names=REGIONS)
    # Fisher's z of each subject's correlation, worked out again.
    z = np.mean([np.arctanh(np.corrcoef(one.T.astype(float))[0, 1]) for one in made[:2]])
    place = clips.graph.edges.tolist().index([0, 1])
    assert clips.graph.weight[place] == pytest.approx(np.tanh(z), abs=1e-6)
    changed = made.copy()
    changed[2:] += 5 * np.random.default_rng(4).normal(size=(2, 30, 1))
    again = stx.load_regions(changed, train=[True, True, False, False], threshold=0.3, names=REGIONS)
    assert again.graph.hash == clips.graph.hash
    assert stx.load_regions(changed, train="all", threshold=0.3, names=REGIONS).graph.hash != clips.graph.hash
    with pytest.raises(InputError, match=r"training subjects alone.*train=\['0', ...\]"):
        stx.load_regions(made)


def test_arrays_of_any_lengths_keep_their_values():
    made = {"a": signals(1, 20)[0], "b": signals(1, 25, seed=1)[0]}
    clips = stx.load_regions(made, labels={"a": "x", "b": "y"}, train=["a"], threshold=0.3, tr=0.8)
    assert (clips.ids, clips.labels.tolist(), clips[1].x.shape) == (["a", "b"], [0, 1], (1, 25, 3, 1))
    np.testing.assert_array_equal(clips[1].x[0, :, :, 0], made["b"])
    assert clips[1].measured.seconds(3).tolist() == [0.0, 0.8, 1.6]


def test_a_folder_as_of_bids(tmp_path):
    made = signals()
    made[3, 4, 2] = np.nan
    bids(tmp_path, made)
    clips = stx.load_regions(
        tmp_path, labels=tmp_path / "participants.tsv", train=["sub-00", "sub-01", "sub-02"], threshold=0.3
    )
    assert clips.graph.nodes == tuple(REGIONS)
    assert clips.table["subject"].tolist() == [f"sub-0{n}" for n in range(4)]
    assert [clips.classes[label] for label in clips.labels] == ["hc", "mdd", "hc", "mdd"]
    assert clips.table["split"].tolist() == ["train"] * 3 + ["test"]
    np.testing.assert_allclose(clips[0].x[0, :, :, 0], made[0], rtol=1e-5)
    assert not clips[3].observed[0, 4, 2]
    assert clips[3].observed.sum() == 30 * 3 - 1
    assert clips[0].measured.frame_rate == pytest.approx(1.25)


@pytest.mark.parametrize("ending", ["csv", "npy", "txt", "1D"])
def test_tables_without_a_header_lose_no_row(tmp_path, ending):
    made = signals(2, 12)
    for number, one in enumerate(made):
        path = tmp_path / f"p{number}.{ending}"
        if ending == "npy":
            np.save(path, one)
        else:
            np.savetxt(path, one, delimiter="," if ending == "csv" else " ")
    clips = stx.load_regions(tmp_path, labels={"p0": "a", "p1": "b"}, train="all", threshold=0.3)
    np.testing.assert_allclose(clips.batch([0, 1]).x[:, 0, :, :, 0], made, rtol=1e-5)
    assert clips.graph.nodes == ("0", "1", "2")
    assert clips.measured.frame_rate is None


def test_an_npz_says_subjects_labels_and_names(tmp_path):
    made = signals()
    np.savez(tmp_path / "all.npz", data=made, subjects=["p", "q", "r", "s"], labels=[1, 0, 1, 0], names=REGIONS, tr=2.0)
    clips = stx.load_regions(tmp_path / "all.npz", train=["p", "q"], threshold=0.3)
    assert (clips.ids, clips.classes, clips.labels.tolist()) == (list("pqrs"), ["0", "1"], [1, 0, 1, 0])
    assert clips.graph.nodes == tuple(REGIONS)
    assert clips.measured.frame_rate == 0.5


def _broken(folder, text, name="sub-01.csv"):
    (folder / name).write_text(text)
    return folder


@pytest.mark.parametrize(
    ("make", "options", "message"),
    [
        (lambda _: np.zeros((4, 5)), {}, r"got shape \(4, 5\); expected \[subjects, time, regions\].*data\[None\]"),
        (lambda _: [np.zeros((9, 3)), np.zeros((3, 9))], {}, r"'1' has 9 regions, '0' 3.*transposed"),
        (lambda _: signals(), {"names": ["a"] * 30}, r"got 30 for 3 regions.*\[subjects, regions, time\]"),
        (lambda _: signals(), {"labels": ["a"]}, r"labels: got 1 for 4 runs"),
        (lambda _: signals(), {"labels": {"0": "a"}}, r"labels: got none for '1' \(3 of 4 runs\)"),
        (
            lambda _: {"0050002": signals()[0]},
            {"labels": {50020: "a"}},
            r"labels: got none for '0050002' \(1 of 1 runs\).* Labels are given of '50020'\. Leave its file out",
        ),
        (lambda _: signals(), {"train": ["7"]}, r"unknown subject of training '7'"),
        (lambda _: signals(), {"tr": -1.0}, r"tr: got -1.0; expected seconds, a finite number above 0"),
        (lambda _: signals(), {"tr": math.inf}, r"tr: got inf; expected seconds, a finite number above 0"),
        (lambda folder: folder / "none", {}, r"there is no .*none"),
        (lambda folder: folder, {}, r"holds no .csv, .tsv.*It holds: nothing"),
        (lambda folder: _broken(folder, "a,b\n1,2\n3,x\n"), {}, r"sub-01.csv, line 3: column 'b' holds 'x'"),
        (lambda folder: _broken(folder, "a,b\n1,True\n3,False\n"), {}, r"sub-01.csv, line 2: column 'b' holds True"),
        (lambda folder: _broken(folder, "a,b\n"), {}, r"sub-01.csv holds no row"),
        (lambda folder: _broken(folder, f"a,b\n1,{10**400}\n"), {}, r"line 2: column 'b' holds an integer of more"),
        (
            lambda folder: _broken(_broken(folder, "a,b\n1,2\n"), f'{{"RepetitionTime": {10**400}}}', "sub-01.json"),
            {},
            r"sub-01.json is not valid JSON: an integer of 401 digits",
        ),
        (lambda folder: _broken(folder, "", "a.npy"), {}, r"a.npy could not be read as npy"),
        (lambda folder: _broken(folder, "no zip", "a.npz") / "a.npz", {}, r"a.npz could not be read as npz"),
    ],
)
def test_what_does_not_fit_is_said(tmp_path, make, options, message):
    with pytest.raises(StexplainError, match=message):
        stx.load_regions(make(tmp_path), **{"train": "all", "threshold": 0.3, **options})


def test_files_that_disagree_are_refused(tmp_path):
    made = signals()
    bids(tmp_path, made)
    path = next(tmp_path.rglob("sub-02*run-1*.tsv"))
    path.write_text(path.read_text().replace("v1\tm1", "v2\tm1", 1))
    with pytest.raises(DataError, match="the runs name their regions differently, such as"):
        stx.load_regions(tmp_path, train="all")
    path.write_text(path.read_text().replace("v2\tm1", "v1\tm1", 1))
    path.with_suffix(".json").write_text(json.dumps({"RepetitionTime": 2}))
    with pytest.raises(InputError, match=r"repetition times.*Give tr="):
        stx.load_regions(tmp_path, train="all")


def test_a_region_that_was_not_read_gives_no_correlation():
    made = signals()
    made[0, 3, 1] = np.nan
    with pytest.raises(InputError, match=r"'0', region 'm1', has missing values"):
        stx.load_regions(made, train=["0"], names=REGIONS)


@pytest.mark.parametrize("time", [float("inf"), float("nan"), 0, -2.0, "2", True, 1e-320, 10**299 * 10**10])
def test_a_repetition_time_that_is_no_time_is_refused_with_its_file(time, tmp_path):
    bids(tmp_path, signals())
    path = tmp_path / "sub-01" / "func" / "sub-01_task-rest_run-1_timeseries.json"
    path.write_text(json.dumps({"RepetitionTime": time}))
    with pytest.raises(DataError, match=r"sub-01_task-rest_run-1_timeseries\.json"):
        stx.load_regions(tmp_path, train="all")
    if isinstance(time, float):
        np.savez(tmp_path / "all.npz", data=signals(), tr=np.array(time))
        with pytest.raises(DataError, match=r"all\.npz: the repetition time is"):
            stx.load_regions(tmp_path / "all.npz", train="all")


def test_a_gap_in_a_region_names_the_file(tmp_path):
    made = signals()
    made[1, 3, 2] = np.nan
    bids(tmp_path, made)
    with pytest.raises(InputError, match=r"sub-01_task-rest_run-1_timeseries\.tsv, region 'dmn', has missing values"):
        stx.load_regions(tmp_path, train="all")


def test_regions_in_another_order_go_where_their_names_are():
    xarray = pytest.importorskip("xarray")
    values = np.random.default_rng(0).normal(size=(2, 40, 3)).astype(np.float32)
    values[..., 1] += 3 * values[..., 0]
    frames = [pd.DataFrame(one, columns=list("abc")) for one in values]
    turned = [frames[0], frames[1][["c", "b", "a"]]]
    arrays = [xarray.DataArray(one, dims=("time", "region")) for one in turned]
    cube = xarray.DataArray(values, dims=("subject", "time", "region"), coords={"region": list("abc")})
    graph = STGraph.from_edges("abc", [("a", "b"), ("b", "c")])
    for given in (frames, turned, arrays, [arrays[0], arrays[1].T], cube, cube.transpose("region", "subject", "time")):
        clips = load_regions(given, graph=graph)
        np.testing.assert_array_equal(clips.batch([0, 1]).x[:, 0, :, :, 0], values)
        assert clips.graph.nodes == ("a", "b", "c")
    with pytest.raises(InputError, match="dimensions scan, time, region; expected subject, time, region"):
        load_regions(cube.rename(subject="scan"), graph=graph)


def test_what_is_masked_or_missing_in_a_run_was_not_read():
    values = np.random.default_rng(0).normal(size=(2, 40, 3)).astype(np.float32)
    graph = STGraph.from_edges("012", [("0", "1"), ("1", "2")])
    masked = np.ma.masked_greater(values, 1.5)
    nullable = [pd.DataFrame(one).astype("Float32").mask(pd.DataFrame(one) > 1.5) for one in values]
    for given in (masked, list(masked), nullable):
        batch = load_regions(given, graph=graph).batch([0, 1])
        np.testing.assert_array_equal(batch.observed[:, 0], values <= 1.5)


@pytest.mark.parametrize("lost", [None, float("nan"), pd.NA])
def test_a_label_that_is_missing_is_no_class(lost):
    graph = STGraph.from_edges("012", [("0", "1"), ("1", "2")])
    made = signals(2)
    for given in (
        ["hc", lost],
        pd.array(["hc", lost if lost is not None else pd.NA], "string"),
        pd.Categorical(["hc", lost]),
    ):
        clips = load_regions(made, labels=given, graph=graph)
        assert (clips.classes, clips.labels.tolist()) == (["hc"], [0, -1])
    by_name = {"0": "hc", "1": lost}
    for given in (by_name, pd.Series(by_name), pd.DataFrame({"id": ["0", "1"], "label": ["hc", lost]})):
        with pytest.raises(DataError, match="'1' has no label"):
            load_regions(made, labels=given, graph=graph)


def test_places_of_regions_are_matched_by_the_names_of_a_table():
    places = pd.DataFrame({"x": [3.0, 2.0, 1.0], "y": [0.0, 0.5, 1.0], "z": 9.0}, index=REGIONS[::-1])
    clips = load_regions(signals(), names=REGIONS, train="all", threshold=0.1, positions=places)
    assert clips.graph.positions.tolist() == [[1, 1], [2, 0.5], [3, 0]]


def test_a_table_of_labels_for_an_array_asks_for_the_names_of_its_subjects():
    signals = np.random.default_rng(0).normal(size=(4, 30, 5))
    line = STGraph.from_edges("01234", [("0", "1"), ("1", "2"), ("2", "3"), ("3", "4")])
    table = pd.DataFrame({"participant_id": ["a", "b", "c", "d"], "label": ["x", "y", "x", "y"]})
    with pytest.raises(InputError, match=r"got none for '0' \(4 of 4 runs\).*subjects=table\['participant_id'\]"):
        load_regions(signals, labels=table, graph=line)
    # As the message says.
    by_name = load_regions(signals, labels=table, graph=line, subjects=table["participant_id"])
    in_order = load_regions(signals, labels=table["label"].tolist(), graph=line)
    assert by_name.labels.tolist() == in_order.labels.tolist() == [0, 1, 0, 1]
