"""What all explainers share: they are called on samples and targets, and put maps together."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, overload

import numpy as np
import torch
from torch import Tensor

from stexplain.errors import InputError
from stexplain.explainers.explanation import Explanation, joined
from stexplain.explainers.model.caller import ModelCaller
from stexplain.explainers.model.caller import ModelInput as ModelInput
from stexplain.explainers.model.caller import Signals as Signals
from stexplain.explainers.model.caller import TargetLike as TargetLike
from stexplain.explainers.model.caller import model_attribute as model_attribute
from stexplain.explainers.targets import Scores, Target, as_target


@dataclass(frozen=True)
class Maps:
    """What a method makes of some samples: see the attributes of `Explanation` of the same names."""

    values: Tensor
    scored: Scores | None = None
    layer_values: Tensor | None = None
    stride: int = 1
    padding_share: Tensor | None = None
    extra: Mapping[str, Tensor] = field(default_factory=dict)


class Explainer(ModelCaller, ABC):
    """An explainer is called on samples and gives an `Explanation`.

    As a context manager it holds the model in eval mode and frozen for as long as the block lasts; a call outside of
    one does the same for itself. Nothing about the model is changed afterwards, also after an error.

    Args:
        model: any module. Where it is wrapped by `torch.compile` or `DataParallel`, the module inside is asked.
        inputs: the layout of its input, such as ``"b c t n m"``; default: `model.inputs`, else ``"b m t n c"``.
        graph: of the nodes; default: `model.graph`.
        classes: names of the classes; default: `model.class_names`.
        chunk: how many samples are worked on at a time, where memory is short; default: all.
    """

    method: str = ""

    @overload
    def __call__(
        self,
        x: Signals,
        *,
        target: TargetLike,
        valid: Any = None,
        shared: Mapping[str, Any] | None = None,
        per_sample: Mapping[str, Any] | None = None,
    ) -> Explanation: ...
    @overload
    def __call__(
        self,
        x: Signals,
        *,
        target: Sequence[TargetLike],
        valid: Any = None,
        shared: Mapping[str, Any] | None = None,
        per_sample: Mapping[str, Any] | None = None,
    ) -> list[Explanation]: ...
    def __call__(
        self,
        x: Signals,
        *,
        target: TargetLike | Sequence[TargetLike],
        valid: Any = None,
        shared: Mapping[str, Any] | None = None,
        per_sample: Mapping[str, Any] | None = None,
    ) -> Explanation | list[Explanation]:
        """Explains samples.

        Args:
            x: a `Sample`, a `Batch`, or a tensor in the model's own layout, which goes in untouched (apart from the
                model's device and floating type). Samples of a dataset that are as recorded are sampled by the
                model's recipe first, where it has one.
            target: `Class(...)`, `Predicted()`, `Margin(..., ...)`, `Forecast(..., ...)`, or a function of the
                output; or a list of them, which share the forward pass.
            valid: which frames of which instance hold a reading, ``[B, M, T]``; default: those of the sample, else
                all. It is given to the model where its forward takes `valid`.
            shared: further arguments of the model's forward by name, the same for all samples, such as
                ``{"edge_index": edges}``.
            per_sample: further arguments of the model's forward by name, each with B entries along its first axis.

        Returns:
            An explanation; for a list of targets one for each.

        Raises:
            InputError: where a shape, a name or a value does not fit; says what came and what was wanted.
        """
        if isinstance(target, str) or not isinstance(target, Sequence):
            return self._all(x, [as_target(target)], valid, shared, per_sample)[0]
        if not target:
            raise InputError("the list of targets is empty. Give at least one target.")
        return self._all(x, [as_target(one) for one in target], valid, shared, per_sample)

    def _all(
        self,
        x: Signals,
        goals: Sequence[Target],
        valid: Any,
        shared: Mapping[str, Any] | None,
        per_sample: Mapping[str, Any] | None,
    ) -> list[Explanation]:
        if self.model is None:
            asked = self._read(x, valid)
            return [self._explanation(asked, self._maps(asked, _unscored), goal) for goal in goals]
        with self._computing():
            asked = self._read(x, valid, shared, per_sample)
            done: list[list[Explanation]] = [[] for _ in goals]
            for part, readings in self._parts(asked, goals):
                for goal, maps, parts in zip(goals, self._several(part, readings), done, strict=True):
                    parts.append(self._explanation(part, maps, goal))
        return [joined(parts) for parts in done]

    def _several(self, asked: ModelInput, readings: Sequence[Callable[[Any], Scores]]) -> list[Maps]:
        """The maps of some samples for several targets; a method that can share work between them overrides this."""
        return [self._maps(asked, scored) for scored in readings]

    @abstractmethod
    def _maps(self, asked: ModelInput, scored: Callable[[Any], Scores]) -> Maps:
        """The maps of some samples.

        Args:
            asked: the samples.
            scored: the target: the model's output to scores.
        """

    def _explanation(self, asked: ModelInput, maps: Maps, goal: Target) -> Explanation:
        valid = asked.known_valid
        there = valid[..., None] if asked.observed is None else valid[..., None] & asked.observed
        return Explanation(
            values=_array(torch.where(there, maps.values, 0)),
            valid=_array(valid, np.bool_),
            node_names=() if self.graph is None else tuple(self.graph.nodes),
            method=self.method or type(self).__name__,
            target=goal.text() if maps.scored is not None else "",
            targets=_array(None if maps.scored is None else maps.scored.classes, np.int64),
            score=_array(None if maps.scored is None else maps.scored.scores),
            ids=asked.ids,
            classes=self.classes,
            layer=self._layer_name,
            layer_values=_array(maps.layer_values),
            stride=maps.stride,
            padding_share=_array(maps.padding_share),
            graph=self.graph,
            extra={name: _array(value) for name, value in maps.extra.items()},
        )

    @property
    def _layer_name(self) -> str:
        return ""


def padding_share_of(values: Tensor, ok: Tensor) -> Tensor:
    """The share of ``|H|`` that lies where `ok` is false: values ``[B, M, T, N]``, ok ``[B, M, T]``, to ``[B]``."""
    size = values.detach().abs().sum(-1)
    total = size.sum((1, 2))
    return torch.where(ok, 0, size).sum((1, 2)) / torch.where(total > 0, total, 1)


def _unscored(_: Any) -> Scores:
    raise AssertionError("a control asks no model")


def _array(tensor: Tensor | None, kind: Any = np.float32) -> Any:
    return None if tensor is None else tensor.detach().cpu().numpy().astype(kind)
