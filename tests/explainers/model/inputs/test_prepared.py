"""What samples become before a model gets them: each way to give them, against what is meant; what is refused."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

from stexplain.axes import Layout
from stexplain.data.samples import Batch, Sample
from stexplain.data.times.measured import Measured
from stexplain.errors import InputError
from stexplain.explainers.methods import Motion
from stexplain.explainers.methods.gradient.input_gradient import InputGradient
from stexplain.explainers.model.inputs.observed import observed_in
from stexplain.explainers.model.inputs.sizes import check_node_order, checked_ids, folded_axes, sizes_of
from stexplain.explainers.model.model_input import ModelInput
from stexplain.graph import STGraph

B, M, T, N, C = 4, 2, 6, 3, 2


def path(names):
    """A graph of nodes in a row."""
    return STGraph.from_edges(list(names), list(pairwise(names)))


GRAPH = path("abc")
X = torch.rand(B, M, T, N, C, generator=torch.Generator().manual_seed(0)) + 0.5
VALID = torch.rand(B, M, T, generator=torch.Generator().manual_seed(1)) > 0.3
OBSERVED = torch.rand(B, M, T, N, generator=torch.Generator().manual_seed(2)) > 0.3
TIMES = pd.date_range("2024-01-01", periods=B, freq="h")


class Sums(nn.Module):
    """Takes any layout, on the type of its parameter."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(2, dtype=torch.float64))

    def forward(self, x, edges=None, gain=None):
        return x.flatten(1).sum(1)[:, None] * self.weight


def prepared(x, valid=None, observed=None, *, kind=InputGradient, ids=None, given=None, **options):
    model = () if kind is Motion else (Sums(),)
    explain = kind(*model, **{"inputs": "b m t n c", **options})
    return explain._prepare(x, valid, *(given or ({}, {})), ids, observed), explain


def batch(**changes):
    return replace(Batch(X * VALID[..., None, None], VALID, torch.zeros(B), tuple("pqrs")), **changes)


@pytest.mark.parametrize("pattern", ["b m t n c", "(b m) c t n", "b c t n m", "(b m n) c t", "n b (m c) t"])
def test_a_tensor_in_any_layout_is_the_same_samples(pattern):
    """Those whose axes are folded are told apart by the mask and the graph."""
    laid_out = Layout(pattern).from_batch(X)
    found, explain = prepared(laid_out, VALID, inputs=pattern, graph=GRAPH)
    assert found.sizes == {"b": B, "m": M, "t": T, "n": N, "c": C}
    assert torch.equal(found.x, laid_out.double())
    assert torch.equal(explain.inputs.to_batch(found.x, **found.sizes), X.double())
    assert torch.equal(found.valid, VALID)
    assert torch.equal(found.known_valid, VALID)
    assert (found.ids, found.noticed, found.observed, found.channel_names) == (("",) * B, False, None, ())


def test_a_batch_brings_all_that_it_knows():
    one = batch(observed=OBSERVED, channels=("x", "y"), graph=GRAPH, classes=("l", "r"), timestamps=TIMES,
                measured=Measured(("m", "m"), 30.0))  # fmt: skip
    found, explain = prepared(one)
    assert torch.equal(found.x, one.x.double())
    assert torch.equal(found.valid, VALID)
    assert torch.equal(found.observed, OBSERVED)
    assert torch.equal(found.observed_positions, VALID[..., None] & OBSERVED)
    assert (found.ids, found.channel_names, found.measured) == (("p", "q", "r", "s"), ("x", "y"), one.measured)
    assert found.timestamps.equals(TIMES)
    assert found.noticed is False
    assert (explain.graph, explain.classes) == (GRAPH, ("l", "r"))
    # A sample is a batch of one.
    sample = Sample(X[0].numpy(), VALID[0].numpy(), id="p", classes=("l", "r"))
    alone, _ = prepared(sample)
    assert (alone.ids, alone.sizes["b"]) == (("p",), 1)
    # The next call knows nothing of the names of this one.
    explain._prepare(X, None)
    assert (explain.graph, explain.classes) == (None, ())


def test_what_the_caller_names_goes_before_what_the_batch_names():
    one = batch(channels=("x", "y"), classes=("l", "r"), graph=GRAPH)
    other = path("abc")
    options = {"channel_names": ["east", "north"], "classes": ["up", "down"], "graph": other}
    found, explain = prepared(one, ~VALID, ids=[1, 2, 3, 4], **options)
    assert (found.channel_names, found.ids) == (("east", "north"), ("1", "2", "3", "4"))
    assert torch.equal(found.valid, ~VALID)
    assert (explain.graph, explain.classes) == (other, ("up", "down"))


@pytest.mark.parametrize("changes", [{"channels": ("x",)}, {"graph": path("ab")}])
def test_names_of_another_number_name_nothing(changes):
    """As of a batch whose x was replaced."""
    found, explain = prepared(batch(**changes))
    assert (found.channel_names, explain.graph) == ((), None)


@pytest.mark.parametrize("unmasked", [True, False])
def test_padding_that_was_noticed_when_the_batch_was_made_is_known(unmasked):
    assert prepared(batch(unmasked=unmasked))[0].noticed is unmasked
    assert prepared(batch(unmasked=unmasked), VALID)[0].noticed is False


def test_padding_of_a_plain_tensor_is_noticed_where_no_mask_is_given():
    x = X.clone()
    x[1, :, 4:] = 0
    found, explain = prepared(x)
    assert found.noticed is True
    assert torch.equal(found.valid, (x != 0).any(-1).any(-1))
    assert len(explain._notes) == 1
    for valid, noticed in ((True, None), (torch.ones(B, M, T, dtype=torch.bool), True)):
        found, explain = prepared(x, valid)
        assert (found.noticed, explain._notes) == (False, [])
        assert (found.valid is None) is (noticed is None)
    # Nothing to notice: no mask.
    found, explain = prepared(X)
    assert (found.noticed, found.valid, explain._notes) == (False, None, [])
    assert found.known_valid.all()
    assert found.known_valid.shape == (B, M, T)


def test_padding_of_named_signals_alone_is_looked_at():
    """An index goes on where the signals have ended."""
    x = X.clone()
    x[1, :, 4:, :, 0] = 0
    assert prepared(x, signals=[0])[0].noticed is True
    assert prepared(x, signals=[1])[0].noticed is False
    assert prepared(x)[0].noticed is False


def test_unobserved_positions_may_be_nan():
    x = X.clone()
    x[~OBSERVED] = torch.nan
    found, _ = prepared(x, None, OBSERVED)
    assert torch.equal(found.observed, OBSERVED)
    assert torch.equal(found.x, x.nan_to_num(0).double())
    folded, _ = prepared(Layout("(b m) c t n").from_batch(x), VALID, OBSERVED, inputs="(b m) c t n")
    assert torch.equal(folded.observed, OBSERVED)
    with pytest.raises(InputError, match="x is NaN at"):
        prepared(x, None, OBSERVED | True)
    with pytest.raises(InputError, match="x holds 80 values that are NaN"):
        prepared(x)
    for one in (batch(), {"a": x}):
        with pytest.raises(InputError, match="observed: got it with a"):
            prepared(one, None, OBSERVED, inputs={"a": "b m t n c"} if isinstance(one, dict) else "b m t n c")


def test_a_mask_of_the_only_instance_needs_no_axis_for_it():
    found, _ = prepared(X[:, 0], VALID[:, 0], OBSERVED[:, 0], inputs="b t n c")
    assert torch.equal(found.valid, VALID[:, :1])
    assert torch.equal(found.observed, OBSERVED[:, :1])
    with pytest.raises(InputError, match="valid"):
        prepared(X, VALID[:, 0])


def test_a_baseline_works_in_single_precision_and_any_model_in_its_own():
    assert prepared(X.double(), kind=Motion)[0].x.dtype == torch.float32
    assert prepared(X)[0].x.dtype == torch.float64


def test_further_arguments_come_with_the_samples():
    found, _ = prepared(X, given=({"edges": torch.ones(3, dtype=torch.long)}, {"gain": np.ones((B, 2), np.float32)}))
    assert found.shared["edges"].dtype == torch.long
    assert found.per_sample["gain"].dtype == torch.float64
    with pytest.raises(InputError, match="gian"):
        prepared(X, given=({}, {"gian": torch.ones(B)}))


@pytest.mark.parametrize(
    ("x", "options", "message"),
    [
        (X, {"valid": VALID.float()}, "valid: got type float32; expected bool"),
        (X, {"channel_names": ["x"]}, "channel_names: got 1, .*expected 2, one for each channel"),
        (X, {"graph": path("ab")}, "got 3 for n; expected 2"),
        (X, {"inputs": {"a": "b m t n c"}}, "x: got one tensor; expected a dict of the streams 'a'"),
        (X.flatten(0, 1), {"inputs": "(b m) t n c"}, "the number of instances does not follow"),
        (X.flatten(2, 3), {"inputs": "b m (t n) c"}, "the number of nodes does not follow"),
        (X[:0], {}, "there is nothing to explain"),
        (X, {"ids": ["a"]}, "ids: got 1 names; expected 4"),
    ],
)
def test_what_does_not_fit_is_refused(x, options, message):
    with pytest.raises(InputError, match=message):
        prepared(x, **options)


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [("b m t n c", ""), ("(b m) c t n", "bm"), ("(b n) (t c)", "bntc"), ("b 1 (n c)", "nc")],
)
def test_axes_that_are_folded(pattern, expected):
    assert folded_axes(Layout(pattern)) == set(expected)


def test_sizes_follow_from_shape_layout_and_what_is_known():
    x = torch.zeros(12, 5, 6)
    assert sizes_of(Layout("(b m) t n"), x, {"m": 3}, None) == {"b": 4, "m": 3, "t": 5, "n": 6, "c": 1}
    assert sizes_of(Layout("(b n) t c"), x, {"n": 3}, None) == {"b": 4, "m": 1, "t": 5, "n": 3, "c": 6}
    # Without an axis of nodes there is one.
    with pytest.raises(InputError, match="x has 1 node and the graph 3"):
        sizes_of(Layout("b t c"), x, {}, GRAPH)
    with pytest.raises(InputError, match="there is nothing to explain"):
        sizes_of(Layout("b t n"), x[:, :0], {}, None)


def test_nodes_in_another_order_are_refused():
    orders = {name: path(name) for name in ("abc", "abd", "acb", "ab", "xyz", "bxa")}
    fits = {name for name, one in orders.items() if _in_order(one, orders["abc"])}
    assert fits == {"abc", "abd", "ab", "xyz"}
    check_node_order(None, GRAPH)
    check_node_order(GRAPH, None)


def _in_order(samples, graph):
    try:
        check_node_order(samples, graph)
    except InputError as error:
        assert "expected one order" in error.args[0]  # noqa: PT017
        return False
    return True


@pytest.mark.parametrize(
    ("ids", "expected"),
    [
        (None, ()),
        ([1, 2], ("1", "2")),
        (np.array([1, 2]), ("1", "2")),
        (pd.Index(["a", "b"]), ("a", "b")),
        (torch.tensor([3, 4]), ("3", "4")),
        (["a"], "got 1 names; expected 2"),
        (["a", "b", "c"], "got 3 names; expected 2"),
        (["b", "b"], "got 'b' more than once"),
        ("ab", "got 'ab'; expected a list of 2"),
        (7, "got 7; expected a list of 2"),
    ],
)
def test_ids(ids, expected):
    if isinstance(expected, tuple):
        assert checked_ids(ids, 2) == expected
    else:
        with pytest.raises(InputError, match=expected):
            checked_ids(ids, 2)


@pytest.mark.parametrize(
    ("shape", "instances", "message"),
    [
        ((2, 1, 3, 4), 1, ""),
        ((2, 3, 4), 1, ""),
        ((2, 2, 3, 4), 2, ""),
        ((2, 3, 4), 2, r"got shape \[2, 3, 4\]; expected \[B, M, T, N\], here \[2, 2, 3, 4\]\."),
        ((2, 4, 3), 1, r"got shape \[2, 4, 3\]; expected .* here \[2, 1, 3, 4\], or \[2, 3, 4\]\."),
        ((2, 3, 3, 4), 2, r"expected \[B, M, T, N\], here \[2, 2, 3, 4\]\."),
    ],
)
def test_shapes_of_a_mask(shape, instances, message):
    mask, missing = torch.ones(shape, dtype=torch.bool), torch.zeros(2, instances, 3, 4, 2, dtype=torch.bool)
    if message:
        with pytest.raises(InputError, match=message):
            observed_in(mask, missing)
    else:
        assert observed_in(mask, missing).shape == missing.shape[:4]


def test_the_first_of_what_is_observed_and_missing_is_named():
    missing = torch.zeros(2, 2, 3, 4, 2, dtype=torch.bool)
    missing[1, 0, 2, 3, 1] = missing[1, 1, 0, 0, 0] = missing[0, 0, 0, 0, 0] = True
    mask = torch.ones(2, 2, 3, 4, dtype=torch.bool)
    mask[0, 0, 0, 0] = False
    with pytest.raises(InputError, match="NaN at 2 positions .* sample 1, instance 0, frame 2, node 3"):
        observed_in(mask, missing)
    with pytest.raises(InputError, match="observed: got type float32; expected bool"):
        observed_in(mask.float(), missing)


def model_input(layout):
    arguments = {"per_sample": {"gain": torch.arange(B)}, "shared": {"edges": torch.ones(2)}}
    return ModelInput(
        Layout(layout).from_batch(X), VALID, {"b": B, "m": M, "t": T, "n": N, "c": C}, tuple("pqrs"), OBSERVED,
        **arguments, timestamps=TIMES,
    )  # fmt: skip


@pytest.mark.parametrize("layout", ["b m t n c", "(m b) c t n", "c (n b) (m t)"])
@pytest.mark.parametrize(("start", "stop"), [(0, 1), (1, 3), (3, 4), (0, 4)])
def test_rows_are_some_of_the_samples_with_all_that_is_theirs(layout, start, stop):
    whole = model_input(layout)
    some = whole.rows(slice(start, stop), Layout(layout))
    assert some.sizes == {**whole.sizes, "b": stop - start}
    assert torch.equal(Layout(layout).to_batch(some.x, **some.sizes), X[start:stop])
    assert torch.equal(some.valid, VALID[start:stop])
    assert torch.equal(some.observed, OBSERVED[start:stop])
    assert some.ids == tuple("pqrs"[start:stop])
    assert some.timestamps.equals(TIMES[start:stop])
    assert some.per_sample["gain"].tolist() == list(range(start, stop))
    assert torch.equal(some.shared["edges"], torch.ones(2))
    assert (some is whole) is (stop - start == B)


@pytest.mark.parametrize("copies", [1, 2, 3])
def test_copies_are_one_whole_batch_after_the_other(copies):
    whole = model_input("b m t n c")
    found = whole.repeated(torch.cat([X] * copies), copies)
    assert found.sizes == {**whole.sizes, "b": B * copies}
    assert found.ids == tuple("pqrs") * copies
    for copy in range(copies):
        rows = slice(copy * B, (copy + 1) * B)
        assert torch.equal(found.valid[rows], VALID)
        assert torch.equal(found.observed[rows], OBSERVED)
        assert found.per_sample["gain"][rows].tolist() == list(range(B))
        assert found.timestamps[rows].equals(TIMES)
