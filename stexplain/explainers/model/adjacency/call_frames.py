"""Which frame a call of an operation stands for, where a model calls it at each frame."""

from collections.abc import Sequence

from stexplain.explainers.model.adjacency.events import Key
from stexplain.explainers.model.adjacency.measured import Measured


def frames_of_calls(calls: Sequence[Measured], frames: int) -> dict[Key, float]:
    """The frame of each call, where calls have no axis of frames but are one per frame, or several; else nothing.

    A call stands for the last frame that it sees, as the state of a recurrent model does.

    Args:
        calls: of one place, in order.
        frames: T.
    """
    unknown = all(call.roles is not None and call.frames is None for call in calls if call.mixes)
    if not unknown or frames < 2 or len(calls) % frames:
        return {}
    turns = len(calls) // frames
    result: dict[Key, float] = {}
    for turn in range(turns):
        # The state of a recurrent model depends on nothing yet at the first frame.
        seeing = [call for call in calls[turn::turns] if call.changed.any()]
        last = _last_frames(seeing, frames) if len(seeing) > 1 else None
        if last is not None:
            result |= {call.event.key: float(frame) for call, frame in zip(seeing, last, strict=True)}
    return result


def _last_frames(calls: Sequence[Measured], frames: int) -> list[int] | None:
    """The last frame that each call sees, where it moves on by one from call to call; none where it does not."""
    plan = calls[0].plan
    changes = [(plan.changes[copy].frames or (0, frames - 1), copy) for copy in plan.frame_tests]
    low, high = 0, frames
    for place, call in enumerate(calls):
        # A call that changes sees one of these frames: its last is not before the first of them.
        seen = max((first for (first, _), copy in changes if call.changed[copy]), default=-1)
        # And it lies before what is changed alone, or up to the end, without a difference.
        after = [
            first
            for (first, end), copy in changes
            if not call.changed[copy] and first > seen and end in (first, frames - 1)
        ]
        bound = min(after, default=frames) - 1
        low, high = (seen, bound) if place == 0 else (max(low, seen - place), min(high, bound - place))
    return [low + place for place in range(len(calls))] if low == high else None
