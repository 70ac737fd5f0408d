"""Targets at nodes: the forecast of a node, or of several, at a horizon, and the class of a node."""

from collections.abc import Sequence
from copy import copy

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from stexplain.axes import Layout
from stexplain.checking import checked_kept
from stexplain.errors import InputError
from stexplain.explainers.outputs.model_output import ModelOutput
from stexplain.explainers.target import UNKNOWN, OutputInfo, Scores, Target, class_scores, one_or_several
from stexplain.graph.checks import node_index
from stexplain.wording import an


@checked_kept
class Forecast(Target):
    """A forecast: the value that a model predicts for a node at a horizon, or the sum of several.

        y[b] = sum over the nodes and horizons named of output[b, horizon, node, channel]  (- minus[b], where given)

    In the units of the output; an explanation that is complete is in these units too.

    Args:
        node: a name, an index, the name of a group (its nodes are summed), or a list of any of them.
        horizon: which step ahead, counted from 1, or a list of them; may be left out where there is one.
        channel: which channel of the output; may be left out where there is one.
        minus: a forecast to compare with, such as that of a baseline: ``[B]``, or an output of the model's shape,
            of which the same entries are summed. The score is the difference.
        layout: how the output is laid out, over b, t (the horizon), n and c, such as ``"b t n"``, ``"t b n"`` or
            ``"b (t n)"``; default: `model.outputs`, else what sizes and a change of some nodes tell. An output of one
            step may have no t.

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
        horizon: "int | Sequence[int] | None" = None,
        channel: int | None = None,
        *,
        minus: "ArrayLike | Tensor | None" = None,
        layout: str | None = None,
    ):
        nodes = one_or_several("node", node, int | str)
        steps = [1] if horizon is None else one_or_several("horizon", horizon, int)
        self._any_step = horizon is not None
        self.node: list[int | str] = nodes if isinstance(nodes, list) else [nodes]
        self.horizon: list[int] = steps if isinstance(steps, list) else [steps]
        self.channel = channel
        self.minus = None if minus is None else torch.as_tensor(np.asarray(minus) if isinstance(minus, list) else minus)
        self.layout = None if layout is None else Layout(layout)
        if not self.node or not self.horizon:
            raise InputError("node or horizon is an empty list; expected at least one of each.")

    def score(self, output: Tensor, info: OutputInfo = UNKNOWN) -> Scores:
        """See `Target.score`."""
        layout = self._known_layout(output, info)
        return self._score(layout.to_batch(output, **_folded(layout, info)), layout, info)

    def score_output(self, output: ModelOutput, info: OutputInfo = UNKNOWN) -> Scores:
        """See `Target.score_output`."""
        layout = self._known_layout(output.chosen[1], info)
        self._check_list(output, layout)
        values = output.in_layout(layout, **_folded(layout, info))
        if type(self).score is not Forecast.score:
            # A target derived from this one says in `score` what it makes of an output.
            return self.score(layout.from_batch(values), info)
        return self._score(values, layout, info)

    def _check_list(self, output: ModelOutput, layout: Layout) -> None:
        """Refuses to take the first of a list of steps for the step that is meant."""
        raw = output.raw
        if output.which is not None or not isinstance(raw, list | tuple) or "t" in layout.pattern:
            return
        shapes = {tuple(one.shape) for one in raw if isinstance(one, Tensor)}
        # A tuple may be a mean and its variance; only a later step than the first can be no part of it.
        steps = isinstance(raw, list) or any(step > 1 for step in self.horizon or ())
        if len(raw) > 1 and len(shapes) == 1 and all(isinstance(one, Tensor) for one in raw) and steps:
            raise InputError(
                f"the model returned {an(type(raw).__name__)} of {len(raw)} tensors of shape {shapes.pop()}, of which "
                "the first would be read. Give the explainer the one that is meant, such as output=1 for the second, "
                "and no horizon."
            )

    def _score(self, values: Tensor, layout: Layout, info: OutputInfo) -> Scores:
        """The scores of forecasts ``[B, 1, horizons, N, C]``."""
        scores = self._sum(values, info)
        if self.minus is not None:
            # [B] is a score already; an output of the model's shape is summed as the model's own.
            other = self.minus.to(values)
            other = other if other.ndim == 1 else layout.to_batch(other, **_folded(layout, info))
            other = info.entries_of_rows(other, len(values), "forecasts to compare with")
            scores = scores - (other if other.ndim == 1 else self._sum(other, info))
        # No class: -1.
        return Scores(scores, torch.full((len(values),), -1, device=values.device))

    def _known_layout(self, output: Tensor, info: OutputInfo) -> Layout:
        layout = self.layout or info.layout
        if layout is None:
            if info.classes and output.shape[1:] == (len(info.classes),):
                raise InputError(
                    f"target is a forecast; expected a class, as the model has {len(info.classes)} classes. "
                    f"Give Predicted() or Class({info.classes[0]!r})."
                )
            # Several numbers for each forecast, such as quantiles, are channels.
            several = output.ndim == 4 and output.shape[-1] > 1
            how = "layout='b t n c', channel=0" if several else "layout='b t n'"
            raise InputError(
                f"the layout of the model's output of shape {tuple(output.shape)} is not known, and sizes do not "
                f"tell it. Give it, such as Forecast(node, horizon, {how}), where t is the horizon"
                f"{' and c are channels, such as quantiles' if several else ''}. Of logits, give Class(...) or "
                "Predicted() as target."
            )
        return layout

    def _sum(self, forecasts: Tensor, info: OutputInfo) -> Tensor:
        values = _one_instance(forecasts)  # [B, horizons, N, C]
        steps, nodes, channels = values.shape[1:]
        _check_steps(self.horizon if self._any_step else None, steps)
        if self.channel is None and channels > 1:
            raise InputError(f"the model forecasts {channels} channels. Give one: Forecast(node, horizon, channel).")
        if not 0 <= (self.channel or 0) < channels:
            raise InputError(f"channel: got {self.channel}; expected 0 to {channels - 1}, the channels of the output.")
        chosen = [index for node in self.node for index in _nodes(node, info, nodes)]
        # By two steps of indexing: lists in one would pair horizons with nodes.
        return values[:, [step - 1 for step in self.horizon]][:, :, chosen, self.channel or 0].sum((1, 2))

    @property
    def needs_layout(self) -> bool:
        """See `Target`."""
        return self.layout is None

    def with_layout(self, layout: Layout) -> Target:
        """See `Target.with_layout`."""
        same = copy(self)
        same.layout = layout
        return same

    def nodes_read(self, info: OutputInfo) -> frozenset[int] | None:
        """See `Target.nodes_read`."""
        # A target derived from this one may read more.
        if type(self) is not Forecast or info.layout is None or self.layout not in (None, info.layout):
            return None
        return frozenset(index for node in self.node for index in _nodes(node, info, info.node_count))

    def text(self) -> str:
        """See `Target.text`."""
        nodes = " + ".join(str(node) for node in self.node)
        steps = f" at horizon {', '.join(str(step) for step in self.horizon)}" if self._any_step else ""
        channel = "" if self.channel is None else f", channel {self.channel}"
        return f"the forecast of {nodes}{steps}{channel}{'' if self.minus is None else ', minus another'}"


@checked_kept
class NodeClass(Target):
    """The logit of a class of one node, of a model that classifies every node: ``[B, N, classes]``.

    A single logit per node is that of class 1 against class 0, as for `Class`.

    Args:
        node: a name or an index.
        which: an index or a name of a class, or one of them per sample; none: the one that is predicted for the node.
        horizon: which step, counted from 1, of a model that classifies every node at several.
        layout: how the output is laid out, c being the classes and t the steps, such as ``"b t n c"``, or ``"b n"`` for
            a single logit per node; none: ``"b n c"``, or ``"n c"`` of one sample where the model knows no batches.

    Raises:
        InputError: (when called) for a node or class that does not exist, or a layout that does not fit.

    Example:
        >>> output = torch.arange(12.0).view(2, 3, 2)  # two samples, three nodes, two classes
        >>> NodeClass(1, 0)(output).tolist(), NodeClass(1)(output).tolist()
        ([2.0, 8.0], [3.0, 9.0])
    """

    def __init__(
        self,
        node: int | str,
        which: "int | str | Sequence[int | str] | NDArray[np.integer] | Tensor | None" = None,
        *,
        horizon: int | None = None,
        layout: str | None = None,
    ):
        self.node: int | str = one_or_several("node", node, int | str)
        if isinstance(self.node, list):
            raise InputError(f"node: got {len(self.node)} nodes; expected one. Give a NodeClass for each, as a list.")
        which = which.tolist() if isinstance(which, Tensor | np.ndarray) else which
        self.which: int | str | list[int | str] | None = None
        if which is not None:
            self.which = one_or_several("which", which, int | str)
        self.horizon = horizon
        self.layout = Layout(layout or "b n c")
        self._is_given = layout is not None

    def score(self, output: Tensor, info: OutputInfo = UNKNOWN) -> Scores:
        """See `Target.score`."""
        return self._score(self.layout.to_batch(output, **_folded(self.layout, info)), info)

    def score_output(self, output: ModelOutput, info: OutputInfo = UNKNOWN) -> Scores:
        """See `Target.score_output`."""
        shape, layout = tuple(output.chosen[1].shape), self.layout
        if not self._is_given and output.samples == 1 and len(shape) == 2 and shape[0] == info.node_count > 1:
            layout = Layout("n c")  # of a model that knows no batches
        values = output.in_layout(layout, **_folded(layout, info))
        if type(self).score is not NodeClass.score:
            return self.score(self.layout.from_batch(values), info)
        return self._score(values, info)

    def _score(self, values: Tensor, info: OutputInfo) -> Scores:
        logits = _one_instance(values)  # [B, steps, N, classes]
        _check_steps(None if self.horizon is None else [self.horizon], logits.shape[1])
        index = node_index(self.node, info.nodes, logits.shape[2])
        return class_scores(logits[:, (self.horizon or 1) - 1, index], self.which, info)

    def fixed(self, classes: "int | Sequence[int]") -> Target:
        """See `Target.fixed`."""
        if self.which is not None:
            return self
        layout = self.layout.pattern if self._is_given else None
        return NodeClass(self.node, classes, horizon=self.horizon, layout=layout)

    def nodes_read(self, info: OutputInfo) -> frozenset[int] | None:
        """See `Target.nodes_read`."""
        if type(self) is not NodeClass or self.layout != info.layout:
            return None
        return frozenset([node_index(self.node, info.nodes, info.node_count)])

    def text(self) -> str:
        """See `Target.text`."""
        which = f"class {self.which!r}" if isinstance(self.which, int | str) else "one class per sample"
        step = "" if self.horizon is None else f" at horizon {self.horizon}"
        return f"{'the predicted class' if self.which is None else which} of node {self.node!r}{step}"


def _one_instance(values: Tensor) -> Tensor:
    """An output ``[B, 1, T, N, C]`` without its instances, ``[B, T, N, C]``; of several, none is taken unasked."""
    if values.shape[1] > 1:
        raise InputError(
            f"the model's output has {values.shape[1]} instances, of which this target reads one. Give a function of "
            "the output as target, such as lambda y: y[:, 0, 2, 5]."
        )
    return values[:, 0]


def _check_steps(given: "Sequence[int] | None", steps: int) -> None:
    """Refuses steps that an output does not have; where none is given, it must have one."""
    if given is None and steps > 1:
        raise InputError(f"the model forecasts {steps} steps. Give one by horizon=, counted from 1.")
    for step in given or ():
        if not 1 <= step <= steps:
            raise InputError(f"horizon: got {step}; expected 1 to {steps}, the steps that the model forecasts.")


def _folded(layout: Layout, info: OutputInfo) -> dict[str, int]:
    """The number of nodes, where they are folded with others, as in ``"b (t n)"``: of the graph, or of the samples."""
    folded = any(len(letters) > 1 and "n" in letters for letters in layout.groups)
    # The number of samples is known, so that of nodes follows from what is left, but not where two are unknown.
    count = len(info.nodes) or info.node_count
    if not count and any("n" in letters and len({*letters} - {"b"}) > 1 for letters in layout.groups):
        raise InputError(
            f"layout {layout.pattern!r} folds nodes with another axis; how many there are is not known. Give `graph`."
        )
    return {"n": count} if folded and count else {}


def _nodes(node: int | str, info: OutputInfo, count: int) -> list[int]:
    """The indices of a node by its name or index, or of the nodes of a group."""
    # A node goes before a group of the same name.
    if isinstance(node, str) and node not in info.nodes and node in info.groups:
        return [list(info.nodes).index(name) for name in info.groups[node]]
    return [node_index(node, info.nodes, count, [*info.groups])]
