"""Averages over trials, MNE's Evoked, as epochs of one trial for each."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from stexplain.errors import InputError


def is_evoked(data: Any) -> bool:
    """Whether something is an average of MNE, or a list of them."""
    import mne

    listed = data if isinstance(data, list | tuple) else [data]
    return bool(listed) and all(isinstance(one, mne.Evoked) for one in listed)


def as_epochs(data: Any, subject: str = "") -> Any:
    """Averages as epochs, one for each; the class is the comment, which names the condition.

    Args:
        data: an average, or a list of them, of one subject.
        subject: whose they are, for messages.

    Raises:
        InputError: where they differ in channels, rate or time, one has no comment, or is a standard error.

    Example:
        >>> import mne
        >>> info = mne.create_info(["Fz", "Cz"], 100.0, "eeg")
        >>> averages = [mne.EvokedArray(np.zeros((2, 30)), info, comment=name) for name in ("left", "right")]
        >>> len(as_epochs(averages)), as_epochs(averages).event_id
        (2, {'left': 1, 'right': 2})
    """
    import mne

    listed: Sequence[Any] = data if isinstance(data, list | tuple) else [data]
    of = f" of {subject!r}" if subject else ""
    first = listed[0]
    for number, one in enumerate(listed):
        name = one.comment or f"number {number}"
        if one.kind != "average":
            raise InputError(f"data: {name!r}{of} is a {one.kind.replace('_', ' ')}; expected averages over trials.")
        if not one.comment:
            raise InputError(
                f"data: the average number {number}{of} has no comment; expected its condition, which is the class. "
                "Set it: evoked.comment = 'left'."
            )
        for what, own, other in (
            ("channels", one.ch_names, first.ch_names),
            ("sampling rate", one.info["sfreq"], first.info["sfreq"]),
            ("first time", float(one.times[0]), float(first.times[0])),
            ("number of frames", len(one.times), len(first.times)),
            ("bad channels", one.info["bads"], first.info["bads"]),
        ):
            if own != other:
                raise InputError(
                    f"data: the {what} of {name!r}{of} is {own}, of {first.comment!r} {other}; expected the same. Use "
                    "pick, resample or crop of MNE."
                )
    codes = {name: number for number, name in enumerate(dict.fromkeys(one.comment for one in listed), 1)}
    events = np.array([[number, 0, codes[one.comment]] for number, one in enumerate(listed)])
    values = np.stack([one.data for one in listed])
    return mne.EpochsArray(
        values, first.info, events, tmin=float(first.times[0]), event_id=codes, baseline=None, verbose="error"
    )
