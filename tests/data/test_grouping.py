import numpy as np
import pandas as pd
import pytest
import torch

from stexplain.cards import dataset_card
from stexplain.data.clips import Clips
from stexplain.data.grouping import clip_groups, split_groups, with_groups
from stexplain.data.samples import Batch
from stexplain.errors import DataError, InputError
from stexplain.graph import STGraph


def clips(**options: object) -> Clips:
    graph = STGraph.from_edges("ab", [("a", "b")])
    return Clips.from_arrays(np.ones((4, 1, 5, 2, 3)), [0, 1, 0, 1], graph=graph, **options)


def test_every_clip_of_a_users_own_is_a_group_unless_told() -> None:
    assert clips().groups.tolist() == ["0", "1", "2", "3"]
    told = clips(fields={"group": [7, 7, 8, 8]})
    assert told.groups.tolist() == ["group 7", "group 7", "group 8", "group 8"]
    assert told.subset([3, 0]).groups.tolist() == ["group 8", "group 7"]


def test_samples_and_batches_know_their_groups() -> None:
    told = clips(fields={"group": [7, 7, 8, 8]})
    assert told[2].group == "group 8"
    batch = told.batch([1, 2, 3])
    assert batch.groups == ("group 7", "group 8", "group 8")
    assert batch[1:].groups == batch.groups[1:]
    assert Batch.of(told[0], told[3]).groups == ("group 7", "group 8")
    # Of a tensor nothing is known.
    assert Batch(batch.x, batch.valid, batch.label, batch.ids)[:2].groups == ()
    assert torch.equal(batch.to("cpu").x, batch.x)


def test_the_outermost_level_of_the_card_decides() -> None:
    table = pd.DataFrame(
        {"id": list("wxyz"), "label": [0, 0, 1, 0], "subject": [3, 3, 3, 4], "camera": [1, 2, 1, 1],
         "setup": 1, "replication": 1}
    )  # fmt: skip
    grouping = dataset_card("ntu").grouping
    assert clip_groups(table, grouping).tolist() == ["subject 3"] * 3 + ["subject 4"]
    # Two cameras film one performance.
    one, two, other, person = clip_groups(table, grouping, "performance")
    assert one == two
    assert len({one, other, person}) == 3
    with pytest.raises(InputError, match="performanse"):
        clip_groups(table, grouping, "performanse")
    with pytest.raises(DataError, match="grouping: got the field 'subject'"):
        clip_groups(table.drop(columns="subject"), grouping)


@pytest.mark.parametrize("seed", range(5))
def test_a_split_keeps_groups_together_and_takes_a_share_of_each_class(seed):
    groups = np.repeat([f"person {number}" for number in range(20)], 3)
    labels = np.repeat(np.arange(20) % 2, 3)
    tested = split_groups(groups, labels, 0.3, seed)
    assert not set(groups[tested]) & set(groups[~tested])
    assert [(tested & (labels == label)).sum() for label in (0, 1)] == [9, 9]
    assert not np.array_equal(tested, split_groups(groups, labels, 0.3, seed + 10))


def test_a_class_of_one_group_is_trained_on_and_one_group_cannot_be_split():
    tested = split_groups(np.array(["a", "b", "c"]), np.array([0, 0, 1]), 0.5)
    assert not tested[2]
    assert tested[:2].sum() == 1
    # Groups that are all alone in their class: one of them is tested.
    assert split_groups(np.array(["a", "b"]), np.array([0, 1])).sum() == 1
    with pytest.raises(InputError, match="got 1 group of clips; expected at least 2"):
        split_groups(np.array(["a", "a"]), np.array([0, 1]))
    with pytest.raises(InputError, match="got a share of 1"):
        split_groups(np.array(["a", "b"]), np.array([0, 1]), 1.0)


ARMS = ["patient", "patient", "patient", "control", "control", "control"]


@pytest.mark.parametrize("labels", [ARMS, ["a", "b", "a", "b", "a", "b"]])
def test_groups_that_are_compared_are_no_clips_that_depend_on_each_other(labels):
    subjects = ["1", "1", "2", "3", "3", "4"]
    with pytest.warns(
        UserWarning, match=r"the column 'group' has 2 values, 'control', 'patient', .*; those of a subject"
    ):
        found = with_groups({"subject": subjects, "group": ARMS}, labels)
    assert (found["group"], found["group_"]) == (subjects, ARMS)


def test_without_subjects_such_a_column_is_left_out_and_asked_about():
    with pytest.warns(UserWarning, match="give a column 'subject'"):
        assert with_groups({"group": ARMS}, ARMS) == {"group_": ARMS}


@pytest.mark.parametrize(
    ("group", "labels"),
    [
        (["p1", "p1", "p2", "p2"], ["a", "b", "a", "b"]),
        (["f1", "f1", "f2", "f3"], ["a", "a", "b", "b"]),
        (["s1", "s2", "s3", "s4"], ["a", "b", "c", "d"]),
    ],
)
def test_persons_and_families_stay_groups(group, labels):
    assert with_groups({"group": group}, labels) == {"group": group}
