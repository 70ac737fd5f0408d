"""What of recordings is left out, and what is said about it."""

import hashlib
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from stexplain.checking import warn_caller
from stexplain.data.skeletons.take import Take
from stexplain.errors import DataError
from stexplain.wording import agree

UNLABELLED, FURTHER, EMPTY = "no label", "further body", "empty"
NOBODY = "it holds no body in any frame"
_LIST = "left_out= writes a list of them."


def refuse_twice(names: Sequence[str], path: Path) -> None:
    """Refuses recordings of one name: labels would be of both, and one could be in training and in test.

    Args:
        names: of those that are kept.
        path: of the file or folder.

    Raises:
        DataError: with the name.
    """
    known = set(names)
    if filtered := next((name for name in names if name.removesuffix("_filtered") in known - {name}), None):
        raise DataError(
            f"{path}: {filtered!r} is {filtered.removesuffix('_filtered')!r} once more, smoothed; expected each "
            "recording once. Move one kind away, or give labels of one alone."
        )
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise DataError(
                f"{path}: two recordings are called {name!r}; expected different names. Where files hold the same "
                "recordings, such as those of several splits, name one of them."
            )
        seen.add(name)


def renamed(takes: Iterable[Take], names: Sequence[str]) -> Iterator[Take]:
    """Recordings by their folders' names too, as several folders have files of one name.

    Args:
        takes: one for each name, in order.
        names: of all.

    Raises:
        DataError: where two hold the same, as a copy in another folder does.
    """
    known: dict[bytes, str] = {}
    for take, name in zip(takes, names, strict=True):
        content = hashlib.sha256(np.ascontiguousarray(take.values).tobytes()).digest()
        if take.values.size and content in known:
            raise DataError(f"{name!r} holds the same as {known[content]!r}; expected each recording once.")
        known[content] = name
        yield replace(take, id=name)


def say_left_out(
    left_out: Sequence[Mapping[str, str]], kept: Collection[str], path: Path, table: Mapping[str, Any] | None
) -> None:
    """Warns of recordings without a label or a body, and of bodies beyond those kept, where no file lists them.

    Args:
        left_out: ``sample`` and ``kind`` of each.
        kept: the names of the recordings that are kept; where there is none, that is refused elsewhere.
        path: of the file or folder.
        table: labels by recording, where they are given.
    """
    if not kept:
        return
    unlabelled = [one["sample"] for one in left_out if one["kind"] == UNLABELLED]
    if unlabelled:
        others = set(table or ()) - set(kept) - {one["sample"] for one in left_out}
        unknown_ones = f"; of labels, no recording is called {sorted(others)[0]!r}" if others else ""
        warn_caller(
            f"{path}: {len(unlabelled)} of {len(unlabelled) + len(kept)} recordings "
            f"{agree(len(unlabelled), 'has', 'have')} no label and {agree(len(unlabelled), 'was', 'were')} left out, "
            f"such as {unlabelled[0]!r}{unknown_ones}. {_LIST}"
        )
    empty = dict.fromkeys(one["sample"] for one in left_out if one["kind"] == EMPTY)
    if empty:
        warn_caller(
            f"{path}: {len(empty)} of {len(empty) + len(kept)} recordings {agree(len(empty), 'holds', 'hold')} "
            f"no frame with a body and {agree(len(empty), 'was', 'were')} left out, "
            f"such as {next(iter(empty))!r}. {_LIST}"
        )
    further = dict.fromkeys(one["sample"] for one in left_out if one["kind"] == FURTHER)
    if further:
        warn_caller(
            f"{path}: {len(further)} of {len(kept)} recordings {agree(len(further), 'holds', 'hold')} more "
            "bodies than are kept, such as "
            f"{next(iter(further))!r}: give instances= for more of them. {_LIST}"
        )
