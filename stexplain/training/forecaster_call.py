"""Calling a forecaster: the batch in its layout, the masks that it takes, and its output as ``[B, H, N]``."""

import inspect
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from stexplain.axes import BATCH, Layout
from stexplain.errors import InputError
from stexplain.reading.contents import reason_of
from stexplain.wording import an

if TYPE_CHECKING:
    from stexplain.data.series import WindowedSeries
    from stexplain.data.windows import WindowBatch


@dataclass(frozen=True)
class ForecasterCall:
    """How a forecaster is called.

    Attributes:
        inputs: the layout of its input.
        outputs: the layout of its output, with the horizons as t.
        masks: which of `valid` and `observed` its forward takes.
    """

    inputs: Layout
    outputs: Layout
    masks: tuple[str, ...]

    @classmethod
    def of(cls, model: nn.Module) -> "ForecasterCall":
        """Reads the model's `inputs` and `outputs`; default: ``"b m t n c"`` and ``"b t n"``."""
        # Of `forward`, because a module's own call takes anything.
        taken = inspect.signature(model.forward).parameters
        masks = tuple(name for name in ("valid", "observed") if name in taken)
        return cls(
            Layout(_model_attribute(model, "inputs", BATCH)), Layout(_model_attribute(model, "outputs", "b t n")), masks
        )

    def __call__(self, model: nn.Module, batch: "WindowBatch") -> torch.Tensor:
        """The forecast for a batch, ``[B, H, N]``.

        Args:
            model: the model that this was made for, or a wrapper of it.
            batch: on the model's device.

        Raises:
            InputError: if torch cannot compute the model on it, or the output does not have the shape of the targets.
        """
        # Models may be in float64; the batch follows the first floating parameter.
        dtype = next((entry.dtype for entry in model.parameters() if entry.is_floating_point()), batch.x.dtype)
        x = self.inputs.from_batch(batch.x.to(dtype))
        try:
            output = model(x, **{name: getattr(batch, name) for name in self.masks})
        except torch.OutOfMemoryError:
            raise
        except RuntimeError as error:
            # Of torch, such as of shapes that do not fit.
            raise InputError(
                f"the model raised {type(error).__name__} for x of shape {tuple(x.shape)}, laid out as "
                f"{self.inputs.pattern!r}: {reason_of(error)}. Is it built for this series' nodes, window and channels?"
            ) from error
        samples, horizons, nodes = batch.y.shape
        if not isinstance(output, torch.Tensor):
            raise InputError(f"the model's output: got {an(type(output).__name__)}; expected one tensor.")
        forecast = self.outputs.to_batch(output, b=samples, n=nodes)
        if forecast.shape != (samples, 1, horizons, nodes, 1):
            raise InputError(
                f"the model's output: got shape {tuple(output.shape)} in layout {self.outputs.pattern!r}; expected "
                f"{samples} samples, {horizons} horizons and {nodes} nodes. Build it for the series' horizon."
            )
        # [B, 1, H, N, 1] -> [B, H, N]
        return forecast[:, 0, :, :, 0]


def _model_attribute(model: nn.Module, name: str, default: str) -> str:
    # Only text is a layout: a model may have a submodule of this name.
    value = getattr(model, name, None)
    return value if isinstance(value, str) else default


def check_series(model: nn.Module, series: "WindowedSeries", name: str) -> None:
    """Refuses an empty split, and nodes, window, horizon or channels that differ from the model's.

    Args:
        model: its `graph`, `window`, `horizon`, `channels_in` and `target_channel` are compared if it has them.
        series: the split.
        name: of the argument, for the message.

    Raises:
        InputError: with what it got and expected.
    """
    if not len(series):
        raise InputError(
            f"{name}: got no windows; expected at least one. Is that part of the split long enough for one?"
        )
    nodes = getattr(getattr(model, "graph", None), "nodes", None)
    names = None if series.graph is None else series.graph.nodes
    # Same names in another order would attach every number to another node.
    if nodes is not None and (len(nodes) != series.nodes or (names is not None and tuple(nodes) != tuple(names))):
        raise InputError(
            f"{name}: got a graph of {series.nodes} nodes; expected the model's {len(nodes)} nodes in their order. "
            "Build the model with the data's graph."
        )
    sizes: dict[str, Any] = {
        "window": series.window,
        "horizon": series.horizon,
        "channels_in": len(series.channels),
        "target_channel": series.target_channel,
    }
    for field, size in sizes.items():
        # Only numbers are sizes: `window` may be a submodule or a tensor in another's model.
        own = getattr(model, field, None)
        if isinstance(own, int) and own != size:
            raise InputError(
                f"{name}: got {field} {size}; expected the model's {own}. Build the model for this series."
            )
