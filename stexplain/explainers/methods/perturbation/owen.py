"""Owen values: Shapley values of single nodes, of which those of a group always come one after the other."""

from collections.abc import Sequence
from typing import Unpack

from numpy.typing import ArrayLike
from torch import Tensor, nn

from stexplain.checking import checked_kept
from stexplain.data.baselines import HISTORY_OR_ZERO, Baseline
from stexplain.explainers.methods.perturbation.regions import Groups, node_groups
from stexplain.explainers.methods.perturbation.shapley import ShapleyValueSampling
from stexplain.explainers.model.options import CallOptions


@checked_kept
class OwenValueSampling(ShapleyValueSampling):
    """Owen values by sampling orders: which nodes of which body part, and when.

    Owen, "Values of games with a priori unions" (1977), estimated as in `ShapleyValueSampling`. The players are single
    nodes, each in a window of frames. Those of one group in one window are a union: in an order, unions come one after
    the other, and within each its nodes, both at random. With y the score of the target and S the players shown before
    player p:

        phi[p] = mean over such orders of  y(S and p shown) - y(S shown)

    The values of a union's players sum to its own Shapley value among the unions: what a body part adds, and then which
    of its joints. Half of a limb is shown less often than with `ShapleyValueSampling`, so fewer of the bodies that the
    model is given are torn apart. The default's two pairs of orders are too few for a standard error; ten orders have
    one.

    Args:
        model: see `STGGradCAM`.
        groups: nodes that come together, by name or index; no node may be in two. Default: the graph's groups. A node
            in no group is a union by itself; without groups these are Shapley values.
        window: frames of a player; none: all.
        baseline: see `IntegratedGradients`.
        orders: how many orders are sampled.
        antithetic: whether every second order is the reverse of the one before it; `orders` must then be even.
        seed: of the orders.
        per_channel: whether every signal of a player is one by itself; see `ShapleyValueSampling`.
        copies: how many perturbed copies of every sample go through the model at a time; memory grows with them.
        **options: how the model is called; see `ModelCaller`.

    Raises:
        InputError: where a node does not exist, or is in two groups, or antithetic orders are not even in number.

    Example:
        >>> import torch
        >>> from stexplain.explainers.targets import Custom
        >>> product = Custom(lambda y: y.prod(1))
        >>> x = torch.tensor([1.0, 2.0, 3.0]).view(1, 1, 1, 3, 1)
        >>> with OwenValueSampling(nn.Flatten(), groups=[[0, 1]], window=None, orders=200) as explain:
        ...     values = explain(x, target=product).values[0, 0, 0]  # half of 6 for the pair, half for the third
        >>> float(values[:2].sum()), float(values[2])
        (3.0, 3.0)
    """

    method = "Owen value sampling"
    measures = "score"

    def __init__(
        self,
        model: nn.Module,
        *,
        groups: Groups | None = None,
        window: int | None = 8,
        baseline: "str | Baseline | Tensor | ArrayLike" = HISTORY_OR_ZERO,
        orders: int = 4,
        antithetic: bool = True,
        seed: int = 0,
        per_channel: bool = False,
        copies: int = 16,
        **options: Unpack[CallOptions],
    ):
        super().__init__(
            model,
            groups=groups,
            window=window,
            baseline=baseline,
            per_channel=per_channel,
            orders=orders,
            antithetic=antithetic,
            seed=seed,
            copies=copies,
            **options,
        )

    def _players(self, nodes: int) -> dict[str, list[int]]:
        return node_groups(None, self.graph, nodes)

    def _unions(self, players: Sequence[int], nodes: int) -> list[str]:
        union_of = {node: name for name, members in self._partition(nodes).items() for node in members}
        return [union_of[node] for node in players]
