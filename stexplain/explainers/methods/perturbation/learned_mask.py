"""A learned mask: the smallest part of the signals that keeps the score, or without which it is destroyed."""

from collections.abc import Callable
from typing import Any, Literal, Unpack

import torch
from numpy.typing import ArrayLike
from torch import Tensor, nn

from stexplain.axes import check_shape
from stexplain.checking import checked_kept
from stexplain.data.baselines import Baseline, HistoryOr
from stexplain.errors import InputError, unknown
from stexplain.explainers.arguments import check_counts
from stexplain.explainers.explainer import Explainer, Maps
from stexplain.explainers.methods.naming import named
from stexplain.explainers.methods.perturbation.by_channel import signals_of, with_channels
from stexplain.explainers.methods.perturbation.mask_penalties import disagreement, mask_size, variation
from stexplain.explainers.methods.perturbation.regions import Groups, node_groups
from stexplain.explainers.model.caller import ScoreFn
from stexplain.explainers.model.gradients import gradient_of
from stexplain.explainers.model.model_input import ModelInput
from stexplain.explainers.model.options import CallOptions
from stexplain.explainers.model.perturb import PerturbedInputs, with_baseline

# Adam's epsilon is 1e-8 as published; here it is compared with gradients counted in positions, which are near 1.
_EPSILON = 0.01
# Relative difference of two scores, below which they are equal but for float32's rounding.
_EQUAL = 1e-5
_BASELINE = HistoryOr("mean")


@checked_kept
class LearnedMask(Explainer):
    """A mask over node x time, learned for each sample by gradient descent.

    What GNNExplainer (Ying et al., NeurIPS 2019) does for static graphs and Dynamask (Crabbé & van der Schaar,
    ICML 2021) for series. With a mask w in [0, 1] for every position and a baseline b::

        keep:     x' = w x + (1 - w) b      the mask marks what is preserved
        destroy:  x' = (1 - w) x + w b      the mask marks what is deleted

        kept = (y(x') - y(b)) / (y(x) - y(b))

    so `kept` is the share of the score's distance from the baseline that is left: 1 for x itself, 0 for the baseline,
    whichever of both scores is higher. The loss, per sample, is::

        max(0, 1 - kept)^2    to keep            + size * mean over positions of w
        max(0, kept)^2        to destroy         + smoothness * mean over nodes and pairs of frames of |w[t+1] - w[t]|
                                                 + connectedness * mean over edges (u, v) and frames of |w[u] - w[v]|

    over valid positions, pairs and edges, so padding does not count. ``|d|`` is smoothed at zero, as
    ``sqrt(d^2 + 0.05^2) - 0.05``, to have a gradient everywhere. Where several causes suffice, `keep` may mark one of
    them, `destroy` must mark all: the two belong together.

    w is the sigmoid of logits that start from zero, all alike, and take a fixed number of steps of Adam (Kingma & Ba,
    ICLR 2015). Nothing is drawn at random, every sample has its own loss, and Adam works on every logit by itself, so
    a sample gets the same mask alone or in a batch, but for rounding, which steps can enlarge: in float32 masks differ
    by about 1e-6, in a rare sample by some 1e-4. A step costs a forward and a backward pass.

    Where y(x) and y(b) are equal (to 1e-5 of the larger), the baseline scores as the sample does and there is nothing
    to keep or destroy: the mask is zero everywhere, and `kept` NaN. Use another baseline.

    `Explanation.values` is the mask, in [0, 1]. With `per_channel`, every signal has a mask of its own,
    `Explanation.channels`, values are their mean, and all means of the loss are over signals too. `Explanation.extra`
    holds for every sample `mask_size`, the mean of the mask over positions; `kept`, as above, at the end; and `steps`.

    Args:
        model: see `STGGradCAM`; it must be differentiable in its input.
        goal: ``"keep"`` or ``"destroy"``.
        baseline: b, what masked observations are replaced by: a name in `stexplain.data.baselines`, a custom
            function, or a tensor that broadcasts to ``[M, T, N, C]``. Default: what the nodes of a window usually
            measure, see `IntegratedGradients`, else ``"mean"``.
        size: weight of the mask's size, above 0. The smaller, the more is kept (or destroyed), by a larger mask.
        smoothness: weight of the mask's total variation in time, at least 0.
        connectedness: weight of the mask's disagreement along the edges of the graph, at least 0.
        window: how many frames, from the first on, share one value.
        groups: nodes that share one value, by name or index, such as `graph.groups`; a node in several has the mean of
            theirs, one in none its own. Default: every node its own.
        per_channel: whether every signal has a mask of its own. Default: a position is masked in all of its signals.
        steps: how many of Adam.
        rate: Adam's learning rate, in logits per step.
        **options: how the model is called; see `ModelCaller`.

    Raises:
        InputError: for an unknown goal, a weight or count out of range, connectedness without a graph, and where the
            target does not depend on the input in a differentiable way.

    Example:
        >>> from stexplain.explainers.targets import Class
        >>> model = nn.Sequential(nn.Flatten(), nn.Linear(4, 1))
        >>> _ = model[1].weight.data.copy_(torch.tensor([[0.0, 5.0, 0.0, 0.0]]))
        >>> with LearnedMask(model, baseline="zero", smoothness=0) as explain:
        ...     e = explain(torch.ones(1, 1, 2, 2, 1), target=Class(1))
        >>> e.values.round().tolist()
        [[[[0.0, 1.0], [0.0, 0.0]]]]
        >>> bool(e.extra["kept"] > 0.8)
        True
    """

    method = "learned mask"
    measures = "share"
    _scores_alone = True
    _differentiates = True

    def __init__(
        self,
        model: nn.Module,
        *,
        goal: Literal["keep", "destroy"] = "keep",
        baseline: "str | Baseline | Tensor | ArrayLike" = _BASELINE,
        size: float = 0.2,
        smoothness: float = 0.2,
        connectedness: float = 0.0,
        window: int = 1,
        groups: Groups | None = None,
        per_channel: bool = False,
        steps: int = 50,
        rate: float = 0.2,
        **options: Unpack[CallOptions],
    ):
        super().__init__(model, **options)
        if goal not in ("keep", "destroy"):
            raise unknown("goal", goal, ["keep", "destroy"])
        check_counts(window=window, steps=steps)
        if not size > 0 or smoothness < 0 or connectedness < 0 or not rate > 0:
            raise InputError(
                f"size={size}, smoothness={smoothness}, connectedness={connectedness}, rate={rate}; expected size and "
                "rate above 0, and the others at least 0."
            )
        if connectedness and self.graph is None:
            raise InputError("connectedness needs the graph. Give `graph`.")
        self.goal, self.baseline, self.groups = goal, baseline, groups
        self.size, self.smoothness, self.connectedness = size, smoothness, connectedness
        self.window, self.steps, self.rate = window, steps, rate
        self.per_channel = per_channel
        settings: dict[str, Any] = {"baseline": baseline, "size": size, "smoothness": smoothness}
        settings |= {"connectedness": connectedness, "window": window, "groups": groups, "per_channel": per_channel}
        self.method = named(type(self), self.method, goal, **settings, steps=steps, rate=rate)

    def _maps(self, model_input: ModelInput, score_fn: ScoreFn) -> Maps:
        perturbed = PerturbedInputs(self, model_input, score_fn)
        x, present, baseline = perturbed.x, perturbed.present, with_baseline(self, model_input, self.baseline)
        with torch.no_grad():
            score, baseline_score = perturbed.scores_of_samples.scores, perturbed.scores(baseline)
        differ = (score - baseline_score).abs() > _EQUAL * torch.maximum(score.abs(), baseline_score.abs())
        # One where the scores are equal: no division by zero, and their mask is set to zero below.
        span = torch.where(differ, score - baseline_score, 1)

        channels, signals = x.shape[-1], signals_of(self, model_input)
        masks = len(signals) if self.per_channel else 1
        # From the masks to the channels: an index is the same in x and the baseline, whatever its mask.
        to_channels = (
            torch.eye(channels, dtype=torch.float32, device="cpu").to(x)[signals]
            if self.per_channel
            else x.new_ones(1, 1)
        )  # [masks, C or 1]
        # The masks of an instance lie side by side, as those of instances of their own: the loss is the same for both.
        present = present.repeat_interleave(masks, 1)

        def kept(mask: Tensor) -> Tensor:
            preserved = mask if self.goal == "keep" else 1 - mask
            mixed = baseline + _side_by_side(preserved, masks) @ to_channels * (x - baseline)
            scores = perturbed.differentiable_scores(mixed) if mixed.requires_grad else perturbed.scores(mixed)
            return (scores - baseline_score) / span

        spread = self._spread(x)
        logits = self._learned_logits(lambda mask: self.loss(mask, kept(mask), present), spread, x, present)
        with torch.no_grad():
            mask = self._mask(logits, spread, x.shape[2])
            mask = torch.where(present & differ[:, None, None, None], mask, 0)
            values, by_channel, reduce = with_channels(mask, signals, channels, separate=False)
            if self.per_channel:
                each = _side_by_side(mask, masks)
                values, by_channel, reduce = (
                    each.mean(-1),
                    each @ to_channels,
                    "the mean over channels that are signals",
                )
            extra = {
                "mask_size": mask_size(mask, present),
                "kept": torch.where(differ, kept(mask), torch.nan),
                "steps": torch.full_like(span, self.steps),
            }
        return Maps(values, perturbed.scores_of_samples, extra=extra, channels=by_channel, reduce=reduce)

    def loss(self, mask: Tensor, kept: Tensor, present: Tensor) -> Tensor:
        """The loss per sample: see the class.

        Args:
            mask: w, ``[B, M, T, N]``, in [0, 1].
            kept: the share of the score that is left under the mask, ``[B]``.
            present: which positions hold an observation, ``[B, M, T, N]``, bool.

        Returns:
            ``[B]``.
        """
        sizes = check_shape("mask", tuple(mask.shape), "b m t n")
        check_shape("present", tuple(present.shape), "b m t n", **sizes)
        check_shape("kept", tuple(kept.shape), "b", b=sizes["b"])
        # Squared: the last of the score counts less than the mask's size. A score beyond x's own costs nothing.
        missed = (1 - kept if self.goal == "keep" else kept).clamp(min=0).square()
        loss = missed + self.size * mask_size(mask, present)
        if self.smoothness:
            loss = loss + self.smoothness * variation(mask, present)
        if self.connectedness and self.graph is not None:
            edges = torch.as_tensor(self.graph.edges.copy(), device=mask.device)
            loss = loss + self.connectedness * disagreement(mask, present, edges)
        return loss

    def _learned_logits(
        self, loss: Callable[[Tensor], Tensor], spread: Tensor | None, x: Tensor, present: Tensor
    ) -> Tensor:
        """The logits after all steps of Adam, ``[B, M * masks, windows, units]``."""
        units = x.shape[3] if spread is None else len(spread)
        logits = x.new_zeros(*present.shape[:2], -(-x.shape[2] // self.window), units)
        first, second = torch.zeros_like(logits), torch.zeros_like(logits)  # Adam's moments
        # Times the number of positions, a gradient does not depend on how many there are. Adam's epsilon is in the
        # same unit: a position whose gradients cancel must stay where it is, not follow its rounding errors.
        positions = present.sum((1, 2, 3)).to(x.dtype)
        for step in range(1, self.steps + 1):
            leaf = logits.requires_grad_()
            total = (loss(self._mask(leaf, spread, x.shape[2])) * positions).sum()
            gradient = gradient_of(total, leaf)
            # Adam with its usual decay rates, 0.9 and 0.999, and both moments corrected for their start at zero.
            first = 0.9 * first + 0.1 * gradient
            second = 0.999 * second + 0.001 * gradient.square()
            scale = (second / (1 - 0.999**step)).sqrt() + _EPSILON
            logits = logits.detach() - self.rate * first / (1 - 0.9**step) / scale
        return logits

    def _mask(self, logits: Tensor, spread: Tensor | None, frames: int) -> Tensor:
        """The mask ``[B, M, T, N]`` of logits ``[B, M, windows, units]``."""
        values = logits.sigmoid() if spread is None else logits.sigmoid() @ spread
        # The last window may reach beyond the last frame.
        return values.repeat_interleave(self.window, 2)[:, :, :frames]

    def _spread(self, x: Tensor) -> Tensor | None:
        """How much of each unit's value each node has, ``[units, N]``; columns sum to one. None: each its own."""
        if self.groups is None:
            # A matrix of N x N would cost more than the model on a large graph.
            return None
        nodes = x.shape[3]
        groups = node_groups(self.groups, self.graph, nodes)
        spread = torch.zeros(len(groups), nodes, dtype=x.dtype, device="cpu")
        for row, members in zip(spread, groups.values(), strict=True):
            row[members] = 1
        # A node in no group is a unit of its own; one in several groups has the mean of theirs.
        ungrouped = spread.sum(0) == 0
        spread = torch.cat([spread, torch.eye(nodes, dtype=x.dtype, device="cpu")[ungrouped]])
        return (spread / spread.sum(0)).to(x.device)


def _side_by_side(mask: Tensor, masks: int) -> Tensor:
    """Masks of an instance, ``[B, M * masks, T, N]``, as ``[B, M, T, N, masks]``."""
    samples, rows, frames, nodes = mask.shape
    return mask.view(samples, rows // masks, masks, frames, nodes).movedim(2, -1)
