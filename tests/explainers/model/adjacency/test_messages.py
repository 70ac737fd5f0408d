"""Messages as DGL combines them, against loops over edges; and which frame each call of a loop stands for."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from stexplain.explainers.model.adjacency.call_frames import frames_of_calls
from stexplain.explainers.model.adjacency.events import MessageSum, Site
from stexplain.explainers.model.adjacency.measured import Measured
from stexplain.explainers.model.probe.plan import first_plan

SOURCE, TARGET = torch.tensor([0, 2, 1, 0]), torch.tensor([1, 1, 0, 2])


@pytest.mark.parametrize("combine", ["mul", "add", "sub", "div", "copy_lhs", "copy_rhs"])
@pytest.mark.parametrize("mean", [False, True])
@pytest.mark.parametrize("edge_shape", [(4, 2), (4, 1), (4,)])
def test_messages(combine, mean, edge_shape):
    of_source, of_edge = torch.rand(3, 2) + 1, torch.rand(edge_shape) + 1
    degree = torch.tensor([1.0, 2.0, 4.0]) if mean else None
    form = MessageSum(SOURCE, TARGET, combine, of_source, of_edge, degree)
    for edges in ([0, 1, 2, 3], [3, 1]):
        found = form.messages(torch.tensor(edges))
        for row, edge in enumerate(edges):
            left, right = of_source[SOURCE[edge]], of_edge[edge]
            operators = {"mul": left * right, "add": left + right, "sub": left - right, "div": left / right}
            expected = {**operators, "copy_lhs": left, "copy_rhs": right}[combine]
            assert torch.allclose(found[row], expected / (degree[TARGET[edge]] if mean else 1))


def test_features_with_fewer_axes_are_broadcast_from_the_first_on():
    of_source, of_edge = torch.rand(3, 2, 4), torch.rand(4, 4)
    found = MessageSum(SOURCE, TARGET, "mul", of_source, of_edge).messages(torch.arange(4))
    assert torch.allclose(found, of_source[SOURCE] * of_edge[:, None])


@pytest.mark.parametrize("one_sided", [("copy_lhs", True), ("copy_rhs", False)])
def test_messages_of_one_side_alone(one_sided):
    combine, source = one_sided
    values = torch.rand(3 if source else 4, 2)
    form = MessageSum(SOURCE, TARGET, combine, values if source else None, None if source else values)
    assert torch.equal(form.messages(torch.tensor([2, 0])), values[[1, 0]] if source else values[[2, 0]])


# ---- frames of calls ----


def calls(sees, frames, mixes=True, positions=None):
    """Calls, each of which sees some frames, as the copies of the first plan would show it."""
    plan = first_plan({"m": 1, "t": frames, "n": 3, "c": 1})
    spans = [(0, frames - 1) if one.frames is None else one.frames for one in plan.changes]
    made = []
    for number, seen in enumerate(sees):
        hit = [any(first <= frame <= last for frame in seen) for first, last in spans]
        changed = [here and not one.nothing for here, one in zip(hit, plan.changes, strict=True)]
        event = SimpleNamespace(key=number)
        roles = SimpleNamespace() if mixes else None
        made.append(Measured(event, plan, roles=roles, frames=positions, changed=np.array(changed)))
    return made


@pytest.mark.parametrize("frames", [4, 12, 16, 17, 30])
def test_a_loop_over_frames(frames):
    """A call at each frame: the state of a recurrent model, its input alone, or what looks two frames back."""
    every = range(frames)
    for sees in (
        [list(range(t + 1)) for t in every],
        [[t] for t in every],
        [[t, t - 2] if t > 1 else [t] for t in every],
    ):
        found = frames_of_calls(calls(sees, frames), frames)
        assert found == {t: float(t) for t in every}
    # Two in turn at each frame.
    both = [[t] for t in every for _ in range(2)]
    assert frames_of_calls(calls(both, frames), frames) == {2 * t + k: float(t) for t in every for k in range(2)}
    # A state that depends on nothing at first: of the calls that do, the first frame is theirs.
    late = [list(range(t)) for t in every]
    assert frames_of_calls(calls(late, frames), frames) == {t: float(t - 1) for t in every if t}


@pytest.mark.parametrize("frames", [4, 12, 17])
def test_calls_that_are_no_loop_over_frames(frames):
    every = range(frames)
    backwards = [[frames - 1 - t] for t in every]
    for sees in (backwards, [list(every)] * frames, [[0]] * frames, [[2 * t % frames] for t in every]):
        assert frames_of_calls(calls(sees, frames), frames) == {}
    one_each = [[t] for t in every]
    # Too few, or too many; what has frames of its own, or is not known.
    assert frames_of_calls(calls(one_each[:-1], frames), frames) == {}
    assert frames_of_calls(calls([*one_each, [0]], frames), frames) == {}
    assert frames_of_calls(calls(one_each, frames, positions=np.zeros(1)), frames) == {}
    assert frames_of_calls(calls([[]] * frames, frames), frames) == {}
    unknown = calls(one_each, frames)
    unknown[1].roles, unknown[1].why = None, "not known"
    assert frames_of_calls(unknown, frames) == {}
    # What mixes no nodes is asked nothing.
    assert len(frames_of_calls(calls(one_each, frames, mixes=False), frames)) == frames


def test_a_single_frame_has_no_loop():
    assert frames_of_calls(calls([[0]], 1), 1) == {}


def test_a_place_has_the_name_of_its_module_and_operation():
    assert Site("gcn.0", "matmul", "model.py:3").where == "gcn.0.matmul"
    assert Site("", "matmul", "model.py:3").where == "matmul"
