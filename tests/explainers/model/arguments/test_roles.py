"""Arguments of a batch as a whole, repeated and cut, against those of the batch that is meant, built anew."""

import numpy as np
import pytest
import scipy.sparse
import torch

from stexplain.errors import InputError
from stexplain.explainers.model.arguments.values import along, copied, per_sample_value, repeated, rows_of, to_model
from stexplain.explainers.model.arguments.whole_batch import Role, Way, _within, cut_shared, repeat_shared, role, roles

NODES, INSTANCES, FRAMES = 3, 2, 4
UNITS = {"nodes": NODES, "persons": NODES * INSTANCES, "frames": NODES * FRAMES, "all": NODES * INSTANCES * FRAMES}
# The graphs of a batch differ: two edges, three, and so on.
EDGES = [torch.tensor([[0, 1], [1, 2]]), torch.tensor([[0, 2, 1], [2, 0, 0]]), torch.tensor([[2, 0], [1, 0]])]


def batch(samples, unit, layout=torch.strided):
    """The arguments of one large graph of some samples; each sample's own has `unit` nodes, and edges at its last."""
    edges = [EDGES[sample] + unit - NODES for sample in samples]
    weights = [torch.arange(one.shape[1]) + 10.0 * sample for one, sample in zip(edges, samples, strict=True)]
    matrix = torch.block_diag(*(torch.full((unit, unit), 1.0 + sample) for sample in samples))
    return {
        "edge_index": torch.cat([one + unit * place for place, one in enumerate(edges)], 1),
        "weight": torch.cat(weights),
        "batch": torch.arange(len(samples)).repeat_interleave(unit),
        "ptr": unit * torch.arange(len(samples) + 1),
        "support": matrix if layout == torch.strided else matrix.to_sparse(layout=layout),
        "stacked": torch.stack([matrix, 2 * matrix]),
        "heads": torch.stack([matrix, 3 * matrix])[:, None],
        "features": torch.cat([torch.full((unit, 2), float(sample)) for sample in samples]),
        "own": torch.tensor([[sample, 7.0] for sample in samples]),
        "kernel": torch.eye(NODES + 4),
        "scalar": torch.tensor(2.0),
        "num_graphs": len(samples),
        "num_nodes": len(samples) * NODES,
        "hidden": len(samples),
        "flag_size": True,
    }  # fmt: skip


def same(one, other):
    assert one.keys() == other.keys()
    for name, value in one.items():
        if isinstance(value, torch.Tensor):
            assert value.layout == other[name].layout
            assert value.dtype == other[name].dtype
            assert torch.equal(value.to_dense(), other[name].to_dense()), name
        elif name != "hidden":
            assert value == other[name]
            assert type(value) is type(other[name])


def sizes(samples):
    return {"b": samples, "m": INSTANCES, "t": FRAMES, "n": NODES}


# torch says so itself of every tensor of compressed rows.
@pytest.mark.filterwarnings("ignore:Sparse CSR tensor support")
@pytest.mark.parametrize("layout", [torch.strided, torch.sparse_coo, torch.sparse_csr])
@pytest.mark.parametrize("unit", UNITS)
def test_of_one_large_graph(unit, layout):
    """Nodes of a sample may be those of all its persons, of all its frames, or of both."""
    unit, samples = UNITS[unit], [0, 1, 2, 1, 0]
    given = batch(samples, unit, layout)
    before = {name: value.clone() for name, value in given.items() if isinstance(value, torch.Tensor)}
    for copies in (1, 2, 3):
        same(repeat_shared(given, copies, sizes(5), Way.ONE_GRAPH), batch(samples * copies, unit, layout))
    for rows in (slice(0, 2), slice(1, 4), slice(4, 5), slice(0, 5)):
        same(cut_shared(given, rows, sizes(5), Way.ONE_GRAPH), batch(samples[rows], unit, layout))
    # What a name does not tell to be a number of samples or nodes stays.
    assert repeat_shared(given, 2, sizes(5), Way.ONE_GRAPH)["hidden"] == 5
    assert all(torch.equal(value.to_dense(), given[name].to_dense()) for name, value in before.items())


def test_as_they_are():
    given = batch([0, 1], NODES)
    assert repeat_shared(given, 2, sizes(2), Way.AS_THEY_ARE) is given
    assert cut_shared(given, slice(0, 1), sizes(2), Way.AS_THEY_ARE) is given
    assert {one.kind for one in roles(given, sizes(2), Way.AS_THEY_ARE)} == {"fixed"}


def test_entries_of_samples_are_no_blocks():
    """A square matrix ``[B N, B N]`` may hold a row per node: whole rows, of which none is cut."""
    matrix = torch.arange(36.0).view(6, 6)
    given = {"own": matrix}
    of = {"b": 2, "m": 1, "t": FRAMES, "n": NODES}
    assert torch.equal(repeat_shared(given, 2, of, Way.ENTRIES)["own"], torch.cat([matrix, matrix]))
    assert torch.equal(cut_shared(given, slice(1, 2), of, Way.ENTRIES)["own"], matrix[3:])
    assert torch.equal(cut_shared(given, slice(1, 2), of, Way.ONE_GRAPH)["own"], matrix[3:, 3:])


@pytest.mark.parametrize(
    ("tensor", "expected"),
    [
        (torch.tensor([[0, 5], [1, 2]]), Role("edges", 3)),
        (torch.tensor([[0, 6], [1, 2]]), Role("edges", 6)),
        (torch.tensor([[0, 5], [1, 2]], dtype=torch.int32), Role("edges", 3)),
        (torch.tensor([[0, 11], [1, 2]]), Role("edges", 6)),
        (torch.tensor([[0, 47], [1, 2]]), Role("edges", 24)),
        (torch.tensor([[0, 48], [1, 2]]), Role("fixed")),
        (torch.zeros(2, 0, dtype=torch.int64), Role("edges", 3)),
        (torch.tensor([[0.0, 5], [1, 2]]), Role("rows", 1)),
        (torch.tensor([[0, 5], [1, 2], [0, 0]]), Role("fixed")),
        (torch.tensor([0, 3, 6]), Role("starts", 3)),
        (torch.tensor([0, 6, 12]), Role("starts", 6)),
        (torch.tensor([1, 3, 6]), Role("fixed")),
        (torch.tensor([0, 3, 7]), Role("fixed")),
        (torch.tensor([0.0, 3, 6]), Role("fixed")),
        (torch.tensor([0, 0, 0, 1, 1, 1]), Role("samples", 3)),
        (torch.tensor([0, 0, 0, 0, 1, 1]), Role("samples", 3)),
        (torch.tensor([0, 1, 0, 1, 1, 1]), Role("rows", 3)),
        (torch.tensor([0, 0, 0, 1, 1, 2]), Role("rows", 3)),
        (torch.tensor([1, 1, 1, 1, 1, 1]), Role("rows", 3)),
        (torch.tensor([False, False, False, True, True, True]), Role("rows", 3)),
        (torch.zeros(2), Role("rows", 1)),
        (torch.zeros(2, 9), Role("rows", 1)),
        (torch.zeros(6), Role("rows", 3)),
        (torch.zeros(12), Role("rows", 6)),
        (torch.zeros(24), Role("rows", 12)),
        (torch.zeros(48), Role("rows", 24)),
        (torch.zeros(7), Role("fixed")),
        (torch.zeros(4), Role("fixed")),
        (torch.zeros(()), Role("fixed")),
        (torch.zeros(6, 6), Role("blocks", 3)),
        (torch.zeros(2, 48, 48), Role("blocks", 24)),
        (torch.zeros(3, 3), Role("fixed")),
        (torch.zeros(6, 5), Role("rows", 3)),
        (torch.zeros(5, 6), Role("fixed")),
    ],
)
def test_what_a_tensor_is_to_two_samples_of_three_nodes_two_persons_and_four_frames(tensor, expected):
    assert role(tensor, sizes(2), Way.ONE_GRAPH) == expected


def test_a_single_sample_has_its_first_node_and_the_end():
    one = torch.tensor([0, NODES])
    assert role(one, sizes(1), Way.ONE_GRAPH) == Role("starts", NODES)
    assert repeat_shared({"ptr": one}, 2, sizes(1), Way.ONE_GRAPH)["ptr"].tolist() == [0, NODES, 2 * NODES]


def test_entries_per_edge_come_before_entries_per_sample():
    """As many edges as there are nodes: what is given beside node numbers belongs to them."""
    edges = torch.tensor([[0, 1, 2, 3, 4, 5], [1, 2, 0, 4, 5, 3]])
    assert [one.kind for one in roles({"e": edges, "w": torch.zeros(6)}, sizes(2), Way.ONE_GRAPH)] == [
        "edges",
        "of edges",
    ]
    assert role(torch.zeros(6), sizes(2), Way.ONE_GRAPH, [5, 6]) == Role("of edges")
    assert role(torch.zeros(6), sizes(2), Way.ONE_GRAPH, [5]) == Role("rows", 3)


# ---- arguments with an entry per sample ----


@pytest.mark.parametrize("layout", [torch.strided, torch.sparse_coo])
@pytest.mark.parametrize("shape", [(3,), (3, 2), (3, 2, 4)])
def test_entries_of_samples_are_repeated_and_cut(shape, layout):
    values = torch.arange(1.0, 1 + torch.Size(shape).numel()).view(shape)
    given = values if layout == torch.strided else values.to_sparse()
    twice = along(given, 2)
    assert twice.layout == layout
    assert torch.equal(twice.to_dense(), torch.cat([values, values]))
    held = {"a": [values, (values + 1,)]}
    assert torch.equal(repeated(held, 3, 3)["a"][1][0], torch.cat([values + 1] * 3))
    assert torch.equal(rows_of(held, slice(1, 3), 3)["a"][0], values[1:])


def test_lists_of_anything_have_an_entry_per_sample():
    names = ["a", "b", "c"]
    assert per_sample_value("names", names, 3) is names
    assert repeated(names, 2, 3) == names * 2
    assert rows_of(names, slice(0, 2), 3) == ["a", "b"]
    # A list of three matrices, of three rows each, is three tensors with an entry per sample.
    three = [torch.eye(3), torch.zeros(3, 3)]
    assert per_sample_value("m", three, 3) is three
    assert torch.equal(per_sample_value("day", [1, 2.5, 3], 3), torch.tensor([1, 2.5, 3]))
    assert torch.equal(per_sample_value("day", (1, 2), 2), torch.tensor([1, 2]))


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (torch.zeros(4, 3), "has shape (4, 3); expected 3 entries"),
        (torch.tensor(1.0), "has shape (); expected 3"),
        ([torch.zeros(3), torch.zeros(2)], "has shape (3,), (2,); expected 3"),
        ("abc", "is a str; expected 3"),
        (["a", "b"], "is a list; expected 3"),
        ([], "is a list; expected 3"),
        ([1, 2], "has shape (2,); expected 3"),
    ],
)
def test_arguments_without_an_entry_per_sample_are_refused(value, words):
    with pytest.raises(InputError) as caught:
        per_sample_value("day", value, 3)
    assert words in str(caught.value)


def test_a_copy_may_be_changed_and_gradients_flow_through_it():
    x = torch.ones(2, requires_grad=True)
    held = {"x": [x * 2], "text": "as it is", "none": None, "set": {1}}
    other = copied(held)
    with torch.no_grad():
        other["x"][0].add_(1)
    assert held["x"][0].tolist() == [2, 2]
    assert other["x"][0].requires_grad
    assert other["text"] == "as it is"
    assert other["none"] is None
    assert other["set"] == {1}
    assert other["set"] is not held["set"]

    class Locked:
        def __deepcopy__(self, memo):
            raise TypeError

    locked = Locked()
    assert copied(locked) is locked


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_what_is_given_comes_to_the_type_of_the_model(dtype):
    """Floating numbers alone; whole numbers and truth values keep their type, and what is no number is as it was."""
    text = object()
    given = {
        "array": np.ones(2), "half": torch.ones(2).half(), "list": [np.ones(2, np.float32), text],
        "whole": np.arange(2), "index": torch.arange(2), "mask": np.array([True]), "words": np.array(["a"]),
        "one": 2.5, "none": None, "road": scipy.sparse.csr_array(np.array([[0.0, 2], [0, 0]])),
    }  # fmt: skip
    found = to_model(given, torch.device("cpu"), dtype)
    for one in (found["array"], found["half"], found["list"][0]):
        assert one.dtype == dtype
        assert one.tolist() == [1, 1]
    assert found["road"].layout == torch.sparse_coo
    assert found["road"].dtype == dtype
    assert found["road"].to_dense().tolist() == [[0, 2], [0, 0]]
    assert found["whole"].dtype == found["index"].dtype == torch.int64
    assert found["mask"].dtype == torch.bool
    assert found["words"] is given["words"]
    assert found["list"][1] is text
    assert (found["one"], found["none"]) == (2.5, None)
    # An array is copied: it may be a view of a file.
    found["array"][0] = 5
    assert given["array"][0] == 1
    # The caller's own graph of gradients is left out.
    own = torch.ones(1, requires_grad=True) * 2
    assert not to_model(own, torch.device("cpu"), dtype).requires_grad


def test_numbers_that_count_are_those_of_all_copies_and_of_the_rows():
    """Of three samples of five nodes; a number whose name counts nothing, and a truth value, stay."""
    given = {
        "ptr": torch.arange(0, 16, 5), "num_graphs": 3, "batch_size": 3, "num_nodes": 15, "size": 7, "steps": 3,
        "batch_first": True,
    }  # fmt: skip
    sizes = {"b": 3, "m": 1, "t": 4, "n": 5}
    expected = {"size": 7, "steps": 3, "batch_first": True}
    for found, samples in (
        (repeat_shared(given, 4, sizes, Way.ONE_GRAPH), 12),
        (cut_shared(given, slice(1, 3), sizes, Way.ONE_GRAPH), 2),
    ):
        assert found.pop("ptr").tolist() == list(range(0, 5 * samples + 1, 5))
        assert found == expected | {"num_graphs": samples, "batch_size": samples, "num_nodes": 5 * samples}
        assert found["batch_first"] is True


def test_an_edge_is_in_a_part_with_either_end():
    """Of nodes 3 to 5; the first and the last node by a self loop each, and edges that leave the part."""
    edges = torch.tensor([[3, 5, 2, 6, 2, 5, 0, 6], [3, 5, 2, 6, 3, 6, 1, 2]])
    assert _within(edges, 3, 6).tolist() == [True, True, False, False, True, True, False, False]
