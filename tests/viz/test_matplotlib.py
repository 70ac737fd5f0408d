"""Drawing into axes of matplotlib: the numbers of the charts."""

import sys
from dataclasses import replace

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.figure import Figure

from stexplain.errors import InputError
from stexplain.viz import draw_skeleton, draw_timeline

mpl.use("agg")


@pytest.fixture
def ax():
    return Figure().add_subplot()


def test_a_skeleton_has_the_numbers_of_its_frame(explanation, coordinates, ax):
    assert explanation.plot(x=coordinates, ax=ax, frame=10) is ax
    (points,) = [each for each in ax.collections if each.get_offsets().size == 2 * 5 and each.get_array() is not None]
    order = np.argsort(np.maximum(explanation.values[0, 0, 10], 0), kind="stable")
    assert np.asarray(points.get_offsets()) == pytest.approx(coordinates[0, 10][order, :2])
    assert np.asarray(points.get_array()) == pytest.approx(np.maximum(explanation.values[0, 0, 10], 0)[order])
    top = np.maximum(explanation.values[0], 0)[explanation.valid[0]].max()
    assert points.get_clim() == (0, pytest.approx(top))
    assert "throw – frame 10" in ax.get_title()


def test_which_axes_are_drawn_is_said_below_as_in_the_chart(explanation, coordinates, ax):
    draw_skeleton(explanation, ax, x=coordinates, frame=10, labels=0, axes=(1, 0))
    assert [text.get_text().replace("\n", " ") for text in ax.texts] == ["Drawn: channel 1 to the right, channel 0 up."]


def test_it_opens_at_the_frame_of_greatest_importance(explanation, coordinates, ax):
    values = explanation.values * 0.01
    values[0, 0, 7] = 5.0
    draw_skeleton(replace(explanation, values=values), ax, x=coordinates)
    assert ax.get_title().endswith("frame 7")
    with pytest.raises(InputError, match="frame: got 12; expected a valid frame, from 0 to 11"):
        draw_skeleton(explanation, ax, x=coordinates, frame=12)


def test_a_heat_map_has_every_value(explanation, ax):
    draw_timeline(explanation, ax, instance=1, signed=True)
    shown = np.ma.filled(ax.images[-1].get_array().astype(float), np.nan)
    expected = np.where(explanation.valid[0, 1][:, None], explanation.values[0, 1], np.nan).T
    assert shown == pytest.approx(expected, nan_ok=True)
    low, high = ax.images[-1].get_clim()
    assert -low == high == pytest.approx(np.nanmax(np.abs(expected)))
    assert [label.get_text() for label in ax.get_yticklabels()] == list(explanation.node_names)


@pytest.mark.parametrize(
    ("time", "title", "limits"),
    [
        (np.arange(12) / 25, "time in seconds", (-0.02, 0.46)),
        (60 * 5.0 * np.arange(-11, 1), "minutes earlier than the last observation", (-57.5, 2.5)),
        (np.arange(12) ** 2, "frame", (-0.5, 11.5)),
    ],
)
def test_a_heat_map_counts_time_as_the_explanation_does(explanation, ax, time, title, limits):
    draw_timeline(replace(explanation, time=time, time_unit="s"), ax)
    assert ax.get_xlabel() == title
    assert ax.get_xlim() == pytest.approx(limits)
    if limits[0] < -1 and title != "frame":
        assert ax.xaxis.get_major_formatter()(-55.0) == "55"


def test_names_stand_on_the_outer_side_of_the_body(explanation, coordinates, ax):
    draw_skeleton(explanation, ax, x=coordinates, labels=5)
    middle = ax.collections[-1].get_offsets()[:, 0]
    assert ax.texts
    for text in (one for one in ax.texts if one.get_text() in explanation.node_names):
        body = middle[:5] if len(middle) == 5 else middle
        assert (text.get_ha() == "right") == (text.xy[0] < np.mean(body))


def test_an_unsigned_map_is_not_drawn_as_signed(explanation, ax):
    mask = replace(explanation, values=np.abs(explanation.values), measures="share")
    assert not mask.signed
    draw_timeline(mask, ax, signed=True)
    assert ax.images[-1].get_clim()[0] == 0


def test_a_forecast_gives_the_signed_heat_map(explanation, ax):
    forecast = replace(explanation, graph=None, targets=np.array([-1, -1]), measures="score")
    forecast.plot(ax=ax)
    assert ax.images[-1].get_clim()[0] < 0


def test_what_is_no_axes_is_refused(explanation, ax):
    with pytest.raises(InputError, match=r"ax: got a str; expected an Axes, from plt\.subplots"):
        explanation.plot(ax="here")
    with pytest.raises(InputError, match="unexpected keyword argument 'colour'"):
        explanation.plot(ax=ax, colour="red")


def test_without_matplotlib_the_remedy_is_named(explanation, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.axes", None)
    with pytest.raises(InputError, match=r"needs matplotlib.*stexplain\[plots\].*leave ax out"):
        draw_timeline(explanation, object())
