"""Calling a model on samples in any layout, in chunks where memory is short, and scoring targets from its output."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, NoReturn

import torch
from torch import Tensor, nn

from stexplain.axes import Layout
from stexplain.checking import check_arguments, checked
from stexplain.checking.elsewhere import OF_EXPLAINERS, missing
from stexplain.errors import InputError, StexplainError
from stexplain.explainers.model.arguments.signature import call_arguments, forward_signature, needs, raised, takes
from stexplain.explainers.model.arguments.values import copied
from stexplain.explainers.model.derivative.known import Derivative
from stexplain.explainers.model.gradients import leaves_torch, not_differentiable
from stexplain.explainers.model.inputs.copies import Ways, copies_of, rows_of
from stexplain.explainers.model.inputs.fitting import PassBytes, samples_at_once
from stexplain.explainers.model.inputs.lengths import known_at
from stexplain.explainers.model.inputs.preparer import InputPreparer
from stexplain.explainers.model.inspection import device_and_dtype, is_quantised, model_attribute
from stexplain.explainers.model.model_input import ModelInput
from stexplain.explainers.model.options import CallOptions
from stexplain.explainers.model.running.execution import as_called_elsewhere, plain_execution
from stexplain.explainers.model.running.finite import checked_output
from stexplain.explainers.model.running.frozen import differentiable, frozen_eval
from stexplain.explainers.model.running.memory import ran_out_of_memory
from stexplain.explainers.model.running.randomness import refused_if_random, watched_draws
from stexplain.explainers.model.running.state import forward_pass, kept_state, refused_if_trained, undo_last_pass
from stexplain.explainers.model.running.with_block import WithBlock
from stexplain.explainers.model.running.working_copy import WorkingCopy, working_copy
from stexplain.explainers.model.score_fn import ScoreFn as ScoreFn
from stexplain.explainers.model.score_fn import TargetScores
from stexplain.explainers.outputs.measure import measured_axes
from stexplain.explainers.outputs.model_output import ModelOutput, OutputAxes
from stexplain.explainers.target import OutputInfo, Scores, Target
from stexplain.graph import STGraph

if TYPE_CHECKING:
    from stexplain.explainers.model.locality import Locality


@checked
class ModelCaller(WithBlock, InputPreparer):
    """Prepares samples for a model, calls it, and scores targets from its output.

    As a context manager it keeps the model frozen and in eval mode for the length of the block; a call outside of a
    block does so for itself. Nothing about the model is changed afterwards, also after an error.

    Args:
        model: any module. Where it is wrapped by `torch.compile` or `DataParallel`, the module inside is called.
        inputs: the layout of its input, such as ``"b c t n m"``, or of each stream by name; default: `model.inputs`,
            else what sizes and the model's first layers tell, else ``"b m t n c"``.
        graph: of the nodes; default: `model.graph`, else that of the samples.
        classes: names of the classes; default: `model.class_names`, else those of the samples; ``[]``: none.
        argument: the parameter of the model's forward that takes the signals; default: its first.
        signals: which channels of the input are signals, by index or name. The others, such as a time of day or a
            node's number, are indices: they are neither perturbed nor scaled to a baseline, and their map is zero.
            Default: methods that perturb find what is an index by measuring; see `index_channels`.
        channel_names: names of the channels; default: those of the samples, else `model.channel_names`.
        output: which tensor is meant where the model returns several: a key of a dict, or an index; default: the first.
        chunk: how many samples go through the model at a time; default: all, or as many as fit into half a gigabyte (on
            CUDA four), by what a pass of one was measured to take; fewer where memory runs out all the same. Samples
            that influence each other stay together.

    Raises:
        InputError: where an argument is of another type, or out of range.

    Example:
        >>> import stexplain as stx
        >>> model = nn.Sequential(nn.Flatten(), nn.Linear(8, 3))
        >>> options = {"inputs": "b t n", "classes": ["rest", "walk", "run"], "chunk": 64}
        >>> e = stx.InputGradient(model, **options)(torch.ones(2, 4, 2), target="walk")
        >>> e.values.shape, e.target
        ((2, 1, 4, 2), "class 'walk'")
    """

    def __init__(
        self,
        model: nn.Module | None,
        *,
        inputs: str | Mapping[str, str] | None = None,
        graph: "STGraph | None" = None,
        classes: Sequence[str] | None = None,
        argument: str | None = None,
        signals: Sequence[int | str] | None = None,
        channel_names: Sequence[str] | None = None,
        output: str | int | None = None,
        chunk: int | None = None,
    ):
        called: dict[str, Any] = {"argument": argument, "signals": signals, "channel_names": channel_names}
        check_arguments(ModelCaller.__init__, classes=classes, **called, output=output, chunk=chunk)
        InputPreparer.__init__(self, model, inputs=inputs, graph=graph, classes=classes, **called)
        WithBlock.__init__(self)
        if chunk is not None and chunk < 1:
            raise InputError(f"chunk: got {chunk}; expected at least one sample at a time, or none for all.")
        self.output = output
        self.chunk = chunk
        # How shared arguments follow copies of the samples, by kind of input; see `copies`.
        self._ways: Ways = {}
        # What was found to be an index, by kind of input; see `index_channels`.
        self._index_channels: dict[tuple[Any, int], tuple[int, ...]] = {}
        self._working_copy: WorkingCopy | None = None  # While the model is explained: of its tensors.
        self._axes_by_kind: dict[tuple[Any, int], OutputAxes] = {}
        # How forecasts are laid out, by kind of input; none: it cannot be determined. See `output_layout`.
        self._output_layouts: dict[Any, Layout | None] = {}
        # What is called in the place of the model while a target of few nodes is explained; see `locality`.
        self._locality: Locality | None = None
        self._derivative = Derivative()  # What is known of whether gradients are the derivative.
        # What a pass takes, by kind of input; none: the model does not run on one of several samples.
        self._bytes_by_kind: dict[tuple[Any, int], PassBytes | None] = {}

    if not TYPE_CHECKING:  # type checkers would let any name pass

        def __getattr__(self, name: str) -> NoReturn:
            missing(self, name, OF_EXPLAINERS)

    @property
    def options(self) -> CallOptions:
        """How the model is called: what another caller of the same model needs to call it alike."""
        return {
            # What was found for the last input, where nothing is declared: none before there was one.
            "inputs": self._declared or (self.inputs.pattern if self._layouts else None),
            "graph": self.graph,
            "classes": self.classes or self._own_classes,
            "argument": self.argument,
            "signals": self.signals,
            "channel_names": self.channel_names,
            "output": self.output,
            "chunk": self.chunk,
        }

    @property
    def output_info(self) -> OutputInfo:
        """What is known of the model's output."""
        layout = model_attribute(self.model, "outputs", str)
        nodes, groups = ((), {}) if self.graph is None else (tuple(self.graph.nodes), self.graph.groups)
        return OutputInfo(self.classes, nodes, groups, None if layout is None else Layout(layout))

    def _in_working_type(self, model_input: ModelInput) -> ModelInput:
        """The samples in the floating type that the model computes in, found by trying where half precision is."""
        copy = self._working_copy
        if copy is None or copy.half is None:
            return model_input
        samples = model_input.sizes["b"]
        errors: list[InputError] = []
        for widen in copy.choices:
            copy.put_in(widen=widen)
            tried = model_input.in_type(copy.input_type(model_input.x.dtype))
            try:
                with torch.no_grad():
                    self._forward(self._rows(tried, slice(0, min(self.chunk or samples, samples))))
            except InputError as error:
                errors.append(error)
                continue
            for note in copy.notes:
                self._note(note)
            return tried
        raise errors[0]

    def _chunks(
        self, model_input: ModelInput, targets: Sequence[Target], chunk: int | None = None
    ) -> Iterator[tuple[ModelInput, list[ScoreFn]]]:
        """The samples in chunks (default: see `_at_once`), each with the score function of every target."""
        samples = model_input.sizes["b"]
        step = min(chunk or self._at_once(model_input, targets), samples)
        for start in range(0, samples, step):
            rows = slice(start, min(start + step, samples))
            # A target with an entry per sample must know which of the batch's samples the output is of.
            chunk_input = self._rows(model_input, rows)
            axes = self._output_axes(chunk_input) if targets else OutputAxes()
            known = {"rows": rows, "samples": samples, "node_count": model_input.sizes["n"]}
            yield chunk_input, [self._score_fn(one, axes, **known) for one in targets]

    @property
    def _copies_at_once(self) -> int:
        """How many copies of the samples go through the model at once."""
        return 1

    @property
    def _held_copies(self) -> int:
        """How many copies of the samples are held beside what their pass takes, gradients and maps among them."""
        return 6

    def _at_once(self, model_input: ModelInput, targets: Sequence[Target] = (), *, watched: bool = False) -> int:
        """How many samples go through the model at a time; see `samples_at_once`. The model must be frozen."""
        return samples_at_once(self, model_input, targets, watched=watched)

    def _rows(self, model_input: ModelInput, rows: slice) -> ModelInput:
        """Some of the samples, with the arguments that belong to the batch as a whole cut; see `rows_of`."""
        return rows_of(None if self.model is None else self._forward, self._ways, model_input, self.inputs, rows)

    def _copies(self, model_input: ModelInput, x: Tensor) -> list[ModelInput]:
        """Copies of the samples with other signals, ``[K * B, M, T, N, C]``; see `copies_of`."""
        forward = None if self.model is None else self._forward
        if forward is not None and self._output_axes(model_input).mixed:
            # Copies in one batch would influence each other as samples do.
            copies = [
                model_input.repeated(self.inputs.from_batch(one), 1) for one in torch.split(x, model_input.sizes["b"])
            ]
        else:
            copies = copies_of(forward, self._ways, model_input, self.inputs, x)
        if len(copies) > 1:
            self._note("The model gives something else for several copies of the samples: one copy ran at a time.")
        return copies

    def _in_field(self, present: Tensor) -> Tensor:
        """Which of the observations ``[B, M, T, N]`` may change the score at hand: for others no pass is run."""
        return present if self._locality is None else present & self._locality.field

    def _caller_of(self, model: nn.Module) -> "ModelCaller":
        return ModelCaller(model, argument=self.argument)

    @contextmanager
    def _model_frozen(self) -> Iterator[None]:
        """The model frozen and in eval mode, with gradients on."""
        assert self.model is not None
        device, _ = device_and_dtype(self.model)
        outer, undo = self._working_copy, partial(undo_last_pass, self.model)
        # The model's own tensors are put back when nothing that a pass set refers to their copies any more.
        with (
            kept_state(self.model),
            frozen_eval(self.model),
            refused_if_trained(self.model),
            differentiable(device),
            working_copy(self.model, undo) as self._working_copy,
            plain_execution(self.model, device),
            refused_if_random(self.model),
        ):
            try:
                yield
            finally:
                self._working_copy = outer

    def _forward(
        self, model_input: ModelInput, x: Tensor | None = None, *, substitutes: Mapping[str, Tensor] | None = None
    ) -> Any:
        """The model's output for the samples.

        Args:
            model_input: the samples.
            x: other signals in their place.
            substitutes: by name, tensors that take the place of parameters and buffers.
        """
        assert self.model is not None
        further = {**self._masks(model_input), **model_input.shared, **model_input.per_sample}
        signals = model_input.x if x is None else x
        model = self.model if self._locality is None else self._locality.model
        call = call_arguments if self._streams is None else self._streams.call

        def run() -> Any:
            # Copies go in: a model may work in place, and neither the caller's tensors nor ours may change.
            # Contiguous, as `view` needs: our own copies are laid out from the order of a batch.
            given = signals.clone(memory_format=torch.contiguous_format)
            arguments, keywords = call(model, self.argument, given, copied(further))
            with forward_pass(model), self._derivative.watching() as returned:
                if substitutes:
                    return torch.func.functional_call(model, dict(substitutes), arguments, keywords)
                return returned(model(*arguments, **keywords))

        try:
            return checked_output(model, lambda: watched_draws(model, run), self.output, self._note)
        except Exception as error:
            if isinstance(error, StexplainError) or ran_out_of_memory(error):
                raise
            if leaves_torch(error):
                raise not_differentiable("the input") from error
            layout = (self.inputs.pattern, bool(self._declared or self._layouts))
            raise raised(self.model, error, signals.shape, *layout) from error

    def _masks(self, model_input: ModelInput) -> dict[str, Tensor]:
        """The masks that the model's forward takes; most foreign models take none."""
        assert self.model is not None
        # A mask that was noticed, not given, changes nothing that the model computes.
        masks = {"valid": None if model_input.noticed else model_input.valid, "observed": model_input.observed}
        # Read once: it is done for every pass.
        signature = forward_signature(self.model)
        taken = [name for name in masks if name != self.argument and takes(signature, name)]
        found = {name: masks[name] for name in taken}
        # What forward needs and nobody gave is filled in.
        for name in [each for each in taken if found[each] is None and needs(signature, each)]:
            found[name] = model_input.known_valid if name == "valid" else model_input.observed_positions
        return {name: mask for name, mask in found.items() if mask is not None}

    def _output_axes(self, model_input: ModelInput) -> OutputAxes:
        """Which axis of each tensor of the model's output follows the samples: measured once per kind of input."""
        if model_input.sizes["b"] > 2 and (few := max(self._at_once(model_input), 2)) < model_input.sizes["b"]:
            # All at once may be more than memory holds.
            model_input = self._rows(model_input, slice(0, few))
        sizes = tuple(size for axis, size in model_input.sizes.items() if axis not in "bt")
        masks = (model_input.valid is None, model_input.observed is None)
        kind = (sizes, masks, model_input.x.dtype, *sorted(model_input.shared), *sorted(model_input.per_sample))
        samples, frames = model_input.sizes["b"], model_input.sizes["t"]
        # What was found for several samples holds for one, but not the other way round.
        for single in (False, True)[: 2 if samples == 1 else 1]:
            if known := known_at(self._axes_by_kind, (*kind, single), frames, OutputAxes.is_like):
                return known[0]

        def forward(x: Tensor) -> Any:
            # Alike in memory: a convolution rounds otherwise where channels come last.
            signals = self.inputs.from_batch(x).contiguous()
            with as_called_elsewhere():
                return self._forward(model_input if len(x) == samples else model_input.repeated(signals, 2), signals)

        x = self.inputs.to_batch(model_input.x, **model_input.sizes)
        assert self.model is not None
        # Quantised signals are rounded by their range over the batch: in eight bits, or fewer.
        axes = measured_axes(forward, x, model_input.observed_positions, 0.05 if is_quantised(self.model) else 0)
        self._axes_by_kind[(*kind, samples == 1), frames] = axes
        # What the passes set on the model is undone at once: what is measured next may copy the model.
        undo_last_pass(self.model)
        return axes

    @staticmethod
    def _kind_of(model_input: ModelInput) -> Any:
        """What is measured once for all samples that are alike in it."""
        sizes = tuple(size for axis, size in model_input.sizes.items() if axis != "b")
        masks = (model_input.valid is None, model_input.observed is None)
        return (sizes, masks, model_input.x.dtype, *sorted(model_input.shared), *sorted(model_input.per_sample))

    def _score_fn(self, target: Target, axes: OutputAxes | None = None, **known: Any) -> ScoreFn:
        """From the output for the samples in `rows`, which has these axes, to the scores of a target.

        Args:
            target: any.
            axes: of the tensors of the output.
            **known: what else is known of the output; see `OutputInfo`.
        """
        info = replace(self.output_info, **known)
        return TargetScores(target, info, axes or OutputAxes(), self.output, self._note)

    def _score(self, target: Target, output: Any, *, rows: slice, samples: int) -> Scores:
        """The scores of a target from the output for the samples in `rows`."""
        return self._score_fn(target, rows=rows, samples=samples)(output)

    def _output_tensor(self, output: Any, model_input: ModelInput) -> Tensor:
        """The tensor of what the model returned that targets read, samples first."""
        return ModelOutput(output, model_input.sizes["b"], self._output_axes(model_input), self.output).tensor
