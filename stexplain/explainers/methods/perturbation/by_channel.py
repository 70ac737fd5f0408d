"""Regions of single channels: what methods that mask regions need to give every channel a map of its own.

A position is masked in all of its signals at once unless channels are requested one by one. Then every channel of a
node counts as a node of its own: of C channels, channel c of node n is number n C + c.
"""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from stexplain.explainers.model.caller import ModelCaller
from stexplain.explainers.model.index_channels import signal_mask
from stexplain.explainers.model.model_input import ModelInput

MapOfChannels = tuple[Tensor, Tensor | None, str]
"""Values, channels, and in words how the first follow from the second; neither of both where positions were masked in
all of their signals at once."""
SUM = "the sum over channels"
"""How values follow from channels that were masked one by one."""


def signals_of(caller: ModelCaller, model_input: ModelInput) -> list[int]:
    """The channels that are signals, by index; see `signal_mask`."""
    mask = signal_mask(caller, model_input)
    return list(range(model_input.sizes["c"])) if mask is None else mask.nonzero()[:, 0].tolist()


def channel_groups(groups: Mapping[str, Sequence[int]], signals: Sequence[int], channels: int) -> dict[str, list[int]]:
    """Every group of nodes once for each signal.

    Args:
        groups: nodes by index.
        signals: channels that are signals.
        channels: how many channels there are, C.

    Example:
        >>> channel_groups({"arm": [0, 2]}, [1], 3)
        {'arm, channel 1': [1, 7]}
    """
    return {
        f"{name}, channel {signal}": [node * channels + signal for node in members]
        for name, members in groups.items()
        for signal in signals
    }


def each_channel(present: Tensor, channels: int) -> Tensor:
    """Which channels of positions hold an observation: present ``[B, M, T, N]`` to ``[B, M, T, N * C]``."""
    return present.repeat_interleave(channels, -1)


def with_channels(values: Tensor, signals: Sequence[int], channels: int, *, separate: bool) -> MapOfChannels:
    """A map, and where it can be determined, that of every channel.

    Args:
        values: ``[B, M, T, N]``; of separate channels ``[B, M, T, N * C]``.
        signals: channels that are signals.
        channels: how many channels there are, C.
        separate: whether channels were masked one by one.

    Example:
        >>> values, by_channel, _ = with_channels(torch.ones(1, 1, 1, 1), [1], 3, separate=False)
        >>> by_channel.tolist()
        [[[[[0.0, 1.0, 0.0]]]]]
    """
    if separate:
        by_channel = values.view(*values.shape[:-1], -1, channels)
        return by_channel.sum(-1), by_channel, SUM
    if len(signals) > 1:
        return values, None, ""
    # Of one signal, the map of all channels is its own.
    alone = torch.zeros(*values.shape, channels, dtype=values.dtype, device=values.device)
    alone[..., signals[0]] = values
    return values, alone, SUM
