"""What all explainers share: they are called on samples and targets, and make explanations of their maps."""

import sys
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, overload

import numpy as np
import torch

from stexplain.checking import checked
from stexplain.data.windows import WindowBatch
from stexplain.errors import StexplainError
from stexplain.explainers.by_stream import StreamExplainer
from stexplain.explainers.explanation import Explanation
from stexplain.explainers.forecast_target import Forecast
from stexplain.explainers.joined import joined
from stexplain.explainers.model.derivative.compare import noted, warn_of
from stexplain.explainers.model.describe import described
from stexplain.explainers.model.inputs.fitting import may_be_cut
from stexplain.explainers.model.locality import Locality, by_locality, called_on, check_scores
from stexplain.explainers.model.model_input import ModelInput, Signals, Streams
from stexplain.explainers.model.options import ModelCall
from stexplain.explainers.model.output_layout import with_output_layout
from stexplain.explainers.model.running.finite import check_finite_values, traced_to_origin
from stexplain.explainers.model.running.memory import ran_out_of_memory
from stexplain.explainers.model.score_fn import NoScores, ScoreFn
from stexplain.explainers.results.made_by import made_by
from stexplain.explainers.results.maps import Maps as Maps
from stexplain.explainers.results.maps import as_array
from stexplain.explainers.results.maps import padding_share_of as padding_share_of
from stexplain.explainers.results.units import channel_units, with_forecast_unit
from stexplain.explainers.target import Target, TargetLike, refuse_classes_of_windows
from stexplain.explainers.targets import as_targets
from stexplain.progress import progress_bar


@checked
class Explainer(StreamExplainer, ABC):
    """An explainer is called on samples and gives an `Explanation`.

    As a context manager it keeps the model frozen and in eval mode for the length of the block; a call outside of a
    block does so for itself. Nothing about the model is changed afterwards, also after an error.

    Args:
        model: any module. Where it is wrapped by `torch.compile` or `DataParallel`, the module inside is called.
        **options: how the model is called; see `ModelCaller`.

    Example:
        >>> import torch
        >>> from torch import nn
        >>> from stexplain.explainers.methods import InputGradient
        >>> model = nn.Sequential(nn.Flatten(), nn.Linear(4, 1, bias=False))
        >>> _ = model[1].weight.data.copy_(torch.tensor([[0.0, 1.0, 2.0, 3.0]]))
        >>> explain = InputGradient(model, inputs="b t n", channel_names=["speed"])
        >>> isinstance(explain, Explainer)
        True
        >>> explain(torch.ones(1, 2, 2), target=0).values.tolist()  # of 2 frames x 2 nodes
        [[[[0.0, 1.0], [2.0, 3.0]]]]
    """

    method: str = ""
    """The name of the method, in words."""
    layer_name: str = ""
    """The name of the explained layer; empty: the input is explained."""
    measures: str = ""
    """What values are in, see `Explanation.measures`."""
    _scores_alone: bool = False
    """See `_asks_scores_alone`."""
    _differentiates: bool = False
    """Whether maps are made of gradients of the score, which should be its derivative."""

    def __repr__(self) -> str:
        return described(self)

    @overload
    def __call__(  # type: ignore[overload-overlap]  # a name is a sequence too, and one target
        self,
        x: Signals,
        *,
        target: TargetLike | None = None,
        valid: Any = None,
        observed: Any = None,
        shared: Mapping[str, Any] | None = None,
        per_sample: Mapping[str, Any] | None = None,
        ids: Sequence[Any] | None = None,
    ) -> Explanation: ...
    @overload
    def __call__(
        self,
        x: Signals,
        *,
        target: Sequence[TargetLike],
        valid: Any = None,
        observed: Any = None,
        shared: Mapping[str, Any] | None = None,
        per_sample: Mapping[str, Any] | None = None,
        ids: Sequence[Any] | None = None,
    ) -> list[Explanation]: ...
    @overload
    def __call__(  # type: ignore[overload-overlap]  # a name is a sequence too, and one target
        self,
        x: Streams,
        *,
        target: TargetLike | None = None,
        valid: Any = None,
        observed: Any = None,
        shared: Mapping[str, Any] | None = None,
        per_sample: Mapping[str, Any] | None = None,
        ids: Sequence[Any] | None = None,
    ) -> dict[str, Explanation]: ...
    @overload
    def __call__(
        self,
        x: Streams,
        *,
        target: Sequence[TargetLike],
        valid: Any = None,
        observed: Any = None,
        shared: Mapping[str, Any] | None = None,
        per_sample: Mapping[str, Any] | None = None,
        ids: Sequence[Any] | None = None,
    ) -> list[dict[str, Explanation]]: ...
    def __call__(
        self,
        x: Signals | Streams,
        *,
        target: TargetLike | Sequence[TargetLike] | None = None,
        valid: Any = None,
        observed: Any = None,
        shared: Mapping[str, Any] | None = None,
        per_sample: Mapping[str, Any] | None = None,
        ids: Sequence[Any] | None = None,
    ) -> Explanation | list[Explanation] | dict[str, Explanation] | list[dict[str, Explanation]]:
        """Explains samples.

        Args:
            x: a `Sample`, a `Batch`, or a tensor in the model's own layout, which goes in untouched (apart from the
                model's device and floating type). Raw samples of a dataset are first sampled by the model's recipe,
                where it has one. Or *streams*: a dict of tensors that differ in their channels alone, such as joints
                and bones. Where its names are parameters of the model's forward they go in by name, else the dict goes
                in as one argument.
            target: a class by index or name, or by ``[B]`` indices for one per sample; `Class(...)`, `Predicted()`,
                `Margin(..., ...)`, `Forecast(..., ...)`, or a function of the output; or a list of these, which share
                the forward pass. Default: the predicted class.
            valid: the padding mask, which frames of which instance hold observations, ``[B, M, T]``, or ``[B, T]`` of
                one instance; default: that of the sample. It is given to the model where its forward takes `valid`. In
                a tensor without one padding is noticed, left out of the map, and said; True keeps all frames.
            observed: of a tensor, its missing-value mask: which observations are there, ``[B, M, T, N]``, bool, or
                ``[B, T, N]`` of one instance. A sensor that was missing has no map, and masks leave it alone. NaN there
                are given to the model as zero. Samples of a dataset bring their own.
            shared: further arguments of the model's forward by name, the same for all samples, such as
                ``{"edge_index": edges}``.
            per_sample: further arguments of the model's forward by name, each with B entries along its first axis.
            ids: a name or number of each sample, B different ones; default: those of the samples, where they have any.

        Returns:
            An explanation; for a list of targets one for each. Where x is a dict, a dict of explanations by the same
            names. Gradients explain all streams together; methods that perturb do so with one stream after the other,
            and leave the others as they are; the map of a layer is the same for each.

        Raises:
            InputError: where a shape, a name or a value does not fit; names the argument and what was expected.
        """
        targets, several = as_targets(target)
        call = ModelCall(self.options, valid, dict(shared or {}), dict(per_sample or {}), observed=observed)
        if isinstance(x, Mapping):
            by_target = self._explain_streams(x, targets, call, ids)
            return by_target if several else by_target[0]
        explanations = self._explain(x, targets, call, ids)
        if target is None and isinstance(x, WindowBatch):
            refuse_classes_of_windows(explanations[0].notes, len(explanations[0].node_names))
        return explanations if several else explanations[0]

    def _explain(
        self,
        x: Signals | Streams,
        targets: Sequence[Target],
        call: ModelCall,
        ids: Sequence[Any] | None,
    ) -> list[Explanation]:
        """An explanation for each target."""
        # A baseline explainer: further arguments of a model's forward are of no use to it, and not checked.
        if self.model is None:
            model_input = self._prepare(x, call.valid, ids=ids, observed=call.observed)
            maps = [(self._maps(model_input, NoScores()), each) for each in targets]
            return [replace(self._explanation(model_input, *each), made_by=made_by(self)) for each in maps]
        with self._model_frozen():
            model_input = self._prepare(x, call.valid, call.shared, call.per_sample, ids, call.observed)
            self._forecasting = any(isinstance(target, Forecast) for target in targets)
            targets = with_output_layout(self, model_input, targets)
            together = type(self)._maps_of_targets is not Explainer._maps_of_targets
            groups: list[tuple[list[int], Locality | None]] = [(list(range(len(targets))), None)]
            if self._asks_scores_alone:
                groups = by_locality(self, model_input, targets, together=together)
            found: dict[int, Explanation] = {}
            for indices, locality in groups:
                some = [targets[index] for index in indices]
                found |= zip(indices, self._on(locality, model_input, some), strict=True)
        # The call is of all samples: it is entered here, not chunk by chunk, with the layout that was found for them.
        call = replace(call, options=self.options)
        x = self.inputs.to_batch(model_input.x, **model_input.sizes)
        explanations = [
            replace(with_forecast_unit(found[index], target, model_input, x), call=call, made_by=made_by(self))
            for index, target in enumerate(targets)
        ]
        warn_of(explanations)
        return [self._finished(each) for each in explanations]

    @property
    def _asks_scores_alone(self) -> bool:
        """Whether maps follow from scores of samples and their gradients alone, and from nothing else of the model."""
        # Said by the class that computes the maps: one derived from it may look at layers.
        kinds = [kind for kind in type(self).__mro__ if {"_maps", "_maps_of_targets"} & vars(kind).keys()]
        inner = [value for value in vars(self).values() if isinstance(value, Explainer)]
        return bool(vars(kinds[0]).get("_scores_alone")) and all(
            one.model is self.model and one._asks_scores_alone for one in inner
        )

    def _on(self, locality: Locality | None, model_input: ModelInput, targets: Sequence[Target]) -> list[Explanation]:
        """The explanation of some targets, by a part of the model, or by all of it."""
        if locality is not None:
            if not locality.proven:
                check_scores(self, model_input, targets, locality)
            notes = list(self._notes)
            try:
                with called_on(self, locality):
                    local = self._by_target(model_input, targets)
                return [replace(each, notes=(*each.notes, locality.note)) for each in local]
            except StexplainError:
                # The same again with the model itself, so that an error speaks of that.
                self._notes[:] = notes
        return self._by_target(model_input, targets)

    def _by_target(self, model_input: ModelInput, targets: Sequence[Target]) -> list[Explanation]:
        """The explanation of each target, of all samples; fewer at a time where memory runs out."""
        step = self._chunk_of(model_input) or self._at_once(model_input, targets)
        while True:
            try:
                return self._by_chunks(model_input, targets, step)
            except Exception as error:
                if not ran_out_of_memory(error) or step < 2 or not may_be_cut(self, model_input, step // 2, targets):
                    raise
            # Outside of the handler, where nothing of the error, and of what it holds, is left.
            self._note(f"Memory ran out with {step} samples at a time: {step // 2} went through the model.")
            step //= 2

    def _by_chunks(self, model_input: ModelInput, targets: Sequence[Target], step: int) -> list[Explanation]:
        """The explanation of each target, of so many samples at a time."""
        assert self.model is not None
        samples = model_input.sizes["b"]
        # Explanations, arrays on the CPU, are collected per chunk: graphs and activations are freed after each.
        by_target: list[list[Explanation]] = [[] for _ in targets]
        # On a terminal alone: a call in a script or a notebook prints nothing.
        with progress_bar(self.method, samples, shown=sys.stderr.isatty()) as done:
            for chunk, score_fns in self._chunks(model_input, targets, step):
                first = sum(len(part) for part in by_target[0])
                explanations = partial(self._explanations, chunk, targets, score_fns)
                try:
                    found = traced_to_origin(self.model, explanations)
                except Exception as error:
                    # A model's or a target's own error stays what it is, and says where it was raised.
                    last = first + chunk.sizes["b"]
                    error.add_note(
                        f"In {self.method or type(self).__name__}, samples {first} to {last - 1} of {samples}."
                    )
                    raise
                for one, parts in zip(found, by_target, strict=True):
                    parts.append(one)
                done(first + len(found[0]))
        return [joined(parts) for parts in by_target]

    def _maps_of_targets(self, model_input: ModelInput, score_fns: Sequence[ScoreFn]) -> list[Maps]:
        """The maps of some samples for several targets; a method that can share work between them overrides this."""
        return [self._maps(model_input, score_fn) for score_fn in score_fns]

    def _chunk_of(self, model_input: ModelInput) -> int | None:
        """How many samples go through the model at a time, where that is not the explainer's `chunk`."""
        return None

    def _finished(self, explanation: Explanation) -> Explanation:
        """The explanation of all samples of a call; a method that can tell whether it may mislead overrides this."""
        return explanation

    @abstractmethod
    def _maps(self, model_input: ModelInput, score_fn: ScoreFn) -> Maps:
        """The maps of some samples for one target.

        Args:
            model_input: the samples.
            score_fn: from the model's output to the target's scores.
        """

    def _explanations(
        self, model_input: ModelInput, targets: Sequence[Target], score_fns: Sequence[ScoreFn]
    ) -> list[Explanation]:
        """An explanation of some samples for each target."""
        by_target = self._maps_of_targets(model_input, score_fns)
        by_target = noted(self, by_target, model_input, targets, score_fns)
        return [self._explanation(model_input, maps, target) for target, maps in zip(targets, by_target, strict=True)]

    def _differentiated_at(self, model_input: ModelInput) -> Any:
        """Where gradients are taken: a layer's place; none: at the input."""
        return None

    def _explanation(self, model_input: ModelInput, maps: Maps, target: Target) -> Explanation:
        """The maps as an explanation; zero where there is no observation."""
        valid = model_input.known_valid
        # [B, M, T, 1] where nothing is missing: it broadcasts over nodes.
        present = valid[..., None] if model_input.observed is None else valid[..., None] & model_input.observed
        # Methods may give values on padding; those are never evidence.
        values = torch.where(present, maps.values, 0)
        channels = None if maps.channels is None else torch.where(present[..., None], maps.channels, 0)
        error = None if maps.standard_error is None else torch.where(present, maps.standard_error, 0)
        check_finite_values(None if maps.scores is None else maps.scores.scores, "the score")
        for each in (values, channels, error):
            check_finite_values(each, f"the map of {self.method or type(self).__name__}")
        seconds: Any = model_input.measured.seconds(model_input.sizes["t"])  # none: `Explanation` counts frames
        return Explanation(
            values=as_array(values),
            valid=as_array(valid, np.bool_),
            node_names=() if self.graph is None else tuple(self.graph.nodes),
            time=seconds,
            time_unit="frame" if seconds is None else "s",
            timestamps=model_input.timestamps,
            channel_units=channel_units(model_input),
            method=self.method or type(self).__name__,
            target=target.text() if maps.scores is not None else "",
            targets=as_array(None if maps.scores is None else maps.scores.classes, np.int64),
            score=as_array(None if maps.scores is None else maps.scores.scores),
            ids=model_input.ids,
            classes=self.classes,
            layer=self.layer_name,
            layer_values=as_array(maps.layer_values),
            stride=maps.stride,
            padding_share=as_array(maps.padding_share),
            graph=self.graph,
            extra={name: as_array(value) for name, value in maps.extra.items()},
            channels=as_array(channels),
            standard_error=as_array(error),
            channel_names=model_input.channel_names if maps.channels is not None else (),
            observed=None if model_input.observed is None else as_array(present, np.bool_),
            reduce=maps.reduce if maps.channels is not None else "",
            measures=self.measures,
            notes=tuple(dict.fromkeys([*self._notes, *maps.notes])),
        )
