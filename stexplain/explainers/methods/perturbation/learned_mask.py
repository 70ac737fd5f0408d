"""A learned mask: the smallest part of the signals that keeps the score, or whose loss destroys it."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Literal

import torch
from torch import Tensor, nn

from stexplain.data.baselines import Baseline
from stexplain.errors import InputError, unknown
from stexplain.explainers.explainer import Explainer, Maps, ModelInput
from stexplain.explainers.methods.perturbation.regions import Groups, node_groups
from stexplain.explainers.model.perturb import PerturbedInputs, check_counts, with_baseline
from stexplain.explainers.targets import Scores

if TYPE_CHECKING:
    from stexplain.graph import STGraph

_ROUNDED = 0.05
_EPSILON = 0.01
_APART = 1e-5


class LearnedMask(Explainer):
    """A mask over node x time, learned for each sample by gradient descent.

    What GNNExplainer (Ying et al., NeurIPS 2019) does for static graphs and Dynamask (Crabbé & van der Schaar,
    ICML 2021) for series. With a mask w in [0, 1] for every cell and a baseline b::

        keep:     x' = w x + (1 - w) b      the mask says what stays
        destroy:  x' = (1 - w) x + w b      the mask says what goes

        kept = (y(x') - y(b)) / (y(x) - y(b))

    so that `kept` is the share of the score's distance from the baseline that is left: 1 for x itself, 0 for the
    baseline, whichever of both scores is higher. Minimised is, per sample::

        max(0, 1 - kept)^2    to keep            + size * mean over cells of w
        max(0, kept)^2        to destroy         + smoothness * mean over nodes and pairs of frames of |w[t+1] - w[t]|
                                                 + connectedness * mean over edges (u, v) and frames of |w[u] - w[v]|

    over valid cells, pairs and edges, so that padding is no matter. ``|d|`` is rounded off at zero, as
    ``sqrt(d^2 + 0.05^2) - 0.05``, to have a slope everywhere. Where several causes suffice, `keep` may be content with
    one, `destroy` must take all: the two belong together.

    w is the sigmoid of logits that start from zero, all alike, and go a fixed number of steps of Adam (Kingma & Ba,
    ICLR 2015). Nothing is drawn at random, every sample has its own loss, and Adam works on every logit by itself, so
    a sample gets the same mask alone or in a batch, but for rounding, which steps can enlarge: in float32 masks differ
    by about 1e-6, in a rare sample by some 1e-4. A step costs a forward and a backward pass.

    Where y(x) and y(b) are equal (to 1e-5 of the larger), the baseline scores as the sample does and nothing is there
    to be kept or destroyed: the mask is zero everywhere, and `kept` NaN. Take another baseline.

    `Explanation.values` is the mask, in [0, 1]. `Explanation.extra` holds for every sample `mask_size`, the mean of
    the mask over cells; `kept`, as above, at the end; and `steps`.

    Args:
        model: see `STGGradCAM`; it must be differentiable in its input.
        goal: ``"keep"`` or ``"destroy"``.
        baseline: b, what a cell becomes where it is taken away: a name in `stexplain.data.baselines`, one's own
            function, or a tensor that broadcasts to ``[M, T, N, C]``.
        size: weight of the mask's size, above 0. The smaller, the more is kept (or destroyed), by a larger mask.
        smoothness: weight of the mask's total variation in time, at least 0.
        connectedness: weight of the mask's disagreement along the edges of the graph, at least 0.
        window: how many frames, from the first on, share one value.
        groups: nodes that share one value, by name or index, such as `graph.groups`; a node in several has the mean of
            theirs, one in none its own. Default: every node its own.
        steps: how many of Adam.
        rate: Adam's learning rate, in logits per step.
        inputs: see `STGGradCAM`.
        graph: see `STGGradCAM`.
        classes: see `STGGradCAM`.
        chunk: see `STGGradCAM`.

    Raises:
        InputError: for an unknown goal, a weight or count out of range, connectedness without a graph, and where the
            target does not depend on the input in a differentiable way.

    Example:
        >>> from stexplain.explainers.targets import Class
        >>> model = nn.Sequential(nn.Flatten(), nn.Linear(4, 1))
        >>> _ = model[1].weight.data.copy_(torch.tensor([[0.0, 5.0, 0.0, 0.0]]))
        >>> with LearnedMask(model, baseline="zero", smoothness=0) as explain:
        ...     e = explain(torch.ones(1, 1, 2, 2, 1), target=Class(0))
        >>> e.values.round().tolist()
        [[[[0.0, 1.0], [0.0, 0.0]]]]
        >>> bool(e.extra["kept"] > 0.8)
        True
    """

    def __init__(
        self,
        model: nn.Module,
        *,
        goal: Literal["keep", "destroy"] = "keep",
        baseline: "str | Baseline | Tensor" = "mean",
        size: float = 0.2,
        smoothness: float = 0.2,
        connectedness: float = 0.0,
        window: int = 1,
        groups: Groups | None = None,
        steps: int = 50,
        rate: float = 0.2,
        inputs: str | None = None,
        graph: "STGraph | None" = None,
        classes: Sequence[str] | None = None,
        chunk: int | None = None,
    ):
        super().__init__(model, inputs=inputs, graph=graph, classes=classes, chunk=chunk)
        if goal not in ("keep", "destroy"):
            raise unknown("goal", goal, ["keep", "destroy"])
        check_counts(window=window, steps=steps)
        if not size > 0 or smoothness < 0 or connectedness < 0 or not rate > 0:
            raise InputError(
                f"size={size}, smoothness={smoothness}, connectedness={connectedness}, rate={rate}; wanted size and "
                "rate above 0, and the others at least 0."
            )
        if connectedness and self.graph is None:
            raise InputError("connectedness needs the graph. Give `graph`.")
        self.goal, self.baseline, self.groups = goal, baseline, groups
        self.size, self.smoothness, self.connectedness = size, smoothness, connectedness
        self.window, self.steps, self.rate = window, steps, rate
        self.method = f"learned mask ({goal})"

    def _maps(self, asked: ModelInput, scored: Callable[[Any], Scores]) -> Maps:
        copies = PerturbedInputs(self, asked, scored)
        x, ok, towards = copies.x, copies.there, with_baseline(self, asked, self.baseline)
        with torch.no_grad():
            top, bottom = copies.found.scores, copies.scores(towards)
        apart = (top - bottom).abs() > _APART * torch.maximum(top.abs(), bottom.abs())
        span = torch.where(apart, top - bottom, 1)

        def kept(mask: Tensor) -> Tensor:
            stays = mask if self.goal == "keep" else 1 - mask
            mixed = towards + stays[..., None] * (x - towards)
            scores = copies.differentiable_scores(mixed) if mixed.requires_grad else copies.scores(mixed)
            return (scores - bottom) / span

        spread = self._spread(x)
        logits = self._learned(lambda mask: self.loss(mask, kept(mask), ok), spread, x, ok)
        with torch.no_grad():
            mask = torch.where(ok & apart[:, None, None, None], self._mask(logits, spread, x.shape[2]), 0)
            extra = {
                "mask_size": mask_size(mask, ok),
                "kept": torch.where(apart, kept(mask), torch.nan),
                "steps": torch.full_like(span, self.steps),
            }
        return Maps(mask, copies.found, extra=extra)

    def loss(self, mask: Tensor, kept: Tensor, ok: Tensor) -> Tensor:
        """What is minimised, per sample: see the class.

        Args:
            mask: w, ``[B, M, T, N]``, in [0, 1].
            kept: the share of the score that is left under the mask, ``[B]``.
            ok: which cells hold a reading, ``[B, M, T, N]``, bool.

        Returns:
            ``[B]``.
        """
        missed = (1 - kept if self.goal == "keep" else kept).clamp(min=0).square()
        loss = missed + self.size * mask_size(mask, ok)
        if self.smoothness:
            loss = loss + self.smoothness * variation(mask, ok)
        if self.connectedness and self.graph is not None:
            edges = torch.as_tensor(self.graph.edges.copy(), device=mask.device)
            loss = loss + self.connectedness * disagreement(mask, ok, edges)
        return loss

    def _learned(self, loss: Callable[[Tensor], Tensor], spread: Tensor, x: Tensor, ok: Tensor) -> Tensor:
        """The logits after all steps, ``[B, M, windows, units]``."""
        logits = x.new_zeros(*x.shape[:2], -(-x.shape[2] // self.window), len(spread))
        first, second = torch.zeros_like(logits), torch.zeros_like(logits)
        # Counted in cells, a slope does not depend on how many there are. Adam's epsilon is compared with slopes of
        # this unit: a cell whose slopes cancel shall stay where it is, not run the way its rounding errors point.
        cells = ok.sum((1, 2, 3)).to(x.dtype)
        for step in range(1, self.steps + 1):
            leaf = logits.requires_grad_()
            total = (loss(self._mask(leaf, spread, x.shape[2])) * cells).sum()
            (slope,) = torch.autograd.grad(total, leaf)
            first = 0.9 * first + 0.1 * slope
            second = 0.999 * second + 0.001 * slope.square()
            pace = (second / (1 - 0.999**step)).sqrt() + _EPSILON
            logits = logits.detach() - self.rate * first / (1 - 0.9**step) / pace
        return logits

    def _mask(self, logits: Tensor, spread: Tensor, frames: int) -> Tensor:
        """The mask ``[B, M, T, N]`` of logits ``[B, M, windows, units]``."""
        return (logits.sigmoid() @ spread).repeat_interleave(self.window, 2)[:, :, :frames]

    def _spread(self, x: Tensor) -> Tensor:
        """How much of each unit's value each node has, ``[units, N]``; columns sum to one."""
        nodes = x.shape[3]
        groups = node_groups(self.groups, self.graph, nodes)
        spread = torch.zeros(len(groups), nodes, dtype=x.dtype)
        for row, members in zip(spread, groups.values(), strict=True):
            row[members] = 1
        alone = spread.sum(0) == 0
        spread = torch.cat([spread, torch.eye(nodes, dtype=x.dtype)[alone]])
        return (spread / spread.sum(0)).to(x.device)


def mask_size(mask: Tensor, ok: Tensor) -> Tensor:
    """The mean of a mask ``[B, M, T, N]`` over the cells that are `ok`, ``[B]``.

    Example:
        >>> mask = torch.tensor([1.0, 0.5, 9.0]).view(1, 1, 3, 1)
        >>> mask_size(mask, mask < 2)
        tensor([0.7500])
    """
    return _mean(mask, ok)


def variation(mask: Tensor, ok: Tensor) -> Tensor:
    """The mean over nodes and pairs of following frames of the step of a mask ``[B, M, T, N]``, ``[B]``.

    Example:
        >>> mask = torch.tensor([0.0, 1.0, 1.0]).view(1, 1, 3, 1)
        >>> variation(mask, mask >= 0).round(decimals=1)
        tensor([0.5000])
    """
    return _mean(_distance(mask[:, :, 1:], mask[:, :, :-1]), ok[:, :, 1:] & ok[:, :, :-1])


def disagreement(mask: Tensor, ok: Tensor, edges: Tensor) -> Tensor:
    """The mean over edges and frames of how far the two ends of an edge are apart in a mask ``[B, M, T, N]``, ``[B]``.

    Args:
        mask: ``[B, M, T, N]``.
        ok: which cells hold a reading, of the same shape, bool.
        edges: source and target, ``[E, 2]``.

    Example:
        >>> mask = torch.tensor([0.0, 1.0, 1.0]).view(1, 1, 1, 3)
        >>> disagreement(mask, mask >= 0, torch.tensor([[0, 1], [1, 2]])).round(decimals=1)
        tensor([0.5000])
    """
    source, target = edges.T
    return _mean(_distance(mask[..., source], mask[..., target]), ok[..., source] & ok[..., target])


def _distance(a: Tensor, b: Tensor) -> Tensor:
    return ((a - b).square() + _ROUNDED**2).sqrt() - _ROUNDED


def _mean(values: Tensor, ok: Tensor) -> Tensor:
    return (values * ok).sum((1, 2, 3)) / ok.sum((1, 2, 3)).clamp(min=1)
