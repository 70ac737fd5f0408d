"""Targets at nodes, against sums of single entries: which node, step and channel of the output a score is of."""

import numpy as np
import pytest
import torch

from stexplain.axes import Layout
from stexplain.errors import InputError
from stexplain.explainers.forecast_target import Forecast, NodeClass
from stexplain.explainers.outputs.model_output import ModelOutput
from stexplain.explainers.target import OutputInfo

# Two samples, three steps, four nodes, two channels.
OUTPUT = torch.randn(2, 3, 4, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
NAMES, GROUPS = ("a", "b", "c", "ends"), {"ends": ("a", "c"), "middle": ("b", "c")}
INFO = OutputInfo(nodes=NAMES, groups=GROUPS, layout=Layout("b t n c"), node_count=4)


def entries(*which):
    """The sum of entries (step from 1, node, channel) of each sample."""
    return sum(OUTPUT[:, step - 1, node, channel] for step, node, channel in which).tolist()


@pytest.mark.parametrize(
    ("target", "of"),
    [
        (Forecast("b", 2, 1), [(2, 1, 1)]),
        (Forecast("middle", 3, 0), [(3, 1, 0), (3, 2, 0)]),
        # A node goes before a group of the same name.
        (Forecast("ends", 1, 0), [(1, 3, 0)]),
        (Forecast(["a", "middle"], [1, 3], 1), [(step, node, 1) for step in (1, 3) for node in (0, 1, 2)]),
        # A node that is named twice counts twice.
        (Forecast(["c", "middle"], 1, 0), [(1, 2, 0), (1, 1, 0), (1, 2, 0)]),
    ],
)
def test_a_forecast_is_a_sum_of_entries_less_those_of_another(target, of):
    assert target.score(OUTPUT, INFO).scores.tolist() == pytest.approx(entries(*of))
    assert target.score(OUTPUT, INFO).classes.tolist() == [-1, -1]
    other = torch.randn(OUTPUT.shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    less = Forecast(target.node, target.horizon, target.channel, minus=other)
    expected = np.array(entries(*of)) - np.array([sum(row[t - 1, n, c] for t, n, c in of) for row in other.numpy()])
    assert less.score(OUTPUT, INFO).scores.tolist() == pytest.approx(expected.tolist())
    number = Forecast(target.node, target.horizon, target.channel, minus=[10.0, -1.0])
    expected = np.array(entries(*of)) - [10.0, -1.0]
    assert number.score(OUTPUT, INFO).scores.tolist() == pytest.approx(expected.tolist())
    assert (target.text(), number.text()) == (less.text().removesuffix(", minus another"), less.text())
    assert target.nodes_read(INFO) == {node for _, node, _ in of}


def test_what_may_be_left_out_is_what_there_is_one_of():
    one = OUTPUT[:, :1, :, :1]
    assert Forecast("b").score(one, INFO).scores.tolist() == one[:, 0, 1, 0].tolist()
    assert Forecast("b", 1).score(one, INFO).scores.tolist() == one[:, 0, 1, 0].tolist()
    assert NodeClass("b", 1).score(OUTPUT[:, 0], INFO).scores.tolist() == OUTPUT[:, 0, 1, 1].tolist()
    for target, words in ((Forecast("b", channel=0), "3 steps. Give one"), (Forecast("b", 1), "2 channels. Give one")):
        with pytest.raises(InputError, match=words):
            target.score(OUTPUT, INFO)
    with pytest.raises(InputError, match="3 steps. Give one"):
        NodeClass("b", 1, layout="b t n c").score(OUTPUT, INFO)


@pytest.mark.parametrize("channel", [-1, 2])
@pytest.mark.parametrize("horizon", [0, 4])
def test_the_first_and_the_last_are_there_and_none_beside_them(channel, horizon):
    for good in (0, 1):
        assert Forecast("a", 1, good).score(OUTPUT, INFO).scores.tolist() == entries((1, 0, good))
    with pytest.raises(InputError, match=f"channel: got {channel}; expected 0 to 1"):
        Forecast("a", 1, channel).score(OUTPUT, INFO)
    for good in (1, 3):
        assert Forecast("a", good, 0).score(OUTPUT, INFO).scores.tolist() == entries((good, 0, 0))
    for target in (Forecast("a", [1, horizon], 0), NodeClass("a", 0, horizon=horizon, layout="b t n c")):
        with pytest.raises(InputError, match=f"horizon: got {horizon}; expected 1 to 3"):
            target.score(OUTPUT, INFO)


def test_the_class_of_a_node_is_the_one_that_is_named_or_the_largest():
    info = OutputInfo(nodes=NAMES, layout=Layout("b t n c"), node_count=4)
    options = {"layout": "b t n c", "horizon": 2}
    logits = OUTPUT[:, 1, 2]
    assert NodeClass("c", 1, **options).score(OUTPUT, info).scores.tolist() == logits[:, 1].tolist()
    each = NodeClass(2, [1, 0], **options).score(OUTPUT, info)
    assert each.scores.tolist() == [logits[0, 1], logits[1, 0]]
    predicted = NodeClass("c", **options)
    assert predicted.score(OUTPUT, info).classes.tolist() == logits.argmax(1).tolist()
    fixed = predicted.fixed([1, 0])
    assert fixed.score(OUTPUT, info).classes.tolist() == [1, 0]
    # Of one that names its class there is nothing to fix.
    assert NodeClass("c", 1, **options).fixed(0).which == 1
    assert predicted.nodes_read(info) == {2}
    assert NodeClass("c", layout="b n c").nodes_read(info) is None
    assert predicted.text() == "the predicted class of node 'c' at horizon 2"
    assert NodeClass("c", [1, 0]).text() == "one class per sample of node 'c'"
    assert NodeClass(2, "walk").text() == "class 'walk' of node 2"


def test_which_nodes_are_read_is_not_known_of_other_layouts_and_of_derived_targets():
    class Squared(Forecast):
        def score(self, output, info):
            return super().score(output**2, info)

    assert Forecast("b", 1, 0, layout="b n t c").nodes_read(INFO) is None
    assert Forecast("b", 1, 0, layout="b t n c").nodes_read(INFO) == {1}
    assert Forecast("b", 1, 0).nodes_read(OutputInfo(nodes=NAMES, node_count=4)) is None
    assert Squared("b", 1, 0).nodes_read(INFO) is None
    # Its own score is what counts, of an output as a model returned it too.
    squared = Squared("b", 1, 0).score_output(ModelOutput(OUTPUT, 2), INFO).scores
    assert squared.tolist() == pytest.approx((OUTPUT[:, 0, 1, 0] ** 2).tolist())


@pytest.mark.parametrize("pattern", ["b (t n) c", "b (n t) c"])
def test_nodes_that_are_folded_with_steps_are_told_apart_by_their_number(pattern):
    folded = OUTPUT.flatten(1, 2) if pattern == "b (t n) c" else OUTPUT.transpose(1, 2).flatten(1, 2)
    target = Forecast(3, 2, 1, layout=pattern)
    for info in (OutputInfo(nodes=NAMES), OutputInfo(node_count=4)):
        assert target.score(folded, info).scores.tolist() == entries((2, 3, 1))
    with pytest.raises(InputError, match="folds nodes with another axis; how many there are is not known"):
        target.score(folded)
    # Folded with samples alone, their number follows.
    rows = Forecast(3, 1, 1, layout="(b n) t c").score(OUTPUT.transpose(1, 2).flatten(0, 1), OutputInfo(node_count=4))
    assert rows.scores.tolist() == entries((1, 3, 1))


def test_an_output_of_several_instances_is_not_read_by_halves():
    two = torch.stack([OUTPUT, OUTPUT], 1)
    for target in (Forecast("a", 1, 0, layout="b m t n c"), NodeClass("a", 0, horizon=1, layout="b m t n c")):
        with pytest.raises(InputError, match="2 instances, of which this target reads one"):
            target.score(two, INFO)
        assert target.score(two[:, :1], INFO).scores.tolist() == entries((1, 0, 0))


def test_quantiles_are_channels_of_which_one_is_given():
    """The layout that was advised had an axis less than the output."""
    output = torch.arange(2 * 3 * 4 * 3.0).view(2, 3, 4, 3)
    with pytest.raises(InputError, match="layout='b t n c', channel=0"):
        Forecast(1, horizon=2)(output)
    found = Forecast(1, horizon=2, layout="b t n c", channel=0)(output)
    assert found.tolist() == output[:, 1, 1, 0].tolist()
