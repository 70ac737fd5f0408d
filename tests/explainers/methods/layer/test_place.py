"""Where a layer lies: what was measured of it, and what is declared beside that."""

from dataclasses import replace

import pytest
from torch import nn

from stexplain.axes import Layout
from stexplain.errors import InputError
from stexplain.explainers.methods.layer.place import Declared, _stride_and_offset, place_of
from stexplain.explainers.model.probe.rows import LayerAxes
from stexplain.explainers.model.probe.time import Timing

MODEL = nn.Sequential(nn.Conv2d(3, 4, 1))
SIZES = {"b": 2, "m": 1, "t": 6, "n": 5, "c": 3}
POOLED = LayerAxes(
    "0", "Conv2d", (2, 4, 1, 5), 1, False, Layout("b c 1 n"), Timing("none"), nodes=True, frames=False,
    sizes={"c": 4, "n": 5},
)  # fmt: skip
CELL = LayerAxes(
    "0", "Linear", (2, 4, 5), 6, True, Layout("b c n"), Timing("causal", 1, 0.0, 6, 0), nodes=True, frames=True,
    sizes={"c": 4, "n": 5},
)  # fmt: skip


@pytest.mark.parametrize("layout", [None, "b c 1 n", "b c t n"])
def test_a_single_position_is_no_axis_of_time_whatever_it_is_called(layout):
    """An axis of size one may have any letter: the map stands for all six frames."""
    place = place_of(MODEL, POOLED, Declared(None if layout is None else Layout(layout)), SIZES)
    assert (place.in_time, place.stride, place.offset) == (False, 6, 0)
    assert any("no axis of time" in note for note in place.notes)
    with pytest.raises(InputError, match="measured 'b c 1 n'"):
        place_of(MODEL, replace(POOLED, shape=(2, 5, 1, 5), sizes={"c": 5, "n": 5}), Declared(Layout("b n t c")), SIZES)


def test_as_many_calls_as_frames_may_be_frames_and_more_may_not():
    place = place_of(MODEL, CELL, Declared(calls="frames"), SIZES)
    assert (place.by_frame, place.in_time, place.stride, place.offset) == (True, True, 1, 0)
    with pytest.raises(InputError, match=r"ran 7 times for 6 frames.*at most one call per frame"):
        place_of(MODEL, replace(CELL, calls=7), Declared(calls="frames"), SIZES)
    with pytest.raises(InputError, match=r"got 'frames' .* ran 6 times for 6 frames"):
        place_of(MODEL, replace(CELL, by_frame=False), Declared(calls="frames"), SIZES)


def layer(axes: str, shape: tuple[int, ...], *, nodes: bool, frames: bool) -> LayerAxes:
    timing = Timing("aligned", 1, 0.0, 1, 0) if frames else Timing("none")
    sizes = dict(zip(axes.split(), shape, strict=True))
    return LayerAxes("0", "Conv2d", shape, 1, False, Layout(axes), timing, nodes=nodes, frames=frames, sizes=sizes)


@pytest.mark.parametrize(
    ("axes", "shape", "nodes", "frames", "says"),
    [
        ("b c t n", (2, 4, 6, 5), True, True, []),
        ("b c n", (2, 4, 5), True, False, ["no axis of time: its map is over nodes"]),
        ("b c t", (2, 4, 6), False, True, ["no nodes: its map is over time"]),
    ],
)
def test_a_layer_has_nodes_or_frames_or_both_and_what_it_lacks_is_said(axes, shape, nodes, frames, says):
    place = place_of(MODEL, layer(axes, shape, nodes=nodes, frames=frames), Declared(), SIZES)
    assert (place.in_time, place.stride, place.offset) == (frames, 1 if frames else 6, 0)
    assert len(place.notes) == len(says)
    assert all(words in note for words, note in zip(says, place.notes, strict=True))


@pytest.mark.parametrize(
    ("axes", "shape", "frames", "sizes"),
    [("b c", (2, 4), False, SIZES), ("b c t", (2, 4, 1), True, {**SIZES, "t": 1})],
)
def test_a_map_that_is_the_same_everywhere_is_refused(axes, shape, frames, sizes):
    measured = layer(axes, shape, nodes=False, frames=frames)
    with pytest.raises(InputError, match="neither of nodes nor of frames"):
        place_of(MODEL, measured, Declared(), sizes)
    # Of a single node there is nothing else to tell.
    assert place_of(MODEL, measured, Declared(), {**sizes, "n": 1}).in_time == frames


def test_of_a_single_frame_no_axis_of_time_is_missed():
    alone = place_of(MODEL, layer("b c n", (2, 4, 5), nodes=True, frames=False), Declared(), {**SIZES, "t": 1})
    assert (alone.notes, alone.stride) == ((), 1)


def test_which_of_several_outputs_is_explained_is_said_unless_it_was_asked_for():
    twice = replace(layer("b c t n", (2, 4, 6, 5), nodes=True, frames=True), calls=2)
    (note,) = place_of(MODEL, twice, Declared(), SIZES).notes
    assert "ran 2 times in a forward pass; its last output is explained" in note
    assert place_of(MODEL, twice, Declared(calls="last"), SIZES).notes == ()
    assert place_of(MODEL, CELL, Declared(), SIZES).notes == ()
    # The last of the calls that are frames is a map of nodes.
    place = place_of(MODEL, CELL, Declared(calls="last"), SIZES)
    assert (place.by_frame, place.in_time, place.stride) == (False, False, 6)


def test_a_place_holds_at_any_length_where_positions_follow_by_strides_alone():
    """One position for all frames, and one for each call, depend on how many frames there are."""
    in_time = place_of(MODEL, layer("b c t n", (2, 4, 6, 5), nodes=True, frames=True), Declared(), SIZES)
    all_frames = place_of(MODEL, layer("b c n", (2, 4, 5), nodes=True, frames=False), Declared(), SIZES)
    by_frame = place_of(MODEL, CELL, Declared(), SIZES)
    assert in_time.is_like(replace(in_time))
    assert not in_time.is_like(replace(in_time, offset=1))
    assert not in_time.is_like(replace(in_time, stride=2))
    assert not all_frames.is_like(replace(all_frames))
    assert not by_frame.is_like(replace(by_frame))


def test_a_declared_layout_may_fold_the_samples_where_no_axis_was_found_that_follows_them():
    """15 is 3 samples of 5 positions: without the number of samples it may be anything."""
    sizes = {"b": 3, "m": 1, "t": 9, "n": 4, "c": 3}
    unknown = replace(CELL, shape=(4, 15, 3), by_frame=False, calls=1, layout=None, why="no axis follows the samples")
    timed = replace(unknown, timing=Timing("aligned", 2, 0.0, 3, 1))
    folded = Layout("n (t b) c")
    assert place_of(MODEL, timed, Declared(folded), sizes).layout == folded
    # The shape is that of the copies that were measured, whose number is not that of the samples.
    copies = replace(timed, shape=(13, 3, 5, 4))
    assert place_of(MODEL, copies, Declared(Layout("b c t n")), sizes).layout == Layout("b c t n")
    with pytest.raises(InputError, match="n=4.*Is the layout of the input right"):
        place_of(MODEL, replace(timed, shape=(13, 3, 5, 6)), Declared(Layout("b c t n")), sizes)
    with pytest.raises(InputError, match="cannot be measured .*no axis follows.*Is the layout of the input right"):
        place_of(MODEL, replace(copies, timing=Timing("unknown")), Declared(Layout("b c t n")), sizes)


class Telling(nn.Module):
    """Says itself where its layers lie in time."""

    def stride_at(self, name):
        return 2

    def offset_at(self, name):
        return 3.0


@pytest.mark.parametrize(
    ("model", "declared", "expected"),
    [
        (Telling(), Declared(), (2, 3.0)),
        (Telling(), Declared(stride=4), (4, 3.0)),
        (Telling(), Declared(offset=0.0), (2, 0.0)),
        (Telling(), Declared(stride=4, offset=1.0), (4, 1.0)),
        (MODEL, Declared(stride=4, offset=0.0), (4, 0.0)),
    ],
)
def test_what_is_declared_goes_before_what_the_model_says(model, declared, expected):
    """Also an offset of zero."""
    unknown = replace(POOLED, shape=(2, 4, 3, 5), layout=Layout("b c t n"), timing=Timing("unknown"), frames=True)
    assert _stride_and_offset(model, unknown, declared) == expected
