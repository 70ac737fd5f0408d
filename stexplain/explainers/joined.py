"""Explanations of several batches as one."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from stexplain.checking import checked
from stexplain.errors import InputError
from stexplain.explainers.explanation import Explanation
from stexplain.explainers.model.options import ModelCall
from stexplain.explainers.results.joining import check_alike


@checked
def joined(parts: Sequence[Explanation]) -> Explanation:
    """Explanations of one method, layer and target, of samples of one size, as one.

    Raises:
        InputError: where there are none, or they are not of one kind, at the same times and on the same graph.

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
            raise InputError("explanations: got different graphs; expected the same in all.")
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
        **concatenated,
    )
