"""The targets of an explanation: classes, margins, forecasts, custom scores; and what is taken for one of them."""

import inspect
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from stexplain.axes import Layout
from stexplain.checking import check_arguments, checked_kept
from stexplain.checking.words import shown
from stexplain.errors import InputError
from stexplain.explainers.class_targets import Class as Class
from stexplain.explainers.class_targets import LogOdds as LogOdds
from stexplain.explainers.class_targets import Margin as Margin
from stexplain.explainers.class_targets import Output as Output
from stexplain.explainers.class_targets import Predicted as Predicted
from stexplain.explainers.forecast_target import Forecast as Forecast
from stexplain.explainers.forecast_target import NodeClass as NodeClass
from stexplain.explainers.outputs.model_output import ModelOutput
from stexplain.explainers.outputs.nested import shapes_of, tensors_in
from stexplain.explainers.outputs.precision import full_precision
from stexplain.explainers.target import UNKNOWN as UNKNOWN
from stexplain.explainers.target import OutputInfo as OutputInfo
from stexplain.explainers.target import Scores as Scores
from stexplain.explainers.target import Target as Target
from stexplain.explainers.target import TargetLike as TargetLike
from stexplain.explainers.target import class_notes


@checked_kept
class PerSample(Target):
    """Another target for every sample of a batch.

    Args:
        targets: one for every sample: targets, functions, or classes by index or name.

    Raises:
        InputError: (when called) where there are more or fewer than samples.

    Example:
        >>> PerSample([Predicted(), Margin(0, 1)])(torch.tensor([[1.0, 2.0], [4.0, 3.0]])).tolist()
        [2.0, 1.0]
        >>> PerSample([1, Predicted()])(torch.tensor([[5.0, 2.0], [4.0, 3.0]])).tolist()
        [2.0, 4.0]
    """

    def __init__(self, targets: Sequence[TargetLike]):
        self.targets = [as_target(target) for target in targets]

    def score(self, output: Tensor, info: OutputInfo = UNKNOWN) -> Scores:
        """See `Target.score`."""
        return self.score_output(ModelOutput(output, len(output)), info)

    def score_output(self, output: ModelOutput, info: OutputInfo = UNKNOWN) -> Scores:
        """See `Target.score_output`."""
        targets: list[Target] = info.entries_of_rows(self.targets, output.samples, "targets")
        start = 0 if info.rows is None else info.rows.start
        samples = len(self.targets)
        scores = []
        for row, target in enumerate(targets):
            # To a target of its own, each sample is one row of the whole batch.
            one = replace(info, rows=slice(start + row, start + row + 1), samples=samples)
            scores.append(target.score_output(output.rows(row, row + 1), one))
        return Scores(torch.cat([each.scores for each in scores]), torch.cat([each.classes for each in scores]))

    @property
    def linear(self) -> bool:  # type: ignore[override]  # it follows from the targets
        """See `Target`."""
        return all(target.linear for target in self.targets)

    def fixed(self, classes: "int | Sequence[int]") -> Target:
        """See `Target.fixed`.

        Raises:
            InputError: where there is not one class per target.
        """
        each = [classes] * len(self.targets) if isinstance(classes, int) else classes
        if len(each) != len(self.targets):
            raise InputError(f"classes: got {len(each)}; expected one of each of {len(self.targets)} targets.")
        pairs = zip(self.targets, each, strict=True)
        return PerSample([one if index < 0 else one.fixed(index) for one, index in pairs])

    def notes(self, output: ModelOutput, info: OutputInfo = UNKNOWN) -> tuple[str, ...]:
        """See `Target.notes`."""
        return tuple(dict.fromkeys(note for target in self.targets for note in target.notes(output, info)))

    @property
    def needs_layout(self) -> bool:
        """See `Target`."""
        return any(target.needs_layout for target in self.targets)

    def with_layout(self, layout: Layout) -> Target:
        """See `Target.with_layout`."""
        return PerSample([target.with_layout(layout) if target.needs_layout else target for target in self.targets])

    def nodes_read(self, info: OutputInfo) -> frozenset[int] | None:
        """See `Target.nodes_read`."""
        of_each = [target.nodes_read(info) for target in self.targets]
        known = [nodes for nodes in of_each if nodes is not None]
        return frozenset().union(*known) if len(known) == len(of_each) else None

    def text(self) -> str:
        """See `Target.text`."""
        return "one target per sample"


@checked_kept
class Custom(Target):
    """A custom score: a function of what the model returned.

    Args:
        function: from what the model returned, as it is, to scores ``[B]``, differentiable, every sample by itself.
            It is called on outputs for the samples of the batch, or a chunk of it: also where a method runs the model
            on several copies of them.

    Raises:
        InputError: (when called) where the function does not return one score per sample.

    Example:
        >>> Custom(lambda output: output.square().sum(1))(torch.tensor([[1.0, 3.0]])).tolist()
        [10.0]
    """

    def __init__(self, function: Callable[[Any], Tensor]):
        check_arguments(Custom.__init__, function=function)
        if inspect.isclass(function):
            raise InputError(f"function: got {shown(function)}; expected a function, or an object that is called.")
        self.function = function

    def score(self, output: Tensor, info: OutputInfo = UNKNOWN) -> Scores:
        """See `Target.score`."""
        return self.score_output(ModelOutput(output, len(output)), info)

    def score_output(self, output: ModelOutput, info: OutputInfo = UNKNOWN) -> Scores:
        """See `Target.score_output`.

        Raises:
            InputError: where the function gives something else than one score per sample.
        """
        scores = self.function(output.raw)
        # One number for the one sample of a model that knows no batches.
        if isinstance(scores, Tensor) and scores.ndim == 0 and output.samples == 1:
            scores = scores[None]
        if not isinstance(scores, Tensor) or scores.shape != (output.samples,):
            got = tuple(scores.shape) if isinstance(scores, Tensor) else type(scores).__name__
            raise InputError(
                f"target {self.text()} returned {got} for {shapes_of(output.raw)}; "
                f"expected one score per sample, ({output.samples},)."
            )
        if scores.is_complex():
            raise InputError(
                f"target {self.text()} returned complex numbers; expected real ones. Use .abs(), or the real part."
            )
        return Scores(_as_the_output(scores, output.raw), torch.full((output.samples,), -1, device=scores.device))

    def text(self) -> str:
        """See `Target.text`."""
        return getattr(self.function, "__name__", type(self.function).__name__)


def _as_the_output(scores: Tensor, output: Any) -> Tensor:
    """Scores in the floating type of what they were computed from, in float32 at least: methods subtract them."""
    kinds = [tensor.dtype for tensor in tensors_in(output).values() if tensor.is_floating_point()]
    return full_precision(scores.to(kinds[0] if kinds else torch.float32))


class _TakenForClass(Class):
    """A class that was given as a bare number or name, which may have meant a node."""

    def notes(self, output: ModelOutput, info: OutputInfo = UNKNOWN) -> tuple[str, ...]:
        """See `Target.notes`."""
        return class_notes(output, info)


def as_target(target: TargetLike | None) -> Target:
    """The target itself, or the one that is meant by a class, by none, or by a function.

    Args:
        target: a target; an index or a name for `Class` of it; a tensor or array of indices, ``[B]``, for one class
            per sample, such as labels; none for `Predicted`; a function of the output for `Custom`.

    Raises:
        InputError: where it is none of these.

    Example:
        >>> as_target("jump"), as_target(torch.tensor([0, 2])), as_target(None)
        (<target: class 'jump'>, <target: one class per sample>, <target: the predicted class>)
    """
    if target is None:
        return Predicted()
    if isinstance(target, Target):
        return target
    if isinstance(target, type):
        raise InputError(f"target: got the class {target.__name__}; expected an instance: {target.__name__}(...).")
    if isinstance(target, Tensor | np.ndarray):
        indices = np.asarray(target.detach().cpu()) if isinstance(target, Tensor) else target
        if indices.ndim > 1 or indices.dtype.kind not in "iuU":
            raise InputError(
                f"target: got {indices.dtype} of shape {indices.shape}; expected indices of classes, whole numbers of "
                "shape [samples], or one of them."
            )
        return _TakenForClass(indices.tolist())
    # bool is a subclass of int, and no index.
    if isinstance(target, str | int | np.integer) and not isinstance(target, bool):
        return _TakenForClass(target if isinstance(target, str) else int(target))
    if not callable(target):
        raise InputError(
            f"target: got {target!r}; expected a class, by index or name, Class(...), Predicted(), Margin(..., ...), "
            "Forecast(..., ...) or a function of the output."
        )
    return Custom(target)


def as_targets(target: TargetLike | Sequence[TargetLike] | None) -> tuple[list[Target], bool]:
    """One target or several, and whether it was a list of them.

    Raises:
        InputError: where a list is empty, or of numbers or names alone: whether it means one class per sample, or one
            explanation of each, is not to be seen.
    """
    # A string is a sequence too.
    if isinstance(target, str) or not isinstance(target, Sequence):
        return [as_target(target)], False
    if not target:
        raise InputError("target: got an empty list; expected at least one target.")
    if all(isinstance(one, str | int | np.integer) for one in target):
        listed = ", ".join(f"Class({one!r})" for one in target[:2])
        raise InputError(
            f"target: got a list of classes, {list(target)[:3]!r}; expected Class({list(target)[:3]!r}) for one class "
            f"per sample, or [{listed}] for one explanation of each."
        )
    return [as_target(one) for one in target], True
