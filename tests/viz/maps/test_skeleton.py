from dataclasses import replace

import numpy as np
import pytest

from stexplain.data.samples import Batch, Sample
from stexplain.errors import InputError
from stexplain.viz import skeleton
from tests.viz.conftest import NODES
from tests.viz.drawing import drawn, marks, records, words


def bodies(chart):
    return {(row["frame"], row["body"]): row for row in records(chart, "frame", "body", "x")}


def test_every_valid_body_is_drawn_at_its_coordinates(explanation, coordinates):
    found = bodies(skeleton(explanation, x=coordinates))
    assert set(found) == {(t, f"instance {m + 1}") for m in range(2) for t in range(12) if explanation.valid[0, m, t]}
    for (frame, body), row in found.items():
        person = int(body[-1]) - 1
        assert row["x"] == pytest.approx(coordinates[person, frame, :, 0], rel=1e-4)
        assert row["y"] == pytest.approx(coordinates[person, frame, :, 1], rel=1e-4)
        assert row["value"] == pytest.approx(np.maximum(explanation.values[0, person, frame], 0), rel=1e-4)


def test_a_batch_of_coordinates_and_other_axes(explanation, coordinates):
    both = np.stack([coordinates * 0, coordinates])
    found = bodies(skeleton(explanation, x=both, sample=1, axes=(2, 0)))
    assert found[11, "instance 2"]["x"] == pytest.approx(coordinates[1, 11, :, 2], rel=1e-4)
    assert found[11, "instance 2"]["y"] == pytest.approx(coordinates[1, 11, :, 0], rel=1e-4)


def test_pixels_counted_from_above_are_drawn_upright(explanation, graph):
    standing = np.zeros((2, 12, 5, 2), np.float32) + graph.positions.astype(np.float32)
    pixels = standing * np.float32([100, -100]) + np.float32([960, 540])
    chart = skeleton(explanation, x=pixels)
    for row in bodies(chart).values():
        assert row["y"] == pytest.approx(-pixels[0, 0, :, 1])
    assert "as in pixels" in " ".join(words(chart))
    # As they are where the axes are given, and where they point up.
    as_given = skeleton(explanation, x=pixels, axes=(0, 1))
    assert bodies(as_given)[0, "instance 1"]["y"] == pytest.approx(pixels[0, 0, :, 1])
    assert "as in pixels" not in " ".join(words(as_given))
    assert bodies(skeleton(explanation, x=standing))[0, "instance 1"]["y"] == pytest.approx(standing[0, 0, :, 1])


def test_without_coordinates_the_drawing_positions_stand(explanation, graph):
    found = bodies(skeleton(explanation))
    assert all(row["x"] == graph.positions[:, 0].tolist() for row in found.values())


def test_one_instance(explanation, coordinates):
    assert {body for _, body in bodies(skeleton(explanation, x=coordinates, instance=0))} == {"instance 1"}


def test_it_opens_where_importance_is_greatest_and_the_slider_spans_the_clip(explanation, coordinates):
    values = explanation.values * 0.01
    values[0, 0, 7] = 5.0
    chart = skeleton(replace(explanation, values=values), x=coordinates)
    (slider,) = (param for param in chart.to_dict()["params"] if param["name"] == "at")
    assert slider["value"] == [{"frame": 7}]
    assert (slider["bind"]["min"], slider["bind"]["max"]) == (0, 11)
    assert "frame 7" in words(chart)
    assert len(marks(chart, "circle")) == 2 * len(NODES)  # the bodies of one frame only
    drawn(chart)


def test_the_curve_is_the_mean_over_nodes_and_valid_bodies(explanation, coordinates):
    curve = {row["frame"]: row["importance"] for row in records(skeleton(explanation, x=coordinates), "importance")}
    importance = np.maximum(explanation.values[0], 0).mean(axis=-1)
    assert curve[9] == pytest.approx(importance[0, 9])  # the second body has left
    assert curve[3] == pytest.approx(importance[:, 3].mean())


def test_frames_side_by_side(explanation, coordinates):
    chart = skeleton(explanation, x=coordinates, interactive=False, frames=[2, 10])
    assert set(bodies(chart)) == {(2, "instance 1"), (2, "instance 2"), (10, "instance 1")}
    assert {"frame 2", "frame 10"} <= set(words(chart))
    assert len(marks(chart, "circle")) == 3 * 5
    assert len(marks(chart, "rule mark")) == 3 * 4
    drawn(chart)


def test_a_number_of_frames_is_spread_evenly(explanation, coordinates):
    chart = skeleton(explanation, x=coordinates, interactive=False, frames=3)
    assert sorted({frame for frame, _ in bodies(chart)}) == [2, 6, 10]


def test_a_signal_of_one_channel_is_no_place(explanation, coordinates):
    with pytest.raises(InputError, match="got 1 channel; expected two at least.* Leave x out"):
        skeleton(explanation, x=coordinates[..., :1])


def test_both_axes_have_one_scale(explanation, coordinates):
    wide = coordinates * np.array([10.0, 1.0, 1.0], np.float32)
    spec = skeleton(explanation, x=wide, interactive=False, frames=2).to_dict()["spec"]
    x, y = (spec["layer"][1]["encoding"][axis]["scale"]["domain"] for axis in "xy")
    assert (x[1] - x[0]) / spec["width"] == pytest.approx((y[1] - y[0]) / spec["height"], rel=1e-6)
    points = wide[explanation.valid[0]][..., 0]
    assert x[0] < points.min() + 3
    assert x[0] < x[1]


def test_the_class_the_method_and_the_clip_are_named(explanation, coordinates):
    text = " ".join(words(skeleton(explanation, x=coordinates)))
    assert "throw" in text
    assert "some method" in text
    assert "clip 1" in text


def test_only_the_name_of_a_class_is_quoted(explanation, coordinates):
    assert "for “throw”" in " ".join(words(skeleton(explanation, x=coordinates)))
    unnamed = replace(explanation, classes=(), target="the predicted class")
    assert "Most important nodes for the predicted class" in words(skeleton(unnamed, x=coordinates))


def test_the_most_important_nodes_are_named_in_the_drawing(explanation, coordinates):
    values = np.zeros_like(explanation.values)
    values[0, 0, :, 2] = 1.0
    chart = skeleton(replace(explanation, values=values), x=coordinates, interactive=False, frames=[0])
    shown = words(chart)
    assert "right hand" in shown
    assert "left hand" not in shown


def test_a_map_without_positive_importance_says_so(explanation, coordinates):
    chart = skeleton(replace(explanation, values=-np.abs(explanation.values)), x=coordinates, interactive=False)
    assert any("No value is above zero" in text for text in words(chart))
    drawn(chart)


def test_times_in_seconds(explanation, coordinates):
    timed = replace(explanation, time=np.arange(12) / 30)
    assert "0.20 s" in words(skeleton(timed, x=coordinates, interactive=False, frames=[6]))


def test_frames_within_a_hundredth_of_a_second_have_a_panel_each(explanation, coordinates):
    timed = replace(explanation, time=np.arange(12) / 500)
    chart = skeleton(timed, x=coordinates, interactive=False, frames=[1, 2, 10])
    assert [word for word in words(chart) if "frame " in word] == [
        "0.00 s, frame 1",
        "0.00 s, frame 2",
        "0.02 s, frame 10",
    ]
    # Each body once in its own panel.
    assert len(marks(chart, "circle")) == 5 * 5
    panels = {(row["time"], row["body"]) for row in records(chart, "body", "x", "named")}
    assert len(panels) == 5
    drawn(chart)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"sample": 2}, "sample: got 2; expected 0 to 1"),
        ({"instance": 2}, "instance: got 2; expected 0 to 1"),
        ({"interactive": False, "frames": [12]}, "frames: got 12; expected valid frames, from 0 to 11"),
        ({"interactive": False, "frames": 0}, "frames: got 0"),
        ({"frames": 3}, "interactive=False"),
        ({"axes": (0, 3)}, "3 channels"),
        ({"x": np.zeros((2, 12, 4, 3))}, "x has shape"),
        ({"x": np.full((2, 12, 5, 3), np.nan)}, "NaN"),
    ],
)
def test_wrong_arguments_are_rejected(explanation, coordinates, options, message):
    with pytest.raises(InputError, match=message):
        skeleton(explanation, **{"x": coordinates, **options})


def test_an_explanation_without_graph_is_rejected(explanation):
    with pytest.raises(InputError, match="Pass graph="):
        skeleton(replace(explanation, graph=None))


def test_a_sample_stands_for_its_coordinates(explanation, coordinates):
    sample = Sample(coordinates.astype(np.float32), explanation.valid[0])
    assert bodies(skeleton(explanation, x=sample)) == bodies(skeleton(explanation, x=coordinates.astype(np.float32)))
    both = Batch.of(sample, sample)
    assert bodies(skeleton(explanation, x=both)) == bodies(skeleton(explanation, x=sample))


def test_a_raw_clip_is_rejected_with_the_remedy(explanation, coordinates):
    with pytest.raises(InputError, match=r"x: got 9 frames; expected 12.*x=explain\.preprocess\(sample\)"):
        skeleton(explanation, x=coordinates[:, :9])
