"""How a forecaster is asked: the batch in its layout, the masks that it takes, and its answer as ``[B, H, N]``."""

import inspect
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from stexplain.axes import BATCH, Layout
from stexplain.errors import InputError

if TYPE_CHECKING:
    from stexplain.data.series import WindowedSeries
    from stexplain.data.windows import WindowBatch


@dataclass(frozen=True)
class ForecasterCall:
    """How a forecaster is asked.

    Attributes:
        inputs: the layout of its input.
        outputs: the layout of its answer, with the horizons as t.
        masks: which of `valid` and `observed` its forward takes.
    """

    inputs: Layout
    outputs: Layout
    masks: tuple[str, ...]

    @classmethod
    def of(cls, model: nn.Module) -> "ForecasterCall":
        """As the model's `inputs` and `outputs` say (``"b m t n c"`` and ``"b t n"`` where it says nothing)."""
        taken = inspect.signature(model.forward).parameters
        masks = tuple(name for name in ("valid", "observed") if name in taken)
        return cls(
            Layout(_model_attribute(model, "inputs", BATCH)), Layout(_model_attribute(model, "outputs", "b t n")), masks
        )

    def __call__(self, model: nn.Module, batch: "WindowBatch") -> torch.Tensor:
        """The forecast for a batch, ``[B, H, N]``.

        Args:
            model: the one that this was made of, or a wrapper of it.
            batch: on the model's device.

        Raises:
            InputError: where the answer is not of the shape of the targets.
        """
        kind = next((entry.dtype for entry in model.parameters() if entry.is_floating_point()), batch.x.dtype)
        x = self.inputs.from_batch(batch.x.to(kind))
        answer = model(x, **{name: getattr(batch, name) for name in self.masks})
        samples, horizons, nodes = batch.y.shape
        if not isinstance(answer, torch.Tensor):
            raise InputError(f"the model answered with a {type(answer).__name__}; wanted one tensor.")
        found = self.outputs.to_batch(answer, b=samples, n=nodes)
        if found.shape != (samples, 1, horizons, nodes, 1):
            raise InputError(
                f"the model answered with shape {tuple(answer.shape)}, laid out as {self.outputs.pattern!r}; wanted "
                f"{samples} samples, {horizons} horizons and {nodes} nodes. Build it for the series' horizon."
            )
        return found[:, 0, :, :, 0]


def _model_attribute(model: nn.Module, name: str, otherwise: str) -> str:
    value = getattr(model, name, None)
    return value if isinstance(value, str) else otherwise


def check_series(model: nn.Module, series: "WindowedSeries", name: str) -> None:
    """Refuses an empty part, and nodes, window, horizon or channels that are not the model's.

    Args:
        model: its `graph`, `window`, `horizon`, `channels_in` and `target_channel` are compared where it has them.
        series: the part.
        name: of the argument, for the message.

    Raises:
        InputError: naming what came and what was wanted.
    """
    if not len(series):
        raise InputError(f"{name} holds no windows. Is that part of the split long enough for one?")
    nodes = getattr(getattr(model, "graph", None), "nodes", None)
    theirs = None if series.graph is None else series.graph.nodes
    if nodes is not None and (len(nodes) != series.nodes or (theirs is not None and tuple(nodes) != tuple(theirs))):
        raise InputError(
            f"{name} is on another graph than the model: {series.nodes} nodes and {len(nodes)}, or in another order. "
            "Build the model with the data's graph."
        )
    sizes: dict[str, Any] = {
        "window": series.window,
        "horizon": series.horizon,
        "channels_in": len(series.channels),
        "target_channel": series.target_channel,
    }
    for field, size in sizes.items():
        own = getattr(model, field, None)
        if isinstance(own, int) and own != size:
            raise InputError(f"{name} has {field} {size} and the model {own}. Build the model for this series.")
