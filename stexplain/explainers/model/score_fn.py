"""From what a model returned to the scores of a target."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor

from stexplain.errors import InputError
from stexplain.explainers.outputs.model_output import MIXED, UNSTEADY, ModelOutput, OutputAxes
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

    @property
    def linear(self) -> bool:
        """Whether scores of given classes are linear in the output; see `Target`."""
        return True

    def fixed(self, classes: Tensor) -> "ScoreFn":
        """The same for the classes ``[B]`` that it chose for the samples; see `Target.fixed`."""
        return self

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


class NoScores(ScoreFn):
    """In the place of a score function where there is no output."""

    def __call__(self, output: Any) -> Scores:
        """Never called."""
        raise AssertionError("a baseline explainer calls no model")

    parsed = __call__  # type: ignore[assignment]  # neither returns


@dataclass
class TargetScores(ScoreFn):
    """The scores of a target.

    At its first call it is checked that the target scores every sample by itself.

    Attributes:
        target: any.
        info: what is known of the output; its `rows` are the samples that the output is of.
        axes: of the output's tensors.
        which: of the output's tensors the target reads; see `outputs.nested.chosen`.
        note: takes sentences for the user.

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
    note: Callable[[str], None] | None = None
    _checked: bool = False

    def __call__(self, output: Any) -> Scores:
        """See `ScoreFn`."""
        rows = self.info.rows
        whole = self.parsed(output) if rows is None else self._output(output, rows.stop - rows.start)
        scores = self.target.score_output(whole, self.info)
        if not self._checked:
            self._checked = True
            self._check(whole, scores)
        return scores

    @property
    def linear(self) -> bool:
        """See `ScoreFn`."""
        return self.target.linear

    def fixed(self, classes: Tensor) -> ScoreFn:
        """See `ScoreFn`."""
        rows, chosen = self.info.rows, classes.tolist()
        if rows is not None and self.info.samples is not None:
            # A target with an entry per sample has one for the whole batch, of which this is a part.
            chosen = [-1] * rows.start + chosen + [-1] * (self.info.samples - rows.stop)
        return replace(self, target=self.target.fixed(chosen))

    def _output(self, output: Any, samples: int) -> ModelOutput:
        return ModelOutput(output, samples, self.axes, self.which)

    def _check(self, output: ModelOutput, scores: Scores) -> None:
        """Refuses scores that depend on other samples than their own, and notes what the target has to say."""
        if self.note is not None:
            for sentence in self.target.notes(output, self.info):
                self.note(sentence)
        with torch.no_grad():
            if self.axes.twice is not None:
                self._check_steady(*self.axes.twice)
            if output.samples < 2:
                return
            exchanged, rows = output.exchanged()
            others = self.target.score_output(exchanged, self.info).scores
            if not _alike(scores.scores[rows], others[rows]):
                raise InputError(
                    f"target {self.target.text()} gives a sample another score where only other samples of the batch "
                    "are changed; expected a function that scores every sample by itself, such as lambda y: y[:, 0]."
                )
            # A tensor that mixes samples is no harm where the target does not read it, such as a loss beside logits.
            if self.axes.witness is not None and output.samples == self.axes.samples:
                before, after, unchanged = self.axes.witness
                one, other = (
                    self.target.score_output(self._output(each, output.samples), self.info).scores[list(unchanged)]
                    for each in (before, after)
                )
                if not _alike(one, other):
                    raise InputError(f"target {self.target.text()}: a sample's score depends on others. {MIXED}")

    def _check_steady(self, one: Any, other: Any) -> None:
        """Refuses a model that scored the same samples otherwise when it was called once more."""
        info, count = self.info, self.axes.samples_in(one) or self.axes.samples
        if info.rows is not None:
            if count > info.rows.stop - info.rows.start:
                return
            # They are of the first of the samples, where not all fit into memory at once.
            info = replace(info, rows=slice(info.rows.start, info.rows.start + count))
        first, again = (self.target.score_output(self._output(each, count), info).scores for each in (one, other))
        if not _alike(first, again):
            difference, size = float((first - again).abs().max()), float(first.abs().max())
            raise InputError(
                f"target {self.target.text()}: two passes over the same samples give scores that differ by up to "
                f"{difference:.2g}, where they are up to {size:.2g}. {UNSTEADY}"
            )

    def parsed(self, output: Any) -> ModelOutput:
        """See `ScoreFn`."""
        samples = self.axes.samples_in(output)
        if not samples:
            # Not measured: the first axis is the samples'.
            samples = next((len(one) for one in tensors_in(output).values() if one.ndim), 1)
        return self._output(output, samples)


def _alike(one: Tensor, other: Tensor) -> bool:
    """Whether scores are the same but for rounding."""
    return torch.allclose(one, other, rtol=1e-4, atol=1e-6, equal_nan=True)
