"""Shapley values: what groups of nodes contribute to the score, averaged over orders in which they are shown."""

from collections.abc import Callable, Iterator, Sequence
from typing import Unpack

import numpy as np
from torch import Tensor, nn

from stexplain.data.baselines import Baseline
from stexplain.explainers.arguments import check_counts, check_window
from stexplain.explainers.draws import own_generator
from stexplain.explainers.explainer import Explainer, Maps
from stexplain.explainers.methods.captum_bridge import captum_attr
from stexplain.explainers.methods.perturbation.by_channel import (
    channel_groups,
    each_channel,
    signals_of,
    with_channels,
)
from stexplain.explainers.methods.perturbation.masked_scores import masked_scores
from stexplain.explainers.methods.perturbation.regions import Groups, Regions, check_partition, node_groups
from stexplain.explainers.model.caller import ScoreFn
from stexplain.explainers.model.model_input import ModelInput
from stexplain.explainers.model.options import CallOptions
from stexplain.explainers.model.perturb import PerturbedInputs, with_baseline


class ShapleyValueSampling(Explainer):
    """Shapley values by sampling orders, by captum.

    After Castro et al., "Polynomial calculation of the Shapley value based on sampling" (Computers & Operations
    Research 2009). A player is a group of nodes of one instance (within a window of frames). All are masked by the
    baseline x' at first, and shown one after the other; with y the score of the target and S the players shown before
    player p:

        phi[p] = mean over orders of  y(S and p shown) - y(S shown)

    in the units of the score. Players' values sum to y(x) - y(x') with any number of orders. A player's value is
    spread evenly over its observations, so the map has the shape of any other and sums to the same. Orders follow from
    the seed and the players' names alone: they are the same for every sample, and players without an observation
    change nothing. It costs as many forward passes of a sample as there are orders times players.

    Args:
        model: see `STGGradCAM`.
        groups: nodes that play together, by name or index; no node may be in two. Default: the graph's groups. Nodes
            in no group play by themselves.
        window: frames that play together; none: all.
        baseline: see `IntegratedGradients`.
        per_channel: whether every signal of a group is a player of its own, which gives `Explanation.channels`; values
            are then their sum. Default: a player has all signals of its nodes.
        orders: how many orders are sampled.
        seed: of the orders.
        copies: how many players are shown in one forward pass; memory grows with them.
        **options: how the model is called; see `ModelCaller`.

    Raises:
        InputError: where captum is not installed, a node does not exist, or is in two groups.

    Example:
        >>> import torch
        >>> from stexplain.explainers.targets import Custom
        >>> with ShapleyValueSampling(nn.Flatten(), orders=100) as explain:
        ...     e = explain(torch.tensor([2.0, 3.0]).view(1, 1, 1, 2, 1), target=Custom(lambda y: y.prod(1)))
        >>> round(float(e.values.sum()), 4)
        6.0
    """

    method = "Shapley value sampling"

    def __init__(
        self,
        model: nn.Module,
        *,
        groups: Groups | None = None,
        window: int | None = None,
        baseline: "str | Baseline | Tensor" = "zero",
        per_channel: bool = False,
        orders: int = 25,
        seed: int = 0,
        copies: int = 16,
        **options: Unpack[CallOptions],
    ):
        super().__init__(model, **options)
        check_window(window)
        check_counts(orders=orders, copies=copies)
        self.groups = groups
        self.window = window
        self.baseline = baseline
        self.orders = orders
        self.seed = seed
        self.per_channel = per_channel
        self.copies = copies
        self._captum = captum_attr("ShapleyValueSampling")

    def _maps(self, model_input: ModelInput, score_fn: ScoreFn) -> Maps:
        perturbed = PerturbedInputs(self, model_input, score_fn)
        sizes, present = model_input.sizes, perturbed.present
        channels, signals = sizes["c"], signals_of(self, model_input)
        groups = self._partition(sizes["n"])
        if self.per_channel:
            groups, present = channel_groups(groups, signals, channels), each_channel(present, channels)
            sizes = {**sizes, "n": sizes["n"] * channels}
        regions = Regions(list(groups.values()), sizes, window=self.window, device=perturbed.x.device)
        counts = regions.observation_counts(present)
        # A region without an observation in any sample is no player: it could only add zero.
        players = counts.any(0).nonzero()[:, 0]
        baseline = with_baseline(self, model_input, self.baseline)
        captum = self._captum.ShapleyValueSampling(masked_scores(perturbed, baseline, regions, players))
        # captum draws orders from torch's global generator, which depends on what ran before.
        captum.permutation_generator = self._orders(list(groups), regions, players)
        contributions = perturbed.x.new_zeros(len(perturbed.x), len(regions))
        if len(players):
            contributions[:, players] = captum.attribute(
                perturbed.x.new_ones(len(perturbed.x), len(players)),
                baselines=0,
                n_samples=self.orders,
                perturbations_per_eval=self.copies,
            ).to(contributions)
        spread = regions.to_positions(contributions / counts.clamp(min=1)) * present
        values, by_channel, reduce = with_channels(spread, signals, channels, separate=self.per_channel)
        return Maps(values, perturbed.scores_of_samples, channels=by_channel, reduce=reduce)

    def _partition(self, nodes: int) -> dict[str, list[int]]:
        """The groups, and every node that is in none as a group of its own."""
        requested = self.groups
        # Body parts or districts by default: single nodes are many players, and orders of them expensive.
        if requested is None and self.graph is not None and self.graph.groups:
            requested = self.graph.groups
        groups = node_groups(requested, self.graph, nodes)
        check_partition(groups, nodes)
        grouped = {node for members in groups.values() for node in members}
        single = node_groups(None, self.graph, nodes)
        # "node" before the name: a group may have the name of a node.
        return groups | {f"node {name}": members for name, members in single.items() if members[0] not in grouped}

    def _orders(
        self, names: Sequence[str], regions: Regions, players: Tensor
    ) -> Callable[[int, int], Iterator[list[int]]]:
        """A generator of captum's orders: every player draws a number for each, and players are sorted by it.

        The order of some players is then the same whoever else plays, and however they are numbered.
        """

        def orders(_: int, count: int) -> Iterator[list[int]]:
            drawn = []
            for player in players.tolist():
                instance, group, window = np.unravel_index(player, regions.shape)
                name = f"instance {instance}, window {window}, {names[int(group)]}"
                drawn.append(own_generator(self.seed, name).random(count))
            # [P, orders] to an order of the players for each column.
            for numbers in np.array(drawn).T:
                yield np.argsort(numbers).tolist()

        return orders
