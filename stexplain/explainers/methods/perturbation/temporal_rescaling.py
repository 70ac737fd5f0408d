"""Temporal saliency rescaling: the map of any explainer, as the relevance of time times that of nodes."""

from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any

import torch
from numpy.typing import ArrayLike
from torch import Tensor, nn

from stexplain.checking import checked_kept
from stexplain.data.baselines import HISTORY_OR_ZERO, Baseline
from stexplain.errors import InputError
from stexplain.explainers.arguments import check_counts, check_window
from stexplain.explainers.explainer import Explainer, Maps
from stexplain.explainers.methods.as_explainer import as_explainer
from stexplain.explainers.methods.naming import named
from stexplain.explainers.methods.perturbation.by_channel import signals_of, with_channels
from stexplain.explainers.methods.perturbation.regions import Regions
from stexplain.explainers.model.caller import ScoreFn
from stexplain.explainers.model.fixed_target import FixedTarget
from stexplain.explainers.model.model_input import ModelInput
from stexplain.explainers.model.perturb import with_baseline


@checked_kept
class TemporalRescaling(Explainer):
    """Temporal saliency rescaling around any explainer.

    Algorithm 1 of Ismail et al., "Benchmarking deep learning interpretability in time series predictions"
    (NeurIPS 2020). Gradients over time spread over all nodes of a frame that matters, or all frames of a node that
    does. This separates the two. With R the map of the explainer, and masked observations replaced by the baseline's,

        time[t]       = sum of |R(x) - R(x with frame t masked)|
        node[m, t, n] = sum of |R(x) - R(x with node n of instance m masked at frame t)|,
                        where time[t] lies above the alpha quantile of the sample's frames; else 0
        values[m, t, n] = time[t] * node[m, t, n]

    never negative. All perturbed copies of a sample are explained for the class that was explained for the sample. It
    takes 1 + T + (1 - alpha) T M N explanations of a sample: many, on large graphs. With a window of w frames that
    are masked together, and share their values, T is ceil(T / w).

    Args:
        explainer: any; where a model is given, its `InputGradient`.
        alpha: share of a sample's windows whose nodes are not distinguished, in [0, 1); 0.55 in the authors' code.
        window: frames that are masked together, w.
        baseline: see `IntegratedGradients`; zero in the paper.
        per_channel: whether every signal of a node is masked by itself, which gives `Explanation.channels`; values are
            then their sum. Default: a node is masked in all of its signals at once.
        copies: how many perturbed copies of every sample are explained at a time; memory grows with them.
        chunk: see `STGGradCAM`; default: that of the explainer.

    Raises:
        InputError: where an argument is out of range.

    Example:
        >>> class Gate(nn.Module):  # passes all nodes of a frame on where the first node is on
        ...     def forward(self, x):
        ...         return (x[:, 0, :, :1, 0].clamp(0, 1) * x[:, 0, :, :, 0]).sum((1, 2))[:, None]
        >>> from stexplain.explainers import Class, InputGradient
        >>> x = torch.tensor([[0.5, 1.0], [0.0, 1.0]]).view(1, 1, 2, 2, 1)
        >>> with TemporalRescaling(InputGradient(Gate())) as explain:
        ...     explain(x, target=Class(0)).values.round(2).tolist()
        [[[[3.75, 2.5], [0.0, 0.0]]]]
    """

    _scores_alone = True

    def __init__(
        self,
        explainer: Explainer | nn.Module,
        *,
        alpha: float = 0.55,
        window: int = 1,
        baseline: "str | Baseline | Tensor | ArrayLike" = HISTORY_OR_ZERO,
        per_channel: bool = False,
        copies: int = 16,
        chunk: int | None = None,
    ):
        inner = as_explainer(explainer)
        options = inner.options
        options["chunk"] = inner.chunk if chunk is None else chunk
        super().__init__(inner.model, **options)
        check_window(window)
        check_counts(copies=copies)
        if not 0 <= alpha < 1:
            raise InputError(f"alpha: got {alpha}; expected a share in [0, 1).")
        # Around a baseline explainer too, which has a recipe but no model.
        self._recipe_model = inner._recipe_model
        self.explainer = inner
        self.layer_name = inner.layer_name
        self.alpha = alpha
        self.window = window
        self.baseline = baseline
        self.per_channel = per_channel
        self.copies = copies
        settings: dict[str, Any] = {"alpha": alpha, "window": window, "baseline": baseline}
        self.method = named(type(self), f"{inner.method}, rescaled in time", **settings, per_channel=per_channel)

    @property
    def _copies_at_once(self) -> int:
        return self.copies

    def _maps(self, model_input: ModelInput, score_fn: ScoreFn) -> Maps:
        # What the inner explainer has to say is said of this call.
        self.explainer._notes = self._notes
        fixed_target = FixedTarget(score_fn, model_input.sizes["b"])
        original = self.explainer._maps(model_input, fixed_target)
        present = model_input.observed_positions
        change = self._change_function(model_input, fixed_target, original.values)
        all_nodes = list(range(model_input.sizes["n"]))
        # One region per window, of all nodes and instances together.
        windows = Regions([all_nodes], {**model_input.sizes, "m": 1}, window=self.window, device=present.device)
        spans = windows.covered(torch.eye(len(windows), device=present.device))[:, 0, :, 0]  # [W, T]
        observed = torch.einsum("bmtn,wt->wb", present.float(), spans.float()) > 0
        time = torch.zeros(observed.shape, dtype=original.values.dtype, device=present.device)  # [W, B]
        # Masking a window without an observation in any sample changes nothing.
        nonempty = observed.any(1).nonzero()[:, 0]
        time[nonempty] = change((spans[number].view(1, 1, -1, 1) & present)[..., None] for number in nonempty.tolist())
        time = time * observed
        channels, signals = model_input.sizes["c"], signals_of(self, model_input)
        # One row per group of channels that are masked together, [1 or signals, C].
        together = torch.ones(1, channels, dtype=torch.bool, device=present.device)
        if self.per_channel:
            together = torch.eye(channels, dtype=torch.bool, device=present.device)[signals]
        by_group = torch.zeros(*original.values.shape, len(together), dtype=torch.float32, device="cpu").to(
            original.values
        )
        for rank, number in enumerate(time.argsort(0, descending=True)):  # number: [B], a window per sample
            # The window of this rank in each sample, where it is one of those above the quantile.
            above = rank < observed.sum(0) - (self.alpha * observed.sum(0).float()).long()
            if not bool(above.any()):
                break
            positions = spans[number][:, None, :, None] & present & above.view(-1, 1, 1, 1)
            # Nodes whose masking changes nothing in any sample are left out.
            nodes = self._in_field(positions).any(2).any(0).nonzero().tolist()
            places = [(m, n, group) for m, n in nodes for group in range(len(together))]
            changes = change((positions & _only(positions, m, n))[..., None] & together[g] for m, n, g in places)
            for (m, n, g), size in zip(places, changes, strict=True):
                by_group[:, m, :, n, g] += positions[:, m, :, n] * (size * time.gather(0, number[None])[0])[:, None]
        # Back from the signals to all channels, as nodes of their own; indices get zero.
        values = (by_group @ together.to(by_group)).flatten(-2) if self.per_channel else by_group[..., 0]
        values, by_channel, reduce = with_channels(values, signals, channels, separate=self.per_channel)
        return Maps(values, original.scores, channels=by_channel, reduce=reduce)

    def _change_function(
        self, model_input: ModelInput, fixed_target: FixedTarget, values: Tensor
    ) -> Callable[[Iterator[Tensor]], Tensor]:
        """A function from masks, each ``[B, M, T, N, 1 or C]``, to how much the map changes by them, ``[masks, B]``."""
        x, present = self.inputs.to_batch(model_input.x, **model_input.sizes), model_input.observed_positions
        baseline = with_baseline(self, model_input, self.baseline)

        def change(masks: Iterator[Tensor]) -> Tensor:
            changes = []
            while some := list(islice(masks, self.copies)):
                signals = torch.where(torch.stack(some), baseline, x).flatten(0, 1)
                copies = self._copies(model_input, signals)
                maps = torch.cat([self.explainer._maps(each, fixed_target).values for each in copies])
                maps = maps.view(len(some), *values.shape)
                changes.append(((maps - values) * present).abs().sum((2, 3, 4)))
            # No mask at all of a sample without an observation: no rows.
            return torch.cat([values.new_zeros(0, len(values)), *changes])

        return change


def _only(mask: Tensor, instance: int, node: int) -> Tensor:
    """A mask of one node of one instance, at all frames."""
    only = torch.zeros_like(mask)
    only[:, instance, :, node] = True
    return only
