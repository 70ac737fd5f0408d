"""Importance of edges as tables: by edge, by pair, by frame, and a row for each number that is not zero."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from stexplain.errors import InputError
from stexplain.explainers.edge_explanation import EdgeExplanation, EdgeFrames

# Two blocks: a -> b, b -> a and a loop at c in the first, which knows its frames; a -> b and c -> b in the second.
SOURCE, TARGET = ("a", "b", "c", "a", "c"), ("b", "a", "c", "b", "b")
RELATION, BLOCK = ("out", "in", "self", "out", "out"), ("one", "one", "one", "two", "two")
BY_FRAME = np.array([[[1.0, 0.0, 2.0], [-3.0, 0.5, 0.0]], [[0.0, 0.0, 0.0], [4.0, 0.0, -1.0]]])
OF_SECOND = np.array([[10.0, 0.0], [20.0, -30.0]])
VALUES = np.concatenate([BY_FRAME.sum(1), OF_SECOND], 1)
E = EdgeExplanation(
    VALUES, SOURCE, TARGET, RELATION, BLOCK, ids=("x", "y"), node_names=("c", "a", "b"),
    over_time={"one": EdgeFrames(np.array([0.0, 2.0]), BY_FRAME.astype(np.float32))},
)  # fmt: skip


def test_a_row_for_each_number_that_is_not_zero():
    """By block, sample, frame and edge; a block without known frames has one number per edge."""
    expected = [
        ("x", 0, "a", "b", 1.0, "one", "out"), ("x", 0, "c", "c", 2.0, "one", "self"),
        ("x", 2, "a", "b", -3.0, "one", "out"), ("x", 2, "b", "a", 0.5, "one", "in"),
        ("y", 2, "a", "b", 4.0, "one", "out"), ("y", 2, "c", "c", -1.0, "one", "self"),
        ("x", pd.NA, "a", "b", 10.0, "two", "out"), ("y", pd.NA, "a", "b", 20.0, "two", "out"),
        ("y", pd.NA, "c", "b", -30.0, "two", "out"),
    ]  # fmt: skip
    table = E.to_frame()
    assert list(table.columns) == ["sample", "frame", "source", "target", "importance", "block", "relation"]
    assert table["frame"].dtype == "Int64"
    assert [tuple(row) for row in table.itertuples(index=False)] == expected
    # Without names samples are numbered.
    assert replace(E, ids=()).to_frame()["sample"].unique().tolist() == [0, 1]


@pytest.mark.parametrize(
    ("frames", "kind", "found"),
    [([0.0, 2.0], "int64", [0, 0, 2, 2, 2, 2]), ([0.5, 2.5], "float64", [0.5, 0.5, 2.5, 2.5, 2.5, 2.5])],
)
def test_frames_are_whole_numbers_unless_one_lies_between_two(frames, kind, found):
    alone = EdgeExplanation(
        VALUES[:, :3], SOURCE[:3], TARGET[:3], RELATION[:3], BLOCK[:3],
        over_time={"one": EdgeFrames(np.array(frames), BY_FRAME.astype(np.float32))},
    )  # fmt: skip
    assert alone.to_frame()["frame"].dtype == kind
    assert alone.to_frame()["frame"].tolist() == found
    # Beside a block without frames, those between two stay as they are.
    beside = replace(E, over_time={"one": EdgeFrames(np.array(frames), BY_FRAME.astype(np.float32))})
    assert beside.to_frame()["frame"].dropna().tolist() == found


def test_pairs_add_up_both_directions_and_all_blocks_in_the_order_of_the_nodes():
    """c comes first in the graph: of c -> b and the loop it is the source, and a is that of the rest."""
    table = E.pairs(0)
    assert table.to_numpy().tolist() == [["c", "c", 2.0], ["c", "b", 0.0], ["a", "b", -2.0 + 0.5 + 10.0]]
    assert E.pairs()["value"].tolist() == [1.0, -30.0, -2.0 + 0.5 + 10.0 + 4.0 + 20.0]
    assert E.edges()["value"].tolist() == VALUES.sum(0).tolist()
    assert E.edges(1)["value"].tolist() == VALUES[1].tolist()
    assert repr(E).endswith("in 2 samples: 5 edges of 2 blocks; most important: a - b>")
    # A forecast has no class: what lowers it counts as what raises it.
    lowered = replace(E, values=-np.abs(VALUES), targets=np.array([-1, -1]))
    assert repr(lowered).endswith("most important: a - b, c - b>")
    assert repr(replace(lowered, targets=np.array([0, 1]))).endswith("most important: none>")
    none = EdgeExplanation(np.zeros((1, 0)), (), (), (), ())
    assert (len(none.pairs()), len(none.to_frame())) == (0, 0)
    assert repr(none) == "<EdgeExplanation of unknown target in 1 sample: 0 edges of 0 blocks; most important: none>"


def test_by_frame_adds_up_blocks_at_the_frames_that_each_reaches():
    second = EdgeFrames(np.array([1.0, 2.0]), np.stack([OF_SECOND, OF_SECOND], 1).astype(np.float32))
    both = replace(E, values=VALUES, over_time={**E.over_time, "two": second})
    table = both.by_frame(1)
    assert table.columns.tolist() == [0.0, 1.0, 2.0]
    assert table.loc[("a", "b")].tolist() == [0.0, 20.0, 24.0]
    assert table.loc[("c", "b")].tolist() == [0.0, -30.0, -30.0]
    assert table.loc[("b", "a")].tolist() == [0.0, 0.0, 0.0]
    # Of a block whose frames are not known nothing is there.
    assert E.by_frame(0).loc[("a", "b")].tolist() == [1.0, -3.0]
    assert ("c", "b") not in E.by_frame(0).index


@pytest.mark.parametrize("sample", [-1, 2])
@pytest.mark.parametrize("table", ["edges", "pairs", "by_frame"])
def test_there_is_no_other_sample(table, sample):
    with pytest.raises(InputError, match=f"sample: got {sample}; expected 0 to 1"):
        getattr(E, table)(sample)


def test_what_does_not_fit_is_named():
    with pytest.raises(InputError, match="no block whose frames are known"):
        replace(E, over_time={}).by_frame(0)
    with pytest.raises(InputError, match=r"values has shape \(5,\)"):
        replace(E, values=VALUES[0])
    for name in ("source", "target", "relation", "block"):
        with pytest.raises(InputError, match=f"{name} has 4 entries; expected 5, one per edge"):
            replace(E, over_time={}, **{name: getattr(E, name)[:4]})
    for name in ("ids", "score", "targets"):
        with pytest.raises(InputError, match=name):
            replace(E, **{name: ("x",) if name == "ids" else np.zeros(1)})
    for wrong in (EdgeFrames(np.zeros(1), BY_FRAME), EdgeFrames(np.zeros(2), BY_FRAME[:, :, :2])):
        with pytest.raises(InputError, match=r"over_time\['one'\]"):
            replace(E, over_time={"one": wrong})
