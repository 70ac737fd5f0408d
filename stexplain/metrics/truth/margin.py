"""The margin of a class over all others, by which an effect is measured."""

import torch
from torch import Tensor

from stexplain.checking import check_arguments, checked_kept
from stexplain.explainers.outputs.probabilities import is_probability
from stexplain.explainers.target import UNKNOWN, OutputInfo, Scores, Target
from stexplain.explainers.targets import Class, LogOdds, Predicted


@checked_kept
class MarginOverOthers(Target):
    """The logit of a class less the log-sum-exp of all other logits: its log-odds, log p - log(1 - p).

    A single logit, ``[B]`` or ``[B, 1]``, is that of class 1 against class 0, and is the margin of class 1 by itself.
    Rows of probabilities give the same number.

    Args:
        of: which class.

    Example:
        >>> logits = torch.tensor([[3.0, 1.0, 1.0]])
        >>> MarginOverOthers(Class(0))(logits)  # 3 - ln(2 e)
        tensor([1.3069])
        >>> MarginOverOthers(Class(0))(logits.softmax(1))
        tensor([1.3069])
    """

    # log-sum-exp is not: copies are scored by fixing the class, not by a gradient.
    linear = False

    def __init__(self, of: Class | Predicted):
        check_arguments(MarginOverOthers.__init__, of=of)
        self.of = of

    def score(self, output: Tensor, info: OutputInfo = UNKNOWN) -> Scores:
        """See `Target.score`."""
        output = output if output.is_floating_point() else output.float()
        logit, classes = self.of.score(output, info)
        if output.ndim == 1 or output.shape[1] == 1:
            return Scores(logit, classes)
        if is_probability(output):
            # By the sum of the other probabilities, which keeps the digits that 1 - p would lose.
            return LogOdds(classes.tolist()).score(output, OutputInfo(classes=info.classes))
        chosen = torch.zeros_like(output, dtype=torch.bool).scatter(1, classes[:, None], True)
        return Scores(logit - output.masked_fill(chosen, -torch.inf).logsumexp(1), classes)

    def fixed(self, classes: "int | list[int]") -> Target:  # type: ignore[override]  # as the target inside takes them
        """See `Target.fixed`."""
        inner = self.of.fixed(classes)
        return MarginOverOthers(inner) if isinstance(inner, Class | Predicted) else inner

    def text(self) -> str:
        """See `Target.text`."""
        return f"the margin of {self.of.text()} over all others"
