"""What the metrics share that ask a model about altered signals: the model held still, many alterations at a time."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from stexplain.axes import BATCH, Layout, check_shape
from stexplain.data.baselines import Baseline, as_baseline
from stexplain.data.samples import Batch, check_finite
from stexplain.errors import InputError
from stexplain.explain.explainer import told
from stexplain.explain.explanation import Explanation
from stexplain.explain.model_state import as_trained, first_tensor, held, place, takes, unwrapped
from stexplain.explain.targets import Class, OutputInfo, PerSample, Predicted, Scored, Target
from stexplain.graph import STGraph
from stexplain.metrics.items import array, check_ids, items, ranked, ranks, readings, spread

# Altered samples, and cells of them, in one forward pass where a batch is not larger; bounds memory, changes no number.
_AT_ONCE, _CELLS = 64, 2**19


@dataclass(frozen=True)
class Probe:
    """A model and a batch, ready to be asked about altered signals.

    Attributes:
        model: the module itself, held still.
        batch: sampled as the model was trained, on its device and in its floating type.
        ok: which readings are there, ``[B, M, T, N]``, bool.
        inputs: how the model's input is laid out.
        told: what is known of its output.
        graph: of the nodes, where known.
        chunk: how many altered samples go through the model at a time.
        shared: further arguments of the model's forward, the same for all samples.
        per_sample: further arguments of the model's forward that have an entry per sample along their first axis.
    """

    model: nn.Module
    batch: Batch
    ok: Tensor
    inputs: Layout
    told: OutputInfo
    graph: STGraph | None
    chunk: int
    shared: Mapping[str, Any]
    per_sample: Mapping[str, Tensor]

    def towards(self, baseline: "str | Baseline") -> Tensor:
        """What the baseline makes of the batch, ``[B, M, T, N, C]``; what is not there stays as it is."""
        batch = self.batch
        base = as_baseline(baseline)(batch.x, batch.valid if batch.observed is None else self.ok, self.graph)
        return torch.where(self.ok[..., None], base, batch.x)

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
        if self.chunk < samples:
            parts = [slice(start, min(start + self.chunk, samples)) for start in range(0, samples, self.chunk)]
            for number in range(count):
                x = altered(number)
                done.append(torch.cat([read(self._output(x[rows], rows, 1), rows) for rows in parts]))
            return _array(torch.stack(done))
        together = self.chunk // samples
        whole = slice(0, samples)
        for start in range(0, count, together):
            some = [altered(number) for number in range(start, min(start + together, count))]
            output = self._output(torch.cat(some), whole, len(some))
            done += [read(part, whole) for part in torch.split(output, samples)]
        return _array(torch.stack(done))

    def scored(self, goal: Target, output: Tensor, rows: slice, *, probability: bool = False) -> Scored:
        """What a target reads from the output for some samples of the batch."""
        if probability:
            if output.ndim != 2:
                raise InputError(
                    f"the model's output has shape {tuple(output.shape)}; a probability is read from "
                    "[samples, classes]. Leave out `probability`."
                )
            output = output.softmax(1)
        return goal.score(output, replace(self.told, rows=rows, samples=len(self.batch)))

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

    def _output(self, x: Tensor, rows: slice, times: int) -> Tensor:
        masks = {"valid": self.batch.valid, "observed": self.batch.observed}
        known = {name: mask for name, mask in masks.items() if mask is not None and takes(self.model, name)}
        given = {
            name: value[rows].repeat(times, *[1] * (value.ndim - 1))
            for name, value in {**known, **self.per_sample}.items()
        }
        output = first_tensor(self.model(self.inputs.from_batch(x), **given, **self.shared), "the model")
        if output.ndim == 0 or len(output) != len(x):
            raise InputError(
                f"the model gave an output of shape {tuple(output.shape)} for {len(x)} samples laid out as "
                f"{self.inputs.pattern!r}; wanted the samples first. Is the layout of the input right?"
            )
        return output


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
    if chunk is not None and chunk < 1:
        raise InputError(f"chunk is {chunk}; wanted at least one sample at a time, or none for the default.")
    model = unwrapped(model)
    graph = graph if graph is not None else told(model, "graph", STGraph)
    outputs = told(model, "outputs", str)
    device, kind = place(model)
    moved = as_trained(model, batch).to(device)
    x = moved.x.to(kind)
    sizes = check_shape("x", tuple(x.shape), BATCH, **({} if graph is None else {"n": len(graph)}))
    if not len(x):
        raise InputError("the batch is empty: there is nothing to alter.")
    check_finite("x", x)
    ok = moved.valid[..., None].expand(*x.shape[:-1])
    if moved.observed is not None:
        check_shape("observed", tuple(moved.observed.shape), "b m t n", **sizes)
        ok = ok & moved.observed
    info = OutputInfo(
        classes=tuple(told(model, "class_names", list | tuple) or ()),
        nodes=() if graph is None else tuple(graph.nodes),
        groups={} if graph is None else graph.groups,
        layout=None if outputs is None else Layout(outputs),
    )
    layout = Layout(inputs or told(model, "inputs", str) or BATCH)
    same = {name: value.to(device) if isinstance(value, Tensor) else value for name, value in (shared or {}).items()}
    each = {name: torch.as_tensor(value).to(device) for name, value in (per_sample or {}).items()}
    for name, value in each.items():
        if value.ndim == 0 or len(value) != len(x):
            raise InputError(
                f"per_sample[{name!r}] has shape {tuple(value.shape)}; wanted {len(x)} entries along its first axis, "
                "one per sample. What is the same for all samples goes into `shared`."
            )
    at_once = chunk or max(len(x), min(_AT_ONCE, _CELLS // max(ok[0].numel(), 1)))
    with held(model), torch.no_grad(), torch.autocast(device.type, enabled=False):
        yield Probe(model, replace(moved, x=x), ok, layout, info, graph, at_once, same, each)


def baseline_name(baseline: "str | Baseline") -> str:
    """What a baseline is called in results.

    Example:
        >>> from stexplain.data.baselines import mean
        >>> baseline_name("zero"), baseline_name(mean)
        ('zero', 'mean')
    """
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
