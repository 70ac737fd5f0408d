"""Rows that are picked, and summed at their targets, in every way to write it; what is another thing is refused."""

import pytest
import torch

from stexplain.explainers.model.adjacency.events import Gather, Scatter
from stexplain.explainers.model.adjacency.frames import CallFrame
from stexplain.explainers.model.adjacency.indexing import gather_of, is_scatter, scatter_arguments

X = torch.arange(2 * 5 * 3 * 4.0).view(2, 5, 3, 4)
INDEX = torch.tensor([4, 0, 1, 1, 3, 2])


def wide(index, axis, x=X):
    shape = [1] * x.ndim
    shape[axis] = len(index)
    return index.view(shape).expand(*(len(index) if at == axis else size for at, size in enumerate(x.shape)))


PICKED = {
    "index_select": ("index_select", (X, 1, INDEX), {}, X, 1),
    "by name": ("index_select", (X,), {"dim": -3, "index": INDEX}, X, 1),
    "gather": ("gather", (X, 1, wide(INDEX, 1)), {}, X, 1),
    "gather from the end": ("gather", (X, -3, wide(INDEX, 1)), {}, X, 1),
    "gather of one axis": ("gather", (X[0, :, 0, 0], 0, INDEX), {}, X[0, :, 0, 0], 0),
    "take_along_dim": ("take_along_dim", (X, wide(INDEX, 1)), {"dim": 1}, X, 1),
    "the first axis": ("__getitem__", (X.transpose(0, 1), INDEX), {}, X.transpose(0, 1), 0),
    "slices": ("__getitem__", (X, (slice(None), INDEX)), {}, X, 1),
    "dots before": ("__getitem__", (X.movedim(1, 3), (..., INDEX)), {}, X.movedim(1, 3), 3),
    "dots behind": ("__getitem__", (X, (slice(None), INDEX, ...)), {}, X, 1),
    "dots between": ("__getitem__", (X.mT.transpose(1, 3), (slice(None), ..., INDEX)), {}, X.mT.transpose(1, 3), 3),
    "a list": ("__getitem__", (X, (slice(None), INDEX.tolist())), {}, X, 1),
    "a number before": ("__getitem__", (X, (1, INDEX)), {}, X[1], 0),
    "a number behind": ("__getitem__", (X, (slice(None), INDEX, 2)), {}, X[:, :, 2], 1),
    "numbers on both sides": ("__getitem__", (X, (0, INDEX, slice(None), -1)), {}, X[0, ..., -1], 0),
}  # fmt: skip


@pytest.mark.parametrize("name", PICKED)
def test_picked(name):
    called, args, options, operand, axis = PICKED[name]
    found = gather_of(called, args, options)
    assert torch.equal(found.operand, operand)
    assert (found.axis, found.index.tolist()) == (axis, INDEX.tolist())
    # As torch runs it.
    function = getattr(torch.Tensor, called) if called == "__getitem__" else getattr(torch, called)
    assert torch.equal(function(*args, **options), operand.index_select(axis, INDEX))


UNEVEN = wide(INDEX, 1).clone()
UNEVEN[0, 0, 0, 0] = 2
NOT_PICKED = {
    "another function": ("roll", (X, 1, 1), {}),
    "an index per entry": ("gather", (X, 1, UNEVEN), {}),
    "indices of two axes": ("index_select", (X, 1, INDEX[:, None]), {}),
    "a part": ("__getitem__", (X, (slice(0, 1), INDEX)), {}),
    "a mask": ("__getitem__", (X, (slice(None), torch.tensor([True, False, True, True, False]))), {}),
    "bytes, which are a mask": ("__getitem__", (X, (slice(None), torch.ones(5, dtype=torch.uint8))), {}),
    "two lists": ("__getitem__", (X, (INDEX[:2] % 2, INDEX[:2])), {}),
    "a new axis": ("__getitem__", (X, (None, INDEX % 2)), {}),
    "a truth value": ("__getitem__", (X, (True, INDEX % 2)), {}),
    "slices alone": ("__getitem__", (X, (slice(None), slice(None))), {}),
    "a number alone": ("__getitem__", (X, 1), {}),
    "a list in a dict": ("__getitem__", ({"x": X}, "x"), {}),
    "no index": ("index_select", (X, 1), {}),
}


@pytest.mark.parametrize("name", NOT_PICKED)
def test_not_picked(name):
    called, args, options = NOT_PICKED[name]
    assert gather_of(called, args, options) is None


ZEROS, MESSAGES, TARGET = torch.zeros(2, 5, 3, 4), torch.arange(2 * 6 * 3 * 4.0).view(2, 6, 3, 4), INDEX
ONE = torch.zeros(5, 3), MESSAGES[0, :, :, 0]
SUMMED = {
    "index_add": ("index_add", (ZEROS, 1, TARGET, MESSAGES), {}, ""),
    "index_add by name": ("index_add", (ZEROS,), {"dim": -3, "index": TARGET, "source": MESSAGES}, ""),
    "index_add of twice": ("index_add", (ZEROS, 1, TARGET, MESSAGES), {"alpha": 2}, ""),
    "scatter_add": ("scatter_add", (ZEROS, 1, wide(TARGET, 1, ZEROS), MESSAGES), {}, ""),
    "scatter_add by name": ("scatter_add", (ZEROS, 1), {"index": wide(TARGET, 1, ZEROS), "src": MESSAGES}, ""),
    "the sum": ("scatter_reduce", (ZEROS, 1, wide(TARGET, 1, ZEROS), MESSAGES, "sum"), {}, ""),
    "the mean": ("scatter_reduce", (ZEROS, 1, wide(TARGET, 1, ZEROS), MESSAGES), {"reduce": "mean"}, ""),
    "the largest": ("scatter_reduce", (ZEROS, 1, wide(TARGET, 1, ZEROS), MESSAGES, "amax"), {}, "the amax of messages"),
    "the product": ("index_reduce", (ZEROS, 1, TARGET, MESSAGES, "prod"), {}, "the prod of messages"),
}  # fmt: skip


@pytest.mark.parametrize("name", SUMMED)
def test_summed_at_their_targets(name):
    called, args, options, why = SUMMED[name]
    assert is_scatter(called)
    assert is_scatter(f"{called}_")
    axis, target, messages, put_back, reason = scatter_arguments(called, args, options)
    assert (axis, target.tolist()) == (1, TARGET.tolist())
    assert messages is MESSAGES
    assert why in reason
    assert bool(why) == bool(reason)
    # Other messages in their place give what they add; all else of the call is as it was.
    again, further = put_back(-MESSAGES)
    function = getattr(torch, called)
    if not reason:
        assert torch.equal(function(*again, **further), -function(*args, **options))


def test_put_where_they_add_up():
    values = MESSAGES.transpose(0, 1)
    operand = ZEROS.transpose(0, 1)
    axis, target, messages, put_back, reason = scatter_arguments("index_put", (operand, (TARGET,), values, True), {})
    assert (axis, target.tolist(), reason) == (0, TARGET.tolist(), "")
    assert messages is values
    again, further = put_back(2 * values)
    expected = torch.zeros_like(operand).index_add(0, TARGET, 2 * values)
    assert torch.equal(torch.index_put(*again, **further), expected)
    second = scatter_arguments("index_put_", (ZEROS, (None, TARGET), MESSAGES), {"accumulate": True})
    assert second[0] == 1
    # What replaces, or puts single entries, sums nothing.
    assert scatter_arguments("index_put", (operand, (TARGET,), values), {}) is None
    assert scatter_arguments("index_put", (operand, (TARGET,), values), {"accumulate": False}) is None
    assert scatter_arguments("index_put", (operand, (TARGET, TARGET % 2), values[:, 0], True), {}) is None
    assert scatter_arguments("index_put", (operand, (TARGET[:, None],), values, True), {}) is None
    assert scatter_arguments("index_put", (operand, (TARGET,), torch.tensor(1.0), True), {}) is None


@pytest.mark.parametrize(
    ("called", "args"),
    [
        ("scatter_add", (ZEROS, 1, UNEVEN, MESSAGES)),
        ("scatter_add", (ZEROS, 1, wide(TARGET, 1, ZEROS), 1.0)),
        ("index_add", (ZEROS, 1, TARGET)),
        ("scatter_reduce", (ZEROS, 1, TARGET, MESSAGES[0], "sum")),
    ],
)
def test_not_summed_by_whole_rows(called, args):
    assert scatter_arguments(called, args, {}) is None
    assert not is_scatter("cumsum")


# ---- where messages come from ----


def frame_of(*indices):
    frame = CallFrame("", None)
    for index in indices:
        gather = Gather(X, 1, index)
        frame.gathered(gather, torch.zeros(1), [frame])
    return frame


def test_messages_come_from_what_was_picked_by_other_indices_than_their_targets():
    edges = torch.tensor([[0, 1, 2], [1, 2, 0]])
    source, target = edges
    frame = frame_of(target, source)
    gather, why = frame.source_of(target, [frame])
    assert (gather.index.tolist(), why) == ([0, 1, 2], "")
    # By copies of the same numbers too.
    gather, _ = frame.source_of(target.clone(), [frame])
    assert gather.index.tolist() == [0, 1, 2]
    # Picked twice by the same: the last.
    again = frame_of(source, target, source.clone())
    assert again.source_of(target, [again])[0] is again.gathers[-1]
    # Of several lists the one that lies beside the targets, in one edge_index.
    other = torch.tensor([2, 0, 0])
    several = frame_of(source, other)
    assert several.source_of(target, [several])[0].index.tolist() == [0, 1, 2]
    gather, why = several.source_of(target.clone(), [several])
    assert gather is None
    assert "several lists of indices" in why
    # Every node sends to itself alone; of another length, nothing was picked; outer calls are looked at last.
    itself = frame_of(target)
    assert itself.source_of(target, [itself])[0].index is target
    gather, why = itself.source_of(torch.tensor([0, 1]), [itself])
    assert gather is None
    assert "no rows were picked" in why
    empty = CallFrame("inner", None)
    assert empty.source_of(target, [frame, empty])[0].index.tolist() == [0, 1, 2]
    assert empty.source_of(target, [frame, itself])[0].index is target


@pytest.mark.parametrize("name", ["div", "__truediv__", "true_divide", "sub_", "__sub__"])
@pytest.mark.parametrize("steps", [0, 2])
def test_sums_that_go_back_to_their_own_edges_are_no_messages(name, steps):
    """A softmax over incoming edges: exp(e) / sum[target]."""
    target = torch.tensor([1, 0, 1])
    scatter, out, picked = Scatter(0, target, None, ""), torch.zeros(2), torch.zeros(3)
    frame = CallFrame("", None)
    frame.scattered(scatter, out)
    for _ in range(steps):
        # Entry by entry, such as a small number that is added.
        frame.passed_on("add", (out, 1e-8), out := out + 1e-8)
    frame.gathered(Gather(out, 0, target.clone()), picked, [frame])
    scores = torch.zeros(3)
    frame.passed_on("mul", (scores, picked), torch.zeros(3))
    assert not scatter.normaliser
    frame.passed_on(name, (picked, scores), torch.zeros(3))
    assert not scatter.normaliser
    frame.passed_on(name, (scores, picked), torch.zeros(3))
    assert scatter.normaliser


@pytest.mark.parametrize("index", [[0, 0, 1], [1, 0]])
def test_sums_that_go_on_to_other_edges_are_messages(index):
    scatter, out, picked = Scatter(0, torch.tensor([1, 0, 1]), None, ""), torch.zeros(2), torch.zeros(len(index))
    frame = CallFrame("", None)
    frame.scattered(scatter, out)
    frame.gathered(Gather(out, 0, torch.tensor(index)), picked, [frame])
    frame.passed_on("div", (torch.zeros(len(index)), picked), torch.zeros(len(index)))
    assert not scatter.normaliser
    # Nor is what was made of them in another shape.
    frame.passed_on("sum", (out,), whole := torch.zeros(()))
    assert id(whole) not in frame.sums
