"""What a target is: a score per sample, computed from the model's output. Scores are logits, never probabilities."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from stexplain.axes import Layout
from stexplain.checking import checked
from stexplain.errors import InputError, unknown
from stexplain.explainers.outputs.model_output import ModelOutput
from stexplain.explainers.outputs.probabilities import notes_of_probabilities
from stexplain.wording import an


@checked
@dataclass(frozen=True)
class OutputInfo:
    """What is known of a model's output, which a target needs to compute its scores.

    Attributes:
        classes: the names of the classes.
        nodes: the names of the nodes.
        groups: the nodes of each group.
        layout: of the output of a forecaster, over b, t (the horizon), n and c; none: not known.
        rows: which samples of the batch the output is of, where a batch is worked through in chunks; none: all.
        samples: how many the whole batch has; none: as many as the output.
        node_count: how many nodes the samples have; 0: not known.

    Example:
        >>> from stexplain.explainers.class_targets import Class
        >>> info = OutputInfo(classes=("walk", "wave"))
        >>> Class("wave").score(torch.tensor([[2.0, 0.5]]), info).scores.tolist()
        [0.5]
    """

    classes: tuple[str, ...] = ()
    nodes: tuple[str, ...] = ()
    groups: Mapping[str, Sequence[str]] = field(default_factory=dict)
    layout: Layout | None = None
    rows: slice | None = None
    samples: int | None = None
    node_count: int = 0

    def entries_of_rows(self, per_sample: Sequence[Any] | Tensor, count: int, noun: str) -> Any:
        """The entries of the samples in `rows`, of something that has one per sample of the batch.

        Args:
            per_sample: an entry per sample of the whole batch.
            count: how many samples the output is of.
            noun: what the entries are, for the message.

        Raises:
            InputError: where it has not one entry per sample.
        """
        samples = count if self.samples is None else self.samples
        if len(per_sample) != samples:
            raise InputError(
                f"target: got {len(per_sample)} {noun} for {samples} samples; expected one, or one for every sample."
            )
        # A slice of a list or a tensor alike.
        return per_sample[self.rows or slice(None)]


UNKNOWN = OutputInfo()
"""Nothing is known of the output."""


class Scores(NamedTuple):
    """The scores of a target.

    Attributes:
        scores: ``[B]``, differentiable in the output.
        classes: the class that each score is of, ``[B]`` int64; -1 where it is of none.

    Example:
        >>> from stexplain.explainers.class_targets import Predicted
        >>> Predicted().score(torch.tensor([[2.0, 0.5], [1.0, 3.0]]))
        Scores(scores=tensor([2., 3.]), classes=tensor([0, 1]))
    """

    scores: Tensor
    classes: Tensor


@checked
class Target(ABC):
    """A score per sample. Called on an output, such as ``[B, classes]``, it gives scores ``[B]``.

    Attributes:
        linear: whether the scores of given classes are linear in the output. The copies that a method makes are then
            scored by their gradient, else by what `fixed` gives.

    Example:
        >>> class Difference(Target):
        ...     def score(self, output, info=UNKNOWN):
        ...         return Scores(output[:, 1] - output[:, 0], torch.ones(len(output), dtype=torch.int64))
        ...
        ...     def text(self):
        ...         return "class 1 over class 0"
        >>> Difference(), Difference()(torch.tensor([[1.0, 4.0]])).tolist()
        (<target: class 1 over class 0>, [3.0])
    """

    linear: bool = True

    @abstractmethod
    def score(self, output: Tensor, info: OutputInfo = UNKNOWN) -> Scores:
        """The scores and which class each is of.

        Args:
            output: of the model.
            info: what is known of it.

        Raises:
            InputError: where the target does not fit the output.
        """

    def score_output(self, output: ModelOutput, info: OutputInfo = UNKNOWN) -> Scores:
        """The scores of what a model returned, which may be a tuple, a dict or an object.

        Most targets read one tensor of it, samples first. A target that needs more than that overrides this.

        Args:
            output: of the model.
            info: what is known of it.

        Raises:
            InputError: where the target does not fit the output.
        """
        return self.score(output.tensor, info)

    def fixed(self, classes: "int | Sequence[int]") -> "Target":
        """The same target for classes that it chose itself: itself, unless it chooses.

        Args:
            classes: one for every sample of the batch, or one for all; -1 where it chose none.
        """
        return self

    def notes(self, output: ModelOutput, info: OutputInfo = UNKNOWN) -> tuple[str, ...]:
        """Sentences for the user on what this target means for this output.

        Args:
            output: of the model.
            info: what is known of it.
        """
        return ()

    def nodes_read(self, info: OutputInfo) -> "frozenset[int] | None":
        """The nodes whose entries of the output the scores depend on, by index; none: not known, so perhaps all.

        Args:
            info: what is known of the output, its `layout` and `node_count` too.

        Raises:
            InputError: where a node does not exist.
        """
        return None

    @property
    def needs_layout(self) -> bool:
        """Whether the target must know how the model lays out its output, and does not."""
        return False

    def with_layout(self, layout: Layout) -> "Target":
        """The same target of an output that is laid out so, for one that needs to know it."""
        return self

    @abstractmethod
    def text(self) -> str:
        """The target in words, for an explanation."""

    def __call__(self, output: Tensor) -> Tensor:
        """The scores alone."""
        return self.score(output).scores

    def __repr__(self) -> str:
        return f"<target: {self.text()}>"


TargetLike = Target | Callable[[Any], Tensor] | int | str | Tensor | NDArray[Any]
"""A target, or what `as_target` makes one of: a class, classes of samples, or a function of what the model returned."""


def one_or_several(name: str, given: Any, kind: Any) -> Any:
    """What was given, or a list of it, in Python's own types.

    Args:
        name: of the argument, for the message.
        given: one, or several of them.
        kind: of each: `int`, or ``int | str``.

    Raises:
        InputError: where anything is of another kind.

    Example:
        >>> one_or_several("node", "s7", int | str), one_or_several("horizon", np.arange(1, 3), int)
        ('s7', [1, 2])
    """
    # A string is iterable, but one name.
    several = not isinstance(given, str) and isinstance(given, Iterable)
    values = [one.item() if isinstance(one, np.generic) else one for one in (given if several else [given])]
    for value in values:
        # bool is a subclass of int, and no index.
        if isinstance(value, bool) or not isinstance(value, kind):
            expected = "a number, counted from 1," if kind is int else "a name or an index,"
            raise InputError(
                f"{name}: got {value!r}, {an(type(value).__name__)}; expected {expected} or a list of them."
            )
    return values if several else values[0]


def class_scores(logits: Tensor, which: Any, info: OutputInfo) -> Scores:
    """The logits of classes.

    Args:
        logits: ``[B, classes]``; a single one is that of class 1 against class 0.
        which: a class by index or name, or one per sample of the batch; none: the predicted one.
        info: what is known of the output.

    Raises:
        InputError: where there is no such class, or another number of names than of classes.

    Example:
        >>> import torch
        >>> class_scores(torch.tensor([[-3.0]]), None, UNKNOWN)
        Scores(scores=tensor([3.]), classes=tensor([0]))
    """
    single = logits.shape[1] == 1
    if not logits.shape[1]:
        raise InputError("the model's output has no class: got [B, 0]; expected one logit at least.")
    if info.classes and len(info.classes) != logits.shape[1] and not (single and len(info.classes) == 2):
        # An output would be called by the name of another.
        raise InputError(
            f"classes: got {len(info.classes)} names of classes for {logits.shape[1]} outputs of the model; expected "
            "one each. Give `classes`, or the model `class_names`, in the order of the outputs; classes=[] names them "
            "by their index."
        )
    if which is None:
        if not single:
            # Differentiable in the largest logit alone.
            best = logits.max(dim=1)
            return Scores(best.values, best.indices)
        classes = (logits[:, 0] > 0).long()
    else:
        each = info.entries_of_rows(which, len(logits), "classes") if isinstance(which, list) else [which] * len(logits)
        indices = [class_index(one, info.classes, logits.shape[1]) for one in each]
        classes = torch.tensor(indices, dtype=torch.int64, device=logits.device)
    if single:
        return Scores(torch.where(classes == 1, logits[:, 0], -logits[:, 0]), classes)
    return Scores(logits.gather(1, classes[:, None])[:, 0], classes)


_TAKEN = "were taken for classes"


def class_notes(output: ModelOutput, info: OutputInfo) -> tuple[str, ...]:
    """What to say where entries of an output are taken for classes, and may be something else."""
    entries, nodes, notes = output.tensor.shape[1:], info.node_count, notes_of_probabilities(output)
    # Names of classes say what the entries are.
    if len(entries) != 1 or nodes < 2 or entries[0] % nodes or not entries[0] or info.classes:
        return notes
    steps = entries[0] // nodes
    if steps == 1:
        return (
            *notes,
            f"The output has {nodes} entries, as many as there are nodes, and they {_TAKEN}. Where they "
            "are values of nodes, give Forecast(node, horizon=1, layout='b n'); where they are classes, name them by "
            "`classes`.",
        )
    # Any even number of classes has as many for each of two nodes.
    if nodes == 2:
        return notes
    return (
        *notes,
        f"The output has {entries[0]} entries, {steps} times as many as there are nodes, and they "
        f"{_TAKEN}. Where they are forecasts of {steps} steps, give Forecast(node, horizon, layout='b (t n)'), or "
        "'b (n t)' where the steps of a node lie beside each other; where they are classes, name them by `classes`.",
    )


def refuse_classes_of_windows(notes: Sequence[str], nodes: int) -> None:
    """Refuses to take values of nodes for classes where nobody asked for a class, and samples are windows of a series.

    Args:
        notes: of the explanation, see `class_notes`.
        nodes: how many there are.

    Raises:
        InputError: with the target to give.
    """
    if any(_TAKEN in note for note in notes):
        raise InputError(
            f"target: got none, and the model gives a number for each of {nodes} nodes of windows of a series; "
            "expected which one is explained, such as target=Forecast(node, horizon=1). Where the numbers are classes, "
            "give target=Predicted()."
        )


def class_index(which: int | str, names: Sequence[str], count: int) -> int:
    """The index of a class by its name or index, checked to exist."""
    if isinstance(which, str):
        if not names:
            raise InputError(f"class {which!r} is unknown: the model has no class names. Give `classes`, or an index.")
        if which not in names:
            raise unknown("class", which, names)
        # A single logit with one name is the logit of what it names, class 1.
        return list(names).index(which) + (count == len(names) == 1)
    # A single logit tells two classes apart.
    count = 2 if count == 1 else count
    if not 0 <= which < count:
        raise InputError(f"there is no class {which}: the model has {count}; expected 0 to {count - 1}.")
    return int(which)
