"""The fields of an explanation, in their types and with their defaults, checked against each other."""

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from stexplain.axes import check_shape
from stexplain.checking.words import refuse_control
from stexplain.errors import InputError
from stexplain.wording import counted

if TYPE_CHECKING:
    from stexplain.explainers.explanation import Explanation


def fill_in(e: "Explanation") -> None:
    """Gives each field of a new explanation its type, or its default where that follows from the values' shape.

    Raises:
        InputError: where shapes do not fit each other.
    """
    # The class is frozen: fields are filled in by object's own setter.
    fill = object.__setattr__
    fill(e, "values", np.asarray(e.values, np.float32))
    fill(e, "valid", np.asarray(e.valid, np.bool_))
    sizes = check_shape("values", e.values.shape, "b m t n")
    samples, frames, nodes = sizes["b"], sizes["t"], sizes["n"]
    check_shape("valid", e.valid.shape, "b m t", b=samples, m=sizes["m"], t=frames)
    names = e.node_names or tuple(str(index) for index in range(nodes))
    fill(e, "node_names", tuple(str(name) for name in names))
    fill(e, "ids", tuple(e.ids) or ("",) * samples)
    fill(e, "classes", tuple(e.classes))
    fill(e, "channel_units", tuple(e.channel_units))
    fill(
        e,
        "time",
        np.arange(frames, dtype=np.float64) if e.time is None else np.asarray(e.time, np.float64),
    )
    for field, texts in (
        ("node_names", e.node_names), ("ids", e.ids), ("classes", e.classes), ("channel_names", e.channel_names),
        ("channel_units", e.channel_units),
    ):  # fmt: skip
        for index, text in enumerate(texts):
            refuse_control(f"{field}[{index}]", str(text))
    fill(e, "targets", _filled(e.targets, samples, -1, np.int64))
    fill(e, "score", _filled(e.score, samples, np.nan, np.float32))
    fill(e, "padding_share", _filled(e.padding_share, samples, 0.0, np.float32))
    if e.layer_values is not None:
        fill(e, "layer_values", np.asarray(e.layer_values, np.float32))
        check_shape("layer_values", e.layer_values.shape, "b m t n", b=samples, m=sizes["m"], n=nodes)
    if e.observed is not None:
        fill(e, "observed", np.asarray(e.observed, np.bool_))
        check_shape("observed", e.observed.shape, "b m t n", **sizes)
    if e.channels is not None:
        fill(e, "channels", np.asarray(e.channels, np.float32))
        shape = e.channels.shape
        check_shape("channels", shape, "b m t n c", b=samples, m=sizes["m"], t=frames, n=nodes)
        fill(e, "channel_names", tuple(e.channel_names) or tuple(str(index) for index in range(shape[-1])))
        if len(e.channel_names) != shape[-1]:
            raise InputError(
                f"channel_names has {counted(len(e.channel_names), 'entry', 'entries')}; expected {shape[-1]}."
            )
    if e.standard_error is not None:
        fill(e, "standard_error", np.asarray(e.standard_error, np.float32))
        check_shape("standard_error", e.standard_error.shape, "b m t n", **sizes)
    for name, got, expected in (
        ("node_names", len(e.node_names), nodes),
        ("ids", len(e.ids), samples),
        ("time", len(e.time), frames),
        ("targets", len(e.targets), samples),
        ("score", len(e.score), samples),
        ("padding_share", len(e.padding_share), samples),
        ("timestamps", samples if e.timestamps is None else len(e.timestamps), samples),
        *((f"extra[{key!r}]", len(numbers), samples) for key, numbers in e.extra.items()),
    ):
        if got != expected:
            raise InputError(
                f"{name} has {counted(got, 'entry', 'entries')}; expected {expected}, as values has shape "
                f"{e.values.shape}."
            )


def _filled(values: Any, count: int, default: float, dtype: Any) -> NDArray[Any]:
    return np.full(count, default, dtype) if values is None else np.asarray(values, dtype)
