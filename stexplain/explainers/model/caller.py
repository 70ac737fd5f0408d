"""Calling a model: samples in any layout, in chunks where memory is short, and scores of targets from its output."""

import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from types import TracebackType
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from stexplain.axes import BATCH, Layout, check_shape
from stexplain.data.samples import Batch, Sample, check_finite
from stexplain.errors import InputError, unknown
from stexplain.explainers.model.state import (
    apply_recipe,
    device_and_dtype,
    differentiable,
    first_tensor,
    frozen_eval,
    takes,
    unwrapped,
)
from stexplain.explainers.targets import OutputInfo, Scores, Target
from stexplain.graph import STGraph

Signals = Tensor | NDArray[Any] | Sample | Batch
TargetLike = Target | Callable[[Tensor], Tensor]
ScoreFn = Callable[[Any], Scores]


@dataclass(frozen=True)
class ModelInput:
    """Samples to be explained.

    Attributes:
        x: in the layout of the model's input.
        valid: ``[B, M, T]``, bool, or none: all frames are valid.
        sizes: of the axes b, m, t, n, c.
        ids: B names; empty strings where there are none.
        observed: which single readings are there, ``[B, M, T, N]``, bool, or none: all of the valid frames.
        shared: further arguments of the model's forward, the same for all samples.
        per_sample: further arguments of the model's forward that have an entry per sample along their first axis.
    """

    x: Tensor
    valid: Tensor | None
    sizes: dict[str, int]
    ids: tuple[str, ...]
    observed: Tensor | None = None
    shared: Mapping[str, Any] = field(default_factory=dict)
    per_sample: Mapping[str, Tensor] = field(default_factory=dict)

    @property
    def known_valid(self) -> Tensor:
        """`valid`, or all true, ``[B, M, T]``."""
        if self.valid is not None:
            return self.valid
        return torch.ones([self.sizes[axis] for axis in "bmt"], dtype=torch.bool, device=self.x.device)


class ModelCaller:
    """Reads samples however they are laid out, asks a model, and reads targets from what it gives.

    As a context manager it holds the model in eval mode and frozen for as long as the block lasts; a call outside of
    one does the same for itself. Nothing about the model is changed afterwards, also after an error.

    Args:
        model: any module. Where it is wrapped by `torch.compile` or `DataParallel`, the module inside is asked.
        inputs: the layout of its input, such as ``"b c t n m"``; default: `model.inputs`, else ``"b m t n c"``.
        graph: of the nodes; default: `model.graph`.
        classes: names of the classes; default: `model.class_names`.
        chunk: how many samples are worked on at a time, where memory is short; default: all.
    """

    def __init__(
        self,
        model: nn.Module | None,
        *,
        inputs: str | None = None,
        graph: "STGraph | None" = None,
        classes: Sequence[str] | None = None,
        chunk: int | None = None,
    ):
        if model is not None and not isinstance(model, nn.Module):
            raise InputError(f"the model is a {type(model).__name__}; wanted a torch.nn.Module.")
        if graph is not None and not isinstance(graph, STGraph):
            raise InputError(
                f"the graph is a {type(graph).__name__}; wanted an STGraph. Make one: STGraph.from_networkx(graph), "
                "from_edges, from_pandas or from_adjacency."
            )
        if chunk is not None and chunk < 1:
            raise InputError(f"chunk is {chunk}; wanted at least one sample at a time, or none for all.")
        self.model = None if model is None else unwrapped(model)
        self.inputs = Layout(inputs or model_attribute(self.model, "inputs", str) or BATCH)
        self.graph: STGraph | None = graph if graph is not None else model_attribute(self.model, "graph", STGraph)
        self.classes = tuple(classes or model_attribute(self.model, "class_names", list | tuple) or ())
        self.chunk = chunk
        self._trained = self.model
        self._holds: list[AbstractContextManager[None]] = []

    def __enter__(self) -> Self:
        if self.model is not None:
            hold = frozen_eval(self.model)
            hold.__enter__()
            self._holds.append(hold)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._holds:
            self._holds.pop().__exit__(None, None, None)

    def _parts(
        self, asked: ModelInput, goals: Sequence[Target], chunk: int | None = None
    ) -> Iterator[tuple[ModelInput, list[ScoreFn]]]:
        """The samples in parts of `chunk` (default: the explainer's), and how to read the targets from the output."""
        samples = asked.sizes["b"]
        step = min(chunk or self.chunk or samples, samples)
        for start in range(0, samples, step):
            rows = slice(start, min(start + step, samples))
            yield self._part(asked, rows), [partial(self._scored, goal, rows=rows, samples=samples) for goal in goals]

    def _scored(self, goal: Target, output: Any, *, rows: slice, samples: int) -> Scores:
        """What a target reads from an output for the samples in `rows`."""
        logits = self._logits(output, rows.stop - rows.start)
        return goal.score(logits, replace(self.output_info, rows=rows, samples=samples))

    @property
    def output_info(self) -> OutputInfo:
        """What is known of the model's output."""
        layout = model_attribute(self.model, "outputs", str)
        return OutputInfo(
            classes=self.classes,
            nodes=() if self.graph is None else tuple(self.graph.nodes),
            groups={} if self.graph is None else self.graph.groups,
            layout=None if layout is None else Layout(layout),
        )

    def _logits(self, output: Any, samples: int) -> Tensor:
        """The tensor that the model gave for so many samples."""
        logits = first_tensor(output, "the model")
        if logits.ndim == 0 or len(logits) != samples:
            raise InputError(
                f"the model gave an output of shape {tuple(logits.shape)} for {samples} samples laid out as "
                f"{self.inputs.pattern!r}; wanted the samples first. Is the layout of the input right?"
            )
        return logits

    @contextmanager
    def _computing(self) -> Iterator[None]:
        assert self.model is not None
        device, _ = device_and_dtype(self.model)
        with frozen_eval(self.model), differentiable(device):
            yield

    def preprocess(self, samples: Sample | Batch) -> Batch:
        """The samples as the model was trained to see them: what an explanation of them, and a score of it, are about.

        Raises:
            InputError: where they were sampled by a recipe that differs from the model's.
        """
        return apply_recipe(self._trained, Batch.of(samples) if isinstance(samples, Sample) else samples)

    def _output(
        self, asked: ModelInput, x: Tensor | None = None, *, swapped: Mapping[str, Tensor] | None = None
    ) -> Any:
        """What the model gives for the samples.

        Args:
            asked: the samples.
            x: other signals in their place.
            swapped: by name, other tensors in the place of parameters and buffers.
        """
        assert self.model is not None
        known = {"valid": asked.valid, "observed": asked.observed}
        told_of = {name: mask for name, mask in known.items() if mask is not None and takes(self.model, name)}
        signals = asked.x if x is None else x
        more = {**told_of, **asked.shared, **asked.per_sample}
        if swapped:
            return torch.func.functional_call(self.model, dict(swapped), (signals,), more)
        return self.model(signals, **more)

    def _read(
        self,
        x: Signals,
        valid: Any,
        shared: Mapping[str, Any] | None = None,
        per_sample: Mapping[str, Any] | None = None,
    ) -> ModelInput:
        """The samples on the model's device, checked."""
        device, kind = (torch.device("cpu"), torch.float32) if self.model is None else device_and_dtype(self.model)
        ids: tuple[str, ...] = ()
        observed = None
        if isinstance(x, Sample | Batch):
            batch = self.preprocess(x)
            valid = batch.valid if valid is None else valid
            ids, observed = batch.ids, None if batch.observed is None else batch.observed.to(device)
            x = self.inputs.from_batch(batch.x)
        elif not isinstance(x, Tensor | np.ndarray):
            raise InputError(f"x is a {type(x).__name__}; wanted a tensor, an array, a Sample or a Batch.{_meant(x)}")
        # An array is copied: it may be a view of a file.
        signals = torch.tensor(x) if isinstance(x, np.ndarray) else x.detach()
        if not signals.is_floating_point():
            raise InputError(
                f"x is of type {str(signals.dtype).removeprefix('torch.')}; wanted floating numbers: x.float()."
            )
        signals = signals.to(device, kind)
        known = {}
        if valid is not None:
            valid = torch.as_tensor(valid).to(device)
            known = {"m": int(valid.shape[1])} if valid.ndim == 3 and self._folds_instances else {}
        if self.graph is not None:
            known["n"] = len(self.graph)
        sizes = self._sizes(signals, known)
        if valid is not None:
            check_shape("valid", tuple(valid.shape), "b m t", b=sizes["b"], m=sizes["m"], t=sizes["t"])
            if valid.dtype != torch.bool:
                raise InputError(f"valid is of type {str(valid.dtype).removeprefix('torch.')}; wanted bool.")
        check_finite("x", signals)
        more = {name: torch.as_tensor(value).to(device) for name, value in (per_sample or {}).items()}
        for name, value in more.items():
            if value.ndim == 0 or len(value) != sizes["b"]:
                raise InputError(
                    f"per_sample[{name!r}] has shape {tuple(value.shape)}; wanted {sizes['b']} entries along its first "
                    "axis, one per sample. What is the same for all samples goes into `shared`."
                )
        same = {
            name: value.to(device) if isinstance(value, Tensor) else value for name, value in (shared or {}).items()
        }
        self._check_arguments([*more, *same])
        return ModelInput(signals, valid, sizes, ids or ("",) * sizes["b"], observed, same, more)

    def _check_arguments(self, names: Sequence[str]) -> None:
        if self.model is None:
            return
        parameters = inspect.signature(self.model.forward).parameters
        if any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters.values()):
            return
        for name in names:
            if name not in parameters:
                raise unknown(f"argument of {type(self.model).__name__}.forward", name, parameters)

    @property
    def _folds_instances(self) -> bool:
        """Whether the input's layout folds instances into another axis, so that its shape does not tell them."""
        return any("m" in part.split(")")[0].split() for part in self.inputs.pattern.split("(")[1:])

    def _sizes(self, x: Tensor, known: dict[str, int]) -> dict[str, int]:
        if self._folds_instances and "m" not in known:
            raise InputError(
                f"the input's layout {self.inputs.pattern!r} does not tell how many instances there are. "
                "Give `valid` [B, M, T], which does."
            )
        sizes = {**dict.fromkeys("bmtnc", 1), **self.inputs.sizes(tuple(x.shape), **known)}
        if not all(sizes.values()):
            raise InputError(f"x has shape {tuple(x.shape)}: there is nothing to explain.")
        if self.graph is not None and sizes["n"] != len(self.graph):
            raise InputError(f"x has {sizes['n']} nodes and the graph {len(self.graph)}. Give the graph of the model.")
        return sizes

    def _part(self, asked: ModelInput, rows: slice) -> ModelInput:
        count = rows.stop - rows.start
        if count == asked.sizes["b"]:
            return asked
        x = self.inputs.from_batch(self.inputs.to_batch(asked.x, **asked.sizes)[rows])
        valid = None if asked.valid is None else asked.valid[rows]
        observed = None if asked.observed is None else asked.observed[rows]
        per_sample = {name: value[rows] for name, value in asked.per_sample.items()}
        return ModelInput(x, valid, {**asked.sizes, "b": count}, asked.ids[rows], observed, asked.shared, per_sample)


def _meant(x: Any) -> str:
    """What to give instead of something that holds samples, or is a table of them."""
    if hasattr(x, "batch"):
        return " Give some of its samples: .batch(range(8)), or one: [0]."
    if isinstance(x, list | tuple) and x and all(isinstance(one, Sample) for one in x):
        return " Give Batch.of(*samples)."
    return " Give .to_numpy() of a table, and say by `inputs` how it is laid out." if hasattr(x, "to_numpy") else ""


def model_attribute(model: nn.Module | None, name: str, kind: Any) -> Any:
    """What a model says about itself; none where it has no such attribute, or means something else by it."""
    value = getattr(model, name, None)
    return value if isinstance(value, kind) else None
