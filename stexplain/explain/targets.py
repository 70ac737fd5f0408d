"""What is explained: a score per sample, read from the model's output. Scores are logits, never probabilities."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from stexplain.axes import Layout
from stexplain.errors import InputError, unknown


@dataclass(frozen=True)
class OutputInfo:
    """What is known of a model's output, for a target to read it by.

    Attributes:
        classes: the names of the classes.
        nodes: the names of the nodes.
        groups: the nodes of each group.
        layout: of the output of a forecaster, over b, t (the horizon), n and c; none: not known.
        rows: which samples of the batch the output is of, where a batch is worked through in parts; none: all.
        samples: how many the whole batch has; none: as many as the output.
    """

    classes: tuple[str, ...] = ()
    nodes: tuple[str, ...] = ()
    groups: Mapping[str, Sequence[str]] = field(default_factory=dict)
    layout: Layout | None = None
    rows: slice | None = None
    samples: int | None = None

    def part(self, what: Sequence[Any] | Tensor, output: Tensor, name: str) -> Any:
        """Of something that has an entry per sample of the batch, the entries of the samples in `rows`.

        Raises:
            InputError: where it has not one entry per sample.
        """
        samples = len(output) if self.samples is None else self.samples
        if len(what) != samples:
            raise InputError(
                f"the target names {len(what)} {name} for {samples} samples. Name one, or one for every sample."
            )
        return what[self.rows or slice(None)]


class Scored(NamedTuple):
    """What a target reads from an output.

    Attributes:
        scores: ``[B]``, differentiable in the output.
        classes: the class that each score is of, ``[B]`` int64; -1 where it is of none.
    """

    scores: Tensor
    classes: Tensor


class Target(ABC):
    """A score per sample. Called on an output, such as ``[B, classes]``, it gives scores ``[B]``."""

    @abstractmethod
    def score(self, output: Tensor, told: OutputInfo = OutputInfo()) -> Scored:
        """The scores and which class each is of.

        Args:
            output: of the model.
            told: what is known of it.

        Raises:
            InputError: where the target does not fit the output.
        """

    @abstractmethod
    def text(self) -> str:
        """The target in words, as it stands in an explanation."""

    def __call__(self, output: Tensor) -> Tensor:
        """The scores alone."""
        return self.score(output).scores

    def __repr__(self) -> str:
        return f"<target: {self.text()}>"


class Class(Target):
    """The logit of one class, or of one class per sample.

    Args:
        which: an index, a class name, or one of them per sample.

    Raises:
        InputError: (when called) for a class that does not exist, or another number of classes than of samples.

    Example:
        >>> output = torch.tensor([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])
        >>> Class(2)(output).tolist(), Class([0, 1])(output).tolist()
        ([3.0, 6.0], [1.0, 5.0])
    """

    def __init__(self, which: "int | str | Sequence[int | str] | NDArray[np.integer] | Tensor"):
        if isinstance(which, Tensor | np.ndarray):
            which = which.tolist()
        self.which: int | str | list[int | str] = which if isinstance(which, int | str) else list(which)

    def score(self, output: Tensor, told: OutputInfo = OutputInfo()) -> Scored:
        """See `Target.score`."""
        count = _class_count(output)
        if isinstance(self.which, list):
            chosen = [_index(one, told.classes, count) for one in told.part(self.which, output, "classes")]
        else:
            chosen = [_index(self.which, told.classes, count)] * len(output)
        classes = torch.tensor(chosen, dtype=torch.int64, device=output.device)
        return Scored(output.gather(1, classes[:, None])[:, 0], classes)

    def text(self) -> str:
        """See `Target.text`."""
        return "one class per sample" if isinstance(self.which, list) else f"class {self.which!r}"


class Predicted(Target):
    """The logit of the class that the model predicts, per sample.

    Example:
        >>> Predicted()(torch.tensor([[1.0, 2.0], [4.0, 3.0]])).tolist()
        [2.0, 4.0]
    """

    def score(self, output: Tensor, told: OutputInfo = OutputInfo()) -> Scored:
        """See `Target.score`."""
        _class_count(output)
        best = output.max(dim=1)
        return Scored(best.values, best.indices)

    def text(self) -> str:
        """See `Target.text`."""
        return "the predicted class"


class Margin(Target):
    """How far one class is ahead of another: the difference of their logits.

    Args:
        ahead: the class whose logit counts, an index or a name; the explanation is listed under it.
        behind: the class whose logit is subtracted.

    Raises:
        InputError: (when called) for a class that does not exist.

    Example:
        >>> Margin(1, 0)(torch.tensor([[1.0, 3.0], [4.0, 3.0]])).tolist()
        [2.0, -1.0]
    """

    def __init__(self, ahead: int | str, behind: int | str):
        self.ahead = ahead
        self.behind = behind

    def score(self, output: Tensor, told: OutputInfo = OutputInfo()) -> Scored:
        """See `Target.score`."""
        ahead = Class(self.ahead).score(output, told)
        behind = Class(self.behind).score(output, told)
        return Scored(ahead.scores - behind.scores, ahead.classes)

    def text(self) -> str:
        """See `Target.text`."""
        return f"class {self.ahead!r} ahead of class {self.behind!r}"


class Forecast(Target):
    """A forecast: the value that a model predicts for a node at a horizon, or the sum of several.

        y[b] = sum over the nodes and horizons named of output[b, horizon, node, channel]  (- minus[b], where given)

    In the units of the output, so that an explanation that is complete is in these units too.

    Args:
        node: a name, an index, the name of a group (its nodes are summed), or a list of any of them.
        horizon: which step ahead, counted from 1, or a list of them.
        channel: which channel of the output; may be left out where there is one.
        minus: a forecast to be compared with, such as that of a baseline: ``[B]``, or an output of the model's shape,
            of which the same entries are summed. The score is the difference.
        layout: how the output is laid out, over b, t (the horizon), n and c, such as ``"b t n"`` or ``"b c n t"``;
            default: `model.outputs`.

    Raises:
        InputError: (when called) for a node, horizon or channel that does not exist, or a layout that does not fit.

    Example:
        >>> output = torch.arange(12.0).view(1, 3, 4)  # one sample, three steps, four nodes
        >>> Forecast(2, 3, layout="b t n")(output).tolist(), Forecast([0, 1], 1, layout="b t n")(output).tolist()
        ([10.0], [1.0])
    """

    def __init__(
        self,
        node: "int | str | Sequence[int | str]",
        horizon: "int | Sequence[int]",
        channel: int | None = None,
        *,
        minus: "ArrayLike | Tensor | None" = None,
        layout: str | None = None,
    ):
        self.node: list[int | str] = [node] if isinstance(node, int | str) else list(node)
        self.horizon = [horizon] if isinstance(horizon, int) else list(horizon)
        self.channel = channel
        self.minus = None if minus is None else torch.as_tensor(np.asarray(minus) if isinstance(minus, list) else minus)
        self.layout = None if layout is None else Layout(layout)
        if not self.node or not self.horizon:
            raise InputError("a forecast of no node or no horizon was asked for. Name at least one of each.")

    def score(self, output: Tensor, told: OutputInfo = OutputInfo()) -> Scored:
        """See `Target.score`."""
        scores = self._sum(output, told)
        if self.minus is not None:
            other = told.part(self.minus, output, "forecasts to compare with").to(output)
            scores = scores - (other if other.ndim == 1 else self._sum(other, told))
        return Scored(scores, torch.full((len(output),), -1, device=output.device))

    def _sum(self, output: Tensor, told: OutputInfo) -> Tensor:
        layout = self.layout or told.layout
        if layout is None:
            raise InputError(
                f"how the model's output of shape {tuple(output.shape)} is laid out is not known. Give it, such as "
                "Forecast(node, horizon, layout='b t n'), where t is the horizon."
            )
        values = layout.to_batch(output)[:, 0]
        steps, nodes, channels = values.shape[1:]
        for step in self.horizon:
            if not 1 <= step <= steps:
                raise InputError(f"there is no horizon {step}: the model forecasts steps 1 to {steps}.")
        if self.channel is None and channels > 1:
            raise InputError(f"the model forecasts {channels} channels. Say which: Forecast(node, horizon, channel).")
        if not 0 <= (self.channel or 0) < channels:
            raise InputError(f"there is no channel {self.channel}: the output has {channels}, counted from 0.")
        chosen = [index for node in self.node for index in _nodes(node, told, nodes)]
        return values[:, [step - 1 for step in self.horizon]][:, :, chosen, self.channel or 0].sum((1, 2))

    def text(self) -> str:
        """See `Target.text`."""
        nodes = " + ".join(str(node) for node in self.node)
        steps = ", ".join(str(step) for step in self.horizon)
        channel = "" if self.channel is None else f", channel {self.channel}"
        return f"the forecast of {nodes} at horizon {steps}{channel}{'' if self.minus is None else ', minus another'}"


class PerSample(Target):
    """Another target for every sample of a batch.

    Args:
        targets: one for every sample.

    Raises:
        InputError: (when called) where there are more or fewer than samples.

    Example:
        >>> PerSample([Predicted(), Margin(0, 1)])(torch.tensor([[1.0, 2.0], [4.0, 3.0]])).tolist()
        [2.0, 1.0]
    """

    def __init__(self, targets: Sequence["Target | Callable[[Tensor], Tensor]"]):
        self.targets = [as_target(target) for target in targets]

    def score(self, output: Tensor, told: OutputInfo = OutputInfo()) -> Scored:
        """See `Target.score`."""
        targets: list[Target] = told.part(self.targets, output, "targets")
        start = 0 if told.rows is None else told.rows.start
        samples = len(self.targets)
        found = []
        for row, target in enumerate(targets):
            one = replace(told, rows=slice(start + row, start + row + 1), samples=samples)
            found.append(target.score(output[row : row + 1], one))
        return Scored(torch.cat([each.scores for each in found]), torch.cat([each.classes for each in found]))

    def text(self) -> str:
        """See `Target.text`."""
        return "one target per sample"


class Custom(Target):
    """A score of one's own.

    Args:
        function: the model's output to scores ``[B]``, differentiable, every sample by itself.

    Raises:
        InputError: (when called) where the function gives anything but one score per sample.

    Example:
        >>> Custom(lambda output: output.square().sum(1))(torch.tensor([[1.0, 3.0]])).tolist()
        [10.0]
    """

    def __init__(self, function: Callable[[Tensor], Tensor]):
        self.function = function

    def score(self, output: Tensor, told: OutputInfo = OutputInfo()) -> Scored:
        """See `Target.score`."""
        scores = self.function(output)
        if not isinstance(scores, Tensor) or scores.shape != output.shape[:1]:
            came = tuple(scores.shape) if isinstance(scores, Tensor) else type(scores).__name__
            raise InputError(
                f"the target {self.text()} gave {came} for an output of shape {tuple(output.shape)}; "
                f"wanted one score per sample, ({len(output)},)."
            )
        return Scored(scores, torch.full((len(output),), -1, device=output.device))

    def text(self) -> str:
        """See `Target.text`."""
        return getattr(self.function, "__name__", type(self.function).__name__)


def as_target(target: "Target | Callable[[Tensor], Tensor]") -> Target:
    """The target, or the one made of a function.

    Raises:
        InputError: where it is neither.
    """
    if isinstance(target, Target):
        return target
    if isinstance(target, type):
        raise InputError(f"the target is the type {target.__name__} itself. Make one: {target.__name__}(...).")
    if not callable(target):
        raise InputError(
            f"the target is {target!r}; wanted Class(...), Predicted(), Margin(..., ...), Forecast(..., ...) "
            "or a function of the output."
        )
    return Custom(target)


def _nodes(node: int | str, told: OutputInfo, count: int) -> list[int]:
    """The indices that a node's name, a group's name or an index means."""
    if isinstance(node, str):
        names = list(told.nodes)
        if node in names:
            return [names.index(node)]
        if node in told.groups:
            return [names.index(name) for name in told.groups[node]]
        if not names:
            raise InputError(f"no graph names the nodes, so {node!r} cannot be found. Give `graph`, or an index.")
        raise unknown("node", node, [*names, *told.groups])
    if not 0 <= node < count:
        raise InputError(f"there is no node {node}: the model has {count}, counted from 0 to {count - 1}.")
    return [node]


def _class_count(output: Tensor) -> int:
    if output.ndim != 2:
        raise InputError(
            f"the model's output has shape {tuple(output.shape)}; a class is read from [samples, classes]. "
            "Give Forecast(node, horizon), or a function of the output, as target."
        )
    return int(output.shape[1])


def _index(which: int | str, names: Sequence[str], count: int) -> int:
    if isinstance(which, str):
        if not names:
            raise InputError(f"the model names no classes, so {which!r} cannot be found. Give `classes`, or an index.")
        if which not in names:
            raise unknown("class", which, names)
        return list(names).index(which)
    if not 0 <= which < count:
        raise InputError(f"there is no class {which}: the model has {count}, counted from 0 to {count - 1}.")
    return int(which)
