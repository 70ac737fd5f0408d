"""Shapes of tensors for as many samples as were given, and what is known of a row."""

import pickle
from dataclasses import replace

import pandas as pd
import pytest
from torch import nn

import stexplain as stx
from stexplain.axes import Layout
from stexplain.explainers.model.probe.rows import LayerAxes
from stexplain.explainers.model.probe.time import Timing
from tests.explainers.model.probe import kinds
from tests.explainers.small_models import signals


@pytest.mark.parametrize("samples", [1, 3])
def test_the_shapes_are_those_of_the_samples_that_were_given(samples):
    """Samples folded with nodes in an LSTM, beside its states; the probe ran on some twenty copies of one of them."""
    table = stx.layers(kinds.PerNode().eval(), signals(samples, 6, 5, 3), inputs="b t n c").set_index("layer")
    assert table.loc["rnn", "shape"] == (5 * samples, 6, 5)
    assert table.loc["rnn[1][0]", "shape"] == (2, 5 * samples, 5)


def test_a_table_of_a_single_layer():
    one = stx.layers(nn.Sequential(nn.Conv2d(3, 4, 1)), signals(2, 3, 8, 5), inputs="b c t n")
    assert one[["layer", "layout", "shape"]].values.tolist() == [["0", "b c t n", (2, 4, 8, 5)]]


def test_known_is_what_has_a_layout_and_a_place_in_time_where_it_has_frames():
    timing = Timing("aligned", 2, 0.0)
    row = LayerAxes("a", "Conv2d", (3, 4, 6, 5), 1, False, Layout("b c t n"), timing, nodes=True, frames=True)
    assert row.known
    assert not replace(row, timing=Timing("unknown")).known
    assert replace(row, timing=Timing("none"), frames=False).known
    assert not replace(row, layout=None).known
    assert not replace(row, layout=None, timing=Timing("none"), frames=False).known


@pytest.mark.parametrize(
    ("name", "path", "means"),
    [
        ("a", (), {"a"}),
        ("a", (0,), {"a", "a[0]"}),
        ("a[1][0]", (1, 0), {"a", "a[1]", "a[1][0]"}),
        ("a[1][1]", (1, 1), {"a", "a[1]", "a[1][1]"}),
    ],
)
def test_a_name_means_a_tensor_or_the_tuple_that_begins_with_it(name, path, means):
    row = LayerAxes(name, "LSTM", (3, 4), 1, False, None, Timing("none"), nodes=False, frames=False, path=path)
    names = ["a", "a[0]", "a[1]", "a[1][0]", "a[1][1]", "a[1][0][0]", "b", "b[1]", "b[1][0]"]
    assert {each for each in names if row.named(each)} == means


def test_a_terminal_shows_the_columns_that_one_needs():
    """Pandas leaves out columns in the middle, layout and time among them."""
    model = nn.Sequential(nn.Conv2d(3, 64, 1), nn.AdaptiveAvgPool2d((1, None)))
    table = stx.layers(model, signals(2, 3, 8, 5), inputs="b c t n")
    text = str(table)
    lines = text.splitlines()
    assert lines[0].split() == ["layer", "type", "shape", "layout", "time", "stride", "offset", "nodes", "frames"]
    assert " ".join(lines[1].split()) == "0 Conv2d 2 64 8 5 b c t n one frame 1 0 yes yes"
    assert max(map(len, lines)) <= 90
    assert "..." not in lines[0]
    assert lines[-1] == "[2 rows; further columns: sees, calls, calls_are_frames, why]"
    assert "one frame" in str(table.head(1)), "some of its rows, too"
    # Data and names are as they were; what somebody chose is shown as pandas does.
    assert table["shape"].tolist()[0] == (2, 64, 8, 5)
    assert str(table[["layer", "why"]]) == str(pd.DataFrame({name: table[name] for name in ("layer", "why")}))
    assert str(table.iloc[:0]).startswith("Empty ")
    assert pickle.loads(pickle.dumps(table)).equals(table)
    many = pd.concat([table] * 40, ignore_index=True)
    assert len(str(many).splitlines()) < 20, "of very many layers the first and last are shown"
