"""Which samples belong together, and so are not independent: clips of one person, windows of one day."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from stexplain.checking import warn_caller
from stexplain.errors import DataError, InputError, unknown

FEWEST_DAYS = 10
"""With at least this many days, windows are grouped by days."""


def clip_groups(
    table: pd.DataFrame, grouping: Mapping[str, Sequence[str]], level: str | None = None
) -> NDArray[np.str_]:
    """The group of each clip, as text such as ``"subject 3"``; the clip's own name where the dataset has no groups.

    Args:
        table: a row per clip: ``id``, ``label`` and the dataset's fields.
        grouping: of the card: the fields whose values make a group, by the name of the level, outermost first.
        level: which level; none: the outermost.

    Raises:
        InputError: for an unknown level.
        DataError: where the table lacks a field.

    Example:
        >>> table = pd.DataFrame({"id": ["a", "b"], "label": [0, 1], "subject": [3, 3]})
        >>> clip_groups(table, {"subject": ["subject"], "performance": ["subject", "label"]}).tolist()
        ['subject 3', 'subject 3']
        >>> clip_groups(table, {"performance": ["subject", "label"]}).tolist()
        ['performance 3-0', 'performance 3-1']
        >>> clip_groups(table, {}).tolist()
        ['a', 'b']
    """
    if level is not None and level not in grouping:
        raise unknown("level", level, list(grouping))
    if not grouping:
        return np.array([str(name) for name in table["id"]], np.str_)
    name = next(iter(grouping)) if level is None else level
    missing = [field for field in grouping[name] if field not in table]
    if missing:
        raise DataError(
            f"grouping: got the field {missing[0]!r} for {name!r}; expected one of {', '.join(map(str, table))}. "
            "Correct the table [grouping] of the card."
        )
    for field in grouping[name]:
        unknown_of = np.flatnonzero(table[field].isna().to_numpy())
        if len(unknown_of):
            raise DataError(
                f"grouping: the field {field!r} of clip {str(table['id'].iloc[unknown_of[0]])!r} is missing; expected "
                "a value for each clip, as clips of one group are not independent."
            )
    columns = [table[field].astype(str) for field in grouping[name]]
    return np.array([f"{name} {'-'.join(values)}" for values in zip(*columns, strict=True)], np.str_)


def own_grouping(table: pd.DataFrame) -> Mapping[str, Sequence[str]]:
    """What makes a group of a user's own clips: the field ``group``, by the name of the field that it repeats.

    Example:
        >>> table = pd.DataFrame({"id": ["a", "b"], "subject": ["P1", "P2"], "group": ["P1", "P2"]})
        >>> clip_groups(table, own_grouping(table)).tolist()
        ['subject P1', 'subject P2']
        >>> clip_groups(table[["id", "group"]], own_grouping(table[["id", "group"]])).tolist()
        ['group P1', 'group P2']
        >>> own_grouping(table[["id"]])
        {}
    """
    if "group" not in table:
        return {}
    groups = table["group"].astype(str).tolist()
    # Readers fill it with the subject, where they know one.
    known = [str(name) for name in table if name not in ("id", "group") and table[name].astype(str).tolist() == groups]
    return {**({known[0]: ["group"]} if known else {}), "group": ["group"]}


def _is_compared(own: Sequence[str], labels: Sequence[str], subjects: Sequence[str] | None) -> bool:
    """Whether a column names groups that are compared: few, each with classes, or several persons, of its own."""
    if not 1 < len(set(own)) <= len(set(labels)) or len(set(own)) == len(own):
        return False
    several = subjects is not None and len(set(zip(own, subjects, strict=True))) > len(set(own))
    return several or len(set(zip(own, labels, strict=True))) == len(set(labels))


def with_groups(fields: Mapping[str, Sequence[str]], labels: Sequence[str]) -> dict[str, list[str]]:
    """Fields of clips with ``group``, which says what is not independent: the subject, where no column is called so.

    A column ``group`` such as of patients and controls is none of these: it has no more values than there are classes,
    and each of them has classes, or several subjects, of its own. It is kept as ``group_``, and that is said.

    Args:
        fields: columns of the user's table, each with a value for each clip.
        labels: the class of each.

    Example:
        >>> with_groups({"subject": ["P1", "P2"]}, ["a", "b"])
        {'subject': ['P1', 'P2'], 'group': ['P1', 'P2']}
    """
    found = {name: list(values) for name, values in fields.items()}
    own = found.get("group")
    if own is not None and _is_compared(own, labels, found.get("subject")):
        found["group_"] = found.pop("group")
        said = (
            "those of a subject are" if "subject" in found else "give a column 'subject' where some are of one person"
        )
        some = ", ".join(sorted(map(repr, set(own)))[:3])
        warn_caller(
            f"labels: the column 'group' has {len(set(own))} values, {some}, as of groups that are compared: they are "
            f"not taken for clips that depend on each other; {said}. The column is kept as the field 'group_'."
        )
    if "subject" in found and "group" not in found:
        found["group"] = list(found["subject"])
    return found


def split_groups(
    groups: NDArray[np.str_], labels: NDArray[np.int64], test: float = 0.3, seed: int = 0
) -> NDArray[np.bool_]:
    """Which clips to test on: whole groups at random, so that nobody is trained on and tested; of each class a share.

    Args:
        groups: of each clip, ``[n]``.
        labels: the class of each, ``[n]``. A group counts for the class that it has most of.
        test: the share of the groups, in (0, 1); of a class with several groups at least one each way.
        seed: of the draw.

    Raises:
        InputError: where the share is out of range, or there is a single group.

    Example:
        >>> groups, labels = np.array(["a", "a", "b", "c", "d"]), np.array([0, 0, 0, 1, 1])
        >>> split_groups(groups, labels, 0.5).tolist()
        [True, True, False, True, False]
    """
    if not 0 < test < 1:
        raise InputError(f"test: got a share of {test}; expected more than 0 and less than 1.")
    names, of = np.unique(groups, return_inverse=True)
    if len(names) < 2:
        raise InputError(f"split: got {len(names)} group{'s' * (len(names) != 1)} of clips; expected at least 2.")
    most = np.array([np.bincount(labels[of == group] + 1).argmax() for group in range(len(names))])
    random, tested = np.random.default_rng(seed), np.zeros(len(names), np.bool_)
    for label in np.unique(most):
        own = random.permutation(np.flatnonzero(most == label))
        # A class of one group is trained on: who was never shown a class cannot be tested on it.
        count = min(max(round(test * len(own)), 1), len(own) - 1)
        tested[own[:count]] = True
    if not tested.any():
        tested[random.integers(len(names))] = True
    return tested[of]


def window_blocks(
    starts: NDArray[np.int64], span: int, time: pd.DatetimeIndex | None = None
) -> tuple[NDArray[np.int64], str]:
    """The block of time of each window, from 0, and a description of the blocks.

    Days (of a window's first frame) where there are at least `FEWEST_DAYS`: what is odd about a day, such as its
    weather, is in all of its windows. Else blocks of time as long as a window and its horizon; an effect that lasts
    longer is then not covered.

    Windows that overlap are not independent. Blocks therefore begin anew wherever no window reaches across, so that of
    windows that lie apart, such as those of events, none of one block overlaps one of another; where a run of
    overlapping windows is longer than a block, only neighbouring blocks of it share a value: of a score that depends on
    all frames of a window alike, a test at 5% then fires in about 10 of 100 cases without any difference (decision
    0332). A shorter run that lies across midnight counts to the day on which it begins.

    Args:
        starts: the first frame of each window, ``[n]``.
        span: how many frames a window and its horizon have.
        time: of each frame of the series; none: not known.

    Example:
        >>> window_blocks(np.array([0, 2, 4, 6, 8]), 6)
        (array([0, 0, 0, 1, 1]), '2 blocks of 6 frames')
        >>> window_blocks(np.array([0, 5, 20]), 6)[0].tolist()  # 5 overlaps 0
        [0, 0, 1]
    """
    if not len(starts):
        return np.zeros(0, np.int64), f"0 blocks of {span} frames"
    order = np.argsort(starts, kind="stable")
    ordered = starts[order]
    # A run begins where the window before ends.
    begins = np.concatenate([[True], np.diff(ordered) >= span])
    first = ordered[begins][np.cumsum(begins) - 1]  # of the run of each window
    last = np.append(ordered[np.flatnonzero(begins)[1:] - 1], ordered[-1])[np.cumsum(begins) - 1]
    if time is not None:
        day = np.empty(len(starts), np.int64)
        day[order] = np.where(last - first < span, first, ordered)
        names, days = np.unique(time.normalize()[day].to_numpy(), return_inverse=True)
        if len(names) >= FEWEST_DAYS:
            return days.astype(np.int64), f"{len(names)} days"
    # By frames, not by windows: the windows may be any subset, such as those of events.
    piece = np.empty(len(starts), np.int64)
    piece[order] = first + (ordered - first) // span * span
    names, blocks = np.unique(piece, return_inverse=True)
    return blocks.astype(np.int64), f"{len(names)} blocks of {span} frames"
