"""Samples of any kind, prepared for a model: laid out, checked, with their masks and further arguments."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from stexplain.axes import BATCH, Layout, check_shape
from stexplain.checking import checked
from stexplain.checking.values import tensor_of_numbers
from stexplain.data.samples import Batch, Sample, check_finite
from stexplain.data.times.measured import UNMEASURED
from stexplain.errors import InputError
from stexplain.explainers.model.arguments.signature import check_names
from stexplain.explainers.model.arguments.values import further_arguments
from stexplain.explainers.model.inputs.layout import Evidence, add_layers, fits_graph, found_layout, node_axes
from stexplain.explainers.model.inputs.learned import learned_matrices, may_mix_frames, mixed_by
from stexplain.explainers.model.inputs.observed import observed_in, observed_twice
from stexplain.explainers.model.inputs.padding import noticed_padding, sentence
from stexplain.explainers.model.inputs.sizes import check_node_order, checked_ids, folded_axes, sizes_of
from stexplain.explainers.model.inputs.streams import Streams, packed
from stexplain.explainers.model.inspection import checked_model, device_and_dtype, model_attribute
from stexplain.explainers.model.model_input import ModelInput, Signals, as_tensor
from stexplain.explainers.model.model_input import Streams as TensorsByName
from stexplain.explainers.model.recipe import apply_recipe
from stexplain.graph import STGraph
from stexplain.wording import an


@checked
class InputPreparer(ABC):
    """Prepares samples for a model; see `ModelCaller` for the arguments.

    Attributes:
        inputs: the layout of the model's input at the last call; ``"b m t n c"`` for streams.

    Raises:
        InputError: where an argument is of another type.
    """

    def __init__(
        self,
        model: nn.Module | None,
        *,
        inputs: str | Mapping[str, str] | None,
        graph: STGraph | None,
        classes: Sequence[str] | None,
        argument: str | None,
        signals: Sequence[int | str] | None,
        channel_names: Sequence[str] | None,
    ):
        self.model = None if model is None else checked_model(model)
        if graph is not None and not isinstance(graph, STGraph):
            raise InputError(
                f"graph: got {an(type(graph).__name__)}; expected an STGraph. Make one: STGraph.from_networkx(graph), "
                "from_dgl, from_pyg, from_edges, from_pandas or from_adjacency."
            )
        # Whose recipe samples raw clips: a baseline explainer calls no model, but must see what the model sees.
        self._recipe_model = self.model
        self._declared: str | Mapping[str, str] | None = inputs or model_attribute(self.model, "inputs", str | Mapping)
        # Every pattern is checked at once, also those of streams.
        patterns = list(self._declared.values()) if isinstance(self._declared, Mapping) else [self._declared or BATCH]
        layouts = [Layout(pattern) for pattern in patterns]
        self.inputs = Layout(BATCH) if isinstance(self._declared, Mapping) else layouts[0]
        # What was found where nothing was declared, by kind of input; see `inputs.layout`.
        self._layouts: dict[Any, tuple[str, bool]] = {}
        # Of the call at hand, where x is a dict of tensors; and the one of them that is perturbed, where not all are.
        self._streams: Streams | None = None
        self._only_stream: str | None = None
        # What neither the caller nor the model names, samples of a dataset do, call by call; see `_take_names`.
        self._own_graph: STGraph | None = graph if graph is not None else model_attribute(self.model, "graph", STGraph)
        self.graph = self._own_graph
        names = model_attribute(self.model, "class_names", list | tuple) if classes is None else classes
        # An empty list says that there are no names.
        self._own_classes: tuple[str, ...] | None = None if names is None else tuple(names)
        self.classes = self._own_classes or ()
        self.argument, self.signals = argument, signals
        self.channel_names = None if channel_names is None else tuple(channel_names)
        # Whether the call at hand explains forecasts.
        self._forecasting = False
        # Sentences about the call at hand, for the user: they end in the explanation's notes.
        self._notes: list[str] = []

    @abstractmethod
    def _forward(
        self, model_input: ModelInput, x: Tensor | None = None, *, substitutes: Mapping[str, Tensor] | None = None
    ) -> Any:
        """The model's output for the samples."""

    @abstractmethod
    def _model_frozen(self) -> AbstractContextManager[None]:
        """The model as it is while it is explained."""

    @abstractmethod
    def _caller_of(self, model: nn.Module) -> "InputPreparer":
        """What calls another model in the same way."""

    @abstractmethod
    def _in_working_type(self, model_input: ModelInput) -> ModelInput:
        """The samples in the floating type that the model computes in."""

    def preprocess(self, samples: Sample | Batch) -> Batch:
        """The samples as the model was trained on them: explanations and scores are of these.

        Raises:
            InputError: where they were sampled by a recipe that differs from the model's.
        """
        return apply_recipe(self._recipe_model, Batch.of(samples) if isinstance(samples, Sample) else samples)

    def _prepare(
        self,
        x: Signals | TensorsByName,
        valid: Any,
        shared: Mapping[str, Any] | None = None,
        per_sample: Mapping[str, Any] | None = None,
        ids: Sequence[Any] | None = None,
        observed: Any = None,
    ) -> ModelInput:
        """The samples on the model's device and in its floating type, checked."""
        self._notes.clear()
        self._take_names(x)
        # A baseline explainer computes on the CPU in float32, the type of an explanation.
        device, dtype = (torch.device("cpu"), torch.float32) if self.model is None else device_and_dtype(self.model)
        names_of_samples: tuple[str, ...] = ()
        of_dataset = isinstance(x, Sample | Batch)
        # valid=True says that nothing is padding, so that nothing need be noticed.
        notice, valid = valid is None and not of_dataset, None if valid is True else valid
        names = self.channel_names or tuple(model_attribute(self._recipe_model, "channel_names", list | tuple) or ())
        mask, history, measured, timestamps = None, None, UNMEASURED, None
        noticed_before, missing = False, None
        if observed is not None and (of_dataset or isinstance(x, Mapping)):
            raise observed_twice(x)
        shape_of_batch: tuple[int, ...] = ()
        if isinstance(x, Sample | Batch):
            batch = self.preprocess(x)
            check_node_order(batch.graph, self.graph)
            # A mask that is given goes to the model, whatever was noticed.
            noticed_before = valid is None and batch.unmasked
            valid = batch.valid if valid is None else valid
            # Names of other channels than these, as of a batch whose x was replaced, name nothing.
            if not self.channel_names and len(batch.channels) == batch.x.shape[-1]:
                names = batch.channels
            names_of_samples, mask = batch.ids, None if batch.observed is None else batch.observed.to(device)
            shape_of_batch = tuple(batch.x.shape)
            measured, timestamps, history = batch.measured, batch.timestamps, batch.history
            x = self._plain_layout().from_batch(batch.x)
        known = {} if self.graph is None else {"n": len(self.graph)}
        if valid is not None:
            valid = tensor_of_numbers("valid", valid).to(device)
        if isinstance(x, Mapping):
            instances = {} if valid is None or valid.ndim != 3 else {"m": int(valid.shape[1])}
            inputs = self._declared or BATCH
            streams, signals = packed(x, inputs, {**known, **instances}, device, dtype, self._only_stream)
            self._adopt(Layout(BATCH), streams)
        else:
            signals = as_tensor(x).to(device, dtype)
            if observed is not None:
                missing = signals.isnan()
                signals = signals.masked_fill(missing, 0)
            layout = self._plain_layout() if of_dataset else self._layout_of(signals, shared or {}, per_sample or {})
            self._adopt(layout, None)
            # Folded axes, as in "(b m) c t n", can only be separated by the shape of `valid`, or of a batch.
            shape = shape_of_batch or (() if valid is None or valid.ndim != 3 else tuple(valid.shape))
            known = {k: v for k, v in zip(BATCH.split(), shape, strict=False) if k in folded_axes(self.inputs)} | known
        sizes = sizes_of(self.inputs, signals, known, self.graph)
        if missing is not None:
            mask = observed_in(observed, self.inputs.to_batch(missing, **sizes)).to(device)
        if valid is not None:
            if valid.ndim == 2 and sizes["m"] == 1:
                valid = valid[:, None]
            check_shape("valid", tuple(valid.shape), "b m t", b=sizes["b"], m=sizes["m"], t=sizes["t"])
            if valid.dtype != torch.bool:
                raise InputError(f"valid: got type {str(valid.dtype).removeprefix('torch.')}; expected bool.")
        if names and len(names) != sizes["c"]:
            raise InputError(f"channel_names: got {len(names)}, {names}; expected {sizes['c']}, one for each channel.")
        # After shapes: the message names the position of the first value that is not finite.
        check_finite("x", signals)
        common, own = further_arguments(shared or {}, per_sample or {}, sizes["b"], device, dtype)
        if self.model is not None:
            check = check_names if self._streams is None else self._streams.check_names
            check(self.model, self.argument, [*common, *own])
        named = checked_ids(ids, sizes["b"]) or names_of_samples or ("",) * sizes["b"]
        prepared = ModelInput(signals, valid, sizes, named, mask, common, own, names, history=history)
        model_input = self._in_working_type(replace(prepared, measured=measured, timestamps=timestamps))
        return self._without_padding(model_input) if notice else replace(model_input, noticed=noticed_before)

    def _without_padding(self, model_input: ModelInput) -> ModelInput:
        """The samples with a padding mask where padding is noticed; it is said, and changes no score."""
        x = self.inputs.to_batch(model_input.x, **model_input.sizes)
        # An index may go on where the signals have ended.
        padding = noticed_padding(x if self.signals is None else x[..., model_input.channels(self.signals)])
        if bool(padding.any()):
            self._note(sentence(padding))
            return replace(model_input, valid=~padding, noticed=True)
        return model_input

    def _plain_layout(self) -> Layout:
        """The declared layout of an input that is one tensor."""
        if not isinstance(self._declared, Mapping):
            return Layout(self._declared or BATCH)
        raise InputError(
            f"x: got one tensor; expected a dict of the streams {', '.join(map(repr, self._declared))}, whose layouts "
            "`inputs` gives."
        )

    def _layout_of(self, x: Tensor, shared: Mapping[str, Any], per_sample: Mapping[str, Any]) -> Layout:
        """The layout of one tensor: the declared one, or what sizes and the model's first layers tell."""
        if self._declared is not None:
            return self._plain_layout()
        # Of an earlier call.
        self._adopt(Layout(BATCH), None)
        kind = (tuple(x.shape), *sorted(shared), *sorted(per_sample))
        if kind not in self._layouts:
            # A baseline explainer calls no model, but is given what a model is given.
            model = self._recipe_model
            common, own = further_arguments(shared, per_sample, len(x), x.device, x.dtype)
            evidence = Evidence(node_axes(x, self.graph, model, {**common, **own}), whole=fits_graph(x, common))
            if model is not None:
                caller = self if self.model is model else self._caller_of(model)
                # Sizes are not known yet: no more is given than what a call of the model asks for.
                probe = ModelInput(x, None, {"b": len(x), **dict.fromkeys("mtn", 1)}, (), None, common, own)
                learned = learned_matrices(x, self.graph, model, {**common, **own})
                with caller._model_frozen():
                    if learned and evidence.nodes:

                        def run(signals: Tensor, instead: Mapping[str, Tensor]) -> Any:
                            return caller._forward(probe, signals, substitutes=instead)

                        evidence.nodes = mixed_by(learned, evidence.nodes, run, x)
                    add_layers(evidence, model, lambda: caller._forward(probe), x)
                # Which of both it is that they mix, a layer over the others tells.
                if evidence.frames is None and may_mix_frames(x, self.graph, model, {**common, **own}):
                    evidence.nodes = set()
            self._layouts[kind] = found_layout(x, evidence)
        pattern, found = self._layouts[kind]
        if found:
            self._note(f"x was taken to be laid out as {pattern!r}, which its sizes and the model's first layers tell.")
        return Layout(pattern)

    def _take_names(self, x: Signals | TensorsByName) -> None:
        """Takes graph and names of classes of the samples of the call at hand, where none are given."""
        samples = x if isinstance(x, Sample | Batch) else None
        graph = None if samples is None else samples.graph
        # One of other nodes names nothing, as of a batch whose x was replaced.
        if graph is not None and samples is not None and len(graph) != samples.x.shape[-2]:
            graph = None
        self.graph = graph if self._own_graph is None else self._own_graph
        self.classes = (samples.classes if samples else ()) if self._own_classes is None else self._own_classes
        for value in vars(self).values():
            if isinstance(value, InputPreparer):
                value._take_names(x)

    def _adopt(self, layout: Layout, streams: Streams | None) -> None:
        """Takes the input of the call at hand to be laid out so, also in explainers that this one works around."""
        self.inputs, self._streams = layout, streams
        for value in vars(self).values():
            if isinstance(value, InputPreparer):
                value._adopt(layout, streams)

    def _note(self, sentence: str) -> None:
        """Says something about the call at hand in its result, once."""
        if sentence not in self._notes:
            self._notes.append(sentence)
