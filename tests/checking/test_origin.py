"""What the caller's own code raises is shown as it is; what stands in for an argument is not blamed for it."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

import stexplain as stx
from stexplain.checking.closely import refuse_oddity
from stexplain.checking.hints import checks_of
from stexplain.errors import InputError
from stexplain.explainers import Calibration
from stexplain.graph import DynamicGraph, Relations, STGraph, skeleton_named
from stexplain.metrics import interval
from stexplain.nn import STGCN, Fusion
from stexplain.training import evaluate
from tests.fuzz.objects import batch, explanation, graph, series


def localisation():
    truth = np.zeros((2, 1, 4, 3), bool)
    truth[:, :, 0, 0] = True
    return stx.metrics.localisation(np.random.default_rng(0).random((2, 1, 4, 3)), truth)


class Raising(torch.nn.Module):
    """A model that fails on its own."""

    layout = "b m t n c"

    def forward(self, x, valid=None):
        return {}["no such key"]


class StandIn:
    """As good as clips, for what is asked of it."""

    classes = ("no", "yes")
    ids = ("p", "q", "r", "s")
    labels = np.array([0, 1, 0, 1])

    def __len__(self):
        return 4

    def batches(self, size):
        yield batch()

    def with_recipe(self, recipe):
        return self


def test_the_error_of_a_model_is_shown_as_it_is():
    with pytest.raises(KeyError, match="no such key"):
        evaluate(Raising(), StandIn())
    # An explainer says which model, and what it was given, before.
    with pytest.raises(InputError, match="^Raising raised KeyError .* 'no such key'"):
        stx.InputGradient(Raising(), graph=graph(), classes=["no", "yes"])(batch())


def test_an_argument_of_pythons_own_types_is_named_before_one_that_something_may_stand_in_for():
    with pytest.raises(InputError, match=r"^batch: got None; expected an integer"):
        evaluate(Raising(), StandIn(), batch=None)


def test_a_function_that_fails_is_not_the_fault_of_what_it_was_given():
    def failing(output):
        raise ValueError("of my own")

    with pytest.raises(ValueError, match="of my own") as caught:
        stx.Custom(failing)(torch.zeros(2, 3))
    assert not isinstance(caught.value, InputError)
    with pytest.raises(InputError, match="function: got the class object; expected a function"):
        stx.Custom(object)


X = torch.ones(2, 3)
AVERAGE = stx.training.HistoricalAverage(np.ones((24, 3, 1)), 60.0)
CALIBRATION = Calibration("M", "sum", np.array([0.0, 1.0]), np.array([0.5, 0.0]), "data", (), {})


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: interval(np.array(["x", "y"])), "values: got .* expected numbers"),
        (lambda: interval([0.1, 0.5, 0.7] * 9, seed=torch.tensor(2)), r"seed: got tensor\(2\); expected an integer"),
        (lambda: interval([0.1, 0.5, 0.7] * 9, resamples=10**18), "resamples: got 1000000000000000000; expected"),
        (lambda: DynamicGraph(graph(), ["[1.0, 0.0]", "[0.5, 2.0]"]), "weight: got .* expected numbers"),
        (lambda: stx.Forecast("a", 1, layout="b t n")(torch.ones(2, 2, 3).to_sparse()), "output: got a sparse tensor"),
        (lambda: stx.load_sensors([float("nan")]), "path: got a list; expected the path of a file or folder"),
        (lambda: Relations.from_matrices([np.eye(3)]).matrices(-1), "nodes: got -1; expected at least 3"),
        (lambda: STGCN(graph(), classes=2, channels=[4], strides=[1])([1.0]), r"x: got \[1.0\]; expected a tensor"),
        (lambda: Fusion({"a": torch.nn.Linear(2, 2)})(0.5), "streams: got 0.5; expected a dict"),
        (lambda: Fusion({"a": torch.nn.Flatten()})({"a": None}), r"streams\['a'\]: got None; expected a tensor"),
        (lambda: Fusion({"a": torch.nn.Flatten()})({"a": X > 0}), r"streams\['a'\]: got torch.bool; expected floating"),
        (
            lambda: Fusion({"a": torch.nn.Flatten(), "b": torch.nn.Flatten()})({"a": X, "b": X[:0]}),
            r"streams\['b'\]: got 0 samples, logits \[0, 3\]; expected \[2, 3\]",
        ),
        (lambda: batch().to(""), r"device: got ''; expected one of this machine, such as 'cpu'. Torch says: "),
        (lambda: batch().to(3.5), "device: got 3.5; expected one of this machine"),
        (
            lambda: stx.compare_groups(explanation(), [*"aabb"], reference=pd.Series(["a", "b"])),
            "unknown reference",
        ),
        (
            lambda: interval([0.1, 0.5], groups=[[1, 2], [3]]),
            "groups: got .* of which there is no array; expected a label",
        ),
        (lambda: series().time_of(1.5), "indices: got an index of type float64; expected integers"),
        (lambda: stx.viz.network(graph(), np.ones(3), width=0), "width and height: got 0 and"),
        (
            lambda: stx.load_model(Path("stgcn10")),
            "got the path stgcn10, of which there is no file. As text",
        ),
        (lambda: stx.ExpectedFall(torch.nn.Flatten(), rises=type), "rises: got .* expected True, False or None"),
        (
            lambda: stx.load_regions(np.ones((1, 9, 3)), train="all", positions={"a": 1}, tr=1.0),
            r"positions\['a'\]: got shape \(\); expected a point",
        ),
        (
            lambda: stx.load_regions(np.ones((1, 9, 3)), train="all", positions=b"x", tr=1.0),
            "positions: got .* expected num",
        ),
        (lambda: AVERAGE.in_horizon(None, 7), "channel: got 7; expected 0 to 0"),
        (lambda: skeleton_named({}), "unknown skeleton '{}'"),
        (
            lambda: stx.metrics.best_baseline({"R": localisation()}, "nodes", "AUROC"),
            "unknown score 'AUROC'. Did you mean 'auroc'",
        ),
        (lambda: stx.metrics.best_baseline({"R": localisation()}, "node"), "unknown axis .over. 'node'"),
        (lambda: stx.ExpectedFall(torch.nn.Flatten(), baseline=10**400), "baseline: got an integer of more than 300"),
        (lambda: CALIBRATION.at(np.array([None])), "importance: got .* expected numbers"),
        (lambda: stx.NodeClass(0, [[0.5]]), r"which: got \[0.5\], a list; expected a name or an index"),
        (
            lambda: stx.viz.importance_map(pd.DataFrame([[0.5]]), nodes=()),
            "nodes: got no name to draw; expected at least",
        ),
        (lambda: STGraph.skeleton("coco-17").permute(iter([0])), r"order: got .* Give list\(...\) of it"),
        (lambda: stx.metrics.Localisation.joined([]), "parts: got no scores to join"),
        (lambda: localisation().excluded("NODE"), "unknown axis 'NODE'. Did you mean 'nodes'"),
        (lambda: stx.metrics.dataset.explanations(iter(()), StandIn(), out="x"), "model: got .* expected"),
        (lambda: stx.data.Measured(frame_rate=2.0).seconds(None), "frames: got None; expected an integer"),
        (lambda: STGraph.from_correlation(["a", 1]), "values of subject 0: got .* expected numbers"),
        (lambda: stx.Predicted()(torch.zeros(2, 0)), r"no class: got \[B, 0\]; expected one logit at least"),
    ],
)
def test_what_fits_in_the_letter_alone_is_named(call, message):
    with pytest.raises(InputError, match=message):
        call()


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("names", pd.Series(["a", "b"]), r"names: got .* expected a list. Use .tolist\(\)"),
        ("nodes", [1, 10**60], "nodes: got an integer of more than 30 digits; expected a number of ordinary size"),
        ("names", ["a"], None),
        ("nodes", [1, 2], None),
        ("share", 1e300, None),
    ],
)
def test_what_hardly_any_function_can_use(name, value, message):
    def entrance(names: list[str], nodes: list[int], share: float) -> None: ...

    if message is None:
        refuse_oddity(name, value, checks_of(entrance)[name])
    else:
        with pytest.raises(InputError, match=message):
            refuse_oddity(name, value, checks_of(entrance)[name])


def test_a_stream_that_takes_no_mask_gets_none():
    fused = Fusion({"a": torch.nn.Flatten(), "b": torch.nn.Flatten()})
    x = torch.ones(2, 3, 1)
    torch.testing.assert_close(fused({"a": x, "b": x}, valid=torch.ones(2, 1, 3, dtype=torch.bool)), 2 * x[..., 0])
