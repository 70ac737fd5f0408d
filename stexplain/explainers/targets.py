"""The targets of an explanation: classes, margins, forecasts (see `forecast_target`), custom scores."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from stexplain.errors import InputError, unknown
from stexplain.explainers.forecast_target import Forecast as Forecast
from stexplain.explainers.target import UNKNOWN as UNKNOWN
from stexplain.explainers.target import OutputInfo as OutputInfo
from stexplain.explainers.target import Scores as Scores
from stexplain.explainers.target import Target as Target
from stexplain.explainers.target import one_or_several


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
        # Python's own numbers: labels often come as a tensor.
        if isinstance(which, Tensor | np.ndarray):
            which = which.tolist()
        self.which: int | str | list[int | str] = one_or_several("class", which, int | str)

    def score(self, output: Tensor, info: OutputInfo = UNKNOWN) -> Scores:
        """See `Target.score`."""
        count = _class_count(output)
        if isinstance(self.which, list):
            chosen = [_index(one, info.classes, count) for one in info.entries_of_rows(self.which, output, "classes")]
        else:
            chosen = [_index(self.which, info.classes, count)] * len(output)
        classes = torch.tensor(chosen, dtype=torch.int64, device=output.device)
        return Scores(output.gather(1, classes[:, None])[:, 0], classes)

    def text(self) -> str:
        """See `Target.text`."""
        return "one class per sample" if isinstance(self.which, list) else f"class {self.which!r}"


class Predicted(Target):
    """The logit of the class that the model predicts, per sample.

    Example:
        >>> Predicted()(torch.tensor([[1.0, 2.0], [4.0, 3.0]])).tolist()
        [2.0, 4.0]
    """

    def score(self, output: Tensor, info: OutputInfo = UNKNOWN) -> Scores:
        """See `Target.score`."""
        _class_count(output)
        # Differentiable in the largest logit alone.
        best = output.max(dim=1)
        return Scores(best.values, best.indices)

    def text(self) -> str:
        """See `Target.text`."""
        return "the predicted class"


class Margin(Target):
    """The margin of one class over another: the difference of their logits.

    Args:
        ahead: the class whose logit is counted positive, an index or a name; the explanation is of this class.
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

    def score(self, output: Tensor, info: OutputInfo = UNKNOWN) -> Scores:
        """See `Target.score`."""
        # Logits, not probabilities: a softmax mixes in all other classes.
        ahead = Class(self.ahead).score(output, info)
        behind = Class(self.behind).score(output, info)
        return Scores(ahead.scores - behind.scores, ahead.classes)

    def text(self) -> str:
        """See `Target.text`."""
        return f"class {self.ahead!r} ahead of class {self.behind!r}"


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

    def score(self, output: Tensor, info: OutputInfo = UNKNOWN) -> Scores:
        """See `Target.score`."""
        targets: list[Target] = info.entries_of_rows(self.targets, output, "targets")
        start = 0 if info.rows is None else info.rows.start
        samples = len(self.targets)
        scores = []
        for row, target in enumerate(targets):
            # To a target of its own, each sample is one row of the whole batch.
            one = replace(info, rows=slice(start + row, start + row + 1), samples=samples)
            scores.append(target.score(output[row : row + 1], one))
        return Scores(torch.cat([each.scores for each in scores]), torch.cat([each.classes for each in scores]))

    def text(self) -> str:
        """See `Target.text`."""
        return "one target per sample"


class Custom(Target):
    """A custom score: a function of the model's output.

    Args:
        function: the model's output to scores ``[B]``, differentiable, every sample by itself.

    Raises:
        InputError: (when called) where the function does not return one score per sample.

    Example:
        >>> Custom(lambda output: output.square().sum(1))(torch.tensor([[1.0, 3.0]])).tolist()
        [10.0]
    """

    def __init__(self, function: Callable[[Tensor], Tensor]):
        self.function = function

    def score(self, output: Tensor, info: OutputInfo = UNKNOWN) -> Scores:
        """See `Target.score`."""
        scores = self.function(output)
        if not isinstance(scores, Tensor) or scores.shape != output.shape[:1]:
            got = tuple(scores.shape) if isinstance(scores, Tensor) else type(scores).__name__
            raise InputError(
                f"target {self.text()} returned {got} for an output of shape {tuple(output.shape)}; "
                f"expected one score per sample, ({len(output)},)."
            )
        return Scores(scores, torch.full((len(output),), -1, device=output.device))

    def text(self) -> str:
        """See `Target.text`."""
        return getattr(self.function, "__name__", type(self.function).__name__)


def as_target(target: "Target | Callable[[Tensor], Tensor]") -> Target:
    """The target itself, or a `Custom` target of a function.

    Raises:
        InputError: where it is neither.
    """
    if isinstance(target, Target):
        return target
    if isinstance(target, type):
        raise InputError(f"target: got the class {target.__name__}; expected an instance: {target.__name__}(...).")
    # Not taken for Class(target): a node's index or name is often meant.
    if isinstance(target, str | int | np.integer):
        raise InputError(f"target: got {target!r}; expected a target, such as Class({target!r}).")
    if not callable(target):
        raise InputError(
            f"target: got {target!r}; expected Class(...), Predicted(), Margin(..., ...), Forecast(..., ...) "
            "or a function of the output."
        )
    return Custom(target)


def _class_count(output: Tensor) -> int:
    """The number of classes of an output, checked to be ``[samples, classes]``."""
    if output.ndim != 2:
        raise InputError(
            f"the model's output has shape {tuple(output.shape)}; a class target expects [samples, classes]. "
            "Give Forecast(node, horizon), or a function of the output, as target."
        )
    return int(output.shape[1])


def _index(which: int | str, names: Sequence[str], count: int) -> int:
    """The index of a class by its name or index, checked to exist."""
    if isinstance(which, str):
        if not names:
            raise InputError(f"class {which!r} is unknown: the model has no class names. Give `classes`, or an index.")
        if which not in names:
            raise unknown("class", which, names)
        return list(names).index(which)
    if not 0 <= which < count:
        raise InputError(f"there is no class {which}: the model has {count}, counted from 0 to {count - 1}.")
    return int(which)
