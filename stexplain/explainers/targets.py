"""What can be explained: classes, forecasts (see `forecast_target`), one's own scores, or another for every sample."""

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
        if isinstance(which, Tensor | np.ndarray):
            which = which.tolist()
        self.which: int | str | list[int | str] = one_or_several("class", which, int | str)

    def score(self, output: Tensor, told: OutputInfo = UNKNOWN) -> Scores:
        """See `Target.score`."""
        count = _class_count(output)
        if isinstance(self.which, list):
            chosen = [_index(one, told.classes, count) for one in told.part(self.which, output, "classes")]
        else:
            chosen = [_index(self.which, told.classes, count)] * len(output)
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

    def score(self, output: Tensor, told: OutputInfo = UNKNOWN) -> Scores:
        """See `Target.score`."""
        _class_count(output)
        best = output.max(dim=1)
        return Scores(best.values, best.indices)

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

    def score(self, output: Tensor, told: OutputInfo = UNKNOWN) -> Scores:
        """See `Target.score`."""
        ahead = Class(self.ahead).score(output, told)
        behind = Class(self.behind).score(output, told)
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

    def score(self, output: Tensor, told: OutputInfo = UNKNOWN) -> Scores:
        """See `Target.score`."""
        targets: list[Target] = told.part(self.targets, output, "targets")
        start = 0 if told.rows is None else told.rows.start
        samples = len(self.targets)
        found = []
        for row, target in enumerate(targets):
            one = replace(told, rows=slice(start + row, start + row + 1), samples=samples)
            found.append(target.score(output[row : row + 1], one))
        return Scores(torch.cat([each.scores for each in found]), torch.cat([each.classes for each in found]))

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

    def score(self, output: Tensor, told: OutputInfo = UNKNOWN) -> Scores:
        """See `Target.score`."""
        scores = self.function(output)
        if not isinstance(scores, Tensor) or scores.shape != output.shape[:1]:
            came = tuple(scores.shape) if isinstance(scores, Tensor) else type(scores).__name__
            raise InputError(
                f"the target {self.text()} gave {came} for an output of shape {tuple(output.shape)}; "
                f"wanted one score per sample, ({len(output)},)."
            )
        return Scores(scores, torch.full((len(output),), -1, device=output.device))

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
    if isinstance(target, str | int | np.integer):
        raise InputError(f"the target is {target!r}; wanted a target. Is Class({target!r}) meant?")
    if not callable(target):
        raise InputError(
            f"the target is {target!r}; wanted Class(...), Predicted(), Margin(..., ...), Forecast(..., ...) "
            "or a function of the output."
        )
    return Custom(target)


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
