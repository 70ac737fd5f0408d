"""Recordings are drawn upright, whichever axis points up; else the chart says what it draws."""

import numpy as np
import pytest

import stexplain as stx
from stexplain.data import load_skeletons
from stexplain.data.skeletons.prepare import prepare_skeletons
from stexplain.viz import draw_skeleton, skeleton
from tests.viz.drawing import records, words

NODES = ("head", "hip", "left foot", "right foot")
EDGES = [("head", "hip"), ("hip", "left foot"), ("hip", "right foot")]
GRAPH = stx.STGraph.from_edges(NODES, EDGES)
ORDERS = {"z up": (0, 1, 2), "y up": (0, 2, 1)}


def walker(frames=12):
    """Who walks along the second axis, the third up, ``[T, N, 3]``."""
    time = np.arange(frames) / 12
    step = 0.3 * np.sin(2 * np.pi * time)
    still = np.zeros(frames)
    return np.stack(
        [
            np.stack([still, time, still + 1.7], 1),
            np.stack([still, time, still + 0.9], 1),
            np.stack([still - 0.1, time + step, still + 0.1], 1),
            np.stack([still + 0.1, time - step, still + 0.1], 1),
        ],
        1,
    ).astype(np.float32)


def heights(chart):
    """How high each node is drawn in the first frame, and all words of the chart, without blanks: lines are broken."""
    return np.array(records(chart, "frame", "body", "x")[0]["y"]), "".join(words(chart)).replace(" ", "")


def explained(graph, x):
    return stx.Motion(graph=graph)(x)


def stands(y):
    return y[0] > y[1] > max(y[2:])


def test_a_c3d_stands(tmp_path):
    ezc3d = pytest.importorskip("ezc3d")
    made = ezc3d.c3d()
    made["parameters"]["POINT"]["RATE"]["value"] = [100.0]
    made["parameters"]["POINT"]["LABELS"]["value"] = list(NODES)
    made["parameters"]["POINT"]["UNITS"]["value"] = ["mm"]
    values = 1000 * walker()
    made["data"]["points"] = np.concatenate([values.transpose(2, 1, 0), np.ones((1, *values.shape[1::-1]))])
    made.write(str(tmp_path / "walk.c3d"))
    clip = load_skeletons(tmp_path / "walk.c3d", graph=GRAPH)[0]
    y, said = heights(skeleton(explained(clip.graph or GRAPH, clip.x[None]), x=clip))
    assert stands(y)
    assert "Drawn:channel0totheright,channel2up." in said


NAMELESS = stx.STGraph.from_edges(("M1", "M2", "M3", "M4"), [(0, 1), (1, 2), (1, 3)])
"""Markers whose names say nothing of how high they are: measuring finds no axis."""


def test_a_c3d_says_which_axis_points_up_also_in_a_store(tmp_path):
    ezc3d = pytest.importorskip("ezc3d")
    made = ezc3d.c3d()
    made["parameters"]["POINT"]["RATE"]["value"] = [100.0]
    made["parameters"]["POINT"]["LABELS"]["value"] = list(NAMELESS.nodes)
    for name, axis in (("X_SCREEN", "+X"), ("Y_SCREEN", "+Z")):
        made.add_parameter("POINT", name, [axis])
    values = 1000 * walker()
    made["data"]["points"] = np.concatenate([values.transpose(2, 1, 0), np.ones((1, *values.shape[1::-1]))])
    (tmp_path / "raw").mkdir()
    made.write(str(tmp_path / "raw" / "walk.c3d"))
    prepare_skeletons(tmp_path / "raw", tmp_path / "store", graph=NAMELESS, labels={"walk": "walk"})
    clips = stx.load_dataset(tmp_path / "store")
    assert clips.measured.up == "z"
    y, said = heights(skeleton(explained(NAMELESS, clips[0].x[None]), x=clips[0]))
    assert stands(y)
    assert "Drawn:channel0totheright,channel2up,astherecordingsays." in said


@pytest.mark.parametrize("up", ["x", "y", "z", "-y", ""])
def test_what_a_source_says_points_up_is_drawn_so(up):
    order = {"x": [2, 0, 1], "z": [0, 1, 2]}.get(up, [0, 2, 1])
    values = walker()[..., order] * np.where(up == "-y", -1, 1)
    measured = stx.data.Measured(("m",) * 3, up=up)
    clips = stx.Clips.from_arrays(values[None, None], graph=NAMELESS, channels=list("xyz"), measured=measured)
    y, said = heights(skeleton(explained(NAMELESS, clips[0].x[None]), x=clips[0]))
    assert stands(y)
    assert ("astherecordingsays" in said) == (up in ("x", "z", "-y"))
    with pytest.raises(stx.errors.InputError, match="up: got 'up'; expected x, y or z"):
        stx.data.Measured(up="up")


@pytest.mark.parametrize("up", ORDERS)
def test_a_bvh_stands(tmp_path, up):
    offsets = {"z up": ((0, 0, 6), (1, 0, -9)), "y up": ((0, 6, 0), (1, -9, 0))}[up]
    joints = "".join(
        f"  JOINT {name}\n  {{\n    OFFSET {a} {b} {c}\n    CHANNELS 3 Zrotation Xrotation Yrotation\n"
        "    End Site\n    {\n      OFFSET 0 0 0\n    }\n  }\n"
        for name, (a, b, c) in zip(("Head", "LeftFoot"), offsets, strict=True)
    )
    text = (
        "HIERARCHY\nROOT Hips\n{\n  OFFSET 0 0 0\n  CHANNELS 6 Xposition Yposition Zposition Zrotation Xrotation "
        f"Yrotation\n{joints}}}\nMOTION\nFrames: 3\nFrame Time: 0.025\n" + "1 2 3 0 0 0 0 0 0 0 0 0\n" * 3
    )
    (tmp_path / "walk.bvh").write_text(text)
    clips = load_skeletons(tmp_path / "walk.bvh")
    y, said = heights(skeleton(explained(clips.graph, clips[0].x[None]), x=clips[0]))
    assert y[clips.graph.index("Head")] > y[clips.graph.index("Hips")] > y[clips.graph.index("LeftFoot")]
    assert ("channel2up" in said) == (up == "z up")


def test_a_table_stands_and_matplotlib_draws_the_same(tmp_path):
    matplotlib = pytest.importorskip("matplotlib.figure")
    rows = [
        f"a,{frame},{NODES[node]},{x},{y},{z}"
        for frame, body in enumerate(walker().tolist())
        for node, (x, y, z) in enumerate(body)
    ]
    (tmp_path / "walk.csv").write_text("\n".join(["sample,frame,joint,x,y,z", *rows]))
    clip = load_skeletons(tmp_path / "walk.csv", graph=GRAPH)[0]
    e = explained(GRAPH, clip.x[None])
    assert stands(heights(skeleton(e, x=clip))[0])
    ax = draw_skeleton(e, matplotlib.Figure().add_subplot(), x=clip, frame=3)
    drawn = np.sort(np.asarray(ax.collections[-1].get_offsets())[:, 1])
    assert np.ptp(drawn) == pytest.approx(1.6, rel=1e-5)


@pytest.mark.parametrize("up", ORDERS)
def test_plain_arrays_stand_by_names_or_drawing_positions(up):
    x = walker()[None, None][..., list(ORDERS[up])]
    placed = stx.STGraph("abcd", GRAPH.edges, positions=[[0, 2], [0, 1], [-1, 0], [1, 0]])
    for graph in (GRAPH, placed):
        y, said = heights(skeleton(explained(graph, x), x=x))
        assert stands(y)
        assert ("Drawn:channel0totheright,channel2up." in said) == (up == "z up")


def test_pixels_stand_by_names():
    pixels = -100 * walker()[None, None][..., [0, 2]]
    y, said = heights(skeleton(explained(GRAPH, pixels), x=pixels))
    assert stands(y)
    assert "asinpixels" in said


def test_what_is_not_certain_is_drawn_as_it_is_and_said():
    x = walker()[None, None]
    unknown = stx.STGraph("abcd", GRAPH.edges)
    lying = x[..., [2, 0, 1]]
    for graph, places in ((unknown, x), (GRAPH, lying)):
        y, said = heights(skeleton(explained(graph, places), x=places))
        assert np.ptp(y) == pytest.approx(np.ptp(places[0, 0, 0, :, 1]), abs=1e-4)
        assert "Drawn:channel0totheright,channel1up.Passaxes=forothers." in said


def test_a_confidence_is_no_height():
    x = np.concatenate([walker()[..., [0, 2]], np.ones((12, 4, 1), np.float32)], -1)[None, None]
    x[..., 0, 2], x[..., 2:, 2] = 9.0, 0.1
    sample = stx.data.Sample(x[0], np.ones((1, 12), bool), channels=("x", "y", "score"))
    y, said = heights(skeleton(explained(GRAPH, x), x=sample))
    assert stands(y)
    assert "Drawn" not in said


def test_given_axes_are_drawn_and_named():
    x = walker()[None, None]
    y, said = heights(skeleton(explained(GRAPH, x), x=x, axes=(1, 2)))
    assert stands(y)
    assert "Drawn:channel1totheright,channel2up." in said
