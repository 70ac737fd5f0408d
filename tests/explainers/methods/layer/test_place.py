"""Where a layer lies: what was measured of it, and what is declared beside that."""

from dataclasses import replace

import pytest
from torch import nn

from stexplain.axes import Layout
from stexplain.errors import InputError
from stexplain.explainers.methods.layer.place import Declared, place_of
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
