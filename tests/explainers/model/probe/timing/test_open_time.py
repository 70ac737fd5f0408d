"""What is said where no position lies at a known frame, what stands in the way, and which layers do the same."""

import itertools

import numpy as np
import pytest

from stexplain.explainers.model.probe import in_time
from stexplain.explainers.model.probe.in_time import rivals, with_time
from stexplain.explainers.model.probe.plan import Change, Plan
from stexplain.explainers.model.probe.responses import Factor
from stexplain.explainers.model.probe.time import Timing

FRAMES = 6
SINGLE = tuple(Change(frames=(frame, frame)) for frame in range(FRAMES))


def plan(changes=SINGLE, frames=FRAMES):
    return Plan((*changes, Change(nothing=True)), {"m": 1, "t": frames, "n": 1, "c": 1}, len(changes) + 1)


def factor(sees, dimension=1, letter="", strength=None):
    """An axis whose positions see some frames, ``[copies, T']``, beside a copy in which nothing was changed."""
    response = np.concatenate([np.asarray(sees, float), np.zeros((1, len(sees[0])))])
    return Factor(dimension, response.shape[1], letter, response, response if strength is None else strength)


BATCH = Factor(0, 7, "b")
OWN, ALL, NONE = np.eye(FRAMES), np.ones((FRAMES, FRAMES)), np.zeros((FRAMES, FRAMES))
# Each second frame, from the last to the first: no line.
BACK = np.eye(FRAMES)[:, ::-1]


def found(*sees, changes=SINGLE, frames=FRAMES):
    factors = [BATCH, *(factor(one, place + 1) for place, one in enumerate(sees))]
    named, timing = with_time(factors, plan(changes, frames))
    return "".join(one.letter or "." for one in named), timing


def test_the_axis_that_sees_its_own_frames_is_named():
    letters, timing = found(OWN)
    assert (letters, timing.kind, timing.stride, timing.offset) == ("bt", "one frame", 1, 0.0)
    assert found(ALL[:, :4], OWN)[0] == "b.t"
    assert found(OWN, ALL[:, :1])[0] == "bt."


@pytest.mark.parametrize(
    ("sees", "kind", "why", "seen"),
    [
        ((OWN, OWN), "unknown", "more than one axis follows the frames", None),
        ((BACK,), "unknown", "", None),
        ((BACK, ALL[:, :4]), "unknown", "", FRAMES),
        ((ALL,), "unknown", "an axis of size 6 may be that of the frames, but each of its positions sees all", FRAMES),
        ((ALL, ALL[:, :4]), "unknown", "an axis of size 6 may be", FRAMES),
        ((ALL[:, :4], ALL[:, :3]), "unknown", "each position sees all frames: which axis is that of time", FRAMES),
        ((ALL[:, :4],), "none", "", None),
        ((ALL[:, :1],), "none", "", None),
        ((), "none", "", None),
    ],
)
def test_what_is_open_is_said(sees, kind, why, seen):
    letters, timing = found(*sees)
    assert "t" not in letters
    assert (timing.kind, timing.sees) == (kind, seen)
    assert timing.why.startswith(why)
    assert bool(timing.why) is (kind == "unknown")


def test_clips_of_one_frame_and_plans_without_frames_tell_nothing_of_time():
    factors = [BATCH, factor(np.ones((1, 1)))]
    for one in (plan(SINGLE[:1], 1), plan((Change(node=0, instance=0),))):
        assert with_time(factors, one) == (factors, Timing("none"))


def test_named_axes_and_those_of_the_samples_are_not_looked_at():
    factors = [BATCH, factor(OWN, 1, "n"), factor(OWN, 2)]
    named, _ = with_time(factors, plan())
    assert [one.letter for one in named] == ["b", "n", "t"]
    assert named[1] is factors[1]


@pytest.mark.parametrize("channels", [2, 3])
@pytest.mark.parametrize("outside", [True, False])
def test_time_that_is_folded_with_channels(channels, outside):
    """Each channel sees what the others see."""
    folded = np.tile(OWN, (1, channels)) if outside else np.repeat(OWN, channels, 1)
    letters, timing = found(folded)
    assert letters == ("b.t" if outside else "bt.")
    assert (timing.kind, timing.stride) == ("one frame", 1)


def test_parts_of_a_line_that_are_no_channels_are_not_folded():
    """Folded in two, each position would see two frames, one half each."""
    turns = OWN[:, [0, 2, 4, 1, 3, 5]]
    letters, timing = found(turns)
    assert (letters, timing.kind) == ("b.", "unknown")
    assert not in_time._alike(factor(turns), 2, 3, list(range(FRAMES)))
    assert in_time._alike(factor(np.tile(OWN, (1, 2))), 2, 6, list(range(FRAMES)))


def attention(own, others, size=FRAMES):
    """Each position sees all frames, and its own by so much more."""
    return np.full((FRAMES, size), others) + (own - others) * np.eye(FRAMES, size)


@pytest.mark.parametrize(
    ("strength", "size", "kind"),
    [
        (attention(9.0, 1.0), FRAMES, "global"),
        # As where what a position asks for and what it gets change together: its own stands out all the same.
        (attention(1.0, 9.0), FRAMES, "global"),
        (attention(9.0, 9.0), FRAMES, "unknown"),
        (attention(9.0, 1.0)[:, ::-1], FRAMES, "unknown"),
        (np.roll(attention(9.0, 1.0), 1, 1), FRAMES, "unknown"),
        (attention(9.0, 1.0, 5), 5, "none"),
    ],
)
def test_attention_is_told_by_what_stands_out_at_each_position(strength, size, kind):
    ones = np.concatenate([np.ones((FRAMES, size)), np.zeros((1, size))])
    strength = np.concatenate([strength, np.zeros((1, size))])
    named, timing = with_time([BATCH, Factor(1, size, "", ones, strength)], plan())
    assert timing.kind == kind
    assert ("t" in [one.letter for one in named]) is (kind == "global")
    if kind == "global":
        assert timing == Timing("global", 1, 0.0, FRAMES, FRAMES - 1)


ROLLED = tuple(
    Change(frames=span, rolled=True) for last in range(1, FRAMES - 2) for span in ((0, last), (last + 1, FRAMES - 1))
)


def rolled(sees, rounding=1e-12):
    """Of single frames all see all; of values that changed places those that see some of these frames."""
    moved = [[bool(set(range(a, b + 1)) & seen) for seen in sees] for a, b in (one.frames for one in ROLLED)]
    response = np.concatenate([np.ones((FRAMES, len(sees))), np.where(moved, 1.0, rounding), np.zeros((1, len(sees)))])
    one = plan((*SINGLE, *ROLLED))
    return with_time([BATCH, Factor(1, len(sees), "", response, response)], one)


def test_behind_a_normalisation_positions_are_told_by_values_that_change_places():
    named, timing = rolled([{p - 1, p, p + 1} for p in range(FRAMES)])
    assert [one.letter for one in named] == ["b", "t"]
    assert (timing.kind, timing.stride, timing.offset, timing.sees) == ("aligned", 1, 0.0, 3)


def test_by_places_alone_its_own_frame_is_attention():
    _, timing = rolled([{p} for p in range(FRAMES)])
    assert timing == Timing("global", 1, 0.0, FRAMES, FRAMES - 1)


def test_rounding_is_a_share_of_the_largest():
    sees = [{p - 1, p, p + 1} for p in range(FRAMES)]
    assert rolled(sees, 0.9e-8)[1].kind == "aligned"
    assert rolled(sees, 1.1e-8)[1].kind == "unknown"


def layers(changes, changed, frames):
    """Every layer of evenly spaced taps with gaps, by its own definition."""
    count = len(changed[0])
    found = set()
    for dilation, kernel, stride in itertools.product(range(2, 9), range(2, 10), range(1, 9)):
        view = dilation * (kernel - 1)
        for first in range(-view, 9):
            taps = [first + dilation * tap for tap in range(kernel)]
            sees = [{tap + stride * p for tap in taps} for p in range(count)]
            if all(
                bool(sees[p] & set(range(one.frames[0], one.frames[1] + 1))) == changed[row][p]
                for row, one in enumerate(changes)
                for p in range(count)
            ):
                within = [tap for tap in taps if tap < frames and tap + stride * (count - 1) >= 0]
                if within:
                    offset = 0.0 if within[0] < 0 == within[-1] else (within[0] + within[-1]) / 2
                    found.add((stride, offset))
    return found


@pytest.mark.parametrize("seed", range(4))
def test_rivals_are_all_layers_that_explain_the_changes(seed):
    random = np.random.default_rng(seed)
    frames, count = int(random.integers(8, 20)), int(random.integers(2, 4))
    spans = [(0, int(last)) for last in random.integers(0, frames - 1, 3)]
    changes = [Change(frames=one) for one in [*spans, *((last + 1, frames - 1) for _, last in spans)]]
    dilation, kernel, stride, first = (int(random.integers(*of)) for of in ((2, 9), (2, 10), (1, 5), (-9, 4)))
    taps = range(
        max(first, -dilation * (kernel - 1)), max(first, -dilation * (kernel - 1)) + dilation * kernel, dilation
    )
    sees = np.array([
        [any(one.frames[0] <= tap + stride * p <= one.frames[1] for tap in taps) for p in range(count)]
        for one in changes
    ])  # fmt: skip
    assert set(rivals(changes, sees, frames)) == layers(changes, sees, frames)
