"""Distractors: pieces of movement that are no action, of every part of the body, all the time.

They are as far, as fast and as long as the action, and each way that they go is a way that an action goes too. So a
clip holds some twenty pieces that look alike to whatever measures how a joint moves, and one of them is the class.
"""

from collections.abc import Sequence
from typing import TypeVar

import numpy as np

from stexplain.data.planted.actions import ACTIONS, MEANINGLESS, NO_ACTION, PARTS, Piece, Signs, Span, path
from stexplain.data.planted.body import Array, Person, Pose, resting

_T = TypeVar("_T")
# Frames before and after the clip, more than a piece takes.
_AROUND = 60
# Shortest and longest: a piece of a person of average tempo, in seconds; a pause between two pieces, in frames.
_SECONDS, _PAUSE = (0.6, 0.8), (0, 4)
# The least share of the action that lies within the clip.
_WITHIN = 0.6
# How much more often an action at an end is drawn than one in the middle, since only a part of it may be there.
_ENDS = 3.0
# How much a piece may differ from the average each way, as a share.
_VARIED = 0.15
# How far elbows, knees and neck swing about their limb, as a share of the direction in which they bend.
_SWING = 0.6


def restless(
    person: Person, frames: int, action: str, rng: np.random.Generator, drawn: np.random.Generator
) -> tuple[Pose, Pose, Piece | None]:
    """A person who keeps moving all parts of the body, and whose movements mean nothing but for one.

    Every part does one piece after another, from before the clip to after it. One of them is the action, where there is
    one.

    Args:
        person: who moves.
        frames: T.
        action: its code, or `NO_ACTION`.
        rng: draws all that is independent of the action.
        drawn: draws which part acts, how and when.

    Returns:
        The pose over T frames with a meaningless piece in place of the action, which differs from it in one sign; the
        pose with the action; and the action. Where there is none the two are one, such as without an action drawn.
    """
    # What has no action is what any recording would be without its own.
    kind = ACTIONS[_one(list(ACTIONS), drawn) if action == NO_ACTION else action]
    acting, signs = _one(kind.parts, drawn), kind.signs
    flipped = int(drawn.integers(3))
    without = resting(frames + 2 * _AROUND)
    _sway(without, rng)
    pose, clip = without.cut(slice(None)), slice(_AROUND, _AROUND + frames)
    act: Piece | None = None
    for part in PARTS:
        spans = _spans(person, frames, rng)
        cause = spans[_drawn_cause(spans, frames, drawn)] if part == acting else None
        for span in spans:
            far = person.amplitude * rng.uniform(1 - _VARIED, 1 + _VARIED, 3)
            piece = other = Piece(part, _one(MEANINGLESS, rng), span)
            if span is cause:
                # With one sign flipped, the odd number of negative ones becomes even.
                piece = act = Piece(part, signs, span)
                other = Piece(part, _flipped(signs, flipped), span)
            _move(without, other, far)
            _move(pose, piece, far)
    if action == NO_ACTION:
        return without.cut(clip), without.cut(clip), None
    assert act is not None
    return without.cut(clip), pose.cut(clip), act


def _one(things: Sequence[_T], rng: np.random.Generator) -> _T:
    return things[int(rng.integers(len(things)))]


def _flipped(signs: Signs, way: int) -> Signs:
    right, up, forward = (-sign if way == i else sign for i, sign in enumerate(signs))
    return right, up, forward


def _move(pose: Pose, piece: Piece, far: Array) -> None:
    """Adds a piece to a pose that begins `_AROUND` frames before the clip."""
    start = piece.span.start + _AROUND
    pose.parts[PARTS.index(piece.part), start : start + piece.span.frames] += path(piece, far)


def _spans(person: Person, frames: int, rng: np.random.Generator) -> list[Span]:
    """Spans of pieces, one after another, over all frames of a clip; the first and the last may reach beyond it."""
    spans: list[Span] = []
    at = 0
    while at < frames:
        # At 30 frames a second, as the Kinect has them.
        length = round(rng.uniform(*_SECONDS) * person.tempo * 30)
        # From before the first frame, so that a clip begins in the middle of pieces.
        at -= 0 if spans else int(rng.integers(0, length))
        spans.append(Span(at, length))
        at += length + int(rng.integers(*_PAUSE, endpoint=True))
    return spans


def _drawn_cause(spans: list[Span], frames: int, rng: np.random.Generator) -> int:
    """Which of a part's pieces is the action: one that is mostly in the clip, at its ends more often than amid it."""
    within = [(min(one.start + one.frames, frames) - max(one.start, 0)) / one.frames for one in spans]
    able = [i for i, share in enumerate(within) if share >= _WITHIN]
    # How far from the middle of the clip, in [0, 1]: without the weight the middle alone would be a good guess.
    apart = np.array([abs(2 * (spans[i].start + spans[i].frames / 2) / frames - 1) for i in able])
    weights = 1 + _ENDS * np.minimum(apart, 1) ** 2
    return able[int(rng.choice(len(able), p=weights / weights.sum()))]


def _sway(pose: Pose, rng: np.random.Generator) -> None:
    """Sway: slow and small movements of the body and of each part, which a person does not notice."""
    time = np.arange(len(pose.pelvis))[:, None] / 30
    # Elbows and knees swing freely: what they do else follows from where the hand or foot is, all three ways at once,
    # and how far they ever go would tell the action.
    for channel, size in ((pose.pelvis, 0.012), (pose.parts, 0.02), (pose.bends, _SWING)):
        # Two frequencies in Hz, each varied, so that no two recordings sway alike.
        for rate in (0.3, 0.7):
            phase = rng.random((*channel.shape[:-2], 1, 3))
            channel += size * np.sin(2 * np.pi * (rate * rng.uniform(0.7, 1.3) * time + phase))
