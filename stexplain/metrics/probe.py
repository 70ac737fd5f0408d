"""What the metrics share that ask a model about altered signals: the model held still, many alterations at a time."""

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
from stexplain.explainers.model.perturb import observed_positions, repeated, with_baseline
from stexplain.explainers.targets import Class, PerSample, Predicted, Scores, Target
from stexplain.graph import STGraph
from stexplain.metrics.items import array, check_ids, items, ranked, ranks, readings, spread

# Altered samples, and cells of them, in one forward pass where a batch is not larger; bounds memory, changes no number.
_AT_ONCE, _CELLS = 64, 2**19


class Probe(ModelCaller):
    """A model and a batch, ready to be asked about altered signals.

    Args:
        model: see `probing`.
        batch: see `probing`.
        inputs: see `probing`.
        graph: see `probing`.
        chunk: see `probing`.
        shared: see `probing`.
        per_sample: see `probing`.

    Attributes:
        batch: sampled as the model was trained, on its device and in its floating type.
        asked: its samples, as the model takes them.
        ok: which readings are there, ``[B, M, T, N]``, bool.
        at_once: how many altered samples go through the model at a time.
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
            raise InputError("the batch is empty: there is nothing to alter.")
        seen = self.preprocess(batch)
        self.asked = self._read(seen, None, shared, per_sample)
        x = self.inputs.to_batch(self.asked.x, **self.asked.sizes)
        self.batch = replace(seen.to(x.device), x=x)
        self.ok = observed_positions(self.asked)
        self.at_once = chunk or max(len(x), min(_AT_ONCE, _CELLS // max(self.ok[0].numel(), 1)))

    def towards(self, baseline: "str | Baseline | Tensor") -> Tensor:
        """What the baseline makes of the batch, ``[B, M, T, N, C]``; what is not there stays as it is."""
        return with_baseline(self, self.asked, baseline)

    def replaced(self, which: Tensor, base: Tensor) -> Tensor:
        """The batch's signals with some readings ``[B, M, T, N]`` replaced by the baseline's."""
        return torch.where((which & self.ok)[..., None], base, self.batch.x)

    def places(
        self, explanation: Any, *, over: str, ranking: str = "signed", seed: int = 0, repeats: int = 0
    ) -> tuple[list[Tensor], Tensor]:
        """In which order an explanation, and orders drawn at random, put the nodes, frames or cells of each sample.

        Args:
            explanation: an `Explanation` of the batch, or values ``[B, M, T, N]``.
            over: see `stexplain.metrics.items.OVER`.
            ranking: see `stexplain.metrics.items.RANKINGS`.
            seed: see `stexplain.metrics.items.ranks`.
            repeats: how many random orders.

        Returns:
            The place of every cell, ``[B, M, T, N]``, 0 being the most important: first by the explanation, then by
            each of the random orders; and how many items each sample has, ``[B, 1, 1, 1]``.

        Raises:
            InputError: where the explanation is not of this batch.
        """
        device = self.ok.device
        ok = self.ok.cpu().numpy()
        if isinstance(explanation, Explanation):
            check_ids("the explanation", explanation.ids, self.batch.ids)
            explanation = explanation.values
        explanation = array(explanation)
        check_shape("the explanation", explanation.shape, "b m t n", **dict(zip("bmtn", ok.shape, strict=True)))
        values, _ = readings("the explanation", explanation, ok)
        value, usable = items(ranked(values, ranking), ok, over)
        first, others = ranks(value, usable, self.batch.ids, seed=seed, repeats=repeats)
        cells = [torch.from_numpy(spread(place, over, ok.shape).copy()).to(device) for place in (first, *others)]
        return cells, torch.from_numpy(usable.sum(1)).to(device)[:, None, None, None]

    def answers(
        self, altered: Callable[[int], Tensor], count: int, read: Callable[[Tensor, slice], Tensor]
    ) -> NDArray[np.float64]:
        """What is read from the model's outputs for several alterations of the batch.

        Args:
            altered: number of the alteration to signals ``[B, M, T, N, C]``.
            count: how many alterations.
            read: the output for some samples of the batch, and which they are, to numbers ``[rows, ...]``.

        Returns:
            ``[count, B, ...]``.
        """
        samples = len(self.batch)
        done: list[Tensor] = []
        if self.at_once < samples:
            parts = [slice(start, min(start + self.at_once, samples)) for start in range(0, samples, self.at_once)]
            for number in range(count):
                x = altered(number)
                done.append(torch.cat([read(self._outputs(x[rows], rows, 1), rows) for rows in parts]))
            return _array(torch.stack(done))
        together = self.at_once // samples
        whole = slice(0, samples)
        for start in range(0, count, together):
            some = [altered(number) for number in range(start, min(start + together, count))]
            output = self._outputs(torch.cat(some), whole, len(some))
            done += [read(part, whole) for part in torch.split(output, samples)]
        return _array(torch.stack(done))

    def scored(self, goal: Target, output: Tensor, rows: slice, *, probability: bool = False) -> Scores:
        """What a target reads from the output for some samples of the batch."""
        if probability:
            if output.ndim != 2:
                raise InputError(
                    f"the model's output has shape {tuple(output.shape)}; a probability is read from "
                    "[samples, classes]. Leave out `probability`."
                )
            output = output.softmax(1)
        return self._scored(goal, output, rows=rows, samples=len(self.batch))

    def fixed(self, goal: Target) -> tuple[Target, NDArray[np.int64]]:
        """The target as it is for the unaltered samples, and the class it is of: what is predicted is decided once.

        Returns:
            The target, and classes ``[B]``; -1 where it is of none.
        """
        classes: list[Tensor] = []

        def read(output: Tensor, rows: slice) -> Tensor:
            found = self.scored(goal, output, rows)
            classes.append(found.classes)
            return found.scores

        self.answers(lambda _: self.batch.x, 1, read)
        of: NDArray[np.int64] = torch.cat(classes).cpu().numpy()
        return fixed_target(goal, of), of

    def _outputs(self, x: Tensor, rows: slice, times: int) -> Tensor:
        """What the model gives for alterations of some samples, one alteration after the other."""
        copies = repeated(self._part(self.asked, rows), self.inputs.from_batch(x), times)
        return self._logits(self._output(copies), len(x))


@contextmanager
def probing(
    model: nn.Module,
    batch: Batch,
    *,
    inputs: str | None = None,
    graph: STGraph | None = None,
    chunk: int | None = None,
    shared: Mapping[str, Any] | None = None,
    per_sample: Mapping[str, Any] | None = None,
) -> Iterator[Probe]:
    """Holds a model still and prepares a batch for it; the model is as before afterwards, also after an error.

    Args:
        model: any module. Where it is wrapped by `torch.compile` or `DataParallel`, the module inside is asked.
        batch: of a dataset or one's own; as recorded, it is sampled by the model's recipe, where it has one.
        inputs: the layout of the model's input; default: `model.inputs`, else ``"b m t n c"``.
        graph: for baselines that need one, and for the names of nodes; default: `model.graph`.
        chunk: how many altered samples go through the model at a time; default: 64, fewer where they are of more than
            half a million cells together, and never fewer than the batch.
        shared: further arguments of the model's forward by name, the same for all samples, such as
            ``{"edge_index": edges}``.
        per_sample: further arguments of the model's forward by name, each with B entries along its first axis.

    Raises:
        InputError: where the batch or an argument does not fit, or chunk is below one.
    """
    probe = Probe(model, batch, inputs=inputs, graph=graph, chunk=chunk, shared=shared, per_sample=per_sample)
    with probe, torch.no_grad(), torch.autocast(probe.ok.device.type, enabled=False):
        yield probe


def baseline_name(baseline: "str | Baseline | Tensor") -> str:
    """What a baseline is called in results.

    Example:
        >>> from stexplain.data.baselines import mean
        >>> baseline_name("zero"), baseline_name(mean), baseline_name(torch.tensor(65.0))
        ('zero', 'mean', 'given values')
    """
    if isinstance(baseline, Tensor):
        return "given values"
    return baseline if isinstance(baseline, str) else getattr(baseline, "__name__", type(baseline).__name__)


def fixed_target(goal: Target, classes: NDArray[np.int64]) -> Target:
    """The target with what it predicts replaced by the classes that were predicted, ``[B]``; -1: left as it is.

    Example:
        >>> fixed_target(Predicted(), np.array([2, 0]))(torch.tensor([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])).tolist()
        [3.0, 4.0]
    """
    if isinstance(goal, Predicted) and (classes >= 0).all():
        return Class(classes)
    if isinstance(goal, PerSample):
        pairs = zip(goal.targets, classes.tolist(), strict=True)
        return PerSample(
            [Class(number) if isinstance(one, Predicted) and number >= 0 else one for one, number in pairs]
        )
    return goal


def _array(tensor: Tensor) -> NDArray[np.float64]:
    return tensor.detach().cpu().numpy().astype(np.float64)
