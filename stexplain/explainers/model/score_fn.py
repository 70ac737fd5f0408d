"""From what a model returned to the scores of a target."""

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from stexplain.explainers.outputs.model_output import ModelOutput, OutputAxes
from stexplain.explainers.outputs.nested import tensors_in
from stexplain.explainers.target import UNKNOWN, OutputInfo, Scores, Target


class ScoreFn(ABC):
    """Called on what a model returned for the samples, it gives the scores of a target."""

    @abstractmethod
    def __call__(self, output: Any) -> Scores:
        """The scores.

        Args:
            output: what the model returned, as it is.

        Raises:
            InputError: where the target does not fit the output.
        """

    @abstractmethod
    def parsed(self, output: Any) -> ModelOutput:
        """What the model returned for the samples or for copies of them, with what is known of its axes."""

    def with_gradient(self, output: Any) -> tuple[Scores, Tensor]:
        """The scores, and their gradient with respect to the tensor that the target reads, samples first.

        Args:
            output: as when called; its own graph is left out.

        Raises:
            InputError: as when called.
        """
        # Gradients may be off around this call.
        with torch.enable_grad():
            whole = self.parsed(output)
            leaf = whole.chosen[1].detach().clone().requires_grad_()
            replaced = whole.with_tensor(leaf)
            scores = self(replaced.raw)
            (gradient,) = torch.autograd.grad(scores.scores.sum(), leaf)
            return scores, replaced.with_tensor(gradient).tensor


@dataclass(frozen=True)
class TargetScores(ScoreFn):
    """The scores of a target.

    Attributes:
        target: any.
        info: what is known of the output; its `rows` are the samples that the output is of.
        axes: of the output's tensors.
        which: of the output's tensors the target reads; see `outputs.nested.chosen`.

    Example:
        >>> import torch
        >>> from stexplain.explainers.targets import Class
        >>> TargetScores(Class(1))({"logits": torch.tensor([[1.0, 2.0]])}).scores
        tensor([2.])
    """

    target: Target
    info: OutputInfo = UNKNOWN
    axes: OutputAxes = field(default_factory=OutputAxes)
    which: "str | int | None" = None

    def __call__(self, output: Any) -> Scores:
        """See `ScoreFn`."""
        rows = self.info.rows
        if rows is None:
            return self.target.score_output(self.parsed(output), self.info)
        return self.target.score_output(ModelOutput(output, rows.stop - rows.start, self.axes, self.which), self.info)

    def parsed(self, output: Any) -> ModelOutput:
        """See `ScoreFn`."""
        samples = self.axes.samples_in(output)
        if not samples:
            # Not measured: the first axis is the samples'.
            samples = next((len(one) for one in tensors_in(output).values() if one.ndim), 1)
        return ModelOutput(output, samples, self.axes, self.which)
