"""A forecast as what is explained: of a node, or of several, at a horizon."""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor

from stexplain.axes import Layout
from stexplain.errors import InputError
from stexplain.explainers.target import UNKNOWN, OutputInfo, Scores, Target, one_or_several
from stexplain.graph.checks import node_index


class Forecast(Target):
    """A forecast: the value that a model predicts for a node at a horizon, or the sum of several.

        y[b] = sum over the nodes and horizons named of output[b, horizon, node, channel]  (- minus[b], where given)

    In the units of the output, so that an explanation that is complete is in these units too.

    Args:
        node: a name, an index, the name of a group (its nodes are summed), or a list of any of them.
        horizon: which step ahead, counted from 1, or a list of them.
        channel: which channel of the output; may be left out where there is one.
        minus: a forecast to be compared with, such as that of a baseline: ``[B]``, or an output of the model's shape,
            of which the same entries are summed. The score is the difference.
        layout: how the output is laid out, over b, t (the horizon), n and c, such as ``"b t n"`` or ``"b c n t"``;
            default: `model.outputs`.

    Raises:
        InputError: (when called) for a node, horizon or channel that does not exist, or a layout that does not fit.

    Example:
        >>> output = torch.arange(12.0).view(1, 3, 4)  # one sample, three steps, four nodes
        >>> Forecast(2, 3, layout="b t n")(output).tolist(), Forecast([0, 1], 1, layout="b t n")(output).tolist()
        ([10.0], [1.0])
    """

    def __init__(
        self,
        node: "int | str | Sequence[int | str]",
        horizon: "int | Sequence[int]",
        channel: int | None = None,
        *,
        minus: "ArrayLike | Tensor | None" = None,
        layout: str | None = None,
    ):
        nodes, steps = one_or_several("node", node, int | str), one_or_several("horizon", horizon, int)
        self.node: list[int | str] = nodes if isinstance(nodes, list) else [nodes]
        self.horizon: list[int] = steps if isinstance(steps, list) else [steps]
        self.channel = channel
        self.minus = None if minus is None else torch.as_tensor(np.asarray(minus) if isinstance(minus, list) else minus)
        self.layout = None if layout is None else Layout(layout)
        if not self.node or not self.horizon:
            raise InputError("a forecast of no node or no horizon was asked for. Name at least one of each.")

    def score(self, output: Tensor, told: OutputInfo = UNKNOWN) -> Scores:
        """See `Target.score`."""
        scores = self._sum(output, told)
        if self.minus is not None:
            other = told.part(self.minus, output, "forecasts to compare with").to(output)
            scores = scores - (other if other.ndim == 1 else self._sum(other, told))
        return Scores(scores, torch.full((len(output),), -1, device=output.device))

    def _sum(self, output: Tensor, told: OutputInfo) -> Tensor:
        layout = self.layout or told.layout
        if layout is None:
            if told.classes and output.shape[1:] == (len(told.classes),):
                raise InputError(
                    f"a forecast was asked of a model that tells {len(told.classes)} classes apart. Give Predicted() "
                    f"or Class({told.classes[0]!r}) as target."
                )
            raise InputError(
                f"how the model's output of shape {tuple(output.shape)} is laid out is not known. Give it, such as "
                "Forecast(node, horizon, layout='b t n'), where t is the horizon."
            )
        values = layout.to_batch(output)[:, 0]
        steps, nodes, channels = values.shape[1:]
        for step in self.horizon:
            if not 1 <= step <= steps:
                raise InputError(f"there is no horizon {step}: the model forecasts steps 1 to {steps}.")
        if self.channel is None and channels > 1:
            raise InputError(f"the model forecasts {channels} channels. Say which: Forecast(node, horizon, channel).")
        if not 0 <= (self.channel or 0) < channels:
            raise InputError(f"there is no channel {self.channel}: the output has {channels}, counted from 0.")
        chosen = [index for node in self.node for index in _nodes(node, told, nodes)]
        return values[:, [step - 1 for step in self.horizon]][:, :, chosen, self.channel or 0].sum((1, 2))

    def text(self) -> str:
        """See `Target.text`."""
        nodes = " + ".join(str(node) for node in self.node)
        steps = ", ".join(str(step) for step in self.horizon)
        channel = "" if self.channel is None else f", channel {self.channel}"
        return f"the forecast of {nodes} at horizon {steps}{channel}{'' if self.minus is None else ', minus another'}"


def _nodes(node: int | str, told: OutputInfo, count: int) -> list[int]:
    """The indices that a node's name, a group's name or an index means."""
    if isinstance(node, str) and node not in told.nodes and node in told.groups:
        return [list(told.nodes).index(name) for name in told.groups[node]]
    return [node_index(node, told.nodes, count, [*told.groups])]
