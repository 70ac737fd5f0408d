"""What is listed of operations that mix nodes: names of their own, samples, and the frame that each call stands for."""

from types import SimpleNamespace

import numpy as np
import pytest

from stexplain.explainers.model.adjacency.call_frames import frames_of_calls
from stexplain.explainers.model.adjacency.events import Site
from stexplain.explainers.model.adjacency.listing import Call, Mixing, _distinct, _has_samples
from stexplain.explainers.model.adjacency.measured import Measured
from stexplain.explainers.model.adjacency.roles import Atom, MessageRoles, ProductRoles
from stexplain.explainers.model.probe.plan import Change, Plan, frame_intervals


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ([("road", "buffer", "a")], ["road"]),
        ([("road", "buffer", "a"), ("rail", "buffer", "a")], ["road", "rail"]),
        ([("road", "buffer", "a"), ("road", "buffer", "b")], ["road in a.mm", "road in b.mm"]),
        ([("road", "buffer", ""), ("road", "buffer", "b")], ["road in mm", "road in b.mm"]),
        ([("road", "buffer", "a"), ("road", "buffer", "a")], ["road in a.mm (1)", "road in a.mm (2)"]),
        ([("mm", "computed", "a"), ("mm", "computed", "b"), ("mm", "computed", "a")], ["mm (1)", "mm (2)", "mm (3)"]),
        ([("mm", "computed", "a")], ["mm"]),
        (
            [("x", "buffer", "a"), ("y", "computed", "a"), ("x", "buffer", "b"), ("y", "computed", "a")],
            ["x in a.mm", "y (1)", "x in b.mm", "y (2)"],
        ),
    ],
)
def test_no_two_have_one_name(given, expected):
    mixings = [Mixing(name, kind, Site(module, "mm", "line")) for name, kind, module in given]
    assert [one.name for one in _distinct(mixings)] == expected


def test_edges_are_those_of_the_largest_call():
    mixing = Mixing("road", "buffer", Site("a", "mm", "line"))
    assert mixing.edges == 0
    mixing.calls = {number: Call(edges=edges) for number, edges in enumerate((3, 7, 5))}
    assert mixing.edges == 7


SIGNAL, OTHER = Atom("b", 3), Atom("n", 5)


@pytest.mark.parametrize(
    ("roles", "expected"),
    [
        (ProductRoles(0, 1, {}, (0, 0), (1, 0), (), (2, 0), None), True),
        (ProductRoles(0, 1, {}, (0, 0), (1, 0), (), None, None), False),
        (MessageRoles((OTHER,), (OTHER,), (SIGNAL,)), True),
        (MessageRoles((OTHER,), (SIGNAL, OTHER), (OTHER,)), True),
        (MessageRoles((SIGNAL, OTHER), (OTHER,), (OTHER,)), False),
        (MessageRoles((), (), ()), False),
    ],
)
def test_which_operations_have_an_axis_of_samples(roles, expected):
    assert _has_samples(roles) is expected


FRAMES = 6
SINGLE = tuple(Change(frames=(frame, frame)) for frame in range(FRAMES))
SPREAD = tuple(frame_intervals(range(FRAMES - 1), FRAMES))


def calls(sees, changes=SINGLE, *, frames=None, roles=True):
    """Calls in their order, each with the frames that it sees."""
    plan = Plan((Change(nothing=True), *changes), {"m": 1, "t": FRAMES, "n": 5, "c": 1}, len(changes) + 1)
    return [
        Measured(
            SimpleNamespace(key=number), plan, SimpleNamespace() if roles else None, frames=frames,
            changed=np.array([False, *(bool(seen & set(range(a, b + 1))) for a, b in (one.frames for one in changes))]),
        )
        for number, seen in enumerate(sees)
    ]  # fmt: skip


def upto(lag=0):
    """Call k sees the frames up to k less the lag."""
    return [set(range(k + 1 - lag)) for k in range(FRAMES)]


@pytest.mark.parametrize("changes", [SINGLE, SPREAD])
@pytest.mark.parametrize(
    ("sees", "expected"),
    [
        (upto(), dict(enumerate(range(FRAMES)))),
        # Its own frame alone, and two of them.
        ([{k} for k in range(FRAMES)], dict(enumerate(range(FRAMES)))),
        ([{k - 1, k} for k in range(FRAMES)], dict(enumerate(range(FRAMES)))),
        # The state before: that of the first frame depends on nothing.
        (upto(1), {k: k - 1 for k in range(1, FRAMES)}),
        # Two a frame, in turns: by a state and by signals.
        ([one for pair in zip(upto(1), upto(), strict=True) for one in pair],
         {2 * k: k - 1 for k in range(1, FRAMES)} | {2 * k + 1: k for k in range(FRAMES)}),
        # Backwards, all alike, and no frame at all.
        (upto()[::-1], {}),
        ([set(range(FRAMES))] * FRAMES, {}),
        ([set()] * FRAMES, {}),
        # Not one a frame.
        (upto()[:-1], {}),
        (upto() + upto()[:2], {}),
    ],
)  # fmt: skip
def test_a_call_stands_for_the_last_frame_that_it_sees(sees, changes, expected):
    assert frames_of_calls(calls(sees, changes), FRAMES) == expected


def test_calls_whose_frames_are_known_or_whose_axes_are_not_have_no_frame_of_their_own():
    assert frames_of_calls(calls(upto(), frames=np.arange(3.0)), FRAMES) == {}
    # What mixes no nodes does not count against it.
    mixed = calls(upto())[:3] + calls(upto(), roles=False)[3:]
    assert frames_of_calls(mixed, FRAMES) == dict(enumerate(range(FRAMES)))
    mixed[0].roles, mixed[0].why = None, "not known"
    assert frames_of_calls(mixed, FRAMES) == {}
    assert frames_of_calls(calls([{0}]), 1) == {}
