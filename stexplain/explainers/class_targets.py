"""Targets that are classes, or entries of an output: a class, the predicted one, margins, log-odds, outputs."""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from stexplain.checking import checked_kept
from stexplain.errors import InputError
from stexplain.explainers.outputs.model_output import ModelOutput
from stexplain.explainers.outputs.probabilities import is_probability, notes_of_probabilities
from stexplain.explainers.target import UNKNOWN, OutputInfo, Scores, Target, class_notes, class_scores, one_or_several


@checked_kept
class Class(Target):
    """The logit of one class, or of one class per sample.

    A single logit, ``[B]`` or ``[B, 1]``, is that of class 1 against class 0: it is the score of class 1, and minus it
    that of class 0. For the output of a regression see `Output`.

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
        return class_scores(_logits(output), self.which, info)

    def text(self) -> str:
        """See `Target.text`."""
        return "one class per sample" if isinstance(self.which, list) else f"class {self.which!r}"

    def notes(self, output: ModelOutput, info: OutputInfo = UNKNOWN) -> tuple[str, ...]:
        """See `Target.notes`."""
        return notes_of_probabilities(output)


@checked_kept
class Predicted(Target):
    """The logit of the class that the model predicts, per sample.

    Of a single logit, ``[B]`` or ``[B, 1]``, it is class 1 where the logit is positive, else class 0, whose score is
    minus the logit.

    Example:
        >>> Predicted()(torch.tensor([[1.0, 2.0], [4.0, 3.0]])).tolist()
        [2.0, 4.0]
        >>> Predicted()(torch.tensor([2.0, -3.0])).tolist()
        [2.0, 3.0]
    """

    def score(self, output: Tensor, info: OutputInfo = UNKNOWN) -> Scores:
        """See `Target.score`."""
        return class_scores(_logits(output), None, info)

    def fixed(self, classes: "int | Sequence[int]") -> Target:
        """See `Target.fixed`."""
        return self if isinstance(classes, int) and classes == -1 else Class(classes)

    def text(self) -> str:
        """See `Target.text`."""
        return "the predicted class"

    def notes(self, output: ModelOutput, info: OutputInfo = UNKNOWN) -> tuple[str, ...]:
        """See `Target.notes`."""
        return class_notes(output, info)


@checked_kept
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
        if _logits(output).shape[1] == 1:
            # A single logit is the difference of two already.
            return Scores(torch.where(ahead.classes == behind.classes, 0, ahead.scores), ahead.classes)
        return Scores(ahead.scores - behind.scores, ahead.classes)

    def text(self) -> str:
        """See `Target.text`."""
        return f"class {self.ahead!r} ahead of class {self.behind!r}"

    def notes(self, output: ModelOutput, info: OutputInfo = UNKNOWN) -> tuple[str, ...]:
        """See `Target.notes`."""
        return notes_of_probabilities(output)


@checked_kept
class Output(Target):
    """An output as it is, such as that of a regression: ``[B]``, ``[B, 1]``, or one of ``[B, K]``.

    Args:
        index: which of several; may be left out where there is one.

    Raises:
        InputError: (when called) where there is no such output.

    Example:
        >>> Output()(torch.tensor([2.0, -3.0])).tolist(), Output(1)(torch.tensor([[1.0, 2.0]])).tolist()
        ([2.0, -3.0], [2.0])
    """

    def __init__(self, index: int | None = None):
        self.index = index

    def score(self, output: Tensor, info: OutputInfo = UNKNOWN) -> Scores:
        """See `Target.score`.

        Raises:
            InputError: where there is no such output, or several and none was named.
        """
        values = _logits(output)
        count = values.shape[1]
        if self.index is None and count > 1:
            raise InputError(f"the model has {count} outputs. Give one, such as Output(0).")
        if not 0 <= (self.index or 0) < count:
            raise InputError(f"index: got {self.index}; expected 0 to {count - 1}, the outputs of the model.")
        return Scores(values[:, self.index or 0], torch.full((len(values),), -1, device=values.device))

    def text(self) -> str:
        """See `Target.text`."""
        return "the output" if self.index is None else f"output {self.index}"


@checked_kept
class LogOdds(Target):
    """The log-odds of a class, log p - log(1 - p), of a model that gives probabilities or their logarithms.

    Probabilities saturate: where p is near one, little that is masked changes it. Log-odds do not, as logits. Which
    of the two the model gives is seen from the rows: probabilities sum to one, or their exponentials do. A single
    probability, ``[B]`` or ``[B, 1]``, is that of class 1.

    Args:
        which: an index, a class name, or one of them per sample; none: the class that the model predicts, per sample.

    Raises:
        InputError: (when called) where rows are neither, a probability rounds to one, or there is no such class.

    Example:
        >>> p = torch.tensor([[0.2, 0.8]])
        >>> LogOdds(1)(p), LogOdds(1)(p.log())
        (tensor([1.3863]), tensor([1.3863]))
    """

    linear = False

    def __init__(self, which: "int | str | Sequence[int | str] | NDArray[np.integer] | Tensor | None" = None):
        self.which: Class | Predicted = Predicted() if which is None else Class(which)

    def score(self, output: Tensor, info: OutputInfo = UNKNOWN) -> Scores:
        """See `Target.score`.

        Raises:
            InputError: where rows are neither probabilities nor their logarithms, or one rounds to one.
        """
        values = _logits(output)
        if values.shape[1] == 1 and bool(((values >= 0) & (values <= 1)).all()):
            # A single probability is that of class 1.
            values = torch.cat([1 - values, values], 1)
        if not is_probability(values) and not is_probability(values.exp()):
            raise InputError(
                "target is a log-odds; expected an output whose rows are probabilities, which sum to one, or their "
                "logarithms. Of logits, give Class(...) or Predicted()."
            )
        classes = self.which.score(values, info).classes
        chosen = torch.zeros_like(values, dtype=torch.bool).scatter(1, classes[:, None], True)
        if is_probability(values):
            # By the sum of the others: 1 - p would lose all digits where p is near one.
            others = values.masked_fill(chosen, 0).sum(1)
            if bool(((values[chosen] == 0) | (others == 0)).any()):
                raise InputError(
                    "target is a log-odds, and a probability rounds to 1 or 0, of which there are none. Explain the "
                    "logits: a model without its last softmax or sigmoid, with Class(...) or Predicted()."
                )
            return Scores(values[chosen].log() - others.log(), classes)
        return Scores(values[chosen] - values.masked_fill(chosen, -torch.inf).logsumexp(1), classes)

    def fixed(self, classes: "int | Sequence[int]") -> Target:
        """See `Target.fixed`."""
        return self if isinstance(self.which, Class) else LogOdds(classes)

    def text(self) -> str:
        """See `Target.text`."""
        return f"the log-odds of {self.which.text()}"


def _logits(output: Tensor) -> Tensor:
    """The logits ``[B, classes]``, checked to be; ``[B]`` is a single logit per sample, ``[B, 1]``."""
    if output.ndim not in (1, 2):
        raise InputError(
            f"the model's output has shape {tuple(output.shape)}; a class target expects [samples, classes]. "
            "Give Forecast(node, horizon), NodeClass(node, class) or a function of the output as target."
        )
    if output.dtype == torch.bool:
        raise InputError("output: got True and False; expected logits, which are numbers.")
    return output if output.ndim == 2 else output[:, None]
