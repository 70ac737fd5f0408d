"""Skeletons of one's own as a store with a card, from Python and from the command line."""

import json
import pickle

import numpy as np
import pytest
from typer.testing import CliRunner

from stexplain.cards import dataset_card
from stexplain.cli.main import app
from stexplain.data import load_dataset, load_skeletons
from stexplain.data.skeletons.prepare import prepare_skeletons
from stexplain.data.store.check import check_store
from stexplain.errors import DataError, InputError, StexplainError
from tests.data.skeletons.written import BVH, LINE, annotation, skeletons, tidy, walk

PARTS = ("train", "validation", "test")


def labelled(folder, subjects=4):
    names = [f"patient {number}" for number in range(8)]
    skeletons(folder / "raw", names)
    rows = [
        f"{name}.skeleton,{'gait' if number % 2 else 'sit'},{number % subjects}" for number, name in enumerate(names)
    ]
    (folder / "labels.csv").write_text("\n".join(["file,label,subject", *rows]))
    return folder / "raw", folder / "labels.csv"


def test_a_folder_of_recordings_from_the_command_line(tmp_path):
    raw, labels = labelled(tmp_path)
    arguments = ["data", "prepare", "skeletons", str(raw), "--labels", str(labels), "--out", str(tmp_path / "store")]
    result = CliRunner().invoke(app, [*arguments, "--json"])
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["kept"] == 8
    check_store(tmp_path / "store")
    card = dataset_card(tmp_path / "store")
    assert card.class_names == ["gait", "sit"]
    parts = [load_dataset(card, tmp_path / "store", f"by-subject/{part}") for part in ("train", "validation", "test")]
    subjects = [set(part.table["subject"].astype(str)) for part in parts]
    assert set.union(*subjects) == {"0", "1", "2", "3"}
    assert sum(map(len, subjects)) == 4, "no subject is in two parts"
    again = CliRunner().invoke(app, arguments)
    assert "exists" in str(again.exception)


def test_the_store_holds_what_was_loaded(tmp_path):
    tidy(tmp_path / "t.csv", drop=[("a", 2, 1), ("b", 3, 0)])
    clips = load_skeletons(tmp_path / "t.csv", graph=LINE)
    prepare_skeletons(tmp_path / "t.csv", tmp_path / "store", graph=LINE)
    stored = load_dataset(tmp_path / "store", tmp_path / "store")
    for one, other in zip(stored, clips, strict=True):
        np.testing.assert_array_equal(one.x, other.x)
        np.testing.assert_array_equal(one.observed, other.observed)
        assert (one.id, one.label) == (other.id, other.label)
    assert stored.graph.nodes == LINE.nodes


def test_the_files_own_splits_are_protocols(tmp_path):
    made = [annotation(f"v{number}", number % 2, number) for number in range(6)]
    split = {"xsub_train": ["v0", "v1", "v2", "v3"], "xsub_val": ["v4", "v5"], "xview_train": ["v2", "v3", "v4"],
             "xview_val": ["v0", "v1", "v5"]}  # fmt: skip
    (tmp_path / "own.pkl").write_bytes(pickle.dumps({"split": split, "annotations": made}))
    prepare_skeletons(tmp_path / "own.pkl", tmp_path / "store", graph="coco-17")
    for name in ("xsub", "xview"):
        train = load_dataset(tmp_path / "store", tmp_path / "store", f"{name}/train+validation")
        assert set(train.ids) == set(split[f"{name}_train"])
        test = load_dataset(tmp_path / "store", tmp_path / "store", f"{name}/test")
        assert set(test.ids) == set(split[f"{name}_val"])
        # The splits name nothing for early stopping: some of the training part is, and none of the other.
        held = load_dataset(tmp_path / "store", tmp_path / "store", f"{name}/validation")
        assert 0 < len(held) < len(train)


def test_a_split_into_three_stops_by_its_own_validation_part(tmp_path):
    made = [annotation(f"v{number}", number % 2, number) for number in range(6)]
    split = {"train": ["v0", "v1", "v2"], "val": ["v3"], "test": ["v4", "v5"]}
    (tmp_path / "own.pkl").write_bytes(pickle.dumps({"split": split, "annotations": made}))
    prepare_skeletons(tmp_path / "own.pkl", tmp_path / "store", graph="coco-17")
    for part, expected in zip(PARTS, split.values(), strict=True):
        assert load_dataset(tmp_path / "store", tmp_path / "store", f"own/{part}").ids == expected


def test_ctrgcns_split_of_two_holds_a_part_of_training_out(tmp_path):
    x = np.stack([walk(6, 25, 3, seed=number).reshape(6, 75) for number in range(24)])
    np.savez(tmp_path / "a.npz", x_train=x[:20], y_train=np.arange(20) % 2, x_test=x[20:], y_test=np.arange(4) % 2)
    prepare_skeletons(tmp_path / "a.npz", tmp_path / "store")
    parts = {part: load_dataset(tmp_path / "store", tmp_path / "store", f"own/{part}").ids for part in PARTS}
    assert set(parts["test"]) == {f"test {number}" for number in range(4)}
    assert sorted([*parts["train"], *parts["validation"]]) == sorted(f"train {number}" for number in range(20))
    assert 1 <= len(parts["validation"]) <= 4


def test_names_of_any_kind_are_written_as_text(tmp_path):
    raw, _ = labelled(tmp_path)
    labels = {f"patient {number}": 'sit "down"\\n' if number % 2 else "écouter = [1]" for number in range(8)}
    prepare_skeletons(raw, tmp_path / "store", labels=labels)
    assert set(dataset_card(tmp_path / "store").class_names) == set(labels.values())


def test_a_store_without_labels_is_refused_and_leaves_nothing(tmp_path):
    skeletons(tmp_path / "raw", ["a"])
    with pytest.raises(InputError, match="labels: 'a' has none"):
        prepare_skeletons(tmp_path / "raw", tmp_path / "store")
    assert {path.name for path in tmp_path.iterdir()} == {"raw"}


def test_options_of_one_are_refused_for_the_other(tmp_path):
    raw, labels = labelled(tmp_path)
    result = CliRunner().invoke(app, ["data", "prepare", "ntu", str(raw), "--labels", str(labels), "--out", "x"])
    assert "--labels: got it for a dataset's card; it is an option of `stexplain data prepare skeletons`" in str(
        result.exception
    )


def test_the_formats_are_listed():
    shown = CliRunner().invoke(app, ["data", "list"]).output
    for name in ("pyskl", "openpose", "bvh", "c3d", "ctrgcn"):
        assert name in shown


def test_a_frame_rate_is_what_was_said_and_never_assumed(tmp_path):
    tidy(tmp_path / "t.csv")
    prepare_skeletons(tmp_path / "t.csv", tmp_path / "unsaid", graph=LINE)
    assert dataset_card(tmp_path / "unsaid").axes.frame_rate is None
    clips = load_dataset(tmp_path / "unsaid", tmp_path / "unsaid")
    assert clips.measured.frame_rate is None
    # Its owner completes the card that was written.
    card = tmp_path / "unsaid" / "card.toml"
    card.write_text(card.read_text().replace("# frame_rate = 30.0", "frame_rate = 50.0"))
    assert load_dataset(tmp_path / "unsaid", tmp_path / "unsaid")[0].measured.frame_rate == 50
    # Or says it beforehand.
    arguments = ["data", "prepare", "skeletons", str(tmp_path / "t.csv"), "--out", str(tmp_path / "said")]
    refused = CliRunner().invoke(app, [*arguments, "--frame-rate", "-1"])
    assert "--frame-rate: got -1" in str(refused.exception)
    prepare_skeletons(tmp_path / "t.csv", tmp_path / "said", graph=LINE, frame_rate=12.5)
    assert dataset_card(tmp_path / "said").axes.frame_rate == 12.5
    with pytest.raises(InputError, match="^frame_rate: got 0"):
        load_skeletons(tmp_path / "t.csv", graph=LINE, frame_rate=0)


def test_the_frame_rate_of_files_that_state_it(tmp_path):
    pytest.importorskip("bvh")
    (tmp_path / "walk.bvh").write_text(BVH)
    assert load_skeletons(tmp_path / "walk.bvh")[0].measured.frame_rate == 40
    assert load_skeletons(tmp_path / "walk.bvh", frame_rate=7)[0].measured.frame_rate == 7
    (tmp_path / "slow.bvh").write_text(BVH.replace("0.025", "0.5"))
    with pytest.warns(UserWarning, match="different frame rates"):
        clips = load_skeletons(tmp_path)
    assert clips.measured.frame_rate is None


def test_channels_are_named_on_the_command_line_and_stay_so_in_the_store(tmp_path):
    x = np.random.default_rng(0).normal(size=(12, 9, 17, 6)).astype(np.float32)
    np.savez(tmp_path / "imu.npz", x=x, y=np.arange(12) % 2)
    arguments = ["data", "prepare", "skeletons", str(tmp_path / "imu.npz"), "--graph", "coco-17", "--axes", "b t n c"]
    arguments += ["--out", str(tmp_path / "store"), "--channels"]
    few = CliRunner().invoke(app, [*arguments, "ax,ay,az"])
    assert "got 3 names" in str(few.exception)
    assert not (tmp_path / "store").exists()
    result = CliRunner().invoke(app, [*arguments, "ax, ay, az, gx, gy, gz"])
    assert result.exit_code == 0, result.output
    names = ["ax", "ay", "az", "gx", "gy", "gz"]
    assert dataset_card(tmp_path / "store").axes.channels == names
    clips = load_dataset(tmp_path / "store", tmp_path / "store")
    assert clips.channels == names
    # A card of one's own that names another number of them does not fit the store.
    card = tmp_path / "card.toml"
    card.write_text((tmp_path / "store" / "card.toml").read_text().replace('"gz"', '"gz", "temperature"'))
    with pytest.raises(StexplainError, match="channels"):
        load_dataset(card, tmp_path / "store")


# A joint of two neighbours has a row for each: `tip` closes a ring.
OWN = {"root": (0, []), "hand": (1, ["root"]), "head": (2, ["root"]), "tip": (3, ["hand", "head"])}


def test_a_skeleton_of_ones_own_from_a_table_of_joints(tmp_path):
    rows = [f"{name},{parent},{x},0" for name, (x, parents) in OWN.items() for parent in parents or [""]]
    (tmp_path / "own.csv").write_text("\n".join(["joint,parent,x,y", *rows]))
    np.savez(tmp_path / "clips.npz", x=np.random.default_rng(0).normal(size=(6, 20, 4, 2)), y=np.arange(6) % 2)
    arguments = [str(tmp_path / "clips.npz"), "--axes", "b t n c", "--graph", str(tmp_path / "own.csv")]
    result = CliRunner().invoke(
        app, ["data", "prepare", "skeletons", *arguments, "--out", str(tmp_path / "store"), "--json"]
    )
    assert result.exit_code == 0, (result.output, result.exception)
    graph = load_dataset(tmp_path / "store", tmp_path / "store").graph
    # In the order of the table, which is that of the array's joints.
    assert graph.nodes == tuple(OWN)
    assert {frozenset(graph.nodes[end] for end in edge) for edge in graph.edges} == {
        frozenset((name, parent)) for name, (_, parents) in OWN.items() for parent in parents
    }
    assert graph.positions.tolist() == [[x, 0] for x, _ in OWN.values()]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("from,to\na,b\n", "got the columns from, to; expected a row for each joint"),
        ("joint,parent\na,\nb,c\n", "line 3: got the parent 'c' of 'b'; expected another joint"),
        ("joint,parent\na,a\n", "line 2: got the parent 'a' of 'a'"),
        ("joint,parent\na,\n,a\n", "line 3: got a row without a joint"),
        ("joint,parent,x,y\na,,0,0\nb,a,1,\n", "line 3: got no number as x or y"),
        ("joint,parent,x,y\na,,0,inf\n", "line 2: got no number as x or y"),
    ],
)
def test_a_table_of_joints_that_is_none(tmp_path, text, message):
    np.savez(tmp_path / "clips.npz", x=np.zeros((6, 20, 4, 2)), y=np.arange(6) % 2)
    (tmp_path / "own.csv").write_text(text)
    with pytest.raises(DataError, match=message):
        load_skeletons(tmp_path / "clips.npz", graph=tmp_path / "own.csv")
