"""On roads: how slow each sensor is, and how slow those are from which the target is reached in time."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Literal, Unpack

import numpy as np
import torch
from torch import Tensor, nn

from stexplain.checking import checked_kept
from stexplain.data import WindowedSeries
from stexplain.errors import InputError, unknown
from stexplain.explainers.explainer import Maps
from stexplain.explainers.explanation import Explanation
from stexplain.explainers.methods.baselines.base import BaselineExplainer
from stexplain.explainers.methods.naming import named
from stexplain.explainers.model.caller import ScoreFn
from stexplain.explainers.model.model_input import ModelInput, Signals, Streams, channel_index
from stexplain.explainers.model.options import CallOptions, ModelCall
from stexplain.explainers.target import Target
from stexplain.explainers.targets import Forecast, PerSample
from stexplain.graph import STGraph
from stexplain.graph.checks import node_index

DIRECTIONS = ("downstream", "upstream", "both")
NO_NODE = "The target names no node, so nothing is near it: the map is that of Slowness."


@checked_kept
class Slowness(BaselineExplainer):
    """How far each sensor is below its mean speed, in the units of the signals.

        slowness[b, m, t, n] = max(0, mean[n] - x[b, m, t, n, channel])

    Args:
        model: see `BaselineExplainer`.
        training: a series whose mean at each node is taken; none: the largest value of the sample at that
            node.
        channel: which channel is the speed, by index or name.
        **options: see `BaselineExplainer`.

    Raises:
        InputError: (when called) where the channel does not exist, or `training` has other nodes.

    Example:
        >>> Slowness()(torch.tensor([60.0, 20.0, 50.0]).view(1, 1, 3, 1, 1)).values.flatten().tolist()
        [0.0, 40.0, 10.0]
    """

    method = "slowness"

    def __init__(
        self,
        model: nn.Module | None = None,
        *,
        training: WindowedSeries | None = None,
        channel: int | str = 0,
        **options: Unpack[CallOptions],
    ):
        super().__init__(model, **options)
        self.channel = channel
        self._training = training
        self._from = [] if training is None else ["below the training mean"]
        self.method = named(type(self), type(self).method, *self._from, channel=channel)

    def _maps(self, model_input: ModelInput, score_fn: ScoreFn) -> Maps:
        x, present = self._signals(model_input)
        channel = channel_index(self.channel, model_input, "channel")
        speed = x[..., channel]
        if self._training is None:
            # Of the observations alone: a missing value is no speed.
            typical = speed.masked_fill(~present, -torch.inf).amax(2, keepdim=True)
        else:
            mean = _training_mean(self._training, channel)
            if len(mean) != model_input.sizes["n"]:
                raise InputError(f"training: got {len(mean)} nodes; expected {model_input.sizes['n']}, as the samples.")
            typical = mean.to(speed)
        return Maps(torch.where(present, typical - speed, 0).clamp(min=0))


@checked_kept
class SlownessNearTarget(Slowness):
    """Slowness of the sensors from which the target is reached in time; zero at all others.

    Congestion spreads against the direction of travel, so it comes from downstream. With d the number of links from
    the target to a sensor, and the lag the frames from an observation to the forecast::

        near[b, m, t, n] = slowness[b, m, t, n] * exp(-((lag[t] - pace d) / (pace / 2))^2 / 2)   where 0 < d <= hops

    The exponential is left out where `pace` is none. The target itself (d = 0) counts with no delay.

    Args:
        model: see `BaselineExplainer`; its graph is used.
        hops: how many links away a sensor may be.
        direction: where sensors are looked for: ``"downstream"`` (along the edges), ``"upstream"`` or ``"both"``.
        pace: how many frames congestion takes over one link; none: all lags count alike.
        training: see `Slowness`.
        channel: see `Slowness`.
        **options: see `BaselineExplainer`.

    Raises:
        InputError: (when called) where there is no graph, or the target's node is not in it.

    Example:
        >>> from stexplain.graph import STGraph
        >>> roads = STGraph.from_edges(["a", "b", "c"], [("a", "b"), ("b", "c")], directed=True)
        >>> x = torch.full((1, 1, 2, 3, 1), 60.0)
        >>> x[0, 0, 1] = 30.0
        >>> near = SlownessNearTarget(graph=roads, hops=1, pace=None)
        >>> near(x, target=Forecast("a", 1)).values[0, 0, 1].tolist()
        [30.0, 30.0, 0.0]
    """

    method = "slowness near the target"

    def __init__(
        self,
        model: nn.Module | None = None,
        *,
        hops: int = 2,
        direction: Literal["downstream", "upstream", "both"] = "downstream",
        pace: float | None = None,
        training: WindowedSeries | None = None,
        channel: int | str = 0,
        **options: Unpack[CallOptions],
    ):
        super().__init__(model, training=training, channel=channel, **options)
        if hops < 0:
            raise InputError(f"hops: got {hops}; expected at least 0.")
        if direction not in DIRECTIONS:
            raise unknown("direction", direction, DIRECTIONS)
        if pace is not None and pace <= 0:
            raise InputError(f"pace: got {pace}; expected a positive number of frames per link, or None.")
        self.hops, self.direction, self.pace = hops, direction, pace
        settings: dict[str, Any] = {"channel": channel, "hops": hops, "direction": direction, "pace": pace}
        self.method = named(type(self), type(self).method, *self._from, **settings)

    def _explain(
        self,
        x: Signals | Streams,
        targets: Sequence[Target],
        call: ModelCall,
        ids: Sequence[Any] | None,
    ) -> list[Explanation]:
        found = []
        for target in targets:
            (slow,) = super()._explain(x, [target], call, ids)
            weight = self._near(target, slow.values.shape)
            if weight is None:
                found.append(replace(slow, notes=(*slow.notes, NO_NODE)))
            else:
                found.append(replace(slow, values=(slow.values * weight).astype(np.float32)))
        return found

    def _near(self, target: Target, shape: tuple[int, ...]) -> np.ndarray[Any, np.dtype[np.float32]] | None:
        """The factor of each position, ``[B, 1, T, N]``; none where the target names no node."""
        samples, _, frames, nodes = shape
        each = target.targets if isinstance(target, PerSample) else [target] * samples
        forecasts = [one for one in each if isinstance(one, Forecast)]
        if len(forecasts) < len(each) or not each:
            return None
        if self.graph is None:
            raise InputError("graph: got none; expected the graph of the roads. Give graph=, or a model that has one.")
        distance = self._distances(self.graph)
        weight = torch.zeros(samples, 1, frames, nodes, dtype=torch.float32, device="cpu")
        for row, forecast in enumerate(forecasts):
            at = [node_index(node, self.graph.nodes, nodes, []) for node in forecast.node]
            hops = distance[at].amin(0)
            near = (hops <= self.hops).float()[None].repeat(frames, 1)
            if self.pace is not None:
                # From the observation at frame t: the last frame of the window is `horizon` before it.
                lag = torch.arange(frames - 1, -1, -1, dtype=torch.float32, device="cpu")
                lag = lag + float(np.mean(forecast.horizon))
                apart = (lag[:, None] - self.pace * hops.clamp(max=self.hops)[None]) / (self.pace / 2)
                near = near * torch.exp(-(apart**2) / 2)
            weight[row, 0] = near
        return weight.numpy()

    def _distances(self, graph: STGraph) -> Tensor:
        """How many links lie between the node of the row and that of the column, ``[N, N]``; infinite for no way."""
        hops = graph.arcs().hops(directed=False) if self.direction == "both" else graph.hops()
        return torch.from_numpy(hops.T if self.direction == "upstream" else hops).float()


def _training_mean(training: WindowedSeries, channel: int) -> Tensor:
    """The mean of each node's observations in a series, ``[N]``."""
    total, count = np.zeros(training.nodes), np.zeros(training.nodes)
    for values, observed in training.observations():
        seen = observed[..., channel]
        total += np.where(seen, values[..., channel], 0).sum(0)
        count += seen.sum(0)
    return torch.from_numpy(total / np.maximum(count, 1))
