"""Occlusion: how much the score drops when a group of nodes is masked within a window of frames."""

from typing import Any, Unpack

import torch
from numpy.typing import ArrayLike
from torch import Tensor, nn

from stexplain.checking import checked_kept
from stexplain.data.baselines import HISTORY_OR_ZERO, Baseline
from stexplain.explainers.arguments import check_counts, check_window
from stexplain.explainers.explainer import Explainer, Maps
from stexplain.explainers.methods.naming import named
from stexplain.explainers.methods.perturbation.by_channel import (
    channel_groups,
    each_channel,
    signals_of,
    with_channels,
)
from stexplain.explainers.methods.perturbation.regions import Groups, Regions, node_groups, samples_at_a_time
from stexplain.explainers.model.caller import ScoreFn
from stexplain.explainers.model.model_input import ModelInput
from stexplain.explainers.model.options import CallOptions
from stexplain.explainers.model.perturb import PerturbedInputs, with_baseline


@checked_kept
class Occlusion(Explainer):
    """Occlusion of Zeiler & Fergus, "Visualizing and understanding convolutional networks" (ECCV 2014).

    A region is a group of nodes of one instance within a window of frames. With x' the sample whose
    observations in region r are masked by the baseline, and y the score of the target:

        values[b, m, t, n] = mean over the regions r that hold the position of  y(x) - y(x')

    in the units of the score. A position has the whole drop of its regions, as is common, so values do not sum to the
    score; one in no region has zero. It costs M * G * W forward passes of a sample, for G groups and W windows; regions
    without an observation cost none.

    Args:
        model: see `STGGradCAM`.
        groups: nodes that are masked together, by name or index, such as ``graph.groups``; they may overlap. Default:
            every node by itself.
        window: frames that are masked together; none: all.
        stride: frames from one window to the next; default: as many as it spans.
        baseline: see `IntegratedGradients`.
        per_channel: whether every signal is masked by itself, which gives `Explanation.channels`; values are then their
            sum, and it costs as many times more as there are signals. Default: a position is masked in all of its
            signals at once.
        copies: how many regions are masked in one forward pass; memory grows with them.
        **options: how the model is called; see `ModelCaller`.

    Raises:
        InputError: where a node does not exist.

    Example:
        >>> import torch
        >>> from stexplain.explainers.targets import Custom
        >>> with Occlusion(nn.Flatten(), window=1) as explain:
        ...     e = explain(torch.tensor([1.0, 3.0]).view(1, 1, 1, 2, 1), target=Custom(lambda y: y.prod(1)))
        >>> e.values.tolist()
        [[[[3.0, 3.0]]]]
    """

    method = "occlusion"
    measures = "score"
    _scores_alone = True

    def __init__(
        self,
        model: nn.Module,
        *,
        groups: Groups | None = None,
        window: int | None = 8,
        stride: int | None = None,
        baseline: "str | Baseline | Tensor | ArrayLike" = HISTORY_OR_ZERO,
        per_channel: bool = False,
        copies: int = 16,
        **options: Unpack[CallOptions],
    ):
        super().__init__(model, **options)
        check_window(window, stride)
        check_counts(copies=copies)
        self.groups = groups
        self.window = window
        self.stride = stride
        self.baseline = baseline
        self.per_channel = per_channel
        self.copies = copies
        settings: dict[str, Any] = {"groups": groups, "window": window, "stride": stride, "baseline": baseline}
        self.method = named(type(self), self.method, **settings, per_channel=per_channel)

    @property
    def _copies_at_once(self) -> int:
        return self.copies

    def _chunk_of(self, model_input: ModelInput) -> int | None:
        return samples_at_a_time(model_input, lambda: bool(self._output_axes(model_input).mixed))

    def _maps(self, model_input: ModelInput, score_fn: ScoreFn) -> Maps:
        perturbed = PerturbedInputs(self, model_input, score_fn)
        sizes, present = model_input.sizes, self._in_field(perturbed.present)
        channels, signals = sizes["c"], signals_of(self, model_input)
        groups = node_groups(self.groups, self.graph, sizes["n"])
        if self.per_channel:
            groups, present = channel_groups(groups, signals, channels), each_channel(present, channels)
            sizes = {**sizes, "n": sizes["n"] * channels}
        regions = Regions(
            list(groups.values()), sizes, window=self.window, stride=self.stride, device=perturbed.x.device
        )
        # Masking a region without an observation that counts in any sample changes nothing: a forward pass saved.
        players = regions.observation_counts(present).any(0).nonzero()[:, 0]
        baseline = with_baseline(self, model_input, self.baseline)
        own_score = perturbed.scores_of_samples.scores
        # A region without a switch keeps zero: its masking changes nothing. In the score's precision, which may be
        # another than the signals': numpy inside of a model gives float64.
        drop = own_score.new_zeros(len(perturbed.x), len(regions))
        with torch.no_grad():
            for first in range(0, len(players), self.copies):
                some = players[first : first + self.copies]
                # [K, 1, M, T, N, C], or 1 in place of C where regions hold all channels of their nodes.
                mask = regions.each_covered(some)
                mask = mask.view(len(some), 1, *perturbed.present.shape[1:], channels if self.per_channel else 1)
                masked = perturbed.scores(torch.where(mask, baseline, perturbed.x).flatten(0, 1))
                drop[:, some] = own_score[:, None] - masked.view(len(some), -1).T
        values = regions.to_positions(drop) / regions.overlap().clamp(min=1)
        values, by_channel, reduce = with_channels(values, signals, channels, separate=self.per_channel)
        return Maps(values, perturbed.scores_of_samples, channels=by_channel, reduce=reduce)
