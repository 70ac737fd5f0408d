"""Temporal saliency rescaling: the relevance of time and of nodes apart, of any explainer."""

from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any

import torch
from torch import Tensor, nn

from stexplain.data.baselines import Baseline
from stexplain.errors import InputError
from stexplain.explainers.explainer import Explainer, Maps, ModelInput
from stexplain.explainers.methods.gradient.input_gradient import InputGradient
from stexplain.explainers.methods.perturbation.regions import Regions, check_window
from stexplain.explainers.model.perturb import FixedTarget, check_counts, observed_positions, repeated, with_baseline
from stexplain.explainers.targets import Scores


class TemporalRescaling(Explainer):
    """Temporal saliency rescaling around any explainer.

    It is Algorithm 1 of Ismail et al., "Benchmarking deep learning interpretability in time series predictions"
    (NeurIPS 2020). Gradients over time spread over all nodes of a frame that matters, or all frames of a node that
    does. The cure: with R the map of the explainer, where a hidden reading is replaced by the baseline's,

        time[t]       = sum of |R(x) - R(x with frame t hidden)|
        node[m, t, n] = sum of |R(x) - R(x with node n of instance m hidden at frame t)|,
                        where time[t] lies above the alpha quantile of the sample's frames; else 0
        values[m, t, n] = time[t] * node[m, t, n]

    never negative. All altered copies of a sample are asked about the class that was explained for the sample. It
    takes 1 + T + (1 - alpha) T M N explanations of a sample: much, with many nodes. With a window of w frames that
    are hidden together, and share their values, T is ceil(T / w).

    Args:
        explainer: any; where a model is given, its `InputGradient`.
        alpha: share of a sample's windows whose nodes are not looked at, in [0, 1); 0.55 in the authors' code.
        window: frames that are hidden together, w.
        baseline: see `IntegratedGradients`; zero in the paper.
        copies: how many altered copies of every sample are explained at a time; memory grows with them.
        chunk: see `STGGradCAM`; default: that of the explainer.

    Raises:
        InputError: where an argument is out of range.

    Example:
        >>> class Gate(nn.Module):  # passes all nodes of a frame on where the first node is on
        ...     def forward(self, x):
        ...         return (x[:, 0, :, :1, 0].clamp(0, 1) * x[:, 0, :, :, 0]).sum((1, 2))[:, None]
        >>> from stexplain.explainers.targets import Class
        >>> x = torch.tensor([[0.5, 1.0], [0.0, 1.0]]).view(1, 1, 2, 2, 1)
        >>> with TemporalRescaling(InputGradient(Gate())) as explain:
        ...     explain(x, target=Class(0)).values.round(2).tolist()
        [[[[3.75, 2.5], [0.0, 0.0]]]]
    """

    def __init__(
        self,
        explainer: Explainer | nn.Module,
        *,
        alpha: float = 0.55,
        window: int = 1,
        baseline: "str | Baseline | Tensor" = "zero",
        copies: int = 16,
        chunk: int | None = None,
    ):
        inner = wrapped(explainer)
        super().__init__(
            inner.model,
            inputs=inner.inputs.pattern,
            graph=inner.graph,
            classes=inner.classes,
            chunk=chunk or inner.chunk,
        )
        check_window(window)
        check_counts(copies=copies)
        if not 0 <= alpha < 1:
            raise InputError(f"alpha is {alpha}; wanted a share in [0, 1).")
        self._trained = inner._trained
        self.explainer = inner
        self.method = f"{inner.method}, rescaled in time"
        self.alpha = alpha
        self.window = window
        self.baseline = baseline
        self.copies = copies

    def _maps(self, asked: ModelInput, scored: Callable[[Any], Scores]) -> Maps:
        settled = FixedTarget(scored, asked.sizes["b"])
        first = self.explainer._maps(asked, settled)
        there = observed_positions(asked)
        change = self._change_by(asked, settled, first.values)
        every = list(range(asked.sizes["n"]))
        windows = Regions([every], {**asked.sizes, "m": 1}, window=self.window, device=there.device)
        spans = windows.covered(torch.eye(len(windows), device=there.device))[:, 0, :, 0]  # [W, T]
        read = torch.einsum("bmtn,wt->wb", there.float(), spans.float()) > 0
        time = torch.zeros(read.shape, dtype=first.values.dtype, device=there.device)
        asked_of = read.any(1).nonzero()[:, 0]
        time[asked_of] = change(spans[number].view(1, 1, -1, 1) & there for number in asked_of.tolist())
        time = time * read
        values = torch.zeros_like(first.values)
        for rank, number in enumerate(time.argsort(0, descending=True)):
            # Of every sample the window of this rank, where it is one of those above the quantile.
            looked_at = rank < read.sum(0) - (self.alpha * read.sum(0)).long()
            if not bool(looked_at.any()):
                break
            cells = spans[number][:, None, :, None] & there & looked_at.view(-1, 1, 1, 1)
            # Whose hiding hides nothing in any sample is not asked for.
            places = cells.any(2).any(0).nonzero().tolist()
            found = change(cells & _only(cells, m, n) for m, n in places)
            for (m, n), size in zip(places, found, strict=True):
                values[:, m, :, n] += cells[:, m, :, n] * (size * time.gather(0, number[None])[0])[:, None]
        return Maps(values, first.scored)

    def _change_by(
        self, asked: ModelInput, settled: FixedTarget, values: Tensor
    ) -> Callable[[Iterator[Tensor]], Tensor]:
        """From what is hidden, each ``[B, M, T, N]``, to how much the map changes by it, ``[copies, B]``."""
        x, there = self.inputs.to_batch(asked.x, **asked.sizes), observed_positions(asked)
        start = with_baseline(self, asked, self.baseline)

        def change(hidden: Iterator[Tensor]) -> Tensor:
            found = []
            while masks := list(islice(hidden, self.copies)):
                signals = torch.where(torch.stack(masks)[..., None], start, x).flatten(0, 1)
                copies = repeated(asked, self.inputs.from_batch(signals), len(masks))
                maps = self.explainer._maps(copies, settled).values.view(len(masks), *values.shape)
                found.append(((maps - values) * there).abs().sum((2, 3, 4)))
            return torch.cat(found) if found else values.new_zeros(0, len(values))

        return change

    @property
    def _layer_name(self) -> str:
        return self.explainer._layer_name


def wrapped(explainer: Explainer | nn.Module) -> Explainer:
    """The explainer, or that of a model's input gradient.

    Raises:
        InputError: where it is neither.
    """
    if isinstance(explainer, Explainer):
        return explainer
    if not isinstance(explainer, nn.Module):
        raise InputError(f"a {type(explainer).__name__} came; wanted an explainer, such as InputGradient(model).")
    return InputGradient(explainer)


def _only(cells: Tensor, instance: int, node: int) -> Tensor:
    chosen = torch.zeros_like(cells)
    chosen[:, instance, :, node] = True
    return chosen
