"""Occlusion: how much the score falls when a group of nodes is hidden for a while."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from torch import Tensor, nn

from stexplain.data.baselines import Baseline
from stexplain.explainers.explainer import Explainer, Maps, ModelInput
from stexplain.explainers.methods.gradient.through_captum import captum_attr, hidden_scores
from stexplain.explainers.methods.perturbation.regions import Groups, Regions, check_window, node_groups
from stexplain.explainers.model.perturb import PerturbedInputs, check_counts, with_baseline
from stexplain.explainers.targets import Scores

if TYPE_CHECKING:
    from stexplain.graph import STGraph


class Occlusion(Explainer):
    """Occlusion of Zeiler & Fergus, "Visualizing and understanding convolutional networks" (ECCV 2014), by captum.

    A region is a group of nodes of one instance within a window of frames. With x' the sample whose readings in
    region r are replaced by the baseline's, and y the score of the target:

        values[b, m, t, n] = mean over the regions r that hold the cell of  y(x) - y(x')

    in the units of the score. A cell has the whole fall of its regions, as is usual, so values do not sum to anything;
    one in no region has zero. It costs M * G * W forward passes of a sample, for G groups and W windows.

    Args:
        model: see `STGGradCAM`.
        inputs: see `STGGradCAM`.
        graph: see `STGGradCAM`.
        classes: see `STGGradCAM`.
        groups: nodes that are hidden together, by name or index, such as ``graph.groups``; they may overlap. Default:
            every node by itself.
        window: frames that are hidden together; none: all.
        stride: frames from one window to the next; default: as many as it spans.
        baseline: see `IntegratedGradients`.
        copies: how many regions are hidden in one forward pass; memory grows with them.
        chunk: see `STGGradCAM`.

    Raises:
        InputError: where captum is not installed, or a node does not exist.

    Example:
        >>> import torch
        >>> from stexplain.explainers.targets import Custom
        >>> with Occlusion(nn.Flatten(), window=1) as explain:
        ...     e = explain(torch.tensor([1.0, 3.0]).view(1, 1, 1, 2, 1), target=Custom(lambda y: y.prod(1)))
        >>> e.values.tolist()
        [[[[3.0, 3.0]]]]
    """

    method = "occlusion"

    def __init__(
        self,
        model: nn.Module,
        *,
        inputs: str | None = None,
        graph: "STGraph | None" = None,
        classes: Sequence[str] | None = None,
        groups: Groups | None = None,
        window: int | None = 8,
        stride: int | None = None,
        baseline: "str | Baseline | Tensor" = "zero",
        copies: int = 16,
        chunk: int | None = None,
    ):
        super().__init__(model, inputs=inputs, graph=graph, classes=classes, chunk=chunk)
        check_window(window, stride)
        check_counts(copies=copies)
        self.groups = groups
        self.window = window
        self.stride = stride
        self.baseline = baseline
        self.copies = copies
        self._captum = captum_attr("Occlusion")

    def _maps(self, asked: ModelInput, scored: Callable[[Any], Scores]) -> Maps:
        copies = PerturbedInputs(self, asked, scored)
        groups = node_groups(self.groups, self.graph, asked.sizes["n"])
        regions = Regions(
            list(groups.values()), asked.sizes, window=self.window, stride=self.stride, device=copies.x.device
        )
        # Hiding a region without a reading in any sample is asking the same twice.
        players = regions.readings(copies.there).any(0).nonzero()[:, 0]
        start = with_baseline(self, asked, self.baseline)
        fall = copies.x.new_zeros(len(copies.x), len(regions))
        if len(players):
            captum = self._captum.FeatureAblation(hidden_scores(copies, start, regions, players))
            shown = copies.x.new_ones(len(copies.x), len(players))
            fall[:, players] = captum.attribute(shown, baselines=0, perturbations_per_eval=self.copies)
        return Maps(regions.on_cells(fall) / regions.overlap().clamp(min=1), copies.found)
