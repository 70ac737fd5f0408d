"""Regions of a sample: a group of nodes of one instance within a window of frames."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import torch
from torch import Tensor

from stexplain.errors import InputError
from stexplain.explainers.arguments import check_window
from stexplain.explainers.model.model_input import ModelInput
from stexplain.graph import STGraph
from stexplain.graph.checks import node_index

Groups = Mapping[str, Sequence[int | str]] | Sequence[Sequence[int | str]]


def node_groups(groups: Groups | None, graph: STGraph | None, nodes: int) -> dict[str, list[int]]:
    """Groups of nodes as indices.

    Args:
        groups: names or indices of the nodes of each group, named or not; none: every node by itself.
        graph: which names the nodes, where known.
        nodes: how many there are, N.

    Raises:
        InputError: where a node does not exist, or a group is empty.

    Example:
        >>> node_groups({"arm": ["hand", 0]}, STGraph(["elbow", "hand"], [(0, 1)]), 2)
        {'arm': [1, 0]}
        >>> node_groups(None, None, 2)
        {'0': [0], '1': [1]}
    """
    names = [str(index) for index in range(nodes)] if graph is None else list(graph.nodes)
    if groups is None:
        return {name: [index] for index, name in enumerate(names)}
    named = groups if isinstance(groups, Mapping) else {_group_name(group, names): group for group in groups}
    # A string is a sequence too: of letters, none of which is a node.
    strings = [group for group in named.values() if isinstance(group, str)]
    if strings:
        raise InputError(
            f"groups holds the string {strings[0]!r}; expected the nodes of each group. Give groups=graph.groups for "
            "the groups of the graph, or lists of nodes."
        )
    known = () if graph is None else graph.nodes
    members_of = {name: [node_index(node, known, nodes) for node in group] for name, group in named.items()}
    for name, members in members_of.items():
        if not members:
            raise InputError(f"group {name!r} has no nodes. Leave it out.")
    if not members_of:
        raise InputError("groups: got none; expected at least one group, or None for every node by itself.")
    return members_of


def check_partition(groups: Mapping[str, Sequence[int]], nodes: int) -> None:
    """Refuses groups that share a node.

    Raises:
        InputError: naming two groups that do.
    """
    owner: dict[int, str] = {}
    for name, members in groups.items():
        for node in members:
            if node in owner:
                raise InputError(
                    f"node {node} is in the groups {owner[node]!r} and {name!r}. Give `groups` that share no node, or "
                    "groups=[[0], [1], ...] for every node by itself."
                )
            owner[node] = name


class Regions:
    """Every group of nodes in every window of frames, of each instance by itself: M * G * W of them.

    Windows begin at frames 0, s, 2 s, ... and end with the sample, so appended frames move none of them.

    Args:
        groups: G lists of nodes; they may overlap.
        sizes: of the axes m, t and n.
        window: frames that a window spans; none: all.
        stride: frames from one window to the next, s; none: as many as it spans.
        device: of the tensors.

    Raises:
        InputError: where the window or the stride is less than one frame.

    Example:
        >>> regions = Regions([[0], [1, 2]], {"m": 1, "t": 5, "n": 3}, window=4)
        >>> len(regions)
        4
        >>> regions.covered(torch.tensor([[False, False, False, True]])).int().tolist()  # the pair, frames 4 and on
        [[[[0, 0, 0], [0, 0, 0], [0, 0, 0], [0, 0, 0], [0, 1, 1]]]]
        >>> torch.equal(regions.each_covered(torch.arange(4)), regions.covered(torch.eye(4)))
        True
    """

    def __init__(
        self,
        groups: Sequence[Sequence[int]],
        sizes: Mapping[str, int],
        *,
        window: int | None = None,
        stride: int | None = None,
        device: "torch.device | str" = "cpu",
    ):
        check_window(window, stride)
        frames = sizes["t"]
        # Windows and strides longer than the sample are cut to it.
        length = min(window or frames, frames)
        starts = torch.arange(0, frames, min(stride or length, frames), device=device)
        frame = torch.arange(frames, device=device)
        # Which frames each window spans, [W, T].
        self._spans = ((frame >= starts[:, None]) & (frame < starts[:, None] + length)).float()
        # Which nodes each group holds, [G, N]; none where every node is its own group, which saves the product.
        self._members: Tensor | None = None
        if list(map(list, groups)) != [[node] for node in range(sizes["n"])]:
            self._members = torch.zeros(len(groups), sizes["n"], dtype=torch.float32, device=device)
            for number, members in enumerate(groups):
                self._members[number, list(members)] = 1
        self.shape = (sizes["m"], len(groups), len(starts))

    def __len__(self) -> int:
        return int(np.prod(self.shape))

    def to_positions(self, values: Tensor) -> Tensor:
        """At every position the sum over the regions that it lies in: ``[B, M * G * W]`` to ``[B, M, T, N]``."""
        each = values.reshape(-1, *self.shape)
        over_frames = torch.einsum("bmgw,wt->bmtg", each, self._spans.to(values.dtype))
        return over_frames if self._members is None else over_frames @ self._members.to(values.dtype)

    def covered(self, chosen: Tensor) -> Tensor:
        """Which positions lie in a chosen region: ``[B, M * G * W]`` to ``[B, M, T, N]``, bool."""
        # Sums of ones: above zero where any chosen region lies, however many overlap.
        return self.to_positions(chosen.float()) > 0

    def each_covered(self, numbers: Tensor) -> Tensor:
        """Which positions lie in each of some regions: their numbers ``[K]`` to ``[K, M, T, N]``, bool."""
        instances, groups, windows = self.shape
        device = self._spans.device
        instance, group, window = numbers // (groups * windows), numbers // windows % groups, numbers % windows
        in_instance = torch.arange(instances, device=device) == instance[:, None]
        in_window = self._spans[window] > 0
        if self._members is None:
            in_group = torch.arange(groups, device=device) == group[:, None]
        else:
            in_group = self._members[group] > 0
        return in_instance[:, :, None, None] & in_window[:, None, :, None] & in_group[:, None, None, :]

    def overlap(self) -> Tensor:
        """How many regions every position lies in, ``[1, M, T, N]``."""
        return self.to_positions(torch.ones(1, len(self), dtype=torch.float32, device=self._spans.device))

    def observation_counts(self, present: Tensor) -> Tensor:
        """How many observations every region holds: present ``[B, M, T, N]``, bool, to ``[B, M * G * W]``."""
        counts = present.float()
        per_group = counts if self._members is None else counts @ self._members.T
        return torch.einsum("bmtg,wt->bmgw", per_group, self._spans).flatten(1)


def samples_at_a_time(model_input: ModelInput, mixed: Callable[[], bool]) -> int | None:
    """How many samples methods that mask regions work on at a time; none: as many as the explainer says.

    Samples of one length and as many instances have the same regions with observations, and go through the model
    together. Of others each goes by itself, with its own regions alone: in a batch, a clip would be run again for every
    window and person that only another clip has.

    Args:
        model_input: the samples.
        mixed: whether samples influence each other in the model, in which case they stay together.
    """
    valid = model_input.valid
    if valid is None or bool((valid == valid[:1]).all()) or mixed():
        return None
    return 1


def _group_name(group: Sequence[int | str], names: Sequence[str]) -> str:
    """A name for a group without one, made of its nodes' names; the same in whichever order they are listed."""
    known = [names[node] if isinstance(node, int) and 0 <= node < len(names) else str(node) for node in group]
    return " ".join(sorted(known))
