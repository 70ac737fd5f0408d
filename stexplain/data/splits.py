"""Which samples belong to training, validation and test: by a card's protocol, or in the order of time."""

from collections.abc import Iterator

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from stexplain.cards import DatasetCard, Protocol, Selection
from stexplain.errors import CardError, InputError, unknown

PARTS = ("train", "validation", "test", "train+validation")
"""The parts of a protocol; `train` is without the validation split."""


def parse_split(card: DatasetCard, split: str) -> tuple[str, str]:
    """Protocol and part of a split such as ``"xsub/train"``.

    Raises:
        InputError: where the card has no such protocol, or there is no such part; names the nearest.
    """
    protocol, _, part = split.partition("/")
    # All parts of all protocols are offered, so that "xsub" alone suggests "xsub/train".
    if protocol not in card.protocols:
        raise unknown("split", split, [f"{name}/{one}" for name in card.protocols for one in PARTS])
    if part not in PARTS:
        raise unknown("split", split, [f"{protocol}/{name}" for name in PARTS])
    return protocol, part


def protocol_mask(table: pd.DataFrame, card: DatasetCard, protocol: str, part: str) -> NDArray[np.bool_]:
    """Which recordings of a table belong to a part of a protocol, ``[n]``, bool.

    Args:
        table: of recordings, with the fields that the protocol splits by.
        card: that declares the protocol.
        protocol: its name.
        part: one of `PARTS`.

    Raises:
        CardError: where the recordings lack a field that the protocol splits by.
    """
    declared: Protocol = card.protocols[protocol]

    def selected(selection: Selection) -> NDArray[np.bool_]:
        if selection.field not in table.columns:
            raise CardError(
                f"protocol {protocol!r} of the card {card.name!r} splits by {selection.field!r}, which the recordings "
                f"do not have. They have: {', '.join(map(str, table.columns))}."
            )
        column = table[selection.field]
        found = column.isin(selection.values)
        # 1 and "1" are two values: recordings of the other would go to another part in silence.
        if (other := column.astype(str).isin([str(value) for value in selection.values]) & ~found).any():
            value = column[other].iloc[0]
            written = repr(str(value)) if isinstance(value, str) else str(value)
            wrong = next(one for one in selection.values if str(one) == str(value))
            raise CardError(
                f"protocol {protocol!r} of the card {card.name!r}: got {wrong!r} as a value of {selection.field!r}; "
                f"the recordings have {'text' if isinstance(value, str) else 'numbers'}: write {written}."
            )
        return np.asarray(found.to_numpy(), bool)

    train = selected(declared.train)
    # The validation split is held out of the training split: protocols of the papers name train and test only.
    validation = train & selected(declared.validation)
    test = ~train if declared.test is None else selected(declared.test) & ~train
    masks = {"train": train & ~validation, "validation": validation, "test": test, "train+validation": train}
    return masks[part]


def train_share(train: float | None, validation: float, test: float | None) -> float:
    """The share to train on, of what is said of the three shares.

    Raises:
        InputError: where both `train` and `test` are given, and the shares do not make 1.

    Example:
        >>> train_share(None, 0.1, 0.25), train_share(None, 0.1, None), train_share(0.6, 0.1, None)
        (0.65, 0.7, 0.6)
    """
    if test is None:
        return 0.7 if train is None else train
    # Rounded: 1 - 0.1 - 0.2 is not 0.7 in floating point, and frames are cut by it.
    rest = round(1 - validation - test, 12)
    if train is not None and round(train, 12) != rest:
        raise InputError(
            f"got train {train}, validation {validation} and test {test}, which make {train + validation + test:g}; "
            "expected shares that make 1. Leave out train or test."
        )
    return rest


def chronological_masks(
    starts: NDArray[np.int64], span: int, train: float, validation: float
) -> Iterator[NDArray[np.bool_]]:
    """Which windows lie in the training, validation and test split of a series, three masks ``[n]``, bool.

    Args:
        starts: the first frame of each window, ``[n]``.
        span: frames that a window covers, its horizon included.
        train: share of the frames, in (0, 1).
        validation: share of the frames, in [0, 1); the rest is for testing.

    Raises:
        InputError: where shares are out of range, or a part of a share above 0 has no window.
    """
    if not (0 < train < 1 and 0 <= validation < 1 and train + validation < 1):
        raise InputError(
            f"got train {train} and validation {validation}; expected train in (0, 1), validation in [0, 1) and a "
            "rest above 0 for the test split."
        )
    first, last = (int(starts.min()), int(starts.max()) + span) if len(starts) else (0, 0)
    # Of the frames that windows span, not of the series: a subset is cut by its own length.
    cuts = [first, *(first + round(share * (last - first)) for share in (train, train + validation)), last]
    shares = {"training": train, "validation": validation, "test": 1 - train - validation}
    for (name, share), low, high in zip(shares.items(), cuts[:-1], cuts[1:], strict=True):
        # A window across a cut is in no part, so that no value is seen in training and scored in testing.
        inside = (starts >= low) & (starts + span <= high)
        if share and not inside.any():
            raise InputError(
                f"the {name} part would be frames {low} to {high - 1}, which hold no window of {span} frames. "
                "Give it a larger share, or a shorter window or horizon."
            )
        yield inside
