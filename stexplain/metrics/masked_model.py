"""A frozen model that is evaluated on masked copies of one batch, many copies per forward pass."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from stexplain.axes import check_shape
from stexplain.data.baselines import Baseline
from stexplain.data.samples import Batch
from stexplain.errors import InputError
from stexplain.explainers.explanation import Explanation
from stexplain.explainers.model.caller import ModelCaller
from stexplain.explainers.model.perturb import with_baseline
from stexplain.explainers.targets import Class, PerSample, Predicted, Scores, Target
from stexplain.graph import STGraph
from stexplain.metrics.arrays import as_array, check_sample_ids, valid_importance
from stexplain.metrics.ranking import aggregate, ranking_values, ranks, to_positions

# Masked samples per forward pass, and their positions in all, unless the batch itself is larger. This bounds memory
# and changes no number.
_MAX_SAMPLES, _MAX_POSITIONS = 64, 2**19


class MaskedModel(ModelCaller):
    """A model and a batch, ready to be evaluated on masked copies of the batch.

    Args:
        model: see `frozen_masked_model`.
        batch: see `frozen_masked_model`.
        inputs: see `frozen_masked_model`.
        graph: see `frozen_masked_model`.
        chunk: see `frozen_masked_model`.
        shared: see `frozen_masked_model`.
        per_sample: see `frozen_masked_model`.

    Attributes:
        batch: the samples after the model's training recipe, on its device and in its floating type.
        model_input: the same samples in the model's layout.
        observed: the mask of observed positions, ``[B, M, T, N]``, bool.
        samples_per_pass: how many masked samples one forward pass takes.
    """

    def __init__(
        self,
        model: nn.Module,
        batch: Batch,
        *,
        inputs: str | None = None,
        graph: STGraph | None = None,
        chunk: int | None = None,
        shared: Mapping[str, Any] | None = None,
        per_sample: Mapping[str, Any] | None = None,
    ):
        super().__init__(model, inputs=inputs, graph=graph, chunk=chunk)
        if not len(batch):
            raise InputError("batch: got no samples; expected at least one.")
        preprocessed = self.preprocess(batch)
        self.model_input = self._prepare(preprocessed, None, shared, per_sample)
        # Back from the model's layout, so that masking sees the numbers that the model sees.
        x = self.inputs.to_batch(self.model_input.x, **self.model_input.sizes)
        self.batch = replace(preprocessed.to(x.device), x=x)
        self.observed = self.model_input.observed_positions
        positions = max(self.observed[0].numel(), 1)
        self.samples_per_pass = chunk or max(len(x), min(_MAX_SAMPLES, _MAX_POSITIONS // positions))

    def baseline_values(self, baseline: "str | Baseline | Tensor") -> Tensor:
        """The baseline's values for the batch, ``[B, M, T, N, C]``; positions without an observation keep theirs."""
        return with_baseline(self, self.model_input, baseline)

    def masked(self, mask: Tensor, baseline: Tensor) -> Tensor:
        """The batch's x with the observed positions of a mask ``[B, M, T, N]`` replaced by the baseline's values."""
        # [..., None]: a position is masked in all of its channels.
        return torch.where((mask & self.observed)[..., None], baseline, self.batch.x)

    def ranks(
        self, explanation: Any, *, over: str, ranking: str = "signed", seed: int = 0, repeats: int = 0
    ) -> tuple[list[Tensor], Tensor]:
        """Ranks the nodes, frames or positions of each sample by an explanation, and in orders drawn at random.

        Args:
            explanation: an `Explanation` of the batch, or values ``[B, M, T, N]``.
            over: one of `stexplain.metrics.ranking.OVER`.
            ranking: one of `stexplain.metrics.ranking.RANKINGS`.
            seed: see `stexplain.metrics.ranking.ranks`.
            repeats: how many random orders.

        Returns:
            The rank at every position, ``[B, M, T, N]``, 0 being the most important: first by the explanation, then in
            each random order; and how many entries each sample has, ``[B, 1, 1, 1]``.

        Raises:
            InputError: if the explanation is not of this batch.
        """
        device = self.observed.device
        observed = self.observed.cpu().numpy()
        if isinstance(explanation, Explanation):
            check_sample_ids("the explanation", explanation.ids, self.batch.ids)
            explanation = explanation.values
        explanation = as_array(explanation)
        check_shape("the explanation", explanation.shape, "b m t n", **dict(zip("bmtn", observed.shape, strict=True)))
        # By the batch's mask and not the explanation's: what cannot be masked is not ranked.
        values, _ = valid_importance("the explanation", explanation, observed)
        importance, valid = aggregate(ranking_values(values, ranking), observed, over)
        explained, random_orders = ranks(importance, valid, self.batch.ids, seed=seed, repeats=repeats)
        # to_positions gives read-only views, which from_numpy must not share: hence the copy.
        by_position = [
            torch.from_numpy(to_positions(rank, over, observed.shape).copy()).to(device)
            for rank in (explained, *random_orders)
        ]
        return by_position, torch.from_numpy(valid.sum(1)).to(device)[:, None, None, None]

    def evaluate(
        self, perturbed: Callable[[int], Tensor], count: int, read: Callable[[Tensor, slice], Tensor]
    ) -> NDArray[np.float64]:
        """Runs the model on several perturbed copies of the batch and reads numbers from its outputs.

        Args:
            perturbed: the index of a copy -> its signals ``[B, M, T, N, C]``.
            count: how many copies.
            read: the output for some samples of the batch, and the slice that they are -> numbers ``[samples, ...]``.

        Returns:
            ``[count, B, ...]``.
        """
        samples = len(self.batch)
        results: list[Tensor] = []
        # A batch above the limit is cut into parts; else several copies of it share one forward pass.
        if self.samples_per_pass < samples:
            starts = range(0, samples, self.samples_per_pass)
            parts = [slice(start, min(start + self.samples_per_pass, samples)) for start in starts]
            for index in range(count):
                x = perturbed(index)
                results.append(torch.cat([read(self._outputs(x[rows], rows, 1), rows) for rows in parts]))
            return _float64(torch.stack(results))
        copies_per_pass = self.samples_per_pass // samples
        every = slice(0, samples)
        for start in range(0, count, copies_per_pass):
            copies = [perturbed(index) for index in range(start, min(start + copies_per_pass, count))]
            output = self._outputs(torch.cat(copies), every, len(copies))
            # Read at once: the numbers are kept, the outputs are not.
            results += [read(part, every) for part in torch.split(output, samples)]
        return _float64(torch.stack(results))

    def scores(self, target: Target, output: Tensor, rows: slice, *, probability: bool = False) -> Scores:
        """The target's scores from the output for some samples of the batch; of its softmax for a probability."""
        if probability:
            if output.ndim != 2:
                raise InputError(
                    f"probability: got a model output of shape {tuple(output.shape)}; expected [samples, classes]. "
                    "Leave out `probability`."
                )
            output = output.softmax(1)
        return self._score(target, output, rows=rows, samples=len(self.batch))

    def fix_target(self, target: Target) -> tuple[Target, NDArray[np.int64]]:
        """The target with the classes predicted for the unmasked samples, which are then scored under any masking.

        Returns:
            The target, and its classes ``[B]``; -1 where it is of none.
        """
        classes: list[Tensor] = []

        def read(output: Tensor, rows: slice) -> Tensor:
            scores = self.scores(target, output, rows)
            # On the side, as `evaluate` returns one array, which holds the scores.
            classes.append(scores.classes)
            return scores.scores

        self.evaluate(lambda _: self.batch.x, 1, read)
        predicted: NDArray[np.int64] = torch.cat(classes).cpu().numpy()
        return fix_predicted(target, predicted), predicted

    def _outputs(self, x: Tensor, rows: slice, copies: int) -> Tensor:
        """The model's output for several copies of some samples, one copy after the other."""
        parts = self._copies(self._rows(self.model_input, rows), x)
        return torch.cat([self._output_tensor(self._forward(part), part.sizes["b"]) for part in parts])


@contextmanager
def frozen_masked_model(
    model: nn.Module,
    batch: Batch,
    *,
    inputs: str | None = None,
    graph: STGraph | None = None,
    chunk: int | None = None,
    shared: Mapping[str, Any] | None = None,
    per_sample: Mapping[str, Any] | None = None,
) -> Iterator[MaskedModel]:
    """Freezes a model and prepares a batch for it; the model is restored afterwards, also on error.

    Args:
        model: any module. If it is wrapped by `torch.compile` or `DataParallel`, the module inside is evaluated.
        batch: of a dataset or one's own; a raw batch is preprocessed by the model's training recipe, if it has one.
        inputs: the layout of the model's input; default: `model.inputs`, else ``"b m t n c"``.
        graph: for baselines that need one, and for the names of nodes; default: `model.graph`.
        chunk: how many masked samples one forward pass takes; default: 64, fewer if they have more than half a million
            positions in all, and never fewer than the batch.
        shared: further arguments of the model's forward by name, the same for all samples, such as
            ``{"edge_index": edges}``.
        per_sample: further arguments of the model's forward by name, each with B entries along its first axis.

    Raises:
        InputError: if the batch or an argument does not fit, or chunk is below one.
    """
    masked = MaskedModel(model, batch, inputs=inputs, graph=graph, chunk=chunk, shared=shared, per_sample=per_sample)
    # Without autocast: in half precision the small differences that masking makes would drown in rounding.
    with masked, torch.no_grad(), torch.autocast(masked.observed.device.type, enabled=False):
        yield masked


def baseline_name(baseline: "str | Baseline | Tensor") -> str:
    """The name of a baseline in results.

    Example:
        >>> from stexplain.data.baselines import mean
        >>> baseline_name("zero"), baseline_name(mean), baseline_name(torch.tensor(65.0))
        ('zero', 'mean', 'given values')
    """
    if isinstance(baseline, Tensor):
        return "given values"
    return baseline if isinstance(baseline, str) else getattr(baseline, "__name__", type(baseline).__name__)


def fix_predicted(target: Target, classes: NDArray[np.int64]) -> Target:
    """The target with `Predicted` replaced by the predicted classes ``[B]``; -1 leaves a sample's target as it is.

    Example:
        >>> fix_predicted(Predicted(), np.array([2, 0]))(torch.tensor([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])).tolist()
        [3.0, 4.0]
    """
    if isinstance(target, Predicted) and (classes >= 0).all():
        return Class(classes)
    if isinstance(target, PerSample):
        pairs = zip(target.targets, classes.tolist(), strict=True)
        return PerSample([Class(index) if isinstance(one, Predicted) and index >= 0 else one for one, index in pairs])
    return target


def _float64(tensor: Tensor) -> NDArray[np.float64]:
    return tensor.detach().cpu().numpy().astype(np.float64)
