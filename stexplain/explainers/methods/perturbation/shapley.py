"""Shapley values: what groups of nodes add to the score, whichever come before them."""

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from torch import Tensor, nn

from stexplain.data.baselines import Baseline
from stexplain.explainers.draws import own_generator
from stexplain.explainers.explainer import Explainer, Maps, ModelInput
from stexplain.explainers.methods.gradient.through_captum import captum_attr, hidden_scores
from stexplain.explainers.methods.perturbation.regions import (
    Groups,
    Regions,
    check_partition,
    check_window,
    node_groups,
)
from stexplain.explainers.model.perturb import PerturbedInputs, check_counts, with_baseline
from stexplain.explainers.targets import Scores

if TYPE_CHECKING:
    from stexplain.graph import STGraph


class ShapleyValueSampling(Explainer):
    """Shapley values by sampling orders, by captum.

    After Castro et al., "Polynomial calculation of the Shapley value based on sampling" (Computers & Operations
    Research 2009). A player is a group of nodes of one instance (within a window of frames). All begin hidden behind
    the baseline x' and are shown one after the other; with y the score of the target and S the players shown before
    player p:

        phi[p] = mean over orders of  y(S and p shown) - y(S shown)

    in the units of the score. Players' values sum to y(x) - y(x') with any number of orders. A player's value is
    spread evenly over its readings, so that the map has the usual shape and sums to the same. Orders follow from the
    seed and the players' names alone: they are the same for every sample, and players who hold no reading change
    nothing. It costs as many forward passes of a sample as there are orders times players.

    Args:
        model: see `STGGradCAM`.
        inputs: see `STGGradCAM`.
        graph: see `STGGradCAM`.
        classes: see `STGGradCAM`.
        groups: nodes that play together, by name or index; no node may be in two. Default: the graph's groups. Nodes
            in no group play by themselves.
        window: frames that play together; none: all.
        baseline: see `IntegratedGradients`.
        orders: how many orders are sampled.
        seed: of the orders.
        copies: how many players are shown in one forward pass; memory grows with them.
        chunk: see `STGGradCAM`.

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
        inputs: str | None = None,
        graph: "STGraph | None" = None,
        classes: Sequence[str] | None = None,
        groups: Groups | None = None,
        window: int | None = None,
        baseline: "str | Baseline | Tensor" = "zero",
        orders: int = 25,
        seed: int = 0,
        copies: int = 16,
        chunk: int | None = None,
    ):
        super().__init__(model, inputs=inputs, graph=graph, classes=classes, chunk=chunk)
        check_window(window)
        check_counts(orders=orders, copies=copies)
        self.groups = groups
        self.window = window
        self.baseline = baseline
        self.orders = orders
        self.seed = seed
        self.copies = copies
        self._captum = captum_attr("ShapleyValueSampling")

    def _maps(self, asked: ModelInput, scored: Callable[[Any], Scores]) -> Maps:
        copies = PerturbedInputs(self, asked, scored)
        groups = self._partition(asked.sizes["n"])
        regions = Regions(list(groups.values()), asked.sizes, window=self.window, device=copies.x.device)
        readings = regions.readings(copies.there)
        players = readings.any(0).nonzero()[:, 0]
        start = with_baseline(self, asked, self.baseline)
        captum = self._captum.ShapleyValueSampling(hidden_scores(copies, start, regions, players))
        captum.permutation_generator = self._orders(list(groups), regions, players)
        added = copies.x.new_zeros(len(copies.x), len(regions))
        if len(players):
            added[:, players] = captum.attribute(
                copies.x.new_ones(len(copies.x), len(players)),
                baselines=0,
                n_samples=self.orders,
                perturbations_per_eval=self.copies,
            ).to(added)
        return Maps(regions.on_cells(added / readings.clamp(min=1)) * copies.there, copies.found)

    def _partition(self, nodes: int) -> dict[str, list[int]]:
        """The groups, and every node that is in none by itself."""
        wanted = self.groups
        if wanted is None and self.graph is not None and self.graph.groups:
            wanted = self.graph.groups
        groups = node_groups(wanted, self.graph, nodes)
        check_partition(groups, nodes)
        grouped = {node for members in groups.values() for node in members}
        alone = node_groups(None, self.graph, nodes)
        return groups | {f"node {name}": of for name, of in alone.items() if of[0] not in grouped}

    def _orders(
        self, names: Sequence[str], regions: Regions, players: Tensor
    ) -> Callable[[int, int], Iterator[list[int]]]:
        """What draws captum's orders: every player draws a number of its own for each, and they line up by it.

        The order of some players is then the same whoever else plays, and however they are numbered.
        """

        def orders(_: int, count: int) -> Iterator[list[int]]:
            drawn = []
            for player in players.tolist():
                instance, group, window = np.unravel_index(player, regions.shape)
                name = f"instance {instance}, window {window}, {names[int(group)]}"
                drawn.append(own_generator(self.seed, name).random(count))
            for numbers in np.array(drawn).T:
                yield np.argsort(numbers).tolist()

        return orders
