"""Explanations of several batches as one."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, TypeVar

import numpy as np
import pandas as pd

from stexplain.checking import checked
from stexplain.errors import InputError
from stexplain.explainers.explanation import Explanation
from stexplain.explainers.model.options import ModelCall
from stexplain.explainers.results.joining import check_alike
from stexplain.explainers.results.made_by import in_all
from stexplain.explainers.results.padding import of_one_length

_T = TypeVar("_T")


@checked
def joined(parts: Sequence[Explanation]) -> Explanation:
    """Explanations of one method, layer and target as one; shorter samples get padding behind them, as in a batch.

    Args:
        parts: at least one, in the order that the samples shall have.

    Returns:
        An explanation of all samples, ``[B, M, T, N]``, T being that of the longest.

    Raises:
        InputError: where there are none, or they are not of one kind, at the same times and on the same graph; where
            tensors of several lengths had masks.

    Example:
        >>> first, second = (Explanation(np.ones((count, 1, 4, 2)), np.ones((count, 1, 4), bool)) for count in (2, 3))
        >>> joined([first, second]).values.shape
        (5, 1, 4, 2)
    """
    check_alike(
        "explanations",
        parts,
        ["method", "layer", "target", "stride", "node_names", "classes", "channel_names", "reduce", "measures"],
    )
    parts = of_one_length(parts)
    first = parts[0]
    optional = ("layer_values", "channels", "standard_error")
    kinds = {
        (part.values.shape[1:], *sorted(part.extra), *(getattr(part, name) is None for name in optional))
        for part in parts
    }
    if len(kinds) > 1:
        raise InputError(
            f"explanations: got values of the shapes {sorted({part.values.shape[1:] for part in parts})}, or "
            "channels or further numbers in some alone; expected the same in all. Bring samples to one length before "
            "they are explained."
        )
    # All parts have the time and the graph of the first from now on.
    for part in parts[1:]:
        if part.time_unit != first.time_unit or not np.array_equal(part.time, first.time):
            raise InputError(
                f"explanations: got times from {first.time[0]:g} to {first.time[-1]:g} ({first.time_unit}) and from "
                f"{part.time[0]:g} to {part.time[-1]:g} ({part.time_unit}); expected the same in all."
            )
        if part.graph is not first.graph and part.graph != first.graph:
            raise InputError(
                "explanations: got different graphs; expected the same in all. Give every explainer one, graph=, where "
                "edges are not what is compared; compare_groups takes a list of explanations as it is."
            )
    arrays = [
        "values",
        "valid",
        "targets",
        "score",
        "padding_share",
        *(name for name in optional if getattr(first, name) is not None),
    ]
    concatenated: dict[str, Any] = {name: np.concatenate([getattr(part, name) for part in parts]) for name in arrays}
    if any(part.observed is not None for part in parts):
        concatenated["observed"] = np.concatenate([part.present for part in parts])
    extra = {name: np.concatenate([part.extra[name] for part in parts]) for name in first.extra}
    # A note that holds for some of the parts is said once.
    notes = tuple(dict.fromkeys(note for part in parts for note in part.notes))
    return replace(
        first,
        notes=notes,
        call=ModelCall.joined([part.call for part in parts]),
        ids=tuple(name for part in parts for name in part.ids),
        extra=extra,
        made_by=in_all([part.made_by for part in parts]),
        output_unit=_common([part.output_unit for part in parts], ""),
        channel_units=_common([part.channel_units for part in parts], ()),
        timestamps=_moments([part.timestamps for part in parts]),
        **concatenated,
    )


def _common(values: list[_T], unknown: _T) -> _T:
    """What all parts say; else what says nothing: batches may differ in whether their unit is known."""
    return values[0] if all(value == values[0] for value in values) else unknown


def _moments(parts: list[pd.DatetimeIndex | None]) -> pd.DatetimeIndex | None:
    """The moments of all samples; none where some are not known, or on another clock."""
    known = [part for part in parts if part is not None]
    if len(known) < len(parts) or len({str(part.tz) for part in known}) > 1:
        return None
    return pd.DatetimeIndex(known[0].append(known[1:]))
