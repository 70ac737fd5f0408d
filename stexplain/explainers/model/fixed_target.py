"""A target that scores perturbed copies for the classes chosen for the samples themselves."""

from typing import Any

import torch
from torch import Tensor

from stexplain.explainers.model.score_fn import ScoreFn
from stexplain.explainers.outputs.model_output import ModelOutput
from stexplain.explainers.target import Scores


class FixedTarget(ScoreFn):
    """A score function that scores perturbed copies for the classes that it chose for the samples themselves.

    `Predicted()` alone would score every copy for the class predicted for that copy. A target that names classes is
    linear in the logits: its gradient with respect to them is kept, and scores the copies. Any other target, such as
    a forecast or a function, has nothing to fix: it scores each copy itself, and a function gets what the model
    returns for B samples, so that it may hold an entry per sample.

    Args:
        score_fn: the target's scores of the output for B samples.
        samples: B.

    Example:
        >>> from stexplain.explainers.model.score_fn import TargetScores
        >>> from stexplain.explainers.targets import Predicted
        >>> target = FixedTarget(TargetScores(Predicted()), samples=1)
        >>> target(torch.tensor([[1.0, 2.0]])).scores.tolist()
        [2.0]
        >>> target(torch.tensor([[5.0, 3.0], [6.0, 4.0]])).scores.tolist()
        [3.0, 4.0]
    """

    def __init__(self, score_fn: ScoreFn, samples: int):
        self._score_fn = score_fn
        self._samples = samples
        self._gradients: Tensor | None = None
        self._classes: Tensor | None = None

    def parsed(self, output: Any) -> ModelOutput:
        """See `ScoreFn`."""
        return self._score_fn.parsed(output)

    def __call__(self, output: Any) -> Scores:
        """The scores.

        Args:
            output: of the model: for the samples themselves at the first call, then for copies of them, ``[K * B]``
                samples, copy by copy.

        Raises:
            InputError: where the target does not fit the output.
        """
        if self._classes is None:
            return self._fix(output)
        whole = self.parsed(output)
        copies, rest = divmod(whole.samples, self._samples)
        if rest or not copies:
            # Not copies of the samples: the score function explains what is wrong.
            return self._score_fn(output)
        classes = self._classes.repeat(copies)
        linear = None
        if self._gradients is not None:
            logits = whole.tensor
            by_copy = logits.reshape(copies, self._samples, *logits.shape[1:])  # [K, B, ...]
            # Not flattened: a single logit per sample has no further axes.
            linear = (by_copy * self._gradients).reshape(whole.samples, -1).sum(1)
            if bool((self._classes >= 0).all()):
                return Scores(linear, classes)
        # Some samples have a target without a class (-1), or one that is not linear: those are scored copy by copy.
        starts = range(0, whole.samples, self._samples)
        parts = [whole.rows(start, start + self._samples).raw for start in starts]
        scores = torch.cat([self._score_fn(part).scores for part in parts])
        return Scores(scores if linear is None else torch.where(classes >= 0, linear, scores), classes)

    def _fix(self, output: Any) -> Scores:
        """The scores of the samples themselves; keeps their classes, and the gradient at the logits."""
        scores = self._score_fn(output)
        self._classes = scores.classes.detach()
        if not bool((self._classes >= 0).any()):
            return scores
        if self._score_fn.linear:
            _, self._gradients = self._score_fn.with_gradient(output)
        else:
            self._score_fn = self._score_fn.fixed(self._classes)
        return scores
