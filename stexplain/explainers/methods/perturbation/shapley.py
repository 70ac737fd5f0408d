"""Shapley values: what groups of nodes contribute to the score, averaged over orders in which they are shown."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Unpack

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor, nn

from stexplain.checking import checked_kept
from stexplain.data.baselines import HISTORY_OR_ZERO, Baseline
from stexplain.errors import InputError
from stexplain.explainers.arguments import check_counts, check_window
from stexplain.explainers.explainer import Explainer, Maps
from stexplain.explainers.methods.naming import named
from stexplain.explainers.methods.perturbation.by_channel import (
    channel_groups,
    each_channel,
    signals_of,
    with_channels,
)
from stexplain.explainers.methods.perturbation.masked_scores import masked_scores
from stexplain.explainers.methods.perturbation.regions import (
    Groups,
    Regions,
    check_partition,
    node_groups,
    samples_at_a_time,
)
from stexplain.explainers.model.caller import ScoreFn
from stexplain.explainers.model.model_input import ModelInput
from stexplain.explainers.model.options import CallOptions
from stexplain.explainers.model.perturb import PerturbedInputs, with_baseline
from stexplain.explainers.random_generator import own_generator
from stexplain.intervals.units import FEWEST


@checked_kept
class ShapleyValueSampling(Explainer):
    """Shapley values by sampling orders.

    After Castro et al., "Polynomial calculation of the Shapley value based on sampling" (Computers & Operations
    Research 2009). A player is a group of nodes of one instance (within a window of frames). All are masked by the
    baseline x' at first, and shown one after the other; with y the score of the target and S the players shown before
    player p:

        phi[p] = mean over orders of  y(S and p shown) - y(S shown)

    in the units of the score. Players' values sum to y(x) - y(x') with any number of orders. A player's value is
    spread evenly over its observations, so the map has the shape of any other and sums to the same. Orders follow from
    the seed and the players' names alone: they are the same for every sample, and players without an observation
    change nothing. Each order costs one forward pass of a sample less than there are players.

    `Explanation.standard_error` is that of the mean over orders, as they are drawn independently. Antithetic orders
    (Mitchell et al., "Sampling permutations for Shapley value estimation", JMLR 2022) come in pairs, each followed by
    its reverse: who came early comes late. Errors of both partly cancel, and the pairs are what is independent. Fewer
    than five orders, or pairs, show too little of how values vary, and such as are all alike by chance show nothing of
    it: there is no standard error then, and a note says so.

    Args:
        model: see `STGGradCAM`.
        groups: nodes that play together, by name or index; no node may be in two. Default: the graph's groups. Nodes
            in no group play by themselves.
        window: frames that play together; none: all.
        baseline: see `IntegratedGradients`.
        per_channel: whether every signal of a group is a player of its own, which gives `Explanation.channels`; values
            are then their sum. Default: a player has all signals of its nodes.
        orders: how many orders are sampled.
        antithetic: whether every second order is the reverse of the one before it; `orders` must then be even.
        seed: of the orders.
        copies: how many players are shown in one forward pass; memory grows with them.
        **options: how the model is called; see `ModelCaller`.

    Raises:
        InputError: where a node does not exist, or is in two groups, or antithetic orders are not even in number.

    Example:
        >>> import torch
        >>> from stexplain.explainers.targets import Custom
        >>> with ShapleyValueSampling(nn.Flatten(), orders=100) as explain:
        ...     e = explain(torch.tensor([2.0, 3.0]).view(1, 1, 1, 2, 1), target=Custom(lambda y: y.prod(1)))
        >>> round(float(e.values.sum()), 4)
        6.0
    """

    method = "Shapley value sampling"
    measures = "score"
    _scores_alone = True

    def __init__(
        self,
        model: nn.Module,
        *,
        groups: Groups | None = None,
        window: int | None = None,
        baseline: "str | Baseline | Tensor | ArrayLike" = HISTORY_OR_ZERO,
        per_channel: bool = False,
        orders: int = 25,
        antithetic: bool = False,
        seed: int = 0,
        copies: int = 16,
        **options: Unpack[CallOptions],
    ):
        super().__init__(model, **options)
        check_window(window)
        check_counts(orders=orders, copies=copies)
        if antithetic and orders % 2:
            raise InputError(f"orders: got {orders}; expected an even number, since antithetic orders come in pairs.")
        self.groups = groups
        self.window = window
        self.baseline = baseline
        self.orders = orders
        self.antithetic = antithetic
        self.seed = seed
        self.per_channel = per_channel
        self.copies = copies
        settings: dict[str, Any] = {"groups": groups, "window": window, "baseline": baseline}
        self.method = named(type(self), self.method, **settings, per_channel=per_channel)

    @property
    def _copies_at_once(self) -> int:
        return self.copies

    def _chunk_of(self, model_input: ModelInput) -> int | None:
        return samples_at_a_time(model_input, lambda: bool(self._output_axes(model_input).mixed))

    def _maps(self, model_input: ModelInput, score_fn: ScoreFn) -> Maps:
        perturbed = PerturbedInputs(self, model_input, score_fn)
        sizes, present, counting = model_input.sizes, perturbed.present, self._in_field(perturbed.present)
        channels, signals = sizes["c"], signals_of(self, model_input)
        groups = self._players(sizes["n"])
        unions = self._unions([members[0] for members in groups.values()], sizes["n"])
        if self.per_channel:
            unions = [union for union in unions for _ in signals]
            groups = channel_groups(groups, signals, channels)
            present, counting = (each_channel(one, channels) for one in (present, counting))
            sizes = {**sizes, "n": sizes["n"] * channels}
        regions = Regions(list(groups.values()), sizes, window=self.window, device=perturbed.x.device)
        counts = regions.observation_counts(present)
        # A region without an observation that counts in any sample is no player: it could only add zero.
        players = regions.observation_counts(counting).any(0).nonzero()[:, 0]
        baseline = with_baseline(self, model_input, self.baseline)
        orders = list(self._orders(list(groups), regions, players, unions)(len(players), self.orders))
        scores, samples = masked_scores(perturbed, baseline, regions, players), len(perturbed.x)
        with torch.no_grad():
            hidden = scores(perturbed.x.new_zeros(samples, len(players)))
            # With all players shown it is the sample, whose score is known.
            ends = (hidden, perturbed.scores_of_samples.scores)
            each = torch.stack([_contributions(scores, order, ends, self.copies) for order in orders])
        drawn = each.new_zeros(len(each), samples, len(regions))
        drawn[:, :, players] = each

        def spread(of_players: Tensor) -> Tensor:
            return regions.to_positions(of_players / counts.clamp(min=1)) * present

        values, by_channel, reduce = with_channels(spread(drawn.mean(0)), signals, channels, separate=self.per_channel)
        notes = self._no_standard_error(orders)
        error = None if notes else spread(self._standard_error(drawn, len(signals) if self.per_channel else 1, regions))
        if error is not None and self.per_channel:
            # That of a sum over channels stands at the first of them.
            error = error.view(*values.shape, channels).sum(-1)
        known = perturbed.scores_of_samples
        return Maps(values, known, channels=by_channel, reduce=reduce, notes=notes, standard_error=error)

    def _no_standard_error(self, orders: list[list[int]]) -> tuple[str, ...]:
        """Why the orders that were drawn have no standard error; empty where they have one."""
        each, what = (2, "pairs of orders") if self.antithetic else (1, "orders")
        count = len(orders) // each
        if count < FEWEST:
            return (
                f"No standard error: {count} independent {what} of {FEWEST} that show how values vary; "
                f"give orders={FEWEST * each} or more.",
            )
        # All alike by chance, where others exist: one order of one player, and one pair of two, are all there are.
        if len(orders[0]) > each and len({tuple(order) for order in orders}) == each:
            return (f"No standard error: all {count} {what} are alike by chance; give more orders.",)
        return ()

    def _standard_error(self, drawn: Tensor, signals: int, regions: Regions) -> Tensor:
        """Of players' mean contributions over orders ``[orders, B, M * G * W]``, ``[B, M * G * W]``.

        Where each of several signals plays by itself, of their sum, at the first of them; the others have zero.
        """
        independent = drawn.view(-1, 2, *drawn.shape[1:]).mean(1) if self.antithetic else drawn
        instances, groups, windows = regions.shape
        together = independent.view(*independent.shape[:2], instances, groups // signals, signals, windows).sum(4)
        error = drawn.new_zeros(*together.shape[1:4], signals, windows)
        error[:, :, :, 0] = (together.var(0) / len(independent)).sqrt()
        return error.flatten(1)

    def _players(self, nodes: int) -> dict[str, list[int]]:
        """The nodes of each player."""
        return self._partition(nodes)

    def _unions(self, players: Sequence[int], nodes: int) -> list[str]:
        """The union of each player, of which a node is given; empty: players come in any order."""
        return []

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
        self, names: Sequence[str], regions: Regions, players: Tensor, unions: Sequence[str] = ()
    ) -> Callable[[int, int], Iterator[list[int]]]:
        """A generator of orders: every player draws a number for each, and players are sorted by it.

        The order of some players is then the same whoever else plays, and however they are numbered. Unions draw
        numbers too, which come first.

        Args:
            names: of the groups.
            regions: of which `players` are some.
            players: as indices into all regions.
            unions: of each group; empty: there are none.
        """
        places = [tuple(map(int, np.unravel_index(player, regions.shape))) for player in players.tolist()]

        def orders(_: int, count: int) -> Iterator[list[int]]:
            half = count // 2 if self.antithetic else count
            keys = [self._drawn([f"instance {m}, window {w}, {names[g]}" for m, g, w in places], half)]
            if unions:
                keys.append(self._drawn([f"union {unions[g]}, instance {m}, window {w}" for m, g, w in places], half))
            for order in range(half):
                # The last key is the first criterion.
                found = np.lexsort([key[:, order] for key in keys]).tolist()
                yield found
                if self.antithetic:
                    yield found[::-1]

        return orders

    def _drawn(self, names: Iterable[str], count: int) -> NDArray[np.float64]:
        return np.array([own_generator(self.seed, name).random(count) for name in names]).reshape(-1, count)


def _contributions(
    scores: Callable[..., Tensor], order: Sequence[int], ends: tuple[Tensor, Tensor], copies: int
) -> Tensor:
    """What every player adds to those before it in an order, ``[B, P]``.

    By ourselves, as captum's sampling gives the mean over orders alone, of which there is no standard error.

    Args:
        scores: of switches ``[K * B, P]``.
        order: of players.
        ends: the scores where none is shown, and where all are, ``[B]`` each.
        copies: how many go through the model at a time.
    """
    none, all_shown = ends
    if not order:
        return none.new_zeros(len(none), 0)
    # Copy k shows the first k + 1 players; the last one would show all.
    shown = none.new_zeros(len(order) - 1, len(order))
    for position, player in enumerate(order[:-1]):
        shown[position:, player] = 1
    parts = [part for part in torch.split(shown, copies) if len(part)]
    middle = [scores(part.repeat_interleave(len(none), 0)).view(len(part), -1) for part in parts]
    found = torch.cat([none[None], *middle, all_shown[None]])
    added = torch.empty_like(found[1:])
    added[list(order)] = found[1:] - found[:-1]
    return added.T
