"""Persons: joined where their id changed, told from furniture."""

import re

import numpy as np
import pandas as pd
import pytest

from stexplain.cli.data import data_app as app
from stexplain.data.load import load_dataset
from stexplain.data.store.check import check_store
from stexplain.data.store.prepare import prepare
from stexplain.data.store.prepared import Store
from stexplain.data.store.tracking import furniture, joined_tracks, linked, persons
from stexplain.errors import InputError
from tests.data.skeleton_files import write_ntu
from tests.data.skeletons.written import walk


def gap(track, keep):
    return np.where(keep[:, None, None], track, np.float32(np.nan))


def test_one_person_whose_id_changes_midway_is_one():
    whole = walk(40, 25, 3)
    at = np.arange(40)
    joined, said = joined_tracks(np.stack([gap(whole, at < 18), gap(whole, at >= 20)]), 3)
    assert len(joined) == 1
    np.testing.assert_array_equal(np.isnan(joined[0]).all((1, 2)), (at == 18) | (at == 19))
    assert [(one.body, one.kind) for one in said] == [(1, "joined")]


def test_two_persons_are_two():
    one, other = walk(40, 25, 3), walk(40, 25, 3, 1, at=3)
    at = np.arange(40)
    for values in (np.stack([one, other]), np.stack([gap(one, at < 20), gap(other, at >= 20)])):
        joined, said = joined_tracks(values, 3)
        assert len(joined) == 2
        assert said == []


def test_furniture_by_its_rules():
    person = walk(60, 25, 3)
    flat = person[..., [1, 0, 2]] + 3  # wider than high
    still = np.repeat(walk(1, 25, 3, 2, at=2), 60, 0)
    short = gap(walk(60, 25, 3, 3, at=1), np.arange(60) < 11)
    found = furniture(np.stack([person, flat, still, short]), 3)
    assert [(one.body, one.kind) for one in found] == [(1, "spread"), (2, "still"), (3, "short")]
    assert furniture(flat[None], 3) == [], "the only body stays"
    assert furniture(np.stack([flat, still]), 3) == [], "one stays where all would go"


def test_bodies_in_any_order_are_linked_over_gaps():
    one, other = walk(12, 17, seed=0), walk(12, 17, seed=1, at=4)
    frames = [np.stack([one[t], other[t]][:: 1 if t % 3 else -1]) for t in range(12)]
    frames[5] = frames[5][:0]
    tracks, said = linked(frames, 2)
    assert len(tracks) == 2
    assert [(one.body, one.kind) for one in said] == [(0, "linked"), (1, "linked")]
    assert "over 11 frames by where its joints are, 11 of them with others" in said[0].reason
    assert said[0].reason.endswith("at most, away for up to 1 frame")
    first, second = (one, other) if np.allclose(tracks[0, 0], one[0]) else (other, one)
    seen = np.arange(12) != 5
    np.testing.assert_array_equal(tracks[0, seen], first[seen])
    np.testing.assert_array_equal(tracks[1, seen], second[seen])


@pytest.mark.parametrize(
    ("gap", "far", "persons"),
    [(0, 0.4, 1), (0, 0.6, 2), (2, 1.4, 1), (2, 1.6, 2), (14, 1.9, 1), (14, 2.1, 2), (20, 0.4, 1), (20, 0.6, 2)],
)
def test_a_body_is_another_one_where_nobody_gets_so_soon(gap, far, persons):
    body = walk(1, 17, seed=0)[0]
    size = float(np.ptp(body[:, :2], axis=0).max())
    moved = body.copy()
    moved[:, 0] += np.float32(far * size)
    frames = [body[None], *[body[None][:0]] * gap, moved[None]]
    tracks, said = linked(frames, 2)
    assert len(tracks) == persons
    assert [one.kind for one in said] == ["linked"] * (persons == 1 and gap > 0), "one that is alone leaves no choice"


def recorded():
    """One person whose id changes after a gap of two frames, a chair between them, and a flicker."""
    whole, at = walk(60, 25, 3), np.arange(60)
    chair = np.repeat(walk(1, 25, 3, 2, at=2), 60, 0)
    flicker = gap(walk(60, 25, 3, 3, at=4), at < 5)
    return whole, np.stack([gap(whole, at < 30), chair, gap(whole, at >= 32), flicker])


def test_persons_are_named_by_the_bodies_that_were_recorded():
    whole, values = recorded()
    found, stay, said = persons(values, 3)
    assert stay == [0]
    assert [(one.body, one.kind) for one in said] == [(2, "joined"), (1, "still"), (3, "short")]
    read = ~np.isin(np.arange(60), (30, 31))
    np.testing.assert_array_equal(found[0, read], whole[read])
    assert np.isnan(found[0, ~read]).all()


@pytest.fixture
def raw(tmp_path):
    """A recording in NTU's format, of bodies 70 (a person), 71 (a chair), 72 (the person again) and 73 (a flicker)."""
    _, values = recorded()
    full = np.zeros((4, 60, 25, 12), np.float32)
    full[..., :3] = values
    write_ntu(tmp_path / "raw", "S001C001P001R001A007", {70 + number: body for number, body in enumerate(full)})
    return tmp_path / "raw"


def test_a_store_has_persons_and_says_what_was_left_out(raw, tmp_path):
    whole, _ = recorded()
    summary = prepare("ntu", raw, tmp_path / "store", workers=1, progress=False)
    assert "1 joined, 1 short, 1 still" in str(summary)
    check_store(tmp_path / "store")
    clip = load_dataset("ntu", tmp_path / "store")[0]
    read = ~np.isin(np.arange(60), (30, 31))
    np.testing.assert_array_equal(clip.valid, [read, np.zeros(60, bool)])
    np.testing.assert_allclose(clip.x[0, read], whole[read], rtol=1e-6)
    table = pd.read_csv(tmp_path / "store" / "left_out.csv")
    assert table[["sample", "body", "kind"]].values.tolist() == [
        ["S001C001P001R001A007", 72, "joined"],
        ["S001C001P001R001A007", 71, "still"],
        ["S001C001P001R001A007", 73, "short"],
    ]
    assert re.fullmatch(r"it begins 2 frames after another ends, 0\.\d\d .*: one person with body 70", table.reason[0])
    # All bodies, as they were recorded: the two that move most are kept.
    prepare("ntu", raw, tmp_path / "all", workers=1, progress=False, people=False)
    assert not (tmp_path / "all" / "left_out.csv").exists()
    assert load_dataset("ntu", tmp_path / "all")[0].valid.any(1).tolist() == [True, True]
    assert Store.open(tmp_path / "all").table.bodies.tolist() == Store.open(tmp_path / "store").table.bodies.tolist()


def test_the_command_has_a_switch(raw, tmp_path):
    command = ["prepare", "ntu", str(raw), "--out", str(tmp_path / "store")]
    app(command, standalone_mode=False)
    with pytest.raises(InputError, match="made in another way"):
        app([*command, "--all-bodies"], standalone_mode=False)
    assert (tmp_path / "store" / "left_out.csv").is_file()
    command = ["prepare", "ntu", str(raw), "--out", str(tmp_path / "all"), "--all-bodies"]
    app(command, standalone_mode=False)
    assert not (tmp_path / "all" / "left_out.csv").exists()


def test_bodies_beside_their_ground_truth_stay_as_they_are(raw, tmp_path):
    np.save(next(raw.iterdir()).with_suffix(".truth.npy"), np.ones((4, 60, 25), bool))
    prepare("ntu", raw, tmp_path / "store", workers=1, progress=False)
    assert pd.read_csv(tmp_path / "store" / "left_out.csv").empty
    assert load_dataset("ntu", tmp_path / "store")[0].valid.any(1).tolist() == [True, True]
